"""Figures of a dataset: distributions and mean images of both classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xaug.data.dataset import Dataset
from xaug.plots import figures
from xaug.plots.distributions import class_histogram, plot_distribution
from xaug.plots.images import FRAMES, plot_image
from xaug.report.material import Figure, columns_of

__all__ = ["distributions", "mean_images"]

ROWS = 200_000
"""Jets at most that enter a distribution or a mean image."""


def distributions(data: Dataset, stem: Path, names: tuple[str, ...]) -> Figure:
    """Distributions of six inputs (figures 3 and 8)."""
    labels, numbers = data.table.labels(), {}
    with figures.figure(2, 3, size=(9.6, 5.4)) as (fig, axes):
        for (name, (values, label)), ax in zip(columns_of(data, names, ROWS).items(), axes.flat, strict=True):
            counts = class_histogram(values, label)
            plot_distribution(counts, labels[name], ax)
            numbers[name] = {
                "edges": counts.axes[0].edges.tolist(),
                "background": counts[:, 0].values().tolist(),
                "signal": counts[:, 1].values().tolist(),
            }
        axes[0, 0].legend()
        for ax in axes[:, 1:].flat:
            ax.set_ylabel("")
        figures.save(fig, stem)
    figures.save_numbers(stem, numbers)
    n = np.bincount(data.load("label", max_rows=ROWS)["label"], minlength=2)
    return Figure(stem, f"Input distributions of {n[1]} signal and {n[0]} background jets.")


def mean_images(data: Dataset, stem: Path) -> Figure:
    """Mean images of both classes (figures 4 and 9)."""
    arrays = data.load(["image", "label"], max_rows=ROWS)
    means = []
    for label in (0, 1):
        own = arrays["image"][arrays["label"] == label, :, :, 0]
        means.append(own.sum(axis=0, dtype=np.float64) / max(len(own), 1))
    frame = FRAMES[data.kind]
    with figures.figure(1, 2, size=(8.4, 3.8)) as (fig, axes):
        for label, ax in zip((1, 0), axes, strict=True):
            artist = plot_image(means[label], ax, vmax=np.max(means) or 1.0, frame=frame)
            ax.set_title(figures.CLASS_NAMES[label])
        fig.colorbar(artist, ax=list(axes), label=rf"mean {data.table.variables('image')[0].axis_label}")
        figures.save(fig, stem)
    figures.save_numbers(stem, {"background": means[0].tolist(), "signal": means[1].tolist()})
    return Figure(stem, f"Mean jet images. {frame.caption} The right half is the heavier.")
