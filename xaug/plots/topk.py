"""Performance against the number of features, for several rankings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

__all__ = ["plot_curves", "plot_topk"]

LABELS = {"accuracy": "accuracy", "auc": "AUC", "significance": r"significance $Z$"}
COLORS = ("tab:blue", "tab:orange", "tab:green", "tab:purple", "tab:brown", "tab:pink")
CONTROL_COLORS = {"random": "0.6", "univariate": "0.25"}


def plot_topk(table: pd.DataFrame, metric: str, ax) -> list:
    """Mean over trainings against k, a line a ranking; bands are standard deviations over trainings.

    Rankings that know nothing of a network are dashed. Lines of the same values lie on each other, the later the
    thinner. Last points far beyond the others (all features) stand behind a gap, at the right edge, side by side.

    Parameters
    ----------
    table
        a row a training: `ranking`, `k`, and the metric
    metric
        "accuracy", "auc" or "significance"
    ax : matplotlib axes

    Returns
    -------
    list of artists
    """
    ks = sorted(table["k"].unique())
    rankings = list(dict.fromkeys(table["ranking"]))
    place = {k: k for k in ks}
    far = len(ks) > 2 and ks[-1] > 1.5 * ks[-2]
    if far:
        place[ks[-1]] = ks[-2] + max(2, round(0.15 * ks[-2]))
    beside = np.linspace(-0.3, 0.3, len(rankings)) * (place[ks[-1]] - ks[-2] if far else 0)
    widths = np.linspace(3.4, 1.2, len(rankings))
    artists, colors = [], iter(COLORS)
    for name, width, shift in zip(rankings, widths, beside, strict=True):
        own = table[table["ranking"] == name].groupby("k")[metric].agg(["mean", lambda v: v.std(ddof=0)])
        own.columns = ["mean", "rms"]
        color = CONTROL_COLORS.get(name) or next(colors)
        style = {"color": color, "ls": "--" if name in CONTROL_COLORS else "-", "lw": width}
        body = own.iloc[:-1] if far else own
        x = [place[k] for k in body.index]
        artists += ax.plot(x, body["mean"], label=name, marker="o", ms=width + 1, **style)
        artists.append(
            ax.fill_between(x, body["mean"] - body["rms"], body["mean"] + body["rms"], color=color, alpha=0.2, lw=0)
        )
        if far:
            last = own.iloc[-1]
            where = place[ks[-1]] + shift
            artists.append(ax.errorbar(where, last["mean"], last["rms"], fmt="o", ms=3.5, color=color, capsize=1.5))
    shown = [k for k in ks if k in (1, 2) or k % 5 == 0 or len(ks) <= 10]
    shown += [ks[-1]] if far and ks[-1] not in shown else []
    ax.set_xticks([place[k] for k in shown], [f"all ({k})" if far and k == ks[-1] else str(k) for k in shown])
    ax.minorticks_off()
    ax.set_xlabel("number of features $k$")
    ax.set_ylabel(LABELS[metric])
    return artists


def plot_curves(table: pd.DataFrame, metrics: Sequence[str], fig, axes) -> list:
    """`plot_topk` of several metrics side by side, with one legend below them."""
    artists = []
    for metric, ax in zip(metrics, axes, strict=True):
        artists += plot_topk(table, metric, ax)
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 6))
    return artists
