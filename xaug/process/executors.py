"""Where chunks are processed: in this process, in local processes, or on a Dask cluster; all through coffea."""

from __future__ import annotations

import io
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from functools import partial
from pathlib import Path

import uproot
from coffea import processor
from coffea.nanoevents import BaseSchema, DelphesSchema
from coffea.processor.executor import WorkItem
from loky import ProcessPoolExecutor

from xaug.core.command import bar
from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.workers import cores, end_with

__all__ = ["EXECUTORS", "run", "watched"]

EXECUTORS = ("iterative", "futures", "dask")
SCHEMAS = {"tree": BaseSchema, "delphes": DelphesSchema}
"""Format of a file -> how coffea reads it."""
UNREADABLE = (OSError, uproot.DeserializationError)
"""What opening a file raises that has gone or was damaged since it was checked."""


@contextmanager
def coffea_executor(name: str, workers: int | None, scheduler: str | None) -> Iterator:
    """A coffea executor; for dask, with a client of the given scheduler or of a cluster on this machine."""
    if name not in EXECUTORS:
        raise unknown_name("executor", name, EXECUTORS)
    if scheduler and name != "dask":
        raise ConfigurationError(f"--scheduler goes with --executor dask, not {name}")
    workers = workers or cores()
    options = {"status": False, "compression": None}
    if name == "iterative":
        yield processor.IterativeExecutor(**options, retries=0)
    elif name == "futures":
        # from their first moment workers end with this process, not only once they have work
        pool = partial(ProcessPoolExecutor, initializer=end_with, initargs=(os.getpid(),))
        yield processor.FuturesExecutor(workers=workers, pool=pool, **options, retries=0)
    elif scheduler:
        with dask_client(scheduler) as client:
            # a cluster loses workers for reasons of its own, and a part is never written twice: retry
            yield processor.DaskExecutor(client=client, **options, retries=3)
    else:
        from distributed import Client, LocalCluster

        # threads would share fastjet and Python's lock: one a process
        with (
            LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            yield processor.DaskExecutor(client=client, **options, retries=0)


@contextmanager
def dask_client(scheduler: str) -> Iterator:
    """A client of a running scheduler, or an error that names it."""
    from distributed import Client

    try:
        client = Client(scheduler, timeout="20s")
    except (OSError, TimeoutError, ValueError) as error:
        raise ConfigurationError(f"no Dask scheduler answers at {scheduler} ({error})") from None
    with client:
        yield client


@contextmanager
def watched(directory: Path, parts: list[str], total: int) -> Iterator[None]:
    """A progress bar that counts the parts as they appear: the same for every executor.

    coffea's own bars go to standard output and cannot be switched off, so they are swallowed.
    """
    stop = threading.Event()

    def follow(progress) -> None:
        while not stop.wait(0.5):
            count(progress)

    def count(progress) -> None:
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


def run(
    items: list[WorkItem],
    work: processor.ProcessorABC,
    executor: str,
    workers: int | None = None,
    scheduler: str | None = None,
) -> dict:
    """Process all items; the accumulated output of the processor."""
    total: dict[str, list] = {"parts": [], "skips": [], "failures": []}
    with coffea_executor(executor, workers, scheduler) as chosen, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Skipping bad file")
        warnings.filterwarnings("ignore", "A worker was restarted")  # because of its memory, as it should be
        for form, schema in SCHEMAS.items():
            own = [item for item in items if item.usermeta["format"] == form]
            if own:
                # a file may be lost after it was checked; what is then missing is found by comparing with the parts
                runner = processor.Runner(executor=chosen, schema=schema, skipbadfiles=UNREADABLE)
                found = runner.run(own, work)
                for key, values in (found["out"] if found else {}).items():
                    total[key] += values
    return total
