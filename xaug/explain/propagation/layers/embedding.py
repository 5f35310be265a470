"""Embedding: a vector for each token, which is a number from 0 on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf

from xaug.core.types import Array
from xaug.explain.propagation.layers.base import (
    Backward,
    KerasLayer,
    Layer,
    Passed,
    Shares,
    Treatment,
    register,
    shape_of,
)
from xaug.explain.propagation.linear_maps import Tensor

__all__ = ["Embedding"]


@register("Embedding")
@dataclass(frozen=True, eq=False)
class Embedding(Layer[None]):
    """The vector of each token; the token gets the sum of the relevance of its vector's elements."""

    vectors: Array
    zero_is_padding: bool

    @classmethod
    def lower(cls, layer: KerasLayer) -> Embedding:
        return cls(layer, layer.weights[0], bool(layer.config.get("mask_zero", False)))

    @property
    def weights(self) -> tuple[Array, ...]:
        return (self.vectors,)

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[None]:
        dtype = x[0].dtype if x[0].dtype.is_floating else tf.float32
        return Passed(tf.gather(tf.constant(self.vectors, dtype), tf.cast(x[0], tf.int32)), None)

    def backward(self, seen: Backward[None], how: Treatment) -> Shares:
        share = tf.reduce_sum(seen.relevance, axis=-1)
        return Shares([tf.reshape(share, (-1, *shape_of(seen.x[0])))])

    def mask(self, x: list[Tensor], masks: list[Tensor | None]) -> Tensor | None:
        return tf.not_equal(x[0], 0) if self.zero_is_padding else None

    def never_negative(self, inputs: Sequence[bool]) -> bool:
        return bool((self.vectors >= 0).all())
