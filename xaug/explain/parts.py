"""LRP of a dataset, part by part: here, or on a Dask cluster.

A part is always explained as one array, wherever that happens, so the numbers are the same bit by bit.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np

from xaug.core.files import digest_json
from xaug.data.dataset import Dataset
from xaug.explain.attribution import Attribution
from xaug.training.runs import Run, load_run

__all__ = ["cluster", "explain_parts", "joined"]


def explain_parts(
    run: Run,
    data: Dataset,
    training: int,
    rows: np.ndarray,
    split: str,
    options: dict,
    client=None,
    directory: Path | None = None,
    on_events: Callable[[int], None] = lambda n: None,
) -> Attribution:
    """LRP of some events by one training of a run.

    Parameters
    ----------
    rows : (n,)
        rows of the split, ascending
    options
        of `xaug.explain.lrp`
    client : distributed.Client, optional
        who does it; default: this process
    directory
        where workers of the client leave their parts; a file system that all share
    on_events
        called with the number of events done
    """
    if client is None:
        from xaug.explain.propagation.api import lrp

        model, found = run.model(training), []
        for arrays, own in data.iterate_rows([*run.input_spec.fields, "label"], split, rows):
            one = lrp(model, run.inputs(arrays), **options, variables=run.variables, on_events=on_events)
            found.append(replace(one, rows=own, label=arrays["label"]))
        return joined(found)
    versions = digest_json([run.manifest, data.digest])
    tasks = [
        {
            "versions": versions,
            "run": str(run.path.resolve()),
            "dataset": str(data.path.resolve()),
            "training": training,
            "split": split,
            "rows": own,
            "options": options,
            "path": str(directory.resolve() / f"attribution_{training}_part_{i}.h5"),
        }
        for i, own in enumerate(data.rows_by_part(split, rows))
        if len(own)
    ]
    from distributed import as_completed

    futures = client.map(_explain_task, tasks, pure=False)
    for future in as_completed(futures):
        on_events(future.result())
    found = joined([Attribution.load(task["path"]) for task in tasks])
    for task in tasks:
        Path(task["path"]).unlink()
    return found


@functools.lru_cache(maxsize=4)
def _opened(run: str, dataset: str, versions: str) -> tuple[Run, Dataset]:
    """Run and dataset, kept by a worker from one part to the next, until `versions` tells of others in their place."""
    return load_run(run), Dataset.open(dataset)


def _explain_task(task: dict) -> int:
    run, data = _opened(task["run"], task["dataset"], task["versions"])
    found = explain_parts(run, data, task["training"], task["rows"], task["split"], task["options"])
    found.save(task["path"])
    return len(found)


def joined(found: Sequence[Attribution]) -> Attribution:
    """Attributions of several lots of events as one."""
    first = found[0]
    columns = {name: np.concatenate([a.relevance[name] for a in found]) for name in first.relevance}
    return replace(
        first,
        relevance=columns,
        logit=np.concatenate([a.logit for a in found]),
        rows=np.concatenate([a.rows for a in found]),
        label=np.concatenate([a.label for a in found]),
    )


@contextmanager
def cluster(scheduler: str | None) -> Iterator:
    """A Dask client of a running scheduler; None without one."""
    if scheduler is None:
        chosen = nullcontext()
    else:
        from xaug.process.executors import dask_client

        chosen = dask_client(scheduler)
    with chosen as client:
        yield client
