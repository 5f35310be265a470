"""Figures of Integrated Gradients with several baselines: what each ranks first, how they agree, how far they lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from xaug.core import provenance
from xaug.explain.analysis.ablations import ABLATED
from xaug.plots import figures
from xaug.plots.attribution import plot_agreement, plot_attribution
from xaug.plots.topk import plot_curves
from xaug.report.answers import answers
from xaug.report.material import Explained, Figure
from xaug.training.retrain import METRICS

__all__ = [
    "ablation_curves", "agreement", "attribution_table", "claims", "distances", "features", "top_features",
    "topk_curves",
]  # fmt: skip

ROW = 0.17
"""Inches that a feature takes in figure 1."""
COLUMNS = 2
"""Panels side by side: labels stay readable on a page."""
ERRORS = ("mean_error_events", "mean_error_baselines")


def class_tables(directory: Path) -> list[pd.DataFrame]:
    """Attributions of the class as the explain stage wrote them, one table a training."""
    return [pd.read_csv(path, index_col=0) for path in sorted(directory.glob("class_level_*.csv"))]


def attribution_table(explained: Explained) -> pd.DataFrame:
    """Attribution of the class by feature, largest first.

    Returns
    -------
    DataFrame
        `mean` and `mean_absolute` over trainings; `rms`, the standard deviation of the mean over trainings (ddof 0);
        `error_events` and `error_baselines`, bootstrap errors of the mean, root mean square over trainings
    """
    tables = class_tables(explained.directory)
    found = pd.DataFrame({name: sum(t[name] for t in tables) / len(tables) for name in ("mean", "mean_absolute")})
    found["rms"] = pd.concat([t["mean"] for t in tables], axis=1).std(axis=1, ddof=0)
    for name in ERRORS:
        found[name.removeprefix("mean_")] = np.sqrt(sum(t[name] ** 2 for t in tables) / len(tables))
    return found.sort_values("mean", ascending=False, kind="stable").rename_axis("feature")


def features(baselines: list[Explained], stem: Path, count: int = 55) -> Figure:
    """The features of largest attribution, a panel a baseline (figure 1)."""
    tables = {explained.name: attribution_table(explained) for explained in baselines}
    rows = -(-len(tables) // COLUMNS)
    height = 1.0 + ROW * min(count, max(map(len, tables.values())))
    with figures.figure(rows, COLUMNS, size=(4.2 * COLUMNS, height * rows), squeeze=False) as (fig, axes):
        for explained, ax in zip(baselines, axes.flat, strict=False):
            plot_attribution(tables[explained.name].iloc[:count], explained.labels, ax)
            ax.set_title(explained.name)
        for ax in list(axes.flat)[len(baselines) :]:
            ax.remove()
        figures.save(fig, stem)
    joined = pd.concat(tables, names=["baseline"]).reset_index()
    figures.save_table(stem, {name: joined[name] for name in joined})
    return Figure(
        stem,
        f"The {count} features of largest mean attribution for signal events ({baselines[0].method}), for each "
        "baseline. Error bars: standard deviation over trainings.",
    )


def top_features(explained: Explained, stem: Path, count: int = 20) -> Figure:
    """The first features for one baseline (figures 3 to 5)."""
    table = attribution_table(explained).iloc[:count]
    with figures.figure(size=(5.6, 1.2 + 0.22 * len(table))) as (fig, ax):
        plot_attribution(table, explained.labels, ax)
        ax.set_title(explained.name)
        figures.save(fig, stem)
    figures.save_table(stem, {"feature": table.index, **{name: table[name] for name in table}})
    first = table.iloc[0]
    errors = f"{first['error_events']:.2g} from events"
    if explained.attributions[0].settings["baseline"]["events"] > 1:
        errors += f" and {first['error_baselines']:.2g} from baselines"
    return Figure(
        stem,
        f"Baseline {explained.name}: the {count} features of largest mean attribution ({explained.method}). Error "
        f"bars: standard deviation over trainings. Of the first one the bootstrap error is {errors}.",
    )


def agreement(baselines: list[Explained], stem: Path, count: int = 12) -> Figure:
    """Rank correlation between baselines, and how many of the first features they share."""
    from scipy.stats import kendalltau

    tables = {explained.name: attribution_table(explained) for explained in baselines}
    names = list(tables)
    tau = pd.DataFrame(index=names, columns=names, dtype=float)
    shared = pd.DataFrame(index=names, columns=names, dtype=float)
    for one in names:
        for other in names:
            both = tables[one]["mean"], tables[other]["mean"].reindex(tables[one].index)
            tau.loc[one, other] = kendalltau(*both).statistic
            shared.loc[one, other] = len(set(tables[one].index[:count]) & set(tables[other].index[:count]))
    with figures.figure(1, 2, size=(9.0, 3.8)) as (fig, axes):
        plot_agreement(tau, axes[0], 1.0, "{:.2f}")
        axes[0].set_title(r"rank correlation (Kendall's $\tau$)")
        plot_agreement(shared, axes[1], count, "{:.0f}")
        axes[1].set_title(f"shared among the first {count}")
        figures.save(fig, stem)
    figures.save_numbers(stem, {"kendall_tau": tau.to_dict(), f"shared_first_{count}": shared.to_dict()})
    return Figure(stem, "How much the rankings of the baselines agree.")


def distances(baselines: list[Explained]) -> pd.DataFrame:
    """A row a baseline: how many there are, effectively, and how far they lie from the data."""
    rows = []
    for explained in baselines:
        settings = explained.attributions[0].settings
        known = settings["baseline"]
        distance = known["distance"]
        rows.append(
            {
                "baseline": explained.name,
                "events": known["events"],
                "effective": round(settings["effective_baselines"], 1),
                "farther than % of events": round(distance["nearest_neighbour_percentile"], 1),
                "% of features outside the data": round(100 * distance["features_outside"], 1),
                "for example": ", ".join(distance["outside"][:3]),
            }
        )
    return pd.DataFrame(rows)


def topk_curves(directory: Path, stem: Path) -> Figure:
    """Performance of networks retrained on the k best features of each ranking (figure 2)."""
    content = provenance.read(directory, "topk")
    table = pd.read_csv(directory / "topk.csv")
    shown = [metric for metric in METRICS if metric in table]
    with figures.figure(1, len(shown), size=(4.6 * len(shown), 4.1), squeeze=False) as (fig, axes):
        plot_curves(table, shown, fig, axes[0])
        figures.save(fig, stem)
    figures.save_table(stem, {name: table[name] for name in table})
    plateau = ", ".join(f"{name} {k}" for name, k in content["plateau"].items())
    return Figure(
        stem,
        f"Networks retrained on the k first features, {table['training'].nunique()} trainings each; bands: their "
        "standard deviation. Rankings that agree lie on each other. "
        f"AUC stays within the error of its last value from k = {plateau}.",
    )


def ablation_curves(directory: Path, stem: Path) -> Figure:
    """Performance of the trained networks without the k first features of each ranking."""
    content, table = _ablated(directory)
    with figures.figure(1, len(ABLATED), size=(4.6 * len(ABLATED), 4.1)) as (fig, axes):
        plot_curves(table, ABLATED, fig, axes)
        for ax in axes:
            ax.set_xlabel("number of features replaced")
        figures.save(fig, stem)
    figures.save_table(stem, {name: table[name] for name in table})
    return Figure(
        stem,
        f"Ablation: the {content['trainings']} trained networks, not trained again, with the first features of each "
        f"ranking replaced by the baseline {content['config']['baseline']!r} in all events; bands: standard deviation "
        "over trainings.",
    )


def _ablated(directory: Path) -> tuple[dict, pd.DataFrame]:
    """Manifest and table of an ablation, without the point where nothing is left: chance, by construction."""
    content = provenance.read(directory, "ablation")
    table = pd.read_csv(directory / "ablation.csv")
    features = len(next(iter(content["config"]["rankings"].values())))
    return content, table[table["k"] < features]


def claims(
    baselines: list[Explained], topk: Path | None, ablation: Path | None, varied: Mapping[str, Sequence[Path]]
) -> pd.DataFrame:
    """The paper's claims beside ours, see `xaug.report.answers.answers`; `varied` as `xaug.report.stage.report`."""
    tables = {explained.baseline: class_tables(explained.directory) for explained in baselines}
    names = {explained.baseline: explained.name for explained in baselines}
    curves = ablated = None
    by = "mean"
    if topk:
        by = provenance.read(topk, "topk")["config"]["by"]
        curves = pd.read_csv(topk / "topk.csv")
    if ablation:
        ablated = _ablated(ablation)[1]
    other = {
        label: {provenance.read(path, "explain")["config"]["baseline"]: class_tables(path) for path in directories}
        for label, directories in varied.items()
    }
    return answers({choice: own for choice, own in tables.items() if own}, names, curves, ablated, by, other)
