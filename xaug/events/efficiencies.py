"""Tag efficiencies that depend on the pT of a jet, as options."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from math import isfinite
from typing import TypeAlias

import numpy as np

from xaug.core.errors import ConfigurationError
from xaug.core.types import Array

__all__ = ["Efficiency", "EfficiencyLike"]

EfficiencyLike: TypeAlias = "str | float | Iterable[tuple[float, float]]"
"""One number for every pT, points (pT [GeV], efficiency), or a text as `30:0.6,100:0.72`."""


class Efficiency(tuple[tuple[float, float], ...]):
    """A tag efficiency at points of pT: linear between them, constant beyond the first and the last.

    Parameters
    ----------
    given
        see `EfficiencyLike`

    Raises
    ------
    ValueError
        if a text is neither a number nor points
    ConfigurationError
        if there is no point, pT is negative or does not ascend, or an efficiency is not above 0 and at most 1
    """

    __slots__ = ()

    def __new__(cls, given: EfficiencyLike) -> Efficiency:
        """Read the points."""
        own = super().__new__(cls, [(float(pt), float(value)) for pt, value in _points(given)])
        pts = [pt for pt, _ in own]
        ascends = all(low < high for low, high in pairwise(pts))
        if not own or not all(map(isfinite, pts)) or pts[0] < 0 or not ascends:
            raise ConfigurationError(f"{str(own)!r}: points pT:efficiency must have ascending pT >= 0, at least one")
        for _, value in own:
            if not 0 < value <= 1:
                raise ConfigurationError(f"efficiency {value:g}: must be above 0 and at most 1")
        return own

    def __call__(self, pt: Array) -> Array:
        """Efficiencies (n,) of jets of pT (n,) [GeV]."""
        pts, values = np.array(self).T
        return np.interp(pt, pts, values)

    def __str__(self) -> str:
        if len(self) == 1:
            return f"{self[0][1]:g}"
        return ",".join(f"{pt:g}:{value:g}" for pt, value in self)


def _points(given: EfficiencyLike) -> Iterable[tuple[float | str, float | str]]:
    if isinstance(given, str) and ":" in given:
        pairs = [point.partition(":") for point in given.split(",")]
        return [(pt, value) for pt, _, value in pairs]
    if isinstance(given, (str, int, float)):
        return [(0.0, given)]
    return given
