"""The settings of a training."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.types import JsonObject
from xaug.data.weights import WEIGHTS

__all__ = ["TrainingConfig"]


@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained.

    Attributes
    ----------
    batch_size : int
        events in one step
    learning_rate : float
        learning rate of Adam
    trainings : int
        number of independent trainings, each with a seed of its own
    epochs : int
        largest number of epochs; early stopping ends most trainings before
    patience : int
        epochs without a better validation loss after which a training stops
    seed : int
        seed from which those of the trainings follow
    max_jets : int or None
        largest number of training rows, for learning curves; None: all
    weights : str
        what an event counts for, see `xaug.data.weights.WEIGHTS`
    threads : int
        threads of each training; they are part of the result, whose last digits depend on the order of sums
    scale_on_all : bool
        whether the scaler is fitted on all jets, those of the test split included, as arXiv:2011.13466 does

    Raises
    ------
    ConfigurationError
        if a value is out of range
    """

    batch_size: int
    learning_rate: float
    trainings: int = 4
    epochs: int = 50
    patience: int = 6
    seed: int = 1
    max_jets: int | None = None
    weights: str = "unit"
    threads: int = 1
    scale_on_all: bool = False

    def __post_init__(self) -> None:
        least = {
            "trainings": (self.trainings, 1),
            "epochs": (self.epochs, 1),
            "patience": (self.patience, 1),
            "batch-size": (self.batch_size, 1),
            "threads": (self.threads, 1),
            "max-jets": (self.max_jets, 2),
        }
        for option, (value, minimum) in least.items():
            if value is not None and value < minimum:
                raise ConfigurationError(f"--{option} {value}: must be at least {minimum}")
        if not self.learning_rate > 0:
            raise ConfigurationError(f"--learning-rate {self.learning_rate}: must be positive")
        if self.seed < 0:
            raise ConfigurationError(f"--seed {self.seed}: must not be negative")
        if self.weights not in WEIGHTS:
            raise unknown_name("weights", self.weights, WEIGHTS)

    def seed_of(self, training: int) -> int:
        """The seed of one training: unrelated to that of any other (seed, training)."""
        return int(np.random.SeedSequence([self.seed, training]).generate_state(1)[0])

    @property
    def config(self) -> JsonObject:
        """The settings that a run records; `scale_on_all` appears only where it is chosen."""
        settings = asdict(self)
        if not self.scale_on_all:
            del settings["scale_on_all"]
        return settings
