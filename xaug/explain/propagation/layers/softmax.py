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

__all__ = ["Softmax", "without"]

LOW = -1e9
"""Score of padded places. Keras adds it in float32, where nothing is left of the score itself."""


def without(scores: Tensor, allowed: Tensor | None) -> Tensor:
    """Scores in which those of places that are not allowed are so low that they count only where no place is."""
    return scores if allowed is None else tf.where(allowed, scores, tf.cast(LOW, scores.dtype))


@register("Softmax")
@dataclass(frozen=True, eq=False)
class Softmax(Layer[Tensor | None]):
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

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[Tensor | None]:
        scores, mask = x[0], masks[0]
        if mask is not None:
            mask = tf.reshape(mask, tf.concat([tf.shape(mask), [1] * (len(scores.shape) - len(mask.shape))], 0))
            mask = tf.broadcast_to(tf.cast(mask, tf.bool), tf.shape(scores))
        scores = without(scores, mask)
        return Passed(tf.exp(scores - tf.reduce_logsumexp(scores, self.axes, keepdims=True)), mask)

    def backward(self, seen: Backward[Tensor | None], how: Treatment) -> Shares:
        relevance, allowed = seen.relevance, seen.record
        share = seen.x[0] * (relevance - seen.y * tf.reduce_sum(relevance, self.axes, keepdims=True))
        share = share if allowed is None else tf.where(allowed, share, tf.zeros_like(share))
        return Shares([share], tf.reduce_sum(relevance - share, tuple(range(1, len(relevance.shape)))))

    def mask(self, x: list[Tensor], masks: list[Tensor | None]) -> Tensor | None:
        return masks[0]

    def never_negative(self, inputs: Sequence[bool]) -> bool:
        return True
