"""A straight line through points whose abscissae have errors: attributions against logarithms of ratios of densities.

Errors of the abscissae spread the points along the axis, so that the slope of a usual fit is too small by the factor
(true variance) / (true variance + variance of the errors). The slope is divided by the estimate of this factor, and the
correlation has a largest value, the square root of the factor, which a perfect line reaches on average.

References: W. Fuller, Measurement Error Models (Wiley, 1987), section 1.1 (attenuation).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from xaug.core.statistics import sample_deviation
from xaug.core.types import Array

__all__ = ["FittedLine", "errors_of_line", "fit_line", "variance_of_errors"]

SIGNIFICANT = 2.0
"""Variance of abscissae beyond that of their errors, over the statistical error of the latter, which a slope needs."""

ROUNDING = 1e-6
"""Deviation of ordinates, relative to the largest, below which they are equal: attributions are of single precision."""


@dataclass(frozen=True)
class FittedLine:
    """A straight line through weighted points.

    Attributes
    ----------
    correlation : float
        of the points as they are; nan if all ordinates, or all abscissae, are equal
    slope : float
        corrected for the errors of the abscissae; nan if these explain how the abscissae differ
    best_correlation : float
        expected correlation of points that lie on a line but for the errors of their abscissae; nan as the slope
    variance : float
        variance of the abscissae, their errors included
    """

    correlation: float
    slope: float
    best_correlation: float
    variance: float


def variance_of_errors(variance: Array, share: Array) -> float:
    """Mean square by which errors of ln(p_s / p_b) in bins differ from their mean.

    Parameters
    ----------
    variance : (bins,) array
        squares of the independent errors of bins
    share : (bins,) array
        weights of the bins, which add up to 1

    Returns
    -------
    float
        The expected value of sum of share (e - sum of share e)^2 for independent errors e of the bins.
    """
    return float(share * (1 - share) @ variance)


def fit_line(x: Array, y: Array, share: Array, error_variance: float) -> FittedLine:
    """Fit a line to points with weights that add up to 1.

    Parameters
    ----------
    x, y, share : (points,) arrays
        abscissae, ordinates and weights
    error_variance : float
        part of the variance of x that errors make
    """
    dx: Array = x - share @ x
    dy: Array = y - share @ y
    xx, xy, yy = float(share @ dx**2), float(share @ (dx * dy)), float(share @ dy**2)
    varies = np.sqrt(yy) > ROUNDING * np.abs(y).max()
    correlation = xy / np.sqrt(xx * yy) if xx > 0 and varies else np.nan
    true = xx - error_variance
    if not true > SIGNIFICANT * np.sqrt(2 / max(len(x) - 1, 1)) * error_variance:
        return FittedLine(correlation, np.nan, np.nan, xx)
    return FittedLine(correlation, xy / true, np.sqrt(true / xx), xx)


def errors_of_line(samples: Iterable[tuple[Array, Array, Array]], line: FittedLine) -> tuple[float, float]:
    """Errors of correlation and slope, from samples of the events.

    The errors of the abscissae are in each sample twice, once more than in the data. So its own slope, without
    correction, is compared with the mean over samples, and corrected as a whole.

    Parameters
    ----------
    samples : iterable of (share, y, x)
        points of each sample; those whose x is not finite are left out
    line : FittedLine
        line of the data

    Returns
    -------
    tuple of float
        standard deviations over samples; nan where the line has no value, or the samples none
    """
    found = []
    for share, y, x in samples:
        own = np.isfinite(x)
        one = fit_line(x[own], y[own], share[own] / share[own].sum(), 0.0)
        found.append((one.correlation, one.slope, one.variance))
    correlation, slope, _ = sample_deviation(found)
    variance = float(np.mean([one[2] for one in found]))
    true = line.variance * line.best_correlation**2
    return float(correlation) if np.isfinite(line.correlation) else np.nan, float(slope * variance / true)
