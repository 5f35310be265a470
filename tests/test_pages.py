"""Documentation pages name what there is."""

import csv
import re
from dataclasses import fields
from pathlib import Path

import pytest

from xaug import variables
from xaug.events.detector import Detector
from xaug.events.selection import EventSelection
from xaug.explain.gradients.baselines import CHOICES
from xaug.generate.vlq import PROCESSES, shipped_card
from xaug.report.catalogue import CATALOGUE

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


def test_processes_thresholds_and_bias_are_those_of_the_cards():
    found = {}
    for names, _, threshold, bias in rows(EVENTS, "Generation"):
        for name in re.findall(r"`(\w+)`", names):
            found[name] = threshold, bias.removeprefix("p = ")
    assert set(found) == set(PROCESSES)
    for name, numbers in found.items():
        card = shipped_card(name).read_text()
        for number, setting in zip(numbers, ("pTHatMin", "bias2SelectionPow"), strict=True):
            given = re.search(rf"^PhaseSpace:{setting} = (\d+)", card, re.MULTILINE)
            assert number == (given[1] if given else "–"), name


def test_every_number_of_the_selection_is_told():
    section = EVENTS.split("## Selection\n")[1].split("\n## ")[0]
    for field in fields(EventSelection):
        assert re.search(rf"`{field.name}` {field.default:g}\b", section), field.name


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
    for entry in CATALOGUE:
        if entry.kind == "events" and entry.key != "roc":
            assert f"`{entry.name}`" in found


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
