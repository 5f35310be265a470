"""Generate samples in blocks of one file, one seed and one process, so that a run can be killed and resumed.

The number of blocks depends only on the size of the sample. The events are therefore the same whatever the number of
workers, and no two workers write to the same file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import uproot

from xaug.core import provenance
from xaug.core.errors import ConfigurationError, InputFileError
from xaug.core.files import clear_leftovers
from xaug.core.progress import bar
from xaug.core.types import JsonObject
from xaug.core.workers import cores, run_tasks
from xaug.formats.base import UnsuitableFile
from xaug.formats.xaug_tree import read_metadata

__all__ = ["COUNTERS", "EVENTS_PER_BLOCK", "JETS_PER_BLOCK", "BlockTask", "Process", "run"]

JETS_PER_BLOCK = 1000
EVENTS_PER_BLOCK = 5000
COUNTERS = ("events_generated", "events_failed", "events_stored", "sum_weight")
"""Counts that the metadata of every file hold."""


@dataclass(frozen=True)
class Process:
    """A process of a sample."""

    name: str
    label: int  # 1 signal, 0 background
    card: list[str]  # settings of Pythia
    stream: int  # number that keeps its seeds apart from those of other processes
    size: int | None = None  # its jets or events, in place of the number for all processes


@dataclass(frozen=True)
class BlockTask:
    """The task of generating one block; it holds the number of jets or of events, and None for the other."""

    path: str  # file to write
    process: str
    label: int
    card: tuple[str, ...]
    seed: int
    stream: int
    block: int
    jets: int | None = None
    events: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, content: JsonObject) -> BlockTask:
        """The task as a worker process receives it."""
        return cls(**{**content, "card": tuple(content["card"])})

    @property
    def size(self) -> int:
        """Jets or events of the block."""
        return (self.jets if self.jets is not None else self.events) or 0


def sizes(total: int, most: int) -> list[int]:
    """Sizes of the blocks that make up a total, all full but the last."""
    return [min(most, total - start) for start in range(0, total, most)]


def block_metadata(path: str) -> JsonObject:
    """The metadata of the file of a block."""
    try:
        with uproot.open(path) as file:
            return read_metadata(file)
    except UnsuitableFile as error:
        raise InputFileError(path, str(error)) from None
    except (OSError, ValueError, uproot.DeserializationError) as error:
        raise InputFileError(path, f"is damaged ({error}); delete it and run the same command again") from None


def run(
    function: str,
    processes: list[Process],
    output: str | Path,
    *,
    seed: int,
    jets: int | None = None,
    events: int | None = None,
    workers: int | None = None,
    sample: str,
    counters: tuple[str, ...] = COUNTERS,
    options: JsonObject | None = None,
) -> JsonObject:
    """Generate all blocks of all processes.

    Parameters
    ----------
    function
        "module:function" that generates one block, given a BlockTask as JSON
    processes
        the processes of the sample
    output
        directory of the files
    seed
        seed of the whole sample
    jets, events
        selected jets, or generated events, of each process; exactly one of the two. A process with a size of its own
        has that many instead
    workers
        processes at a time; default: one for each processor
    sample
        name of the sample, with which the names of its files begin
    counters
        metadata that are added up over the files of a process; the sum is None where a file does not count it
    options
        further options of `function`, the same for all blocks

    Returns
    -------
    dict
        the manifest
    """
    options = options or {}
    if (jets is None) == (events is None):
        raise ConfigurationError(
            "give either --jets (selected jets of each class) or --events (generated events of each process)"
        )
    unit, total, most = ("jets", jets or 0, JETS_PER_BLOCK)
    if events is not None:
        unit, total, most = ("events", events, EVENTS_PER_BLOCK)
    whole = {process.name: total if process.size is None else process.size for process in processes}
    if min(total, *whole.values()) < 1:
        raise ConfigurationError(f"--{unit} {min(total, *whole.values())}: must be at least 1")
    if not 0 <= seed < 2**63:
        raise ConfigurationError(f"--seed {seed}: must be between 0 and 2^63 - 1")
    output = Path(output)
    config = {
        "sample": sample,
        unit: total,
        "seed": seed,
        **options,
        "processes": {
            p.name: {"label": p.label, "card": p.card, **({} if p.size is None else {unit: p.size})} for p in processes
        },
    }
    finished = provenance.begin(output, "generate", config)
    if finished:
        return finished

    tasks = [
        BlockTask(
            path=str((output / f"{sample}_{process.name}_{block:05d}.root").resolve()),
            process=process.name,
            label=process.label,
            card=tuple(process.card),
            seed=seed,
            stream=process.stream,
            block=block,
            jets=size if unit == "jets" else None,
            events=size if unit == "events" else None,
            options=options,
        )
        for process in processes
        for block, size in enumerate(sizes(whole[process.name], most))
    ]
    waiting = [task for task in tasks if not Path(task.path).exists()]
    with bar(sum(whole.values()), f"generate {sample}", unit) as progress:
        progress.update(sum(whole.values()) - sum(task.size for task in waiting))

        def count(report: JsonObject) -> None:
            progress.update(report[unit])

        at_once = workers or cores()
        try:
            for _ in run_tasks(function, map(asdict, waiting), at_once, count, {"OMP_NUM_THREADS": "1"}):
                pass
        finally:
            clear_leftovers(output)  # files of this run if a block failed, or of one that was killed before
    files = [{"file": Path(task.path).name, **block_metadata(task.path)} for task in tasks]
    totals: dict[str, JsonObject] = {}
    for process in processes:
        own = [file for file in files if file["process"] == process.name]
        counts = {key: [file[key] for file in own] for key in counters}
        totals[process.name] = {key: None if None in found else sum(found) for key, found in counts.items()}
    return provenance.write(output, "generate", config, files=files, totals=totals)
