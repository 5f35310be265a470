"""Figures of a dataset: distributions and mean images of both classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xaug.core.errors import unknown_name
from xaug.core.types import Array
from xaug.data.dataset import Dataset
from xaug.explain.analysis.binning import bins_for
from xaug.plots import figures
from xaug.plots.distributions import class_histogram, plot_distribution
from xaug.plots.images import frame_of, plot_image
from xaug.report.catalogue import GENERIC, Needs
from xaug.report.explained_run import Shape, shapes_of
from xaug.report.subjects import WholeDataset
from xaug.report.words import noun

__all__ = ["columns_of", "draw_distributions", "draw_images", "separation"]

ROWS = 200_000
"""Events at most that enter a distribution or a mean image."""
COLUMNS = 3
"""Panels in a row."""
PANELS = 6
"""Variables in a figure of distributions."""


def block_of(data: Dataset, shape: Shape) -> str:
    """The first block of a dataset that has this shape."""
    return next(block for block, own in shapes_of(data.table, data.table.blocks).items() if own is shape)


def columns_of(data: Dataset, names: Sequence[str], max_rows: int) -> dict[str, tuple[Array, Array]]:
    """Values and classes (n,) of expert variables and of columns of lists, these of all particles, by name."""
    table = data.table
    shapes = shapes_of(table, table.blocks)
    known = {name: block for block in table.blocks if shapes[block] is not Shape.IMAGE for name in table.names(block)}
    for name in names:
        if name not in known:
            raise unknown_name(f"variable of {data.path}", name, known)
    blocks = list(dict.fromkeys(known[name] for name in names))
    arrays = data.load([*table.fields(blocks), "label"], max_rows=max_rows)
    label, found = arrays["label"], {}
    for name in names:
        values = arrays[known[name]][..., table.names(known[name]).index(name)]
        if values.ndim == 1:
            found[name] = values, label
        else:
            real = arrays["mask"].astype(bool) if "mask" in arrays else np.ones(values.shape, dtype=bool)
            found[name] = values[real], np.broadcast_to(label[:, None], values.shape)[real]
    return found


def separation(values: Array, label: Array) -> float:
    """How well a variable alone separates classes: |AUC - 1/2|, of more than two the largest of one against the rest.

    It is 0 where there is one class only.
    """
    if label.max(initial=0) > 1:
        return max(separation(values, (label == one).astype(int)) for one in range(int(label.max()) + 1))
    from scipy.stats import rankdata

    signal, total = int((label == 1).sum()), len(label)
    if signal in (0, total):
        return 0.0
    rank_sum = rankdata(values)[label == 1].sum()
    return abs(float((rank_sum - signal * (signal + 1) / 2) / (signal * (total - signal))) - 0.5)


@GENERIC.figure(
    "distributions", "Distributions of the variables that separate the classes best", WholeDataset,
    needs=Needs((Shape.VECTOR,)),
)  # fmt: skip
def draw_separating(subject: WholeDataset, stem: Path) -> str:
    """Draw the distributions of the six expert variables that separate the classes best, each taken alone."""
    data = subject.data
    columns = columns_of(data, data.table.names(block_of(data, Shape.VECTOR)), ROWS)
    best = sorted(columns, key=lambda name: -separation(*columns[name]))[:PANELS]
    return draw_distributions(subject, stem, best) + " They are the variables that separate the classes best alone."


def draw_distributions(subject: WholeDataset, stem: Path, names: Sequence[str]) -> str:
    """Draw the distributions of up to six variables."""
    data = subject.data
    labels = data.table.labels()
    numbers: dict[str, dict[str, list[float]]] = {}
    rows = max(1, -(-len(names) // COLUMNS))
    with figures.figure(rows, COLUMNS, size=(9.6, 2.7 * rows), squeeze=False) as (fig, axes):
        for ax in list(axes.flat)[len(names) :]:
            ax.remove()
        for (name, (values, label)), ax in zip(columns_of(data, names, ROWS).items(), axes.flat, strict=False):
            counts = class_histogram(values, label, bins_for(len(values)), len(data.classes))
            plot_distribution(counts, labels[name], ax, data.classes)
            numbers[name] = {
                "edges": counts.axes[0].edges.tolist(),
                **{of: counts[:, i].values().tolist() for i, of in enumerate(data.classes)},
            }
        axes[0, 0].legend()
        for ax in axes[:, 1:].flat:
            ax.set_ylabel("")
        figures.save(fig, stem)
    figures.save_numbers(stem, numbers)
    n = np.bincount(data.load("label", max_rows=ROWS)["label"], minlength=len(data.classes))
    numbers_of = [f"{count} {name}" for count, name in zip(n[::-1], data.classes[::-1], strict=True)]
    shown = f"{', '.join(numbers_of[:-1])} and {numbers_of[-1]}"
    hatched = f"Hatched bins have fewer than {figures.FEW}."
    return f"Distributions of input variables for {shown} {noun(data.kind)}. {hatched}"


@GENERIC.figure("images", "Mean images of the classes", WholeDataset, needs=Needs((Shape.IMAGE,)))
def draw_images(subject: WholeDataset, stem: Path) -> str:
    """Draw the mean images of both classes."""
    data = subject.data
    block = block_of(data, Shape.IMAGE)
    arrays = data.load([block, "label"], max_rows=ROWS)
    means = []
    for label in range(len(data.classes)):
        own = arrays[block][arrays["label"] == label, :, :, 0]
        means.append(own.sum(axis=0, dtype=np.float64) / max(len(own), 1))
    frame = frame_of(data.kind)
    k = len(means)
    with figures.figure(1, k, size=(4.2 * k, 3.8)) as (fig, axes):
        for label, ax in zip(reversed(range(k)), axes, strict=True):
            artist = plot_image(means[label], ax, vmax=np.max(means) or 1.0, frame=frame)
            ax.set_title(data.classes[label])
        fig.colorbar(artist, ax=list(axes), label=rf"mean {data.table.variables(block)[0].axis_label}")
        figures.save(fig, stem)
    figures.save_numbers(stem, {name: mean.tolist() for name, mean in zip(data.classes, means, strict=True)})
    which = "both" if k == 2 else "all"
    return f"Mean images of {which} classes. {frame.caption}".rstrip()
