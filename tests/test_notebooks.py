"""Notebooks run from the first cell to the last, at a tiny scale, and are committed with the outputs of their code."""

import importlib.util
import json
import re
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


@pytest.fixture(scope="module")
def refresh():
    """The script that executes notebooks and stores their outputs."""
    spec = importlib.util.spec_from_file_location("refresh", NOTEBOOKS / "refresh.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", TINY)
def test_outputs_are_those_of_the_code(name, refresh):
    """Run `python notebooks/refresh.py NAME` after each change of a code cell."""
    path = NOTEBOOKS / f"{name}.ipynb"
    notebook = json.loads(path.read_text())
    assert notebook["metadata"][refresh.DIGEST] == refresh.code_digest(notebook)
    assert path.stat().st_size < 600_000
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2
    assert not [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]
    text = "".join("".join(output.get("text", output.get("data", {}).get("text/plain", []))) for output in outputs)
    assert not re.search(r"(?<![\w.])/(home|root|opt|tmp|work|usr)/", text), "a path of one machine"


def test_another_code_has_another_digest(refresh):
    notebook = {
        "cells": [{"cell_type": "code", "source": ["a = 1\n", "b = 2"]}, {"cell_type": "markdown", "source": "text"}]
    }
    same = {"cells": [{"cell_type": "code", "source": "a = 1\nb = 2"}, {"cell_type": "markdown", "source": "other"}]}
    other = {"cells": [{"cell_type": "code", "source": "a = 1\nb = 3"}]}
    assert refresh.code_digest(notebook) == refresh.code_digest(same) != refresh.code_digest(other)


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
