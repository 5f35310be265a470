"""Figures of single events: images and the relevance of their pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xaug.plots import figures
from xaug.plots.images import frame_of, plot_heatmap, plot_image
from xaug.report.catalogue import GENERIC, Needs
from xaug.report.explained_run import ExplainedRun, Shape
from xaug.report.subjects import ExplainedEvents
from xaug.report.words import noun

__all__ = ["draw_heatmaps"]

OF_EACH_CLASS = 2
"""Events shown of each class."""


def typical_events(explained: ExplainedRun) -> list[int]:
    """For each class, the correctly recognised events whose score is closest to the median of such events."""
    label, score = explained.label, explained.scores[0]
    predicted = explained.predicted
    chosen: list[int] = []
    for of in reversed(range(len(explained.classes))):
        right = np.flatnonzero((label == of) & (predicted == of))
        if len(right):
            order = np.argsort(np.abs(score[right] - np.median(score[right])), kind="stable")
            chosen += right[order][:OF_EACH_CLASS].tolist()
    return chosen


@GENERIC.figure(
    "heatmaps", "Images of single events and the relevance of their pixels", ExplainedEvents,
    needs=Needs((Shape.IMAGE,)),
)  # fmt: skip
def draw_heatmaps(subject: ExplainedEvents, stem: Path) -> str:
    """Draw images of two typical events of each class, and the relevance of their pixels in the first training."""
    explained = subject.explained
    block = next(block for block, shape in explained.shapes.items() if shape is Shape.IMAGE)
    relevance = explained.attributions[0].relevance[block]
    chosen = typical_events(explained)
    rows = explained.rows[chosen]
    order = np.argsort(rows)
    images = np.empty((len(rows), *relevance.shape[1:3]), dtype=np.float32)
    if len(rows):
        images[order] = explained.data.load_rows([block], explained.split, rows[order])[block][..., 0]
    frame = frame_of(explained.data.kind)
    columns = OF_EACH_CLASS * len(explained.classes)
    with figures.figure(2, columns, size=(2.8 * columns, 5.6)) as (fig, axes):
        for column, event in enumerate(chosen):
            top = plot_image(images[column], axes[0, column], vmin=1e-4, frame=frame)
            heat = relevance[event, :, :, 0]
            bottom = plot_heatmap(heat / (np.abs(heat).max() or 1.0), axes[1, column], limit=1.0, frame=frame)
            name = figures.literal(explained.classes[explained.label[event]])
            axes[0, column].set_title(f"{name}, score {explained.scores[0][event]:.2f}")
        for ax in axes[:, len(chosen) :].flat:  # a class that is never recognised leaves its panels empty
            ax.set_axis_off()
        if chosen:
            pixel = explained.data.table.variables(block)[0]
            fig.colorbar(top, ax=list(axes[0]), label=figures.formula(pixel.axis_label))
            fig.colorbar(bottom, ax=list(axes[1]), label="relevance / that of the strongest pixel")
        for ax in axes[:, 1:].flat:
            ax.set_ylabel("")
        for ax in axes[0]:
            ax.set_xlabel("")
        figures.save(fig, stem)
    numbers = {
        "events": rows.tolist(),
        "images": images.tolist(),
        "relevance": [relevance[event, :, :, 0].tolist() for event in chosen],
    }
    figures.save_numbers(stem, numbers)
    return (
        f"{explained.title}, training 1: correctly recognised {noun(explained.data.kind)} of median score in their "
        f"class (top), and the relevance of their pixels ({explained.words}; bottom). Blue supports the explained "
        f"class, orange opposes it. {frame.caption}"
    ).rstrip()
