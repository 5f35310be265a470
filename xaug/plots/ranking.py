"""Bubbles that show in how many events a feature has which rank."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.collections import EllipseCollection

from xaug.data.variables import Variable
from xaug.plots.relevance import feature_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_ranks"]

MOST = 12
"""Largest number of features, and of ranks, that are drawn."""


def plot_ranks(fractions: pd.DataFrame, labels: Mapping[str, Variable], ax: Axes) -> EllipseCollection:
    """Draw in what percentage of the events each feature has each rank, as bubbles of proportional area.

    If there are many features, the first twelve are drawn, and twelve ranks.

    Parameters
    ----------
    fractions : pandas.DataFrame
        Result of `xaug.explain.rank_fractions`: a row for each feature, a column for each rank.
    labels : mapping of str to Variable
        Variables by name, as `Dataset.table.labels()`.
    ax : matplotlib.axes.Axes
        Where to draw.

    Returns
    -------
    matplotlib.collections.EllipseCollection
        The bubbles, row by row.
    """
    shown = fractions.iloc[:MOST, :MOST]
    n = len(shown)
    row, column = np.indices(shown.shape)
    per_cent = shown.to_numpy()
    diameter = 0.96 * np.sqrt(per_cent.clip(min=0) / 100).ravel()
    bubbles = EllipseCollection(
        diameter, diameter, np.zeros(diameter.size), units="xy", facecolors="0.85", edgecolors="0.55",
        offsets=np.column_stack([column.ravel() + 1, row.ravel() + 1]), offset_transform=ax.transData,
    )  # fmt: skip
    ax.add_collection(bubbles)
    for i, j in np.argwhere(per_cent >= 0.5):
        ax.text(j + 1, i + 1, f"{per_cent[i, j]:.0f}%", ha="center", va="center", fontsize=7)
    ax.set_xlim(0.4, n + 0.6)
    ax.set_ylim(n + 0.6, 0.4)  # the first on top
    ax.set_aspect("equal")
    ax.set_xticks(range(1, n + 1))
    ax.set_yticks(range(1, n + 1), [feature_label(name, labels) for name in shown.index])
    ax.tick_params(length=0)
    ax.set_xlabel("rank")
    return bubbles
