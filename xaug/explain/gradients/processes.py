"""Weights of background processes, from which baselines are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from xaug.core.errors import ConfigurationError, DatasetError, unknown_name
from xaug.core.types import Array, JsonObject
from xaug.data.dataset import Dataset
from xaug.explain.gradients.samples import check_weights

__all__ = ["Backgrounds", "process_weights"]

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
        known = ["equal", "cross_section", *(name for name in self.dataset.fields if name not in BLOCKS)]
        if self.weights not in known:
            raise unknown_name("weights", self.weights, known)

    def shares(self) -> tuple[dict[str, Array], dict[str, Array], dict[str, float]]:
        """Find the events of each process and their weights.

        Returns
        -------
        dict of arrays of int
            by process, its rows of the split
        dict of arrays
            by process, the weight of each of its rows within the process (sum 1)
        dict of float
            by process, its share (sum 1)
        """
        column = self.weights if self.weights not in ("equal", "cross_section") else "weight"
        light = self.dataset.load(["process", column], self.split)
        processes = [name for name, label in self.dataset.processes.items() if label == self.label]
        if not processes:
            raise DatasetError(f"{self.dataset.path} has no process of label {self.label}; it gives no baseline")
        rows, inside, sums = {}, {}, {}
        for name in processes:
            rows[name] = np.flatnonzero(light["process"] == name)
            if not len(rows[name]):
                raise DatasetError(
                    f"{self.dataset.path}: process {name!r} has no event in the {self.split} split; process more of it"
                )
            w = light[column][rows[name]].astype(np.float64)
            check_weights(w, f"process {name!r}: {column} of event")
            inside[name], sums[name] = w / w.sum(), float(w.sum())
        if self.weights == "equal":
            sums = dict.fromkeys(processes, 1.0)
        elif self.weights == "cross_section":
            sums = process_weights(self.dataset, processes, self.cross_sections)
        total = sum(sums.values())
        return rows, inside, {name: value / total for name, value in sums.items()}

    def provenance(self, kind: str, shares: dict[str, float], **more: object) -> JsonObject:
        """Origin of a sample of these events."""
        return {"kind": kind, "weights": self.weights, "dataset": self.dataset.digest, "split": self.split,
                "label": self.label, "shares": shares, **more}  # fmt: skip


def process_weights(
    dataset: Dataset, processes: list[str], cross_sections: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Number of events of each process that are expected after the selection, up to a common factor.

    Parameters
    ----------
    dataset : Dataset
        dataset whose manifest has the cross sections
    processes : list of str
        names of the processes
    cross_sections : dict of float, optional
        by process, cross section x branching ratio x (selected weight / generated weight); default: from
        `dataset.manifest["processes"][name]`, with the cross section "xsec" [pb] of all generated events (including
        branching ratios and thresholds of the generator), and the sums of event weights "sum_weights_generated" and
        "sum_weights_selected"

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
        cross_sections = {}
        for name, known in dataset.manifest.get("processes", {}).items():
            if {"xsec", "sum_weights_generated", "sum_weights_selected"} <= known.keys():
                efficiency = known["sum_weights_selected"] / known["sum_weights_generated"]
                cross_sections[name] = known["xsec"] * efficiency
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
