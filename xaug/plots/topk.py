"""Performance against the number of features, for several rankings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from xaug.core.statistics import sample_deviation
from xaug.plots.figures import literal, series_style

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_curves", "plot_topk"]

LABELS = {"accuracy": "1 − accuracy", "auc": "1 − AUC", "significance": r"significance $Z$"}
COMPLEMENTS = ("accuracy", "auc")
"""Metrics whose distance from 1 is drawn, on a logarithmic axis, so that curves near 1 can be told apart."""
CONTROL_COLORS = {"random": "0.6", "univariate": "0.25"}
FEW = 10
"""Up to so many numbers of features, each has a tick."""


def plot_topk(table: pd.DataFrame, metric: str, ax: Axes, replicas: pd.DataFrame | None = None) -> list[Artist]:
    """Draw a metric against the number of features k, with a line for each ranking.

    Accuracy and AUC are drawn as their distance from 1. Lines are means over trainings, bands standard deviations (ddof
    1; one training has none); with replicas the standard deviation over these is added in quadrature. Trainings without
    the metric are left out. The control rankings, which do not come from a network, are dashed. Later lines are
    thinner, so that lines of the same values can be seen. If the last k (all features) is far beyond the others, its
    points are drawn behind a gap at the right edge, side by side.

    Parameters
    ----------
    table : pandas.DataFrame
        A row for each training: `ranking`, `k`, and the metric.
    metric : str
        "accuracy", "auc" or "significance".
    ax : matplotlib.axes.Axes
        Where to draw.
    replicas : pandas.DataFrame, optional
        A row for each replica of the test sample: `ranking`, `k`, and the metric if it has replicas.

    Returns
    -------
    list of matplotlib.artist.Artist
        For each ranking the line, the band, and the point behind the gap if there is one.
    """
    places, far = _places(sorted(table["k"].unique()))
    last = max(places)
    rankings = list(dict.fromkeys(table["ranking"]))
    gap = places[last] - places[sorted(places)[-2]] if far else 0.0
    beside = np.linspace(-0.3, 0.3, len(rankings)) * gap
    widths = np.linspace(3.4, 1.2, len(rankings))
    artists: list[Artist] = []
    styles = iter([series_style(i) for i in range(len(rankings))])
    for name, width, shift in zip(rankings, widths, beside, strict=True):
        values = table[table["ranking"] == name].groupby("k")[metric]
        mean, half_width = values.mean(), values.agg(sample_deviation)
        if replicas is not None and metric in replicas:
            of_sample = replicas[replicas["ranking"] == name].groupby("k")[metric].agg(sample_deviation)
            half_width = np.hypot(half_width.fillna(0.0), of_sample.reindex(half_width.index))
        if metric in COMPLEMENTS:
            mean = 1 - mean
        style = {"color": CONTROL_COLORS[name], "linestyle": "--"} if name in CONTROL_COLORS else next(styles)
        color = style["color"]
        body = mean.index[:-1] if far else mean.index
        x, middle, half = [places[k] for k in body], mean[body], half_width[body]
        artists += ax.plot(
            x, middle, label=literal(name), marker="o", ms=width + 1, lw=width, **style,
        )  # fmt: skip
        artists.append(ax.fill_between(x, middle - half, middle + half, color=color, alpha=0.2, lw=0))
        if far:
            where = places[last] + shift
            point = ax.errorbar(where, mean.iloc[-1], half_width.iloc[-1], fmt="o", ms=3.5, color=color, capsize=1.5)
            artists += point.get_children()
    _set_ticks(ax, places, far)
    ax.set_xlabel("number of features $k$")
    ax.set_ylabel(LABELS[metric])
    if metric in COMPLEMENTS and (table[metric].dropna() < 1).all():
        ax.set_yscale("log")
    return artists


def _places(ks: Sequence[int]) -> tuple[dict[int, float], bool]:
    """The place of each k on the axis, and whether the last one stands behind a gap."""
    places = {k: float(k) for k in ks}
    far = len(ks) > 2 and ks[-1] > 1.5 * ks[-2]
    if far:
        places[ks[-1]] = float(ks[-2] + max(2, round(0.15 * ks[-2])))
    return places, far


def _set_ticks(ax: Axes, places: dict[int, float], far: bool) -> None:
    ks = list(places)
    shown = [k for k in ks if k in (1, 2) or k % 5 == 0 or len(ks) <= FEW]
    shown += [ks[-1]] if far and ks[-1] not in shown else []
    names = [f"all ({k})" if far and k == ks[-1] else str(k) for k in shown]
    ax.set_xticks([places[k] for k in shown], names)
    ax.minorticks_off()


def plot_curves(
    table: pd.DataFrame,
    metrics: Sequence[str],
    fig: Figure,
    axes: Sequence[Axes],
    replicas: pd.DataFrame | None = None,
) -> list[Artist]:
    """Draw several metrics against the number of features side by side, with one legend below them.

    Parameters
    ----------
    table : pandas.DataFrame
        A row for each training: `ranking`, `k`, and the metrics.
    metrics : sequence of str
        What to draw, of "accuracy", "auc" and "significance".
    fig : matplotlib.figure.Figure
        The figure, which gets the legend.
    axes : sequence of matplotlib.axes.Axes
        Where to draw, one for each metric.
    replicas : pandas.DataFrame, optional
        As for `plot_topk`.

    Returns
    -------
    list of matplotlib.artist.Artist
        The results of `plot_topk`, metric by metric.
    """
    artists: list[Artist] = []
    for metric, ax in zip(metrics, axes, strict=True):
        artists += plot_topk(table, metric, ax, replicas)
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 6))
    return artists
