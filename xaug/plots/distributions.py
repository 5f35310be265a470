"""Distributions of input variables, signal and background."""

from __future__ import annotations

import hist
import mplhep
import numpy as np

from xaug.plots.figures import CLASS_COLORS, CLASS_NAMES
from xaug.variables import Variable

__all__ = ["class_histogram", "plot_distribution"]


def class_histogram(values: np.ndarray, label: np.ndarray, bins: int = 40) -> hist.Hist:
    """Counts of a variable by class; integers get a bin each, long tails end at the 99.5% quantile."""
    low, high = float(values.min()), float(np.quantile(values, 0.995))
    if np.all(values == np.round(values)) and high - low <= 100:
        axis = hist.axis.Regular(max(1, round(high - low) + 1), low - 0.5, low + max(0, round(high - low)) + 0.5)
    else:
        axis = hist.axis.Regular(bins, low, high if high > low else low + 1.0)
    counts = hist.Hist(axis, hist.axis.Integer(0, 2, name="label", flow=False), storage=hist.storage.Double())
    return counts.fill(values, label)


def plot_distribution(counts: hist.Hist, variable: Variable, ax) -> list:
    """Both classes of `class_histogram`, each normalised to unit area, with statistical errors.

    Parameters
    ----------
    counts
    variable
        for the label of the axis
    ax : matplotlib axes

    Returns
    -------
    list of artists
    """
    artists = []
    for label in (1, 0):
        own = counts[:, label]
        total = max(own.sum(flow=True), 1.0)
        width = own.axes[0].widths
        artists += mplhep.histplot(
            own.values() / total / width,
            own.axes[0].edges,
            yerr=np.sqrt(own.values()) / total / width,
            ax=ax,
            color=CLASS_COLORS[label],
            label=CLASS_NAMES[label],
            histtype="step",
            lw=1.3,
        )
    ax.set_xlabel(variable.axis_label)
    ax.set_ylabel("normalised")
    ax.set_xlim(counts.axes[0].edges[0], counts.axes[0].edges[-1])
    ax.set_ylim(bottom=0)
    return artists
