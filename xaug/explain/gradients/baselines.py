"""Baselines of Integrated Gradients: the events that an event is compared with.

An attribution explains the difference between f(x) and f(x'), so that it depends on the baseline x'. A blank (zero)
vector is seldom an event that could exist. Background events do exist, and attributions (never the events) are averaged
over a sample of them: B_bg gives each process the same weight, B_bgw weighs processes by their cross sections, as the
paper says, or by the number of events expected after the selection, which does not depend on thresholds of a generator.

Reference: J. Bardhan, C. Neeraj, M. Rawat, S. Mitra, "Constructing sensible baselines for Integrated Gradients".
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

import numpy as np

from xaug.core.errors import ConfigurationError
from xaug.core.types import Array, Arrays, JsonObject
from xaug.data.columns import NamedArrays
from xaug.data.dataset import Dataset
from xaug.data.weights import effective_number
from xaug.explain.gradients.processes import Backgrounds, enough
from xaug.explain.gradients.samples import Sample, Shapes, with_event_axis

if TYPE_CHECKING:
    from xaug.training.runs import Run

__all__ = ["PER_PROCESS", "Averaged", "Blank", "Event", "Mean"]

PER_PROCESS = 20
"""Events that an averaged baseline draws from each process: 200 from the ten backgrounds of the paper."""


@dataclass(frozen=True)
class Blank:
    """The blank baseline B0: zero in every input, after scaling or before it.

    Zero after scaling is the lower edge of a range for a min-max scaling, so that this baseline depends on the scaling.

    Parameters
    ----------
    scaled : bool
        True: all inputs of the network are zero. False: all variables are zero in physical units (no pT, no mass, no
        particles), and the scaler of `run` makes the inputs of the network
    run : Run, optional
        the run whose scaler is used; needed where `scaled` is False

    References
    ----------
    J. Bardhan, C. Neeraj, M. Rawat, S. Mitra, "Constructing sensible baselines for Integrated Gradients" (B0).
    """

    scaled: bool = True
    run: Run | None = None

    def sample(self, shapes: Shapes) -> Sample:
        """Make the sample of one blank event.

        Parameters
        ----------
        shapes : dict of tuple
            shapes of the model's inputs by name, without the event axis

        Returns
        -------
        Sample
            The events of the baseline as scaled arrays by input name, with their weights.
        """
        if self.scaled:
            return Sample({name: np.zeros((1, *shape), np.float32) for name, shape in shapes.items()},
                          provenance={"kind": "blank", "zero": "after scaling"})  # fmt: skip
        run = _needed_run(self.run, "Blank(scaled=False)")
        like = next(run.dataset().iterate(run.input_spec.fields, max_rows=1))
        zeros = {name: np.zeros((1, *values.shape[1:]), values.dtype) for name, values in like.items()}
        return Sample(run.inputs(NamedArrays.like(zeros, like)), provenance={"kind": "blank", "zero": "before scaling"})


@dataclass(frozen=True)
class Event:
    """A baseline of one event.

    Parameters
    ----------
    arrays : dict of arrays
        scaled inputs by input name, with the event axis (1, ...) or without it
    provenance : dict, optional
        origin of the event, for manifests

    Raises
    ------
    ConfigurationError
        when the sample is made, if there are several events
    """

    arrays: Arrays
    provenance: JsonObject | None = None

    @classmethod
    def of(cls, run: Run, row: int, split: str = "test", dataset: Dataset | None = None) -> Event:
        """Take one event of a dataset.

        Parameters
        ----------
        run : Run
            the run whose scaler is used
        row : int
            row of the split
        split : str
            "train", "validation" or "test"
        dataset : Dataset, optional
            default: the dataset of the run

        Returns
        -------
        Event
            A baseline of this one event.

        Raises
        ------
        ConfigurationError
            if the split has no such row
        """
        data = dataset or run.dataset()
        size = data.size(split)
        if not 0 <= row < size:
            raise ConfigurationError(f"event {row}: the {split} split of {data.path} has events 0 to {size - 1}")
        arrays = _rows(data, [*run.input_spec.fields, "event_id", "process"], split, np.array([row]))
        provenance = {"split": split, "row": row, "event_id": int(arrays["event_id"][0]),
                      "process": str(arrays["process"][0]), "dataset": data.digest}  # fmt: skip
        return cls(run.inputs(arrays), provenance)

    def sample(self, shapes: Shapes) -> Sample:
        """Make the sample of this event.

        Parameters
        ----------
        shapes : dict of tuple
            shapes of the model's inputs by name, without the event axis

        Returns
        -------
        Sample
            The events of the baseline as scaled arrays by input name, with their weights.
        """
        arrays = with_event_axis(self.arrays, shapes)
        found = Sample(arrays, provenance={"kind": "event", **(self.provenance or {})})
        if len(found) != 1:
            raise ConfigurationError(
                f"an Event holds one event, but {len(found)} are given; use Averaged or Sample for several"
            )
        return found


def _needed_run(run: Run | None, baseline: str) -> Run:
    """The run, or an error that says how to give one."""
    if run is None:
        raise ConfigurationError(f"{baseline} needs the run whose scaler makes inputs of its events; give run=...")
    return run


@dataclass(frozen=True)
class Averaged:
    """A sample of events of all background processes, over which attributions are averaged.

    Parameters
    ----------
    dataset : Dataset
        dataset of the events
    per_process : int
        number of events that are drawn from each process, by their weights and with replacement, so that their mean is
        that of the process
    weights : str
        weight of a process, which its events share: "equal" (B_bg); "cross_section" or "expected_yield" (B_bgw, see
        `xaug.explain.gradients.processes.process_weights`); or a column of the dataset, whose sum over a process is its
        weight, and by which its events are drawn
    run : Run
        the run whose scaler and variables make inputs of events
    split : str
        split from which events are drawn
    label : int
        class of the processes: 0 for background, 1 for signal
    cross_sections : dict of float, optional
        weight by process, in any unit; default: from the dataset's manifest
    seed : int
        seed of the drawing

    References
    ----------
    J. Bardhan, C. Neeraj, M. Rawat, S. Mitra, "Constructing sensible baselines for Integrated Gradients", equation 2.
    """

    dataset: Dataset
    per_process: int = PER_PROCESS
    weights: str = "equal"
    _: KW_ONLY
    run: Run | None = None
    split: str = "validation"
    label: int = 0
    cross_sections: Mapping[str, float] | None = None
    seed: int = 1

    def sample(self, shapes: Shapes) -> Sample:
        """Draw the events.

        Parameters
        ----------
        shapes : dict of tuple
            shapes of the model's inputs by name, without the event axis

        Returns
        -------
        Sample
            The events of the baseline as scaled arrays by input name, with their weights.

        Raises
        ------
        ConfigurationError
            if a process has (effectively) fewer events than are drawn from it
        """
        if self.per_process < 1:
            raise ConfigurationError(f"per_process {self.per_process}: must be at least 1")
        run = _needed_run(self.run, "Averaged")
        backgrounds = Backgrounds(self.dataset, self.weights, self.split, self.label, self.cross_sections)
        rows, inside, shares = backgrounds.shares()
        chosen: list[Array] = []
        weights: list[float] = []
        process: list[str] = []
        for name, of_process in rows.items():
            rng = np.random.default_rng([self.seed, zlib.crc32(name.encode())])
            enough(inside[name], self.per_process, name, self.split)
            chosen.append(rng.choice(of_process, self.per_process, p=inside[name]))
            weights += [shares[name] / self.per_process] * self.per_process
            process += [name] * self.per_process
        arrays = _rows(self.dataset, [*run.input_spec.fields, "event_id"], self.split, np.concatenate(chosen))
        provenance = backgrounds.provenance(
            "averaged", shares, per_process=self.per_process, seed=self.seed,
            effective={name: effective_number(inside[name]) for name in rows},
            event_id=[int(i) for i in arrays["event_id"]],
        )  # fmt: skip
        return Sample(run.inputs(arrays), np.array(weights), np.array(process), provenance)


@dataclass(frozen=True)
class Mean:
    """The mean of all background events, in scaled space: one baseline, which need not be an event that could exist.

    Parameters
    ----------
    dataset : Dataset
        dataset of the events
    weights : str
        weight of a process, which its events share: "equal", "cross_section", or a column, as for `Averaged`
    run : Run
        the run whose scaler and variables make inputs of events
    split : str
        split whose events are averaged
    label : int
        class of the processes: 0 for background, 1 for signal
    cross_sections : dict of float, optional
        weight by process, in any unit; default: from the dataset's manifest
    """

    dataset: Dataset
    weights: str = "equal"
    _: KW_ONLY
    run: Run | None = None
    split: str = "validation"
    label: int = 0
    cross_sections: Mapping[str, float] | None = None

    def sample(self, shapes: Shapes) -> Sample:
        """Average over the events.

        Parameters
        ----------
        shapes : dict of tuple
            shapes of the model's inputs by name, without the event axis

        Returns
        -------
        Sample
            The events of the baseline as scaled arrays by input name, with their weights.
        """
        run = _needed_run(self.run, "Mean")
        backgrounds = Backgrounds(self.dataset, self.weights, self.split, self.label, self.cross_sections)
        rows, inside, shares = backgrounds.shares()
        weight = np.zeros(self.dataset.size(self.split))
        for name in rows:
            weight[rows[name]] = shares[name] * inside[name]
        total, start = {name: np.zeros(shape) for name, shape in shapes.items()}, 0
        for part in self.dataset.iterate(run.input_spec.fields, self.split):
            n = len(next(iter(part.values())))
            for name, values in run.inputs(part).items():
                total[name] += np.tensordot(weight[start : start + n], values, 1)
            start += n
        arrays = {name: values[None].astype(np.float32) for name, values in total.items()}
        return Sample(arrays, provenance=backgrounds.provenance("mean", shares))


def _rows(data: Dataset, fields: Iterable[str], split: str, rows: Array) -> Mapping[str, Array]:
    """Some rows of a split, in the order given and as often as given, a part in memory at a time."""
    names = list(fields)
    found: dict[str, list[Array]] = {name: [] for name in names}
    start, order = 0, np.sort(rows)
    for part in data.iterate(names, split):
        n = len(part[names[0]])
        local = order[(order >= start) & (order < start + n)] - start
        for name in names:
            found[name].append(part[name][local])
        start += n
    back = np.argsort(np.argsort(rows, kind="stable"), kind="stable")
    return NamedArrays.like({name: np.concatenate(values)[back] for name, values in found.items()}, part)
