"""The opening of a report: stable ranks and where methods differ, then the sample and how well networks separate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from xaug.data.dataset import Dataset
from xaug.explain.analysis.spread import ENOUGH_TRAININGS, stable_features
from xaug.jets.jets import OPEN
from xaug.plots.relevance import feature_text
from xaug.report.class_scores import absent_classes
from xaug.report.errors_beside import measured_cells
from xaug.report.explained_run import ExplainedRun
from xaug.report.run_label import run_label, run_title
from xaug.report.subjects import ReportInputs
from xaug.report.words import counted, is_split, listed, measured_rows, noun
from xaug.training.intervals import ONE_SIGMA
from xaug.training.runs import Run

__all__ = ["summary_sentences"]

GIVEN = {name: OPEN[name] for name in ("jets_per_event", "subjets")}
"""Options of the selection of jets that files give, which are not clustered."""
FIRST = 5
"""First features that two explanations of a run are compared by."""


def summary_sentences(inputs: ReportInputs) -> list[str]:
    """Describe a report in a few sentences.

    Parameters
    ----------
    inputs : ReportInputs
        what the report draws; the rankings of its explained runs are computed where they are not yet

    Returns
    -------
    list of str
        paragraphs: separation, stable ranks, differences between methods, sample and selection, cautions
    """
    told = [_separation(inputs.runs, measured_rows(inputs.data))]
    if inputs.explained:
        told += [*_stable(inputs.explained), *_differences(inputs.explained), _lost(inputs.explained)]
    told += [_sample(inputs.data), _warnings(inputs.runs)]
    return [text for text in told if text]


def _sample(data: Dataset) -> str:
    rows = noun(data.kind)
    n_of = dict.fromkeys(data.classes, 0)
    for own in (own for part in data.parts for own in part.contents):
        n_of[data.classes[own.label]] += own.rows
    counts = listed([f"{n:,} {name}" for name, n in n_of.items()])
    processes = list(data.counts)
    named = set(processes) != set(data.classes) and len(processes) <= 20
    of = f" (processes: {', '.join(processes)})" if named else ""
    cuts = _selection(data)
    selected = f" Selection (momenta and masses in GeV): {cuts}." if cuts else ""
    if not is_split(data):
        return f"The sample has {counts} {rows}{of}; all numbers below are measured on all of them.{selected}"
    return (
        f"The sample has {counts} {rows}{of}; {data.size('test'):,} of them are in the test split, on which "
        f"all numbers below are measured.{selected}"
    )


def _selection(data: Dataset) -> str:
    """The cuts of a dataset as its manifest records them, without its tables; "" where there are none."""
    cuts = dict(data.manifest.get("config", {}).get("selection") or {})
    told = []
    if cuts and all(cuts.get(name) == value for name, value in GIVEN.items()):  # jets that the files give
        told = ["all jets of the files"]
        del cuts["radius"]
    return ", ".join(told + [
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in cuts.items()
        if isinstance(value, str | int | float) and value != "" and not (told and OPEN.get(name) == value)
    ])  # fmt: skip


def _separation(runs: Sequence[Run], rows: str) -> str:
    """The best and the worst AUC with both of their errors, as in the table of performance."""
    means = {run.name: float(np.mean([m["auc"] for m in run.metrics])) for run in runs}
    absent = absent_classes(runs[0].scores(0)["label"], runs[0].classes)
    if absent:
        return f"No {rows} are {listed(absent)}, so how well the classes are separated is not measured."
    title = {run.name: run_title(run_label(run), run.name) for run in runs}
    order = sorted(means, key=lambda name: -means[name])
    best, worst = (next(run for run in runs if run.name == order[place]) for place in (0, -1))
    what = " (of each class against the rest, mean over classes)" if len(best.classes) > 2 else ""
    text = f"The classes are separated by {title[best.name]} with an AUC{what} of {_auc(best, rows)}"
    if len(order) > 1:
        text += f", the best of {len(order)} networks; the worst is {title[worst.name]} with {_auc(worst, rows)}"
    brackets = f"Square brackets are {100 * ONE_SIGMA:.0f}% intervals from the finite test sample"
    spread = ", what follows ± is the standard deviation over trainings" if max(map(len, (best, worst))) > 1 else ""
    return f"{text}. {brackets}{spread}." if "[" in text else f"{text}."


def _auc(run: Run, rows: str) -> str:
    """The AUC of a run with both of its errors, and over how many trainings it is a mean."""
    cell = measured_cells([run.scores(i) for i in range(len(run))], run.classes)["auc"]
    over = f"mean over {counted(len(run), 'training')}" if len(run) > 1 else "one training"
    perfect = f"; no pair of {rows} is in the wrong order" if cell.startswith(">") else ""
    return f"{cell} on {rows} ({over}{perfect})"


def _lost(explained: Sequence[ExplainedRun]) -> str:
    """How many events each explanation has lost, because a relevance of theirs is not finite; "" if there are none."""
    texts = []
    for one in explained:
        shares = [
            f"{lost:,} of {one.explanation.events:,} in training {i}"
            for i, lost in enumerate(one.explanation.lost, start=1)
            if lost
        ]
        if shares:
            rows = noun(one.data.kind)
            texts.append(f"{one.title}: {rows} with a relevance that is not finite are left out ({listed(shares)}).")
    return " ".join(texts)


def _warnings(runs: Sequence[Run]) -> str:
    """The cautions that go with the scalings of runs, each with the runs that it is about."""
    found: dict[str, list[str]] = {}
    for run in runs:
        for text in run.scaler.warnings:
            found.setdefault(text, []).append(run.name)
    return " ".join(f"{listed(names)}: {text}" for text, names in found.items())


def _stable(explained: Sequence[ExplainedRun]) -> list[str]:
    """How many ranks are stable, for each explained run that was trained often enough."""
    texts, few = [], {}
    for one in explained:
        trainings = one.explanation.trainings
        if trainings < ENOUGH_TRAININGS:
            few[f"{run_title(run_label(one.run), one.run.name)} with {counted(trainings, 'training')}"] = True
            continue
        found = stable_features(one.ranking)
        named = [f"{_label(one, str(name))} (rank {found.loc[name, 'rank']})" for name in found.index[found["stable"]]]
        which = f": {listed(named)}" if named else ""
        texts.append(f"{one.title}: {len(named)} of {len(found)} ranks are stable{which}.")
    if texts:
        texts = ["A rank is stable if all trainings agree on it and no other feature lies within their spread.", *texts]
    if few:
        texts.append(
            f"No rank is called stable with fewer than {ENOUGH_TRAININGS} trainings; this concerns {listed(list(few))}."
        )
    return texts


def _differences(explained: Sequence[ExplainedRun]) -> list[str]:
    """For each run that was explained more than once, how far the explanations agree, and where they differ most."""
    groups: dict[str, list[ExplainedRun]] = {}
    for one in explained:
        groups.setdefault(str(one.run.path), []).append(one)
    return [_of_run(own) for own in groups.values() if len(own) > 1]


def _of_run(explained: Sequence[ExplainedRun]) -> str:
    """How the explanations of one run compare with the first of them."""
    first, *others = explained
    run = run_title(run_label(first.run), first.run.name)
    differ = len({str(one.explanation.settings.get("target")) for one in explained}) > 1
    several = [f"{_way(other, differ)} shares {_difference(first, other)}" for other in others]
    return f"Of the explanations of {run}, beside {_way(first, differ)}: {'; '.join(several)}."


def _way(one: ExplainedRun, with_target: bool) -> str:
    """The method, its target where this differs, and the name of the directory."""
    target = f", target {one.explanation.settings.get('target')}" if with_target else ""
    return f"{one.way}{target} ({one.name})"


def _difference(one: ExplainedRun, other: ExplainedRun) -> str:
    ranks = pd.DataFrame({"one": one.ranking["rank"], "other": other.ranking["rank"]}).dropna().astype(int)
    features = max(len(one.ranking), len(other.ranking))
    same = ranks["one"] == ranks["other"]
    if features <= FIRST:  # both have all features among their first: only the order can differ
        text = f"{int(same.sum())} of {features} ranks (chance: 1)"
    else:
        first = [set(table.index[:FIRST]) for table in (one.ranking, other.ranking)]
        text = f"{len(first[0] & first[1])} of the first {FIRST} features (chance: {FIRST**2 / features:.1f})"
    if same.all():
        return f"{text} and all ranks" if len(ranks) and features > FIRST else text
    name = (ranks["one"] - ranks["other"]).abs().idxmax()
    row = ranks.loc[name]
    return f"{text}, and differs most about {_label(one, str(name))} (rank {row['one']} and {row['other']})"


def _label(explained: ExplainedRun, name: str) -> str:
    return feature_text(name, explained.labels)
