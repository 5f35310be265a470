"""Extrapolation of a learning curve: the AUC that a larger sample, or a longer training, would give.

The shortfall 1 - AUC of a network falls with the size x of its sample as a + b x^-c: a power law above a floor.

References
----------
J. Hestness et al., Deep learning scaling is predictable, empirically, arXiv:1712.00409 (the power law).
J. Hanley, B. McNeil, Radiology 143 (1982) 29 (the error of an AUC).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xaug.core.errors import DatasetError
from xaug.core.statistics import sample_deviation
from xaug.core.types import Array

__all__ = ["EXPONENTS", "LEAST_POINTS", "CurvePoint", "Extrapolation", "auc_error", "extrapolate"]

EXPONENTS = (0.05, 2.0)
"""Range of the exponent c."""
LEAST_POINTS = 3
"""The power law has three parameters, so a fit needs as many sizes."""
GRID = np.geomspace(*EXPONENTS, 481)
"""Exponents that are tried; for each of them the fit of a and b is linear."""


@dataclass(frozen=True)
class CurvePoint:
    """One point of a learning curve.

    Attributes
    ----------
    size : float
        number of training events, or of steps
    auc : float
        mean AUC over trainings
    error : float
        standard error of this mean
    """

    size: float
    auc: float
    error: float


@dataclass(frozen=True)
class Extrapolation:
    """A fitted learning curve, and its AUC at a larger size.

    Attributes
    ----------
    floor, scale, exponent : float
        a, b and c of 1 - AUC = a + b x^-c
    at : float
        the size that was asked for
    auc : float
        the AUC there
    error : float
        its standard deviation over fits to points that fluctuate by their errors; it does not know whether the power
        law holds so far out
    """

    floor: float
    scale: float
    exponent: float
    at: float
    auc: float
    error: float

    def curve(self, sizes: Array) -> Array:
        """The AUC (n,) at any sizes (n,)."""
        auc: Array = 1.0 - self.floor - self.scale * np.asarray(sizes, float) ** -self.exponent
        return auc


def auc_error(auc: float, n_signal: int, n_background: int) -> float:
    """Standard error of an AUC from the number of test events alone.

    sqrt([A (1 - A) + (n_s - 1) (Q1 - A^2) + (n_b - 1) (Q2 - A^2)] / (n_s n_b)) with Q1 = A / (2 - A) and
    Q2 = 2 A^2 / (1 + A), by Hanley and McNeil, equation 2.

    Parameters
    ----------
    auc : float
        area under the ROC curve
    n_signal, n_background : int
        numbers of test events

    Returns
    -------
    float
        the standard error
    """
    square, q1, q2 = auc**2, auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (n_signal - 1) * (q1 - square) + (n_background - 1) * (q2 - square)
    return float(np.sqrt(variance / (n_signal * n_background)))


def extrapolate(points: Sequence[CurvePoint], at: float, *, samples: int = 400, seed: int = 1) -> Extrapolation:
    """Fit 1 - AUC = a + b x^-c with a, b >= 0 to a learning curve, and evaluate it at another size.

    Parameters
    ----------
    points : sequence of CurvePoint
        AUC at three or more sizes
    at : float
        the size to extrapolate to, in the unit of those of the points
    samples : int
        number of fits to fluctuating points, from which the error comes
    seed : int
        seed of the fluctuations

    Returns
    -------
    Extrapolation
        the fit, and the AUC at that size with its error

    Raises
    ------
    DatasetError
        if there are fewer than three sizes, or a size or an error is not positive
    """
    size, auc, error = (np.array([getattr(p, name) for p in points], float) for name in ("size", "auc", "error"))
    if len(np.unique(size)) < LEAST_POINTS:
        raise DatasetError(
            f"a learning curve of {len(np.unique(size))} sizes cannot be extrapolated; train on at least {LEAST_POINTS}"
        )
    for name, values in (("size", size), ("error", error)):
        if not (np.isfinite(values) & (values > 0)).all():
            raise DatasetError(f"a point of the learning curve has the {name} {values.min():g}; it must be positive")
    fluctuations = np.random.default_rng(seed).normal(size=(samples, len(points))) * error
    floor, scale, exponent = _fits(size, np.vstack([1 - auc, 1 - auc + fluctuations]), error)
    found = 1 - floor - scale * float(at) ** -exponent
    return Extrapolation(
        float(floor[0]), float(scale[0]), float(exponent[0]), float(at), float(found[0]),
        float(sample_deviation(found[1:])),
    )  # fmt: skip


def _fits(size: Array, shortfall: Array, error: Array) -> tuple[Array, Array, Array]:
    """Least-squares fits of a + b x^-c to m curves (m, n): a, b and c, each (m,).

    For each exponent of GRID, a and b are those of the weighted linear fit. Where one of them would be negative it is
    0, and the other is fitted alone.
    """
    w = error**-2
    best = np.full(len(shortfall), np.inf)
    parameters = np.zeros((3, len(shortfall)))
    mean = (shortfall @ w) / w.sum()
    for exponent in GRID:
        x = size**-exponent
        centre = (x @ w) / w.sum()
        b = (shortfall @ (w * (x - centre))) / (w @ (x - centre) ** 2)
        a = mean - b * centre
        alone = np.maximum((shortfall @ (w * x)) / (w @ x**2), 0.0)  # b where a is 0
        a, b = np.where(b < 0, np.maximum(mean, 0.0), a), np.maximum(b, 0.0)
        a, b = np.maximum(a, 0.0), np.where(a < 0, alone, b)
        chi2 = ((shortfall - a[:, None] - b[:, None] * x) ** 2) @ w
        better = chi2 < best
        best = np.where(better, chi2, best)
        parameters = np.where(better, [a, b, np.full_like(a, exponent)], parameters)
    return parameters[0], parameters[1], parameters[2]
