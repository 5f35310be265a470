"""Operations without weights, whatever they compute: how their relevance is shared depends on their kind alone.

The shares of a linear operation y = f(x_1, x_2, ...) need no formula of their own: the transpose of f is its
vector-Jacobian product, which TensorFlow has.

References
----------
S. Bach et al., PLOS ONE 10 (2015) e0130140, equation 56 (linear); L. Arras et al., arXiv:1706.07206 (gates);
R. Achtibat et al., arXiv:2402.05602, propositions 3.3 and 3.4 (products of signals, quotients).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

import tensorflow as tf

from xaug.explain.propagation.layers.base import (
    Backward,
    Layer,
    Passed,
    Shares,
    Treatment,
)
from xaug.explain.propagation.linear_maps import Tensor, divided
from xaug.explain.propagation.multipliers import Ends, of_extreme, slope
from xaug.networks.keras_versions import joined_masks

__all__ = ["Operation", "Share", "summed_to"]


class Share(str, Enum):
    """How an operation shares its relevance R among its inputs.

    MOVED: each element of y is an element of an input, which gets its R. LINEAR: x_j df/dx_j R / y, for sums with any
    factors, and other functions that grow in proportion to their inputs, such as a norm (by Euler's theorem these
    shares add up). SQUARE: half of that, for functions that grow with their square, such as a variance. PRODUCT: as
    LINEAR, with equal parts for all factors that are signals and nothing for gates. FACTORS: equal parts for all
    elements of one input that are multiplied. UNCHANGED: y_j is a function of x_j alone, which gets all of it. EQUAL:
    y_j is a function of one element of each input, which get equal parts, such as an angle of two components. VECTOR:
    each element of x has numbers of y of its own, and gets the sum of theirs, as a token does.
    NUMERATOR: as LINEAR, by the first input alone; the others are a scale. NOTHING: no input gets anything, as of a
    comparison.
    """

    MOVED = "moved"
    LINEAR = "linear"
    SQUARE = "square"
    PRODUCT = "product"
    FACTORS = "factors"
    UNCHANGED = "unchanged"
    EQUAL = "equal"
    VECTOR = "vector"
    NUMERATOR = "numerator"
    NOTHING = "nothing"


ARITHMETIC = (Share.LINEAR, Share.SQUARE, Share.PRODUCT, Share.FACTORS, Share.NUMERATOR, Share.EQUAL)
"""Shares that need a gradient or a quotient, which integers do not have."""


@dataclass(frozen=True, eq=False)
class Operation(Layer[None]):
    """y = f(x_1, x_2, ...).

    Attributes
    ----------
    function : callable
        f, of a list of tensors
    share : Share
        how relevance is shared
    sign : callable
        whether y is never negative, from which inputs are never negative
    """

    function: Callable[[list[Tensor]], Tensor]
    share: Share
    sign: Callable[[Sequence[bool]], bool] = lambda inputs: False
    is_keras = False

    @property
    def moves(self) -> bool:  # type: ignore[override]  # constant for other classes
        """Whether each output is one of the inputs."""
        return self.share is Share.MOVED and len(self.source.input_shapes) == 1

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[None]:
        return Passed(self.function(x), None)

    def backward(self, seen: Backward[None], how: Treatment) -> Shares:
        x, relevance = seen.x, seen.relevance
        if not seen.y.shape.rank:  # a number of steps
            return Shares([None] * len(x))
        of_integers = not seen.y.dtype.is_floating and self.share in ARITHMETIC
        if of_integers and len(x) == 1 and relevance.shape[1:] == x[0].shape[1:]:
            return Shares([relevance])  # tokens made of tokens, one of each
        if of_integers or self.share is Share.NOTHING:
            lost = tf.reduce_sum(relevance, tuple(range(1, len(relevance.shape))))
            return Shares([None] * len(x), lost)
        if self.share is Share.UNCHANGED:
            return Shares([summed_to(x[0], relevance), *[None] * (len(x) - 1)])
        if self.share is Share.VECTOR:
            by_element = tf.reshape(relevance, tf.concat([tf.shape(x[0]), [-1]], axis=0))
            return Shares([tf.reduce_sum(by_element, axis=-1)])
        if self.share is Share.EQUAL:
            return Shares([summed_to(one, relevance / len(x)) for one in x])
        if self.share is Share.MOVED:
            return Shares(self._moved_back(x, seen.y, relevance))
        found = self._gradients(x, divided(relevance, seen.y))
        shares = [None if g is None else own * g for own, g in zip(x, found, strict=True)]
        if self.share is Share.NUMERATOR:
            return Shares([shares[0], *[None] * (len(x) - 1)])
        if self.share in (Share.SQUARE, Share.FACTORS):
            number = 2 if self.share is Share.SQUARE else tf.cast(tf.size(x[0]) / tf.size(seen.y), relevance.dtype)
            return Shares([None if s is None else s / number for s in shares])
        return Shares(self._factors(shares, how) if self.share is Share.PRODUCT else shares)

    def _moved_back(self, x: list[Tensor], y: Tensor, relevance: Tensor) -> list[Tensor | None]:
        """Relevance moved back to where it came from; of integers, such as tokens cut out of a list, by numbers."""
        if y.dtype.is_floating:
            return self._gradients(x, relevance)
        if len(x) > 1:
            return [None] * len(x)
        if y.dtype != x[0].dtype:  # a cast
            return [relevance]
        return self._gradients([tf.cast(x[0], relevance.dtype)], relevance)

    def _factors(self, shares: list[Tensor | None], how: Treatment) -> list[Tensor | None]:
        """Shares of a product, which are alike for each factor: equal parts for the signals, nothing for gates."""
        gates = how.gates if how.gates and not all(how.gates) else (False,) * len(shares)
        number = sum(s is not None and not gate for s, gate in zip(shares, gates, strict=True))
        return [None if gate or s is None else s / number for s, gate in zip(shares, gates, strict=True)]

    def _gradients(self, x: list[Tensor], factors: Tensor) -> list[Tensor | None]:
        """The sum over outputs k of dy_k/dx_j factor_k; None for inputs without a gradient."""
        x = [tf.identity(one) for one in x]  # one tensor that is read twice has two shares
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([one for one in x if one.dtype.is_floating])
            y = self.function(x)
        found: list[Tensor | None] = tape.gradient(y, x, tf.cast(factors, y.dtype))
        return [None if g is None else tf.convert_to_tensor(g) for g in found]

    @property
    def path_nodes(self) -> int:  # type: ignore[override]  # constant for other classes
        """Nodes of the quadrature of its mean gradient."""
        return {Share.LINEAR: 1, Share.MOVED: 1, Share.SQUARE: 1, Share.PRODUCT: 2}.get(self.share, 16)

    def multipliers(self, ends: Ends, how: Treatment) -> Sequence[Tensor | None]:
        x, start = ends.x, ends.start
        if self.share is Share.NOTHING:
            return [None] * len(x)
        if self.extreme is not None:
            return of_extreme(self.function, ends, self.extreme)
        if self.is_elementwise and len(x) == 1 and x[0].dtype.is_floating and x[0].shape == ends.y.shape:
            return [ends.multiplier * slope(lambda z: self.function([z]), x[0], start[0], ends.y, ends.begin)]
        return super().multipliers(ends, how)

    @property
    def extreme(self) -> bool | None:
        """Whether each output is the largest (True) or the smallest (False) of some inputs; None if it is neither."""
        return None

    @property
    def is_elementwise(self) -> bool:
        """Whether each output is a function of one element of the first input."""
        return self.share is Share.UNCHANGED

    def mask(self, x: list[Tensor], masks: list[Tensor | None]) -> Tensor | None:
        return joined_masks(masks) if self.source.passes_mask else None

    def never_negative(self, inputs: Sequence[bool]) -> bool:
        return self.sign(inputs)

    def is_gate(self, inputs: Sequence[bool]) -> bool:
        return self.share is Share.NOTHING or all(inputs)


def summed_to(x: Tensor, relevance: Tensor) -> Tensor:
    """Relevance (n, ...) of elements that an input was repeated to, summed over the repetitions."""
    if relevance.shape[1:] == x.shape[1:]:
        return relevance
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        ones = tf.ones_like(x, relevance.dtype)
        tape.watch(ones)
        repeated = tf.broadcast_to(ones, tf.shape(relevance))
    return tape.gradient(repeated, ones, relevance)
