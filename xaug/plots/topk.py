"""Performance against the number of features, for several rankings."""

from __future__ import annotations

import pandas as pd

__all__ = ["plot_topk"]

LABELS = {"accuracy": "accuracy", "auc": "AUC", "significance": r"significance $Z$"}
COLORS = ("tab:blue", "tab:orange", "tab:green", "tab:purple", "tab:brown", "tab:pink")
CONTROL_COLORS = {"random": "0.6", "univariate": "0.25"}


def plot_topk(table: pd.DataFrame, metric: str, ax) -> list:
    """Mean over trainings against k, a line a ranking; bands are standard deviations over trainings.

    Rankings that know nothing of a network are dashed. A last point far beyond the others (all features) stands
    behind a gap, at the right edge.

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
    place = {k: k for k in ks}
    far = len(ks) > 2 and ks[-1] > 1.5 * ks[-2]
    if far:
        place[ks[-1]] = ks[-2] + max(2, round(0.1 * ks[-2]))
    artists, colors = [], iter(COLORS)
    for name in dict.fromkeys(table["ranking"]):
        own = table[table["ranking"] == name].groupby("k")[metric].agg(["mean", lambda v: v.std(ddof=0)])
        own.columns = ["mean", "rms"]
        color = CONTROL_COLORS.get(name) or next(colors)
        style = {"color": color, "ls": "--" if name in CONTROL_COLORS else "-", "lw": 1.4}
        body = own.iloc[:-1] if far else own
        x = [place[k] for k in body.index]
        artists += ax.plot(x, body["mean"], label=name, **style)
        artists.append(
            ax.fill_between(x, body["mean"] - body["rms"], body["mean"] + body["rms"], color=color, alpha=0.2, lw=0)
        )
        if far:
            last = own.iloc[-1]
            artists.append(ax.errorbar(place[ks[-1]], last["mean"], last["rms"], fmt="o", ms=4, color=color, capsize=2))
    shown = [k for k in ks if k in (1, 2) or k % 5 == 0 or len(ks) <= 10]
    shown += [ks[-1]] if far and ks[-1] not in shown else []
    ax.set_xticks([place[k] for k in shown], [f"all ({k})" if far and k == ks[-1] else str(k) for k in shown])
    ax.minorticks_off()
    ax.set_xlabel("number of features $k$")
    ax.set_ylabel(LABELS[metric])
    return artists
