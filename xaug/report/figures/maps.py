"""Figures of explained runs over two variables: the score, or the relevance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xaug.core.types import Array
from xaug.explain.analysis.binned import VariableMap, relevance_map, score_map
from xaug.explain.analysis.binning import bins_for
from xaug.plots import figures
from xaug.plots.binned import plot_map
from xaug.report.catalogue import GENERIC, Needs
from xaug.report.explained_run import ExplainedRun, Shape
from xaug.report.figures.explanations import SHOWN_TRAININGS, SIDE_BY_SIDE
from xaug.report.subjects import ExplainedEvents
from xaug.report.words import NORMALISED, counted, noun

__all__ = ["draw_map_of_first_two", "draw_relevance_map", "draw_score_map"]

IN_SCALE = 0.95
"""Share of the cells that lie within the scale of a map of relevance: cells with a few events would else set it."""


@GENERIC.figure(
    "relevance_map", "Relevance over the two most relevant variables", ExplainedEvents,
    needs=Needs((Shape.VECTOR,), count=2),
)  # fmt: skip
def draw_map_of_first_two(subject: ExplainedEvents, stem: Path) -> str:
    """Draw the mean relevance over the two most relevant variables."""
    x, y = subject.explained.first_variables[:2]
    return draw_relevance_map(subject, stem, x, y)


def draw_score_map(subject: ExplainedEvents, stem: Path, x: str, y: str) -> str:
    """Draw the mean score over two variables, trainings side by side."""
    explained = subject.explained
    found = score_map(explained.scores, explained.label, explained.values, x, y, bins=_bins(explained))
    shown = list(found.training_mean[:SHOWN_TRAININGS])
    _draw(explained, found, shown, stem, (0.0, 1.0), "mean score", side_by_side=True, beyond="neither")
    return _caption(explained, "predicted score", x, y, "")


def draw_relevance_map(subject: ExplainedEvents, stem: Path, x: str, y: str, side_by_side: bool = False) -> str:
    """Draw the sum of the relevances of two variables over them, as a mean over trainings or side by side."""
    explained = subject.explained
    found = relevance_map(
        explained.attributions, explained.values, x, y, scores=explained.scores, bins=_bins(explained)
    )
    shown = list(found.training_mean[:SHOWN_TRAININGS]) if side_by_side else [found.mean]
    largest = float(np.nanquantile(np.abs(shown), IN_SCALE)) if np.isfinite(shown).any() else 0.0
    limits = (-(largest or 1.0), largest or 1.0)
    label = figures.literal(explained.relevance_name)
    _draw(explained, found, shown, stem, limits, label, side_by_side, beyond="both")
    quantity = f"sum of the normalised relevances of both variables ({explained.words})"
    averaged = "" if side_by_side else f", mean over {counted(len(found.training_mean), 'training')}"
    return f"{_caption(explained, quantity, x, y, averaged)} {NORMALISED}"


def _bins(explained: ExplainedRun) -> int:
    return bins_for(len(explained.label), axes=2)


def _draw(
    explained: ExplainedRun,
    found: VariableMap,
    shown: Sequence[Array],
    stem: Path,
    limits: tuple[float, float],
    label: str,
    side_by_side: bool,
    beyond: str,
) -> None:
    x, y = found.x, found.y
    with figures.figure(1, len(shown), size=(1.8 + 2.7 * len(shown), 3.3), **SIDE_BY_SIDE) as (fig, axes):
        for i, (mean, ax) in enumerate(zip(shown, axes.flat, strict=True)):
            drawn = VariableMap(found.quantity, x, y, found.x_edges, found.y_edges, found.counts, mean, mean[None])
            artist = plot_map(drawn, explained.labels[x], explained.labels[y], ax, limits)
            if i:
                ax.set_ylabel("")
            if side_by_side:
                ax.set_title(f"training {i + 1}")
        fig.colorbar(artist, ax=list(axes.flat), label=label, extend=beyond)
        figures.save(fig, stem)
    numbers = {
        "x": x,
        "y": y,
        "x_edges": found.x_edges.tolist(),
        "y_edges": found.y_edges.tolist(),
        **{name: own.tolist() for name, own in zip(explained.classes, found.counts, strict=False)},
        "trainings": figures.without_nan(found.training_mean).tolist(),
    }
    figures.save_numbers(stem, numbers)


def _caption(explained: ExplainedRun, quantity: str, x: str, y: str, averaged: str) -> str:
    labels = explained.labels
    background, signal = explained.classes[0], explained.classes[-1]
    colors = f"Blue is towards {signal}, orange towards {background}"
    if len(explained.classes) > 2:
        colors = "Blue supports what is explained, orange opposes it"
    return (
        f"{explained.title}: mean {quantity} over {labels[x].text} and {labels[y].text}{averaged}. {colors}, grey "
        f"where there are no {noun(explained.data.kind)}; hatched cells have fewer than {figures.FEW} of them."
    )
