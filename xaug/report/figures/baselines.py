"""Figures of methods with a baseline: what each baseline ranks first, how they agree, and how good the rankings are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from xaug.core.statistics import sample_deviation
from xaug.explain.analysis.ablations import ABLATED
from xaug.explain.targets import labels_of
from xaug.plots import figures
from xaug.plots.attribution import plot_agreement, plot_attribution
from xaug.plots.topk import plot_curves
from xaug.report.catalogue import GENERIC
from xaug.report.subjects import AblationCurves, ExplainedClass, SeveralBaselines, TopKCurves
from xaug.report.words import counted, listed, noun, spread_over
from xaug.training.retrain import METRICS

__all__ = [
    "attribution_table", "draw_ablation", "draw_agreement", "draw_features", "draw_top_features", "draw_topk",
]  # fmt: skip

ROW = 0.17
"""Inches that a feature takes in the figure of all baselines."""
COLUMNS, IN_PAIRS = 3, 4
"""Panels side by side, and the number of panels up to which there are two: labels stay readable on a page."""
FEATURES, FIRST_FEATURES = 55, 20
"""Features shown of several baselines, and of a single one."""
SHARED = 12
"""First features that two rankings are compared by."""
ERRORS = ("mean_error_events", "mean_error_baselines")
ROUNDING = 1e-6
"""Error relative to the mean below which it is rounding."""


def attribution_table(subject: ExplainedClass) -> pd.DataFrame:
    """Attribution of the class by feature, largest first.

    Returns
    -------
    DataFrame
        `mean` and `mean_absolute` over trainings; `rms`, the standard deviation of the mean over trainings (ddof 1;
        nan for one training);
        `error_events` and `error_baselines`, bootstrap errors of the mean, root mean square over trainings
    """
    tables = subject.tables
    found: pd.DataFrame = pd.DataFrame(
        {name: sum(t[name] for t in tables) / len(tables) for name in ("mean", "mean_absolute")}
    )
    found["rms"] = sample_deviation([t["mean"].reindex(found.index) for t in tables])
    for name in ERRORS:
        found[name.removeprefix("mean_")] = np.sqrt(sum(t[name] ** 2 for t in tables) / len(tables))
    ordered: pd.DataFrame = found.sort_values("mean", ascending=False, kind="stable").rename_axis("feature")
    return ordered


def events_of(subject: ExplainedClass) -> str:
    """The events over which the attribution of a class is averaged, in words."""
    explained = subject.explained
    target = explained.explanation.settings.get("target", "signal")
    of_class = [explained.classes[label] for label in labels_of(target, explained.classes)]
    return f"{listed(of_class)} {noun(explained.data.kind)}"


@GENERIC.figure("features", "The features of largest attribution, for each baseline", SeveralBaselines)
def draw_features(subject: SeveralBaselines, stem: Path) -> str:
    """Draw the features of largest attribution, a panel for each baseline."""
    baselines = subject.baselines
    tables = {one.name: attribution_table(one) for one in baselines}
    shown = min(FEATURES, max(map(len, tables.values())))
    columns = 2 if len(tables) <= IN_PAIRS else COLUMNS
    rows = -(-len(tables) // columns)
    size = (4.2 * columns, (1.0 + ROW * shown) * rows)
    with figures.figure(rows, columns, size=size, squeeze=False) as (fig, axes):
        for one, ax in zip(baselines, axes.flat, strict=False):
            plot_attribution(tables[one.name].iloc[:shown], one.explained.labels, ax)
            figures.set_title(ax, one.name)
        for ax in list(axes.flat)[len(baselines) :]:
            ax.remove()
        figures.save(fig, stem)
    joined = pd.concat(tables, names=["baseline"]).reset_index()
    figures.save_frame(stem, joined)
    errors = spread_over("error bars", len(baselines[0].explained.attributions))
    return (
        f"The {shown} features of largest mean attribution for {events_of(baselines[0])} "
        f"({baselines[0].explained.words}), for each baseline. {errors}"
    )


@GENERIC.figure("top_features", "The first features for one baseline", ExplainedClass)
def draw_top_features(subject: ExplainedClass, stem: Path) -> str:
    """Draw the first features for one baseline."""
    explained = subject.explained
    table = attribution_table(subject).iloc[:FIRST_FEATURES]
    with figures.figure(size=(5.6, 1.2 + 0.22 * len(table))) as (fig, ax):
        plot_attribution(table, explained.labels, ax)
        figures.set_title(ax, subject.name)
        figures.save(fig, stem)
    figures.save_frame(stem, table, "feature")
    first = table.iloc[0]
    errors = f"{first['error_events']:.2g} from events"
    if explained.attributions[0].settings["baseline"]["events"] > 1:
        if first["error_baselines"] > ROUNDING * abs(first["mean"]):
            errors += f" and {first['error_baselines']:.2g} from baselines"
        else:  # a bootstrap within each process draws the same event again
            errors += "; that from baselines takes two of each process"
    return (
        f"Baseline {subject.name}: the {len(table)} features of largest mean attribution for {events_of(subject)} "
        f"({explained.words}). {spread_over('error bars', len(explained.attributions))} The bootstrap error of the "
        f"first feature is {errors}."
    )


@GENERIC.figure("topk", "Accuracy, AUC and significance against the number of features", TopKCurves)
def draw_topk(subject: TopKCurves, stem: Path) -> str:
    """Draw the performance of networks that were retrained on the k first features of each ranking."""
    table = subject.table
    shown = [metric for metric in METRICS if metric in table]
    with figures.figure(1, len(shown), size=(4.6 * len(shown), 4.1), squeeze=False) as (fig, axes):
        plot_curves(table, shown, fig, axes[0], subject.replicas)
        figures.save(fig, stem)
    figures.save_frame(stem, table)
    trainings = table["training"].nunique()
    plateau = ", ".join(f"{name} {k}" for name, k in subject.plateau.items())
    bands = spread_over("bands", trainings)
    if subject.replicas is not None:
        bands += " Those of AUC and accuracy have the error of the test sample, from its replicas, in quadrature."
        if trainings == 1:
            bands = "There is one training; bands are the error of the test sample alone, from its replicas."
    search = ""
    if "significance_error" in table:
        error = table["significance_error"].mean()
        search = f"Z is drawn where its background has enough effective events; its statistical error is {error:.2g}. "
    several = (
        " Of more than two classes, it is the mean over classes, each against the rest." if subject.classes > 2 else ""
    )
    return (
        f"Networks retrained on the k first features, {counted(trainings, 'training')} each. "
        f"{bands} {search}Rankings with the same first features lie on top of each other. "
        f"The AUC stays within the error of its last value from k = {plateau}.{several}"
    )


@GENERIC.figure("ablation", "Accuracy and AUC without the first features, not trained again", AblationCurves)
def draw_ablation(subject: AblationCurves, stem: Path) -> str:
    """Draw the performance of the trained networks without the k first features of each ranking."""
    table = subject.table
    with figures.figure(1, len(ABLATED), size=(4.6 * len(ABLATED), 4.1)) as (fig, axes):
        plot_curves(table, ABLATED, fig, axes)
        for ax in axes:
            ax.set_xlabel("number of features replaced")
        figures.save(fig, stem)
    figures.save_frame(stem, table)
    return (
        f"Ablation: performance of the {subject.trainings} trained networks, not trained again, after the first "
        f"features of each ranking are replaced by the baseline {subject.baseline!r} in all events. "
        f"{spread_over('bands', subject.trainings)}"
    )


@GENERIC.figure("agreement", "Agreement of the rankings of the baselines", SeveralBaselines)
def draw_agreement(subject: SeveralBaselines, stem: Path) -> str:
    """Draw the rank correlation between baselines, and how many of the first features they share."""
    from scipy.stats import kendalltau

    tables = {one.name: attribution_table(one) for one in subject.baselines}
    names = list(tables)
    tau = pd.DataFrame(index=names, columns=names, dtype=float)
    shared = pd.DataFrame(index=names, columns=names, dtype=float)
    for one in names:
        for other in names:
            both = tables[one]["mean"], tables[other]["mean"].reindex(tables[one].index)
            tau.loc[one, other] = kendalltau(*both).statistic
            shared.loc[one, other] = len(set(tables[one].index[:SHARED]) & set(tables[other].index[:SHARED]))
    with figures.figure(1, 2, size=(9.0, 3.8)) as (fig, axes):
        plot_agreement(tau, axes[0], 1.0, "{:.2f}")
        axes[0].set_title(r"rank correlation (Kendall's $\tau$)")
        plot_agreement(shared, axes[1], SHARED, "{:.0f}")
        axes[1].set_title(f"shared among the first {SHARED}")
        figures.save(fig, stem)
    figures.save_numbers(stem, {"kendall_tau": tau.to_dict(), f"shared_first_{SHARED}": shared.to_dict()})
    return (
        f"How much the rankings of the baselines agree: rank correlation of all features (left), and how many of the "
        f"first {SHARED} features two baselines share (right)."
    )
