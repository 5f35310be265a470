"""The figures of a report: each reads finished stages, draws, and saves figure and numbers side by side."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xaug import variables
from xaug.dataset import Dataset
from xaug.explain.attribution import Attribution
from xaug.explain.relevance import summary
from xaug.plots import figures
from xaug.plots.distributions import class_histogram, plot_distribution
from xaug.plots.history import plot_history
from xaug.plots.images import plot_heatmap, plot_image
from xaug.plots.relevance import plot_relevance
from xaug.plots.roc import GRID, plot_learning_curve, plot_roc, roc_band
from xaug.runs import Run

__all__ = ["Figure", "distributions", "heatmaps", "histories", "images", "learning_curve", "relevance", "rocs"]

FIG8 = ("pt", "mass", "softdrop_mass", "tau21", "n_charged_hadrons", "dxy_max")
"""The variables of figure 8 of arXiv:2011.13466."""
ROWS = 200_000
"""Jets at most that enter a distribution or a summed image."""


@dataclass(frozen=True)
class Figure:
    """A figure on disk: the stem of its files, and what the page says below it."""

    stem: Path
    caption: str


def distributions(data: Dataset, output: Path) -> Figure:
    """Input distributions (figure 8)."""
    arrays = data.load(["xaug", "label"], max_rows=ROWS)
    names, labels = data.names("xaug"), variables.labels(data.kind)
    numbers = {}
    with figures.figure(2, 3, size=(9.6, 5.4)) as (fig, axes):
        for name, ax in zip(FIG8, axes.flat, strict=True):
            counts = class_histogram(arrays["xaug"][:, names.index(name)], arrays["label"])
            plot_distribution(counts, labels[name], ax)
            numbers[name] = {
                "edges": counts.axes[0].edges.tolist(),
                "background": counts[:, 0].values().tolist(),
                "signal": counts[:, 1].values().tolist(),
            }
        axes[0, 0].legend()
        for ax in axes[:, 1:].flat:
            ax.set_ylabel("")
        figures.save(fig, output / "fig08_distributions")
    figures.save_numbers(output / "fig08_distributions", numbers)
    n = np.bincount(arrays["label"], minlength=2)
    return Figure(output / "fig08_distributions", f"Input distributions of {n[1]} signal and {n[0]} background jets.")


def images(data: Dataset, output: Path) -> Figure:
    """Mean images of both classes (figure 9)."""
    arrays = data.load(["image", "label"], max_rows=ROWS)
    means = [arrays["image"][arrays["label"] == label, :, :, 0].mean(axis=0, dtype=np.float64) for label in (0, 1)]
    with figures.figure(1, 2, size=(8.4, 3.8)) as (fig, axes):
        for label, ax in zip((1, 0), axes, strict=True):
            artist = plot_image(means[label], ax)
            ax.set_title(figures.CLASS_NAMES[label])
        fig.colorbar(artist, ax=list(axes), label=r"mean $p_T/p_T^\mathrm{jet}$")
        figures.save(fig, output / "fig09_images")
    figures.save_numbers(output / "fig09_images", {"background": means[0].tolist(), "signal": means[1].tolist()})
    return Figure(
        output / "fig09_images",
        "Mean jet images. The leading subjet is at (0, 0), the subleading one at (0, -1); the right half is the "
        "heavier. Crosses mark the subjets.",
    )


def rocs(runs: list[Run], output: Path) -> Figure:
    """ROC curves with the spread over trainings (figure 25)."""
    bands, n_background = {}, 0
    for run in runs:
        scores = [run.scores(i) for i in range(len(run))]
        bands[run.name] = roc_band([(s["label"], s["score"]) for s in scores])
        n_background = max(n_background, int((scores[0]["label"] == 0).sum()))
    with figures.figure(size=(6.4, 4.6)) as (fig, ax):
        plot_roc(bands, ax, floor=0.5 / n_background)
        figures.save(fig, output / "fig25_roc")
    columns = {"signal_efficiency": GRID}
    for name, band in bands.items():
        columns |= {f"{name}_background_efficiency": band.mean, f"{name}_rms": band.rms}
    figures.save_table(output / "fig25_roc", columns)
    return Figure(
        output / "fig25_roc",
        f"ROC curves on the test split ({n_background} background jets): mean over trainings, band: their standard "
        "deviation. Curves end at the efficiency of half a background jet.",
    )


def heatmaps(run: Run, attributions: list[Attribution], data: Dataset, output: Path) -> Figure:
    """Single jets with their relevance (figure 19): the two most typical, well recognised ones of each class."""
    found = attributions[0]
    arrays = data.load(["image"], "test")["image"][found.rows, :, :, 0]
    score = run.scores(0)["score"][found.rows]
    chosen = []
    for label in (1, 0):
        right = np.flatnonzero((found.label == label) & ((score > 0.5) == (label == 1)))
        # of the correctly recognised ones, those whose confidence is closest to the median: no cherries
        typical = right[np.argsort(np.abs(score[right] - np.median(score[right])), kind="stable")]
        chosen += list(typical[:2])
    with figures.figure(2, 4, size=(11.2, 5.6)) as (fig, axes):
        for column, event in enumerate(chosen):
            top = plot_image(arrays[event], axes[0, column], vmin=1e-4)
            heat = found.relevance["image"][event, :, :, 0]
            bottom = plot_heatmap(heat / (np.abs(heat).max() or 1.0), axes[1, column], limit=1.0)
            axes[0, column].set_title(f"{figures.CLASS_NAMES[found.label[event]]}, score {score[event]:.2f}")
        fig.colorbar(top, ax=list(axes[0]), label=r"$p_T/p_T^\mathrm{jet}$")
        fig.colorbar(bottom, ax=list(axes[1]), label="relevance / largest pixel's")
        for ax in axes[:, 1:].flat:
            ax.set_ylabel("")
        for ax in axes[0]:
            ax.set_xlabel("")
        figures.save(fig, output / f"fig19_heatmaps_{run.name}")
    numbers = {
        "events": [int(found.rows[event]) for event in chosen],
        "images": [arrays[event].tolist() for event in chosen],
        "relevance": [found.relevance["image"][event, :, :, 0].tolist() for event in chosen],
    }
    figures.save_numbers(output / f"fig19_heatmaps_{run.name}", numbers)
    return Figure(
        output / f"fig19_heatmaps_{run.name}",
        f"{run.name}, training 1: correctly recognised jets of median score in their class, and the relevance of "
        "their pixels for the predicted class. Blue supports it, red opposes it.",
    )


def relevance(run: Run, attributions: list[Attribution], output: Path) -> Figure:
    """Mean normalised relevance of every feature (figure 23)."""
    table = summary(attributions)
    labels = variables.labels(run.input_spec.kind)
    with figures.figure(size=(6.0, 1.2 + 0.19 * len(table))) as (fig, ax):
        plot_relevance(table, labels, ax)
        ax.set_title(f"{run.name}, {len(attributions)} trainings")
        figures.save(fig, output / f"fig23_relevance_{run.name}")
    figures.save_table(
        output / f"fig23_relevance_{run.name}", {"feature": table.index, **{name: table[name] for name in table}}
    )
    settings = attributions[0].settings
    conserved = np.nanmedian([np.nanmedian(a.conserved) for a in attributions])
    return Figure(
        output / f"fig23_relevance_{run.name}",
        f"{run.name}: mean normalised relevance ({settings['method'].upper()}, rule {settings['rule']}, target "
        f"{settings['target']}) of {len(attributions[0])} test jets; error bars: standard deviation over "
        f"{len(attributions)} trainings. Median sum of relevance over logit: {conserved:.2f}.",
    )


def histories(run: Run, output: Path) -> Figure:
    """Training history."""
    values = [run.history(i) for i in range(len(run))]
    with figures.figure() as (fig, ax):
        plot_history(values, ax)
        ax.set_title(run.name)
        figures.save(fig, output / f"history_{run.name}")
    figures.save_numbers(output / f"history_{run.name}", {str(i): v for i, v in enumerate(values)})
    return Figure(output / f"history_{run.name}", f"{run.name}: loss by epoch.")


def learning_curve(groups: dict[str, list[Run]], output: Path) -> Figure:
    """AUC against the number of training jets, for networks trained on several sample sizes."""
    points = {}
    for name, runs in groups.items():
        points[name] = []
        for run in runs:
            auc = np.array([m["auc"] for m in run.metrics])
            fitted = run.scaler.fitted_on
            points[name].append((fitted["signal"] + fitted["background"], float(auc.mean()), float(auc.std())))
    with figures.figure() as (fig, ax):
        plot_learning_curve(points, ax)
        figures.save(fig, output / "learning_curve")
    rows = [(name, *point) for name, values in points.items() for point in sorted(values)]
    columns = dict(zip(("network", "training_jets", "auc", "rms"), zip(*rows, strict=True), strict=True))
    figures.save_table(output / "learning_curve", columns)
    return Figure(
        output / "learning_curve",
        "AUC on the test split against the number of training jets; error bars: standard deviation over trainings.",
    )
