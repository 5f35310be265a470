"""The 1D convolutional network on particle lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xaug.networks.inputs import Inputs
from xaug.networks.parts import dense_head, input_tensors
from xaug.networks.registry import Network, register

if TYPE_CHECKING:
    from keras import KerasTensor, Model

__all__ = ["build"]


def build(inputs: Inputs) -> Model:
    """A tower of convolutions for each column of the list; all towers and the XAUGs are joined behind.

    Reference: arXiv:2011.13466, figure 6.
    """
    from keras import Model, layers

    tensors = input_tensors(inputs)
    joined = [_tower(tensors[name], name) for name in inputs.columns["list"]]
    if "xaug" in tensors:
        joined.append(tensors["xaug"])
    x = layers.Concatenate(name="join")(joined) if len(joined) > 1 else joined[0]
    return Model(list(tensors.values()), dense_head(inputs, x), name="cnn1d")


def _tower(x: KerasTensor, name: str) -> KerasTensor:
    """Two blocks: a convolution over three particles, one over single particles, dropout and max pooling."""
    from keras import layers

    for i, filters in enumerate((64, 32), start=1):
        x = layers.Conv1D(filters, 3, padding="same", activation="relu", name=f"{name}_conv_{i}a")(x)
        x = layers.Conv1D(filters, 1, padding="same", activation="relu", name=f"{name}_conv_{i}b")(x)
        x = layers.Dropout(0.2, name=f"{name}_dropout_{i}")(x)
        x = layers.MaxPooling1D(2, name=f"{name}_pool_{i}")(x)
    return layers.Flatten(name=f"{name}_flatten")(x)


register(
    Network(
        "cnn1d",
        "1D convolutions on the particle list, one tower for each column",
        block="list",
        build=build,
        joins_xaug=True,
        towers=True,
        label="1D CNN",
    )
)
