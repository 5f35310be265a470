"""Distributions of input variables, signal and background."""

from __future__ import annotations

import hist
import mplhep
import numpy as np

from xaug.data.variables import Variable
from xaug.explain.analysis.binned import bin_edges
from xaug.plots.figures import CLASS_COLORS, CLASS_NAMES

__all__ = ["class_histogram", "draw_classes", "plot_distribution"]


def class_histogram(values: np.ndarray, label: np.ndarray, bins: int = 40) -> hist.Hist:
    """Counts of a variable by class; bins of `xaug.explain.analysis.binned.bin_edges`, tails in the flow bins."""
    axis = hist.axis.Variable(bin_edges(values, bins))
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
    totals = counts.values(flow=True).sum(axis=0)
    artists = draw_classes(counts.values().T, counts.axes[0].edges, totals, ax)
    ax.set_xlabel(variable.axis_label)
    return artists


def draw_classes(counts: np.ndarray, edges: np.ndarray, totals: np.ndarray, ax) -> list:
    """Densities of both classes from their counts (2, bins) and their numbers of events (2,)."""
    artists = []
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
