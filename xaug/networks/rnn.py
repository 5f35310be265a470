"""The recurrent network on particle lists."""

from __future__ import annotations

from keras import Input, Model, layers

from xaug.data.variables import PADDING
from xaug.networks.inputs import Inputs

__all__ = ["build"]


def build(inputs: Inputs) -> Model:
    """Three GRUs and a dense layer; XAUGs join just before the output (arXiv:2011.13466, figure 7).

    With the toy model's six columns and four XAUGs it has 248,938 trainable parameters, as the paper says.
    Padded particles are skipped, where a list can have them.
    """
    tensors = {name: Input(shape, name=name) for name, shape in inputs.shapes.items()}
    x = tensors["list"]
    if inputs.rows_per_step > 1:
        rows, columns = inputs.shapes["list"]
        x = layers.Reshape((rows // inputs.rows_per_step, columns * inputs.rows_per_step), name="steps")(x)
    if inputs.is_padded:
        x = layers.Masking(PADDING, name="mask")(x)
    # the paper's parameter count is that of biases of one vector, as before Keras 2.3
    x = layers.GRU(128, return_sequences=True, reset_after=False, name="gru_1")(x)
    x = layers.GRU(128, return_sequences=True, reset_after=False, name="gru_2")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.GRU(32, return_sequences=True, reset_after=False, name="gru_3")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(256, activation="relu", name="dense")(x)
    if "xaug" in tensors:
        x = layers.Concatenate(name="join")([x, tensors["xaug"]])
    return Model(list(tensors.values()), layers.Dense(2, activation="softmax", name="output")(x), name="rnn")
