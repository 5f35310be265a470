"""Tokens, which are numbers from 0 on: a vector for each of them, or which of them there are."""

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
from xaug.explain.propagation.linear_maps import Tensor, divided

__all__ = ["Categories", "Embedding"]


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


@register("CategoryEncoding")
@dataclass(frozen=True, eq=False)
class Categories(Layer[None]):
    """A number for each category: 1 for that of the token (`one_hot`), 1 for those of some tokens (`multi_hot`), or how
    many tokens are of it (`count`).

    The one token of a vector gets the relevance of all categories; of several, those of a category get equal parts.
    """

    mode: str
    number: int
    is_keras = False

    @classmethod
    def lower(cls, layer: KerasLayer) -> Categories:
        layer.require("sparse", False, reason="gives a sparse tensor, which has no rule")
        if len(layer.input_shapes) != 1:
            raise layer.error("is given weights of the tokens, which has no rule")
        return cls(layer, str(layer.config["output_mode"]), int(layer.config["num_tokens"]))

    def _categories(self, x: Tensor, dtype: tf.DType) -> Tensor:
        """1 where a token (n, ..., tokens) is of a category (n, ..., tokens, categories)."""
        return tf.one_hot(tf.cast(x, tf.int32), self.number, dtype=dtype)

    @property
    def _is_one(self) -> bool:
        """Whether a vector has one token, without an axis for it."""
        return self.mode == "one_hot" and self.source.input_shapes[0][-1:] != (1,)

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[None]:
        found = self._categories(x[0], x[0].dtype if x[0].dtype.is_floating else tf.float32)
        if self._is_one:
            return Passed(found, None)
        return Passed((tf.reduce_sum if self.mode == "count" else tf.reduce_max)(found, axis=-2), None)

    def backward(self, seen: Backward[None], how: Treatment) -> Shares:
        if self.mode == "one_hot":
            return Shares([tf.reshape(tf.reduce_sum(seen.relevance, axis=-1), tf.shape(seen.x[0]))])
        found = self._categories(seen.x[0], seen.relevance.dtype)
        share = divided(seen.relevance, tf.reduce_sum(found, axis=-2))  # of each token of a category
        return Shares([tf.reduce_sum(found * share[..., None, :], axis=-1)])

    def never_negative(self, inputs: Sequence[bool]) -> bool:
        return True
