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
from xaug.report.words import counted, noun

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
    fields = [*table.fields(dict.fromkeys(known[name] for name in names)), "label"]
    parts: dict[str, list[tuple[Array, Array]]] = {name: [] for name in names}
    for arrays in data.iterate(fields, max_rows=max_rows):
        label = arrays["label"]
        for name in names:
            # copies, for the other columns of the part to be forgotten
            values = arrays[known[name]][..., table.names(known[name]).index(name)].copy()
            if values.ndim == 1:
                parts[name].append((values, label))
            else:
                real = arrays["mask"].astype(bool) if "mask" in arrays else np.ones(values.shape, dtype=bool)
                parts[name].append((values[real], np.broadcast_to(label[:, None], values.shape)[real]))
    return {
        name: (np.concatenate([values for values, _ in found]), np.concatenate([label for _, label in found]))
        for name, found in parts.items()
    }


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
    return draw_distributions(subject, stem, best) + (
        f" The {counted(len(best), 'variable')} shown separate the classes best, each taken alone."
    )


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
    hatched = f"Hatched bins have fewer than {figures.FEW} {noun(data.kind)}."
    return f"Distributions of input variables for {shown} {noun(data.kind)}. {hatched}"


def _mean_images(data: Dataset, block: str) -> Array:
    """Mean images (classes, height, width) of the first column of a block; zero for a class without events."""
    sums = np.zeros((len(data.classes), *data.table.block(block).shape))
    events = np.zeros(len(data.classes))
    for arrays in data.iterate([block, "label"], max_rows=ROWS):
        for label in range(len(data.classes)):
            own = arrays["label"] == label
            sums[label] += arrays[block][own, :, :, 0].sum(axis=0, dtype=np.float64)
            events[label] += own.sum()
    means: Array = sums / np.maximum(events, 1)[:, None, None]
    return means


@GENERIC.figure("images", "Mean images of the classes", WholeDataset, needs=Needs((Shape.IMAGE,)))
def draw_images(subject: WholeDataset, stem: Path) -> str:
    """Draw the mean images of both classes."""
    data = subject.data
    block = block_of(data, Shape.IMAGE)
    means = _mean_images(data, block)
    frame = frame_of(data.kind)
    k = len(means)
    with figures.figure(1, k, size=(4.2 * k, 3.8)) as (fig, axes):
        for label, ax in zip(reversed(range(k)), axes, strict=True):
            artist = plot_image(means[label], ax, vmax=np.max(means) or 1.0, frame=frame)
            ax.set_title(figures.literal(data.classes[label]))
        fig.colorbar(artist, ax=list(axes), label=f"mean {figures.formula(data.table.variables(block)[0].axis_label)}")
        figures.save(fig, stem)
    figures.save_numbers(stem, {name: mean.tolist() for name, mean in zip(data.classes, means, strict=True)})
    which = "both" if k == 2 else "all"
    return f"Mean images of {which} classes. {frame.caption}".rstrip()
