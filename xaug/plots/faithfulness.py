"""Deletion and insertion curves of several explanations of one network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from xaug.core.types import Array
from xaug.plots.figures import literal

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

__all__ = ["plot_deletion"]

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
"""Colours of Okabe and Ito, which the colour-blind can tell apart."""
STYLES = ("-", "--", ":", "-.")


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
        color, style = COLORS[i % len(COLORS)], STYLES[(i // len(COLORS)) % len(STYLES)]
        artists += ax.plot(x, y, style, color=color, label=literal(name), lw=1.4)
        low, high = (np.asarray(y) + sign * np.asarray(spread, dtype=float) for sign in (-1, 1))
        artists.append(ax.fill_between(x, low, high, color=color, alpha=0.2, lw=0))
    ax.axhline(0, color="k", lw=0.6)
    ax.axhline(1, color="k", lw=0.6, ls=":")
    ax.set_xlim(0, 1)
    return artists
