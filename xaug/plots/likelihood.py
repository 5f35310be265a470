"""The attribution of a variable beside the ratio of its densities in signal and background."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xaug.data.variables import Variable
from xaug.explain.analysis.likelihood import LikelihoodTest
from xaug.plots.figures import SERIES_COLORS, formula

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

__all__ = ["plot_likelihood"]

ATTRIBUTION = SERIES_COLORS[1]
"""Neither the colour of signal nor that of background: an attribution is of both."""
SMALL_ERROR = 0.005
"""Errors of correlations below this have three decimal places."""


def plot_likelihood(found: LikelihoodTest, variable: Variable, ax: Axes) -> list[Artist]:
    """Draw ln(p_s / p_b) of the data as points, and the mean attribution in the same bins as a line with a band.

    Parameters
    ----------
    found : LikelihoodTest
        Result of `xaug.explain.likelihood_test`.
    variable : Variable
        The variable of the bins, for the label of the axis.
    ax : matplotlib.axes.Axes
        Where to draw.

    Returns
    -------
    list of matplotlib.artist.Artist
        The points, the line and the band of the statistical error of the attribution.
    """
    edges = found.edges
    centres, half = 0.5 * (edges[1:] + edges[:-1]), 0.5 * np.diff(edges)
    points: Any = ax.errorbar(
        centres, found.log_ratio, found.log_ratio_error, half, fmt="o", ms=3, color="k", lw=0.8, label="data"
    )
    line = ax.stairs(found.attribution, edges, baseline=None, color=ATTRIBUTION, lw=1.4, label="attribution")
    low, high = (found.attribution + sign * found.attribution_error for sign in (-1, 1))
    band = ax.fill_between(
        edges, np.append(low, low[-1]), np.append(high, high[-1]), step="post", color=ATTRIBUTION, alpha=0.3, lw=0
    )
    ax.axhline(0, color="k", lw=0.6)
    ax.set_xlim(edges[0], edges[-1])
    ax.set_xlabel(formula(variable.axis_label))
    ax.set_ylabel("towards signal")
    title = "the same in all bins"
    if np.isfinite(found.correlation):
        digits = 2 if found.correlation_error >= SMALL_ERROR else 3
        title = f"correlation {found.correlation:.{digits}f} ± {found.correlation_error:.{digits}f}"
    ax.set_title(title.replace("-", "\N{MINUS SIGN}"), fontsize=9)
    return [points, line, band]
