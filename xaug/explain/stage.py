"""The explain stage: explain every training of a run on events of its dataset."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from xaug.core import provenance
from xaug.core.errors import ConfigurationError, DatasetError, unknown_name
from xaug.core.files import atomic_path, digest_json
from xaug.core.progress import bar
from xaug.core.types import Array, JsonObject
from xaug.data.dataset import Dataset
from xaug.data.records import CLASSES
from xaug.explain.analysis.relevance import mean_relevance, summary_of
from xaug.explain.attribution import Attribution, attribution_writer
from xaug.explain.explanation import Explanation, attribution_path, rank_features
from xaug.explain.method import AnyMethod, ExplainJob, part_paths
from xaug.explain.methods import choose_options, find_method
from xaug.explain.parts import cluster, explain_parts
from xaug.explain.targets import check_target
from xaug.networks.own_code import code_digests
from xaug.training.runs import load_run

__all__ = ["explain_run", "load_attributions"]


def load_attributions(directory: str | os.PathLike[str]) -> list[Attribution]:
    """Read the attributions of a finished directory.

    Parameters
    ----------
    directory : path
        output of `python -m xaug.explain`

    Returns
    -------
    list of Attribution
        one a training

    Raises
    ------
    DatasetError
        if the directory is not one of attributions, was not finished, or is damaged
    """
    return Explanation.open(directory).attributions()


def explain_run(
    run: str | Path,
    output: str | Path,
    *,
    method: str = "lrp",
    dataset: str | Path | None = None,
    split: str = "test",
    only: str | None = None,
    max_events: int | None = None,
    seed: int = 1,
    scheduler: str | None = None,
    unsafe: bool = False,
    code: Sequence[str] = (),
    **options: object,
) -> Explanation:
    """Explain all trainings of a run, and write the attributions and a ranking of the features.

    Parameters
    ----------
    run : path
        directory of a finished run of `python -m xaug.train`
    output : path
        directory to write; an interrupted command of the same options goes on where it was, within a training
    method : str
        name of a method in `xaug.explain.methods`
    dataset : path, optional
        another dataset than the run's own
    split : str
        split whose events are explained
    only : str, optional
        explain events of this class only
    max_events : int, optional
        explain about this many events at most
    seed : int
        seed of the method's random numbers, such as those that draw baselines
    scheduler : str, optional
        address of a running Dask scheduler, whose workers explain block by block; methods that need all events
        together are explained by one worker for each training
    unsafe : bool
        let the model files of the run run code, see `xaug.load_model`
    code : sequence of str
        Python files or names of modules with classes and functions that its models need, see `xaug.load_model`
    **options
        options of the method; None stands for the default

    Returns
    -------
    Explanation
        record of the finished directory

    Raises
    ------
    ConfigurationError
        if an option is wrong, or if `output` holds other results
    DatasetError
        if the run or its dataset is missing or damaged, or there are no events to explain
    """
    chosen_method = find_method(method)
    chosen = choose_options(chosen_method, options)
    opened = load_run(run, unsafe, code)
    if options.get("target") is not None:
        check_target(options["target"], opened.classes)
    data = opened.dataset(dataset)
    output = Path(output)
    if only is not None and opened.labels_are_predicted and dataset is None:
        raise ConfigurationError(
            f"--only {only} needs events of known classes, and these have no labels: add `label` to the file of "
            "--inputs"
        )
    job = ExplainJob(opened, data, split, chosen, seed, output)
    chosen_method.check(job)
    config = {
        "run": digest_json(opened.record.config), "dataset": data.digest, "split": split, "only": only,
        "max_events": max_events, "method": method, **asdict(chosen), **chosen_method.digests(chosen),
    }  # fmt: skip
    if chosen_method.uses_seed:
        config["seed"] = seed
    if code:
        config["code"] = code_digests(code)
    if provenance.begin(output, "explain", config, made_with_attribution):
        return Explanation.open(output)
    _explain_waiting(chosen_method, job, only, max_events, scheduler)
    _write_results(chosen_method, job, config)
    return Explanation.open(output)


def made_with_attribution(name: str) -> list[str]:
    """Files that are only made together with a file of attributions: all of one training."""
    training = Path(name).stem.rpartition("_")[2]
    return [f"attribution_{training}.h5", f"class_level_{training}.csv"] if training.isdigit() else []


def _explain_waiting(
    method: AnyMethod, job: ExplainJob[Any], only: str | None, max_events: int | None, scheduler: str | None
) -> None:
    """Explain by all trainings whose attributions are not there yet."""
    run = job.run
    waiting = [i for i in range(len(run)) if not attribution_path(job.directory, i).exists()]
    if not waiting:
        return
    rows = rows_to_explain(job.data, job.split, only, max_events)
    total, done = len(run) * len(rows), (len(run) - len(waiting)) * len(rows)
    with cluster(scheduler) as client, bar(total, f"explain {run.name}", "events", initial=done) as progress:

        def on_events(n: int) -> None:
            progress.update(n)

        prepared = method.prepare(job)
        trainings = {i: explain_parts(method, prepared, i, rows, client, on_events) for i in waiting}
        for i, blocks in trainings.items():
            own = {} if run.classes == CLASSES else {"classes": list(run.classes)}
            with attribution_writer(attribution_path(job.directory, i)) as writer:
                for found in blocks:
                    settings = {**found.settings, "training": i, **own}
                    writer.add(replace(found, settings=settings, columns=run.columns))
            for path in part_paths(job.directory, i):
                path.unlink()


def _write_results(method: AnyMethod, job: ExplainJob[Any], config: JsonObject) -> None:
    """Write the table of relevance and the manifest of a directory whose attributions are all there."""
    directory = job.directory
    done = [mean_relevance(Attribution.blocks(attribution_path(directory, i))) for i in range(len(job.run))]
    table = summary_of(done)
    with atomic_path(directory / "relevance.csv") as path:
        table.to_csv(path)
    provenance.write(
        directory, "explain", config, run=str(job.run.path.resolve()), dataset=str(job.data.path.resolve()),
        classes=list(job.data.classes), trainings=len(job.run), events=done[0].events, settings=done[0].settings,
        lost=[a.lost for a in done], effective_events=[round(a.effective, 3) for a in done],
        conserved_5_50_95=[np.nanpercentile(a.conserved, [5, 50, 95]).round(4).tolist() for a in done],
        top5=list(table.index[:5]), rankings=rank_features(directory, method, len(done), table),
    )  # fmt: skip


def rows_to_explain(data: Dataset, split: str, only: str | None, max_events: int | None) -> Array:
    """Rows of a split whose events are explained, ascending.

    Raises
    ------
    DatasetError
        if there are none
    """
    if only is None:
        rows = data.rows(split, max_events)
    else:
        if only not in data.classes:
            raise unknown_name("class", only, data.classes)
        label = np.concatenate([part["label"] for part in data.iterate(["label"], split)])
        rows = np.flatnonzero(label == data.classes.index(only))
        if max_events is not None and max_events < len(rows):
            rows = rows[np.linspace(0, len(rows) - 1, max_events).round().astype(int)]
    if len(rows) == 0:
        lacks = "is empty" if only is None else f"has no {only} events"
        raise DatasetError(f"{data.path}: its {split} split {lacks}; there is nothing to explain")
    return rows
