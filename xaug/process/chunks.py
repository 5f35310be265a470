"""Process one chunk of an input file: read it by its format, select and describe it, write a part of the dataset."""

from __future__ import annotations

import functools
import operator
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import hist
import numpy as np
import uproot
from coffea.processor import ProcessorABC

from xaug.core.errors import BadValues, XaugError
from xaug.core.types import Array, Arrays
from xaug.core.workers import end_with
from xaug.data.labels import label_type
from xaug.data.part_files import PROCESS_INDEX, write_part
from xaug.data.parts import PartSummary, ProcessSummary, Rows, deciding, part_name
from xaug.data.splits import SPLITS, assign_split, event_ids
from xaug.formats.base import Format
from xaug.formats.processor import AnyProcessor
from xaug.process.identity import COLUMN, event_identities
from xaug.process.inputs import InputFile
from xaug.process.named_weights import named_weights, one_for_each_event
from xaug.process.skips import Skip
from xaug.process.units import Magnitudes, scale_of

__all__ = ["UNREADABLE", "Chunk", "ChunkBatch", "Outcome", "PartProcessor", "control_histogram"]

UNREADABLE = (OSError, uproot.DeserializationError)
"""Errors of opening a file that has gone or was damaged after it was checked."""
LOST = "was lost or changed while processing"


@dataclass(frozen=True)
class Chunk:
    """A range of entries of an input file."""

    file: InputFile
    start: int
    stop: int

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> Chunk:
        """The chunk that coffea's Runner opened, from the metadata of its events."""
        known = {field.name: metadata[field.name] for field in fields(InputFile)}
        return cls(InputFile(**known), int(metadata["entrystart"]), int(metadata["entrystop"]))

    def skip(self, reason: str) -> Skip:
        """This chunk, left out for a reason."""
        return Skip(self.file.path, reason, self.start, self.stop)


@dataclass(frozen=True)
class ChunkBatch:
    """Several small files of one format, which are selected and described at once."""

    chunks: tuple[Chunk, ...]


@dataclass(frozen=True)
class Outcome:
    """Chunks that could not be processed; coffea adds up the outcomes of all chunks."""

    skips: tuple[Skip, ...] = ()  # chunks that cannot be read
    failures: tuple[Skip, ...] = ()  # chunks whose part cannot be written

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(self.skips + other.skips, self.failures + other.failures)


@dataclass(frozen=True)
class Reading:
    """The values that were read of a chunk, with the generator weights of its events and the sizes of its numbers."""

    chunk: Chunk
    content: Any
    weights: Array
    scale: Magnitudes


@dataclass(frozen=True)
class Group:
    """The events of one process in a chunk, with their weights and ids."""

    chunk: Chunk
    content: Any
    weights: Array
    ids: Array
    process: str
    label: int


@dataclass(frozen=True)
class ProcessPart:
    """Rows of one process in a part, their control histograms, and their summary."""

    columns: Arrays
    counts: Arrays
    summary: ProcessSummary


def control_histogram(axis: Any, name: str) -> Any:
    """An empty control histogram (of `hist`)."""
    return hist.Hist(axis, storage=hist.storage.Double(), name=name)


@functools.cache
def end_with_parent(parent: int) -> None:
    """In a worker that was started by `parent`, end when it ends; elsewhere, as on a cluster, do nothing."""
    if os.getppid() == parent:
        end_with(parent)


class PartProcessor(ProcessorABC):  # type: ignore[misc]  # coffea has no types
    """The processor of coffea that turns a chunk of a file into a part of the dataset.

    coffea's Runner opens chunks of ROOT files and calls `process`; chunks of formats that coffea does not open are
    opened by their format, in `__call__`. Only the outcome is returned, so that the memory of the main process stays
    flat. A part is written whole or not at all, and the parts that are there already are kept: a chunk may be processed
    again at any time.

    Parameters
    ----------
    output
        directory of the dataset, on a file system that all workers share
    processor
        processor of the kind of dataset
    formats
        formats of the input files, by name
    """

    def __init__(self, output: Path, processor: AnyProcessor, formats: dict[str, Format]):
        self.output = output
        self.processor = processor
        self.formats = formats
        self.parent = os.getpid()
        self.decides = deciding(processor.settings)
        self.code = {name: processor.code(form) for name, form in formats.items()}

    def part(self, chunk: Chunk) -> str:
        """File name of the part that a chunk becomes."""
        file = chunk.file
        return part_name(file.key, self.decides, self.code[file.format], chunk.start, chunk.stop)

    def process(self, events: Any) -> Outcome:
        """Write the part of a chunk of a ROOT file: NanoEvents of coffea, with an `InputFile` in their metadata."""
        return self._parts([(Chunk.from_metadata(events.metadata), nullcontext(events))])

    def __call__(self, item: Chunk | ChunkBatch) -> Outcome:
        """Write the parts of a chunk or of several, which their format opens."""
        chunks = item.chunks if isinstance(item, ChunkBatch) else (item,)
        return self._parts([(chunk, self._opening(chunk)) for chunk in chunks])

    def _opening(self, chunk: Chunk) -> AbstractContextManager[Any]:
        file = chunk.file
        return self.formats[file.format].open(file.path, file.tree, chunk.start, chunk.stop)

    def postprocess(self, accumulator: Outcome) -> Outcome:
        """Return the outcome as it is: nothing is left to do after the parts are written."""
        return accumulator

    def _parts(self, chunks: Sequence[tuple[Chunk, AbstractContextManager[Any]]]) -> Outcome:
        end_with_parent(self.parent)
        readings: list[Reading] = []
        skips: list[Skip] = []
        for chunk, opening in chunks:
            if (self.output / self.part(chunk)).exists():
                continue
            try:
                readings.append(self.read(chunk, opening))
            except BadValues as error:
                skips.append(chunk.skip(f"{error}; leave the file out or mend it"))
            except FileNotFoundError:
                skips.append(chunk.skip(LOST))
            except Exception as error:  # nothing but the decoding of libraries runs here, and it fails in many ways
                text = (str(error).strip().splitlines() or [type(error).__name__])[0]
                place = f"entries {chunk.start} to {chunk.stop}"
                skips.append(chunk.skip(f"{place} cannot be read ({text}); copy or generate the file again"))
        return self._written(readings) + Outcome(tuple(skips))

    def _written(self, readings: Sequence[Reading]) -> Outcome:
        """Write the parts of what was read at once; where one of several fails, one by one to tell which."""
        try:
            self.write(readings)
        except XaugError as error:
            if len(readings) == 1:
                return Outcome(failures=(readings[0].chunk.skip(str(error)),))
            return functools.reduce(operator.add, (self._written([reading]) for reading in readings))
        return Outcome()

    def read(self, chunk: Chunk, opening: AbstractContextManager[Any]) -> Reading:
        """The values that are read of a chunk; their numbers are checked.

        Raises
        ------
        FileNotFoundError
            if the file cannot be opened any more
        """
        file, form = chunk.file, self.formats[chunk.file.format]
        with ExitStack() as stack:
            try:
                opened = stack.enter_context(opening)
            except UNREADABLE as error:
                raise FileNotFoundError(file.path) from error
            content = self.processor.read(form, opened, file.label, chunk.start)
            particles = self.processor.particles(content)
            scale = scale_of(particles, form.momentum_unit)
            weights = form.weights(opened, chunk.start) if file.weight is None else named_weights(opened, file.weight)
            return Reading(chunk, content, one_for_each_event(weights, len(particles), file.weight), scale)

    def write(self, readings: Sequence[Reading]) -> None:
        """Select and describe chunks, and write the part of each."""
        groups = [group for reading in readings for group in self._groups(reading)]
        rows = self.processor.rows_of_files(
            [group.content for group in groups], [group.weights for group in groups], [group.ids for group in groups]
        )
        parts: dict[Chunk, list[ProcessPart]] = {reading.chunk: [] for reading in readings}
        for group, own in zip(groups, rows, strict=True):
            parts[group.chunk].append(self._part(group, own))
        for reading in readings:
            self._write_part(reading.chunk, reading.scale, parts[reading.chunk])

    def _groups(self, reading: Reading) -> Iterator[Group]:
        """The events of each process of a chunk."""
        chunk, file = reading.chunk, reading.chunk.file
        ids = event_ids(file.identity, np.arange(chunk.start, chunk.stop))
        if not file.classes:
            yield Group(chunk, reading.content, reading.weights, ids, file.process, file.label)
            return
        for label, process in enumerate(self.processor.settings.classes):
            if process in dict(file.classes):
                events = np.flatnonzero(reading.content.label == label)
                content = reading.content.only(events)
                yield Group(chunk, content, reading.weights[events], ids[events], process, label)

    def _write_part(self, chunk: Chunk, scale: Magnitudes, groups: Sequence[ProcessPart]) -> None:
        name, file = self.part(chunk), chunk.file
        columns = {key: np.concatenate([own.columns[key] for own in groups]) for key in groups[0].columns}
        if len(groups) > 1:
            columns[PROCESS_INDEX] = np.repeat(np.arange(len(groups)), [own.summary.rows for own in groups])
        counts = {key: np.stack([own.counts[key] for own in groups]) for key in groups[0].counts}
        contents = tuple(own.summary for own in groups)
        summary = PartSummary(name, file.path, chunk.start, chunk.stop, contents, scale.to_json())
        write_part(self.output / name, columns, counts, summary.to_json(), table=self.processor.table())

    def _part(self, group: Group, rows: Rows) -> ProcessPart:
        """All columns of the rows of one process in a chunk."""
        settings = self.processor.settings
        split = rows.split
        if split is None:
            split = assign_split(group.ids[rows.event], settings.split_seed, settings.split_fractions)
        columns = {
            **rows.columns,
            "label": np.full(len(rows.event), group.label, label_type(len(settings.classes))),
            "weight": rows.weight,
            "event_id": group.ids[rows.event],
            COLUMN: event_identities(self.processor.particles(group.content))[rows.event],
            "split": split,
        }
        summary = ProcessSummary(
            process=group.process,
            label=group.label,
            rows=len(rows.event),
            splits={which: int((split == i).sum()) for i, which in enumerate(SPLITS)},
            cut_flow=rows.cut_flow,
            sum_weight_read=float(group.weights.sum()),
            sum_weights_selected=float(rows.weight.sum()),
            sum_squares_selected=float(rows.weight @ rows.weight),
        )
        counts = {
            axis_name: control_histogram(axis, axis_name)
            .fill(rows.control[axis_name], weight=rows.control_weight)
            .values(flow=True)
            for axis_name, axis in self.processor.control.items()
        }
        return ProcessPart(columns, counts, summary)
