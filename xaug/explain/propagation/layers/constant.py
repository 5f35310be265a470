"""Tensors that depend on the shapes of the inputs alone, such as the numbers of positions."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from xaug.core.types import Array
from xaug.explain.propagation.layers.base import Backward, KerasLayer, Layer, Passed, Shares, Treatment, register
from xaug.explain.propagation.linear_maps import Tensor

__all__ = ["Constant"]


@register("Constant")
@dataclass(frozen=True, eq=False)
class Constant(Layer[None]):
    """One value for all events, without the event axis. Like a bias it has relevance that no input gets.

    Attributes
    ----------
    value : array
    """

    value: Array
    is_keras = False

    @classmethod
    def lower(cls, layer: KerasLayer) -> Constant:
        return cls(layer, layer.weights[0])

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[None]:
        return Passed(tf.constant(self.value), None)

    def backward(self, seen: Backward[None], how: Treatment) -> Shares:
        return Shares([])
