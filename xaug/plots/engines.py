"""Two engines of LRP against each other: element by element, and event by event."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xaug.plots.figures import SERIES_COLORS, series_style

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from xaug.explain.propagation.compare import EngineComparison

__all__ = ["plot_engine_differences", "plot_engine_scatter"]

SHOWN = 20_000
"""Points drawn at most: more cannot be told apart."""


def plot_engine_scatter(comparison: EngineComparison, rule: str, ax: Axes) -> list[Artist]:
    """Draw the native relevance of every input element against that of iNNvestigate, in one colour for each input.

    Relevance is in units of the largest absolute relevance of the event by either engine, so that all events share
    the axes. If there are many elements, evenly spaced ones are drawn.

    Parameters
    ----------
    comparison : EngineComparison
        Result of `xaug.explain.compare_engines`.
    rule : str
        One of the rules that were compared.
    ax : matplotlib.axes.Axes
        Where to draw.

    Returns
    -------
    list of matplotlib.artist.Artist
        The points of each input, and the diagonal.
    """
    native, innvestigate = comparison.native[rule].relevance, comparison.innvestigate[rule].relevance
    both = [*native.values(), *innvestigate.values()]
    largest = np.max([np.abs(r).reshape(len(r), -1).max(axis=1) for r in both], axis=0)
    scale = np.where(largest > 0, largest, 1.0)[:, None]
    artists: list[Artist] = []
    for i, name in enumerate(native):
        color = SERIES_COLORS[i % len(SERIES_COLORS)]
        theirs, ours = ((r[name].reshape(len(scale), -1) / scale).ravel() for r in (innvestigate, native))
        step = -(-ours.size // SHOWN)
        artists += ax.plot(theirs[::step], ours[::step], ".", ms=2, alpha=0.5, color=color, label=name, rasterized=True)
    artists += ax.plot([-1, 1], [-1, 1], "-", color="0.5", lw=0.8, zorder=0)
    ax.set_xlim(-1.05, 1.05)
    ax.set_ylim(-1.05, 1.05)
    ax.set_xlabel("relevance, iNNvestigate")
    ax.set_ylabel("relevance, native")
    ax.legend(title=rule, loc="upper left", markerscale=4)
    return artists


def plot_engine_differences(comparison: EngineComparison, ax: Axes) -> list[Artist]:
    """Draw a histogram over events of the largest difference between the engines, with one line for each rule.

    The difference is the largest of all input elements, in units of the largest absolute relevance of the event.
    Events without any difference are in the first bin.

    Parameters
    ----------
    comparison : EngineComparison
        Result of `xaug.explain.compare_engines`.
    ax : matplotlib.axes.Axes
        Where to draw.

    Returns
    -------
    list of matplotlib.artist.Artist
        The line of each rule.
    """
    found = {}
    for rule in comparison.rules:
        per_input = [np.abs(d).reshape(len(d), -1).max(axis=1) for d in comparison.differences(rule).values()]
        found[rule] = np.log10(np.maximum(np.max(per_input, axis=0), 1e-10))
    edges = np.linspace(-10, np.ceil(max(0.0, *(v.max() for v in found.values()))), 61)
    artists: list[Artist] = []
    for i, (rule, values) in enumerate(found.items()):
        counts, _ = np.histogram(values, edges)
        artists.append(ax.stairs(counts, edges, lw=1.5, label=rule, **series_style(i)))
    ax.set_xlabel(r"log$_{10}$ largest $|\Delta R|$ / largest $|R|$ of the event")
    ax.set_ylabel("events")
    ax.set_xlim(edges[0], edges[-1])
    ax.legend(loc="upper right")
    return artists
