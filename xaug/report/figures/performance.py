"""Figures of how well runs separate the classes: ROC curves and scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xaug.core.statistics import sample_deviation
from xaug.core.types import Array
from xaug.plots import figures
from xaug.plots.roc import GRID, plot_roc, roc_band
from xaug.plots.scores import SCORE_EDGES, plot_scores
from xaug.report.catalogue import GENERIC
from xaug.report.class_scores import binary_scores, pair_scores
from xaug.report.run_label import run_label, run_labels, run_title
from xaug.report.subjects import AllRuns, RunOfManyClasses, SingleRun
from xaug.report.words import between, noun, spread_over
from xaug.training.runs import Run

__all__ = ["draw_confusion", "draw_pairs", "draw_rocs", "draw_scores"]

MOST_CLASSES = 12
"""Largest number of classes whose pairs are drawn."""


@GENERIC.figure("roc", "ROC curves of all networks", AllRuns)
def draw_rocs(subject: AllRuns, stem: Path) -> str:
    """Draw the ROC curves of all runs, with the spread over trainings, and those of single numbers without training."""
    bands, shown, numbers = {}, {}, []
    labels = run_labels(subject.runs)
    for run in subject.runs:
        for name, scores in binary_scores(run).items():
            shown[name] = labels[run.name] + name.removeprefix(run.name)
            bands[name] = roc_band([(s["label"], s["score"], s["weight"]) for s in scores])
            numbers.append(int((scores[0]["label"] == 0).sum()))
    untrained = []
    for one in subject.discriminants:
        bands[one.name] = roc_band([tuple(one.scores[name] for name in ("label", "score", "weight"))])
        untrained.append(f" {one.name} is {one.meaning}, a single number without training.")
    classes = subject.runs[0].classes
    several = len(classes) > 2
    # a class has the same colour as in all other figures
    colors = figures.class_colors(len(classes)) if several and len(subject.runs) == 1 else None
    with figures.figure(size=(6.4 if len(bands) <= 4 else 9.6, 4.6)) as (fig, ax):
        plot_roc(
            {shown.get(name, name): band for name, band in bands.items()},
            ax,
            0.5 / max(numbers),
            [one.name for one in subject.discriminants],
            colors,
        )
        ax.set_xlabel("efficiency of the class" if several else f"{figures.literal(classes[-1])} efficiency")
        ax.set_ylabel("efficiency of all other classes" if several else f"{figures.literal(classes[0])} efficiency")
        figures.save(fig, stem)
    columns = {"signal_efficiency": GRID}
    for name, band in bands.items():
        columns |= {f"{name}_background_efficiency": band.mean, f"{name}_rms": band.rms, f"{name}_limit": band.limit}
    figures.save_table(stem, columns)
    rows = noun(subject.runs[0].input_spec.kind)
    n = between(numbers)
    others = f"{n} {rows} of the other classes" if several else f"{n} {classes[0]} {rows}"
    against = " Each curve is one class against the rest." if several else ""
    trainings = max(len(run) for run in subject.runs)
    lines = "Lines are means over trainings, bands their standard deviation."
    if trainings == 1:
        lines = spread_over("bands", trainings)
    return (
        f"ROC curves on {_sample(subject.runs[0])} ({others}).{against} {lines} A curve ends at the "
        "efficiency that half an event would have." + "".join(untrained)
    )


@GENERIC.figure("roc_pairs", "ROC curves of each pair of classes", RunOfManyClasses)
def draw_pairs(subject: RunOfManyClasses, stem: Path) -> str:
    """Draw a panel for each class, with its ROC curves against each of the others alone."""
    run = subject.run
    shown = range(min(len(run.classes), MOST_CLASSES))
    colors = figures.class_colors(len(run.classes))
    columns: dict[str, Array] = {"efficiency": GRID}
    across = min(len(shown), 3)
    down = -(-len(shown) // across)
    numbers = np.bincount(run.scores(0)["label"], minlength=len(run.classes))[: len(shown)]
    floor = 0.5 / max(numbers.max(), 1)
    options = {"squeeze": False, "sharex": True, "sharey": True}
    with figures.figure(down, across, size=(0.8 + 3.2 * across, 0.6 + 3.2 * down), **options) as (fig, axes):
        for plus, ax in zip(shown, axes.flat, strict=False):
            name = run.classes[plus]
            found = {minus: pair_scores(run, plus, minus) for minus in shown if minus != plus}
            bands = {
                minus: roc_band([(s["label"], s["score"], s["weight"]) for s in own])
                for minus, own in found.items()
                if own
            }
            for minus, band in bands.items():
                pair = f"{name}-{run.classes[minus]}"
                columns |= {
                    f"{pair}_background_efficiency": band.mean,
                    f"{pair}_rms": band.rms,
                    f"{pair}_limit": band.limit,
                }
            plot_roc(
                {run.classes[minus]: band for minus, band in bands.items()},
                ax, floor, colors=[colors[minus] for minus in bands], inside=MOST_CLASSES,
            )  # fmt: skip
            figures.set_title(ax, f"{name} against each other class")
            ax.set_xlabel(figures.literal(f"{name} efficiency"))
            ax.set_ylabel("efficiency of the other class" if plus % across == 0 else "")
        for ax in axes.flat[len(shown) :]:
            ax.set_axis_off()
        figures.save(fig, stem)
    figures.save_table(stem, columns)
    rows = noun(run.input_spec.kind)
    few = "" if len(shown) == len(run.classes) else f" The first {len(shown)} of {len(run.classes)} classes are shown."
    return (
        f"{_title(run)}: ROC curves of each pair of classes on {_sample(run)} ({between(numbers.tolist())} {rows} a "
        "class). The score of a pair is p / (p + q) of the probabilities of both, and events of all other classes are "
        f"left out. {_lines(run)} A curve ends at the efficiency "
        f"that half an event of the largest class would have.{few}"
    )


@GENERIC.figure("scores", "Distributions of the score of each class", SingleRun)
def draw_scores(subject: SingleRun, stem: Path) -> str:
    """Draw the distributions of the scores of both classes, with the spread over trainings."""
    run = subject.run
    classes = run.classes
    of = [len(classes) - 1] if len(classes) == 2 else list(range(len(classes)))  # whose probability is drawn
    counts = np.zeros((len(of), len(run), len(classes), len(SCORE_EDGES) - 1))
    events = np.zeros((len(of), len(SCORE_EDGES) - 1))
    for i in range(len(run)):
        found = run.scores(i)
        score = found["score"].reshape(len(found["label"]), -1)
        for panel in range(len(of)):
            events[panel] += np.histogram(score[:, panel], SCORE_EDGES)[0] / len(run)
        for label in range(len(classes)):
            chosen = found["label"] == label
            for panel in range(len(of)):
                values, weight = score[chosen, panel], found["weight"][chosen]
                counts[panel, i, label] = np.histogram(values, SCORE_EDGES, weights=weight)[0]
    columns: dict[str, Array] = {"low": SCORE_EDGES[:-1], "high": SCORE_EDGES[1:]}
    with figures.figure(1, len(of), size=(6.4 if len(of) == 1 else 4.2 * len(of), 4.6), squeeze=False) as (fig, axes):
        for panel, ax in enumerate(axes.flat):
            plot_scores(counts[panel], ax, classes, events[panel])
            one = "" if len(of) == 1 else f"{classes[of[panel]]}_"
            columns[f"{one}events"] = events[panel]
            name = run_label(run)
            figures.set_title(ax, name if len(of) == 1 else f"{name}: probability of {classes[of[panel]]}")
            for label, name in enumerate(classes):
                own = counts[panel, :, label]
                columns |= {
                    f"{one}{name}": own.mean(axis=0),
                    f"{one}{name}_rms": sample_deviation(own),
                }
        figures.save(fig, stem)
    figures.save_table(stem, columns)
    return (
        f"{_title(run)}: distribution of the score of each class on {_sample(run)}, each of unit area. "
        f"{_lines(run)} Hatched bins have fewer than {figures.FEW} "
        f"{noun(run.input_spec.kind)} of all classes together."
    )


@GENERIC.figure("confusion", "Confusion matrix", RunOfManyClasses)
def draw_confusion(subject: RunOfManyClasses, stem: Path) -> str:
    """Draw the share of each true class that is taken for each class, as a mean over trainings."""
    run = subject.run
    matrices = np.array([metrics["confusion"] for metrics in run.metrics])
    mean, rms = matrices.mean(axis=0), sample_deviation(matrices)
    side = 1.8 + 0.7 * min(len(mean), 12)
    with figures.figure(size=(side + 1, side)) as (fig, ax):
        artist = ax.imshow(mean, vmin=0, vmax=1, cmap="Greys")
        if len(mean) <= 12:
            for (i, j), value in np.ndenumerate(mean):
                text = f"{value:.2f}" + (f"\n± {rms[i, j]:.2f}" if len(matrices) > 1 else "")
                ax.text(j, i, text, ha="center", va="center", fontsize=7, color="w" if value > 0.5 else "k")
        names = [figures.literal(name) for name in run.classes]
        ax.set_xticks(range(len(mean)), names, rotation=90 if len(mean) > 6 else 0)
        ax.set_yticks(range(len(mean)), names)
        ax.set_xlabel("predicted class")
        ax.set_ylabel("true class")
        figures.set_title(ax, run_label(run))
        fig.colorbar(artist, ax=ax, label="share of the true class")
        figures.save(fig, stem)
    figures.save_numbers(
        stem, {"classes": list(run.classes), "mean": mean.tolist(), "rms": figures.without_nan(rms).tolist()}
    )
    return (
        f"{_title(run)}: share of the {'test ' * bool(run.training_events)}events of each true class that have the "
        "largest probability of each class. "
        f"{'Numbers are means over trainings. ' * (len(run) > 1)}{spread_over('errors', len(run))}"
    )


def _sample(run: Run) -> str:
    """Part of the data on which a run is measured; the events of a model that xaug did not train are not split."""
    return "the test split" if run.training_events else "the sample"


def _lines(run: Run) -> str:
    """Sentences that say what lines and bands are."""
    return f"{'Lines are means over trainings. ' * (len(run) > 1)}{spread_over('bands', len(run))}"


def _title(run: Run) -> str:
    return run_title(run_label(run), run.name)
