"""Generation in blocks: one file, one seed and one process each, so that a run can be killed and resumed.

The number of blocks depends on the size of the sample alone. What is generated is therefore the same
whatever the number of workers, and no two of them ever write to one file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import uproot

from xaug.core import provenance
from xaug.core.command import bar
from xaug.core.errors import ConfigurationError, InputFileError
from xaug.core.files import clear_leftovers
from xaug.core.workers import cores, run_tasks
from xaug.formats.tree_writer import read_metadata

__all__ = ["EVENTS_PER_BLOCK", "JETS_PER_BLOCK", "Process", "run"]

JETS_PER_BLOCK = 1000
EVENTS_PER_BLOCK = 5000
COUNTERS = ("events_generated", "events_failed", "events_stored", "sum_weight")
"""What every file counts of itself."""


@dataclass(frozen=True)
class Process:
    """One process of a sample: its name, its class (1 signal, 0 background), its settings and stream of seeds."""

    name: str
    label: int
    card: list[str]
    stream: int


def sizes(total: int, most: int) -> list[int]:
    """Sizes of the blocks that make up a total, all full but the last."""
    return [min(most, total - start) for start in range(0, total, most)]


def block_metadata(path: str) -> dict:
    """What the file of a block says of itself."""
    try:
        with uproot.open(path) as file:
            return read_metadata(file)
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
    options: dict | None = None,
) -> dict:
    """Generate all blocks of all processes; return the manifest.

    Parameters
    ----------
    function
        "module:function" that generates one block
    jets, events
        selected jets a process, or generated events a process: one of the two
    workers
        processes at a time; default: one a core
    counters
        what is added up over the files of a process; None where a file does not count it
    options
        more for `function`, the same for all blocks
    """
    options = options or {}
    if (jets is None) == (events is None):
        raise ConfigurationError("give either --jets (selected jets a class) or --events (generated a process)")
    unit, total, most = ("jets", jets, JETS_PER_BLOCK) if jets is not None else ("events", events, EVENTS_PER_BLOCK)
    if total < 1:
        raise ConfigurationError(f"--{unit} {total}: must be at least 1")
    if not 0 <= seed < 2**63:
        raise ConfigurationError(f"--seed {seed}: must be between 0 and 2^63 - 1")
    output = Path(output)
    config = {
        "sample": sample,
        unit: total,
        "seed": seed,
        **options,
        "processes": {p.name: {"label": p.label, "card": p.card} for p in processes},
    }
    finished = provenance.begin(output, "generate", config)
    if finished:
        return finished

    tasks = []
    for process in processes:
        for block, size in enumerate(sizes(total, most)):
            path = output / f"{sample}_{process.name}_{block:05d}.root"
            tasks.append(
                {
                    "path": str(path.resolve()),
                    "process": process.name,
                    "label": process.label,
                    "card": process.card,
                    "seed": seed,
                    "stream": process.stream,
                    "block": block,
                    unit: size,
                    **options,
                }
            )
    waiting = [task for task in tasks if not Path(task["path"]).exists()]
    with bar(total * len(processes), f"generate {sample}", unit) as progress:
        progress.update(total * len(processes) - sum(task[unit] for task in waiting))

        def count(report: dict) -> None:
            progress.update(report[unit])

        at_once = workers or cores()
        try:
            for _ in run_tasks(function, waiting, at_once, count, {"OMP_NUM_THREADS": "1"}):
                pass
        finally:
            clear_leftovers(output)  # of this run, if a block failed, or of one that was killed before
    files = [{"file": Path(task["path"]).name, **block_metadata(task["path"])} for task in tasks]
    totals = {}
    for process in processes:
        own = [file for file in files if file["process"] == process.name]
        counts = {key: [file[key] for file in own] for key in counters}
        totals[process.name] = {key: None if None in found else sum(found) for key, found in counts.items()}
    return provenance.write(output, "generate", config, files=files, totals=totals)
