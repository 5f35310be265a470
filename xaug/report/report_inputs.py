"""Read the directories that a report is made of, and refuse those that do not belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from xaug.core import provenance
from xaug.core.errors import ConfigurationError
from xaug.core.files import digest_json, name_of
from xaug.core.integrity import verified
from xaug.core.types import JsonObject
from xaug.data.dataset import Dataset
from xaug.explain.explanation import Explanation
from xaug.report.explained_run import ExplainedRun
from xaug.report.run_series import runs_by_size
from xaug.report.subjects import AblationCurves, ReportInputs, TopKCurves
from xaug.training.retrain import REPLICAS_FILE
from xaug.training.runs import Run, load_run

__all__ = ["Sources", "open_inputs", "read_ablation", "read_topk"]


@dataclass(frozen=True)
class Sources:
    """The directories of a report.

    Attributes
    ----------
    runs
        directories of `xaug.train` on one dataset, at least one of them on the full sample
    attributions
        directories of `xaug.explain`, of these runs on this dataset
    topk
        directory of `xaug.topk` on this dataset
    ablation
        directory of `xaug.explain.analysis.ablations`, of one of these runs
    """

    runs: Sequence[Path]
    attributions: Sequence[Path] = ()
    topk: Path | None = None
    ablation: Path | None = None

    @property
    def directories(self) -> list[Path]:
        """All directories, in the order in which they are made."""
        further = [path for path in (self.topk, self.ablation) if path]
        return [*self.runs, *self.attributions, *further]


@dataclass(frozen=True)
class OpenedSources:
    """The content of the directories of a report.

    Attributes
    ----------
    inputs
        what figures are drawn of
    all_runs
        runs on the full sample and on smaller ones, in the order in which they were given
    config
        digests by which a report on disk is known to be of the same inputs
    """

    inputs: ReportInputs
    all_runs: list[Run]
    config: JsonObject


def open_inputs(sources: Sources) -> OpenedSources:
    """Open all directories of a report.

    Raises
    ------
    ConfigurationError
        if there is no run on the full sample, two runs have one name, or something belongs to another run or dataset
    """
    runs = _open_runs(sources.runs)
    full = [run for run in runs if run.record.max_jets is None]
    if not full:
        raise ConfigurationError("all runs were trained with --max-jets; a report needs one on the full sample")
    data = full[0].dataset()
    explained = _explained_runs(sources.attributions, runs, data)
    config: JsonObject = {
        "runs": {run.name: digest_json(run.record.config) for run in runs},
        "attributions": {one.explanation.directory.name: digest_json(one.explanation.config) for one in explained},
    }
    topk = ablation = None
    if sources.topk:
        own = provenance.read(sources.topk, "topk")["config"]
        if own["dataset"] != data.digest:
            raise ConfigurationError(f"{sources.topk} is of another dataset than the runs of this report")
        config["topk"] = digest_json(own)
        topk = read_topk(sources.topk, len(data.classes))
    if sources.ablation:
        own = provenance.read(sources.ablation, "ablation")["config"]
        if own["run"] not in config["runs"].values():
            raise ConfigurationError(f"{sources.ablation} is of a run that is not among those of this report")
        config["ablation"] = digest_json(own)
        ablation = read_ablation(sources.ablation)
    whole = [one for one in explained if one.run in full]
    smaller = [one for one in explained if one.run not in full]
    return OpenedSources(
        ReportInputs(data, full, runs_by_size(full, runs), whole, smaller, topk, ablation), runs, config
    )  # fmt: skip


def read_topk(directory: Path, classes: int = 2) -> TopKCurves:
    """The curves in a directory of `xaug.topk`."""
    content, replicas = provenance.read(directory, "topk"), directory / REPLICAS_FILE
    return TopKCurves(
        pd.read_csv(verified(directory / "topk.csv")), content["config"]["by"], content["plateau"],
        pd.read_csv(verified(replicas)) if replicas.exists() else None, classes,
    )  # fmt: skip


def read_ablation(directory: Path) -> AblationCurves:
    """The curves in a directory of `xaug.explain.analysis.ablations`."""
    content = provenance.read(directory, "ablation")
    table = pd.read_csv(verified(directory / "ablation.csv"))
    features = len(next(iter(content["config"]["rankings"].values())))
    return AblationCurves(table[table["k"] < features], content["trainings"], content["config"]["baseline"])


def _open_runs(directories: Sequence[Path]) -> list[Run]:
    if not directories:
        raise ConfigurationError("a report needs at least one run")
    runs = [load_run(path) for path in directories]
    names = [run.name for run in runs]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(f"two runs of this report are called {name!r}; name each once, or rename one")
    return runs


def _explained_runs(directories: Sequence[Path], runs: Sequence[Run], data: Dataset) -> list[ExplainedRun]:
    """The explained runs; an error for attributions that do not belong to this report."""
    by_digest = {digest_json(run.record.config): run for run in runs}
    found: list[tuple[Explanation, Run]] = []
    for directory in directories:
        one = Explanation.open(directory)
        if one.run_digest not in by_digest:
            raise ConfigurationError(f"{directory} explains {one.run}, which is not among the runs of this report")
        if one.dataset_digest != data.digest:
            raise ConfigurationError(f"{directory} explains events of {one.dataset}, not of {data.path}")
        # the attribution of a class needs no scores of single events
        if one.split != "test" and not one.class_tables():
            raise ConfigurationError(
                f"{directory} explains the {one.split} split, but the scores of a run are those of the test split: "
                "explain the test split"
            )
        found.append((one, by_digest[one.run_digest]))
    of_run = [run.name for _, run in found]
    return [
        ExplainedRun(name_of(one.directory) if of_run.count(run.name) > 1 else run.name, run, data, one)
        for one, run in found
    ]
