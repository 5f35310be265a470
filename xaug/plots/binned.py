"""Relevance profiles below the distributions, and maps over two variables."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from xaug.data.variables import Variable
from xaug.explain.analysis.binned import Profile, VariableMap
from xaug.plots.distributions import draw_classes
from xaug.plots.figures import BACKGROUND_TO_SIGNAL, CLASS_NAMES, FEW, class_colors, formula, hatch_few, literal

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh

__all__ = ["plot_map", "plot_profile", "plot_relevance_profile"]

LETTERS = 18
"""Letters in a line of the label of a relevance axis, which is an inch long."""
EMPTY = "0.80"
"""The grey of cells without events."""


def plot_profile(
    profile: Profile,
    variable: Variable,
    top: Axes,
    bottom: Axes,
    classes: Sequence[str] = CLASS_NAMES,
    quantity: str = "normalised relevance",
) -> list[Artist]:
    """Draw the distribution of a variable, and below it the relevance of a feature in bins of the variable.

    Bins with fewer than 10 events of all classes together are hatched. Lines are means.
    Dark bands are their spread over trainings, light bands the width of the distribution over events and trainings.

    Parameters
    ----------
    profile : Profile
        Result of `xaug.explain.profile`.
    variable : Variable
        The variable of the bins, for the label of the axis.
    top, bottom : matplotlib.axes.Axes
        Where to draw the distribution and the relevance; they have the same horizontal axis.
    classes : sequence of str
        Names of the classes by label.
    quantity : str
        What the vertical axis of the relevance shows.

    Returns
    -------
    list of matplotlib.artist.Artist
        What was drawn: first the distributions, then for each class, background first, both bands and the line.
    """
    artists: list[Artist] = draw_classes(profile.counts, profile.edges, profile.counts.sum(axis=1), top, classes)
    top.set_xlabel("")
    return [*artists, *plot_relevance_profile(profile, variable, bottom, classes, quantity)]


def plot_relevance_profile(
    profile: Profile,
    variable: Variable,
    bottom: Axes,
    classes: Sequence[str] = CLASS_NAMES,
    quantity: str = "normalised relevance",
) -> list[Artist]:
    """Draw the relevance of a feature in bins of a variable, without the distribution; see `plot_profile`.

    Parameters
    ----------
    profile : Profile
        Result of `xaug.explain.profile`.
    variable : Variable
        The variable of the bins, for the label of the axis.
    bottom : matplotlib.axes.Axes
        Where to draw.
    classes : sequence of str
        Names of the classes by label.
    quantity : str
        What the vertical axis of the relevance shows.

    Returns
    -------
    list of matplotlib.artist.Artist
        For each class, background first, both bands and the line.
    """
    edges = profile.edges
    artists: list[Artist] = []
    for label, color in zip(range(len(profile.mean)), class_colors(len(classes)), strict=False):
        mean = profile.mean[label]
        for rms, alpha in ((profile.rms[label], 0.15), (profile.training_rms[label], 0.45)):
            low, high = (np.append(mean + s * rms, (mean + s * rms)[-1]) for s in (-1, 1))
            artists.append(bottom.fill_between(edges, low, high, step="post", color=color, alpha=alpha, lw=0))
        artists.append(bottom.stairs(mean, edges, color=color, lw=1.3, baseline=None))
    hatch_few(edges, profile.counts.sum(axis=0), bottom)
    bottom.axhline(0, color="k", lw=0.6)
    bottom.set_xlim(edges[0], edges[-1])
    if np.all(edges % 1 == 0.5):  # around integers
        bottom.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
    bottom.set_xlabel(formula(variable.axis_label))
    bottom.set_ylabel(literal(textwrap.fill(quantity, LETTERS)))
    return artists


def plot_map(found: VariableMap, x: Variable, y: Variable, ax: Axes, limits: tuple[float, float]) -> QuadMesh:
    """Draw a mean over cells of two variables: orange towards background, blue towards signal, grey without events.

    Cells of fewer than ten events are hatched.

    Parameters
    ----------
    found : VariableMap
        Result of `xaug.explain.relevance_map` or `xaug.explain.score_map`.
    x, y : Variable
        The variables of the cells, for the labels of the axes.
    ax : matplotlib.axes.Axes
        Where to draw.
    limits : (float, float)
        Values of the deepest orange and of the deepest blue.

    Returns
    -------
    matplotlib.collections.QuadMesh
        The coloured cells, for a colour bar.
    """
    ax.set_facecolor(EMPTY)
    artist = ax.pcolormesh(
        found.x_edges, found.y_edges, found.mean.T, vmin=limits[0], vmax=limits[1],
        cmap=BACKGROUND_TO_SIGNAL, rasterized=True,
    )  # fmt: skip
    counts = found.counts.sum(axis=0)
    for i, j in np.argwhere((counts > 0) & (counts < FEW)):
        (left, right), (low, high) = found.x_edges[i : i + 2], found.y_edges[j : j + 2]
        cell = Rectangle((left, low), right - left, high - low, fc="none", ec="0.45", hatch="//////", lw=0)
        ax.add_patch(cell)
    ax.set_xlabel(formula(x.axis_label))
    ax.set_ylabel(formula(y.axis_label))
    return artist
