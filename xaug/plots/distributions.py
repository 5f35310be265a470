"""Distributions of input variables, signal and background."""

from __future__ import annotations

from typing import TYPE_CHECKING

import hist
import mplhep
import numpy as np

from xaug.core.types import Array
from xaug.data.variables import Variable
from xaug.explain.analysis.binning import bin_edges
from xaug.plots.figures import CLASS_COLORS, CLASS_NAMES

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

__all__ = ["class_histogram", "draw_classes", "plot_distribution"]


def class_histogram(values: Array, label: Array, bins: int = 40) -> hist.Hist:
    """Count a variable in bins, class by class.

    Parameters
    ----------
    values : ndarray (n,)
        Values of the variable.
    label : ndarray (n,)
        Classes: 0 is background, 1 is signal.
    bins : int
        Number of bins between the 0.5% and 99.5% quantiles; integers have bins of whole numbers.

    Returns
    -------
    hist.Hist
        Counts by bin and class; what lies beyond the bins is in their flow bins.
    """
    axis = hist.axis.Variable(bin_edges(values, bins))
    counts = hist.Hist(axis, hist.axis.Integer(0, 2, name="label", flow=False), storage=hist.storage.Double())
    counts.fill(values, label)
    return counts


def plot_distribution(counts: hist.Hist, variable: Variable, ax: Axes) -> list[Artist]:
    """Draw the distributions of both classes, each of unit area, with statistical errors.

    Parameters
    ----------
    counts : hist.Hist
        Result of `class_histogram`.
    variable : Variable
        The variable, for the label of the axis.
    ax : matplotlib.axes.Axes
        Where to draw.

    Returns
    -------
    list of matplotlib.artist.Artist
        What was drawn: signal, then background.
    """
    totals = counts.values(flow=True).sum(axis=0)
    artists = draw_classes(counts.values().T, counts.axes[0].edges, totals, ax)
    ax.set_xlabel(variable.axis_label)
    return artists


def draw_classes(counts: Array, edges: Array, totals: Array, ax: Axes) -> list[Artist]:
    """Draw the densities of both classes from their counts (2, bins) and their numbers of events (2,)."""
    artists: list[Artist] = []
    for label in (1, 0):
        norm = max(totals[label], 1.0) * np.diff(edges)
        artists += mplhep.histplot(
            counts[label] / norm,
            edges,
            yerr=np.sqrt(counts[label]) / norm,
            ax=ax,
            color=CLASS_COLORS[label],
            label=CLASS_NAMES[label],
            histtype="step",
            lw=1.3,
        )
    ax.set_ylabel("normalised")
    ax.set_xlim(edges[0], edges[-1])
    ax.set_ylim(bottom=0)
    return artists
