"""One training as it is given to a worker process, and the result that the worker writes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from xaug.core.files import write_json
from xaug.core.types import JsonObject
from xaug.networks.inputs import Inputs
from xaug.networks.own_networks import OwnNetwork
from xaug.training.class_metrics import ClassMetrics
from xaug.training.config import TrainingConfig
from xaug.training.metrics import Metrics, Search
from xaug.training.runs import training_directory
from xaug.training.sample import MEMORY

__all__ = ["History", "TrainingResult", "TrainingTask", "result_path"]

History = dict[str, list[float]]
"""Loss and accuracy at each validation, on the training and the validation split ("loss", "val_loss", ...), and the
number of steps before it ("steps")."""


def result_path(run: Path, training: int) -> Path:
    """The file that a training writes last, so that a training which has it is whole."""
    return training_directory(run, training) / "metrics.json"


@dataclass(frozen=True)
class TrainingTask:
    """One training of a run.

    Attributes
    ----------
    dataset, run : Path
        directories of the dataset and of the run, as absolute paths
    training : int
        its number in the run, from 0
    inputs : Inputs
    config : TrainingConfig
    own_network : OwnNetwork, optional
        network of the user, with its source: a worker runs what the command was given, never a file of the run
    memory : float
        inputs of a split that are held in memory, in MB; it changes no number
    """

    dataset: Path
    run: Path
    training: int
    inputs: Inputs
    config: TrainingConfig
    own_network: OwnNetwork | None = None
    memory: float = MEMORY

    def to_json(self) -> JsonObject:
        """The task as plain data, to be sent to a worker."""
        return {
            "dataset": str(self.dataset),
            "run": str(self.run),
            "training": self.training,
            "inputs": self.inputs.to_json(),
            "config": asdict(self.config),
            "own_network": asdict(self.own_network) if self.own_network else None,
            "memory": self.memory,
        }

    @classmethod
    def from_json(cls, content: JsonObject) -> TrainingTask:
        """The task that `to_json` gave."""
        return cls(
            Path(content["dataset"]),
            Path(content["run"]),
            content["training"],
            Inputs.from_json(content["inputs"]),
            TrainingConfig(**content["config"]),
            OwnNetwork(**content["own_network"]) if content["own_network"] else None,
            content["memory"],
        )


@dataclass(frozen=True)
class TrainingResult:
    """Result of one training.

    Attributes
    ----------
    metrics : Metrics or ClassMetrics
        separation on the test split
    search : Search or None
        significance of a search, where the dataset allows one
    no_significance : str or None
        why there is no significance, if the sample is too small for one
    training : int
        number of the training in its run
    seed : int
    epochs : int
        number of validations until the training stopped: one an epoch, or one every so many steps
    best_epoch : int
        the validation at which the weights were those that are kept, counted from 0
    parameters : int
        number of trainable parameters of the network
    history : History
    """

    metrics: Metrics | ClassMetrics
    search: Search | None
    no_significance: str | None
    training: int
    seed: int
    epochs: int
    best_epoch: int
    parameters: int
    history: History

    @property
    def counts(self) -> dict[str, int]:
        """Number of steps until the training stopped, and until the kept weights, where the history counts them."""
        steps = self.history.get("steps")
        return {"steps": int(steps[-1]), "best_step": int(steps[self.best_epoch])} if steps else {}

    def to_json(self) -> JsonObject:
        """The result as the plain data of `metrics.json`."""
        return {
            **self.metrics.to_json(),
            **({} if self.search is None else asdict(self.search)),
            **({} if self.no_significance is None else {"no_significance": self.no_significance}),
            "training": self.training,
            "seed": self.seed,
            "epochs": self.epochs,
            "best_epoch": self.best_epoch,
            **self.counts,
            "parameters": self.parameters,
            "history": self.history,
        }

    def save(self, run: Path) -> None:
        """Write the result into the directory of its training."""
        write_json(result_path(run, self.training), self.to_json())
