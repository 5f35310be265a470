"""Bars of signed attributions, and matrices of agreement between rankings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from xaug.data.variables import Variable
from xaug.plots.figures import CLASS_COLORS, literal
from xaug.plots.relevance import feature_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage
    from matplotlib.patches import Rectangle

__all__ = ["plot_agreement", "plot_attribution"]


def plot_attribution(table: pd.DataFrame, labels: Mapping[str, Variable], ax: Axes) -> list[Rectangle]:
    """Draw the mean attribution of each feature as a bar, with its spread over trainings.

    Parameters
    ----------
    table : pandas.DataFrame
        A row for each feature, the first on top: `mean`, and `rms`, the length of the error bar.
    labels : mapping of str to Variable
        Variables by name, as `Dataset.table.labels()`; a feature without a variable is shown by its name.
    ax : matplotlib.axes.Axes
        Where to draw.

    Returns
    -------
    list of matplotlib.patches.Rectangle
        The bars, the first on top; those above zero speak for the explained class and are blue, others
        against it.
    """
    rows = np.arange(len(table), 0, -1)
    color = [CLASS_COLORS[int(mean >= 0)] for mean in table["mean"]]
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


def plot_agreement(matrix: pd.DataFrame, ax: Axes, most: float, text: str) -> AxesImage:
    """Draw a square matrix of numbers, with each number written into its cell.

    Parameters
    ----------
    matrix : pandas.DataFrame
        The numbers, with the names of rows and columns.
    ax : matplotlib.axes.Axes
        Where to draw.
    most : float
        Number of the darkest colour; the lightest is 0.
    text : str
        Format of the numbers, as "{:.2f}".

    Returns
    -------
    matplotlib.image.AxesImage
        The coloured cells.
    """
    artist = ax.imshow(matrix.to_numpy(float), vmin=0, vmax=most, cmap="Greys")
    for i, row in enumerate(matrix.to_numpy(float)):
        for j, value in enumerate(row):
            ax.text(j, i, text.format(value), ha="center", va="center", color="w" if value > 0.6 * most else "k")
    ax.set_xticks(range(len(matrix)), [literal(str(name)) for name in matrix.columns], rotation=30, ha="right")
    ax.set_yticks(range(len(matrix)), [literal(str(name)) for name in matrix.index])
    ax.tick_params(length=0)
    return artist
