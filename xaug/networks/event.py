"""The dense network on event features."""

from __future__ import annotations

from keras import Input, Model, layers

from xaug.networks import NORM_MOMENTUM, Inputs

__all__ = ["build"]


def build(inputs: Inputs) -> Model:
    """Twice Dense 128, BatchNorm, swish, Dropout 0.2; then softmax.

    Reference: J. Bardhan et al., Constructing sensible baselines for Integrated Gradients, "Model and training".
    """
    event = Input(inputs.shapes["event"], name="event")
    x = event
    for i in (1, 2):
        x = layers.Dense(128, name=f"dense_{i}")(x)
        x = layers.BatchNormalization(momentum=NORM_MOMENTUM, name=f"norm_{i}")(x)
        x = layers.Activation("swish", name=f"swish_{i}")(x)
        x = layers.Dropout(0.2, name=f"dropout_{i}")(x)
    return Model(event, layers.Dense(2, activation="softmax", name="output")(x), name="event")
