"""ROC curves, with the spread over trainings as a band; learning curves."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xaug.core.types import Array
from xaug.plots.figures import literal
from xaug.training.learning_curve import Extrapolation
from xaug.training.metrics import area, background_efficiency, roc

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

__all__ = ["GRID", "RocBand", "plot_learning_curve", "plot_roc", "roc_band"]

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Colours of Okabe and Ito, which the colour-blind can tell apart; further curves are dashed."""
DASHES = ("-", "--", ":")
INSIDE = 4
"""Largest number of curves whose legend finds room within the axes."""
GRID = np.linspace(0.01, 1.0, 100)
"""Signal efficiencies at which curves are averaged."""


@dataclass(frozen=True)
class RocBand:
    """Background efficiency at the signal efficiencies of GRID, averaged over trainings.

    Attributes
    ----------
    mean, rms : ndarray (100,)
        Mean and standard deviation over trainings of the background efficiency.
    auc, auc_rms : float
        Mean and standard deviation (ddof 1) over trainings of the area under the curve; nan for a single training.
    """

    mean: Array
    rms: Array
    auc: float
    auc_rms: float


def roc_band(curves: Sequence[tuple[Array, ...]]) -> RocBand:
    """Average the ROC curves of several trainings.

    Parameters
    ----------
    curves : sequence of tuple of ndarray (n,)
        For each training (label, score) or (label, score, weight); label 1 is signal.

    Returns
    -------
    RocBand
        Mean and spread over trainings.
    """
    found = [roc(*curve) for curve in curves]
    efficiencies = np.array([background_efficiency(*curve, GRID) for curve in found])
    areas = np.array([area(*curve) for curve in found])
    spread = float(areas.std(ddof=1)) if len(areas) > 1 else float("nan")
    return RocBand(efficiencies.mean(axis=0), efficiencies.std(axis=0), float(areas.mean()), spread)


def plot_roc(
    bands: Mapping[str, RocBand],
    ax: Axes,
    floor: float,
    untrained: Collection[str] = (),
    colors: Sequence[str] | None = None,
) -> list[Artist]:
    """Draw background efficiency against signal efficiency, with a band for each network.

    Parameters
    ----------
    bands : mapping of str to RocBand
        Results of `roc_band`, by the names of the legend.
    ax : matplotlib.axes.Axes
        Where to draw; its vertical axis becomes logarithmic.
    floor : float
        Smallest background efficiency that is drawn; that of half a background event is a good choice.
    untrained : collection of str
        Names of curves that have no spread over trainings: the legend quotes none for them.
    colors : sequence of str, optional
        Colours of the curves, in turn.

    Returns
    -------
    list of matplotlib.artist.Artist
        For each network the line and the band.
    """
    artists: list[Artist] = []
    colors = colors or COLORS
    for i, (name, band) in enumerate(bands.items()):
        spread = "" if name in untrained or np.isnan(band.auc_rms) else f" ± {band.auc_rms:.4f}"
        label = f"{literal(name)}: AUC {band.auc:.4f}{spread}"
        color, dashes = colors[i % len(colors)], DASHES[i // len(colors) % len(DASHES)]
        artists += ax.plot(GRID, np.maximum(band.mean, floor), dashes, color=color, lw=1.5, label=label)
        low, high = (np.maximum(band.mean + s * band.rms, floor) for s in (-1, 1))
        artists.append(ax.fill_between(GRID, low, high, color=color, alpha=0.2, lw=0))
    ax.set_yscale("log")
    ax.set_xlim(0, 1)
    ax.set_ylim(floor, 1)
    ax.set_xlabel("signal efficiency")
    ax.set_ylabel("background efficiency")
    if len(bands) <= INSIDE:
        ax.legend(loc="upper left")
    else:
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0))
    return artists


def plot_learning_curve(
    points: Mapping[str, Sequence[tuple[int, float, float]]],
    ax: Axes,
    fits: Mapping[str, Extrapolation] | None = None,
) -> list[Artist]:
    """Draw the AUC against the number of training events, or of steps.

    Parameters
    ----------
    points : mapping of str to sequence of (int, float, float)
        For each network the number of training events, and mean and standard deviation over trainings of the AUC.
    ax : matplotlib.axes.Axes
        Where to draw; its horizontal axis becomes logarithmic.
    fits : mapping of str to Extrapolation, optional
        Fits of `xaug.training.learning_curve.extrapolate`, by network: drawn dashed, with a point where they lead to.

    Returns
    -------
    list of matplotlib.artist.Artist
        The points of each network, with their error bars.
    """
    artists: list[Artist] = []
    for i, (name, values) in enumerate(points.items()):
        events, mean, rms = np.array(sorted(values)).T
        points_of_one = ax.errorbar(events, mean, rms, fmt="o-", color=f"C{i}", capsize=3, ms=4, label=literal(name))
        artists += points_of_one.get_children()
        fit = (fits or {}).get(name)
        if fit is not None:
            sizes = np.geomspace(events.min(), fit.at, 100)
            artists += ax.plot(sizes, fit.curve(sizes), "--", color=f"C{i}", lw=1)
            end = ax.errorbar([fit.at], [fit.auc], [fit.error], fmt="o", mfc="none", color=f"C{i}", capsize=3, ms=5)
            artists += end.get_children()
    ax.set_xscale("log")
    ticks = sorted({events for values in points.values() for events, _, _ in values})
    ticks += sorted({round(fit.at) for fit in (fits or {}).values()} - set(ticks))
    ax.set_xticks(ticks, [f"{t:,}" for t in ticks])
    ax.minorticks_off()
    ax.set_xlabel("training events")
    ax.set_ylabel("AUC (test split)")
    ax.legend(loc="lower right")
    return artists
