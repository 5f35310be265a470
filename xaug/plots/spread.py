"""The spread over trainings of relevances and of scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from xaug.core.types import Array
from xaug.data.variables import Variable
from xaug.plots.figures import CLASS_NAMES, FEW, SERIES_COLORS, class_colors, literal
from xaug.plots.relevance import feature_label

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

__all__ = ["plot_feature_spread", "plot_score_spread"]

BESIDE = ((0, 4, "center", "bottom"), (5, 0, "left", "center"), (-5, 0, "right", "center"), (0, -4, "center", "top"))
"""Places for the name of a point, best first: its offset in points, and its alignment."""
MARKERS = "osD^v"
SCORE_BINS = 20


def plot_feature_spread(samples: Mapping[str, pd.DataFrame], labels: Mapping[str, Variable], ax: Axes) -> list[Artist]:
    """Draw the RMS over trainings against the mean relevance of each feature; points of stable ranks are filled.

    Parameters
    ----------
    samples : mapping of str to pandas.DataFrame
        Results of `xaug.explain.stability`, by the names of the legend.
    labels : mapping of str to Variable
        Variables by name, as `Dataset.table.labels()`.
    ax : matplotlib.axes.Axes
        Where to draw; both axes become logarithmic. Draw it last: the names of points depend on the room they have.

    Returns
    -------
    list of matplotlib.artist.Artist
        For each sample the filled and the empty points, then the lines of 100% and 10% of the mean.
    """
    artists: list[Artist] = []
    for i, (name, table) in enumerate(samples.items()):
        color = SERIES_COLORS[i % len(SERIES_COLORS)]
        for stable, face in ((True, color), (False, "none")):
            chosen = table[table["stable"] == stable]
            # a constant variable has relevance zero, which is not on logarithmic axes
            seen = chosen[(chosen["mean"] > 0) & (chosen["spread"] > 0)]
            marker = MARKERS[i % len(MARKERS)]
            label = name if not stable else None
            artists += ax.plot(seen["mean"], seen["spread"], marker, color=color, mfc=face, ms=5, label=label)
    ax.set_xscale("log")
    ax.set_yscale("log")
    low, high = ax.get_xlim()
    bottom, top = ax.get_ylim()
    for share, style in ((1.0, "-"), (0.1, "--")):
        artists += ax.plot([low, high], [share * low, share * high], style, color="0.6", lw=0.8, zorder=0)
    ax.set_xlim(low, high)
    ax.set_ylim(bottom, 3 * top)  # room for the legend
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("mean normalised relevance")
    ax.set_ylabel("standard deviation over trainings")
    ax.legend(loc="upper left", title="filled: stable rank")
    _name_points(list(samples.values()), labels, ax)
    return artists


def _name_points(tables: Sequence[pd.DataFrame], labels: Mapping[str, Variable], ax: Axes) -> None:
    """Write names beside the points of the first table, most relevant first, unless they cover a point or a name."""
    figure, legend = ax.get_figure(root=True), ax.get_legend()
    if figure is None or legend is None:
        return
    figure.draw_without_rendering()  # the layout decides what covers what
    points = ax.transData.transform(pd.concat(tables)[["mean", "spread"]].query("mean > 0 and spread > 0").to_numpy())
    radius = 3 * figure.dpi / 72
    taken = [Bbox([point - radius, point + radius]) for point in points]
    taken.append(legend.get_window_extent())
    room = ax.bbox.padded(-3)
    for feature, row in tables[0].query("mean > 0 and spread > 0").iterrows():
        for dx, dy, ha, va in BESIDE:
            name = ax.annotate(
                feature_label(feature, labels), (row["mean"], row["spread"]), (dx, dy), textcoords="offset points",
                ha=ha, va=va, fontsize=7,
            )  # fmt: skip
            box = name.get_window_extent()
            inside = all(room.contains(*corner) for corner in (box.min, box.max))
            if inside and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                break
            name.remove()


def plot_score_spread(
    mean: Array, rms: Array, label: Array, ax: Axes, classes: Sequence[str] = CLASS_NAMES
) -> list[Artist]:
    """Draw the RMS over trainings of the score in bins of its mean: the median, and the central 68% of the events.

    Parameters
    ----------
    mean, rms : ndarray (n,)
        `score_mean` and `score_rms` of `xaug.explain.uncertainty`.
    label : ndarray (n,)
        Classes; of two, 0 is background and 1 is signal.
    ax : matplotlib.axes.Axes
        Where to draw.
    classes : sequence of str
        Names of the classes by label.

    Returns
    -------
    list of matplotlib.artist.Artist
        The band and the line of each class, background first.
    """
    edges = np.linspace(0, 1, SCORE_BINS + 1)
    artists: list[Artist] = []
    colors = class_colors(len(classes))
    for of in range(len(classes)):
        low, median, high = _quantiles(mean[label == of], rms[label == of], edges)
        artists.append(
            ax.fill_between(
                edges, np.append(low, low[-1]), np.append(high, high[-1]), step="post", color=colors[of],
                alpha=0.25, lw=0,
            )
        )  # fmt: skip
        artists.append(ax.stairs(median, edges, color=colors[of], label=literal(classes[of]), baseline=None, lw=1.3))
    ax.set_xlim(0, 1)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("mean score")
    ax.set_ylabel("standard deviation over trainings")
    ax.legend(loc="upper right")
    return artists


def _quantiles(x: Array, y: Array, edges: Array) -> Array:
    """16%, 50% and 84% quantiles (3, bins) of y in bins of x; nan in bins of few events."""
    found = np.full((3, len(edges) - 1), np.nan)
    index = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, len(edges) - 2)
    for i in np.flatnonzero(np.bincount(index, minlength=len(edges) - 1) >= FEW):
        found[:, i] = np.quantile(y[index == i], [0.16, 0.5, 0.84])
    return found
