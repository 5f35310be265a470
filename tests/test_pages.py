"""Documentation pages agree with the code: links, names, tables and numbers."""

import csv
import importlib
import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from xaug import variables
from xaug.events.cuts import EventSelection
from xaug.events.detector import Detector
from xaug.events.presets import PRESETS
from xaug.explain.gradients.named_baselines import CHOICES
from xaug.generate.regimes import REGIMES, Thresholds
from xaug.generate.vlq import PROCESSES
from xaug.studies.vlq.figures import FIGURES

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
EVENTS, IG = ((NOTEBOOKS / f"{name}.md").read_text() for name in ("events", "ig"))


def rows(page, heading):
    """Cells of the rows of the table under a heading."""
    section = page.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line] for line in lines[2:]]


def test_features_are_those_of_the_table_in_its_order():
    found = [name for row in rows(EVENTS, "Features") for name in re.findall(r"`(\w+)`", row[1])]
    assert found == variables.names("events", "event")
    for group, names, unit, _ in rows(EVENTS, "Features"):
        own = re.findall(r"`(\w+)`", names)
        assert int(re.search(r"\((\d+)\)", group)[1]) == len(own)
        assert {variables.labels("events")[name].unit for name in own} == {unit}


@pytest.mark.parametrize(("preset", "column"), [("loose", 2), ("tight", 3), ("search", 3)])
def test_processes_and_thresholds_are_those_of_generation(preset, column):
    found = {}
    for row in rows(EVENTS, "Generation"):
        for name in re.findall(r"`(\w+)`", row[0]):
            found[name] = row[column]
    assert set(found) == set(PROCESSES)
    for name, told in found.items():
        own = REGIMES[preset].thresholds.get(name, Thresholds())
        words = [f"pTHat > {own.pthat:g}, p = {own.bias:g}"] if own.pthat else []
        count = {0: "", 3: "three "}[own.partons]
        words += [f"{count}partons > {own.parton_ht:g}"] if own.parton_ht else []
        words += [f"lepton > {own.lepton_pt:g}"] if own.lepton_pt else []
        assert told == (", ".join(words) or "–"), name


def test_every_number_of_the_selection_is_told():
    section = (
        EVENTS.split("## Selection\n")[1].split("\n## ")[0].split("**Presets.**")[0]
        + EVENTS.split("**Tag weights.**")[1]
    )
    for field in fields(EventSelection):
        default = f"{field.default:g}" if isinstance(field.default, float) else str(field.default)
        assert re.search(rf"`{field.name}` {re.escape(default)}\b", section), field.name


@pytest.mark.parametrize("name", ["tight", "search"])
def test_presets_are_told(name):
    """`search` is told as what it adds to `tight`."""
    cells = dict(re.findall(r"^\| `(\w+)`[^|]* \| (.*) \|$", EVENTS.split("**Presets.**")[1], re.MULTILINE))
    other = PRESETS["loose"] if name == "tight" else PRESETS["tight"]
    changed = {f.name: getattr(PRESETS[name], f.name) for f in fields(EventSelection)}
    changed = {key: value for key, value in changed.items() if value != getattr(other, key)}
    assert {key: float(value) for key, value in re.findall(r"`(\w+)` ([\d.]+\d|\d+)", cells[name])} == changed


def test_every_number_of_the_detector_is_told():
    values = " ".join(cell for row in rows(EVENTS, "A light detector") for cell in (row[0], row[2]))
    for field in fields(Detector):
        number = "10⁻⁴" if field.default == 1e-4 else f"{field.default:g}"
        assert field.name == "smear" or number in values, field.name


@pytest.mark.parametrize("choice", [c for c in CHOICES if not c.startswith("FILE")])
def test_every_baseline_is_told(choice):
    assert f"| `{choice}` |" in IG


def test_every_figure_of_events_is_told():
    found = " ".join(f"{row[0]} {row[2]}" for row in rows(IG, "The report"))
    own = [entry for entry in FIGURES if entry.key.isdigit() or entry.key in ("ablation", "agreement")]
    assert len(own) == 7
    for entry in own:
        assert f"`{entry.file}`" in found


RESULTS = (NOTEBOOKS / "results.md").read_text()


@pytest.mark.parametrize("table", re.findall(r"\]\((results/[\w/]+\.csv)\):\n", RESULTS))
def test_numbers_of_the_results_are_those_of_the_tables(table):
    """Every row of a table on the page stands in the file that it names, cell by cell."""
    lines = RESULTS.split(f"]({table}):\n")[1].lstrip("\n").split("\n\n")[0].splitlines()
    shown = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]
    with open(NOTEBOOKS / table, newline="") as file:
        stored = [set(row.values()) for row in csv.DictReader(file)]
    assert shown
    for row in shown:
        assert any(set(row) <= cells for cells in stored), row


CHECKOUT = NOTEBOOKS.parent
PAGES = [CHECKOUT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "models/README.md")]
PAGES += sorted(NOTEBOOKS.glob("*.md")) + sorted(NOTEBOOKS.glob("*.ipynb"))
by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def text_of(page):
    """The text of a page; of a notebook, that of all its cells."""
    if page.suffix == ".md":
        return page.read_text()
    return "\n\n".join("".join(cell["source"]) for cell in json.loads(page.read_text())["cells"])


def anchors(page):
    """The anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@by_page
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        linked = page.parent / name if name else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def resolves(name):
    """True if a dotted name is a module of the package, or an attribute of one."""
    parts = name.split(".")
    for size in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:size]))
        except ModuleNotFoundError:
            continue
        for part in parts[size:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


@by_page
def test_names_and_paths_of_the_package_exist(page):
    """Dotted names `xaug.a.b`, and paths `xaug/a/b.py`, where capitals stand for a name of the reader's choice.

    The recipes of CONTRIBUTING.md name modules that they make; `tests/test_contributing.py` executes them.
    """
    text = text_of(page).split("## Recipes\n")[0]
    for name in sorted(set(re.findall(r"(?<![\w/.@-])xaug(?:\.[a-z_]\w*)+", text))):
        assert resolves(name), name
    for path in sorted(set(re.findall(r"(?<![\w/.:-])(?:xaug|tests|notebooks|models)/[\w/.-]*\w/?", text))):
        if not re.search(r"[A-Z]{3}", path):
            assert (CHECKOUT / path).exists() or (page.parent / path).exists(), path


def test_terms_are_in_the_glossary():
    """Every term that the project coined, and every column of its tables that needs a definition."""
    terms = {
        term.strip("*` ")
        for row in re.findall(r"^\| (\*\*.+?) \|", (NOTEBOOKS / "glossary.md").read_text(), re.MULTILINE)
        for term in re.split(r"[,()] ?|\*\* ", row)
    }
    needed = {
        "XAUG", "Preset A", "β₃", "RMS", "LRP", "IG", "baseline", "residual", "conservation", "completeness", "target",
        "blank baseline", "averaged baseline", "block", "kind", "run", "part", "split", "mask", "padding", "scaler",
        "engine", "composite", "rule", "ranking", "stage", "training", "effective number", "stable rank", "manifest",
    }  # fmt: skip
    assert needed <= terms
