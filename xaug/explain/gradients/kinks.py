"""Integrals of piecewise linear networks, exact from kink to kink.

Along a path, the output of a network of ReLUs is a chain of straight pieces, and its gradient is a constant on each of
them. A quadrature with n nodes misses the kinks between the pieces by about 1 / n. Here the kinks are found: the lines
through two points of a path, with the slopes there, meet at the kink if there is just one between the points. If the
gradients close to the left and to the right of this place are those of the two points, and f is on both lines, the
integral between the two points is exact. Otherwise there are more kinks, and the interval is divided.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from xaug.core.types import Array
from xaug.explain.gradients.integrator import Integrator, PairTerms
from xaug.explain.gradients.path_kernel import Table

__all__ = ["integrate_pieces", "is_suitable"]

INSIDE = 1e-6
"""Distance of the first and the last point from the ends of a path, where a blank event sits on kinks."""
ROUNDING = 2e-6
"""Rounding of f in float32, relative to its largest value on the path."""
SAME = 1e-4
"""Largest difference of two gradients that are the same, relative to the largest gradient."""
SHORT = 1e-5
"""Length of an interval, as a share of the path, that is not divided."""
SURE = 1e-3
"""Uncertainty of the place of a kink, as a share of the path, above which the interval is divided instead."""
FLOATS = 4096
"""Largest number of floats of a network, for one event, whose kinks are looked for; others have too many."""
CHUNK = 128
"""Number of pairs whose intervals are kept at a time."""


def is_suitable(integrator: Integrator) -> bool:
    """Whether a network may be piecewise linear in its inputs, and is small enough to follow its pieces."""
    return integrator.readout.is_linear and integrator.stem.floats <= FLOATS


@dataclass
class _Points:
    """Places on paths, one in a row: f, its slope along the path, and its gradient (rows, dimensions)."""

    alpha: Array
    f: Array
    slope: Array
    gradient: Array

    def at(self, rows: Array | slice) -> _Points:
        """Some of them."""
        return _Points(self.alpha[rows], self.f[rows], self.slope[rows], self.gradient[rows])


@dataclass(frozen=True)
class _Pairs:
    """Pairs of an event and a baseline, by their rows of two tables."""

    integrator: Integrator
    events: Table
    baselines: Table
    directions: object
    of_event: Array
    of_baseline: Array

    def points(self, pair: Array, alpha: Array) -> _Points:
        """Evaluate the network at places of the paths of some pairs."""
        f, slope, gradient = self.integrator.points(
            self.events, self.baselines, self.directions, self.of_event[pair], self.of_baseline[pair], alpha
        )
        return _Points(alpha, f, slope, gradient)

    def at(self, rows: slice) -> _Pairs:
        """Some of them."""
        return replace(self, of_event=self.of_event[rows], of_baseline=self.of_baseline[rows])


def integrate_pieces(
    integrator: Integrator,
    events: Table,
    baselines: Table,
    directions: object,
    of_event: Array,
    of_baseline: Array,
    budget: int,
) -> tuple[PairTerms, Array, Array]:
    """Integrate pairs from kink to kink.

    Parameters
    ----------
    integrator, events, baselines, directions, of_event, of_baseline
        as for `Integrator.integrate`
    budget : int
        largest number of evaluations for each pair, on average

    Returns
    -------
    tuple
        the terms, as `Integrator.integrate` returns them
    (pairs,) array of bool
        whether all pieces of a path were found
    (pairs,) array of int
        number of evaluations
    """
    pairs = _Pairs(integrator, events, baselines, directions, of_event, of_baseline)
    sums: list[Array] = []
    found: list[Array] = []
    count: list[Array] = []
    for start in range(0, len(of_event), CHUNK):
        some = pairs.at(slice(start, start + CHUNK))
        for values, new in zip((sums, found, count), _follow(some, budget), strict=True):
            values.append(new)
    terms = integrator.closed(events, baselines, directions, of_event, of_baseline, np.concatenate(sums))
    return terms, np.concatenate(found), np.concatenate(count)


def _follow(pairs: _Pairs, budget: int) -> tuple[Array, Array, Array]:
    """Integrals of the gradient (pairs, dimensions), whether all pieces were found, and numbers of evaluations."""
    n = len(pairs.of_event)
    pair = np.arange(n)
    left, right = (pairs.points(pair, np.full(n, alpha)) for alpha in (INSIDE, 1 - INSIDE))
    sums = INSIDE * (left.gradient + right.gradient)
    largest_f = np.maximum(np.abs(left.f), np.abs(right.f))
    largest_g = np.maximum(_size(left.gradient), _size(right.gradient))
    complete, count = np.ones(n, bool), np.full(n, 2)
    while len(pair):
        length = right.alpha - left.alpha
        straight = _same(left, right, largest_f[pair], largest_g[pair])
        spent = count[pair] > budget
        complete[pair[spent & ~straight]] = False
        done = straight | spent | (length < SHORT)
        mean = (left.gradient[done] + right.gradient[done]) / 2 * length[done, None]
        np.add.at(sums, pair[done], mean)
        pair, left, right = pair[~done], left.at(~done), right.at(~done)
        if not len(pair):
            break
        place, margin, is_sure = _meeting(left, right, ROUNDING * (1 + largest_f[pair]))
        both = pairs.points(np.tile(pair, 2), np.concatenate([place - margin, place + margin]))
        below, above = both.at(slice(0, len(pair))), both.at(slice(len(pair), None))
        np.add.at(count, pair, 2)
        for point in (below, above):
            np.maximum.at(largest_f, pair, np.abs(point.f))
            np.maximum.at(largest_g, pair, _size(point.gradient))
        kink = _same(left, below, largest_f[pair], largest_g[pair])
        kink &= _same(above, right, largest_f[pair], largest_g[pair]) & is_sure
        pieces = (place - left.alpha)[:, None] * left.gradient + (right.alpha - place)[:, None] * right.gradient
        np.add.at(sums, pair[kink], pieces[kink])
        more = ~kink
        ends = [point.at(more) for point in (left, below, above, right)]
        pair = np.tile(pair[more], 3)
        left, right = _joined(ends[:-1]), _joined(ends[1:])
    return sums, complete, count


def _size(gradient: Array) -> Array:
    """(rows,) largest absolute value of each gradient."""
    largest: Array = np.abs(gradient).max(axis=1, initial=0.0)
    return largest


def _joined(points: list[_Points]) -> _Points:
    """Several rows of points, one after the other."""
    names = ("alpha", "f", "slope", "gradient")
    return _Points(*(np.concatenate([getattr(one, name) for one in points]) for name in names))


def _meeting(left: _Points, right: _Points, rounding: Array) -> tuple[Array, Array, Array]:
    """The place where the lines through two points meet, a margin, and whether the place is sure to so much.

    The place is uncertain by the rounding of f over the difference of the slopes, which is the margin. Where the lines
    do not meet well between the points, it is the middle, which is not sure.
    """
    length, bend = right.alpha - left.alpha, left.slope - right.slope
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (right.f - left.f - right.slope * length) / (bend * length)
        margin = np.fmax(2 * rounding / np.abs(bend), INSIDE) / length
    inside = (share > 0.001) & (share < 0.999)
    share = np.where(inside, share, 0.5)
    beside = np.fmin(np.where(inside, margin, 0.1), 0.5 * np.minimum(share, 1 - share)) * length
    return left.alpha + share * length, beside, inside & (beside < SURE)


def _same(one: _Points, other: _Points, largest_f: Array, largest_g: Array) -> Array:
    """Whether f is one straight piece between two points, as far as both can tell."""
    line = np.abs(other.f - one.f - one.slope * (other.alpha - one.alpha)) <= ROUNDING * (1 + largest_f)
    same: Array = line & (_size(one.gradient - other.gradient) <= SAME * largest_g)
    return same
