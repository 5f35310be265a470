"""Executors of coffea: process chunks in this process, in local processes, or on a Dask cluster."""

from __future__ import annotations

import io
import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from coffea import processor
from coffea.processor.executor import WorkItem
from loky import ProcessPoolExecutor
from tqdm import tqdm

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.progress import bar
from xaug.core.workers import cores, end_with, safe_imports
from xaug.formats.root import RootFormat
from xaug.process import EXECUTORS
from xaug.process.chunks import UNREADABLE, Chunk, ChunkBatch, Outcome, PartProcessor

__all__ = ["dask_client", "run", "watched"]


SMALL, BATCH = 100, 500
"""Events of a file that is joined with others at most, and of all that are joined."""


@contextmanager
def coffea_executor(name: str, workers: int | None, scheduler: str | None) -> Iterator[Any]:
    """An executor of coffea; for dask, a client of the given scheduler or of a cluster on this machine."""
    if name not in EXECUTORS:
        raise unknown_name("executor", name, EXECUTORS)
    if scheduler and name != "dask":
        raise ConfigurationError(f"--scheduler goes with --executor dask, not {name}")
    workers = workers or cores()
    options = {"status": False, "compression": None}
    if name == "iterative":
        yield processor.IterativeExecutor(**options, retries=0)
    elif name == "futures":
        # workers end with this process from their start on, not only once they have work
        pool = partial(ProcessPoolExecutor, initializer=end_with, initargs=(os.getpid(),))
        yield processor.FuturesExecutor(workers=workers, pool=pool, **options, retries=0)
    elif scheduler:
        with dask_client(scheduler) as client:
            # a cluster can lose workers for reasons of its own; to retry is harmless, since no part is written twice
            yield processor.DaskExecutor(client=client, **options, retries=3)
    else:
        from distributed import Client, LocalCluster

        # one thread for each process: threads would wait for each other in fastjet
        with (
            LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            yield processor.DaskExecutor(client=client, **options, retries=0)


@contextmanager
def dask_client(scheduler: str) -> Iterator[Any]:
    """A client of a running Dask scheduler; ConfigurationError if it does not answer."""
    from distributed import Client

    try:
        client = Client(scheduler, timeout="20s")
    except (OSError, TimeoutError, ValueError) as error:
        raise ConfigurationError(f"no Dask scheduler answers at {scheduler} ({error})") from None
    with client:
        yield client


@contextmanager
def watched(directory: Path, parts: list[str], total: int) -> Iterator[None]:
    """Show a progress bar that counts the parts as they appear, the same for every executor.

    The bars of coffea go to standard output and cannot be switched off, so that output is dropped.
    """
    stop = threading.Event()

    def follow(progress: tqdm[NoReturn]) -> None:
        while not stop.wait(0.5):
            count(progress)

    def count(progress: tqdm[NoReturn]) -> None:
        present = {entry.name for entry in os.scandir(directory)}
        progress.update(total - sum(name not in present for name in parts) - progress.n)

    directory.mkdir(parents=True, exist_ok=True)
    with bar(total, "process", "chunks", initial=total - len(parts)) as progress:
        thread = threading.Thread(target=follow, args=(progress,), daemon=True)
        thread.start()
        try:
            with redirect_stdout(io.StringIO()):
                yield
        finally:
            stop.set()
            thread.join()
            count(progress)


def work_item(chunk: Chunk) -> WorkItem:
    """The chunk as coffea's Runner takes it, with the record of its file as metadata."""
    file = chunk.file
    return WorkItem(file.dataset, file.path, file.tree, chunk.start, chunk.stop, b"", asdict(file))


def batched(chunks: Sequence[Chunk], most: int) -> tuple[list[ChunkBatch], list[Chunk]]:
    """Small files, whose fixed costs are most of their time, in batches of so many events at most; and other chunks."""
    whole = [chunk for chunk in chunks if chunk.stop - chunk.start == chunk.file.listed <= min(SMALL, most)]
    batches: list[list[Chunk]] = []
    size = 0
    for chunk in whole:
        size += chunk.file.listed
        if not batches or size > most:
            batches.append([])
            size = chunk.file.listed
        batches[-1].append(chunk)
    joined = [ChunkBatch(tuple(own)) for own in batches if len(own) > 1]
    taken = {chunk.file.path for batch in joined for chunk in batch.chunks}
    return joined, [chunk for chunk in chunks if chunk.file.path not in taken]


def run(
    chunks: list[Chunk],
    work: PartProcessor,
    executor: str,
    workers: int | None,
    scheduler: str | None,
    chunksize: int = BATCH,
) -> Outcome:
    """Process all chunks: those of ROOT files by coffea's Runner, small files and others by its executor alone.

    Parameters
    ----------
    chunks
        at least one
    work
        processor of the chunks
    executor
        one of EXECUTORS
    workers
        processes at a time; None: one for each processor
    scheduler
        address of a running Dask scheduler; None: a cluster on this machine
    chunksize
        events of small files that are processed at once, at most
    """
    outcome = Outcome()
    with safe_imports(), coffea_executor(executor, workers, scheduler) as chosen, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Skipping bad file")
        warnings.filterwarnings("ignore", "A worker was restarted")  # because of its memory, as intended
        for name, form in work.formats.items():
            batches, own = batched([chunk for chunk in chunks if chunk.file.format == name], min(chunksize, BATCH))
            if batches:
                outcome += chosen(batches, work, None)[0]
            if own and isinstance(form, RootFormat):
                # a file that is lost after its check leaves no part, which the stage notices
                runner = processor.Runner(executor=chosen, schema=form.schema, skipbadfiles=UNREADABLE)
                found = runner.run([work_item(chunk) for chunk in own], work)
                outcome += found["out"] if found else Outcome()
            elif own:
                outcome += chosen(own, work, None)[0]
    return outcome
