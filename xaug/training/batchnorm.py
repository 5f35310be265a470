"""Give BatchNormalization the statistics of the training sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xaug.core.types import Arrays
from xaug.training.sample import ScaledSample

if TYPE_CHECKING:
    from keras import Model

__all__ = ["RECALIBRATION_ROWS", "recalibrate_batchnorm", "recalibration_sample"]

RECALIBRATION_ROWS = 2048
"""Number of training rows from which `recalibrate_batchnorm` takes its statistics."""


def recalibration_sample(sample: ScaledSample) -> Arrays:
    """Inputs for `recalibrate_batchnorm`: of all rows of a sample, or of RECALIBRATION_ROWS evenly spread ones."""
    n = len(sample)
    return sample.read(np.linspace(0, n - 1, min(n, RECALIBRATION_ROWS)).astype(int))


def recalibrate_batchnorm(model: Model, x: Arrays) -> None:
    """Set each BatchNormalization's mean and variance to those of its inputs over the events x, with current weights.

    By algorithm 2 of the reference, the statistics at inference are those of the population. The running means that
    Keras uses in their place lag about ten steps behind. The outputs of a GRU vary by 0.01 around means ten times as
    large, and these means move in ten steps by as much as the outputs vary. With running means the network would be
    judged, and kept, by statistics that it does not have.

    References
    ----------
    S. Ioffe, C. Szegedy, Batch Normalization, arXiv:1502.03167, algorithm 2.
    """
    import keras

    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0  # with it, new statistics replace the old ones
    model(x, training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
