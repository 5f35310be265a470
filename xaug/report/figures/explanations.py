"""Figures of explained runs: bars of relevance, ranks, profiles, and the spread over trainings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from xaug.core.types import Array
from xaug.explain.analysis.binned import profiles
from xaug.explain.analysis.binning import bins_for
from xaug.explain.analysis.ranks import rank_fractions
from xaug.explain.analysis.spread import ENOUGH_TRAININGS, stability, uncertainty
from xaug.plots import figures
from xaug.plots.binned import plot_profile
from xaug.plots.ranking import plot_ranks
from xaug.plots.relevance import feature_text, plot_relevance, plot_trainings
from xaug.plots.spread import plot_feature_spread, plot_score_spread
from xaug.report.catalogue import GENERIC, Needs
from xaug.report.errors_beside import auc_cell
from xaug.report.explained_run import LIST_RELEVANCE, ExplainedRun, Shape
from xaug.report.subjects import ExplainedEvents, ExplainedSizes
from xaug.report.words import NORMALISED, counted, measured_rows, noun, spread_over

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "PAGE", "SHOWN_TRAININGS", "SIDE_BY_SIDE", "draw_first_profiles", "draw_profiles", "draw_ranks", "draw_relevance",
    "draw_spread", "draw_trainings",
]  # fmt: skip

SHOWN_TRAININGS = 4
"""Panels at most in figures that show trainings side by side."""
PAGE = 6
"""Profiles in a figure."""
COLUMNS = 3
"""Profiles in a row."""
SIDE_BY_SIDE = {"squeeze": False, "sharex": True, "sharey": True}
EXPERT = Needs((Shape.VECTOR,))


@GENERIC.figure("relevance", "Mean relevance of each feature", ExplainedEvents, needs=EXPERT)
def draw_relevance(subject: ExplainedEvents, stem: Path) -> str:
    """Draw the mean normalised relevance of every feature."""
    explained = subject.explained
    attributions, table = explained.attributions, explained.ranking
    with figures.figure(size=(6.0, 1.2 + 0.19 * len(table))) as (fig, ax):
        plot_relevance(table, explained.labels, ax)
        if len(explained.classes) > 2:
            ax.set_xlabel(figures.literal(f"mean {explained.relevance_name}"))
        figures.set_title(ax, f"{explained.readable}, {counted(len(attributions), 'training')}")
        figures.save(fig, stem)
    figures.save_frame(stem, table, "feature")
    conserved = np.nanmedian([np.nanmedian(a.conserved) for a in attributions])
    rows = noun(explained.data.kind)
    events = counted(len(attributions[0]), measured_rows(explained.data)[:-1])
    return (
        f"{explained.title}: mean normalised relevance ({explained.words}) of {events}. {NORMALISED} "
        f"{spread_over('error bars', len(attributions))} The relevance of all inputs adds up to "
        f"{conserved:.2f} of {attributions[0].explained_words} (median over {rows}).{_of_list(explained)}"
    )


@GENERIC.figure(
    "trainings", "Mean relevance of each feature, trainings side by side", ExplainedEvents, needs=EXPERT
)  # fmt: skip
def draw_trainings(subject: ExplainedEvents, stem: Path) -> str:
    """Draw the mean normalised relevance of every feature, trainings side by side."""
    explained = subject.explained
    table = explained.ranking
    shown = min(len(explained.attributions), SHOWN_TRAININGS)
    with figures.figure(1, shown, size=(1.4 + 2.0 * shown, 1.0 + 0.2 * len(table)), **SIDE_BY_SIDE) as (fig, axes):
        plot_trainings(table, explained.labels, axes.flat)
        _name_target(fig, explained)
        for ax in axes[0, 1:]:
            ax.tick_params(labelleft=False)
        figures.save(fig, stem)
    figures.save_frame(stem, table, "feature")
    return (
        f"{explained.title}: mean normalised relevance ({explained.words}) of each feature in each training. "
        f"{NORMALISED}{_of_list(explained)}"
    )


@GENERIC.figure("ranks", "How often each feature has which rank, trainings side by side", ExplainedEvents, needs=EXPERT)
def draw_ranks(subject: ExplainedEvents, stem: Path) -> str:
    """Draw how often each feature has which rank, trainings side by side."""
    explained = subject.explained
    shown = explained.attributions[:SHOWN_TRAININGS]
    found = [rank_fractions(a, LIST_RELEVANCE) for a in shown]
    order = list(explained.ranking.index)  # the same rows in all panels, and in the bars of the mean relevance
    side = 0.9 + 0.42 * min(len(order), 12)
    with figures.figure(1, len(found), size=(1.2 + side * len(found), 0.7 + side), **SIDE_BY_SIDE) as (fig, axes):
        for i, (table, ax) in enumerate(zip(found, axes.flat, strict=True)):
            plot_ranks(table.loc[order], explained.labels, ax)
            ax.set_title(f"training {i + 1}")
            if i:
                ax.tick_params(labelleft=False)
        _name_target(fig, explained, "rank by absolute ")
        figures.save(fig, stem)
    figures.save_numbers(stem, {str(i): table.loc[order].T.to_dict("list") for i, table in enumerate(found)})
    return (
        f"{explained.title}: percentage of the {measured_rows(explained.data)} in which a feature has rank 1, 2, ... "
        f"by absolute relevance ({explained.words}). Features are in the order of their mean normalised relevance; "
        f"those that tie share their ranks.{_of_list(explained)}"
    )


@GENERIC.figure(
    "profiles", "Distributions and relevance profiles of the most relevant variables", ExplainedEvents,
    needs=EXPERT,
)  # fmt: skip
def draw_first_profiles(subject: ExplainedEvents, stem: Path) -> str:
    """Draw distributions and relevance profiles of the most relevant variables, six at most."""
    return draw_profiles(subject, stem, subject.explained.first_variables[:PAGE])


def draw_profiles(subject: ExplainedEvents, stem: Path, names: Sequence[str]) -> str:
    """Draw the distributions of some variables, and below them the mean relevance in bins of the same variable."""
    explained = subject.explained
    bins = bins_for(len(explained.label))
    quantity = explained.relevance_name if len(explained.classes) > 2 else "normalised relevance"
    found = profiles(explained.attributions, explained.values, names, bins=bins)
    columns = min(len(names), COLUMNS)
    rows = -(-len(names) // columns)
    size = (0.6 + 3.1 * columns, 3.6 * rows)
    options = {"squeeze": False, "gridspec_kw": {"height_ratios": [1.6, 1] * rows}}
    with figures.figure(2 * rows, columns, size=size, **options) as (fig, axes):
        for i, name in enumerate(names):
            row, column = 2 * (i // columns), i % columns
            top, bottom = axes[row, column], axes[row + 1, column]
            plot_profile(found[name], explained.labels[name], top, bottom, explained.classes, quantity)
            top.tick_params(labelbottom=False)
            if column:
                top.set_ylabel("")
                bottom.set_ylabel("")
        for ax in axes.flat:
            if not ax.has_data():
                ax.set_axis_off()
        axes[0, 0].legend()
        figures.save(fig, stem)
    numbers: dict[str, dict[str, list[float | None]]] = {}
    for name, profile in found.items():
        names_of = explained.classes[: len(profile.counts)]
        own = {"edges": profile.edges, **dict(zip(names_of, profile.counts, strict=True))}
        statistics = (("mean", profile.mean), ("rms", profile.rms), ("training_rms", profile.training_rms))
        for key, values in statistics:
            for label, of in enumerate(names_of):
                own[f"{key}_{of}"] = figures.without_nan(values[label])
        numbers[name] = {key: values.tolist() for key, values in own.items()}
    figures.save_numbers(stem, numbers)
    rows_are = noun(explained.data.kind)
    return (
        f"{explained.title}: distributions of {counted(len(names), 'variable')}, and below them the mean normalised "
        f"relevance ({explained.words}) of the same variable for each true class. {NORMALISED} "
        f"{spread_over('dark bands', len(explained.attributions))} Light bands are the width of the "
        f"distribution over {rows_are} and trainings. The outer bins also hold what lies beyond "
        f"them; hatched ones have fewer than {figures.FEW} {rows_are}."
    )


@GENERIC.figure(
    "uncertainty", "Spread over trainings of relevances and scores, and which ranks are stable", ExplainedSizes,
    needs=EXPERT,
)  # fmt: skip
def draw_spread(subject: ExplainedSizes, stem: Path) -> str:
    """Draw how far trainings agree on relevances and scores, and which ranks are stable."""
    explained = subject.full
    found = uncertainty(explained.attributions, explained.scores, explained.is_target, explained.weight, LIST_RELEVANCE)
    tables = {_sample_name(explained): _claimed(found.features, explained)}
    tables |= {_sample_name(one): _claimed(stability(one.attributions, LIST_RELEVANCE), one) for one in subject.smaller}
    with figures.figure(1, 2, size=(9.6, 4.0)) as (fig, axes):
        plot_score_spread(found.score_mean, found.score_rms, explained.label, axes[1], explained.classes)
        axes[1].set_xlabel(figures.literal(f"mean {explained.score_name}"))
        figures.set_title(axes[0], f"{explained.readable}, {counted(len(explained.attributions), 'training')}")
        plot_feature_spread(tables, explained.labels, axes[0])  # last: its names depend on the room they have
        figures.save(fig, stem)
    columns: dict[str, Sequence[str] | Array] = {
        "sample": [size for size, table in tables.items() for _ in range(len(table))],
        "feature": [feature for table in tables.values() for feature in table.index],
    }
    for name in found.features.columns:
        columns[str(name)] = np.concatenate([table[name].to_numpy() for table in tables.values()])
    figures.save_table(stem, columns)
    rows = noun(explained.data.kind)
    performance = ""
    if found.performance is not None:
        shared = {"label": explained.is_target, "weight": explained.weight}
        mean, each = (
            auc_cell([{**shared, "score": score} for score in scores])
            for scores in ([np.mean(explained.scores, axis=0)], explained.scores)
        )
        performance = f" On these {rows} the AUC of the mean score is {mean}, that of single trainings {each}."
    return (
        f"{explained.title}: spread over {counted(len(explained.attributions), 'training')} of the normalised "
        f"relevance of each feature (left; the lines are 100% and 10% of the mean), and of the {explained.score_name} "
        f"of each event (right; median and central 68%). {_stable_ranks(explained, found.features)}{performance}"
    )


def _name_target(fig: Figure, explained: ExplainedRun, before: str = "") -> None:
    """Write what is explained below a figure of several panels, where there are more than two classes."""
    if len(explained.classes) > 2:
        fig.supxlabel(figures.literal(f"{before}{explained.relevance_name}"), fontsize="medium")


def _claimed(table: pd.DataFrame, explained: ExplainedRun) -> pd.DataFrame:
    """The table, in which no rank is stable where there are too few trainings to say so."""
    return table if len(explained.attributions) >= ENOUGH_TRAININGS else table.assign(stable=False)


def _stable_ranks(explained: ExplainedRun, features: pd.DataFrame) -> str:
    """Sentences for the caption that say which ranks are stable."""
    if len(explained.attributions) < ENOUGH_TRAININGS:
        return f"No rank is called stable with fewer than {ENOUGH_TRAININGS} trainings."
    stable = [feature_text(str(name), explained.labels) for name in features.index[features["stable"]]]
    return (
        "A rank is stable if all trainings agree on it and the mean of no other feature is within the RMS of both: "
        f"this is so for {len(stable)} of {len(features)} features ({', '.join(stable) or 'none'})."
    )


def _of_list(explained: ExplainedRun) -> str:
    """A sentence for captions that says how a list has become one number."""
    if Shape.LIST not in explained.shapes.values():
        return ""
    return (
        " The relevance of the list is the absolute value of the sum over particles of each column, added over columns."
    )


def _sample_name(explained: ExplainedRun) -> str:
    return f"{explained.run.training_events:,} training {noun(explained.data.kind)}"
