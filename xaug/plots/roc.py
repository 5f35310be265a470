"""ROC curves, with the spread over trainings as a band; learning curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xaug.training.metrics import background_efficiency, roc

__all__ = ["GRID", "RocBand", "plot_learning_curve", "plot_roc", "roc_band"]

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Of Okabe and Ito, which the colour-blind can tell apart; dashes beyond."""
DASHES = ("-", "--", ":")
INSIDE = 4
"""Curves whose legend finds room within the axes."""
GRID = np.linspace(0.01, 1.0, 100)
"""Signal efficiencies at which curves are averaged."""


@dataclass(frozen=True)
class RocBand:
    """Background efficiency at the signal efficiencies of GRID: mean and spread over trainings."""

    mean: np.ndarray
    rms: np.ndarray
    auc: float
    auc_rms: float


def roc_band(curves: list[tuple[np.ndarray, ...]]) -> RocBand:
    """The band of several trainings, from their (label, score) or (label, score, weight)."""
    from sklearn.metrics import auc

    found = [roc(*curve) for curve in curves]
    efficiencies = np.array([background_efficiency(*curve, GRID) for curve in found])
    areas = np.array([auc(*curve) for curve in found])
    return RocBand(efficiencies.mean(axis=0), efficiencies.std(axis=0), float(areas.mean()), float(areas.std()))


def plot_roc(bands: dict[str, RocBand], ax, floor: float) -> list:
    """Background against signal efficiency, logarithmic, a band a network.

    Parameters
    ----------
    bands
        by name
    ax : matplotlib axes
    floor
        smallest background efficiency that is drawn: what the number of background events resolves
    """
    artists = []
    for i, (name, band) in enumerate(bands.items()):
        label = f"{name}: AUC {band.auc:.4f} ± {band.auc_rms:.4f}"
        color, dashes = COLORS[i % len(COLORS)], DASHES[i // len(COLORS) % len(DASHES)]
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


def plot_learning_curve(points: dict[str, list[tuple[int, float, float]]], ax) -> list:
    """AUC against the number of training jets: (jets, mean, spread over trainings) by network."""
    artists = []
    for i, (name, values) in enumerate(points.items()):
        jets, mean, rms = np.array(sorted(values)).T
        artists.append(ax.errorbar(jets, mean, rms, fmt="o-", color=f"C{i}", capsize=3, ms=4, label=name))
    ax.set_xscale("log")
    ticks = sorted({jets for values in points.values() for jets, _, _ in values})
    ax.set_xticks(ticks, [f"{t:,}" for t in ticks])
    ax.minorticks_off()
    ax.set_xlabel("training jets")
    ax.set_ylabel("AUC (test split)")
    ax.legend(loc="lower right")
    return artists
