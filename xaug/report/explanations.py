"""Figures of explained runs: heat maps, bars, ranks, profiles, maps, and the spread over trainings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xaug.explain.analysis.binned import VariableMap, profiles, relevance_map, score_map
from xaug.explain.analysis.ranks import rank_fractions
from xaug.explain.analysis.relevance import summary
from xaug.explain.analysis.spread import stability, uncertainty
from xaug.plots import figures
from xaug.plots.binned import plot_map, plot_profile
from xaug.plots.images import FRAMES, plot_heatmap, plot_image
from xaug.plots.ranking import plot_ranks
from xaug.plots.relevance import plot_relevance, plot_trainings
from xaug.plots.spread import plot_feature_spread, plot_score_spread
from xaug.report.material import Explained, Figure

__all__ = ["heatmaps", "maps", "ranks", "relevance", "relevance_profiles", "spread", "trainings"]

LIST_RELEVANCE = "signed"
"""How scores of a list add up: as in the code of the authors, and so in figures 16 and 24 of the paper."""
SHOWN_TRAININGS = 4
"""Panels of figures that show trainings side by side."""
PAGE = 6
"""Profiles in a figure, as in the appendix of the paper."""
COLUMNS = 3
"""Profiles in a row."""
SIDE_BY_SIDE = {"squeeze": False, "sharex": True, "sharey": True}


def heatmaps(explained: Explained, stem: Path) -> Figure:
    """Single jets with their relevance (figures 10 and 19): of each class two typical ones that are recognised."""
    found, score = explained.attributions[0], explained.scores[0]
    images = explained.data.load(["image"], "test")["image"][found.rows, :, :, 0]
    chosen = []
    for label in (1, 0):
        right = np.flatnonzero((found.label == label) & ((score > 0.5) == (label == 1)))
        # of the correctly recognised ones, those whose confidence is closest to the median: no cherries
        if len(right):
            typical = right[np.argsort(np.abs(score[right] - np.median(score[right])), kind="stable")]
            chosen += list(typical[:2])
    frame = FRAMES[explained.data.kind]
    with figures.figure(2, 4, size=(11.2, 5.6)) as (fig, axes):
        for column, event in enumerate(chosen):
            top = plot_image(images[event], axes[0, column], vmin=1e-4, frame=frame)
            heat = found.relevance["image"][event, :, :, 0]
            bottom = plot_heatmap(heat / (np.abs(heat).max() or 1.0), axes[1, column], limit=1.0, frame=frame)
            axes[0, column].set_title(f"{figures.CLASS_NAMES[found.label[event]]}, score {score[event]:.2f}")
        for ax in axes[:, len(chosen) :].flat:  # a class that is never recognised leaves its panels empty
            ax.set_axis_off()
        if chosen:
            fig.colorbar(top, ax=list(axes[0]), label=r"$p_T/p_T^\mathrm{jet}$")
            fig.colorbar(bottom, ax=list(axes[1]), label="relevance / largest pixel's")
        for ax in axes[:, 1:].flat:
            ax.set_ylabel("")
        for ax in axes[0]:
            ax.set_xlabel("")
        figures.save(fig, stem)
    numbers = {
        "events": [int(found.rows[event]) for event in chosen],
        "images": [images[event].tolist() for event in chosen],
        "relevance": [found.relevance["image"][event, :, :, 0].tolist() for event in chosen],
    }
    figures.save_numbers(stem, numbers)
    return Figure(
        stem,
        f"{explained.name}, training 1: correctly recognised jets of median score in their class, and the relevance "
        f"of their pixels for the predicted class. Blue supports it, red opposes it. {frame.caption}",
    )


def relevance(explained: Explained, stem: Path) -> Figure:
    """Mean normalised relevance of every feature (figures 16, 23 and 24)."""
    attributions = explained.attributions
    table = summary(attributions, LIST_RELEVANCE)
    with figures.figure(size=(6.0, 1.2 + 0.19 * len(table))) as (fig, ax):
        plot_relevance(table, explained.labels, ax)
        ax.set_title(f"{explained.name}, {len(attributions)} trainings")
        figures.save(fig, stem)
    figures.save_table(stem, {"feature": table.index, **{name: table[name] for name in table}})
    conserved = np.nanmedian([np.nanmedian(a.conserved) for a in attributions])
    return Figure(
        stem,
        f"{explained.name}: mean normalised relevance ({explained.method}) of {len(attributions[0])} test jets; error "
        f"bars: standard deviation over {len(attributions)} trainings. Median sum of relevance over the explained "
        f"output: {conserved:.2f}.{_of_list(explained)}",
    )


def trainings(explained: Explained, stem: Path) -> Figure:
    """Mean normalised relevance, trainings side by side (figure 11)."""
    table = summary(explained.attributions, LIST_RELEVANCE)
    shown = min(len(explained.attributions), SHOWN_TRAININGS)
    with figures.figure(1, shown, size=(1.4 + 2.0 * shown, 1.0 + 0.2 * len(table)), **SIDE_BY_SIDE) as (fig, axes):
        plot_trainings(table, explained.labels, axes.flat)
        for ax in axes[0, 1:]:
            ax.tick_params(labelleft=False)
        figures.save(fig, stem)
    figures.save_table(stem, {"feature": table.index, **{name: table[name] for name in table}})
    return Figure(
        stem, f"{explained.name}: mean normalised relevance ({explained.method}) in each training.{_of_list(explained)}"
    )


def ranks(explained: Explained, stem: Path) -> Figure:
    """How often a feature has which rank, trainings side by side (figure 12)."""
    shown = explained.attributions[:SHOWN_TRAININGS]
    found = [rank_fractions(a, LIST_RELEVANCE) for a in shown]
    order = list(rank_fractions(shown, LIST_RELEVANCE).index)  # the same rows in all panels
    side = 0.9 + 0.42 * min(len(order), 12)
    with figures.figure(1, len(found), size=(1.2 + side * len(found), 0.7 + side), **SIDE_BY_SIDE) as (fig, axes):
        for i, (table, ax) in enumerate(zip(found, axes.flat, strict=True)):
            plot_ranks(table.loc[order], explained.labels, ax)
            ax.set_title(f"training {i + 1}")
            if i:
                ax.tick_params(labelleft=False)
        figures.save(fig, stem)
    figures.save_numbers(stem, {str(i): table.loc[order].T.to_dict("list") for i, table in enumerate(found)})
    return Figure(
        stem,
        f"{explained.name}: per cent of the test jets in which a feature has rank 1, 2, ... of absolute relevance "
        f"({explained.method}); ties share their ranks.{_of_list(explained)}",
    )


def maps(explained: Explained, stem: Path, x: str, y: str, of: str = "relevance", side_by_side: bool = False) -> Figure:
    """Mean score or relevance over two variables (figures 13, 14, 17 and 20-22)."""
    if of == "score":
        found = score_map(explained.scores, explained.label, explained.values, x, y)
    else:
        found = relevance_map(explained.attributions, explained.values, x, y, scores=explained.scores)
    shown = list(found.training_mean[:SHOWN_TRAININGS]) if side_by_side else [found.mean]
    # cells with a few jets at the rim would else set the scale
    largest = float(np.nanquantile(np.abs(shown), 0.95)) if np.isfinite(shown).any() else 0.0
    limits = (0.0, 1.0) if of == "score" else (-(largest or 1.0), largest or 1.0)
    with figures.figure(1, len(shown), size=(1.8 + 2.7 * len(shown), 3.3), **SIDE_BY_SIDE) as (fig, axes):
        for i, (mean, ax) in enumerate(zip(shown, axes.flat, strict=True)):
            drawn = VariableMap(found.quantity, x, y, found.x_edges, found.y_edges, found.counts, mean, mean[None])
            artist = plot_map(drawn, explained.labels[x], explained.labels[y], ax, limits)
            if i:
                ax.set_ylabel("")
            if side_by_side:
                ax.set_title(f"training {i + 1}")
        label = "mean score" if of == "score" else "relevance towards signal"
        fig.colorbar(artist, ax=list(axes.flat), label=label, extend="neither" if of == "score" else "both")
        figures.save(fig, stem)
    numbers = {"x": x, "y": y, "x_edges": found.x_edges, "y_edges": found.y_edges, "background": found.counts[0]}
    numbers |= {
        "signal": found.counts[1],
        "trainings": np.where(np.isnan(found.training_mean), None, found.training_mean),
    }
    figures.save_numbers(stem, {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in numbers.items()})
    pair = f"{explained.labels[x].label} and {explained.labels[y].label}"
    quantity = "predicted score" if of == "score" else f"sum of the relevances of both variables ({explained.method})"
    averaged = "" if side_by_side else f", mean over {len(found.training_mean)} trainings"
    return Figure(
        stem,
        f"{explained.name}: mean {quantity} over {pair}{averaged}. Blue is towards signal, orange towards background, "
        "grey where there are no jets.",
    )


def relevance_profiles(explained: Explained, stem: Path, names: Sequence[str] | None = None, page: int = 0) -> Figure:
    """Distributions above, relevance below (figures 15, 18 and 26-31).

    `names`: of the variables; None: a page of six of all expert variables; an empty one: the six most relevant.
    """
    if names is None:
        names = explained.xaugs[page * PAGE : (page + 1) * PAGE]
    elif not names:
        names = [name for name in summary(explained.attributions).index if name in explained.xaugs][:PAGE]
    found = profiles(explained.attributions, explained.values, names)
    columns = min(len(names), COLUMNS)
    rows = -(-len(names) // columns)
    ratios = {"gridspec_kw": {"height_ratios": [1.6, 1] * rows}}
    with figures.figure(2 * rows, columns, size=(0.6 + 3.1 * columns, 3.6 * rows), squeeze=False, **ratios) as (
        fig,
        axes,
    ):
        for i, name in enumerate(names):
            row, column = 2 * (i // columns), i % columns
            top, bottom = axes[row, column], axes[row + 1, column]
            plot_profile(found[name], explained.labels[name], top, bottom)
            top.tick_params(labelbottom=False)
            if column:
                top.set_ylabel("")
                bottom.set_ylabel("")
        for ax in axes.flat:
            if not ax.has_data():
                ax.set_axis_off()
        axes[0, 0].legend()
        figures.save(fig, stem)
    numbers = {
        name: {
            "edges": p.edges, "background": p.counts[0], "signal": p.counts[1],
            **{f"{key}_{of}": np.where(np.isnan(values[i]), None, values[i])
               for key, values in (("mean", p.mean), ("rms", p.rms), ("training_rms", p.training_rms))
               for i, of in enumerate(figures.CLASS_NAMES)},
        }
        for name, p in found.items()
    }  # fmt: skip
    figures.save_numbers(stem, {name: {k: v.tolist() for k, v in values.items()} for name, values in numbers.items()})
    return Figure(
        stem,
        f"{explained.name}: distributions, and below them the mean relevance ({explained.method}) of the same variable "
        f"for each class. Dark bands: RMS over {len(explained.attributions)} trainings; light bands: RMS over jets and "
        "trainings. The outer bins hold what lies beyond them.",
    )


def spread(samples: list[Explained], stem: Path) -> Figure:
    """How far trainings agree (section 5.2): relevance of features and scores of events, and which ranks are stable."""
    explained = samples[0]
    found = uncertainty(
        explained.attributions, explained.scores, weight=explained.weight, list_relevance=LIST_RELEVANCE
    )
    tables = {_sample_name(explained): found.features}
    tables |= {_sample_name(e): stability(e.attributions, LIST_RELEVANCE) for e in samples[1:]}
    with figures.figure(1, 2, size=(9.6, 4.0)) as (fig, axes):
        fig.suptitle(f"{explained.name}, {len(explained.attributions)} trainings", fontsize=10)
        plot_score_spread(found.score_mean, found.score_rms, explained.label, axes[1])
        plot_feature_spread(tables, explained.labels, axes[0])  # last: its names depend on the room they have
        figures.save(fig, stem)
    sizes = [size for size, table in tables.items() for _ in range(len(table))]
    columns = {"sample": sizes, "feature": [feature for table in tables.values() for feature in table.index]}
    columns |= {name: np.concatenate([table[name] for table in tables.values()]) for name in found.features}
    figures.save_table(stem, columns)
    stable = [explained.labels[name].label if name in explained.labels else name
              for name in found.features.index[found.features["stable"]]]  # fmt: skip
    performance = ""
    if found.performance is not None:
        auc = found.performance.loc["auc"]
        performance = (
            f" On these jets the AUC of the mean score is {auc['mean_score']:.4f}, the mean AUC {auc['mean']:.4f} ± "
            f"{auc['rms']:.4f}."
        )
    return Figure(
        stem,
        f"{explained.name}: spread over {len(explained.attributions)} trainings of the relevance of each feature "
        "(lines: 100% and 10% of the mean), and of the score of each jet (median and central 68%). A rank is stable if "
        "it is the same in all trainings and no other feature's mean is within the RMS of both: so for "
        f"{len(stable)} of {len(found.features)} features ({', '.join(stable) or 'none'}).{performance}",
    )


def _of_list(explained: Explained) -> str:
    """For captions: how a list has become one number."""
    if "list" not in explained.run.input_spec.columns:
        return ""
    return " Of the list: the absolute value of each column's sum over particles, added over columns."


def _sample_name(explained: Explained) -> str:
    return f"{explained.run.training_events:,} training jets"
