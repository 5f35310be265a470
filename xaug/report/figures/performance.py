"""Figures of how well runs separate the classes: ROC curves and scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xaug.core.types import Array
from xaug.plots import figures
from xaug.plots.roc import GRID, plot_roc, roc_band
from xaug.plots.scores import SCORE_EDGES, plot_scores
from xaug.report.catalogue import GENERIC
from xaug.report.subjects import AllRuns, SingleRun
from xaug.report.words import noun

__all__ = ["draw_rocs", "draw_scores"]


@GENERIC.figure("roc", "ROC curves of all networks", AllRuns)
def draw_rocs(subject: AllRuns, stem: Path) -> str:
    """Draw the ROC curves of all runs, with the spread over trainings, and those of single numbers without training."""
    bands, n_background = {}, 0
    for run in subject.runs:
        scores = [run.scores(i) for i in range(len(run))]
        bands[run.name] = roc_band([(s["label"], s["score"], s["weight"]) for s in scores])
        n_background = max(n_background, int((scores[0]["label"] == 0).sum()))
    untrained = []
    for one in subject.discriminants:
        bands[one.name] = roc_band([tuple(one.scores[name] for name in ("label", "score", "weight"))])
        untrained.append(f" {one.name} is {one.meaning}, a single number without training.")
    with figures.figure(size=(6.4 if len(bands) <= 4 else 9.6, 4.6)) as (fig, ax):
        plot_roc(bands, ax, floor=0.5 / n_background, untrained=[one.name for one in subject.discriminants])
        figures.save(fig, stem)
    columns = {"signal_efficiency": GRID}
    for name, band in bands.items():
        columns |= {f"{name}_background_efficiency": band.mean, f"{name}_rms": band.rms}
    figures.save_table(stem, columns)
    rows = noun(subject.runs[0].input_spec.kind)
    return (
        f"ROC curves on the test split ({n_background} background {rows}). Lines are means over trainings, bands their "
        "standard deviation. A curve ends at the background efficiency that half an event would have."
        + "".join(untrained)
    )


@GENERIC.figure("scores", "Distributions of the score of each class", SingleRun)
def draw_scores(subject: SingleRun, stem: Path) -> str:
    """Draw the distributions of the scores of both classes, with the spread over trainings."""
    run = subject.run
    counts = np.zeros((len(run), 2, len(SCORE_EDGES) - 1))
    for i in range(len(run)):
        found = run.scores(i)
        for label in (0, 1):
            chosen = found["label"] == label
            counts[i, label] = np.histogram(found["score"][chosen], SCORE_EDGES, weights=found["weight"][chosen])[0]
    with figures.figure() as (fig, ax):
        plot_scores(counts, ax)
        ax.set_title(figures.literal(run.name))
        figures.save(fig, stem)
    columns: dict[str, Array] = {"low": SCORE_EDGES[:-1], "high": SCORE_EDGES[1:]}
    for label, name in enumerate(figures.CLASS_NAMES):
        columns |= {name: counts[:, label].mean(axis=0), f"{name}_rms": counts[:, label].std(axis=0)}
    figures.save_table(stem, columns)
    return (
        f"{run.name}: distribution of the score of each class on the test split, each of unit area. Lines are means "
        f"over {len(run)} trainings, bands their standard deviation."
    )
