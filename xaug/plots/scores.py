"""Distributions of the scores of both classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from xaug.core.statistics import sample_deviation
from xaug.core.types import Array
from xaug.plots.figures import CLASS_NAMES, class_colors, hatch_few, literal

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

__all__ = ["SCORE_EDGES", "plot_scores"]

SCORE_EDGES = np.linspace(0.0, 1.0, 41)
"""Edges of the bins of scores."""


def plot_scores(
    counts: Array, ax: Axes, classes: Sequence[str] = CLASS_NAMES, events: Array | None = None
) -> list[Artist]:
    """Draw the distribution of the score of each class, with the spread over trainings.

    Bins with fewer than ten events of all classes together are hatched.

    Parameters
    ----------
    counts : ndarray (trainings, K, 40)
        Sums of weights in the bins of `SCORE_EDGES`; the second axis is the class: background, signal where K is 2.
    ax : matplotlib.axes.Axes
        Where to draw.
    classes : sequence of str
        Names of the classes by label.
    events : ndarray (40,), optional
        Number of events of all classes in each bin, as a mean over trainings; without it, that of `counts`.

    Returns
    -------
    list of matplotlib.artist.Artist
        The band and the line of each class, the last class first: signal, then background.
    """
    totals = counts.sum(axis=2, keepdims=True)
    density = counts / (np.where(totals > 0, totals, 1.0) * np.diff(SCORE_EDGES))
    mean, rms = density.mean(axis=0), sample_deviation(density)
    artists: list[Artist] = []
    for label in reversed(range(counts.shape[1])):
        color = class_colors(len(classes))[label]
        low, high = (np.append(values, values[-1]) for values in (mean[label] - rms[label], mean[label] + rms[label]))
        artists.append(ax.fill_between(SCORE_EDGES, low, high, step="post", color=color, alpha=0.25, lw=0))
        artists.append(ax.stairs(mean[label], SCORE_EDGES, color=color, lw=1.3, label=literal(classes[label])))
    hatch_few(SCORE_EDGES, counts.sum(axis=1).mean(axis=0) if events is None else events, ax)
    ax.set_yscale("log")
    filled = mean[mean > 0]
    if filled.size:  # a band may end at any small number; above the lines there is room for the legend
        lowest, highest = filled.min() / 2, max(filled.max(), (mean + rms).max())
        ax.set_ylim(lowest, highest * (highest / lowest) ** 0.25)
    ax.set_xlim(0, 1)
    ax.set_xlabel("score")
    ax.set_ylabel("probability density")
    ax.legend(loc="upper center")
    return artists
