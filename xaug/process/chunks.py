"""Process one chunk of an input file: read it by its format, select and describe it, write a part of the dataset."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
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
from xaug.data.parts import PartSummary, ProcessSummary, deciding, part_name
from xaug.data.splits import SPLITS, assign_split, event_ids
from xaug.formats.base import Format
from xaug.formats.processor import AnyProcessor
from xaug.process.identity import COLUMN, event_identities
from xaug.process.inputs import InputFile
from xaug.process.named_weights import named_weights, one_for_each_event
from xaug.process.skips import Skip
from xaug.process.units import Magnitudes, scale_of

__all__ = ["UNREADABLE", "Chunk", "Outcome", "PartProcessor", "control_histogram"]

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
class Outcome:
    """Chunks that could not be processed; coffea adds up the outcomes of all chunks."""

    skips: tuple[Skip, ...] = ()  # chunks that cannot be read
    failures: tuple[Skip, ...] = ()  # chunks whose part cannot be written

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(self.skips + other.skips, self.failures + other.failures)


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
        return self._part(Chunk.from_metadata(events.metadata), nullcontext(events))

    def __call__(self, chunk: Chunk) -> Outcome:
        """Write the part of a chunk, which its format opens."""
        file = chunk.file
        return self._part(chunk, self.formats[file.format].open(file.path, file.tree, chunk.start, chunk.stop))

    def postprocess(self, accumulator: Outcome) -> Outcome:
        """Return the outcome as it is: nothing is left to do after the parts are written."""
        return accumulator

    def _part(self, chunk: Chunk, opening: AbstractContextManager[Any]) -> Outcome:
        end_with_parent(self.parent)
        name = self.part(chunk)
        if (self.output / name).exists():
            return Outcome()
        try:
            content, weights, scale = self.read(chunk, opening)
        except BadValues as error:
            return Outcome(skips=(chunk.skip(f"{error}; leave the file out or mend it"),))
        except FileNotFoundError:
            return Outcome(skips=(chunk.skip(LOST),))
        except Exception as error:  # nothing but the decoding of libraries runs here, and it fails in many ways
            text = (str(error).strip().splitlines() or [type(error).__name__])[0]
            reason = f"entries {chunk.start} to {chunk.stop} cannot be read ({text}); copy or generate the file again"
            return Outcome(skips=(chunk.skip(reason),))
        try:
            self.write(chunk, name, content, weights, scale)
        except XaugError as error:
            return Outcome(failures=(chunk.skip(str(error)),))
        return Outcome()

    def read(self, chunk: Chunk, opening: AbstractContextManager[Any]) -> tuple[Any, Array, Magnitudes]:
        """Contents and generator weights of a chunk, and the sizes of its numbers, which are checked.

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
            scale = scale_of(particles)
            weights = form.weights(opened, chunk.start) if file.weight is None else named_weights(opened, file.weight)
            return content, one_for_each_event(weights, len(particles), file.weight), scale

    def write(self, chunk: Chunk, name: str, content: Any, weights: Array, scale: Magnitudes) -> None:
        """Select and describe a chunk, and write its part."""
        file = chunk.file
        ids = event_ids(file.identity, np.arange(chunk.start, chunk.stop))
        if not file.classes:
            groups = [self._rows(content, weights, ids, file.process, file.label)]
        else:
            groups = [
                self._rows(content.only(events), weights[events], ids[events], process, label)
                for label, process in enumerate(self.processor.settings.classes)
                if process in dict(file.classes)
                for events in [np.flatnonzero(content.label == label)]
            ]
        columns = {key: np.concatenate([own.columns[key] for own in groups]) for key in groups[0].columns}
        if len(groups) > 1:
            columns[PROCESS_INDEX] = np.repeat(np.arange(len(groups)), [own.summary.rows for own in groups])
        counts = {key: np.stack([own.counts[key] for own in groups]) for key in groups[0].counts}
        contents = tuple(own.summary for own in groups)
        summary = PartSummary(name, file.path, chunk.start, chunk.stop, contents, scale.to_json())
        write_part(self.output / name, columns, counts, summary.to_json(), table=self.processor.table())

    def _rows(self, content: Any, weights: Array, ids: Array, process: str, label: int) -> ProcessPart:
        """Rows of one process in a chunk."""
        settings = self.processor.settings
        rows = self.processor.rows(content, weights, ids)
        split = rows.split
        if split is None:
            split = assign_split(ids[rows.event], settings.split_seed, settings.split_fractions)
        columns = {
            **rows.columns,
            "label": np.full(len(rows.event), label, label_type(len(settings.classes))),
            "weight": rows.weight,
            "event_id": ids[rows.event],
            COLUMN: event_identities(self.processor.particles(content))[rows.event],
            "split": split,
        }
        summary = ProcessSummary(
            process=process,
            label=label,
            rows=len(rows.event),
            splits={which: int((split == i).sum()) for i, which in enumerate(SPLITS)},
            cut_flow=rows.cut_flow,
            sum_weight_read=float(weights.sum()),
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
