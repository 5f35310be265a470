"""Baselines of Integrated Gradients: what an event is compared with.

An attribution says what makes f(x) differ from f(x'), so the baseline x' is half of the question. A blank (zero) vector
is seldom an event that could exist; a sample of background events is made of such, and attributions are averaged over
it (never the events): B_bg with equal weight for each process, B_bgw with their cross sections.

Reference: J. Bardhan, C. Neeraj, M. Rawat, S. Mitra, "Constructing sensible baselines for Integrated Gradients".
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

import h5py
import numpy as np

from xaug.core.errors import ConfigurationError, DatasetError, unknown_name
from xaug.data.dataset import Dataset
from xaug.explain.gradients.samples import Baseline, Sample, check_weights, with_event_axis

__all__ = ["CHOICES", "Averaged", "Blank", "Event", "Mean", "named_baseline", "process_weights"]

CHOICES = ("blank", "physical", "background", "weighted", "mean", "event:ROW", "FILE.npz", "FILE.h5")
"""What a command line can name, see `named_baseline`."""


@dataclass(frozen=True)
class Blank:
    """B0: zero in every input, after scaling (the lower edge of a min-max scaling), or before it.

    Parameters
    ----------
    scaled
        True: zero is what the network sees; False: zero in physical units (no pT, no mass, no particles), which the
        scaler of `run` maps, and clips, to what the network sees. It is the one baseline that depends on the scaling.
    """

    scaled: bool = True
    run: object = None

    def sample(self, shapes: dict[str, tuple[int, ...]]) -> Sample:
        if self.scaled:
            return Sample({name: np.zeros((1, *shape), np.float32) for name, shape in shapes.items()},
                          provenance={"kind": "blank", "zero": "after scaling"})  # fmt: skip
        if self.run is None:
            raise ConfigurationError("Blank(scaled=False) needs the run whose scaler it goes through: run=...")
        data = self.run.dataset()
        like = next(data.iterate(self.run.input_spec.fields, max_rows=1))
        zeros = {name: np.zeros((1, *values.shape[1:]), values.dtype) for name, values in like.items()}
        return Sample(self.run.inputs(zeros), provenance={"kind": "blank", "zero": "before scaling"})


@dataclass(frozen=True)
class Event:
    """One event: scaled inputs by name, with or without the event axis."""

    arrays: dict[str, np.ndarray]
    provenance: dict | None = None

    @classmethod
    def of(cls, run, row: int, split: str = "test", dataset: Dataset | None = None) -> Event:
        """The event in a row of a split of the run's dataset (or of another one)."""
        data = dataset or run.dataset()
        size = data.size(split)
        if not 0 <= row < size:
            raise ConfigurationError(f"event {row}: the {split} split of {data.path} has events 0 to {size - 1}")
        arrays = _rows(data, [*run.input_spec.fields, "event_id", "process"], split, np.array([row]))
        provenance = {"split": split, "row": row, "event_id": int(arrays["event_id"][0]),
                      "process": str(arrays["process"][0]), "dataset": data.digest}  # fmt: skip
        return cls(run.inputs(arrays), provenance)

    def sample(self, shapes: dict[str, tuple[int, ...]]) -> Sample:
        arrays = with_event_axis(self.arrays, shapes)
        found = Sample(arrays, provenance={"kind": "event", **(self.provenance or {})})
        if len(found) != 1:
            raise ConfigurationError(
                f"an Event is one event, {len(found)} are given; for several use Averaged or Sample"
            )
        return found


class _Backgrounds:
    """Events of the background processes of a dataset, and how much each process counts."""

    def shares(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, float]]:
        """By process: rows of the split, weight of each row within it (sum 1), and the process's share (sum 1)."""
        if self.run is None:
            raise ConfigurationError(f"{type(self).__name__} needs the run whose inputs its events become: run=...")
        within = self.weights if self.weights not in ("equal", "cross_section") else "weight"
        columns = [name for name in self.dataset.fields if name not in ("image", "list", "mask", "xaug", "event")]
        if within not in columns:
            raise unknown_name("weights", within, ["equal", "cross_section", *columns])
        light = self.dataset.load(["process", within], self.split)
        processes = [name for name, label in self.dataset.processes.items() if label == self.label]
        if not processes:
            raise DatasetError(f"{self.dataset.path} has no process of label {self.label}; there is no baseline in it")
        rows, inside, sums = {}, {}, {}
        for name in processes:
            rows[name] = np.flatnonzero(light["process"] == name)
            if not len(rows[name]):
                raise DatasetError(
                    f"{self.dataset.path}: process {name!r} has no event in the {self.split} split; process more of it"
                )
            w = light[within][rows[name]].astype(np.float64)
            check_weights(w, f"process {name!r}: {within} of event")
            inside[name], sums[name] = w / w.sum(), float(w.sum())
        if self.weights == "equal":
            sums = dict.fromkeys(processes, 1.0)
        elif self.weights == "cross_section":
            sums = process_weights(self.dataset, processes, self.cross_sections)
        total = sum(sums.values())
        return rows, inside, {name: value / total for name, value in sums.items()}

    def _provenance(self, kind: str, shares: dict[str, float], **more) -> dict:
        return {"kind": kind, "weights": self.weights, "dataset": self.dataset.digest, "split": self.split,
                "label": self.label, "shares": shares, **more}  # fmt: skip


@dataclass(frozen=True)
class Averaged(_Backgrounds):
    """Attributions averaged over events of every background process: B_bg ("equal"), B_bgw ("cross_section").

    Parameters
    ----------
    dataset : Dataset
    per_process
        so many events of each process are drawn, by their weights, without repetition (all, if it has fewer)
    weights
        of a process, which its events share: "equal"; "cross_section", see `process_weights`; or a column of the
        dataset, whose sum over a process counts, and by which its events are drawn
    run : Run
        whose scaler and variables make inputs of events
    split
        events are taken from it
    label
        0: backgrounds; 1: signal
    cross_sections
        process -> expected number of selected events, in any unit; default: from the dataset's manifest
    seed
        of the drawing
    """

    dataset: Dataset
    per_process: int = 20
    weights: str = "equal"
    _: KW_ONLY
    run: object = None
    split: str = "validation"
    label: int = 0
    cross_sections: Mapping[str, float] | None = None
    seed: int = 1

    def sample(self, shapes: dict[str, tuple[int, ...]]) -> Sample:
        if self.per_process < 1:
            raise ConfigurationError(f"per_process {self.per_process}: must be at least 1")
        rows, inside, shares = self.shares()
        chosen, weights, process = [], [], []
        for name, of_process in rows.items():
            rng = np.random.default_rng([self.seed, zlib.crc32(name.encode())])
            n = min(self.per_process, int(np.count_nonzero(inside[name])))
            chosen.append(rng.choice(of_process, n, replace=False, p=inside[name]))
            weights += [shares[name] / n] * n
            process += [name] * n
        chosen = np.concatenate(chosen)
        arrays = _rows(self.dataset, [*self.run.input_spec.fields, "event_id"], self.split, chosen)
        provenance = self._provenance(
            "averaged", shares, per_process=self.per_process, seed=self.seed,
            drawn={name: process.count(name) for name in rows}, event_id=[int(i) for i in arrays["event_id"]],
        )  # fmt: skip
        return Sample(self.run.inputs(arrays), np.array(weights), np.array(process), provenance)


@dataclass(frozen=True)
class Mean(_Backgrounds):
    """The mean of all background events (one baseline, in scaled space), which need not be an event that could exist.

    Parameters are those of `Averaged`.
    """

    dataset: Dataset
    weights: str = "equal"
    _: KW_ONLY
    run: object = None
    split: str = "validation"
    label: int = 0
    cross_sections: Mapping[str, float] | None = None

    def sample(self, shapes: dict[str, tuple[int, ...]]) -> Sample:
        rows, inside, shares = self.shares()
        weight = np.zeros(self.dataset.size(self.split))
        for name in rows:
            weight[rows[name]] = shares[name] * inside[name]
        total, start = {name: np.zeros(shape) for name, shape in shapes.items()}, 0
        for part in self.dataset.iterate(self.run.input_spec.fields, self.split):
            n = len(next(iter(part.values())))
            for name, values in self.run.inputs(part).items():
                total[name] += np.tensordot(weight[start : start + n], values, 1)
            start += n
        arrays = {name: values[None].astype(np.float32) for name, values in total.items()}
        return Sample(arrays, provenance=self._provenance("mean", shares))


def process_weights(
    dataset: Dataset, processes: list[str], cross_sections: Mapping[str, float] | None = None
) -> dict[str, float]:
    """How many events of each process are expected after the selection, up to a common factor.

    Parameters
    ----------
    cross_sections
        process -> cross section x branching ratio x (selected weight / generated weight); default: from
        `dataset.manifest["processes"][name]`, with "xsec" [pb], of all that was generated (branching ratios and
        thresholds of the generator included), and the sums of event weights "sum_weights_generated" and
        "sum_weights_selected"

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


def _rows(data: Dataset, fields: list[str], split: str, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Some rows of a split, in the order given, a part in memory at a time."""
    found, start, order = {name: [] for name in fields}, 0, np.sort(rows)
    for part in data.iterate(fields, split):
        n = len(part[fields[0]])
        local = order[(order >= start) & (order < start + n)] - start
        for name in fields:
            found[name].append(part[name][local])
        start += n
    back = np.argsort(np.argsort(rows, kind="stable"), kind="stable")
    return {name: np.concatenate(values)[back] for name, values in found.items()}


def named_baseline(choice: str, run, data: Dataset, seed: int = 1) -> Baseline | Sample:
    """The baseline that a command line names.

    Parameters
    ----------
    choice
        "blank", "physical" (blank before scaling), "background", "weighted", "mean", "event:ROW" (of the test split),
        or a file .npz or .h5 of scaled arrays by input name
    """
    if choice in ("blank", "physical"):
        return Blank(choice == "blank", run)
    if choice in ("background", "weighted"):
        return Averaged(data, weights="equal" if choice == "background" else "cross_section", run=run, seed=seed)
    if choice == "mean":
        return Mean(data, run=run)
    if choice.startswith("event:"):
        row = choice.removeprefix("event:")
        if not row.isdigit():
            raise ConfigurationError(f"baseline {choice!r}: write event:ROW, with a row of the test split")
        return Event.of(run, int(row), dataset=data)
    if Path(choice).suffix in (".npz", ".h5", ".hdf5"):
        return Sample(_read(Path(choice)), provenance={"kind": "file", "file": Path(choice).name})
    raise unknown_name("baseline", choice, CHOICES)


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        with h5py.File(path) as file:
            return {name: file[name][()] for name in file}
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(
            f"baseline {path} cannot be read ({error}): it must hold scaled arrays by input name, as np.savez or h5py "
            "write them"
        ) from None
