"""Distributions of input variables, signal and background."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import hist
import mplhep
import numpy as np

from xaug.core.types import Array
from xaug.data.variables import Variable
from xaug.explain.analysis.binning import bin_edges
from xaug.plots.figures import CLASS_NAMES, class_colors, formula, hatch_few, literal

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

DWARFED = 8
"""Ratio of the highest bin to the next above which the axis is logarithmic."""
FEW_BINS = 4
"""Histograms of so few bins keep their linear axis."""

__all__ = ["class_histogram", "draw_classes", "plot_distribution"]


def class_histogram(values: Array, label: Array, bins: int = 40, classes: int = 2) -> hist.Hist:
    """Count a variable in bins, class by class.

    Parameters
    ----------
    values : ndarray (n,)
        Values of the variable.
    label : ndarray (n,)
        Classes; of two, 0 is background and 1 is signal.
    bins : int
        Number of bins between the 0.5% and 99.5% quantiles; integers have bins of whole numbers.
    classes : int
        Number of classes.

    Returns
    -------
    hist.Hist
        Counts by bin and class; what lies beyond the bins is in their flow bins.
    """
    axis = hist.axis.Variable(bin_edges(values, bins))
    counts = hist.Hist(axis, hist.axis.Integer(0, classes, name="label", flow=False), storage=hist.storage.Double())
    counts.fill(values, label)
    return counts


def plot_distribution(
    counts: hist.Hist, variable: Variable, ax: Axes, classes: Sequence[str] = CLASS_NAMES
) -> list[Artist]:
    """Draw the distributions of all classes, each of unit area, with statistical errors.

    Bins with fewer than ten events of all classes together are hatched.

    Parameters
    ----------
    counts : hist.Hist
        Result of `class_histogram`.
    variable : Variable
        The variable, for the label of the axis.
    ax : matplotlib.axes.Axes
        Where to draw.
    classes : sequence of str
        Names of the classes by label.

    Returns
    -------
    list of matplotlib.artist.Artist
        What was drawn, from the last class to the first: signal, then background.
    """
    totals = counts.values(flow=True).sum(axis=0)
    artists = draw_classes(counts.values().T, counts.axes[0].edges, totals, ax, classes)
    hatch_few(counts.axes[0].edges, counts.values().sum(axis=1), ax)
    ax.set_xlabel(formula(variable.axis_label))
    return artists


def draw_classes(
    counts: Array, edges: Array, totals: Array, ax: Axes, classes: Sequence[str] = CLASS_NAMES
) -> list[Artist]:
    """Draw the densities of K classes from their counts (K, bins) and their numbers of events (K,)."""
    artists: list[Artist] = []
    colors = class_colors(len(classes))
    for label in reversed(range(len(counts))):
        norm = max(totals[label], 1.0) * np.diff(edges)
        artists += mplhep.histplot(
            counts[label] / norm,
            edges,
            yerr=np.sqrt(counts[label]) / norm,
            ax=ax,
            color=colors[label],
            label=literal(classes[label]),
            histtype="step",
            lw=1.3,
        )
    ax.set_ylabel("probability density")
    ax.set_xlim(edges[0], edges[-1])
    ax.set_ylim(bottom=0)
    if _is_dwarfed(counts / np.diff(edges)):
        ax.set_yscale("log")
        norms = np.maximum(totals, 1.0)[:, None] * np.diff(edges)
        ax.set_ylim(0.5 * (1 / norms).min(), None)
    return artists


def _is_dwarfed(density: Array) -> bool:
    """Whether one bin, as that of a floor, is so high that the others of its class could not be read beside it."""
    ordered = np.sort(density, axis=1)
    return bool((ordered[:, -1] > DWARFED * ordered[:, -2]).any()) if density.shape[1] > FEW_BINS else False
