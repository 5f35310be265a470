"""Bars of mean relevance, with the spread over trainings."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from xaug.data.variables import Variable

__all__ = ["GROUP_COLORS", "feature_label", "plot_relevance", "plot_trainings"]

GROUP_COLORS = {
    "image": "0.35",
    "list": "0.35",
    "kinematic": "#0072b2",
    "substructure": "#56b4e9",
    "flavour": "#d55e00",
    "event": "#009e73",
}
"""Blue, sky blue, vermilion and green of Okabe and Ito, which the colour-blind can tell apart."""
DWARFED = 3
"""The first bar is cut where it is this many times as long as all others: theirs could not be read beside it."""


def feature_label(name: str, labels: dict[str, Variable]) -> str:
    """What a feature of `xaug.explain.summary` is called at an axis."""
    whole = {"image": "image (all pixels)", "list": "list (all particles)"}
    return whole.get(name) or (labels[name].label if name in labels else name)


def plot_relevance(table: pd.DataFrame, labels: dict[str, Variable], ax) -> list:
    """Mean normalised relevance of every feature, largest on top; the error bar is the RMS over trainings.

    A first bar that dwarfs the others, as that of a list of 20 particles may, is cut and has its length written in it.

    Parameters
    ----------
    table
        of `xaug.explain.summary`
    labels
        of `xaug.variables.labels`
    ax : matplotlib axes
    """
    bars = _bars(table["mean"], labels, ax, xerr=table["rms"], error_kw={"lw": 1.0, "capsize": 2, "ecolor": "k"})
    _cut_first(table, ax)
    ax.set_xlabel("mean normalised relevance")
    groups = [_group(name, labels) for name in table.index]
    handles = [
        ax.plot([], [], "s", color=color, label=name)[0] for name, color in GROUP_COLORS.items() if name in groups
    ]
    ax.legend(handles=handles, loc="lower right")
    return bars


def plot_trainings(table: pd.DataFrame, labels: dict[str, Variable], axes: Sequence) -> list:
    """The mean normalised relevance in each training side by side, features in the order of their overall mean.

    Parameters
    ----------
    table
        of `xaug.explain.summary`
    labels
        of `xaug.variables.labels`
    axes
        one for each training, sharing both axes
    """
    artists = []
    largest = table[[f"training_{i}" for i in range(len(axes))]].to_numpy().max()
    for i, ax in enumerate(axes):
        artists += _bars(table[f"training_{i}"], labels, ax)
        ax.set_xlim(0, 1.05 * largest or 1.0)
        ax.set_title(f"training {i + 1}")
        ax.set_xlabel("mean norm. relevance")
    return artists


def _cut_first(table: pd.DataFrame, ax) -> None:
    first, spread, row = table["mean"].iloc[0], table["rms"].iloc[0], len(table)
    others = (table["mean"] + table["rms"]).iloc[1:].max()
    if not first > DWARFED * others > 0:
        return
    end = 1.4 * others
    ax.set_xlim(0, end)
    for x in (0.93, 0.95):
        ax.plot([(x - 0.01) * end, (x + 0.01) * end], [row - 0.4, row + 0.4], color="w", lw=2)
    ax.text(0.9 * end, row, f"{first:.2f} ± {spread:.2f}", color="w", ha="right", va="center", fontsize=8)


def _group(name: str, labels: dict[str, Variable]) -> str:
    return labels[name].group if name in labels else "list"


def _bars(values: pd.Series, labels: dict[str, Variable], ax, **options) -> list:
    rows = range(len(values), 0, -1)
    color = [GROUP_COLORS[_group(name, labels)] for name in values.index]
    bars = ax.barh(rows, values, color=color, height=0.7, **options)
    ax.set_yticks(rows, [feature_label(name, labels) for name in values.index], fontsize=8)
    ax.set_ylim(0.3, len(values) + 0.7)
    ax.set_xlim(left=0)
    ax.tick_params(axis="y", length=0)
    return list(bars)
