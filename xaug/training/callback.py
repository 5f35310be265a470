"""The callback of a Keras training: it keeps the best weights, halves the learning rate, stops and reports."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from xaug.core.errors import ModelError
from xaug.core.types import Array, Arrays
from xaug.core.workers import Report
from xaug.training.batchnorm import recalibrate_batchnorm
from xaug.training.config import TrainingConfig

__all__ = ["KeepBest"]


class KeepBest(keras.callbacks.Callback):  # type: ignore[misc]  # Keras 2 has no types
    """Keep the weights of the least validation loss, halve the learning rate, stop, and report each validation.

    Keras calls the time between two validations an epoch. In a training by steps this is `config.check_every` steps,
    or fewer at the end.

    Parameters
    ----------
    training : int
        number of the training, for messages
    config : TrainingConfig
        length and patience of the training
    report : Report
        called with `done`, the epochs or steps since the last call, and `loss` after each validation
    sample : dict of arrays, optional
        training inputs with which BatchNormalization is recalibrated before each validation; default: it is not
    """

    _supports_tf_logs = True
    """Keras need not copy the loss of each step to the host for `on_train_batch_end`, which does not read it."""

    def __init__(self, training: int, config: TrainingConfig, report: Report, sample: Arrays | None = None) -> None:
        super().__init__()
        self.training = training
        self.config = config
        self.report = report
        self.sample = sample
        self.steps = 0
        self.checked_at: list[int] = []
        """Number of steps before each validation."""
        self.best_loss = np.inf
        self.best_weights: list[Array] | None = None
        self.best_check = 0
        self.rates: list[float] = []
        """Learning rate before each validation."""
        self.halved_at = 0
        """Epochs or steps before the learning rate was last halved."""

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Count the steps, and end the training after the last one; Keras validates it then."""
        self.steps += 1
        if self.steps == self.config.steps:
            self.model.stop_training = True

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Recalibrate BatchNormalization before a validation."""
        if self.sample is not None:
            recalibrate_batchnorm(self.model, self.sample)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Compare the validation loss with the best one."""
        loss = float((logs or {})["val_loss"])
        if not np.isfinite(loss):
            raise ModelError(f"training {self.training}: the validation loss is {loss}; lower --learning-rate")
        self.checked_at.append(self.steps)
        self.rates.append(float(self.model.optimizer.learning_rate))
        if loss < self.best_loss:
            self.best_loss, self.best_weights, self.best_check = loss, self.model.get_weights(), epoch
        by_steps = self.config.steps is not None
        counts = self.checked_at if by_steps else range(1, epoch + 2)
        best_at = counts[self.best_check]
        self.model.stop_training |= counts[epoch] - best_at >= (self.config.patience or 0)
        halve_after = self.config.halve_after
        if halve_after is not None and counts[epoch] - max(best_at, self.halved_at) >= halve_after:
            self.model.optimizer.learning_rate.assign(self.model.optimizer.learning_rate / 2)
            self.halved_at = counts[epoch]
        self.report(done=counts[epoch] - (counts[epoch - 1] if epoch else 0), loss=loss)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Give the model its best weights."""
        self.model.set_weights(self.best_weights)
