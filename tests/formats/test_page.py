"""The page about formats: its commands run on files of the published layouts, and its table has all options."""

import re
import shlex
import shutil
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner
from layout_writers import MadeJets, make_jets, write_candidates, write_hepmc, write_layouts

import xaug
from xaug.__main__ import STAGES, main
from xaug.formats.registry import FORMATS
from xaug.jets.cuts import Selection

PAGE = (Path(__file__).parents[2] / "notebooks" / "formats.md").read_text()
FULL = ("xaug.train", "xaug.explain", "xaug.report")
FILES = {
    "jetclass.root": "jetclass/jetclass.root", "jetclass.parquet": "jetclass2/jetclass.parquet",
    "qcd.root": "pfnano/qcd.root", "hbb.root": "pfnano/hbb.root", "top.h5": "toptagging/top.h5", "qg.npz": "qg/qg.npz",
    "g.hdf5": "jetnet/g.hdf5", "t.hdf5": "jetnet/t.hdf5", "atlas.h5": "atlastop/atlas.h5",
    "own.parquet": "columns/own.parquet",
}  # fmt: skip
HEPMC = find_spec("pyhepmc") is not None
"""Whether the extra that reads HepMC is installed."""


def files_of_the_page(jets: MadeJets, base: Path, place: Path) -> Path:
    """A directory with the files that the page names, and its YAML files."""
    for name, source in FILES.items():
        shutil.copy(base / source, place / name)
    (base / "delphes").mkdir()
    for name, path in write_candidates(jets, base / "delphes").items():
        shutil.copy(path, place / f"delphes_{name.lower()}.root")
    if HEPMC:
        write_hepmc(jets, place)
    for name, text in re.findall(r"```(?:yaml|python)\n# (\S+)\n(.*?)```", PAGE, re.DOTALL):
        (place / name).write_text(text)
    return place


@pytest.fixture(scope="module")
def directory(made_jets, layouts, tmp_path_factory):
    """The files of the page, with few jets."""
    return files_of_the_page(made_jets, layouts["qg"].parents[1], tmp_path_factory.mktemp("page"))


def commands(full: bool) -> list[str]:
    lines = [line for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
    return [line for line in lines if (line.split()[2] in FULL) == full]


def run(line: str, directory: Path, monkeypatch) -> str:
    monkeypatch.chdir(directory)
    words = shlex.split(line)
    name = words[2].removeprefix("xaug.")
    assert words[:2] == ["python", "-m"] and name in STAGES
    more = ["--executor", "iterative"] if name == "process" else []
    done = CliRunner().invoke(main, [name, *words[3:], *more])
    assert done.exit_code == 0, (line, done.output)
    return done.output


def test_commands_that_read_files(directory, monkeypatch):
    for line in commands(full=False):
        if "hepmc" in line and not HEPMC:
            continue
        run(line, directory, monkeypatch)
    made = {path.parent.name: xaug.Dataset.open(path.parent) for path in directory.glob("*_jets/manifest.json")}
    assert len(made) == 10 + HEPMC and {name: len(data) for name, data in made.items()} == dict.fromkeys(made, 24)


@pytest.mark.slow
def test_commands_from_the_file_to_the_report(tmp_path, monkeypatch):
    """All formats, with enough jets that each split has all classes."""
    jets = make_jets(120)
    (tmp_path / "layouts").mkdir()
    (tmp_path / "page").mkdir()
    write_layouts(jets, tmp_path / "layouts")
    directory = files_of_the_page(jets, tmp_path / "layouts", tmp_path / "page")
    for line in [*commands(full=False), *commands(full=True)]:
        if "hepmc" in line and not HEPMC:
            continue
        run(line, directory, monkeypatch)
    sections = re.findall(r"^## (?!Arrays|Variables|Options)", PAGE, re.MULTILINE)
    wanted = len(sections) + HEPMC  # JetClass has two; that of HepMC needs its extra
    assert len(list(directory.glob("*_report/report.html"))) == wanted


def test_python_of_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(import numpy.*?)```", PAGE, re.DOTALL)
    exec(compile(code, "formats.md", "exec"), {})
    assert "('W', 'Z', 'H')" in capsys.readouterr().out


def test_all_options_and_formats_are_told():
    table = PAGE.split("## Options of the selection of jets\n")[1]
    told = {}
    for cells in re.findall(r"^\| (`.*?) \| (.*?) \|", table, re.MULTILINE):
        told |= dict(zip(re.findall(r"`(\w+)`", cells[0]), cells[1].split(", "), strict=True))
    defaults = {own.name: f"{own.default:g}" if isinstance(own.default, float) else str(own.default)
                for own in fields(Selection)}  # fmt: skip
    assert told == defaults
    for name in FORMATS:
        if name != "xaug_tree":
            assert re.search(name.replace("delphes_candidates", "delphes").rstrip("2"), PAGE.lower()) or name in (
                "toptagging", "atlastop", "qg",
            )  # fmt: skip
