"""The dense network on event features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xaug.networks.inputs import Inputs
from xaug.networks.parts import input_tensors, output_layer
from xaug.networks.registry import Network, Size, TrainingDefaults, register

if TYPE_CHECKING:
    from keras import Model

__all__ = ["build"]

NORM_MOMENTUM = 0.9
"""Momentum of the running means of BatchNormalization. With 0.99, Keras' default, they average over hundreds of steps:
on small samples a network is then judged, and its training stopped, by the statistics of weights that it no longer
has."""


def build(inputs: Inputs) -> Model:
    """Layers of Dense, BatchNormalization, swish and Dropout, then a softmax; by default two of 128 units.

    Reference: J. Bardhan et al., Constructing sensible baselines for Integrated Gradients, "Model and training".
    """
    from keras import Model, layers

    event = input_tensors(inputs)["event"]
    x = event
    for i in range(1, int(inputs.sizes["layers"]) + 1):
        x = layers.Dense(int(inputs.sizes["width"]), name=f"dense_{i}")(x)
        x = layers.BatchNormalization(momentum=NORM_MOMENTUM, name=f"norm_{i}")(x)
        x = layers.Activation("swish", name=f"swish_{i}")(x)
        x = layers.Dropout(inputs.sizes["dropout"], name=f"dropout_{i}")(x)
    return Model(event, output_layer(inputs, x), name="event")


register(
    Network(
        "event",
        "dense network on event features",
        block="event",
        build=build,
        label="dense network",
        defaults=TrainingDefaults(weight_decay=1e-4),
        sizes={
            "layers": Size(2, "number of Dense layers"),
            "width": Size(128, "units of each Dense layer"),
            "dropout": Size(0.2, "share of the units that each step of the training leaves out", minimum=0, below=1),
        },
    )
)
