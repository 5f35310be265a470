"""Tables of a report: how well runs separate the classes, of how many events, and how far baselines are from data."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from xaug.data.dataset import Dataset
from xaug.data.weights import DEFAULT_WEIGHTS, LUMINOSITY
from xaug.data.yields import process_yields
from xaug.report.class_scores import binary_scores
from xaug.report.comparison import NOTE, comparison
from xaug.report.discriminants import ScoredDiscriminant
from xaug.report.errors_beside import BOTH_ERRORS, REJECTIONS, efficiency_cells, measured_cells
from xaug.report.subjects import ExplainedClass, ReportInputs
from xaug.report.words import is_split, noun
from xaug.training.runs import Run

__all__ = ["NamedTable", "RunColumn", "distances", "efficiencies", "performance", "processes", "tables_of"]

OF_BASELINES = {
    "effective": "effective number of events",
    "farther than % of events": "% of events with a nearer neighbour (50: typical)",
    "for example": "such features, for example",
}
"""Columns of the table of baselines that need more words on the page."""
OF_PROCESSES = {
    "effective": "effective number, (Σw)²/Σw²",
    "effective, test": "effective number, test",
    "expected": f"expected at {LUMINOSITY / 1000:g}/fb",
}
"""Columns of the table of processes that need more words on the page."""


@dataclass(frozen=True)
class NamedTable:
    """A table of the page and of a CSV file.

    Attributes
    ----------
    name
        name of the file, without its suffix
    heading
        the line above the table on the page
    content
        the table
    headings
        columns that the page calls otherwise than the file
    note
        sentence above the table on the page
    bold
        by the number of a row, the columns that the page prints bold there
    formulas
        LaTeX labels that the page sets in the place of texts in the first column
    """

    name: str
    heading: str
    content: pd.DataFrame
    headings: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    bold: Mapping[int, Collection[str]] = field(default_factory=dict)
    formulas: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RunColumn:
    """A column that a study adds to the table of performance.

    Attributes
    ----------
    name
        name of the column in the file
    heading
        name of the column on the page
    value
        the cell of a run
    """

    name: str
    heading: str
    value: Callable[[Run], str]


def performance(
    runs: Sequence[Run], columns: Sequence[RunColumn] = (), discriminants: Sequence[ScoredDiscriminant] = ()
) -> pd.DataFrame:
    """AUC, accuracy and background rejections of each run: means over trainings, with both of their errors.

    A rejection is 1 / background efficiency at a fixed signal efficiency. The number of training events and the mean
    number of steps stand beside them. Discriminants follow, which have no trainings, no spread and no threshold.
    """
    rows = []
    for run in runs:
        row: dict[str, str | int] = {
            "run": run.name,
            "trainings": len(run),
            "parameters": run.metrics[0]["parameters"],
            **_training_size(run),
            **measured_cells([run.scores(i) for i in range(len(run))], run.classes),
        }
        rows.append({**row, **{column.name: column.value(run) for column in columns}})
    for one in discriminants:
        nothing = {name: 0 for name, value in rows[0].items() if isinstance(value, int)}
        own = measured_cells([one.scores]) | {"accuracy": ""}  # it would need a threshold
        rows.append({**dict.fromkeys(rows[0], ""), **nothing, "run": one.name, **own})
    return _filled(rows)


def efficiencies(runs: Sequence[Run], discriminants: Sequence[ScoredDiscriminant] = ()) -> pd.DataFrame:
    """AUC, and signal efficiency at fixed background efficiencies, of each run.

    There are the mean over trainings with both of its errors, and the value of the mean score of all trainings.
    A background efficiency below that of ten (effective) events is left out. Discriminants, which have no trainings,
    follow.
    """
    rows = []
    for run in runs:
        for name, scores in binary_scores(run).items():
            rows.append({"run": name, **_training_size(run), **efficiency_cells(scores)})
    for one in discriminants:
        nothing = {name: 0 for name, value in _training_size(runs[0]).items() if isinstance(value, int)}
        rows.append({"run": one.name, **nothing, **efficiency_cells([one.scores])})
    return _filled(rows)


def _filled(rows: Sequence[Mapping[str, str | int]]) -> pd.DataFrame:
    """A table of rows, whose cells are empty where a row lacks a column."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    table: pd.DataFrame = pd.DataFrame([{name: row.get(name, "") for name in names} for row in rows])
    return table


def _training_size(run: Run) -> dict[str, str | int]:
    """Cells that say how much each training of a run saw: events, and steps on average over trainings.

    "steps" are all steps, and "kept at step" is the one whose weights are kept. There are no cells for a model of the
    user's, whose training is not known.
    """
    if not run.training_events:
        return {}
    total, kept = np.mean([run.steps(i) for i in range(len(run))], axis=0)
    return {
        f"training {noun(run.input_spec.kind)}": run.training_events,
        "steps": round(total),
        "kept at step": round(kept),
    }


def distances(baselines: Sequence[ExplainedClass]) -> pd.DataFrame:
    """How many events each baseline averages over, effectively, and how far they lie from the data."""
    rows = []
    for one in baselines:
        settings = one.explained.attributions[0].settings
        known = settings["baseline"]
        distance = known["distance"]
        rows.append(
            {
                "baseline": one.name,
                "events": known["events"],
                "effective": round(settings["effective_baselines"], 1),
                "farther than % of events": round(distance["nearest_neighbour_percentile"], 1),
                "% of features outside the data": round(100 * distance["features_outside"], 1),
                "for example": ", ".join(distance["outside"][:3]),
            }
        )
    table: pd.DataFrame = pd.DataFrame(rows)
    return table


def processes(data: Dataset) -> pd.DataFrame:
    """Selected, effective and, where cross sections are known, expected numbers of events of each process.

    Those of the test split stand beside them.
    """
    rows = []
    for whole, test in zip(process_yields(data), process_yields(data, "test"), strict=True):
        rows.append(
            {
                "process": whole.process,
                "class": data.classes[whole.label],
                "selected": whole.selected,
                "effective": round(whole.effective, 1),
                "selected, test": test.selected,
                "effective, test": round(test.effective, 1),
                "expected": "unknown" if whole.expected is None else f"{whole.expected:.4g}",
            }
        )
    table: pd.DataFrame = pd.DataFrame(rows)
    return table if (table["expected"] != "unknown").any() else table.drop(columns="expected")


def tables_of(inputs: ReportInputs, all_runs: Sequence[Run], columns: Sequence[RunColumn] = ()) -> list[NamedTable]:
    """The tables that every report has.

    Parameters
    ----------
    inputs
        what the report draws
    all_runs
        runs on the full sample and on smaller ones
    columns
        further columns of the table of performance
    """
    headings = {"auc": "AUC", **{name: f"rejection at {100 * at:.0f}%" for name, at in REJECTIONS.items()}}
    headings |= {column.name: column.heading for column in columns}
    several = len(inputs.data.classes) > 2
    of_many = "AUC is the mean over classes, each against the rest; AUC A-B is that of two classes alone." * several
    one_class = "Each row is one class as signal, with all others as background." * several
    tables = [
        NamedTable(
            "performance",
            "Performance on the test split" if is_split(inputs.data) else "Performance",
            performance(all_runs, columns, inputs.discriminants),
            headings,
            note=f"{BOTH_ERRORS} {of_many}".strip(),
        ),
    ]
    at_fixed = efficiencies(inputs.runs, inputs.discriminants)
    if len(at_fixed):  # there is none where all events are of one class
        heading = "Signal efficiency at fixed background efficiency"
        note = f"Errors are those of the table of performance above. {one_class}".strip()
        tables.append(NamedTable("efficiency", heading, at_fixed, note=note))
    if inputs.explained:
        ranks = comparison(inputs.explained)
        labels = {own.text: own.label for one in inputs.explained for own in one.labels.values()}
        tables.append(NamedTable("ranks", "Ranks by all methods and trainings", ranks, note=NOTE, formulas=labels))
    if DEFAULT_WEIGHTS.get(inputs.data.kind) == "event":
        tables.append(NamedTable("processes", "Events of each process", processes(inputs.data), OF_PROCESSES))
    baselines = [ExplainedClass(one) for one in inputs.explained if one.baseline]
    if baselines:
        table = distances(baselines)
        tables.append(NamedTable("baselines", "Baselines, and how far they lie from the data", table, OF_BASELINES))
    return tables
