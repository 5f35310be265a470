"""The dense network on event features."""

from __future__ import annotations

from keras import Input, Model, layers

from xaug.networks.inputs import Inputs

__all__ = ["build"]

NORM_MOMENTUM = 0.9
"""Of the running means of BatchNormalization. Keras' 0.99 remembers hundreds of steps: on small samples networks are
then judged, and stopped, by statistics of weights that they no longer have."""


def build(inputs: Inputs) -> Model:
    """Layers of Dense, BatchNorm, swish, Dropout; then softmax. Two of 128 units, unless other sizes are chosen.

    Reference: J. Bardhan et al., Constructing sensible baselines for Integrated Gradients, "Model and training".
    """
    event = Input(inputs.shapes["event"], name="event")
    x = event
    for i in range(1, int(inputs.size("layers")) + 1):
        x = layers.Dense(int(inputs.size("width")), name=f"dense_{i}")(x)
        x = layers.BatchNormalization(momentum=NORM_MOMENTUM, name=f"norm_{i}")(x)
        x = layers.Activation("swish", name=f"swish_{i}")(x)
        x = layers.Dropout(inputs.size("dropout"), name=f"dropout_{i}")(x)
    return Model(event, layers.Dense(2, activation="softmax", name="output")(x), name="event")
