"""ROC curves, with the spread over trainings as a band; learning curves."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from xaug.core.statistics import sample_deviation
from xaug.core.types import Array
from xaug.data.weights import effective_number
from xaug.plots.figures import literal, series_style
from xaug.training.intervals import CONFIDENCE, auc_interval, efficiency_limit
from xaug.training.learning_curve import Extrapolation
from xaug.training.metrics import area, background_efficiency, roc

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

__all__ = ["GRID", "RocBand", "plot_learning_curve", "plot_roc", "roc_band"]

INSIDE = 4
"""Largest number of curves whose legend finds room within the axes."""
CROWDED = 0.999
"""AUC above which 1 - AUC is quoted."""
CROWDED_POINTS = 0.9
"""Points of a learning curve that are all above it are shown as 1 - AUC, on a logarithmic axis."""
GRID = np.linspace(0.01, 1.0, 100)
"""Signal efficiencies at which curves are averaged."""


@dataclass(frozen=True)
class RocBand:
    """Background efficiency at the signal efficiencies of GRID, averaged over trainings.

    Attributes
    ----------
    mean, rms : ndarray (100,)
        Mean and standard deviation (ddof 1) over trainings of the background efficiency; nan for a single training.
    auc, auc_rms : float
        Mean and standard deviation (ddof 1) over trainings of the area under the curve; nan for a single training.
    auc_limit : float or None
        Lower limit of the area at 95% CL where no pair of events is in the wrong order in any training.
    limit : (n,) array
        Upper limits of the background efficiency at 95% CL where fewer than one background event passes in one of the
        trainings; nan elsewhere.
    """

    mean: Array
    rms: Array
    auc: float
    auc_rms: float
    auc_limit: float | None = None
    limit: Array = field(default_factory=lambda: np.full(len(GRID), np.nan))


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
    limit = None
    if np.allclose(areas, 1.0, rtol=0, atol=1e-12):
        lower = [
            auc_interval(one[0], one[1], one[2] if len(one) > 2 else None, 2 * CONFIDENCE - 1)[0] for one in curves
        ]
        limit = float(np.mean(lower))
    return RocBand(
        efficiencies.mean(axis=0), sample_deviation(efficiencies), float(areas.mean()), float(sample_deviation(areas)),
        limit, _limits(efficiencies, curves[0]),
    )  # fmt: skip


def _limits(efficiencies: Array, curve: tuple[Array, ...]) -> Array:
    """Upper limits (n,) of background efficiencies (trainings, n) of a curve (label, score, ...); nan if measured."""
    label, _, *weights = curve
    events = effective_number(weights[0][label == 0]) if weights else float((label == 0).sum())
    few = efficiencies.min(axis=0) * events < 1 - 1e-9
    mean = efficiencies.mean(axis=0)
    known = {value: efficiency_limit(float(value), events) for value in np.unique(mean[few])}
    return np.array([known[value] if own else np.nan for value, own in zip(mean, few, strict=True)])


def plot_roc(
    bands: Mapping[str, RocBand],
    ax: Axes,
    floor: float,
    untrained: Collection[str] = (),
    colors: Sequence[str] | None = None,
    inside: int = INSIDE,
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
    inside : int
        Largest number of curves whose legend is within the axes.

    Returns
    -------
    list of matplotlib.artist.Artist
        For each network the line and the band.
    """
    artists: list[Artist] = []
    for i, (name, band) in enumerate(bands.items()):
        spread = None if name in untrained or np.isnan(band.auc_rms) else band.auc_rms
        style = {"color": colors[i % len(colors)], "linestyle": "-"} if colors else series_style(i)
        color, label = style["color"], f"{literal(name)}: {auc_text(band.auc, spread, band.auc_limit)}"
        artists += ax.plot(GRID, np.maximum(band.mean, floor), lw=1.5, label=label, **style)
        low, high = (np.maximum(band.mean + s * band.rms, floor) for s in (-1, 1))
        artists.append(ax.fill_between(GRID, low, high, color=color, alpha=0.2, lw=0))
    ax.set_yscale("log")
    ax.set_xlim(0, 1)
    ax.set_ylim(floor, 1)
    lowest = [i for i, band in enumerate(bands.values()) if (band.mean[:-1] <= floor).all()]
    if lowest:  # their lines would be the frame itself
        ax.set_ylim(floor / 4, 1)
        whose = "All curves" if len(lowest) == len(bands) else ", ".join(literal(list(bands)[i]) for i in lowest)
        text = f"{whose}: no background event passes,\nthe line is the efficiency of half an event"
        ax.text(0.5, 0.02, text, transform=ax.transAxes, ha="center", va="bottom", fontsize=8)
    ax.set_xlabel("signal efficiency")
    ax.set_ylabel("background efficiency")
    if len(bands) <= inside:
        ax.legend(loc="best")  # the upper left, or where weak networks have their curves there, the lower right
    else:
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0))
    return artists


def auc_text(auc: float, spread: float | None, limit: float | None = None) -> str:
    """Write an AUC with its spread over trainings; close to 1, what it lacks to it; at 1, its limit.

    Parameters
    ----------
    auc : float
        Area under the curve.
    spread : float or None
        Standard deviation over trainings; None if there is none.
    limit : float, optional
        Lower limit at 95% CL, see `RocBand`.

    Returns
    -------
    str
        As "AUC 0.9773 ± 0.0009", "1 − AUC = 3.2e-04 ± 1.1e-04" or "1 − AUC < 7.5e-03 (95% CL)".
    """
    if limit is not None:
        return f"1 \u2212 AUC < {1 - limit:.1e} ({100 * CONFIDENCE:.0f}% CL)"
    if CROWDED < auc < 1:
        return f"1 \u2212 AUC = {1 - auc:.1e}" + ("" if spread is None else f" ± {spread:.1e}")
    return f"AUC {auc:.4f}" + ("" if spread is None else f" ± {spread:.4f}")


def plot_learning_curve(
    points: Mapping[str, Sequence[tuple[float, ...]]],
    ax: Axes,
    fits: Mapping[str, Extrapolation] | None = None,
) -> list[Artist]:
    """Draw the AUC, or where all are above 0.9 what they lack to 1, against the number of training events or steps.

    The inner error bars, with caps, are the spread over trainings; the outer ones add the error of the test sample.

    Parameters
    ----------
    points : mapping of str to sequence of tuple
        For each network the number of training events, mean and standard deviation over trainings of the AUC (nan for
        a single training), and, where it is known, its error from the size of the test sample.
    ax : matplotlib.axes.Axes
        Where to draw; its horizontal axis becomes logarithmic.
    fits : mapping of str to Extrapolation, optional
        Fits of `xaug.training.learning_curve.extrapolate`, by network: drawn dashed, with a point where they lead to.

    Returns
    -------
    list of matplotlib.artist.Artist
        The points of each network, with their error bars.
    """
    found = [auc for values in points.values() for _, auc, *_ in values]
    crowded = min(found) > CROWDED_POINTS and max(found) < 1

    def shown(auc: Any) -> Any:
        return 1 - auc if crowded else auc

    artists: list[Artist] = []
    for i, (name, values) in enumerate(points.items()):
        events, auc, rms, test = np.array(sorted((*value, 0.0)[:4] for value in values)).T
        rms, style = np.nan_to_num(rms), series_style(i)
        points_of_one = ax.errorbar(events, shown(auc), rms, fmt="o", capsize=3, ms=4, label=literal(name), **style)
        artists += points_of_one.get_children()
        outer = ax.errorbar(events, shown(auc), np.hypot(rms, test), fmt="none", ecolor=style["color"], elinewidth=0.7)
        artists += outer.get_children()
        fit = (fits or {}).get(name)
        if fit is not None:
            sizes = np.geomspace(events.min(), fit.at, 100)
            color = style["color"]
            artists += ax.plot(sizes, shown(fit.curve(sizes)), "--", color=color, lw=1)
            end = ax.errorbar(
                [fit.at], [shown(fit.auc)], [fit.error], fmt="o", mfc="none", color=color, capsize=3, ms=5
            )
            artists += end.get_children()
    ax.set_xscale("log")
    ticks = sorted({events for values in points.values() for events, *_ in values})
    ticks += sorted({round(fit.at) for fit in (fits or {}).values()} - set(ticks))
    ax.set_xticks(ticks, [f"{t:,}" for t in ticks])
    ax.minorticks_off()
    ax.set_xlabel("training events")
    ax.set_ylabel("1 \u2212 AUC (test split)" if crowded else "AUC (test split)")
    if crowded:
        ax.set_yscale("log")
    ax.legend(loc="upper right" if crowded else "lower right")
    return artists
