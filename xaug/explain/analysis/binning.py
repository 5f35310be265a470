"""Bins of a variable, and checks of what is averaged in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.types import Array
from xaug.data.records import CLASSES
from xaug.explain.attribution import Attribution

__all__ = [
    "BINS",
    "Bins",
    "Values",
    "bin_edges",
    "bin_index",
    "bins_for",
    "checked_columns",
    "classes_of",
    "ratio",
    "towards_signal",
    "weights_of",
]

Bins = int | Sequence[float] | Array
"""Edges of bins, or their number."""
Values: TypeAlias = Mapping[str, npt.ArrayLike] | pd.DataFrame
"""Unscaled variables (n,) by name."""

BINS, LEAST = 30, 5
"""Largest and smallest number of automatic bins."""
TAIL = 0.005
"""Fraction of the events that may lie beyond each end of automatic bins."""


def bins_for(events: int, axes: int = 1) -> int:
    """Choose the number of bins for a sample: so many that few of them have fewer than ten events, at most BINS.

    Parameters
    ----------
    events : int
        number of events of all classes
    axes : int
        number of variables in whose cells the events are

    Returns
    -------
    int
        bins on each axis: 40 events in each on average for one axis, 10 in each cell for several
    """
    each = 40 if axes == 1 else 10
    return int(np.clip((events / each) ** (1 / axes), LEAST, BINS))


def bin_edges(values: Array, bins: Bins = BINS) -> Array:
    """Edges of bins for a variable.

    Parameters
    ----------
    values : (n,) array
        values of the variable
    bins : int or sequence of float
        edges, which are used as they are; or a number of equal bins between the 0.5% and 99.5% quantiles. For integers
        this is the largest number of bins, each of which is a whole number wide; a constant has one bin

    Returns
    -------
    (bins + 1,) array

    Raises
    ------
    ConfigurationError
        if edges do not increase, the number of bins is below 1, or there are no values
    """
    if not isinstance(bins, int | np.integer):
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
        whole: Array = np.arange(low, high + step + 0.5, step) - 0.5
        return whole
    low, high = np.quantile(values, [TAIL, 1 - TAIL]).astype(np.float64)
    if high <= low:
        low, high = float(np.min(values)), float(np.max(values))
    if high <= low:
        return np.array([low - 0.5, low + 0.5])
    equal: Array = np.linspace(low, high, bins + 1)
    return equal


def bin_index(values: Array, edges: Array) -> Array:
    """Bin (n,) of each value; -1 below and len(edges) - 1 above all bins. The last bin holds its upper edge."""
    index = np.searchsorted(edges, values, side="right") - 1
    return np.where(values == edges[-1], len(edges) - 2, index)


def checked_columns(values: Values, names: Iterable[str], n: int) -> dict[str, Array]:
    """The named variables (n,), checked."""
    found: dict[str, Array] = {}
    for name in names:
        if name not in values:
            raise unknown_name("variable", name, map(str, values))
        found[name] = np.asarray(values[name])
        if len(found[name]) != n:
            raise ConfigurationError(f"{name} has {len(found[name])} values for {n} explained events; give one each")
        if not np.isfinite(found[name]).all():
            raise ConfigurationError(f"{name} has values that are not finite; choose the events that have it")
    return found


def classes_of(attribution: Attribution, label: Array | None) -> Array:
    """Classes (n,) of the events of an attribution: the given ones, or its own."""
    classes = attribution.label if label is None else np.asarray(label)
    if classes is None:
        raise ConfigurationError("this attribution does not know the classes of its events; give `label`")
    known = len(attribution.settings.get("classes", CLASSES))
    if len(classes) != len(attribution) or not np.isin(classes, range(known)).all():
        numbers = "0 or 1" if known == 2 else f"0 to {known - 1}"
        raise ConfigurationError(f"`label` must be {numbers} for each of the {len(attribution)} events")
    if label is not None and attribution.label is not None and (classes != attribution.label).any():
        other = int((classes != attribution.label).sum())
        raise ConfigurationError(
            f"`label` is another class than the attribution knows for {other} of {len(attribution)} events; leave it "
            "out, or give the labels of the same events in their order"
        )
    return classes.astype(np.int64)


def weights_of(attribution: Attribution) -> Array:
    """Weights (n,) by which the events of an attribution count; 1 where it knows none."""
    weight = attribution.weight
    return np.ones(len(attribution)) if weight is None else np.asarray(weight, np.float64)


def ratio(total: Array, counts: Array) -> Array:
    """Sums over counts, or over sums of weights; nan where there is no event, or their weights cancel."""
    found: Array = np.divide(total, counts, out=np.full(np.shape(total), np.nan), where=counts > 0)
    return found


def towards_signal(attribution: Attribution, signal: Array) -> Array | float:
    """+1 where positive relevance supports signal, -1 where it supports background; of more than two classes, +1.

    `signal` (n,) says of each event whether it is predicted, or taken, to be signal.
    """
    target, classes = attribution.settings.get("target"), tuple(attribution.settings.get("classes", CLASSES))
    if len(classes) > 2:
        return 1.0  # the relevance of the explained class, or of the first of two
    if target == "predicted":
        return np.where(signal, 1.0, -1.0)
    names = (CLASSES, classes)
    if target == 1 or target in [one for b, s in names for one in (s, f"{s}-{b}")]:
        return 1.0
    if target in [one for b, s in names for one in (b, f"{b}-{s}")]:
        return -1.0
    raise ConfigurationError(
        f"the target {target!r} of this attribution is none of signal, background and predicted; explain one of these"
    )
