"""All stages of the study of truth toys: draw, train, explain, score, and one page."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xaug.core import provenance
from xaug.core.command import option_list
from xaug.core.files import atomic_path
from xaug.core.progress import begin_stage
from xaug.core.statistics import sample_deviation
from xaug.core.types import Array, JsonObject
from xaug.data.dataset import Dataset
from xaug.generate.truth_toys import TRUTH_TOYS, TruthToy, truth_toy
from xaug.studies.plan import training_seconds
from xaug.studies.planned_stage import PlannedStage
from xaug.studies.scales import sized

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SCALES", "TruthScale", "plan", "study"]

CONTROLS = ("oracle", "random")
RANDOM_DRAWS = 20
"""Random attributions of each case, whose mean is chance."""
"""Attributions that are not of a network: the exact Shapley values of the optimal answer, and normal numbers."""
BACKGROUND = 100
"""Events of the first class over which the Shapley values of the optimal answer are averaged."""
EXPLAINED = 30.0
"""Seconds in which all methods explain a run, and are scored."""
TEST = 1000
"""Test events of each class."""
SHOWN = ("found", "likeness")


@dataclass(frozen=True)
class TruthScale:
    """How large the study is.

    Attributes
    ----------
    jets : int
        training events of each class in the largest sample
    fractions : tuple of float
        smaller samples, in units of the largest
    copies : tuple of int
        numbers of copies of the redundant variable; the first is that of all sizes
    trainings, epochs : int
    explained : int
        explained test events
    """

    jets: int
    fractions: tuple[float, ...]
    copies: tuple[int, ...]
    trainings: int
    epochs: int
    explained: int = 300


SCALES = {
    "quick": TruthScale(4_000, (0.1,), (3, 1), 2, 20, 200),
    "standard": TruthScale(20_000, (0.025, 0.1, 0.4), (3, 1, 6), 4, 40),
    "paper": TruthScale(100_000, (0.005, 0.02, 0.1, 0.4), (3, 1, 2, 6, 10), 10, 80, 1000),
}


@dataclass(frozen=True)
class Case:
    """One toy at one training size."""

    toy: TruthToy
    copies: int
    events: int

    @property
    def name(self) -> str:
        """The name of its directories."""
        redundant = f"_{self.copies}" if self.toy.name == "copies" else ""
        return f"{self.toy.name}{redundant}_{self.events}"


def study(
    output: str | Path,
    *,
    scale: str = "quick",
    toys: str | None = None,
    methods: str | None = None,
    jets: int | None = None,
    trainings: int | None = None,
    epochs: int | None = None,
    seed: int = 1,
    workers: int | None = None,
) -> JsonObject:
    """Run all stages that are not done yet; return where the page and its table are.

    Parameters
    ----------
    output
        directory of the study
    scale
        a name in SCALES
    toys, methods
        names separated by commas; default: all
    jets, trainings, epochs
        numbers in place of those of the scale; jets are training events of each class
    seed
        seed of the samples and trainings
    workers
        processes at a time; default: one for each core
    """
    import pandas as pd

    from xaug.explain.methods import find_method, registered
    from xaug.training.stage import train

    size = sized(SCALES, scale, jets=jets, trainings=trainings, epochs=epochs)
    chosen = [find_method(name) for name in option_list(methods)] if methods else registered()
    output, rows, performance = Path(output), [], []
    for case in _cases(option_list(toys) if toys else list(TRUTH_TOYS), size):
        data = _write(case, output / "data" / case.name, seed)
        run = output / "runs" / case.name
        begin_stage(f"train {case.name}")
        train(data, run, network="mlp", xaug="all", trainings=size.trainings, epochs=size.epochs, patience=5,
              seed=seed, workers=workers)  # fmt: skip
        scored = _scores(case, run, output / "attributions", [method.name for method in chosen], size, seed)
        rows += scored
        performance.append({"run": case.name, "auc": scored[0]["AUC"]})
    table = pd.DataFrame(rows)
    with atomic_path(output / "truth.csv") as path:
        table.to_csv(path, index=False)
    page = _page(table, output, [output / "runs" / str(row["run"]) for row in performance], size)
    return {"output": str(output), "report": str(page), "performance": performance}


def plan(
    output: Path, *, scale: str = "quick", toys: str | None = None, jets: int | None = None,
    trainings: int | None = None, epochs: int | None = None, **others: object,
) -> list[PlannedStage]:  # fmt: skip
    """The stages that `study` of the same arguments would do; explanations and scores are part of each of them."""
    size = sized(SCALES, scale, jets=jets, trainings=trainings, epochs=epochs)
    stages = []
    for case in _cases(option_list(toys) if toys else list(TRUTH_TOYS), size):
        events = case.events * len(case.toy.classes)
        seconds = training_seconds("mlp", events, {"epochs": size.epochs}, size.trainings)
        words = f"{events:,} events, {size.trainings} trainings"
        stages.append(PlannedStage(f"train {case.name}", words, seconds, EXPLAINED, output / "runs" / case.name))
    return stages


def _cases(toys: Sequence[str], size: TruthScale) -> list[Case]:
    sizes = sorted({max(50, round(f * size.jets)) for f in size.fractions} | {size.jets})
    found = []
    for name in toys:
        found += [Case(truth_toy(name, size.copies[0]), size.copies[0], events) for events in sizes]
        if name == "copies":
            found += [Case(truth_toy(name, copies), copies, size.jets) for copies in size.copies[1:]]
    return found


def _write(case: Case, path: Path, seed: int) -> Path:
    """The dataset of a case; the test sample is the same for all sizes of a toy."""
    if (path / provenance.NAME).exists():
        return path
    own = zlib.crc32(case.toy.name.encode())
    parts = [("train", case.events, 1), ("validation", max(case.events // 4, 50), 2), ("test", TEST, 3)]
    drawn = [case.toy.sample(events, seed + own % 1000 + 1000 * place) for _, events, place in parts]
    split = np.concatenate([np.full(len(label), name) for (name, _, _), (_, label) in zip(parts, drawn, strict=True)])
    values, label = (np.concatenate([part[i] for part in drawn]) for i in (0, 1))
    two = case.toy.classes == ("background", "signal")
    Dataset.write(
        path, label=label, xaug=values, variables={"xaug": list(case.toy.columns)}, split=split,
        classes=None if two else case.toy.classes,
    )  # fmt: skip
    return path


def _scores(
    case: Case, run: Path, attributions: Path, methods: Sequence[str], size: TruthScale, seed: int
) -> list[JsonObject]:
    """Scores of all methods and controls on one run."""
    from xaug.explain.analysis.relevance import signed_relevance
    from xaug.explain.faithfulness.truth import TruthScore, shapley_of_truth, truth_score
    from xaug.explain.methods import comparable_options, find_method
    from xaug.explain.stage import explain_run
    from xaug.training.runs import load_run

    opened, toy = load_run(run), case.toy
    target, names = toy.classes[-1], list(toy.columns)
    data = opened.dataset()
    rows = data.rows("test", size.explained)
    values = np.asarray(data.load_rows(["xaug"], "test", rows)["xaug"], np.float64)
    reference = data.load(["xaug", "label"], "validation")
    background = np.asarray(reference["xaug"][reference["label"] == 0][:BACKGROUND], np.float64)
    truth = shapley_of_truth(toy.log_odds, values, background, [names.index(name) for name in toy.informative])
    tables: dict[str, list[Array]] = {
        "oracle": [truth],
        "random": [_random(truth.shape, seed, case.name, i) for i in range(RANDOM_DRAWS)],
    }
    for name in methods:
        given: dict[str, Any] = comparable_options(find_method(name), toy.classes, target)
        place = attributions / f"{case.name}_{name}"
        found = explain_run(run, place, method=name, max_events=size.explained, seed=seed, **given)
        tables[name] = [signed_relevance(one, normalize=False)[names].to_numpy() for one in found.attributions()]
    auc = float(np.mean([one["auc"] for one in opened.metrics]))
    scored = []
    for name, own in tables.items():
        each: list[TruthScore] = [truth_score(one, truth, names, toy.informative, seed) for one in own]
        row: JsonObject = {
            "toy": toy.name, "copies": case.copies if toy.name == "copies" else "", "training events": case.events,
            "method": name, "AUC": round(auc, 4),
        }  # fmt: skip
        for key in SHOWN:
            single = [getattr(one, key) for one in each]
            row[key] = float(np.mean(single))
            row[f"{key} error"] = float(np.sqrt(np.mean([getattr(one, f"{key}_error") ** 2 for one in each])))
            row[f"{key} spread"] = float(sample_deviation(single))
        scored.append(row)
    return scored


def _random(shape: tuple[int, ...], seed: int, case: str, number: int) -> Array:
    """An attribution that knows nothing; each case has others."""
    drawn: Array = np.random.default_rng([seed, zlib.crc32(case.encode()), number]).normal(size=shape)
    return drawn


def _page(table: pd.DataFrame, output: Path, runs: Sequence[Path], size: TruthScale) -> Path:
    """Draw the figure and write the page."""
    from xaug.report.origin import origin_of
    from xaug.report.page import DrawnFigure, Page, make_page
    from xaug.report.tables import NamedTable

    stem = output / "truth"
    _draw(table, stem)
    shown = table[["toy", "copies", "training events", "method", "AUC"]].copy()
    for key, heading in (("found", "finds information"), ("likeness", "likeness to the truth")):
        shown[heading] = [
            f"{value:.3f} ± {error:.3f}".replace("-", "−") + (f" ± {spread:.3f}" if np.isfinite(spread) else "")
            for value, error, spread in zip(table[key], table[f"{key} error"], table[f"{key} spread"], strict=True)
        ]
    note = (
        "A method finds information if variables that carry some have a larger mean absolute attribution than those "
        "that carry none: 1 is best, 0.5 is chance. Its likeness to the truth is the correlation, over events and "
        "variables, with the exact Shapley values of the optimal answer: 1 is best, 0 is chance. The first error is "
        "that of the finite number of events, the second the standard deviation over trainings. For three classes the "
        "last one is explained against the others."
    )
    caption = (
        "Scores of each method against the number of training events of each class, for each toy. Bars are both errors "
        f"in quadrature. The toy copies has {size.copies[0]} copies here; other numbers are in the table."
    )
    figure = DrawnFigure(stem, caption, "Scores against the size of the training sample")
    words = "; ".join(f"{name}: {make(size.copies[0]).words}" for name, make in TRUTH_TOYS.items())
    page = Page(
        "xaug study truth", [f"The likelihood ratios of these toys are known in closed form. {words}."],
        [NamedTable("truth", "Scores of the methods", shown, note=note)], [figure], origin_of(runs),
    )  # fmt: skip
    path = output / "truth.html"
    with atomic_path(path) as temporary:
        temporary.write_text(make_page(page), encoding="utf-8")
    return path


def _draw(table: pd.DataFrame, stem: Path) -> None:
    from xaug.plots import figures

    toys = list(dict.fromkeys(table["toy"]))
    copies = table.loc[table["toy"] == "copies", "copies"]
    first = table[(table["copies"] == "") | (table["copies"] == (copies.iloc[0] if len(copies) else ""))]
    methods = [method for method in dict.fromkeys(first["method"]) if method not in CONTROLS]
    styles = {method: figures.series_style(i) | {"marker": "o"} for i, method in enumerate(methods)}
    with figures.figure(2, len(toys), size=(0.8 + 2.7 * len(toys), 5.0), squeeze=False, sharey="row") as (fig, axes):
        for column, toy in enumerate(toys):
            for row, key in enumerate(SHOWN):
                ax = axes[row, column]
                for method, own in first[first["toy"] == toy].groupby("method", sort=False):
                    spread = own[f"{key} spread"].fillna(0.0)
                    error = np.hypot(own[f"{key} error"], spread)
                    style = styles.get(str(method), {"color": "0.6", "linestyle": ":"})
                    ax.errorbar(own["training events"], own[key], error, ms=3, lw=1, label=str(method), **style)
                ax.set_xscale("log")
                ax.set_title(toy if row == 0 else "")
            axes[1, column].set_xlabel("training events of each class")
        axes[0, 0].set_ylabel("finds information")
        axes[1, 0].set_ylabel("likeness to the truth")
        axes[0, -1].legend(fontsize=7)
        figures.save(fig, stem)
