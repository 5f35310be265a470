"""Bars of mean relevance, with the spread over trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb

from xaug.data.variables import Variable
from xaug.plots.figures import formula, literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Rectangle

__all__ = ["GROUP_COLORS", "feature_label", "feature_text", "plot_relevance", "plot_trainings"]

WHOLE = {"image": "image (all pixels)", "list": "list (all particles)"}
"""Features that are many inputs; the label of their block is that of one pixel or particle."""

GROUP_COLORS = {
    "image": "0.35",
    "list": "0.35",
    "kinematic": "#ddcc77",
    "substructure": "#44aa99",
    "flavour": "#882255",
    "event": "#44aa99",
}
"""Sand, teal and wine of Paul Tol, which the colour-blind can tell apart and which are no colours of classes."""
DWARFED = 3
"""The first bar is cut where it is this many times as long as all others: theirs could not be read beside it."""


OTHER_COLORS = ("#cc6677", "#88ccee", "#332288", "#dddddd")
"""Colours of Paul Tol for groups that have none of their own."""


def feature_label(name: str, labels: Mapping[str, Variable]) -> str:
    """Choose the text that stands for a feature at an axis.

    Parameters
    ----------
    name : str
        Name of a feature of `xaug.explain.summary`.
    labels : mapping of str to Variable
        Variables by name, as `Dataset.table.labels()`.

    Returns
    -------
    str
        The label of the variable, as matplotlib can set it; the name itself if there is none.
    """
    return WHOLE.get(name) or (formula(labels[name].label) if name in labels else literal(name))


def feature_text(name: str, labels: Mapping[str, Variable]) -> str:
    """Choose the plain text that stands for a feature in tables and sentences.

    Parameters
    ----------
    name : str
        Name of a feature of `xaug.explain.summary`.
    labels : mapping of str to Variable
        Variables by name, as `Dataset.table.labels()`.

    Returns
    -------
    str
        The same as `feature_label`, without LaTeX.
    """
    return WHOLE.get(name) or (labels[name].text if name in labels else name)


def plot_relevance(table: pd.DataFrame, labels: Mapping[str, Variable], ax: Axes) -> list[Rectangle]:
    """Draw the mean normalised relevance of every feature, the largest on top, with its spread over trainings.

    If the first bar is more than three times as long as all others, as that of a list of 20 particles may be, it is
    cut and has its length written in it.

    Parameters
    ----------
    table : pandas.DataFrame
        Result of `xaug.explain.summary`.
    labels : mapping of str to Variable
        Variables by name, as `Dataset.table.labels()`.
    ax : matplotlib.axes.Axes
        Where to draw.

    Returns
    -------
    list of matplotlib.patches.Rectangle
        The bars, the largest first.
    """
    bars = _bars(table["mean"], labels, ax, xerr=table["spread"], error_kw={"lw": 1.0, "capsize": 2, "ecolor": "k"})
    red, green, blue = to_rgb(bars[0].get_facecolor())
    _cut_first(table, ax, "k" if 0.3 * red + 0.59 * green + 0.11 * blue > 0.6 else "w")
    ax.set_xlabel("mean normalised relevance")
    handles = [ax.plot([], [], "s", color=color, label=group)[0] for group, color in _colors(table, labels).items()]
    ax.legend(handles=handles, loc="lower right")
    return bars


def plot_trainings(table: pd.DataFrame, labels: Mapping[str, Variable], axes: Sequence[Axes]) -> list[Rectangle]:
    """Draw the mean normalised relevance in each training side by side, features in the order of their overall mean.

    Parameters
    ----------
    table : pandas.DataFrame
        Result of `xaug.explain.summary`.
    labels : mapping of str to Variable
        Variables by name, as `Dataset.table.labels()`.
    axes : sequence of matplotlib.axes.Axes
        Where to draw, one for each training that is shown; they share both axes.

    Returns
    -------
    list of matplotlib.patches.Rectangle
        The bars, training by training.
    """
    axes = list(axes)
    artists: list[Rectangle] = []
    largest = table[[f"training_{i}" for i in range(len(axes))]].to_numpy().max()
    for i, ax in enumerate(axes):
        artists += _bars(table[f"training_{i}"], labels, ax)
        ax.set_xlim(0, 1.05 * largest or 1.0)
        ax.set_title(f"training {i + 1}")
        ax.set_xlabel("mean norm. relevance")
    return artists


def _cut_first(table: pd.DataFrame, ax: Axes, ink: str) -> None:
    """Cut the first bar, and write its length into it in a colour that can be read there, if it dwarfs the others."""
    first, spread, row = table["mean"].iloc[0], table["spread"].iloc[0], len(table)
    others = (table["mean"] + table["spread"].fillna(0.0)).iloc[1:].max()
    if not first > DWARFED * others > 0:
        return
    end = 1.4 * others
    ax.set_xlim(0, end)
    for x in (0.93, 0.95):
        ax.plot([(x - 0.01) * end, (x + 0.01) * end], [row - 0.4, row + 0.4], color="w", lw=2)
    ax.text(
        0.9 * end,
        row,
        f"{first:.2f}" + (f" ± {spread:.2f}" if np.isfinite(spread) else ""),
        color=ink,
        ha="right",
        va="center",
        fontsize=8,
    )


def _group(name: str, labels: Mapping[str, Variable]) -> str:
    return labels[name].group or "other" if name in labels else "list"


def _colors(values: pd.DataFrame | pd.Series, labels: Mapping[str, Variable]) -> dict[str, str]:
    """The colour of each group among these features; groups of the user take the next free colour."""
    groups = list(dict.fromkeys(_group(name, labels) for name in values.index))
    others = [group for group in groups if group not in GROUP_COLORS]
    free = {group: OTHER_COLORS[i % len(OTHER_COLORS)] for i, group in enumerate(sorted(others))}
    return {group: color for group, color in {**GROUP_COLORS, **free}.items() if group in groups}


def _bars(values: pd.Series, labels: Mapping[str, Variable], ax: Axes, **options: Any) -> list[Rectangle]:
    rows = range(len(values), 0, -1)
    colors = _colors(values, labels)
    color = [colors[_group(name, labels)] for name in values.index]
    bars = ax.barh(rows, values, color=color, height=0.7, **options)
    ax.set_yticks(rows, [feature_label(name, labels) for name in values.index], fontsize=8)
    ax.set_ylim(0.3, len(values) + 0.7)
    ax.set_xlim(left=0)
    ax.tick_params(axis="y", length=0)
    return list(bars)
