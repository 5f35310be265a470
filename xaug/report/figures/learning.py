"""Figures of how runs were trained: learning curves and training histories."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xaug.plots import figures
from xaug.plots.history import plot_history
from xaug.plots.roc import plot_learning_curve
from xaug.report.catalogue import GENERIC
from xaug.report.subjects import RunSizes, SingleRun
from xaug.report.words import noun

__all__ = ["draw_histories", "draw_learning_curve"]


@GENERIC.figure("learning_curve", "AUC against the size of the training sample", RunSizes)
def draw_learning_curve(subject: RunSizes, stem: Path) -> str:
    """Draw the AUC against the size of the training sample."""
    points: dict[str, list[tuple[int, float, float]]] = {}
    for name, runs in subject.sizes.items():
        points[name] = []
        for run in runs:
            auc = np.array([m["auc"] for m in run.metrics])
            points[name].append((run.training_events, float(auc.mean()), float(auc.std())))
    rows = noun(next(iter(subject.sizes.values()))[0].input_spec.kind)
    with figures.figure() as (fig, ax):
        plot_learning_curve(points, ax)
        ax.set_xlabel(f"training {rows}")
        figures.save(fig, stem)
    table = [(name, *point) for name, values in points.items() for point in sorted(values)]
    columns = dict(zip(("network", f"training_{rows}", "auc", "rms"), zip(*table, strict=True), strict=True))
    figures.save_table(stem, columns)
    return (
        f"AUC on the test split against the number of training {rows}. Error bars: standard deviations over trainings."
    )


@GENERIC.figure("history", "Loss by epoch", SingleRun)
def draw_histories(subject: SingleRun, stem: Path) -> str:
    """Draw the loss by epoch of all trainings of a run."""
    run = subject.run
    values = [run.history(i) for i in range(len(run))]
    with figures.figure() as (fig, ax):
        plot_history(values, ax)
        ax.set_title(figures.literal(run.name))
        figures.save(fig, stem)
    figures.save_numbers(stem, {str(i): v for i, v in enumerate(values)})
    return f"{run.name}: training and validation loss by epoch."
