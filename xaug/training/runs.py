"""A run on disk: N trainings of one network, with the scaler and the names of what went in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np

from xaug.core import provenance
from xaug.core.errors import DatasetError, ModelError
from xaug.core.files import new_hdf5, read_json, write_array
from xaug.core.integrity import verified
from xaug.core.types import Array, Arrays
from xaug.data.dataset import Dataset
from xaug.data.scaling import Scaler
from xaug.data.variables import Table, Variable
from xaug.networks.inputs import Inputs

__all__ = ["Run", "load_run", "training_directory"]


def training_directory(run: Path, training: int) -> Path:
    """Directory of one training of a run."""
    return run / f"training_{training}"


def write_scores(path: Path, columns: dict[str, np.ndarray]) -> None:
    """Write `label`, `score`, `weight` and `event_id` of the test split."""
    with new_hdf5(path) as file:
        for name, values in columns.items():
            write_array(file, name, values, compression="lzf")


class Run:
    """A finished run.

    Attributes
    ----------
    path : Path
    manifest : dict
    scaler : Scaler
        fitted on the training split of the run's dataset
    input_spec : Inputs
    metrics : list of dict
        one per training, on the test split
    """

    def __init__(self, path: Path, content: dict):
        self.path = path
        self.manifest = content
        self.metrics: list[dict] = content["metrics"]
        self.scaler = Scaler.load(path / "scaler.json")
        self.input_spec = Inputs.from_json(content["inputs"])

    def __len__(self) -> int:
        return len(self.metrics)

    def __repr__(self) -> str:
        return f"<Run {self.path}: {len(self)} trainings of {self.input_spec.network}>"

    @property
    def name(self) -> str:
        """The directory's name, as it stands in legends."""
        return self.path.name

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
    def models(self) -> list:
        """The trained Keras models, one a training, loaded in safe mode at first use."""
        return [self.model(i) for i in range(len(self))]

    def model(self, training: int):
        """The Keras model of one training."""
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        import keras

        path = training_directory(self.path, training) / "model.keras"
        try:
            return keras.models.load_model(verified(path), compile=False, safe_mode=True)
        except (OSError, ValueError) as error:
            raise ModelError(f"{path} cannot be loaded ({error}). {self._again(path.parent)}") from error

    def inputs(self, arrays: Mapping[str, Array]) -> Arrays:
        """Inputs of the models, scaled, by input name, from unscaled arrays of a dataset."""
        own = self.input_spec.choose(arrays, f"run {self.name}")
        return self.input_spec.take(self.scaler.only(self.input_spec.columns).scale(own))

    def dataset(self, path: str | os.PathLike | None = None) -> Dataset:
        """The dataset that this run was trained on (or the one at `path`, of the same kind)."""
        recorded = Path(self.manifest["dataset"])
        # a study that was moved as a whole has it where it was, as seen from the run
        beside = (self.path / self.manifest.get("dataset_from_here", recorded)).resolve()
        own = beside if beside.is_dir() else recorded
        if path is None and not own.is_dir():
            raise DatasetError(
                f"the dataset {recorded}, on which {self.name} was trained, is not here; name one with --dataset"
            )
        dataset = Dataset.open(path or own)
        if dataset.kind != self.input_spec.kind:
            raise DatasetError(f"run {self.name} is of {self.input_spec.kind}, {dataset.path} holds {dataset.kind}")
        if path is None and dataset.digest != self.manifest["config"]["dataset"]:
            raise DatasetError(
                f"{dataset.path} is no longer the dataset that run {self.name} was trained on; name one with --dataset"
            )
        return dataset

    @property
    def training_events(self) -> int:
        """Events that each training saw."""
        fitted = self.scaler.fitted_on
        if fitted["split"] == "train":
            return fitted["signal"] + fitted["background"]
        # the scaling of the paper's authors is fitted on others as well
        return len(self.dataset().load(["label"], "train", self.manifest["config"]["max_jets"])["label"])

    def scores(self, training: int) -> dict[str, np.ndarray]:
        """Test-split `label`, `score`, `weight` (as in metrics) and `event_id` of one training."""
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
        return read_json(verified(training_directory(self.path, training) / "metrics.json"))["history"]


def load_run(path: str | os.PathLike) -> Run:
    """Open the directory of a finished run.

    Parameters
    ----------
    path : path
        Directory that `python -m xaug.train` has written.

    Returns
    -------
    Run
        The run; its models are loaded when they are first used.

    Raises
    ------
    DatasetError
        If the directory is missing, was not finished, or is damaged.
    """
    path = Path(path)
    return Run(path, provenance.read(path, "train"))
