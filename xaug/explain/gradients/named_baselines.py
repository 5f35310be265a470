"""Baselines by the names that a command line uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.files import digest_file
from xaug.core.progress import note
from xaug.core.types import Arrays, JsonObject
from xaug.data.dataset import Dataset
from xaug.explain.gradients.baseline_class import BY_CLASS, check_class, choose_class
from xaug.explain.gradients.baselines import PER_PROCESS, Averaged, Blank, Event, Mean
from xaug.explain.gradients.samples import BaselineLike, Sample, input_shapes

if TYPE_CHECKING:
    from xaug.explain.method import ExplainJob, OptionsT
    from xaug.training.runs import Run

__all__ = [
    "AVERAGED",
    "CHOICES",
    "REFERENCES",
    "baseline_digests",
    "check_choice",
    "check_class",
    "named_baseline",
    "named_reference",
    "with_baseline",
]

AVERAGED = {"background": "equal", "weighted": "cross_section", "weighted_yield": "expected_yield"}
"""Averaged baselines, and their weights of processes as `Averaged` names them."""
CHOICES = (
    "blank", "physical", *AVERAGED, "background:CLASS", "background_mean", "mean:CLASS", "classes_mean", "event:ROW",
    "FILE.npz", "FILE.h5",
)  # fmt: skip
"""Baselines that a command line can name, see `named_baseline`."""

NEIGHBOURS = 2000
"""Training events that baselines are compared with."""
FILES = (".npz", ".h5", ".hdf5")
"""Endings of files of arrays."""
REFERENCES = (
    "zero", "background", "background_mean", "mean:CLASS", "classes_mean", "event:ROW", "FILE.npz", "FILE.h5",
)  # fmt: skip
"""Events from which LRP can start, see `named_reference`."""


def named_reference(choice: str, run: Run, data: Dataset) -> Sample:
    """Make the single event that a command line names as the reference of LRP.

    Parameters
    ----------
    choice : str
        "background" or "background_mean" (mean of the background events of the validation split, each process with
        the same weight), "mean:CLASS" (of the events of a class), "classes_mean" (of all classes, with the same
        weight), "event:ROW" (of the test split), or a file .npz or .h5 of scaled arrays by input name, of one event or
        of several, of which the mean is taken
    run : Run
        the run whose scaler is used
    data : Dataset
        dataset of the events

    Returns
    -------
    Sample
        of one event

    Raises
    ------
    ConfigurationError
        if there is no such reference, or the file cannot be read
    """
    choice = _renamed("reference", choice, "classes_mean")
    of_class = choose_class("reference", choice, run, data)
    if of_class is not None and of_class.name in ("background", "background_mean", "mean"):
        shapes = input_shapes(run.model(0), run.input_spec.shapes)
        mean = Mean(data, run=run, split=_split(data), label=of_class.label).sample(shapes)
        return Sample(mean.arrays, provenance={**mean.provenance, "kind": of_class.name})
    if choice == "classes_mean":
        return _mean_of_classes(run, data)
    if choice.startswith("event:") or Path(choice).suffix in FILES:
        found = named_baseline(choice, run, data)
        assert isinstance(found, (Event, Sample)), "these two kinds are made of arrays"
        return found if isinstance(found, Sample) else Sample(found.arrays, provenance=found.provenance)
    raise unknown_name("reference", choice, REFERENCES)


def named_baseline(choice: str, run: Run, data: Dataset, seed: int = 1, per_process: int = PER_PROCESS) -> BaselineLike:
    """Make the baseline that a command line names.

    Parameters
    ----------
    choice : str
        "blank", "physical" (blank before scaling), a name in AVERAGED, "background_mean" or "classes_mean" (as of
        `named_reference`), "event:ROW" (of the test split), or a file .npz or .h5 of scaled arrays by input name.
        `:CLASS` behind a name in AVERAGED or behind "mean" says of which class events are taken
    run : Run
        the run whose scaler is used
    data : Dataset
        dataset from which events are drawn
    seed : int
        seed of the drawing
    per_process : int
        events that an averaged baseline draws from each process

    Returns
    -------
    Baseline or Sample

    Raises
    ------
    ConfigurationError
        if there is no such baseline, or the file cannot be read
    """
    if choice in ("blank", "physical"):
        return Blank(choice == "blank", run)
    choice = _renamed("baseline", choice, "background_mean")
    of_class = choose_class("baseline", choice, run, data)
    if of_class is not None:
        own: dict[str, Any] = {"run": run, "split": _split(data), "label": of_class.label}
        if of_class.name not in AVERAGED:
            return Mean(data, **own)
        return Averaged(data, per_process, AVERAGED[of_class.name], seed=seed, **own)
    if choice == "classes_mean":
        return _mean_of_classes(run, data)
    if choice.startswith("event:"):
        row = choice.removeprefix("event:")
        if not row.isdigit():
            raise ConfigurationError(f"baseline {choice!r}: write event:ROW, with a row of the test split")
        return Event.of(run, int(row), dataset=data)
    if Path(choice).suffix in FILES:
        return Sample(_read(Path(choice)), provenance={"kind": "file", "file": Path(choice).name})
    raise unknown_name("baseline", choice, CHOICES)


def _renamed(option: str, choice: str, name: str) -> str:
    """The name of what "mean" once was, which had one meaning for baselines and another for references."""
    if choice != "mean":
        return choice
    note(f"--{option} mean is called --{option} {name} now")
    return name


def _mean_of_classes(run: Run, data: Dataset) -> Sample:
    """The mean of the mean events of all classes."""
    shapes, split = input_shapes(run.model(0), run.input_spec.shapes), _split(data)
    means = [Mean(data, run=run, split=split, label=label).sample(shapes).arrays for label in range(len(data.classes))]
    arrays = {name: np.mean([one[name] for one in means], axis=0) for name in means[0]}
    return Sample(arrays, provenance={"kind": "classes_mean", "split": split})


def _split(data: Dataset) -> str:
    """The validation split; without one, as for the events of a model of the user's own, the events themselves."""
    return "validation" if data.size("validation") else "test"


def _read(path: Path) -> Arrays:
    """Read scaled arrays by input name."""
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        with h5py.File(path) as file:
            return {name: file[name][()] for name in file}
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(
            f"baseline {path} cannot be read ({error}); write scaled arrays by input name with np.savez or h5py"
        ) from None


def baseline_of_job(job: ExplainJob[OptionsT], choice: str, per_process: int) -> BaselineLike:
    """The baseline that a command line names for a job; see `named_baseline`."""
    return named_baseline(choice, job.run, job.data, job.seed, per_process)


def check_choice(kind: str, choice: str, known: Sequence[str]) -> None:
    """Refuse the name of a baseline or reference that is none of those known, before TensorFlow is loaded.

    Raises
    ------
    ConfigurationError
        if it is neither one of the names nor `event:ROW` nor a file
    """
    named = choice in ("mean", *known) or choice.startswith("event:")  # "mean" is told its new name later
    name, colon, of_class = choice.partition(":")
    named |= bool(colon and of_class) and name in BY_CLASS and name in ("mean", *known)
    if not named and Path(choice).suffix not in FILES:
        raise unknown_name(kind, choice, known)


def baseline_digests(choice: str) -> JsonObject:
    """The digest of the file of baselines, if the command line names one; see `Method.digests`."""
    file = Path(choice)
    return {"baseline_file": digest_file(file) if file.is_file() else None}


def with_baseline(
    job: ExplainJob[OptionsT], baseline: BaselineLike, frozen: Sequence[str] = ()
) -> ExplainJob[OptionsT]:
    """The job with its baselines, which know how far they are from the data.

    Parameters
    ----------
    job : ExplainJob
    baseline : Baseline or Sample
    frozen : sequence of str
        inputs that the baseline may lack
    """
    from xaug.explain.gradients.distance import distance_from_data
    from xaug.explain.gradients.samples import sample_of

    run, data = job.run, job.data
    sample = sample_of(baseline, run.model(0), {}, run.variables, frozen, run.input_spec.shapes)
    split = "train" if data.size("train") else job.split  # events for a model of the user's have one split only
    near = run.inputs(data.load(run.input_spec.fields, split, NEIGHBOURS))
    distance = distance_from_data(sample, near, run.variables)
    return replace(job, baseline=replace(sample, provenance={**sample.provenance, "distance": distance}))
