"""Bubbles: in how many events a feature has which rank."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.collections import EllipseCollection

from xaug.data.variables import Variable
from xaug.plots.relevance import feature_label

__all__ = ["plot_ranks"]

MOST = 12
"""Features and ranks that are drawn at most."""


def plot_ranks(fractions: pd.DataFrame, labels: dict[str, Variable], ax) -> EllipseCollection:
    """A bubble where a feature (row) has a rank (column), with the per cent of the events.

    Areas are proportional to the per cent. Of many features the first are drawn, and as many ranks.

    Parameters
    ----------
    fractions
        of `xaug.explain.rank_fractions`
    labels
        of `xaug.variables.labels`
    ax : matplotlib axes
    """
    shown = fractions.iloc[:MOST, :MOST]
    n = len(shown)
    row, column = np.indices(shown.shape)
    per_cent = shown.to_numpy()
    diameter = 0.96 * np.sqrt(per_cent.clip(min=0) / 100).ravel()
    bubbles = EllipseCollection(
        diameter, diameter, np.zeros(diameter.size), units="xy", facecolors="#9ecae1", edgecolors="#4292c6",
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
