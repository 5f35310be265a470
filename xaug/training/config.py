"""The settings of a training."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

import numpy as np

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.types import JsonObject
from xaug.data.scaling import IMAGE_SCALINGS
from xaug.data.weights import WEIGHTS

__all__ = ["DISPLACEMENT_SCALINGS", "EPOCHS", "PATIENCE", "TrainingConfig", "check_length"]

EPOCHS, PATIENCE = 50, 6
"""Largest number of epochs, and epochs without a better validation loss, unless other numbers are given."""
CHECKS, PATIENT_CHECKS = 50, 10
"""A training by steps is validated this many times, and waits this many times for a better validation loss."""

DISPLACEMENT_SCALINGS = ("clipped", "unclipped")
"""Scalings of logarithms of displacements: "clipped" treats them as all other variables; "unclipped" maps the
logarithm of the floor, which is that of a particle without displacement, to 0 and the largest one to 1."""
EXCEPTIONS = (
    "scale_on_all", "image_scaling", "displacement_scaling", "epochs", "steps", "check_every", "halve_after",
    "reweight", "reference",
)  # fmt: skip
"""Settings that runs record only where they differ from their defaults. A run has epochs, or steps and their checks."""


def check_length(epochs: int | None, steps: int | None) -> None:
    """Raise ConfigurationError if the length of a training is given both in epochs and in steps."""
    if epochs is not None and steps is not None:
        raise ConfigurationError(
            f"--steps {steps} and --epochs {epochs} exclude each other: the length of a training is counted in one of "
            "them. Leave one out"
        )


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
    epochs : int or None
        largest number of epochs, which are passes over the training sample; early stopping ends most trainings before.
        Default: EPOCHS, and None for a training by steps
    patience : int or None
        epochs, or for a training by steps number of steps, without a better validation loss after which a training
        stops; default: PATIENCE, or ten checks
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
    image_scaling : str
        what is done to images, see `xaug.data.scaling.IMAGE_SCALINGS`
    displacement_scaling : str
        one of DISPLACEMENT_SCALINGS
    steps : int or None
        largest number of steps, one batch each; None: the length is counted in epochs
    check_every : int or None
        steps after which a training by steps is validated; default: a fiftieth of the steps
    halve_after : int or None
        epochs, or for a training by steps number of steps, without a better validation loss after which the learning
        rate is halved; None: it stays
    reweight : str or None
        variable and edges of bins, as pt:200,300,500, in which all classes get the spectrum of `reference` in the loss
    reference : str or None
        name of that class

    Raises
    ------
    ConfigurationError
        if a value is out of range
    """

    batch_size: int
    learning_rate: float
    trainings: int = 4
    epochs: int | None = None
    patience: int | None = None
    seed: int = 1
    max_jets: int | None = None
    weights: str = "unit"
    threads: int = 1
    scale_on_all: bool = False
    image_scaling: str = "whole"
    displacement_scaling: str = "clipped"
    steps: int | None = None
    check_every: int | None = None
    halve_after: int | None = None
    reweight: str | None = None
    reference: str | None = None

    def __post_init__(self) -> None:
        self._complete_length()
        least = {
            "trainings": (self.trainings, 1),
            "epochs": (self.epochs, 1),
            "steps": (self.steps, 1),
            "check-every": (self.check_every, 1),
            "patience": (self.patience, 1),
            "halve-after": (self.halve_after, 1),
            "batch-size": (self.batch_size, 1),
            "threads": (self.threads, 1),
            "max-jets": (self.max_jets, 2),
        }
        for option, (value, minimum) in least.items():
            if value is not None and value < minimum:
                raise ConfigurationError(f"--{option} {value}: must be at least {minimum}")
        if self.halve_after is not None and self.halve_after >= (self.patience or 0):
            raise ConfigurationError(
                f"--halve-after {self.halve_after}: must be less than --patience {self.patience}, after which a "
                "training stops"
            )
        if not self.learning_rate > 0:
            raise ConfigurationError(f"--learning-rate {self.learning_rate}: must be positive")
        if (self.reweight is None) != (self.reference is None):
            given, lacking = (
                (f"--reweight {self.reweight}", "--reference CLASS, the class whose spectrum all classes get")
                if self.reference is None
                else (f"--reference {self.reference}", "--reweight NAME:EDGES, the variable with its bins")
            )
            raise ConfigurationError(f"{given} needs {lacking}")
        if self.seed < 0:
            raise ConfigurationError(f"--seed {self.seed}: must not be negative")
        if self.weights not in WEIGHTS:
            raise unknown_name("weights", self.weights, WEIGHTS)
        if self.image_scaling not in IMAGE_SCALINGS:
            raise unknown_name("image scaling", self.image_scaling, IMAGE_SCALINGS)
        if self.displacement_scaling not in DISPLACEMENT_SCALINGS:
            raise unknown_name("displacement scaling", self.displacement_scaling, DISPLACEMENT_SCALINGS)

    def _complete_length(self) -> None:
        """Fill in what is not given of the length of the training."""
        check_length(self.epochs, self.steps)
        defaults: dict[str, int] = {}
        if self.steps is None:
            if self.check_every is not None:
                raise ConfigurationError(f"--check-every {self.check_every} goes with --steps; give both or neither")
            defaults = {"epochs": EPOCHS, "patience": PATIENCE}
        else:
            check = self.check_every or max(1, self.steps // CHECKS)
            defaults = {"check_every": check, "patience": PATIENT_CHECKS * check}
        for name, value in defaults.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)

    @property
    def length(self) -> int:
        """Largest number of epochs, or of steps for a training by steps."""
        return self.steps or self.epochs or 0

    @property
    def unit(self) -> str:
        """The unit of `length` and `patience`: "epochs" or "steps"."""
        return "epochs" if self.steps is None else "steps"

    def seed_of(self, training: int) -> int:
        """The seed of one training: unrelated to that of any other (seed, training)."""
        return int(np.random.SeedSequence([self.seed, training]).generate_state(1)[0])

    @property
    def config(self) -> JsonObject:
        """The settings that a run records; those of EXCEPTIONS appear only where they are chosen."""
        default = {own.name: own.default for own in fields(self) if own.name in EXCEPTIONS}
        return {name: value for name, value in asdict(self).items() if name not in default or value != default[name]}
