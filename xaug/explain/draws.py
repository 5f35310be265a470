"""Baselines that are drawn for each event, by a generator that depends on the events."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from xaug.core.errors import ConfigurationError
from xaug.core.statistics import standard_error
from xaug.core.types import Array, Arrays, JsonObject
from xaug.explain.disk_arrays import blocks_of
from xaug.explain.gradients.samples import Sample

__all__ = ["DRAWS", "Draws", "draw_baselines", "generator_of"]

DRAWS = 20
"""Baselines that are drawn for each event, if there are more."""


@dataclass(frozen=True, eq=False)
class Draws:
    """Rows of the baselines of each event.

    Attributes
    ----------
    rows : (n, k) array of int
    weights : (k,) array
        weights, which add up to one
    is_complete : bool
        whether each event has all baselines, so that their mean has no error
    """

    rows: Array
    weights: Array
    is_complete: bool

    def mean(self, values: Array) -> Array:
        """Mean (n, ...) over the baselines of values (n, k, ...)."""
        found: Array = np.einsum("k,nk...->n...", self.weights, values)
        return found

    def error(self, values: Array) -> Array | None:
        """Standard error of `mean`; None where all baselines were taken."""
        if self.is_complete:
            return None
        return standard_error(values, axis=1)

    @property
    def settings(self) -> JsonObject:
        """The number of draws, for the settings of an attribution."""
        return {"draws": self.rows.shape[1], "all_baselines": self.is_complete}


def generator_of(seed: int, x: Arrays) -> np.random.Generator:
    """A generator of random numbers that is another one for other events.

    So the parts of a dataset are explained by numbers that are independent, and the same wherever that happens.
    """
    digest = 0
    for name, values in x.items():
        digest = zlib.crc32(name.encode(), digest)
        for rows in blocks_of(len(values)):
            digest = zlib.crc32(values[rows].tobytes(), digest)
    return np.random.default_rng([seed, digest])


def draw_baselines(sample: Sample, n: int, draws: int, rng: np.random.Generator) -> Draws:
    """All baselines for each of n events, or so many that are drawn by their weights where there are more.

    Raises
    ------
    ConfigurationError
        if fewer than two are to be drawn from several
    """
    m = len(sample)
    if m <= draws or m == 1:
        return Draws(np.broadcast_to(np.arange(m), (n, m)), sample.weights, True)
    if draws < 2:
        raise ConfigurationError(f"draws {draws}: at least 2 of the {m} baselines give a standard error")
    rows = rng.choice(m, (n, draws), p=sample.weights)
    return Draws(rows, np.full(draws, 1 / draws), False)
