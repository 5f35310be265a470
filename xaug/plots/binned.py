"""Relevance profiles below the distributions, and maps over two variables."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from xaug.data.variables import Variable
from xaug.explain.analysis.binned import Profile, VariableMap
from xaug.plots.distributions import draw_classes
from xaug.plots.figures import CLASS_COLORS

__all__ = ["BACKGROUND_TO_SIGNAL", "plot_map", "plot_profile"]

BACKGROUND_TO_SIGNAL = LinearSegmentedColormap.from_list(
    "background_to_signal", ["#7f2704", "#ff7f0e", "#f7f7f7", "#1f77b4", "#08306b"]
)
"""Orange for background, blue for signal, as in the paper's figures; tells apart for the colour-blind too."""
EMPTY = "0.80"
"""Where there are no events."""


def plot_profile(profile: Profile, variable: Variable, top, bottom) -> list:
    """The distribution of a variable above, the relevance of a feature in bins of it below.

    Lines are means; dark bands their RMS over trainings, light bands the RMS over events and trainings.

    Parameters
    ----------
    profile
        of `xaug.explain.profile`
    variable
        for the label of the axis
    top, bottom : matplotlib axes
        which share the horizontal axis

    Returns
    -------
    list of artists
    """
    edges = profile.edges
    artists = draw_classes(profile.counts, edges, profile.counts.sum(axis=1), top)
    top.set_xlabel("")
    for label in (0, 1):
        mean, color = profile.mean[label], CLASS_COLORS[label]
        for rms, alpha in ((profile.rms[label], 0.15), (profile.training_rms[label], 0.45)):
            low, high = (np.append(mean + s * rms, (mean + s * rms)[-1]) for s in (-1, 1))
            artists.append(bottom.fill_between(edges, low, high, step="post", color=color, alpha=alpha, lw=0))
        artists.append(bottom.stairs(mean, edges, color=color, lw=1.3, baseline=None))
    bottom.axhline(0, color="k", lw=0.6)
    bottom.set_xlim(edges[0], edges[-1])
    if np.all(edges % 1 == 0.5):  # around integers
        bottom.xaxis.get_major_locator().set_params(integer=True)
    bottom.set_xlabel(variable.axis_label)
    bottom.set_ylabel("relevance")
    return artists


def plot_map(found: VariableMap, x: Variable, y: Variable, ax, limits: tuple[float, float]):
    """The mean over cells of two variables: orange towards background, blue towards signal, grey without events.

    Parameters
    ----------
    found
        of `xaug.explain.relevance_map` or `score_map`
    x, y
        for the labels of the axes
    ax : matplotlib axes
    limits
        values of the deepest orange and blue

    Returns
    -------
    the coloured mesh, for a colour bar
    """
    ax.set_facecolor(EMPTY)
    artist = ax.pcolormesh(
        found.x_edges, found.y_edges, np.ma.masked_invalid(found.mean.T), vmin=limits[0], vmax=limits[1],
        cmap=BACKGROUND_TO_SIGNAL, rasterized=True,
    )  # fmt: skip
    ax.set_xlabel(x.axis_label)
    ax.set_ylabel(y.axis_label)
    return artist
