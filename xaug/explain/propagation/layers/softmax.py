"""A softmax inside a network, as in attention: its relevance follows its Taylor expansion.

References
----------
R. Achtibat et al., AttnLRP: Attention-aware layer-wise relevance propagation for transformers, ICML (2024),
arXiv:2402.05602, proposition 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from xaug.explain.propagation.layers.base import Backward, KerasLayer, Layer, Passed, Shares, Treatment, register
from xaug.explain.propagation.linear_maps import Tensor

__all__ = ["Softmax"]

LOW = -1e9
"""Added to the scores of padded places, as Keras does."""


@register("Softmax")
@dataclass(frozen=True, eq=False)
class Softmax(Layer[None]):
    """s_i = exp(x_i) / sum_j exp(x_j); R(x_i) = x_i (R(s_i) - s_i sum_j R(s_j)).

    These shares add up to less or more than what the softmax received: the rest is the constant of the expansion, and
    goes to no input. A mask of places that was given with the scores excludes them.

    Attributes
    ----------
    axes : tuple of int
        axes, with that of the events, along which the numbers add up to one
    """

    axes: tuple[int, ...]

    @classmethod
    def lower(cls, layer: KerasLayer) -> Softmax:
        return cls(layer, tuple(int(axis) for axis in np.atleast_1d(layer.config.get("axis", -1))))

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[None]:
        scores = x[0]
        if masks[0] is not None:
            mask = masks[0]
            mask = tf.reshape(mask, tf.concat([tf.shape(mask), [1] * (len(scores.shape) - len(mask.shape))], 0))
            scores = scores + (1 - tf.cast(mask, scores.dtype)) * LOW
        return Passed(tf.exp(scores - tf.reduce_logsumexp(scores, self.axes, keepdims=True)), None)

    def backward(self, seen: Backward[None], how: Treatment) -> Shares:
        relevance = seen.relevance
        share = seen.x[0] * (relevance - seen.y * tf.reduce_sum(relevance, self.axes, keepdims=True))
        return Shares([share], tf.reduce_sum(relevance - share, tuple(range(1, len(relevance.shape)))))

    def mask(self, x: list[Tensor], masks: list[Tensor | None]) -> Tensor | None:
        return masks[0]

    def never_negative(self, inputs: Sequence[bool]) -> bool:
        return True
