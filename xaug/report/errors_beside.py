"""Cells of tables that quote a number with both of its errors: of the test sample, and the spread over trainings."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from xaug.core.statistics import sample_deviation
from xaug.core.types import Array, Arrays
from xaug.data.records import CLASSES
from xaug.data.weights import effective_number
from xaug.explain.analysis.spread import BACKGROUND_EFFICIENCIES, operating_points
from xaug.report.class_scores import absent_classes, has_curve
from xaug.report.words import listed
from xaug.training.class_metrics import one_vs_rest, pair_score
from xaug.training.intervals import CONFIDENCE, ONE_SIGMA, auc_interval, efficiency_interval, efficiency_limit
from xaug.training.metrics import EFFICIENCIES, area, background_efficiency, roc

__all__ = ["BOTH_ERRORS", "REJECTIONS", "auc_cell", "efficiency_cells", "measured_cells", "quoted"]

REJECTIONS = {f"rejection_{round(100 * efficiency)}": efficiency for efficiency in EFFICIENCIES}
"""Name of a rejection in tables -> its signal efficiency."""
MEASURED = 10
"""Background events that an efficiency needs at least to be quoted."""
BOTH_ERRORS = (
    f"Values are means over trainings. Square brackets are {100 * ONE_SIGMA:.0f}% intervals from the finite test "
    "sample (DeLong for the AUC, Clopper-Pearson for efficiencies and rejections; weights enter as effective numbers "
    "of events); what follows ± is the standard deviation over trainings (n - 1), which one training does not have. "
    f"Where fewer than one background event passes, or no pair of events is in the wrong order, there is the limit at "
    f"{100 * CONFIDENCE:.0f}% CL; where fewer than {MEASURED} background events pass, single events make the spread of "
    "a rejection, which is left out."
)
"""The sentence above tables with such cells."""


def quoted(values: Sequence[float], interval: tuple[float, float], digits: int) -> str:
    """A mean over trainings with its errors, as `0.9312 [0.9250, 0.9374] ± 0.0021`.

    Parameters
    ----------
    values : sequence of float
        The value of each training.
    interval : (float, float)
        Interval from the finite test sample.
    digits : int
        Decimals.

    Returns
    -------
    str
        The cell; without a spread where there is one training.
    """
    low, high = interval
    spread = f" ± {sample_deviation(values):.{digits}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]{spread}"


def measured_cells(trainings: Sequence[Arrays], classes: Sequence[str] = CLASSES) -> dict[str, str]:
    """AUC, accuracy and background rejections of trainings on one test sample.

    Parameters
    ----------
    trainings : sequence of dict of arrays
        `label`, `score` and `weight` (n,) of each training; the score of K classes is (n, K).
    classes : sequence of str
        Names of the classes.

    Returns
    -------
    dict of str
        Cells by "auc", "accuracy" and the names of `REJECTIONS`; of more than two classes the mean AUC of each class
        against the rest, the accuracy, and the AUC of each pair. Where there are no events of a class, the cell of the
        AUC says so, and what needs all classes is left out.
    """
    if trainings[0]["score"].ndim == 2:
        return _class_cells(trainings, classes)
    label, weight = trainings[0]["label"], trainings[0]["weight"]
    absent = absent_classes(label, classes)
    if absent:
        return {"auc": _without(absent), "accuracy": "", **dict.fromkeys(REJECTIONS, "")}
    curves = [roc(label, own["score"], weight) for own in trainings]
    background = effective_number(weight[label == 0])
    cells = {
        "auc": auc_cell(trainings),
        "accuracy": _accuracy([(own["score"] >= 0.5).astype(int) for own in trainings], label, weight, 2),
    }
    for name, at in REJECTIONS.items():
        passed = [float(background_efficiency(*curve, at)) for curve in curves]
        cells[name] = _rejection(passed, background)
    return cells


def auc_cell(trainings: Sequence[Arrays]) -> str:
    """AUC of trainings on one test sample of two classes with both of its errors, or the limit where it is 1.

    Parameters
    ----------
    trainings : sequence of dict of arrays
        `label`, `score` and `weight` (n,) of each training.

    Returns
    -------
    str
        As `0.9312 [0.9250, 0.9374] ± 0.0021`, with more decimals close to 1, or `> 0.9925 (95% CL)`.
    """
    return _auc([area(*roc(*_arrays(own))) for own in trainings], lambda level: _auc_interval(trainings, level))


def _auc(values: Sequence[float], interval: Callable[[float], tuple[float, float]]) -> str:
    """The cell of the AUC of each training, whose interval from the test sample has the coverage that is asked for."""
    if np.allclose(values, 1.0, rtol=0, atol=1e-12):  # no pair of events is in the wrong order
        low = interval(2 * CONFIDENCE - 1)[0]
        power = 10.0 ** _decimals(low)
        return f"> {math.floor(low * power) / power:.{_decimals(low)}f} ({100 * CONFIDENCE:.0f}% CL)"
    return quoted(values, interval(ONE_SIGMA), _decimals(float(np.mean(values))))


def _decimals(auc: float) -> int:
    """Decimals that leave two digits of what an AUC lacks to 1, and four at least."""
    return max(4, min(7, 1 + math.ceil(-math.log10(max(1 - auc, 1e-7)) - 1e-9)))


def _without(absent: Sequence[str]) -> str:
    return f"no {listed(list(absent))} events"


def _auc_interval(trainings: Sequence[Arrays], level: float = ONE_SIGMA) -> tuple[float, float]:
    """The mean of the intervals of the trainings, which share their events."""
    ends = [auc_interval(own["label"], own["score"], own["weight"], level) for own in trainings]
    low, high = np.mean(ends, axis=0)
    return float(low), float(high)


def _class_cells(trainings: Sequence[Arrays], classes: Sequence[str]) -> dict[str, str]:
    """The cells of more than two classes; the intervals of single classes are averaged, as if they were one event's."""
    label, weight = trainings[0]["label"], trainings[0]["weight"]
    numbers = range(len(classes))
    absent = absent_classes(label, classes)
    if absent:
        cells = {"auc": _without(absent), "accuracy": ""}
    else:
        against = [[_against_rest(own, of) for own in trainings] for of in numbers]
        means = np.mean([[area(*roc(*_arrays(own))) for own in each] for each in against], axis=0)

        def interval(level: float) -> tuple[float, float]:
            low, high = np.mean([_auc_interval(each, level) for each in against], axis=0)
            return float(low), float(high)

        cells = {
            "auc": _auc(means.tolist(), interval),
            "accuracy": _accuracy([own["score"].argmax(axis=1) for own in trainings], label, weight, len(classes)),
        }
    for minus, plus in combinations(numbers, 2):
        pairs = [_pair(own, plus, minus) for own in trainings]
        if not has_curve(pairs[0]):
            cells[f"AUC {classes[plus]}-{classes[minus]}"] = ""
            continue
        cells[f"AUC {classes[plus]}-{classes[minus]}"] = auc_cell(pairs)
    return cells


def _against_rest(own: Arrays, of: int) -> Arrays:
    label, score = one_vs_rest(own["label"], own["score"], of)
    return {**own, "label": label, "score": score}


def _pair(own: Arrays, plus: int, minus: int) -> Arrays:
    """The events of two classes, with the score that separates them best."""
    chosen = (own["label"] == plus) | (own["label"] == minus)
    score = pair_score(own["score"], plus, minus)[chosen]
    return {"label": (own["label"][chosen] == plus).astype(np.int8), "score": score, "weight": own["weight"][chosen]}


def _arrays(own: Arrays) -> tuple[Array, Array, Array]:
    return own["label"], own["score"], own["weight"]


def _accuracy(predicted: Sequence[Array], label: Array, weight: Array, classes: int) -> str:
    """The mean of the efficiencies of all classes, whose errors add in quadrature."""
    of_class = [label == of for of in range(classes)]
    shares = np.array([[np.average((one == label)[own], weights=weight[own]) for own in of_class] for one in predicted])
    mean = shares.mean(axis=0)
    ends = np.array(
        [efficiency_interval(m, effective_number(weight[own])) for m, own in zip(mean, of_class, strict=True)]
    )
    down, up = np.sqrt(np.sum((ends - mean[:, None]) ** 2, axis=0)) / classes
    return quoted(list(shares.mean(axis=1)), (shares.mean() - down, shares.mean() + up), 4)


def _rejection(passed: Sequence[float], events: float) -> str:
    """1 / background efficiency; a limit where less than one (effective) event passes in one of the trainings."""
    if min(passed) * events < 1 - 1e-9:
        return f"> {1 / efficiency_limit(float(np.mean(passed)), events):.0f} ({100 * CONFIDENCE:.0f}% CL)"
    values = [1 / one for one in passed]
    mean = float(np.mean(values))
    low, high = efficiency_interval(1 / mean, events)
    shown = values if events / mean >= MEASURED else [mean]
    return quoted(shown, (1 / high, 1 / low), 1 if mean < 100 else 0)


def efficiency_cells(scores: Sequence[Arrays]) -> dict[str, str]:
    """AUC, and signal efficiencies [%] at `BACKGROUND_EFFICIENCIES`, of trainings and of their mean score.

    Parameters
    ----------
    scores : sequence of dict of arrays
        `label`, `score` and `weight` (n,) of each training.

    Returns
    -------
    dict of str
        Two cells for each number. A background efficiency of fewer than ten (effective) events is not quoted.
    """
    label, weight = scores[0]["label"], scores[0]["weight"]
    points = operating_points(label, [own["score"] for own in scores], weight)
    each = [operating_points(label, [own["score"]], weight)["mean"] for own in scores]
    background, signal = (effective_number(weight[label == of]) for of in (0, 1))
    mean_score = float(points.loc["auc", "mean_score"])
    averaged = [{**scores[0], "score": np.mean([own["score"] for own in scores], axis=0)}]
    cells = {
        "AUC": auc_cell(scores),
        "AUC, mean score": auc_cell(averaged) if mean_score == 1 else f"{mean_score:.{_decimals(mean_score)}f}",
    }
    for at in BACKGROUND_EFFICIENCIES:
        name = f"signal % at {100 * at:g}% background"
        if at * background < MEASURED:
            cells |= {name: "too few events", f"{name}, mean score": ""}
            continue
        values = [100 * float(one[at]) for one in each]
        low, high = efficiency_interval(float(np.mean(values)) / 100, signal)
        cells[name] = quoted(values, (100 * low, 100 * high), 1)
        cells[f"{name}, mean score"] = f"{100 * points.loc[at, 'mean_score']:.1f}"
    return cells
