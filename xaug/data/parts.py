"""What the processors of jets and of events share: a chunk of a file in, one part of the dataset out."""

from __future__ import annotations

import functools
import os
from abc import abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import hist
import numpy as np
from coffea import processor

from xaug._version import __version__
from xaug.core.errors import BadValues, ConfigurationError, XaugError
from xaug.core.files import digest_json
from xaug.core.options import Options
from xaug.core.workers import end_with
from xaug.data.dataset import SPLITS, assign_split, event_ids, write_part

__all__ = ["PartProcessor", "PartSettings", "Rows", "control_histogram", "part_name"]

VERSION = 2
"""Raise it when the same events and settings give other numbers: old parts are then not taken for new ones."""


@dataclass(frozen=True)
class PartSettings:
    """Everything but the input that decides what a dataset holds."""

    kind: str
    selection: Options
    split_seed: int = 0
    split_fractions: tuple[float, float, float] = (0.6, 0.2, 0.2)  # train, validation, test

    def __post_init__(self):
        fractions = self.split_fractions
        if len(fractions) != 3 or not all(0 <= f <= 1 for f in fractions) or abs(sum(fractions) - 1) > 1e-9:
            raise ConfigurationError(
                f"split fractions {fractions}: must be three numbers >= 0 (train, validation, test) that sum to 1"
            )

    def check(self, path: str, stored: dict | None) -> None:
        """ConfigurationError where this selection would take events that the file does not hold."""

    @property
    def config(self) -> dict:
        """As plain data, with the version of the code that computes."""
        return {**asdict(self), "split_fractions": list(self.split_fractions), "processor_version": VERSION}


@dataclass(frozen=True)
class Rows:
    """What a chunk contributes to the dataset."""

    event: np.ndarray  # (n,) event of the chunk that each row is of, ascending
    weight: np.ndarray  # (n,)
    columns: dict[str, np.ndarray]  # blocks of inputs, (n, ...)
    control: dict[str, np.ndarray]  # (n,) values for the control histograms
    control_weight: np.ndarray | None  # (n,) their weights; None: 1
    cut_flow: dict[str, int]


def control_histogram(axis: hist.axis.AxesMixin, name: str) -> hist.Hist:
    """An empty control histogram."""
    return hist.Hist(axis, storage=hist.storage.Double(), name=name)


def part_name(file: dict, settings: PartSettings, start: int, stop: int) -> str:
    """File name of a part: it tells contents of the input (not its place), settings, code version and range apart."""
    key = {name: file[name] for name in ("tree", "digest", "identity", "label", "process")}
    code = digest_json({"input": key, "settings": settings.config, "xaug": __version__})
    return f"{code}_{start}_{stop}.h5"


@functools.cache
def follow(parent: int) -> None:
    """In a worker started by `parent`, end when it ends (once); elsewhere, as on a cluster, do nothing."""
    if os.getppid() == parent:
        end_with(parent)


class PartProcessor(processor.ProcessorABC):
    """Turns a chunk of events into rows and writes them as a part.

    It returns the part's name only: memory of the main process stays flat, a retry is harmless, and a
    rerun finds the parts that are already there.

    Parameters
    ----------
    output
        the dataset's directory, on a file system that all workers share
    settings
    """

    control: ClassVar[dict[str, hist.axis.AxesMixin]]
    """Axes of the control histograms."""
    needs: ClassVar[str]
    """What every row needs, and a file must have at least once: the first cut."""

    def __init__(self, output: str | Path, settings: PartSettings):
        self.output = Path(output)
        self.settings = settings
        self.parent = os.getpid()

    @abstractmethod
    def read(self, events, file: dict, first: int):
        """The contents of a chunk as arrays; BadValues where no event can have them."""

    @abstractmethod
    def weights(self, events, first: int) -> np.ndarray:
        """Generator weights (n_events,) of a chunk; BadValues where one is not finite."""

    @abstractmethod
    def rows(self, content, weights: np.ndarray, ids: np.ndarray) -> Rows:
        """The rows of a chunk, from what `read` gave, the events' weights (n,) and their ids (n,)."""

    def process(self, events) -> dict:
        """Write the part of a chunk (coffea NanoEvents with our metadata)."""
        follow(self.parent)
        file = events.metadata
        start, stop = int(file["entrystart"]), int(file["entrystop"])
        name = part_name(file, self.settings, start, stop)
        where = {"file": file["path"], "start": start, "stop": stop}
        if (self.output / name).exists():
            return {"parts": [name], "skips": [], "failures": []}
        try:
            content = self.read(events, file, start)
            weights = self.weights(events, start)
        except BadValues as error:
            reason = f"{error}; leave the file out or mend it"
            return {"parts": [], "skips": [{**where, "reason": reason}], "failures": []}
        except Exception as error:  # nothing but uproot's decoding runs here, and it fails in many ways
            text = (str(error).strip().splitlines() or [type(error).__name__])[0]
            reason = f"entries {start} to {stop} cannot be read ({text}); copy or generate the file again"
            return {"parts": [], "skips": [{**where, "reason": reason}], "failures": []}
        try:
            self.write(content, weights, file, start, stop, name)
        except XaugError as error:
            return {"parts": [], "skips": [], "failures": [{**where, "reason": str(error)}]}
        return {"parts": [name], "skips": [], "failures": []}

    def write(self, content, weights: np.ndarray, file: dict, start: int, stop: int, name: str) -> None:
        """Compute all columns of a chunk and write them."""
        ids = event_ids(file["identity"], np.arange(start, stop))
        rows = self.rows(content, weights, ids)
        split = assign_split(ids[rows.event], self.settings.split_seed, self.settings.split_fractions)
        columns = {
            **rows.columns,
            "label": np.full(len(rows.event), file["label"], np.int8),
            "weight": rows.weight,
            "event_id": ids[rows.event],
            "split": split,
        }
        summary = {
            "part": name,
            "file": file["path"],
            "start": start,
            "stop": stop,
            "process": file["process"],
            "label": file["label"],
            "rows": len(rows.event),
            "splits": {which: int((split == i).sum()) for i, which in enumerate(SPLITS)},
            "cut_flow": rows.cut_flow,
            "sum_weight_read": float(weights.sum()),
            "sum_weights_selected": float(rows.weight.sum()),
        }
        counts = {
            name: control_histogram(axis, name).fill(rows.control[name], weight=rows.control_weight).values(flow=True)
            for name, axis in self.control.items()
        }
        write_part(self.output / name, columns, counts, summary)

    def postprocess(self, accumulator):
        """Nothing is left to do after the parts are written."""
        return accumulator
