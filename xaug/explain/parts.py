"""Explanation of a dataset block by block of its parts: in this process, or on a Dask cluster.

A block is always explained as one array, wherever that happens, so the numbers are the same bit by bit. Each block has
a file until all of them are there: a killed explanation goes on with the blocks that it lacks.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xaug.core.errors import DatasetError
from xaug.core.files import digest_json
from xaug.core.types import Array
from xaug.data.own_arrays import KIND
from xaug.explain.attribution import Attribution
from xaug.explain.disk_arrays import blocks_of, zeros_in
from xaug.explain.method import AnyMethod, Events, ExplainJob, OnEvents, part_path
from xaug.training.runs import load_run

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["cluster", "explain_parts"]


def explain_parts(
    method: AnyMethod,
    job: ExplainJob[Any],
    training: int,
    rows: Array,
    client: Client | None = None,
    on_events: OnEvents = lambda n: None,
) -> Iterator[Attribution]:
    """Explain events by one training of a run, block by block; all in one block where the method needs them together.

    A cluster begins at once, so that it has the blocks of several trainings to do; this process waits until the first
    block is asked for.

    Parameters
    ----------
    method : Method
    job : ExplainJob
        what `method.prepare` returned; blocks are kept in its directory, which workers of a cluster must share
    training : int
    rows : (n,) array of int
        rows of the job's split, ascending
    client : distributed.Client, optional
        client of the cluster that does the work; default: this process
    on_events : callable, optional
        called with the number of events done since the last call

    Returns
    -------
    iterator of Attribution
        the events of one block after the other; whoever has stored them removes the files (`part_paths`)
    """
    tasks = _tasks(method, job, training, rows)
    return _here(tasks, job, on_events) if client is None else _on_cluster(tasks, client, on_events)


def _here(tasks: list[_BlockTask], job: ExplainJob[Any], on_events: OnEvents) -> Iterator[Attribution]:
    """Explain blocks in this process; one that is alone needs no file but that of the training."""
    model = None
    for task in tasks:
        found = _kept(task)
        if found is None:
            model = job.run.model(task.training) if model is None else model
            found = _explained(task, job, model, on_events)
            if len(tasks) > 1:
                found.save(task.path)
        else:
            on_events(len(found))
        yield found


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
class _BlockTask:
    """Some events of one part of a dataset, and the file that keeps their attribution."""

    source: _JobSource
    training: int
    rows: Array
    path: Path


def _tasks(method: AnyMethod, job: ExplainJob[Any], training: int, rows: Array) -> list[_BlockTask]:
    """The blocks of a training; the name of a file says by a digest all that decides its content."""
    directory = job.directory.resolve()
    source = _JobSource(
        method, job.options, job.run.path.resolve(), job.data.path.resolve(),
        digest_json([job.run.manifest, job.data.digest]), job.split, job.seed, directory,
        job.run.unsafe, job.run.code,
    )  # fmt: skip
    words = method.name, repr(job.options), source.versions, job.split, job.seed, job.run.code
    blocks = [
        own
        for of_part in job.data.rows_by_part(job.split, rows)
        for own in np.split(of_part, range(method.block, len(of_part), method.block))
        if len(own)
    ]
    return [
        _BlockTask(source, training, own, part_path(directory, training, f"{digest_json([words, own.tolist()])}.h5"))
        for own in (blocks if method.by_part else [rows])
    ]


def _kept(task: _BlockTask) -> Attribution | None:
    """The attribution of a block that was explained before; None if there is none, or it is damaged."""
    try:
        return Attribution.load(task.path) if task.path.exists() else None
    except DatasetError:
        return None


def _explained(task: _BlockTask, job: ExplainJob[Any], model: Any, on_events: OnEvents) -> Attribution:
    """Explain the events of a block by the model of its training.

    Events of the user's own arrays keep their weights; those of other kinds count one each, as in the papers.
    """
    events = _events(task, job, model)
    found = task.source.method.explain(job, events, on_events)
    return replace(found, rows=task.rows, label=events.label, weight=events.weight)


def _events(task: _BlockTask, job: ExplainJob[Any], model: Any) -> Events:
    """The events of a block; the inputs of all events together are read some at a time, into files."""
    weighted, n = job.data.kind == KIND, len(task.rows)
    fields = [*job.run.input_spec.fields, "label", *(["weight"] if weighted else [])]
    read: dict[str, list[Array]] = {"label": [], "weight": []}
    zeros, x = zeros_in(task.source.directory), {}
    for rows in [slice(0, n)] if task.source.method.by_part else blocks_of(n):
        arrays = job.data.load_rows(fields, job.split, task.rows[rows])
        own = job.run.inputs(arrays)
        for name in read:
            read[name] += [arrays[name]] if name in fields else []
        if len(own[next(iter(own))]) == n:
            x = own
            continue
        for name, values in own.items():
            if name not in x:
                x[name] = zeros((n, *values.shape[1:]), values.dtype)
            x[name][rows] = values
    label, weight = (np.concatenate(parts) if parts else None for parts in read.values())
    assert label is not None
    return Events(model, task.training, x, label, weight)


def _on_cluster(tasks: list[_BlockTask], client: Client, on_events: OnEvents) -> Iterator[Attribution]:
    """Begin to explain blocks on a cluster; they are read as they are asked for."""
    waiting = [task for task in tasks if _kept(task) is None]
    futures = client.map(_explain_task, waiting, pure=False)

    def blocks() -> Iterator[Attribution]:
        from distributed import as_completed

        on_events(sum(len(task.rows) for task in tasks) - sum(len(task.rows) for task in waiting))
        for future in as_completed(futures):
            on_events(future.result())
        for task in tasks:
            yield Attribution.load(task.path)

    return blocks()


@functools.lru_cache(maxsize=4)
def _opened(source: _JobSource) -> ExplainJob[Any]:
    """Make the job in a worker, which keeps it from one block to the next."""
    run = load_run(source.run, source.unsafe, source.code)
    data = run.dataset(source.dataset)
    job = ExplainJob(run, data, source.split, source.options, source.seed, source.directory)
    return source.method.prepare(job)


@functools.lru_cache(maxsize=4)
def _model(source: _JobSource, training: int) -> Any:
    """Load a model in a worker, which keeps it likewise."""
    return _opened(source).run.model(training)


def _explain_task(task: _BlockTask) -> int:
    """Explain one block in a worker; return the number of its events."""
    job, model = _opened(task.source), _model(task.source, task.training)
    _explained(task, job, model, lambda n: None).save(task.path)
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
