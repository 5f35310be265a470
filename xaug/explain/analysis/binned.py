"""Relevance against the variables themselves: profiles over one variable, maps over two.

These are the quantities of figures 13-15, 17, 18, 20-22 and 26-31 of arXiv:2011.13466, for any attribution: the mean
normalised relevance of a feature (section 5.1: divided by the largest absolute score of the event) in bins of unscaled
variables.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.statistics import sample_deviation
from xaug.core.types import Array
from xaug.data.labels import cells_by_class
from xaug.explain.analysis.binning import (
    BINS,
    Bins,
    Values,
    bin_edges,
    bin_index,
    checked_columns,
    classes_of,
    ratio,
    towards_signal,
    weights_of,
)  # fmt: skip
from xaug.explain.analysis.relevance import feature_relevance, signed_relevance, trainings_of
from xaug.explain.attribution import Attribution

__all__ = ["Profile", "VariableMap", "profile", "profiles", "relevance_map", "score_map"]


@dataclass(frozen=True)
class Profile:
    """Relevance of a feature in bins of a variable, by class: index 0 is background, 1 is signal.

    The first and the last bin also hold the events beyond them, so that no event is lost.

    Attributes
    ----------
    feature : str
        feature whose relevance is averaged
    variable : str
        variable in whose bins it is averaged
    edges : (bins + 1,) array
        edges of the bins, in the unit of the variable
    counts : (2, bins) array
        numbers of events
    mean : (2, bins) array
        mean relevance over events, by their weights, and trainings; nan in empty bins
    rms : (2, bins) array
        standard deviation of the relevance over events and trainings
    training_mean : (trainings, 2, bins) array
        mean relevance over events, for each training
    """

    feature: str
    variable: str
    edges: Array
    counts: Array
    mean: Array
    rms: Array
    training_mean: Array

    @property
    def training_rms(self) -> Array:
        """Standard deviation (2, bins) over trainings of the mean relevance (ddof 1; nan for one training)."""
        return sample_deviation(self.training_mean)


@dataclass(frozen=True)
class VariableMap:
    """The mean of a quantity over cells of two variables; events outside all cells are left out.

    Attributes
    ----------
    quantity, x, y : str
        names of the quantity and of the variables
    x_edges, y_edges : (nx + 1,) and (ny + 1,) arrays
        edges of the cells, in the units of the variables
    counts : (2, nx, ny) array
        numbers of events of each class: background and signal where there are two
    mean : (nx, ny) array
        mean over events, by their weights, and trainings; nan in empty cells
    training_mean : (trainings, nx, ny) array
        mean over events, for each training
    """

    quantity: str
    x: str
    y: str
    x_edges: Array
    y_edges: Array
    counts: Array
    mean: Array
    training_mean: Array


def profile(
    attributions: Attribution | Sequence[Attribution],
    values: Values,
    feature: str,
    variable: str | None = None,
    *,
    bins: Bins = BINS,
    signed: bool = True,
    label: Array | None = None,
) -> Profile:
    """Average the normalised relevance of a feature in bins of a variable, by class.

    Parameters
    ----------
    attributions : Attribution or sequence of Attribution
        one, or one a training of the same n events
    values : dict of (n,) arrays, or DataFrame
        unscaled variables by name
    feature : str
        feature whose relevance is averaged: a variable, "image" or "list"
    variable : str, optional
        variable in whose bins it is averaged; default: the feature itself
    bins : int or sequence of float
        number of bins, or their edges in the unit of the variable; automatic bins span the 0.5% to 99.5% quantiles
    signed : bool
        True: signed relevance, which shows what supports the explained class; False: its absolute value
    label : (n,) array, optional
        class of each event, 0 or 1; needed where the attributions do not know it

    Returns
    -------
    Profile
        Counts, means and spreads of the relevance in each bin.

    Raises
    ------
    ConfigurationError
        if the feature or the variable is unknown, or its values are not finite or not one for each event

    References
    ----------
    arXiv:2011.13466, figures 15, 18 and 26-31
    """
    tables, first = _tables(attributions, signed), trainings_of(attributions)[0]
    return _profile(tables, values, feature, variable or feature, bins, classes_of(first, label), weights_of(first))


def profiles(
    attributions: Attribution | Sequence[Attribution],
    values: Values,
    features: Iterable[str] | None = None,
    *,
    bins: Bins = BINS,
    signed: bool = True,
    label: Array | None = None,
) -> dict[str, Profile]:
    """Average the normalised relevance of each feature in bins of this feature, by class.

    Parameters
    ----------
    attributions : Attribution or sequence of Attribution
        one, or one a training of the same n events
    values : dict of (n,) arrays, or DataFrame
        unscaled variables by name
    features : iterable of str, optional
        names of the features; default: all explained features that have values
    bins : int or sequence of float
        number of bins, or their edges in the unit of the variable; automatic bins span the 0.5% to 99.5% quantiles
    signed : bool
        True: signed relevance; False: its absolute value
    label : (n,) array, optional
        class of each event, 0 or 1; needed where the attributions do not know it

    Returns
    -------
    dict of Profile
        by feature

    Raises
    ------
    ConfigurationError
        as for `profile`
    """
    tables = _tables(attributions, signed)
    names = [str(name) for name in tables[0] if name in values] if features is None else features
    first = trainings_of(attributions)[0]
    classes, weight = classes_of(first, label), weights_of(first)
    return {name: _profile(tables, values, name, name, bins, classes, weight) for name in names}


def _tables(attributions: Attribution | Sequence[Attribution], signed: bool) -> list[pd.DataFrame]:
    """Relevance (n, features) in each training."""
    return [signed_relevance(a) if signed else feature_relevance(a) for a in trainings_of(attributions)]


def number_of_classes(label: Array) -> int:
    """Number of classes that labels (n,) tell: at least two."""
    return max(2, int(label.max(initial=0)) + 1)


def _relevance(table: pd.DataFrame, feature: str) -> Array:
    """Relevance (n,) of one feature."""
    if feature not in table:
        raise unknown_name("explained feature", feature, map(str, table))
    relevance: Array = table[feature].to_numpy()
    return relevance


def _profile(
    tables: list[pd.DataFrame], values: Values, feature: str, variable: str, bins: Bins, label: Array, weight: Array
) -> Profile:
    """The profile of `profile`, from the relevance in each training."""
    column = checked_columns(values, [variable], len(label))[variable]
    edges = bin_edges(column, bins)
    n = len(edges) - 1
    k = number_of_classes(label)
    cell = cells_by_class(label, np.clip(bin_index(column, edges), 0, n - 1), n)
    relevance = [_relevance(table, feature) for table in tables]
    kept = np.isfinite(relevance).all(axis=0)  # events that no training has lost
    cell, weight, relevance = cell[kept], weight[kept], [r[kept] for r in relevance]
    counts, weights = (np.bincount(cell, own, minlength=k * n) for own in (None, weight))
    sums = np.array([np.bincount(cell, weight * r, minlength=k * n) for r in relevance])
    mean = ratio(sums.mean(axis=0), weights)
    # about the mean of the bin: the difference of the mean square and the squared mean loses all digits
    squares = np.mean([np.bincount(cell, weight * (r - mean[cell]) ** 2, minlength=k * n) for r in relevance], axis=0)
    training_mean = np.array([ratio(total, weights) for total in sums])
    return Profile(
        feature, variable, edges, counts.reshape(k, n), mean.reshape(k, n),
        np.sqrt(np.maximum(ratio(squares, weights), 0)).reshape(k, n), training_mean.reshape(-1, k, n),
    )  # fmt: skip


def score_map(
    scores: Sequence[Array],
    label: Array,
    values: Values,
    x: str,
    y: str,
    *,
    bins: Bins | tuple[Bins, Bins] = BINS,
) -> VariableMap:
    """Average the predicted score over cells of two variables.

    Parameters
    ----------
    scores : sequence of (n,) arrays
        signal scores in each training
    label : (n,) array
        class of each event, 0 or 1
    values : dict of (n,) arrays, or DataFrame
        unscaled variables by name
    x, y : str
        names of the variables of the axes
    bins : int, sequence of float, or tuple of two of them
        numbers or edges of the bins, for both axes or for each of them

    Returns
    -------
    VariableMap
        Mean score in each cell.

    Raises
    ------
    ConfigurationError
        if a variable is unknown, or scores, labels and values are not of the same events

    References
    ----------
    arXiv:2011.13466, figure 13
    """
    if not len(scores) or any(np.shape(s) != np.shape(label) for s in scores):
        raise ConfigurationError(f"`scores` must hold an array of {np.size(label)} scores for each training")
    return _map("score", scores, np.asarray(label, dtype=np.int64), np.ones(len(label)), values, x, y, bins)


def relevance_map(
    attributions: Attribution | Sequence[Attribution],
    values: Values,
    x: str,
    y: str,
    feature: str | Sequence[str] | None = None,
    *,
    bins: Bins | tuple[Bins, Bins] = BINS,
    scores: Sequence[Array] | None = None,
    label: Array | None = None,
) -> VariableMap:
    """Average the normalised relevance over cells of two variables; it is positive where it supports signal.

    Parameters
    ----------
    attributions : Attribution or sequence of Attribution
        one, or one a training of the same n events
    values : dict of (n,) arrays, or DataFrame
        unscaled variables by name
    x, y : str
        names of the variables of the axes
    feature : str or sequence of str, optional
        feature whose relevance is averaged; the relevance of several is added; default: x and y
    bins : int, sequence of float, or tuple of two of them
        numbers or edges of the bins, for both axes or for each of them
    scores : sequence of (n,) arrays, optional
        signal scores in each training, which tell the class that the relevance supports where the target is the
        predicted class; default: the relevance is taken for that of the true class
    label : (n,) array, optional
        class of each event, 0 or 1; needed where the attributions do not know it

    Returns
    -------
    VariableMap
        Mean relevance in each cell, positive towards signal.

    Raises
    ------
    ConfigurationError
        if a feature or variable is unknown, the arrays are not of the same events, or the target of the attributions
        is neither signal nor background nor the predicted class

    References
    ----------
    arXiv:2011.13466, figures 14, 17 and 20-22
    """
    trainings = trainings_of(attributions)
    classes = classes_of(trainings[0], label)
    if scores is not None and len(scores) != len(trainings):
        raise ConfigurationError(f"{len(scores)} scores for {len(trainings)} trainings; give one array for each")
    features = [x, y] if feature is None else [feature] if isinstance(feature, str) else list(feature)
    relevance = []
    for i, (attribution, table) in enumerate(zip(trainings, _tables(trainings, signed=True), strict=True)):
        total = np.sum([_relevance(table, name) for name in features], axis=0)
        supported = classes == 1 if scores is None else np.asarray(scores[i]) > 0.5
        relevance.append(total * towards_signal(attribution, supported))
    return _map(" + ".join(features), relevance, classes, weights_of(trainings[0]), values, x, y, bins)


def _map(
    quantity: str, of_events: Sequence[Array], label: Array, weight: Array, values: Values, x: str, y: str,
    bins: Bins | tuple[Bins, Bins],
) -> VariableMap:  # fmt: skip
    """The means of a quantity of each event and training over cells of two variables."""
    columns = checked_columns(values, (x, y), len(label))
    x_bins, y_bins = bins if isinstance(bins, tuple) else (bins, bins)
    x_edges, y_edges = bin_edges(columns[x], x_bins), bin_edges(columns[y], y_bins)
    shape = (len(x_edges) - 1, len(y_edges) - 1)
    i, j = bin_index(columns[x], x_edges), bin_index(columns[y], y_edges)
    inside = (i >= 0) & (i < shape[0]) & (j >= 0) & (j < shape[1]) & np.isfinite(of_events).all(axis=0)
    cell, n = (i * shape[1] + j)[inside], shape[0] * shape[1]
    k = number_of_classes(label)
    counts = np.bincount(cells_by_class(label[inside], cell, n), minlength=k * n).reshape(k, *shape)
    weights = np.bincount(cell, weight[inside], minlength=n).reshape(shape)
    sums = np.array([np.bincount(cell, (weight * q)[inside], minlength=n) for q in of_events]).reshape(-1, *shape)
    training_mean = np.array([ratio(total, weights) for total in sums])
    return VariableMap(quantity, x, y, x_edges, y_edges, counts, training_mean.mean(axis=0), training_mean)
