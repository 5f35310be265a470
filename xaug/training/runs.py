"""A run on disk: N trainings of one network, with the scaler and the names of what went in."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py

from xaug.core import provenance
from xaug.core.errors import DatasetError, ModelError
from xaug.core.files import name_of, new_hdf5, read_json, write_array
from xaug.core.integrity import verified
from xaug.core.types import Array, Arrays, JsonObject
from xaug.data.dataset import Dataset
from xaug.data.records import CLASSES
from xaug.data.scaling import Scaler
from xaug.data.variables import Table, Variable
from xaug.networks.inputs import Inputs
from xaug.networks.model_files import load_model

__all__ = ["PREDICTED", "Run", "RunRecord", "load_run", "training_directory"]

PREDICTED = "those that the model predicts"
"""Labels of events that came without any, in the records of models of the user's."""


def training_directory(run: Path, training: int) -> Path:
    """Directory of one training of a run."""
    return run / f"training_{training}"


def write_scores(path: Path, columns: Mapping[str, Array]) -> None:
    """Write `label`, `score`, `weight` and `event_id` of the test split."""
    with new_hdf5(path) as file:
        for name, values in columns.items():
            write_array(file, name, values, compression="lzf")


@dataclass(frozen=True)
class RunRecord:
    """All that the code reads from the manifest of a run.

    Attributes
    ----------
    inputs : Inputs
        what the network reads
    config : dict
        settings of the training, inputs and dataset, which decide the numbers
    dataset : Path
        the dataset when the run was trained
    dataset_from_here : Path
        the same, as seen from the directory of the run
    dataset_digest : str
        digest of the dataset
    classes : tuple of str
        names of the classes by label
    max_jets : int or None
        training rows at most
    weights : str
        what an event counts for
    metrics : tuple of dict
        metrics of each training on the test split
    """

    inputs: Inputs
    config: JsonObject
    dataset: Path
    dataset_from_here: Path
    dataset_digest: str
    classes: tuple[str, ...]
    max_jets: int | None
    weights: str
    metrics: tuple[JsonObject, ...]

    @classmethod
    def from_json(cls, content: JsonObject) -> RunRecord:
        """The record of a manifest.

        Raises
        ------
        DatasetError
            if something is missing in it
        """
        try:
            config = content["config"]
            return cls(
                Inputs.from_json(content["inputs"]),
                config,
                Path(content["dataset"]),
                Path(content["dataset_from_here"] if "dataset_from_here" in content else content["dataset"]),
                config["dataset"],
                tuple(content.get("classes", CLASSES)),
                config.get("max_jets"),
                config.get("weights", "unit"),
                tuple(content["metrics"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise DatasetError(f"it lacks {error}") from None


class Run:
    """A finished run: N trainings of one network.

    Parameters
    ----------
    path : Path
        its directory
    content : dict
        its manifest
    unsafe : bool
        let its model files run code
    code : sequence of str
        files and modules with code that its models need

    Attributes
    ----------
    path : Path
        its directory
    unsafe : bool
        whether its model files may run code
    code : tuple of str
        files and modules with code that its models need
    manifest : dict
        the manifest as it is on disk
    record : RunRecord
        what the manifest says, typed
    scaler : Scaler
        fitted on the training split of the run's dataset
    """

    def __init__(self, path: Path, content: JsonObject, unsafe: bool = False, code: Sequence[str] = ()):
        self.path = path
        self.unsafe, self.code = unsafe, tuple(code)
        self.manifest = content
        self.record = RunRecord.from_json(content)
        self.scaler = Scaler.load(path / "scaler.json")

    @property
    def input_spec(self) -> Inputs:
        """Inputs of the network."""
        return self.record.inputs

    @property
    def metrics(self) -> list[JsonObject]:
        """Metrics of each training on the test split."""
        return list(self.record.metrics)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes by label, such as ("background", "signal")."""
        return self.record.classes

    @property
    def labels_are_predicted(self) -> bool:
        """Whether the events of a model of the user's came without labels, which are then the model's own answers."""
        return any(own.get("labels") == PREDICTED for own in self.record.metrics)

    def __len__(self) -> int:
        return len(self.metrics)

    def __repr__(self) -> str:
        return f"<Run {self.path}: {len(self)} trainings of {self.input_spec.network}>"

    @property
    def name(self) -> str:
        """The directory's name."""
        return name_of(self.path)

    @property
    def variables(self) -> dict[str, list[str]]:
        """Names of the variables of each input, in column order."""
        return self.input_spec.variables

    @property
    def columns(self) -> dict[str, tuple[Variable, ...]]:
        """Variables of each input with label, unit and group, in column order."""
        return self.input_spec.records

    @property
    def table(self) -> Table:
        """Variables of the dataset that it was trained on."""
        return self.input_spec.table

    @cached_property
    def models(self) -> list[Any]:
        """The trained Keras models, one a training, loaded in safe mode at first use."""
        return [self.model(i) for i in range(len(self))]

    def model(self, training: int) -> Any:
        """Load the Keras model of one training, in safe mode.

        Parameters
        ----------
        training : int
            number of the training, from 0

        Returns
        -------
        keras.Model
            the model with the weights of its best epoch

        Raises
        ------
        ModelError
            if the file cannot be loaded
        DatasetError
            if the file is damaged
        """
        path = training_directory(self.path, training) / "model.keras"
        try:
            return load_model(verified(path), unsafe=self.unsafe, code=self.code)
        except ModelError as error:
            if "cannot be loaded" not in str(error):
                raise
            raise ModelError(f"{error}. {self._again(path.parent)}") from error

    def inputs(self, arrays: Mapping[str, Array]) -> Arrays:
        """Scale the arrays of a dataset and choose the columns that the models read.

        Parameters
        ----------
        arrays : dict of arrays
            unscaled, as `Dataset.load` gives them, with a mask where lists are padded. Columns are found by name, in
            any dataset that has them; a plain dict does not know names: it must have the columns of `table`, and is
            refused where today's datasets of the kind have others

        Returns
        -------
        dict of arrays
            by input name, float32 in [0, 1]

        Raises
        ------
        DatasetError
            if a block or a column is missing (the message names it, and the nearest one) or cannot be told
        """
        own = self.input_spec.choose(arrays, f"run {self.name}")
        return self.input_spec.take(self.scaler.only(self.input_spec.columns).scale(own))

    def dataset(self, path: str | os.PathLike[str] | None = None) -> Dataset:
        """Open the dataset that this run was trained on, or another one.

        Parameters
        ----------
        path : path-like, optional
            another dataset of the same kind

        Returns
        -------
        Dataset
            the dataset

        Raises
        ------
        DatasetError
            if it is not there, is of another kind, or is no longer the one that the run was trained on
        """
        recorded = self.record.dataset
        # a study that was moved as a whole has it where it was, as seen from the run
        beside = (self.path / self.record.dataset_from_here).resolve()
        own = beside if beside.is_dir() else recorded
        if path is None and not own.is_dir():
            raise DatasetError(
                f"the dataset {recorded}, on which {self.name} was trained, is not here; name one with --dataset"
            )
        dataset = Dataset.open(path or own)
        if dataset.kind != self.input_spec.kind:
            raise DatasetError(f"run {self.name} is of {self.input_spec.kind}, {dataset.path} holds {dataset.kind}")
        if dataset.classes != self.classes:
            raise DatasetError(
                f"run {self.name} tells the classes {', '.join(self.classes)} apart, {dataset.path} has "
                f"{', '.join(dataset.classes)}; give a dataset of the same classes in the same order"
            )
        if path is None and dataset.digest != self.record.dataset_digest:
            raise DatasetError(
                f"{dataset.path} is no longer the dataset that run {self.name} was trained on; name one with --dataset"
            )
        return dataset

    @property
    def training_events(self) -> int:
        """Events that each training saw."""
        recorded: int | None = self.manifest.get("training_events")
        if recorded is not None:
            return recorded
        fitted = self.scaler.fitted_on  # of runs of version 0.1
        if fitted["split"] == "train":
            return int(sum(fitted[name] for name in self.classes))
        # the scaling of the paper's authors is fitted on others as well
        return len(self.dataset().load(["label"], "train", self.record.max_jets)["label"])

    @property
    def unit(self) -> str:
        """Unit in which the length of its trainings is counted: "epoch" or "step"."""
        return "step" if self.record.config.get("steps") else "epoch"

    def steps(self, training: int) -> tuple[int, int]:
        """Count the steps of one training, one batch each.

        Parameters
        ----------
        training : int
            number of the training, from 0

        Returns
        -------
        (int, int)
            until the training stopped, and until the weights were those that are kept
        """
        own = self.record.metrics[training]
        if "steps" in own:
            return own["steps"], own["best_step"]
        each = -(-self.training_events // self.record.config["batch_size"])  # of runs of version 0.1
        return each * own["epochs"], each * (own["best_epoch"] + 1)

    def scores(self, training: int) -> Arrays:
        """Test-split `label`, `score`, `weight` (as in metrics) and `event_id` of one training.

        The score of two classes is the probability (n,) of the second; that of K is the probability (n, K) of each.
        """
        path = training_directory(self.path, training) / "scores.h5"
        try:
            with h5py.File(verified(path)) as file:
                return {name: file[name][()] for name in file}
        except OSError as error:
            raise DatasetError(f"{path} cannot be read ({error}). {self._again(path.parent)}") from None

    def _again(self, training: Path) -> str:
        """Remedy for a damaged training, as a message states it."""
        return f"Delete {training} and {self.path / provenance.NAME}, then train again: other trainings are kept"

    def history(self, training: int) -> dict[str, list[float]]:
        """Loss and accuracy by epoch of one training, on the training and the validation split."""
        content = read_json(verified(training_directory(self.path, training) / "metrics.json"))
        history: dict[str, list[float]] = content["history"]
        return history


def load_run(path: str | os.PathLike[str], unsafe: bool = False, code: Sequence[str] = ()) -> Run:
    """Open the directory of a finished run.

    Parameters
    ----------
    path : path-like
        directory that `python -m xaug.train` wrote
    unsafe : bool
        let its model files run code, see `load_model`; only for runs that you made or trust
    code : sequence of str
        Python files or names of modules with classes and functions that its models need, see `load_model`

    Returns
    -------
    Run
        the run, with `.models`, `.scaler`, `.variables`, `.metrics` and `.inputs(arrays)`

    Raises
    ------
    DatasetError
        if it is not the directory of a finished run, or a file of it is missing or damaged
    """
    path = Path(path)
    content = provenance.read(path, "train")
    try:
        return Run(path, content, unsafe, code)
    except DatasetError as error:
        if str(path) in str(error):
            raise
        raise DatasetError(f"{path / provenance.NAME} is damaged ({error}). Delete it and train again") from None
