"""The dense network on expert variables, and the head that all networks of arXiv:2011.13466 end in."""

from __future__ import annotations

from keras import Input, Model, layers

from xaug.networks.inputs import Inputs

__all__ = ["build", "head"]


def head(x):
    """Dense 64, Dense 128 (ReLU), softmax over (background, signal)."""
    x = layers.Dense(64, activation="relu", name="dense_1")(x)
    x = layers.Dense(128, activation="relu", name="dense_2")(x)
    return layers.Dense(2, activation="softmax", name="output")(x)


def build(inputs: Inputs) -> Model:
    """XAUG -> Dense 64 -> Dense 128 -> softmax (arXiv:2011.13466, section 5.3, "XAUGs only")."""
    xaug = Input(inputs.shapes["xaug"], name="xaug")
    return Model(xaug, head(xaug), name="mlp")
