"""Layers that move values to other places: relevance goes the way back. They destroy masks, as in Keras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from xaug.core.types import Array
from xaug.explain.propagation.layers.base import (
    Backward,
    KerasLayer,
    Moving,
    Passed,
    Shares,
    Treatment,
    register,
    shape_of,
)
from xaug.explain.propagation.linear_maps import Tensor

__all__ = ["Permute", "Reshape"]


@register("Flatten", "Reshape", innvestigate=None)
@dataclass(frozen=True, eq=False)
class Reshape(Moving):
    """The same values in another shape."""

    shape: tuple[int, ...]
    faster_compiled = True

    @classmethod
    def lower(cls, layer: KerasLayer) -> Reshape:
        return cls(layer, layer.shape)

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[None]:
        return Passed(tf.reshape(x[0], (-1, *self.shape)), None)

    def backward(self, seen: Backward[None], how: Treatment) -> Shares:
        return Shares([tf.reshape(seen.relevance, (-1, *shape_of(seen.x[0])))])

    def move(self, parts: Sequence[Array]) -> Array:
        return parts[0].reshape(self.shape)


@register("Permute")
@dataclass(frozen=True, eq=False)
class Permute(Moving):
    """Axes in another order: axis i of the output is axis order[i] of the input, the event axis being 0."""

    order: tuple[int, ...]

    @classmethod
    def lower(cls, layer: KerasLayer) -> Permute:
        return cls(layer, (0, *(int(axis) for axis in layer.config["dims"])))

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[None]:
        return Passed(tf.transpose(x[0], self.order), None)

    def backward(self, seen: Backward[None], how: Treatment) -> Shares:
        return Shares([tf.transpose(seen.relevance, np.argsort(self.order))])

    def move(self, parts: Sequence[Array]) -> Array:
        return np.transpose(parts[0], np.array(self.order[1:]) - 1)
