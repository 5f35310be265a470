"""Multipliers of the rescale rule (DeepLIFT): how much a difference of an input counts in one of the output.

A multiplier m_j of an input x_j with the reference x'_j is such that the contributions m_j (x_j - x'_j) of all inputs
add up to the difference of the output. They go back from layer to layer by a chain rule, which keeps this sum exactly:

- a linear layer hands them on by its transpose;
- a function of one number, y = f(z), multiplies by (y - y') / (z - z'), and by f' where z = z';
- a product multiplies by the mean of the other factor over event and reference, which is its Shapley value;
- a maximum gives a rise to the winner of the event, and a fall to that of the reference;
- any other layer multiplies by its mean gradient on the straight path between its own inputs.

References
----------
A. Shrikumar, P. Greenside, A. Kundaje, ICML (2017), arXiv:1704.02685, section 3 (rescale rule, chain rule);
S. Lundberg, S.-I. Lee, arXiv:1705.07874, section 4.2 (products and maxima); M. Ancona et al., arXiv:1711.06104.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from xaug.explain.propagation.linear_maps import Activate, Tensor

__all__ = [
    "End", "Ends", "Pairing", "along_path", "by_chain_rule", "of_extreme", "products", "slope", "slope_of_halves",
    "slopes",
]  # fmt: skip

NEAR = 1e-5
"""Differences of z below this count as none: the quotient of differences would be rounding."""
STEP = 1e-3
"""Step by which f' is estimated there."""
TINY = 1e-30
"""Added to numbers that may both be zero, so that their quotient is the one that is wanted there."""


@dataclass(frozen=True, eq=False)
class Pairing:
    """How rows of events and rows of references make pairs.

    Attributes
    ----------
    sizes : tuple of tensors, optional
        numbers of events and of references, each of which is paired with each; None: they are paired row by row
    """

    sizes: tuple[Tensor, Tensor] | None = None

    def of_events(self, one: Tensor) -> Tensor:
        """Rows of events, repeated for their pairs."""
        return one if self.sizes is None else tf.repeat(one, self.sizes[1], axis=0)

    def of_references(self, one: Tensor) -> Tensor:
        """Rows of references, repeated for their pairs."""
        return one if self.sizes is None else tf.tile(one, [self.sizes[0], *[1] * (len(one.shape) - 1)])

    def joined(self, function: Callable[[Tensor, Tensor], Tensor], event: Tensor, reference: Tensor) -> Tensor:
        """function(event, reference) of all pairs, element by element, without a copy of the rows for each pair."""
        if self.sizes is None or None in event.shape[1:]:
            return function(self.of_events(event), self.of_references(reference))
        size = int(np.prod(event.shape[1:]))
        found = function(tf.reshape(event, (-1, 1, size)), tf.reshape(reference, (1, -1, size)))
        return tf.reshape(found, (-1, *event.shape[1:]))

    def events_at(self, event: Tensor, places: Tensor) -> Tensor:
        """Values (pairs, k) of rows (events, size) at the places (references, k) of each reference."""
        if self.sizes is None:
            return tf.gather(event, places, batch_dims=1)
        return tf.reshape(tf.gather(event, places, axis=1), (-1, places.shape[1]))

    def references_at(self, reference: Tensor, places: Tensor) -> Tensor:
        """Values (pairs, k) of rows (references, size) at the places (events, k) of each event."""
        if self.sizes is None:
            return tf.gather(reference, places, batch_dims=1)
        found = tf.transpose(tf.gather(reference, places, axis=1), (1, 0, 2))
        return tf.reshape(found, (-1, places.shape[1]))


@dataclass(frozen=True, eq=False)
class End:
    """Inputs, output and record of one layer at events, or at references, each once.

    Attributes
    ----------
    x : list of tensors (rows, ...)
        its inputs
    y : tensor (rows, ...)
        its output
    z : tensor or None
        record of its forward pass, if that is a tensor
    """

    x: list[Tensor]
    y: Tensor
    z: Tensor | None


@dataclass(frozen=True, eq=False)
class Ends:
    """Inputs and outputs of one layer at events and at their references, a pair in each row.

    Attributes
    ----------
    x, start : lists of tensors (pairs, ...)
        its inputs at the event and at the reference
    y, begin : tensors (pairs, ...)
        its output at both
    z, z_begin : tensors or None
        records of its forward passes that are tensors, as the preactivations of linear layers
    masks : list of tensors or None
        masks of its inputs, which are those of the event at both ends
    multiplier : tensor (pairs, ...)
        multipliers of its output
    event, reference : End
        the same before they are repeated for pairs: what depends on one end alone is computed there
    pairing : Pairing
        which of them make pairs
    """

    x: list[Tensor]
    start: list[Tensor]
    y: Tensor
    begin: Tensor
    z: Tensor | None
    z_begin: Tensor | None
    masks: list[Tensor | None]
    multiplier: Tensor
    event: End
    reference: End
    pairing: Pairing


def slope(function: Activate, z: Tensor, z_begin: Tensor, y: Tensor, begin: Tensor) -> Tensor:
    """(y - y') / (z - z') of y = f(z), and the derivative of f where z and z' are the same."""
    difference = z - z_begin
    is_near = tf.abs(difference) < NEAR
    derivative = (function(z + STEP) - function(z - STEP)) / (2 * STEP)
    return tf.where(is_near, derivative, (y - begin) / tf.where(is_near, tf.ones_like(difference), difference))


def slope_of_halves(ends: Ends, z: Tensor, z_begin: Tensor, at_zero: float) -> Tensor:
    """(y - y') / (z - z') of a function that is linear on both sides of zero, as a ReLU: (|y| + |y'|) / (|z| + |z'|).

    Nothing cancels in these sums, so that it is right however near z and z' are; `at_zero` is taken where both are
    zero. They need a quarter of the passes over memory of `slope`.
    """
    above = ends.pairing.joined(tf.add, *(tf.abs(y) + TINY / 2 * at_zero for y in (ends.event.y, ends.reference.y)))
    return above / ends.pairing.joined(tf.add, *(tf.abs(one) + TINY / 2 for one in (z, z_begin)))


def along_path(function: Callable[[list[Tensor]], Tensor], nodes: int, ends: Ends) -> list[Tensor | None]:
    """Mean gradient on the straight path between the inputs of a layer, by Gauss-Legendre quadrature.

    One node is exact for linear layers and products of two, two nodes for products of up to four factors.
    """
    places, weights = np.polynomial.legendre.leggauss(nodes)  # type: ignore[no-untyped-call]  # no types in NumPy
    floating = [i for i, one in enumerate(ends.x) if one.dtype.is_floating]
    found: list[Tensor | None] = [None] * len(ends.x)
    for place, weight in zip((places + 1) / 2, weights / 2, strict=True):
        points = list(ends.x)
        for i in floating:
            points[i] = ends.start[i] + tf.cast(place, ends.x[i].dtype) * (ends.x[i] - ends.start[i])
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([points[i] for i in floating])
            y = function(points)
        gradients = tape.gradient(y, [points[i] for i in floating], tf.cast(ends.multiplier, y.dtype))
        for i, gradient in zip(floating, gradients, strict=True):
            if gradient is not None:
                part = tf.cast(weight, gradient.dtype) * tf.convert_to_tensor(gradient)
                found[i] = part if found[i] is None else found[i] + part
    return found


def of_extreme(function: Callable[[list[Tensor]], Tensor], ends: Ends, is_maximum: bool = True) -> list[Tensor | None]:
    """Multipliers of layers whose outputs are the largest or the smallest of some inputs.

    Where a maximum rises, the winner of the event rises by at least as much; where it falls, that of the reference
    falls by at least as much. So multipliers are at most one.
    """
    rise = ends.y - ends.begin if is_maximum else ends.begin - ends.y
    sign = 1.0 if is_maximum else -1.0
    at_event = _winners(function, ends.x, sign * ends.multiplier * tf.nn.relu(rise))
    at_reference = _winners(function, ends.start, -sign * ends.multiplier * tf.nn.relu(-rise))
    found: list[Tensor | None] = []
    for x, start, one, other in zip(ends.x, ends.start, at_event, at_reference, strict=True):
        known = [part for part in (one, other) if part is not None]
        found.append(tf.math.divide_no_nan(tf.add_n(known), x - start) if known else None)
    return found


def _winners(function: Callable[[list[Tensor]], Tensor], x: list[Tensor], amount: Tensor) -> Sequence[Tensor | None]:
    """The amounts of the outputs at the places of the inputs that they equal."""
    x = [tf.identity(one) for one in x]  # one tensor that is read twice wins twice
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        y = function(x)
    found: Sequence[Tensor | None] = tape.gradient(y, x, tf.cast(amount, y.dtype))
    return found


# Layers that are computed by several steps: events and references, one above the other, go through them -----------


def slopes(function: Activate) -> Activate:
    """The function f for tensors (2 pairs, ...), whose gradient for the events is that of the rescale rule."""

    @tf.custom_gradient  # type: ignore[untyped-decorator]  # no types in TensorFlow
    def through(both: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        y = function(both)

        def gradient(upstream: Tensor) -> Tensor:
            z, z_begin = tf.split(both, 2)
            found = tf.split(upstream, 2)[0] * slope(function, z, z_begin, *tf.split(y, 2))
            return tf.concat([found, tf.zeros_like(found)], 0)

        return y, gradient

    function_of_both: Activate = through
    return function_of_both


def by_chain_rule(function: Callable[[list[Tensor]], Tensor], ends: Ends) -> list[Tensor | None]:
    """Multipliers of the inputs of a layer, from a function that is written with `slopes` and `products`."""
    both = [tf.concat([x, start], 0) for x, start in zip(ends.x, ends.start, strict=True)]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(both)
        y = tf.split(function(both), 2)[0]
    found = tape.gradient(y, both, ends.multiplier)
    return [None if gradient is None else tf.split(gradient, 2)[0] for gradient in found]


@tf.custom_gradient  # type: ignore[untyped-decorator]  # no types in TensorFlow
def products(a: Tensor, b: Tensor) -> tuple[Tensor, Callable[[Tensor], tuple[Tensor, Tensor]]]:
    """a b for tensors (2 pairs, ...) of one shape, whose gradient for the events is that of the rescale rule."""

    def mean(both: Tensor) -> Tensor:
        event, reference = tf.split(both, 2)
        return (event + reference) / 2

    def gradient(upstream: Tensor) -> tuple[Tensor, Tensor]:
        own = tf.split(upstream, 2)[0]
        of_a, of_b = own * mean(b), own * mean(a)
        nothing = tf.zeros_like(own)
        return tf.concat([of_a, nothing], 0), tf.concat([of_b, nothing], 0)

    return a * b, gradient
