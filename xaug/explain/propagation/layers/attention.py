"""The parts of attention: products of queries and keys, the softmax over places, and the mean of values.

References
----------
R. Achtibat et al., AttnLRP: Attention-aware layer-wise relevance propagation for transformers, ICML (2024),
arXiv:2402.05602: equal parts for both factors of a product (proposition 3.3), Taylor expansion of the softmax (3.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from xaug.explain.propagation.layers.base import Backward, KerasLayer, Layer, Passed, Shares, Treatment, register
from xaug.explain.propagation.layers.operation import Operation, Share
from xaug.explain.propagation.layers.softmax import Softmax, without
from xaug.explain.propagation.linear_maps import Tensor

__all__ = ["AttentionProduct", "AttentionSoftmax"]

EQUATIONS = {"AttentionScores": "nqhd,nkhd->nhqk", "AttentionMean": "nhqk,nkhd->nqhd"}
"""Products of two tensors: events n, heads h, places q of queries and k of keys, features d."""


@register("AttentionScores", "AttentionMean")
@dataclass(frozen=True, eq=False)
class AttentionProduct(Operation):
    """A product of two signals, summed over one axis; each gets half of the relevance, by its contributions."""

    @classmethod
    def lower(cls, layer: KerasLayer) -> AttentionProduct:
        equation, scale = EQUATIONS[layer.kind], float(layer.config.get("scale", 1.0))

        def compute(x: list[Tensor]) -> Tensor:
            return tf.einsum(equation, x[0], x[1]) * tf.cast(scale, x[0].dtype)

        return cls(layer, compute, Share.PRODUCT)

    def _factors(self, shares: list[Tensor | None], how: Treatment) -> list[Tensor | None]:
        return [None if share is None else share / 2 for share in shares]


@register("AttentionSoftmax")
@dataclass(frozen=True, eq=False)
class AttentionSoftmax(Layer[Tensor | None]):
    """The softmax of scores over the places of the keys, without those that a mask excludes.

    Its inputs are the scores; the queries and the values, for their masks; and a mask of pairs, if one was given.
    """

    causal: bool
    has_pairs: bool

    @classmethod
    def lower(cls, layer: KerasLayer) -> AttentionSoftmax:
        return cls(layer, bool(layer.config["causal"]), bool(layer.config["attention_mask"]))

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[Tensor | None]:
        scores, allowed = x[0], None
        real_queries, real_keys = masks[1], masks[2]
        for one in (
            None if real_queries is None else real_queries[:, None, :, None],
            None if real_keys is None else real_keys[:, None, None, :],
            self._pairs(x[3]) if self.has_pairs else None,
            tf.linalg.band_part(tf.ones(scores.shape[-2:], bool), -1, 0)[None, None] if self.causal else None,
        ):
            if one is not None:
                allowed = one if allowed is None else tf.logical_and(allowed, one)
        allowed = None if allowed is None else tf.broadcast_to(allowed, tf.shape(scores))
        return Passed(tf.nn.softmax(without(scores, allowed)), allowed)

    def _pairs(self, mask: Tensor) -> Tensor:
        """The mask (n, queries, keys), or (n, heads, queries, keys)."""
        mask = tf.cast(mask, tf.bool)
        return mask if len(mask.shape) == 4 else mask[:, None]

    def backward(self, seen: Backward[Tensor | None], how: Treatment) -> Shares:
        found = Softmax(self.source, (-1,)).backward(seen, how)
        return Shares([*found.inputs, *[None] * (len(seen.x) - 1)], found.elsewhere)
