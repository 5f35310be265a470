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

__all__ = ["Ends", "along_path", "by_chain_rule", "of_extreme", "products", "slope", "slopes"]

NEAR = 1e-5
"""Differences of z below this count as none: the quotient of differences would be rounding."""
STEP = 1e-3
"""Step by which f' is estimated there."""


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
    """

    x: list[Tensor]
    start: list[Tensor]
    y: Tensor
    begin: Tensor
    z: Tensor | None
    z_begin: Tensor | None
    masks: list[Tensor | None]
    multiplier: Tensor


def slope(function: Activate, z: Tensor, z_begin: Tensor, y: Tensor, begin: Tensor) -> Tensor:
    """(y - y') / (z - z') of y = f(z), and the derivative of f where z and z' are the same."""
    difference = z - z_begin
    is_near = tf.abs(difference) < NEAR
    derivative = (function(z + STEP) - function(z - STEP)) / (2 * STEP)
    return tf.where(is_near, derivative, (y - begin) / tf.where(is_near, tf.ones_like(difference), difference))


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


def by_chain_rule(function: Activate, ends: Ends) -> list[Tensor | None]:
    """Multipliers of the one input of a layer, from a function that is written with `slopes` and `products`."""
    both = tf.concat([ends.x[0], ends.start[0]], 0)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(both)
        y = tf.split(function(both), 2)[0]
    return [tf.split(tape.gradient(y, both, ends.multiplier), 2)[0]]


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
