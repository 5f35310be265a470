"""The coffea processor of jets: a chunk of events in, one part of the dataset out."""

from __future__ import annotations

import functools
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

import hist
import numpy as np
from coffea import processor

from xaug import variables
from xaug._version import __version__
from xaug.dataset import SPLITS, assign_split, event_ids, write_part
from xaug.errors import ConfigurationError, XaugError
from xaug.process.conventions import DEFAULT, Conventions
from xaug.process.images import make_images
from xaug.process.jets import Jets
from xaug.process.particles import make_list
from xaug.process.schemas import BadValues, event_weights, read_events
from xaug.process.selection import Selection, select_jets
from xaug.storage import digest_json
from xaug.workers import end_with

__all__ = ["CONTROL", "JetProcessor", "Settings", "control_histogram", "part_name"]

VERSION = 1
"""Raise it when the same events and settings give other numbers: old parts are then not taken for new ones."""


@dataclass(frozen=True)
class Settings:
    """Everything but the input that decides what a dataset holds."""

    kind: str = "jets"
    selection: Selection = field(default_factory=Selection)
    split_seed: int = 0
    split_fractions: tuple[float, float, float] = (0.6, 0.2, 0.2)  # train, validation, test
    conventions: Conventions = DEFAULT

    def __post_init__(self):
        fractions = self.split_fractions
        if len(fractions) != 3 or not all(0 <= f <= 1 for f in fractions) or abs(sum(fractions) - 1) > 1e-9:
            raise ConfigurationError(
                f"split fractions {fractions}: must be three numbers >= 0 (train, validation, test) that sum to 1"
            )

    @property
    def config(self) -> dict:
        """As plain data, with the version of the code that computes; of the conventions those that differ."""
        settings = {**asdict(self), "split_fractions": list(self.split_fractions), "processor_version": VERSION}
        del settings["conventions"]
        return settings | ({"conventions": self.conventions.changes} if self.conventions.changes else {})


CONTROL = {
    "pt": hist.axis.Regular(50, 0, 1000, label=r"leading jet $p_T$ [GeV]"),
    "eta": hist.axis.Regular(48, -2.4, 2.4, label=r"jet $\eta$"),
    "softdrop_mass": hist.axis.Regular(50, 0, 250, label=r"$m_\mathrm{SD}$ [GeV]"),
    "n_constituents": hist.axis.Regular(50, 0, 200, label="constituents"),
}
"""Axes of the control histograms of the selected jets, unit weights."""


def control_histogram(name: str) -> hist.Hist:
    """An empty control histogram."""
    return hist.Hist(CONTROL[name], storage=hist.storage.Double(), name=name)


def fill_control(jets: Jets) -> dict[str, np.ndarray]:
    """Counts (with under- and overflow) of the control histograms of a chunk."""
    values = {
        "pt": jets.pt,
        "eta": jets.eta,
        "softdrop_mass": jets.softdrop_mass,
        "n_constituents": np.bincount(jets.owner, minlength=len(jets)),
    }
    return {name: control_histogram(name).fill(values[name]).values(flow=True) for name in CONTROL}


def part_name(file: dict, settings: Settings, start: int, stop: int) -> str:
    """File name of a part: it tells input (and its digest), settings, code version and range apart."""
    key = {name: file[name] for name in ("dataset", "path", "tree", "digest", "label", "process")}
    code = digest_json({"input": key, "settings": settings.config, "xaug": __version__})
    return f"{code}_{start}_{stop}.h5"


def jet_columns(jets: Jets) -> dict[str, np.ndarray]:
    """The input blocks of selected jets, float32, as the variables table lists them."""
    lists, mask = make_list(jets, [row.compute for row in variables.rows("jets", "list")])
    xaugs = [row.compute(jets) for row in variables.rows("jets", "xaug")]
    return {
        "image": make_images(jets),
        "list": lists,
        "mask": mask,
        "xaug": np.stack(xaugs, axis=1).astype(np.float32).reshape(len(jets), len(xaugs)),
    }


@functools.cache
def follow(parent: int) -> None:
    """In a worker started by `parent`, end when it ends (once); elsewhere, as on a cluster, do nothing."""
    if os.getppid() == parent:
        end_with(parent)


class JetProcessor(processor.ProcessorABC):
    """Clusters, grooms, selects and describes the jets of a chunk, and writes them as a part.

    It returns the part's name only: memory of the main process stays flat, a retry is harmless, and a
    rerun finds the parts that are already there.

    Parameters
    ----------
    output
        the dataset's directory, on a file system that all workers share
    settings
    """

    def __init__(self, output: str | Path, settings: Settings):
        self.output = Path(output)
        self.settings = settings
        self.parent = os.getpid()

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
            particles = read_events(events, file["label"], start, self.settings.conventions)
            weights = event_weights(events, start)
        except BadValues as error:
            reason = f"{error}; leave the file out or mend it"
            return {"parts": [], "skips": [{**where, "reason": reason}], "failures": []}
        except Exception as error:  # nothing but uproot's decoding runs here, and it fails in many ways
            text = (str(error).strip().splitlines() or [type(error).__name__])[0]
            reason = f"entries {start} to {stop} cannot be read ({text}); copy or generate the file again"
            return {"parts": [], "skips": [{**where, "reason": reason}], "failures": []}
        try:
            self.write(particles, weights, file, start, stop, name)
        except XaugError as error:
            return {"parts": [], "skips": [], "failures": [{**where, "reason": str(error)}]}
        return {"parts": [name], "skips": [], "failures": []}

    def write(self, particles, weights: np.ndarray, file: dict, start: int, stop: int, name: str) -> None:
        """Compute all columns of a chunk and write them."""
        jets, cut_flow = select_jets(particles, self.settings.selection, conventions=self.settings.conventions)
        ids = event_ids(file["identity"], start + jets.event)
        split = assign_split(ids, self.settings.split_seed, self.settings.split_fractions)
        columns = {
            **jet_columns(jets),
            "label": np.full(len(jets), file["label"], np.int8),
            "weight": weights[jets.event],
            "event_id": ids,
            "split": split,
        }
        summary = {
            "part": name,
            "file": file["path"],
            "start": start,
            "stop": stop,
            "process": file["process"],
            "label": file["label"],
            "jets": len(jets),
            "splits": {which: int((split == i).sum()) for i, which in enumerate(SPLITS)},
            "cut_flow": cut_flow,
        }
        write_part(self.output / name, columns, fill_control(jets), summary)

    def postprocess(self, accumulator):
        """Nothing is left to do after the parts are written."""
        return accumulator
