"""Generate datasets of toy jets, which `xaug.generate.toy_model` draws."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from xaug._version import __version__
from xaug.core import provenance
from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.files import clear_leftovers, digest_json
from xaug.core.progress import bar
from xaug.core.types import Array, Arrays, JsonObject
from xaug.core.workers import cores, run_tasks
from xaug.data.part_files import refuse_stale, write_part
from xaug.data.records import CLASSES
from xaug.data.splits import SPLITS, assign_split, event_ids
from xaug.data.variables import Table, table_of
from xaug.generate.toy_model import OVERLAPS, draw_jets

__all__ = ["FILTERS", "JETS_PER_PART", "LABELS", "ToyJets", "ToyPart", "generate"]

VERSION = 1
"""Version of the numbers: it must be raised when the same seed gives other ones, so that old parts are made again."""
LABELS = {"background": 0, "signal": 1}
"""Processes and their labels, in the order of the dataset."""

BATCH = 1024
"""Jets that are drawn at once: their arrays fit in a processor's cache."""
JETS_PER_PART = 32 * BATCH
SPLIT_SEED = 0
SPLIT_FRACTIONS = (0.6, 0.2, 0.2)  # train, validation, test

FILTERS = {"image": {"compression": "lzf"}, "list": {}}
"""Filters of HDF5. Images are mostly zeros, which lzf compresses better and twice as fast without shuffling; the random
numbers of lists cannot be compressed."""
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    # settings of glibc: keep freed arrays for the next batch, since new zeroed pages for each take a third more time
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    "MALLOC_TOP_PAD_": str(1 << 26),
}


@dataclass(frozen=True)
class ToyPart:
    """A part of a dataset of toy jets."""

    part: str  # file name
    start: int  # first jet of the process
    stop: int
    process: str
    label: int
    splits: dict[str, int]  # split -> jets

    @property
    def rows(self) -> int:
        """Jets of the part."""
        return self.stop - self.start

    def to_json(self) -> JsonObject:
        """The part as the manifest lists it."""
        return {
            "part": self.part,
            "file": "toy model",
            "start": self.start,
            "stop": self.stop,
            "process": self.process,
            "label": self.label,
            "rows": self.rows,
            "splits": self.splits,
        }


@dataclass(frozen=True)
class ToyJets:
    """Settings that decide what toy jets are, but not how many there are."""

    overlap: str = "medium"
    seed: int = 1

    def __post_init__(self) -> None:
        if self.overlap not in OVERLAPS:
            raise unknown_name("overlap", self.overlap, OVERLAPS)
        if not 0 <= self.seed < 2**63:
            raise ConfigurationError(f"--seed {self.seed}: must be between 0 and 2^63 - 1")

    @property
    def config(self) -> JsonObject:
        """The settings as plain data, with the version of the code that draws."""
        return {
            "kind": "toy",
            "overlap": self.overlap,
            "seed": self.seed,
            "populations": {name: asdict(population) for name, population in OVERLAPS[self.overlap].items()},
            "split_seed": SPLIT_SEED,
            "split_fractions": list(SPLIT_FRACTIONS),
            "toy_version": VERSION,
        }

    def plan(self, jets: int) -> list[ToyPart]:
        """The parts of a dataset of so many jets of each class."""
        parts = []
        code = digest_json({"settings": self.config, "variables": toy_table().digest, "xaug": __version__})
        for process, label in LABELS.items():
            for start in range(0, jets, JETS_PER_PART):
                stop = min(start + JETS_PER_PART, jets)
                split = self.ids_and_split(process, start, stop)[1]
                counts = np.bincount(split, minlength=len(SPLITS)).tolist()
                name = f"{code}_{process}_{start}_{stop}.h5"
                parts.append(ToyPart(name, start, stop, process, label, dict(zip(SPLITS, counts, strict=True))))
        return parts

    def ids_and_split(self, process: str, start: int, stop: int) -> tuple[Array, Array]:
        """Event ids and splits of the jets of a process from start to stop."""
        ids = event_ids(digest_json({**self.config, "process": process}), np.arange(start, stop))
        return ids, assign_split(ids, SPLIT_SEED, SPLIT_FRACTIONS)

    def columns(self, part: ToyPart) -> Arrays:
        """Draw all columns of a part; its first jets are the same, however many it has."""
        population = OVERLAPS[self.overlap][part.process]
        stream = part.label, part.start // JETS_PER_PART
        rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence(self.seed, spawn_key=stream)))
        table = table_of("toy")
        columns: Arrays = {
            block: np.empty((part.rows, *table.block_shape(block, len(table.names(block)))), np.float32)
            for block in table.blocks
        }
        for start in range(0, part.rows, BATCH):
            for name, values in draw_jets(population, rng, BATCH).items():
                columns[name][start : start + BATCH] = values[: part.rows - start]
        ids, split = self.ids_and_split(part.process, part.start, part.stop)
        return {
            **columns,
            "label": np.full(part.rows, part.label, np.int8),
            "weight": np.ones(part.rows),
            "event_id": ids,
            "split": split,
        }


def toy_table() -> Table:
    """The variables of the toy model, with the digest of the code that draws them."""
    return table_of("toy").drawn_by(draw_jets)


def write_parts(task: JsonObject, arrays: Arrays, report: Callable[..., None]) -> tuple[JsonObject, Arrays]:
    """Draw and write some parts (a task of `xaug.core.workers`)."""
    toy_jets = ToyJets(**task["toy_jets"])
    for content in task["parts"]:
        part = ToyPart(**content)
        write_part(Path(task["output"]) / part.part, toy_jets.columns(part), {}, part.to_json(), FILTERS, toy_table())
        report(jets=part.rows)
    return {}, {}


def generate(
    output: str | os.PathLike[str], *, jets: int, overlap: str = "medium", seed: int = 1, workers: int | None = None
) -> JsonObject:
    """Make a dataset of toy jets.

    Parameters
    ----------
    output : path
        directory of the dataset
    jets : int
        jets of each class
    overlap : str
        overlap of the classes: "small", "medium", "large", or "table1" (see OVERLAPS)
    seed : int
        seed of the whole sample
    workers : int, optional
        processes at a time; default: one for each processor

    Returns
    -------
    dict
        the manifest of the dataset

    Raises
    ------
    ConfigurationError
        if an option cannot be used, or the directory holds other results
    """
    if jets < 1:
        raise ConfigurationError(f"--jets {jets}: must be at least 1")
    toy_jets = ToyJets(overlap, seed)
    output = Path(output).resolve()
    config = {**toy_jets.config, "jets": jets}
    finished = provenance.begin(output, "process", config)  # the result is a dataset, like that of files
    if finished:
        refuse_stale(output, finished, toy_table(), {})
        return finished
    parts = toy_jets.plan(jets)
    missing = [part for part in parts if not (output / part.part).exists()]
    at_once = workers or cores()
    shares = [missing[i::at_once] for i in range(at_once) if missing[i::at_once]]
    tasks = [
        {"output": str(output), "toy_jets": asdict(toy_jets), "parts": [asdict(part) for part in share]}
        for share in shares
    ]
    with bar(jets * len(LABELS), "generate toy", "jets") as progress:
        progress.update(jets * len(LABELS) - sum(part.rows for part in missing))

        def count(report: JsonObject) -> None:
            progress.update(report["jets"])

        try:
            for _ in run_tasks("xaug.generate.toy:write_parts", tasks, at_once, count, ENVIRONMENT):
                pass
        finally:
            clear_leftovers(output)  # files of this run if a part failed, or of one that was killed before
    return provenance.write(
        output,
        "process",
        config,
        digest=digest_json({"settings": config, "parts": [part.part for part in parts]}),
        table=toy_table().to_json(),
        classes=list(CLASSES),
        jets=dict.fromkeys(LABELS, jets),
        skips=[],
        parts=[part.to_json() for part in parts],
    )
