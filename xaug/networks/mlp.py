"""The dense network on expert variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xaug.networks.inputs import Inputs
from xaug.networks.parts import dense_head, input_tensors
from xaug.networks.registry import Network, register

if TYPE_CHECKING:
    from keras import Model

__all__ = ["build"]


def build(inputs: Inputs) -> Model:
    """XAUG -> Dense 64 -> Dense 128 -> softmax (arXiv:2011.13466, section 5.3, "XAUGs only")."""
    from keras import Model

    xaug = input_tensors(inputs)["xaug"]
    return Model(xaug, dense_head(inputs, xaug), name="mlp")


register(
    Network("mlp", "dense network on expert variables (XAUGs) alone", block="xaug", build=build, label="dense network")
)
