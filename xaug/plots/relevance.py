"""Bars of mean relevance, with the spread over trainings."""

from __future__ import annotations

import pandas as pd

from xaug.variables import Variable

__all__ = ["GROUP_COLORS", "plot_relevance"]

GROUP_COLORS = {
    "image": "0.35",
    "list": "0.35",
    "kinematic": "tab:blue",
    "substructure": "tab:green",
    "flavour": "tab:red",
}


def plot_relevance(table: pd.DataFrame, labels: dict[str, Variable], ax) -> list:
    """Mean normalised relevance of every feature, largest on top; the error bar is the RMS over trainings.

    Parameters
    ----------
    table
        of `xaug.explain.summary`
    labels
        of `xaug.variables.labels`
    ax : matplotlib axes
    """
    rows = range(len(table), 0, -1)
    group = [labels[name].group if name in labels else "list" for name in table.index]
    bars = ax.barh(
        rows, table["mean"], xerr=table["rms"], color=[GROUP_COLORS[g] for g in group], height=0.7,
        error_kw={"lw": 1.0, "capsize": 2, "ecolor": "k"},
    )  # fmt: skip
    names = {"image": "image (all pixels)", "list": "list (all particles)"}
    ax.set_yticks(rows, [names.get(n) or (labels[n].label if n in labels else n) for n in table.index], fontsize=8)
    ax.set_ylim(0.3, len(table) + 0.7)
    ax.set_xlim(left=0)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("mean normalised relevance")
    handles = [
        ax.plot([], [], "s", color=color, label=name)[0] for name, color in GROUP_COLORS.items() if name in group
    ]
    ax.legend(handles=handles, loc="lower right")
    return list(bars)
