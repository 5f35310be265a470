"""Tables of a report: how well runs separate the classes, of how many events, and how far baselines are from data."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from xaug.core.types import Arrays
from xaug.data.dataset import Dataset
from xaug.data.weights import DEFAULT_WEIGHTS, LUMINOSITY, effective_number
from xaug.data.yields import process_yields
from xaug.explain.analysis.spread import BACKGROUND_EFFICIENCIES, operating_points
from xaug.report.class_scores import binary_scores
from xaug.report.discriminants import ScoredDiscriminant
from xaug.report.subjects import ExplainedClass, ReportInputs
from xaug.report.words import noun
from xaug.training.metrics import EFFICIENCIES, compute_metrics
from xaug.training.runs import Run

__all__ = ["NamedTable", "RunColumn", "distances", "efficiencies", "performance", "processes", "tables_of"]

REJECTIONS = {f"rejection_{round(100 * efficiency)}": efficiency for efficiency in EFFICIENCIES}
"""Name of a rejection among the metrics of a training -> its signal efficiency."""
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
MEASURED = 10
"""Background events that an efficiency needs at least to be quoted."""


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
    shown
        what the page shows in place of the content of the file
    note
        sentence above the table on the page
    """

    name: str
    heading: str
    content: pd.DataFrame
    headings: Mapping[str, str] = field(default_factory=dict)
    shown: pd.DataFrame | None = None
    note: str = ""


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
    """AUC, accuracy and background rejections of each run, as mean and standard deviation over trainings.

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
        }
        for name in ("auc", "accuracy", *REJECTIONS):
            if name not in run.metrics[0]:
                continue  # of more than two classes
            values = np.array([m[name] for m in run.metrics])
            limit = ">= " if any(name in m.get("rejection_limits", ()) for m in run.metrics) else ""
            digits = 1 if name in REJECTIONS else 4
            row[name] = f"{limit}{values.mean():.{digits}f} ± {values.std():.{digits}f}"
        for pair in run.metrics[0].get("pairwise", {}):
            values = np.array([m["pairwise"][pair] for m in run.metrics])
            row[f"AUC {pair}"] = f"{values.mean():.4f} ± {values.std():.4f}"
        rows.append({**row, **{column.name: column.value(run) for column in columns}})
    for one in discriminants:
        nothing = {name: 0 for name, value in rows[0].items() if isinstance(value, int)}
        rows.append({**dict.fromkeys(rows[0], ""), **nothing, **_untrained_performance(one)})
    table: pd.DataFrame = pd.DataFrame(rows)
    return table


def _untrained_performance(one: ScoredDiscriminant) -> dict[str, str | int]:
    """The cells of a discriminant: AUC and rejections, without a spread; its accuracy would need a threshold."""
    own = compute_metrics(one.scores["label"], one.scores["score"], one.scores["weight"])
    rejections = {
        name: f"{'>= ' if name in own.rejection_limits else ''}{value:.1f}" for name, value in own.rejections.items()
    }
    return {"run": one.name, "auc": f"{own.auc:.4f}", **rejections}


def efficiencies(runs: Sequence[Run], discriminants: Sequence[ScoredDiscriminant] = ()) -> pd.DataFrame:
    """AUC, and signal efficiency at fixed background efficiencies, of each run.

    There are the mean and the standard deviation over trainings, and the value of the mean score of all trainings.
    A background efficiency below that of ten (effective) events is left out. Discriminants, which have no trainings,
    follow.
    """
    rows = []
    for run in runs:
        for name, scores in binary_scores(run).items():
            rows.append({"run": name, **_training_size(run), **_operating_points(scores, "{mean} ± {rms}")})
    for one in discriminants:
        nothing = {name: 0 for name, value in rows[0].items() if isinstance(value, int)}
        rows.append({"run": one.name, **nothing, **_operating_points([one.scores], "{mean}")})
    table: pd.DataFrame = pd.DataFrame(rows)
    return table


def _operating_points(scores: Sequence[Arrays], form: str) -> dict[str, str | int]:
    """The cells of one row of the table of efficiencies, with mean and rms over trainings in a form."""
    label, weight = scores[0]["label"], scores[0]["weight"]
    found = operating_points(label, [own["score"] for own in scores], weight).to_dict("index")
    background = effective_number(weight[label == 0])
    row: dict[str, str | int] = {**_quoted("AUC", found["auc"], 1, 4, form)}
    for at in BACKGROUND_EFFICIENCIES:
        name = f"signal % at {100 * at:g}% background"
        measured = at * background >= MEASURED
        few = {name: "too few events", f"{name}, mean score": ""}
        row |= _quoted(name, found[at], 100, 1, form) if measured else few
    return row


def _training_size(run: Run) -> dict[str, str | int]:
    """Cells that say how much each training of a run saw: events, and steps on average over trainings.

    "steps" are all steps, and "kept at step" is the one whose weights are kept.
    """
    total, kept = np.mean([run.steps(i) for i in range(len(run))], axis=0)
    return {
        f"training {noun(run.input_spec.kind)}": run.training_events,
        "steps": round(total),
        "kept at step": round(kept),
    }


def _quoted(name: str, point: Mapping[Hashable, float], factor: float, digits: int, form: str) -> dict[str, str]:
    """Two cells: mean and standard deviation over trainings in a form, and the value of the mean score."""
    mean, rms, of_mean = (f"{factor * point[key]:.{digits}f}" for key in ("mean", "rms", "mean_score"))
    return {name: form.format(mean=mean, rms=rms), f"{name}, mean score": of_mean}


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
    """Selected, effective and expected numbers of events of each process, and those of the test split."""
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
    return table


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
    tables = [
        NamedTable(
            "performance",
            "Performance on the test split",
            performance(all_runs, columns, inputs.discriminants),
            headings,
        ),
        NamedTable(
            "efficiency",
            "Signal efficiency at fixed background efficiency",
            efficiencies(inputs.runs, inputs.discriminants),
        ),
    ]
    if DEFAULT_WEIGHTS.get(inputs.data.kind) == "event":
        tables.append(NamedTable("processes", "Events of each process", processes(inputs.data), OF_PROCESSES))
    baselines = ExplainedClass.found_in(inputs)
    if baselines:
        table = distances(baselines)
        tables.append(NamedTable("baselines", "Baselines, and how far they lie from the data", table, OF_BASELINES))
    return tables
