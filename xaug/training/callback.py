"""Callbacks of a Keras training: they keep the best weights, stop early, and report progress."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from xaug.core.errors import ModelError
from xaug.core.types import Array, Arrays
from xaug.core.workers import Report
from xaug.training.batchnorm import recalibrate_batchnorm

__all__ = ["KeepBest"]


class KeepBest(keras.callbacks.Callback):  # type: ignore[misc]  # Keras 2 has no types
    """Keep the weights of the least validation loss, stop early, and report each epoch.

    Parameters
    ----------
    training : int
        number of the training, for messages
    patience : int
        epochs without a better validation loss after which the training stops
    report : Report
        called with `epochs` and `loss` after each epoch
    sample : dict of arrays, optional
        training inputs with which BatchNormalization is recalibrated before each validation; default: it is not
    """

    def __init__(self, training: int, patience: int, report: Report, sample: Arrays | None = None) -> None:
        super().__init__()
        self.training = training
        self.patience = patience
        self.report = report
        self.sample = sample
        self.best_loss = np.inf
        self.best_weights: list[Array] | None = None
        self.epochs_since_best = 0

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Recalibrate BatchNormalization before the validation of an epoch."""
        if self.sample is not None:
            recalibrate_batchnorm(self.model, self.sample)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Compare the validation loss with the best one."""
        loss = float((logs or {})["val_loss"])
        if not np.isfinite(loss):
            raise ModelError(f"training {self.training}: the validation loss is {loss}; lower --learning-rate")
        self.epochs_since_best += 1
        if loss < self.best_loss:
            self.best_loss, self.best_weights, self.epochs_since_best = loss, self.model.get_weights(), 0
        self.model.stop_training = self.epochs_since_best >= self.patience
        self.report(epochs=1, loss=loss)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Give the model its best weights."""
        self.model.set_weights(self.best_weights)
