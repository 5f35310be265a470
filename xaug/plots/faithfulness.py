"""Deletion and insertion curves of several explanations of one network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from xaug.core.types import Array
from xaug.plots.figures import literal, series_style

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

__all__ = ["plot_deletion"]


def plot_deletion(
    curves: Mapping[str, tuple[Sequence[float] | Array, Sequence[float] | Array, Sequence[float] | Array]], ax: Axes
) -> list[Artist]:
    """Draw mean curves against the fraction of the features that is deleted or inserted, with bands.

    Parameters
    ----------
    curves : dict of (x, y, spread)
        By name of the explanation: fractions, mean outputs relative to whole events, and their standard deviations
        over trainings, None or nan where there is none; of one length.
    ax : matplotlib.axes.Axes
        Where to draw.

    Returns
    -------
    list of matplotlib.artist.Artist
        A line and a band for each explanation.
    """
    artists: list[Artist] = []
    for i, (name, (x, y, spread)) in enumerate(curves.items()):
        style = series_style(i)
        artists += ax.plot(x, y, label=literal(name), lw=1.4, **style)
        low, high = (np.asarray(y) + sign * np.asarray(spread, dtype=float) for sign in (-1, 1))
        artists.append(ax.fill_between(x, low, high, color=style["color"], alpha=0.2, lw=0))
    ax.axhline(0, color="k", lw=0.6)
    ax.axhline(1, color="k", lw=0.6, ls=":")
    ax.set_xlim(0, 1)
    return artists
