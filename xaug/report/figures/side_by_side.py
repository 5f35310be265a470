"""Figures in which the explanations of one run stand side by side: maps, profiles and bars of relevance."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xaug.core.types import JsonObject
from xaug.explain.analysis.binned import profiles, relevance_map
from xaug.explain.analysis.binning import bins_for
from xaug.plots import figures
from xaug.plots.binned import plot_map, plot_profile, plot_relevance_profile
from xaug.plots.relevance import plot_relevance
from xaug.report.explained_run import ExplainedRun
from xaug.report.figures.explanations import PAGE
from xaug.report.figures.maps import IN_SCALE
from xaug.report.run_label import run_label, run_title
from xaug.report.several_explanations import SeveralExplanations
from xaug.report.words import counted, listed, measured_rows, spread_over

__all__ = ["draw_bars_side_by_side", "draw_maps_side_by_side", "draw_profiles_side_by_side"]

WRAPPED = 28
"""Letters of a line above a panel."""


def draw_maps_side_by_side(subject: SeveralExplanations, stem: Path, pairs: Sequence[tuple[str, str]]) -> str:
    """Draw the relevance over pairs of variables: a row a pair, a column an explanation."""
    shown, labels = subject.explained, subject.explained[0].labels
    size = (0.6 + 3.4 * len(shown), 0.4 + 2.9 * len(pairs))
    numbers: JsonObject = {}
    with figures.figure(len(pairs), len(shown), size=size, squeeze=False) as (fig, axes):
        for column, one in zip(axes.T, shown, strict=True):
            column[0].set_title(_title(one), fontsize=8.5)
            bins = bins_for(len(one.label), axes=2)
            for ax, (x, y) in zip(column, pairs, strict=True):
                found = relevance_map(one.attributions, one.values, x, y, scores=one.scores, bins=bins)
                known = np.abs(found.mean[np.isfinite(found.mean)])
                largest = float(np.quantile(known, IN_SCALE)) if known.any() else 1.0
                artist = plot_map(found, labels[x], labels[y], ax, (-largest, largest))
                fig.colorbar(artist, ax=ax, extend="both")
                own = {"x_edges": found.x_edges, "y_edges": found.y_edges, "mean": figures.without_nan(found.mean)}
                numbers.setdefault(f"{x},{y}", {})[one.name] = {name: v.tolist() for name, v in own.items()}
            _forget(one, subject)
        figures.save(fig, stem)
    figures.save_numbers(stem, numbers)
    named = listed([f"{labels[x].text} and {labels[y].text}" for x, y in pairs])
    return (
        f"{_what(subject)}: mean sum of the normalised relevances of both variables over {named}, mean over "
        f"{counted(len(shown[0].run), 'training')}. Blue is towards {shown[0].classes[-1]}, orange towards "
        f"{shown[0].classes[0]}; each panel has a scale of its own. {_ways(shown)}"
    )


def draw_profiles_side_by_side(subject: SeveralExplanations, stem: Path) -> str:
    """Draw distributions of the most relevant variables of the first explanation, and the relevance by each below."""
    shown, labels = subject.explained, subject.explained[0].labels
    names = shown[0].first_variables[:PAGE]
    size = (0.8 + 2.5 * len(names), 2.4 + 1.7 * len(shown))
    ratios = {"height_ratios": [1.4, *[1.0] * len(shown)]}
    numbers: JsonObject = {}
    with figures.figure(1 + len(shown), len(names), size=size, squeeze=False, gridspec_kw=ratios) as (fig, axes):
        for row, one in enumerate(shown, start=1):
            found = profiles(one.attributions, one.values, names, bins=bins_for(len(one.label)))
            for place, name in enumerate(names):
                ax, profile = axes[row, place], found[name]
                if row == 1:
                    plot_profile(profile, labels[name], axes[0, place], ax, one.classes)
                    axes[0, place].tick_params(labelbottom=False)
                else:
                    plot_relevance_profile(profile, labels[name], ax, one.classes)
                if row < len(shown):
                    ax.set_xlabel("")
                ax.set_ylabel("" if place else _title(one), fontsize=8)
                if place:
                    axes[0, place].set_ylabel("")
                own = {"edges": profile.edges, "mean": figures.without_nan(profile.mean),
                       "training_rms": figures.without_nan(profile.training_rms)}  # fmt: skip
                numbers.setdefault(name, {})[one.name] = {key: v.tolist() for key, v in own.items()}
            _forget(one, subject)
        axes[0, 0].legend()
        figures.save(fig, stem)
    figures.save_numbers(stem, numbers)
    return (
        f"{_what(subject)}: distributions of the {counted(len(names), 'variable')} that are most relevant in the first "
        "explanation, and below them the mean normalised relevance of each variable for each true class, "
        "an explanation a row. "
        f"{spread_over('dark bands', len(shown[0].run))} {_ways(shown)}"
    )


def draw_bars_side_by_side(subject: SeveralExplanations, stem: Path) -> str:
    """Draw the mean relevance of each feature by each explanation, in the order of the first."""
    shown = subject.explained
    order = list(shown[0].ranking.index)
    size = (1.8 + 2.6 * len(shown), 1.2 + 0.19 * len(order))
    numbers: dict[str, Sequence[object]] = {"feature": [str(name) for name in order]}
    with figures.figure(1, len(shown), size=size, squeeze=False, sharey=True) as (fig, axes):
        for i, (ax, one) in enumerate(zip(axes.flat, shown, strict=True)):
            table = one.ranking.reindex(order)
            plot_relevance(table, one.labels, ax)
            ax.set_title(_title(one), fontsize=8.5)
            if i:
                ax.tick_params(labelleft=False)
                ax.get_legend().remove()
            numbers[f"{one.name}_mean"] = table["mean"].to_list()
            numbers[f"{one.name}_spread"] = table["spread"].to_list()
            _forget(one, subject)
        figures.save(fig, stem)
    figures.save_table(stem, numbers)
    return (
        f"{_what(subject)}: mean normalised relevance of each feature by each explanation, in the order of the first. "
        f"{spread_over('error bars', len(shown[0].run))} {_ways(shown)}"
    )


def _title(one: ExplainedRun) -> str:
    """The explanation above a panel, in short lines."""
    return figures.literal("\n".join(textwrap.wrap(one.way, WRAPPED)))


def _what(subject: SeveralExplanations) -> str:
    first = subject.explained[0]
    return f"{run_title(run_label(first.run), first.run.name)}, explained in {len(subject.explained)} ways"


def _ways(shown: Sequence[ExplainedRun]) -> str:
    """Sentences that say how each explanation was made, and of how many events."""
    told = [f"{one.name}: {one.words}, {one.explanation.events:,} {measured_rows(one.data)}" for one in shown]
    return f"The explanations are, in their order, {'; '.join(told)}."


def _forget(one: ExplainedRun, subject: SeveralExplanations) -> None:
    """Release the arrays of an explanation that was drawn; those of the first are needed by the next figure."""
    if one is not subject.arrays_of:
        one.release()
