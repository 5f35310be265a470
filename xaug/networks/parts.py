"""Parts that several networks share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xaug.networks.inputs import Inputs

if TYPE_CHECKING:
    from keras import KerasTensor

__all__ = ["dense_head", "input_tensors", "output_layer"]


def input_tensors(inputs: Inputs) -> dict[str, KerasTensor]:
    """A Keras input for each input of the network, by name."""
    from keras import Input

    return {name: Input(shape, name=name) for name, shape in inputs.shapes.items()}


def output_layer(inputs: Inputs, x: KerasTensor) -> KerasTensor:
    """The output of a softmax over the classes: (background, signal) where there are two."""
    from keras import layers

    return layers.Dense(inputs.outputs, activation="softmax", name="output")(x)


def dense_head(inputs: Inputs, x: KerasTensor) -> KerasTensor:
    """The output of Dense 64, Dense 128 (ReLU) and a softmax over the classes.

    All networks of arXiv:2011.13466 but the recurrent one end in these layers.
    """
    from keras import layers

    x = layers.Dense(64, activation="relu", name="dense_1")(x)
    x = layers.Dense(128, activation="relu", name="dense_2")(x)
    return output_layer(inputs, x)
