"""The 1D convolutional network on particle lists."""

from __future__ import annotations

from keras import Input, Model, layers

from xaug.networks.inputs import Inputs
from xaug.networks.mlp import head

__all__ = ["build"]


def build(inputs: Inputs) -> Model:
    """A tower of convolutions for every column of the list, joined; XAUGs join behind (arXiv:2011.13466, figure 6)."""
    tensors = {name: Input(shape, name=name) for name, shape in inputs.shapes.items()}
    joined = [_tower(tensors[name], name) for name in inputs.columns["list"]]
    if "xaug" in tensors:
        joined.append(tensors["xaug"])
    x = layers.Concatenate(name="join")(joined) if len(joined) > 1 else joined[0]
    return Model(list(tensors.values()), head(x), name="cnn1d")


def _tower(x, name: str):
    """Twice: a convolution over three particles, one over each, dropout, max pooling."""
    for i, filters in enumerate((64, 32), start=1):
        x = layers.Conv1D(filters, 3, padding="same", activation="relu", name=f"{name}_conv_{i}a")(x)
        x = layers.Conv1D(filters, 1, padding="same", activation="relu", name=f"{name}_conv_{i}b")(x)
        x = layers.Dropout(0.2, name=f"{name}_dropout_{i}")(x)
        x = layers.MaxPooling1D(2, name=f"{name}_pool_{i}")(x)
    return layers.Flatten(name=f"{name}_flatten")(x)
