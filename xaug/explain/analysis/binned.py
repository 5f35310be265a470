"""Relevance against the variables themselves: profiles over one variable, maps over two.

What figures 13-15, 17, 18, 20-22 and 26-31 of arXiv:2011.13466 show, for any attribution: the normalised
relevance of a feature (section 5.1: divided by the largest absolute score of the event) where the events
lie in the unscaled variables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.explain.analysis.relevance import feature_relevance, signed_relevance
from xaug.explain.attribution import Attribution

__all__ = ["Profile", "VariableMap", "bin_edges", "profile", "profiles", "relevance_map", "score_map"]

BINS = 30
TAIL = 0.005
"""Share of the events that may lie beyond each end of automatic bins."""


@dataclass(frozen=True)
class Profile:
    """Relevance of a feature in bins of a variable, by class: index 0 is background, 1 signal.

    The first and the last bin hold also what lies beyond them, so no event is lost.

    Attributes
    ----------
    feature, variable
        whose relevance, and in bins of what
    edges
        (bins + 1,) in the unit of the variable
    counts
        (2, bins) events
    mean
        (2, bins) mean relevance over events and trainings; nan in empty bins
    rms
        (2, bins) its standard deviation over events and trainings
    training_mean
        (trainings, 2, bins) mean over events, of each training
    """

    feature: str
    variable: str
    edges: np.ndarray
    counts: np.ndarray
    mean: np.ndarray
    rms: np.ndarray
    training_mean: np.ndarray

    @property
    def training_rms(self) -> np.ndarray:
        """(2, bins) standard deviation over trainings of the mean relevance."""
        return self.training_mean.std(axis=0)


@dataclass(frozen=True)
class VariableMap:
    """The mean of a quantity over cells of two variables; events outside all cells are left out.

    Attributes
    ----------
    quantity, x, y
        names
    x_edges, y_edges
        (nx + 1,), (ny + 1,) in the units of the variables
    counts
        (2, nx, ny) events of background and signal
    mean
        (nx, ny) over events and trainings; nan in empty cells
    training_mean
        (trainings, nx, ny) over events, of each training
    """

    quantity: str
    x: str
    y: str
    x_edges: np.ndarray
    y_edges: np.ndarray
    counts: np.ndarray
    mean: np.ndarray
    training_mean: np.ndarray


def bin_edges(values: np.ndarray, bins: int | Sequence[float] = BINS) -> np.ndarray:
    """Edges of bins for a variable.

    Parameters
    ----------
    values
        (n,)
    bins
        edges, taken as they are; or a number of equal bins between the 0.5% and 99.5% quantiles. Bins of
        integers are as many integers wide as it takes to have no more than that; a constant has one bin.
    """
    if np.ndim(bins):
        edges = np.asarray(bins, dtype=np.float64)
        if len(edges) < 2 or np.any(np.diff(edges) <= 0):
            raise ConfigurationError(f"edges of bins must increase; given are {edges.tolist()}")
        return edges
    if bins < 1:
        raise ConfigurationError(f"{bins} bins: at least one is needed")
    if len(values) == 0:
        raise ConfigurationError("no events: there is nothing to bin")
    if np.all(values == np.round(values)):
        low, high = np.quantile(values, [TAIL, 1 - TAIL], method="nearest").astype(np.float64)
        step = np.ceil((high - low + 1) / bins)
        return np.arange(low, high + step + 0.5, step) - 0.5
    low, high = np.quantile(values, [TAIL, 1 - TAIL]).astype(np.float64)
    if high <= low:
        low, high = float(np.min(values)), float(np.max(values))
    if high <= low:
        return np.array([low - 0.5, low + 0.5])
    return np.linspace(low, high, bins + 1)


def _index(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Bin (n,) of each value; -1 and len(edges) - 1 outside. The last bin holds its upper edge, as in NumPy."""
    index = np.searchsorted(edges, values, side="right") - 1
    return np.where(values == edges[-1], len(edges) - 2, index)


def _columns(values: Mapping[str, np.ndarray], names: Iterable[str], n: int) -> dict[str, np.ndarray]:
    """The named variables (n,), checked."""
    found = {}
    for name in names:
        if name not in values:
            raise unknown_name("variable", name, list(values))
        found[name] = np.asarray(values[name])
        if len(found[name]) != n:
            raise ConfigurationError(f"{name} has {len(found[name])} values for {n} explained events")
        if not np.isfinite(found[name]).all():
            raise ConfigurationError(f"{name} has values that are not finite: choose the events that have it")
    return found


def trainings_of(attributions: Attribution | Sequence[Attribution]) -> list[Attribution]:
    """One or several attributions as a list: the same events, explained in several trainings."""
    found = [attributions] if isinstance(attributions, Attribution) else list(attributions)
    if not found:
        raise ConfigurationError("at least one attribution is needed")
    if len({len(a) for a in found}) > 1:
        raise ConfigurationError(f"the attributions have {', '.join(str(len(a)) for a in found)} events: not the same")
    if any(not np.array_equal(a.rows, found[0].rows) for a in found):
        raise ConfigurationError("the attributions are of different rows of the dataset")
    return found


def _classes(attribution: Attribution, label: np.ndarray | None) -> np.ndarray:
    label = attribution.label if label is None else np.asarray(label)
    if label is None:
        raise ConfigurationError("this attribution does not know the classes of its events: give `label`")
    if len(label) != len(attribution) or not np.isin(label, (0, 1)).all():
        raise ConfigurationError(f"`label` must be 0 or 1 for each of the {len(attribution)} events")
    return label.astype(np.int64)


def _ratio(total: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return np.divide(total, counts, out=np.full(np.shape(total), np.nan), where=counts > 0)


def profile(
    attributions: Attribution | Sequence[Attribution],
    values: Mapping[str, np.ndarray],
    feature: str,
    variable: str | None = None,
    *,
    bins: int | Sequence[float] = BINS,
    signed: bool = True,
    label: np.ndarray | None = None,
) -> Profile:
    """Normalised relevance of a feature in bins of a variable, by class: mean, RMS and counts.

    Parameters
    ----------
    attributions
        one, or one a training of the same events
    values
        unscaled variables (n,) by name: a dict or a DataFrame
    feature
        whose relevance: a variable, "image" or "list"
    variable
        in bins of what; None: the feature itself
    bins
        as for `bin_edges`
    signed
        relevance as it is, which says what supports the explained class; or its absolute value
    label
        (n,) classes, where the attributions do not know them

    References
    ----------
    arXiv:2011.13466, figures 15, 18 and 26-31
    """
    tables = _tables(attributions, signed)
    return _profile(tables, values, feature, variable or feature, bins, _classes(trainings_of(attributions)[0], label))


def profiles(
    attributions: Attribution | Sequence[Attribution],
    values: Mapping[str, np.ndarray],
    features: Iterable[str] | None = None,
    *,
    bins: int | Sequence[float] = BINS,
    signed: bool = True,
    label: np.ndarray | None = None,
) -> dict[str, Profile]:
    """The `profile` of each feature over itself; None: of all explained features that have values."""
    tables = _tables(attributions, signed)
    names = [name for name in tables[0] if name in values] if features is None else features
    classes = _classes(trainings_of(attributions)[0], label)
    return {name: _profile(tables, values, name, name, bins, classes) for name in names}


def _tables(attributions: Attribution | Sequence[Attribution], signed: bool) -> list[pd.DataFrame]:
    return [signed_relevance(a) if signed else feature_relevance(a) for a in trainings_of(attributions)]


def _relevance(table: pd.DataFrame, feature: str) -> np.ndarray:
    if feature not in table:
        raise unknown_name("explained feature", feature, list(table))
    return table[feature].to_numpy()


def _profile(tables, values, feature: str, variable: str, bins, label: np.ndarray) -> Profile:
    column = _columns(values, [variable], len(label))[variable]
    edges = bin_edges(column, bins)
    n = len(edges) - 1
    cell = label * n + np.clip(_index(column, edges), 0, n - 1)
    counts = np.bincount(cell, minlength=2 * n)
    relevance = [_relevance(table, feature) for table in tables]
    sums = np.array([np.bincount(cell, r, minlength=2 * n) for r in relevance])
    mean = _ratio(sums.mean(axis=0), counts)
    # about the mean of the bin: the difference of the mean square and the squared mean loses all digits
    squares = np.mean([np.bincount(cell, (r - mean[cell]) ** 2, minlength=2 * n) for r in relevance], axis=0)
    training_mean = np.array([_ratio(total, counts) for total in sums])
    return Profile(
        feature, variable, edges, counts.reshape(2, n), mean.reshape(2, n),
        np.sqrt(_ratio(squares, counts)).reshape(2, n), training_mean.reshape(-1, 2, n),
    )  # fmt: skip


def score_map(
    scores: Sequence[np.ndarray],
    label: np.ndarray,
    values: Mapping[str, np.ndarray],
    x: str,
    y: str,
    *,
    bins: int | Sequence[float] | tuple = BINS,
) -> VariableMap:
    """Mean predicted score over two variables.

    Parameters
    ----------
    scores
        (n,) signal score of each training
    label
        (n,)
    values, x, y
        unscaled variables by name, and the two of the axes
    bins
        for both axes as for `bin_edges`, or a tuple of two such

    References
    ----------
    arXiv:2011.13466, figure 13
    """
    if not len(scores) or any(np.shape(s) != np.shape(label) for s in scores):
        raise ConfigurationError(f"`scores` must hold an array of {np.size(label)} scores for each training")
    return _map("score", scores, np.asarray(label, dtype=np.int64), values, x, y, bins)


def relevance_map(
    attributions: Attribution | Sequence[Attribution],
    values: Mapping[str, np.ndarray],
    x: str,
    y: str,
    feature: str | Sequence[str] | None = None,
    *,
    bins: int | Sequence[float] | tuple = BINS,
    scores: Sequence[np.ndarray] | None = None,
    label: np.ndarray | None = None,
) -> VariableMap:
    """Mean normalised relevance over two variables, counted as positive where it supports signal.

    Parameters
    ----------
    attributions
        one, or one a training of the same events
    values, x, y
        unscaled variables by name, and the two of the axes
    feature
        whose relevance; of several, their sum; None: of x and y
    bins
        for both axes as for `bin_edges`, or a tuple of two such
    scores
        (n,) signal score of each training: of which class the relevance is, where that is the predicted one.
        Without them it is taken for that of the true class
    label
        (n,) classes, where the attributions do not know them

    References
    ----------
    arXiv:2011.13466, figures 14, 17 and 20-22
    """
    attributions = trainings_of(attributions)
    label = _classes(attributions[0], label)
    if scores is not None and len(scores) != len(attributions):
        raise ConfigurationError(f"{len(scores)} scores for {len(attributions)} trainings")
    features = [x, y] if feature is None else [feature] if isinstance(feature, str) else list(feature)
    relevance = []
    for i, (attribution, table) in enumerate(zip(attributions, _tables(attributions, signed=True), strict=True)):
        total = np.sum([_relevance(table, name) for name in features], axis=0)
        supported = label == 1 if scores is None else np.asarray(scores[i]) > 0.5
        relevance.append(total * _towards_signal(attribution, supported))
    return _map(" + ".join(features), relevance, label, values, x, y, bins)


def _towards_signal(attribution: Attribution, signal: np.ndarray) -> np.ndarray | float:
    """+1 where positive relevance supports signal, -1 where it supports background."""
    target = attribution.settings.get("target")
    if target == "predicted":
        return np.where(signal, 1.0, -1.0)
    if target in ("signal", 1):
        return 1.0
    if target == "background":
        return -1.0
    raise ConfigurationError(f"the target {target!r} of this attribution does not say which class it supports")


def _map(quantity: str, of_events, label: np.ndarray, values, x: str, y: str, bins) -> VariableMap:
    columns = _columns(values, (x, y), len(label))
    x_bins, y_bins = bins if isinstance(bins, tuple) else (bins, bins)
    x_edges, y_edges = bin_edges(columns[x], x_bins), bin_edges(columns[y], y_bins)
    shape = (len(x_edges) - 1, len(y_edges) - 1)
    i, j = _index(columns[x], x_edges), _index(columns[y], y_edges)
    inside = (i >= 0) & (i < shape[0]) & (j >= 0) & (j < shape[1])
    cell, n = (i * shape[1] + j)[inside], shape[0] * shape[1]
    counts = np.bincount(label[inside] * n + cell, minlength=2 * n).reshape(2, *shape)
    sums = np.array([np.bincount(cell, q[inside], minlength=n) for q in of_events]).reshape(-1, *shape)
    training_mean = np.array([_ratio(total, counts.sum(axis=0)) for total in sums])
    return VariableMap(quantity, x, y, x_edges, y_edges, counts, training_mean.mean(axis=0), training_mean)
