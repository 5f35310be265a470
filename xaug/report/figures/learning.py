"""Figures of how runs were trained: learning curves and training histories."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from xaug.core.statistics import sample_deviation
from xaug.core.types import JsonObject
from xaug.plots import figures
from xaug.plots.history import plot_history
from xaug.plots.roc import plot_learning_curve
from xaug.report.catalogue import GENERIC
from xaug.report.run_label import network_label, run_label, run_labels, run_title
from xaug.report.run_series import RunSteps
from xaug.report.subjects import RunSizes, TrainedRun
from xaug.report.words import noun
from xaug.training.learning_curve import LEAST_POINTS, CurvePoint, Extrapolation, auc_error, extrapolate
from xaug.training.runs import Run

__all__ = ["draw_histories", "draw_learning_curve", "draw_step_curve", "size_curve", "step_curve"]

FARTHER = 4
"""Multiple of the largest size to which curves are extrapolated, where no other size is asked for."""


@GENERIC.figure("learning_curve", "AUC against the size of the training sample", RunSizes)
def draw_learning_curve(subject: RunSizes, stem: Path) -> str:
    """Draw the AUC against the size of the training sample, extrapolated to four times the largest."""
    return size_curve(subject, stem)


@GENERIC.figure("step_curve", "AUC against the number of training steps", RunSteps)
def draw_step_curve(subject: RunSteps, stem: Path) -> str:
    """Draw the AUC against the number of steps, extrapolated to four times the largest."""
    return step_curve(subject, stem)


def size_curve(subject: RunSizes, stem: Path, at: float | None = None) -> str:
    """Draw the AUC against the size of the training sample, extrapolated to a size; return the caption."""
    rows = noun(next(iter(subject.sizes.values()))[0].input_spec.kind)
    return _draw_curves(subject.sizes, lambda run: run.training_events, f"training {rows}", stem, at)


def step_curve(subject: RunSteps, stem: Path, at: float | None = None) -> str:
    """Draw the AUC against the number of steps, extrapolated to a number of them; return the caption."""
    return _draw_curves(subject.series, _mean_steps, "steps", stem, at)


def _mean_steps(run: Run) -> int:
    """Steps until a training of a run stopped, on average."""
    return round(float(np.mean([run.steps(i)[0] for i in range(len(run))])))


def _draw_curves(
    series: Mapping[str, Sequence[Run]], size: Callable[[Run], int], what: str, stem: Path, at: float | None
) -> str:
    """Draw the AUC of series of runs against a size of theirs."""
    labels = run_labels([next(run for run in runs if run.name == name) for name, runs in series.items()], network_label)
    points: dict[str, list[tuple[int, float, float, float]]] = {}
    fits: dict[str, Extrapolation] = {}
    columns: dict[str, list[str | int | float]] = {
        name: [] for name in ("network", what.replace(" ", "_"), "steps", "kept_at_step", "auc", "rms", "test_error")
    }
    for name, runs in series.items():
        points[name] = []
        for run in sorted(runs, key=size):
            auc = np.array([m["auc"] for m in run.metrics])
            mean = float(auc.mean())
            points[name].append((size(run), mean, float(sample_deviation(auc)), test_error(run, mean)))
            steps, kept = np.mean([run.steps(i) for i in range(len(run))], axis=0)
            row = {"network": name, "steps": round(steps), "kept_at_step": round(kept)}
            row |= dict(zip((what.replace(" ", "_"), "auc", "rms", "test_error"), points[name][-1], strict=True))
            for column, values in columns.items():
                values.append(row[column])
        if len({events for events, *_ in points[name]}) >= LEAST_POINTS:
            fits[name] = extrapolate(curve_points(runs, size), at or FARTHER * max(map(size, runs)))
    with figures.figure() as (fig, ax):
        plot_learning_curve(
            {labels[name]: own for name, own in points.items()}, ax, {labels[name]: fit for name, fit in fits.items()}
        )
        ax.set_xlabel(what)
        figures.save(fig, stem)
    figures.save_table(stem, columns)
    figures.save_numbers(stem, {name: _numbers(fit) for name, fit in fits.items()})
    caption = (
        f"AUC on the test split against the number of {what}. Error bars with caps: standard deviations over "
        "trainings; thin ones: with the error of the test sample."
    )
    if fits:
        found = "; ".join(
            f"{labels[name]} {fit.auc:.4f} ± {fit.error:.4f} at {fit.at:,.0f}" for name, fit in fits.items()
        )
        caption += (
            " Dashed: fits of 1 - AUC = a + b x^-c with a, b >= 0, which lead to the open points. They extrapolate to: "
            f"{found}. The errors follow from those of the points; they do not tell whether the power law holds so far "
            "out."
        )
    return caption


def curve_points(runs: Sequence[Run], size: Callable[[Run], int]) -> list[CurvePoint]:
    """The points of a learning curve with standard errors of their means.

    The spread over two or four trainings is itself uncertain, so that of a point counts as no less than the median of
    all points. Where no point has two trainings, the error of the AUC from the number of test events takes its place.
    """
    auc = [np.array([m["auc"] for m in run.metrics]) for run in runs]
    spreads = [float(sample_deviation(own)) for own in auc if len(own) > 1]
    typical = float(np.median(spreads)) if spreads else 0.0
    points = []
    for run, own in zip(runs, auc, strict=True):
        spread = np.fmax(sample_deviation(own), typical) / np.sqrt(len(own))
        if spread == 0:
            spread = test_error(run, float(own.mean()))
        points.append(CurvePoint(size(run), float(own.mean()), float(spread)))
    return points


def test_error(run: Run, auc: float) -> float:
    """The error of an AUC that comes from the number of test events (Hanley and McNeil)."""
    label = run.scores(0)["label"]
    signal = int((label == 1).sum())
    return float(auc_error(auc, signal, len(label) - signal))


def _numbers(fit: Extrapolation) -> JsonObject:
    return {**vars(fit)}


@GENERIC.figure("history", "Loss by epoch", TrainedRun)
def draw_histories(subject: TrainedRun, stem: Path) -> str:
    """Draw the loss by epoch, or by step in a training by steps, of all trainings of a run."""
    run = subject.run
    values = [run.history(i) for i in range(len(run))]
    with figures.figure() as (fig, ax):
        plot_history(values, ax, run.unit)
        figures.set_title(ax, run_label(run))
        figures.save(fig, stem)
    figures.save_numbers(stem, {str(i): v for i, v in enumerate(values)})
    return f"{run_title(run_label(run), run.name)}: training and validation loss by {run.unit}."
