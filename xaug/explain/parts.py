"""Explanation of a dataset part by part: in this process, or on a Dask cluster.

A part is always explained as one array, wherever that happens, so the numbers are the same bit by bit.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xaug.core.files import digest_json
from xaug.core.types import Array
from xaug.explain.attribution import Attribution, attribution_writer
from xaug.explain.method import AnyMethod, Events, ExplainJob, OnEvents
from xaug.training.runs import load_run

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["cluster", "explain_parts", "explain_together"]


def explain_together(
    method: AnyMethod, job: ExplainJob[Any], training: int, rows: Array, on_events: OnEvents = lambda n: None
) -> Attribution:
    """Explain events by one training of a run, all in one call of the method.

    Parameters
    ----------
    method : Method
    job : ExplainJob
        what `method.prepare` returned
    training : int
    rows : (n,) array of int
        rows of the job's split, ascending
    on_events : callable, optional
        called with the number of events done since the last call

    Returns
    -------
    Attribution
    """
    arrays = job.data.load_rows([*job.run.input_spec.fields, "label"], job.split, rows)
    events = Events(job.run.model(training), training, job.run.inputs(arrays), arrays["label"])
    return replace(method.explain(job, events, on_events), rows=rows, label=events.label)


def explain_parts(
    method: AnyMethod,
    job: ExplainJob[Any],
    training: int,
    rows: Array,
    client: Client | None = None,
    on_events: OnEvents = lambda n: None,
) -> Iterator[Attribution]:
    """Explain events by one training of a run, part by part of the dataset.

    Parameters
    ----------
    method : Method
    job : ExplainJob
        what `method.prepare` returned; workers of a cluster leave their parts in its directory, which they must share
    training : int
    rows : (n,) array of int
        rows of the job's split, ascending
    client : distributed.Client, optional
        client of the cluster that does the work; default: this process
    on_events : callable, optional
        called with the number of events done since the last call

    Yields
    ------
    Attribution
        the events of one part after the other
    """
    if client is not None:
        yield from _on_cluster(method, job, training, rows, client, on_events)
        return
    model = job.run.model(training)
    for arrays, own in job.data.iterate_rows([*job.run.input_spec.fields, "label"], job.split, rows):
        events = Events(model, training, job.run.inputs(arrays), arrays["label"])
        yield replace(method.explain(job, events, on_events), rows=own, label=events.label)


@dataclass(frozen=True)
class _JobSource:
    """All that a worker needs to make a job of its own; `versions` tells a run or dataset from one that replaced it."""

    method: AnyMethod
    options: object
    run: Path
    dataset: Path
    versions: str
    split: str
    seed: int
    directory: Path
    unsafe: bool
    code: tuple[str, ...]


@dataclass(frozen=True)
class _PartTask:
    """One part of a dataset for a worker of a cluster."""

    source: _JobSource
    training: int
    rows: Array
    path: Path


def _on_cluster(
    method: AnyMethod, job: ExplainJob[Any], training: int, rows: Array, client: Client, on_events: OnEvents
) -> Iterator[Attribution]:
    from distributed import as_completed

    directory = job.directory.resolve()
    source = _JobSource(
        method, job.options, job.run.path.resolve(), job.data.path.resolve(),
        digest_json([job.run.manifest, job.data.digest]), job.split, job.seed, directory,
        job.run.unsafe, job.run.code,
    )  # fmt: skip
    tasks = [
        _PartTask(source, training, own, directory / f"attribution_{training}_part_{i}.h5")
        for i, own in enumerate(job.data.rows_by_part(job.split, rows))
        if len(own)
    ]
    futures = client.map(_explain_task, tasks, pure=False)
    for future in as_completed(futures):
        on_events(future.result())
    for task in tasks:
        yield Attribution.load(task.path)
        task.path.unlink()


@functools.lru_cache(maxsize=4)
def _opened(source: _JobSource) -> ExplainJob[Any]:
    """Make the job in a worker, which keeps it from one part to the next."""
    run = load_run(source.run, source.unsafe, source.code)
    data = run.dataset(source.dataset)
    job = ExplainJob(run, data, source.split, source.options, source.seed, source.directory)
    return source.method.prepare(job)


def _explain_task(task: _PartTask) -> int:
    """Explain one part in a worker; return the number of its events."""
    with attribution_writer(task.path) as writer:
        for found in explain_parts(task.source.method, _opened(task.source), task.training, task.rows):
            writer.add(found)
    return len(task.rows)


@contextmanager
def cluster(scheduler: str | None) -> Iterator[Client | None]:
    """Connect to a running Dask scheduler; None without one."""
    if scheduler is None:
        yield None
        return
    from xaug.process.executors import dask_client

    with dask_client(scheduler) as client:
        yield client
