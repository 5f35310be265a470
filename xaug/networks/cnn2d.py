"""The 2D convolutional network on jet images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xaug.networks.inputs import Inputs
from xaug.networks.parts import dense_head, input_tensors
from xaug.networks.registry import Network, register

if TYPE_CHECKING:
    from keras import Model

__all__ = ["build"]


def build(inputs: Inputs) -> Model:
    """Three convolutions, dropout and max pooling; XAUGs join after Flatten (arXiv:2011.13466, figure 5).

    With the four XAUGs of the toy model the network has 154,178 trainable parameters, as the paper says.
    """
    from keras import Model, layers

    tensors = input_tensors(inputs)
    x = layers.Conv2D(32, 5, padding="same", activation="relu", name="conv_1")(tensors["image"])
    x = layers.Conv2D(32, 3, padding="same", activation="relu", name="conv_2")(x)
    x = layers.Conv2D(32, 2, padding="same", activation="relu", name="conv_3")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = layers.Flatten(name="flatten")(x)
    if "xaug" in tensors:
        x = layers.Concatenate(name="join")([x, tensors["xaug"]])
    return Model(list(tensors.values()), dense_head(inputs, x), name="cnn2d")


register(Network("cnn2d", "2D convolutions on jet images", block="image", build=build, joins_xaug=True, label="2D CNN"))
