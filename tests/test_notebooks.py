"""Notebooks run from their first cell to the last, at a tiny scale, and are committed without outputs."""

import json
from pathlib import Path

import matplotlib
import pytest

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
TINY = {
    "01_toy_model": {"jets": 300, "trainings": 2, "epochs": 2},
    "02_zbb_from_root_to_relevance": {"jets": 40, "trainings": 2, "epochs": 2},
    "03_ig_baselines": {"processes": ["signal", "tt1l"], "events": 500, "epochs": 2, "sizes": [1]},
}


def cells(name):
    return json.loads((NOTEBOOKS / f"{name}.ipynb").read_text())["cells"]


def test_every_notebook_is_run_here():
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} == set(TINY)


@pytest.mark.parametrize("name", TINY)
def test_no_outputs_are_committed(name):
    for cell in cells(name):
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.parametrize("name", TINY)
def test_notebook_runs(name, tmp_path, monkeypatch):
    """As Jupyter would, cell by cell in one namespace; only the numbers in the cell of parameters are others."""
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    replaced = False
    with matplotlib.rc_context():
        matplotlib.use("agg")
        for i, cell in enumerate(cells(name)):
            if cell["cell_type"] != "code":
                continue
            exec(compile("".join(cell["source"]), f"{name}[{i}]", "exec"), namespace)
            if "parameters" in cell["metadata"].get("tags", []):
                assert TINY[name].keys() <= namespace.keys()
                namespace.update(TINY[name])
                replaced = True
        matplotlib.pyplot.close("all")
    assert replaced
