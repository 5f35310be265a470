"""Weights of background processes, from which baselines are drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from xaug.core.errors import ConfigurationError, DatasetError, unknown_name
from xaug.core.types import Array, JsonObject
from xaug.data.dataset import Dataset
from xaug.data.records import ProcessRecord
from xaug.data.weights import DEFAULT_WEIGHTS, effective_number
from xaug.explain.gradients.samples import check_weights

__all__ = ["BY_PROCESS", "Backgrounds", "affordable", "enough", "process_weights"]

BY_PROCESS: dict[str, Callable[[ProcessRecord], float | None]] = {
    "cross_section": lambda process: process.xsec,
    "expected_yield": lambda process: process.expected_yield,
}
"""Weights of a process that follow from its normalisation, by name."""
BLOCKS = ("image", "list", "mask", "xaug", "event")
"""Fields of a dataset that cannot be weights of events."""


@dataclass(frozen=True)
class Backgrounds:
    """Events of the background processes of a dataset, and the weight of each process.

    The attributes are the parameters of `xaug.explain.Averaged`.
    """

    dataset: Dataset
    weights: str
    split: str
    label: int
    cross_sections: Mapping[str, float] | None

    def __post_init__(self) -> None:
        known = ["equal", *BY_PROCESS, *(name for name in self.dataset.fields if name not in BLOCKS)]
        if self.weights not in known:
            raise unknown_name("weights", self.weights, known)

    def shares(self) -> tuple[dict[str, Array], dict[str, Array], dict[str, float]]:
        """Find the events of each process and their weights.

        Returns
        -------
        dict of arrays of int
            by process, its rows of the split
        dict of arrays
            by process, the weight of each of its rows within the process (sum 1); equal ones for jets, which count one
            each
        dict of float
            by process, its share (sum 1)
        """
        column = "weight" if self.weights in ("equal", *BY_PROCESS) else self.weights
        light = self.dataset.load(["process", column], self.split)
        # an event counts as much as in training; a column that is asked for counts as it is
        unit = self.weights != column and DEFAULT_WEIGHTS[self.dataset.kind] == "unit"
        processes = [name for name, label in self.dataset.processes.items() if label == self.label]
        if not processes:
            raise DatasetError(f"{self.dataset.path} has no events of {self._class()}; they give no baseline")
        rows, inside, sums = {}, {}, {}
        for name in processes:
            rows[name] = np.flatnonzero(light["process"] == name)
            if not len(rows[name]):
                raise DatasetError(
                    f"{self.dataset.path}: process {name!r} has no event in the {self.split} split; process more of it"
                )
            w = np.ones(len(rows[name])) if unit else light[column][rows[name]].astype(np.float64)
            check_weights(w, f"process {name!r}: {column} of event")
            inside[name], sums[name] = w / w.sum(), float(w.sum())
        if self.weights == "equal":
            sums = dict.fromkeys(processes, 1.0)
        elif self.weights in BY_PROCESS:
            sums = process_weights(self.dataset, processes, self.cross_sections, self.weights)
        total = sum(sums.values())
        return rows, inside, {name: value / total for name, value in sums.items()}

    def drawable(self, wanted: int) -> int:
        """The number of events, at most `wanted` and at least 1, that each process can give to a baseline."""
        _, inside, _ = self.shares()
        return max(1, min(wanted, *(int(effective_number(own) + 1e-9) for own in inside.values())))

    def provenance(self, kind: str, shares: dict[str, float], **more: object) -> JsonObject:
        """Origin of a sample of these events."""
        return {"kind": kind, "weights": self.weights, "dataset": self.dataset.digest, "split": self.split,
                "label": self.label, "class": self._class(), "shares": shares, **more}  # fmt: skip

    def _class(self) -> str:
        """Name of the class, or what a label without a class is."""
        known = self.dataset.classes
        return known[self.label] if 0 <= self.label < len(known) else f"label {self.label}"


def process_weights(
    dataset: Dataset,
    processes: list[str],
    cross_sections: Mapping[str, float] | None = None,
    weights: str = "cross_section",
) -> dict[str, float]:
    """Weight of each process in an averaged baseline, up to a common factor.

    Parameters
    ----------
    dataset : Dataset
        dataset whose manifest has the cross sections
    processes : list of str
        names of the processes
    cross_sections : dict of float, optional
        weight by process; default: from `dataset.manifest["processes"][name]`
    weights : str
        a name in BY_PROCESS. cross_section: "xsec" [pb] of all generated events, including branching ratios; it depends
        on the thresholds of the generator. expected_yield: that times "sum_weights_selected" / "sum_weights_generated",
        to which the numbers of events that pass the selection are proportional

    Returns
    -------
    dict of float
        by process

    Raises
    ------
    ConfigurationError
        if a process is missing, or its value is negative or not finite
    """
    if cross_sections is None:
        known = {name: ProcessRecord.from_json(own) for name, own in dataset.manifest.get("processes", {}).items()}
        found = {name: BY_PROCESS[weights](record) for name, record in known.items()}
        cross_sections = {name: value for name, value in found.items() if value is not None}
    for name in processes:
        if name not in cross_sections:
            raise ConfigurationError(
                f"process {name!r} is missing from the table of cross sections (it has: "
                f"{', '.join(cross_sections) or 'none'}); give cross_sections={{process: value}} for all backgrounds"
            )
    values = np.array([float(cross_sections[name]) for name in processes])
    for name, value in zip(processes, values, strict=True):
        if not (np.isfinite(value) and value >= 0):
            raise ConfigurationError(f"process {name!r} has the cross section {value}: it must not be negative")
    if not values.sum():
        raise ConfigurationError(f"the cross sections of {', '.join(processes)} are all zero")
    return dict(zip(processes, values.tolist(), strict=True))


def affordable(dataset: Dataset, wanted: int, label: int = 0) -> int:
    """Number of events of a class that can be drawn from each process of the validation split, `wanted` at most."""
    _, inside, _ = Backgrounds(dataset, "equal", "validation", label, None).shares()
    return max(1, min(wanted, *(int(effective_number(own)) for own in inside.values())))


def enough(weights: Array, size: int, process: str, split: str) -> None:
    """Refuse to draw a number of events from a process that has effectively fewer.

    Parameters
    ----------
    weights : (n,)
        weights of its events within the process
    size
        number of events to draw
    process, split
        their names, for the message

    Raises
    ------
    ConfigurationError
        if the process has fewer events of positive weight, or fewer effective events (sum w)^2 / sum w^2, than `size`
    """
    events, effective = int(np.count_nonzero(weights)), effective_number(weights)
    if min(events, effective + 1e-9) < size:
        raise ConfigurationError(
            f"process {process!r} has {events} events in the {split} split, effectively {effective:.1f}: too few for a "
            f"baseline of {size} of them; generate more of it, or draw {max(int(effective), 1)} (per_process)"
        )
