"""A linear map that is known by its action alone: its transpose is its vector-Jacobian product."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from xaug.core.types import Array
from xaug.explain.propagation.linear_maps import Activate, LinearMap, Tensor

__all__ = ["OperatorMap"]


@dataclass(frozen=True, eq=False)
class OperatorMap(LinearMap):
    """x -> A(x, w) + b, for an operation A that is linear in x.

    The transpose is the gradient of A, which TensorFlow has for every operation. So dilated, causal, grouped, depthwise
    and transposed convolutions have all rules of LRP without a formula of their own.

    Attributes
    ----------
    operate : callable
        A, of x and weights of the shape of `kernel`
    shape : tuple of int
        shape of x without the event axis
    """

    kernel: Array
    bias: Array
    operate: Callable[[Tensor, Tensor], Tensor]
    shape: tuple[int, ...]

    def apply(self, x: Tensor, w: Array, bias: Array | None = None, activate: Activate | None = None) -> Tensor:
        z = self.operate(x, tf.constant(w, x.dtype))
        if bias is not None:
            z = z + tf.constant(bias, x.dtype)
        return z if activate is None else activate(z)

    def transpose(self, s: Tensor, w: Array) -> Tensor:
        x = tf.zeros((tf.shape(s)[0], *self.shape), s.dtype)  # anywhere: the gradient is the same
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            z = self.operate(x, tf.constant(w, s.dtype))
        return tape.gradient(z, x, s)
