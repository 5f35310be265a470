"""Bars of signed attributions, and matrices of agreement between rankings."""

from __future__ import annotations

import numpy as np
import pandas as pd

from xaug.data.variables import Variable
from xaug.plots.relevance import feature_label

__all__ = ["plot_agreement", "plot_attribution"]


def plot_attribution(table: pd.DataFrame, labels: dict[str, Variable], ax) -> list:
    """Mean attribution of each feature, in the order of the table from above, with its RMS over trainings.

    Parameters
    ----------
    table
        a row a feature: `mean` and `rms`
    labels
        of `xaug.variables.labels`
    ax : matplotlib axes
    """
    rows = np.arange(len(table), 0, -1)
    color = np.where(table["mean"] >= 0, "tab:blue", "tab:red")
    bars = ax.barh(
        rows, table["mean"], xerr=table["rms"], color=color, height=0.72,
        error_kw={"lw": 0.8, "capsize": 1.5, "ecolor": "k"},
    )  # fmt: skip
    ax.set_yticks(rows, [feature_label(name, labels) for name in table.index], fontsize=7.5)
    ax.set_ylim(0.3, len(table) + 0.7)
    ax.tick_params(axis="y", length=0)
    ax.axvline(0, color="k", lw=0.6)
    ax.set_xlabel("mean attribution")
    return list(bars)


def plot_agreement(matrix: pd.DataFrame, ax, most: float, text: str):
    """A square matrix of numbers up to `most`, written into their cells by the format `text`."""
    artist = ax.imshow(matrix.to_numpy(float), vmin=0, vmax=most, cmap="Blues")
    for i, row in enumerate(matrix.to_numpy(float)):
        for j, value in enumerate(row):
            ax.text(j, i, text.format(value), ha="center", va="center", color="w" if value > 0.6 * most else "k")
    ax.set_xticks(range(len(matrix)), matrix.columns, rotation=30, ha="right")
    ax.set_yticks(range(len(matrix)), matrix.index)
    ax.tick_params(length=0)
    return artist
