"""The recurrent network on particle lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xaug.data.variables import PADDING
from xaug.networks.inputs import Inputs
from xaug.networks.parts import input_tensors, output_layer
from xaug.networks.registry import Network, TrainingDefaults, register

if TYPE_CHECKING:
    from keras import Model

__all__ = ["build"]


def build(inputs: Inputs) -> Model:
    """Three GRUs and a dense layer; XAUGs join just before the output (arXiv:2011.13466, figure 7).

    With the six columns and four XAUGs of the toy model the network has 248,938 trainable parameters, as the paper
    says. The network skips padded particles, where a list can have them.
    """
    from keras import Model, layers

    tensors = input_tensors(inputs)
    x = tensors["list"]
    if inputs.rows_per_step > 1:
        rows, columns = inputs.shapes["list"]
        x = layers.Reshape((rows // inputs.rows_per_step, columns * inputs.rows_per_step), name="steps")(x)
    if inputs.is_padded:
        x = layers.Masking(PADDING, name="mask")(x)
    # The paper's number of parameters holds for GRUs with one vector of biases, as before Keras 2.3.
    x = layers.GRU(128, return_sequences=True, reset_after=False, name="gru_1")(x)
    x = layers.GRU(128, return_sequences=True, reset_after=False, name="gru_2")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.GRU(32, return_sequences=True, reset_after=False, name="gru_3")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(256, activation="relu", name="dense")(x)
    if "xaug" in tensors:
        x = layers.Concatenate(name="join")([x, tensors["xaug"]])
    return Model(list(tensors.values()), output_layer(inputs, x), name="rnn")


register(
    Network(
        "rnn",
        "recurrent network (GRU) on the particle list",
        block="list",
        build=build,
        joins_xaug=True,
        reads_steps=True,
        list_columns=("log_pt", "delta_eta", "delta_phi"),
        label="recurrent network",
        defaults=TrainingDefaults(
            batch_size=256,  # the time of a training grows with its steps, hardly with the jets in each of them
            learning_rate=3e-3,  # XAUGs reach the output through one layer, whose weights have far to go
            clipnorm=1.0,
            recalibrate_batchnorm=True,
        ),
    )
)
