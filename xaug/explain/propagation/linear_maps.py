"""Linear maps x -> x w + b and their transposes s -> s w^T: all that a rule of LRP needs to know about a layer.

A map takes any weights of its shape, because rules exchange the weights (their positive part, their squares, ones).

Measured on one core with AVX-512 (batch 128): a convolution, its bias and a ReLU are one pass if they are written as
Conv2D, BiasAdd, Relu. A transposed convolution from 32 channels to one takes as long as one to 16, because the
processor works on 16 channels at once. So pixels take the place of channels there, which is 3.3 times faster. On one
core with AVX2, a transposed convolution of stride 1 to 32 or 64 channels takes 60% to 90% of the time if it is written
as a convolution with the kernel turned round, and one of an image of one channel half of the time if the rows of a
window take the place of channels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from xaug.core.types import Array

__all__ = [
    "Activate",
    "ConvolutionMap",
    "DenseMap",
    "ElementwiseMap",
    "LinearMap",
    "LinearStep",
    "ShiftedMap",
    "Start",
    "Tensor",
    "blocked_kernel",
    "divided",
    "stabilised",
]

Tensor: TypeAlias = tf.Tensor
Activate: TypeAlias = Callable[[Tensor], Tensor]

LANES = 16
"""Channels that a processor works on at once (AVX-512, float32)."""


def stabilised(z: Tensor, epsilon: float | Tensor) -> Tensor:
    """z + epsilon sign(z), with sign(0) = 1 as in iNNvestigate; epsilon is a number, or faster, a tensor like z."""
    epsilon = tf.cast(epsilon, z.dtype)
    return z + tf.where(z >= 0, epsilon, -epsilon)


def divided(relevance: Tensor, z: Tensor) -> Tensor:
    """relevance / z, and 0 where z is exactly zero.

    In the common case z is a sum of contributions that are all zero: whatever stood in its place, their shares are
    zero.
    """
    return tf.math.divide_no_nan(relevance, z)


def blocked_kernel(kernel: Array, block: tuple[int, int]) -> Array:
    """Kernel of the strided convolution that gives a block of pixels of a transposed convolution as channels.

    Parameters
    ----------
    kernel : (height, width, inputs, outputs)
        of a convolution of stride 1
    block
        pixels (rows, columns) that one step of the strided convolution computes

    Returns
    -------
    ndarray of shape (rows + height - 1, columns + width - 1, outputs, rows * columns * inputs)
        pixel (i, j) of the block gets kernel[i + height - 1 - a, j + width - 1 - b] from pixel (a, b) of its window
    """
    height, width, inputs, outputs = kernel.shape
    rows, columns = block
    found = np.zeros((rows + height - 1, columns + width - 1, outputs, rows, columns, inputs))
    turned = kernel[::-1, ::-1].transpose(0, 1, 3, 2)
    for i in range(rows):
        for j in range(columns):
            found[i : i + height, j : j + width, :, i, j] = turned
    return found.reshape(*found.shape[:3], -1)


class LinearMap(ABC):
    """A linear map of the inputs x of one layer, with the layer's own weights and bias.

    Attributes
    ----------
    kernel : array
        weights w of the layer
    bias : array
        b of the layer, one for each channel of the output
    """

    kernel: Array
    bias: Array

    @abstractmethod
    def apply(self, x: Tensor, w: Array, bias: Array | None = None, activate: Activate | None = None) -> Tensor:
        """activate(x w + bias)."""

    @abstractmethod
    def transpose(self, s: Tensor, w: Array) -> Tensor:
        """s w^T."""

    def without_bias(self, z: Tensor, x: Tensor) -> Tensor:
        """x w, from z = x w + b, which is at hand."""
        return z - tf.constant(self.bias, z.dtype)

    def shares(self, x: Tensor, w: Array, s: Tensor) -> Tensor:
        """Sum over outputs k of the contributions x_j w_jk s_k."""
        return x * self.transpose(s, w)

    def shares_by_sign(self, x: Tensor, same: Array, other: Array, bias: Array | None, relevance: Tensor) -> Tensor:
        """Shares of the relevance by the contributions max(x, 0) same + min(x, 0) other, and the bias."""
        positive, negative = tf.maximum(x, 0), tf.minimum(x, 0)
        z = self.apply(positive, same) + self.apply(negative, other)
        s = divided(relevance, z if bias is None else z + tf.constant(bias, x.dtype))
        return self.shares(positive, same, s) + self.shares(negative, other, s)

    def shares_by_weight(self, w: Array, relevance: Tensor, x: Tensor) -> Tensor:
        """Shares w_jk / sum_i w_ik of the relevance, whatever the values of x are: only their shape counts."""
        ones = tf.ones((1, *x.shape[1:]), x.dtype)
        return self.transpose(divided(relevance, self.apply(ones, w)), w)


class _MatrixMap(LinearMap):
    """A map that mixes channels: the last two axes of the weights are channels in and out."""

    def shares_by_sign(self, x: Tensor, same: Array, other: Array, bias: Array | None, relevance: Tensor) -> Tensor:
        """Same shares, computed in one pass: positive and negative inputs are channels of one layer."""
        split = tf.concat([tf.maximum(x, 0), tf.minimum(x, 0)], -1)
        both = np.concatenate([same, other], -2)
        shares = self.shares(split, both, divided(relevance, self.apply(split, both, bias)))
        return tf.add_n(tf.split(shares, 2, axis=-1))


@dataclass(frozen=True, eq=False)
class ElementwiseMap(LinearMap):
    """x -> x w + b, element by element of the last axis: each output reads one input."""

    kernel: Array
    bias: Array

    def apply(self, x: Tensor, w: Array, bias: Array | None = None, activate: Activate | None = None) -> Tensor:
        z = x * tf.constant(w, x.dtype)
        if bias is not None:
            z = z + tf.constant(bias, x.dtype)
        return z if activate is None else activate(z)

    def transpose(self, s: Tensor, w: Array) -> Tensor:
        return s * tf.constant(w, s.dtype)

    def without_bias(self, z: Tensor, x: Tensor) -> Tensor:
        return self.apply(x, self.kernel)

    def shares(self, x: Tensor, w: Array, s: Tensor) -> Tensor:
        return x * tf.constant(w, x.dtype) * s

    def shares_by_weight(self, w: Array, relevance: Tensor, x: Tensor) -> Tensor:
        """The one input of each output gets all of it."""
        return relevance


@dataclass(frozen=True, eq=False)
class DenseMap(_MatrixMap):
    """The map of a Dense layer on the last axis, of weights (features in, features out)."""

    kernel: Array
    bias: Array

    def apply(self, x: Tensor, w: Array, bias: Array | None = None, activate: Activate | None = None) -> Tensor:
        weights = tf.constant(w, x.dtype)
        z = x @ weights if len(x.shape) == 2 else tf.tensordot(x, weights, 1)
        if bias is not None:
            z = tf.nn.bias_add(z, tf.constant(bias, x.dtype))
        return z if activate is None else activate(z)

    def transpose(self, s: Tensor, w: Array) -> Tensor:
        weights = tf.constant(w, s.dtype)
        if len(s.shape) == 2:
            return tf.matmul(s, weights, transpose_b=True)
        return tf.tensordot(s, weights, [[-1], [1]])


@dataclass(frozen=True, eq=False)
class ConvolutionMap(_MatrixMap):
    """The map of a convolution along one or two axes, of weights (window, channels in, channels out).

    Attributes
    ----------
    strides : tuple of int
        along one or two axes
    padding : str
        "same" or "valid"
    space : tuple of int
        sizes of the axes that the window moves along, of the input
    """

    kernel: Array
    bias: Array
    strides: tuple[int, ...]
    padding: str
    space: tuple[int, ...]

    @property
    def _is_one_dimensional(self) -> bool:
        """Along one axis: an image of one row."""
        return len(self.strides) == 1

    def _options(self) -> dict[str, Any]:
        strides = (1, 1, *self.strides, 1) if self._is_one_dimensional else (1, *self.strides, 1)
        return {"strides": strides, "padding": self.padding.upper()}

    def _image(self, x: Tensor) -> Tensor:
        return tf.expand_dims(x, 1) if self._is_one_dimensional else x

    def _window(self, w: Array) -> Array:
        return w[None] if self._is_one_dimensional else w

    def apply(self, x: Tensor, w: Array, bias: Array | None = None, activate: Activate | None = None) -> Tensor:
        image, kernel = self._image(x), self._window(w)
        if kernel.shape[0] > 1 and kernel.shape[0] * kernel.shape[2] <= LANES and self.strides[0] == 1:
            image, kernel = self._rows_as_channels(image, kernel)
        z = tf.nn.conv2d(image, tf.constant(kernel, x.dtype), **self._options())
        if bias is not None:
            z = tf.nn.bias_add(z, tf.constant(bias, x.dtype))
        if activate is not None:
            z = activate(z)
        return tf.squeeze(z, 1) if self._is_one_dimensional else z

    def _rows_as_channels(self, image: Tensor, kernel: Array) -> tuple[Tensor, Array]:
        """An image whose channels are those of all rows of a window, and the kernel of one row for it."""
        height, width, channels, outputs = kernel.shape
        before = (height - 1) // 2 if self.padding == "same" else 0
        after = height - 1 - before if self.padding == "same" else 0
        padded = tf.pad(image, [[0, 0], [before, after], [0, 0], [0, 0]])
        rows = self.space[0] + before + after - height + 1
        side_by_side = tf.concat([padded[:, i : i + rows] for i in range(height)], -1)
        return side_by_side, kernel.transpose(1, 0, 2, 3).reshape(1, width, height * channels, outputs)

    def transpose(self, s: Tensor, w: Array) -> Tensor:
        kernel, image, options = self._window(w), self._image(s), self._options()
        rows, columns = (1, *self.space) if self._is_one_dimensional else self.space
        shape = (rows, columns, kernel.shape[-2])
        if set(options["strides"]) == {1}:
            found = self._turned(image, kernel, shape)
        else:
            sizes = tf.stack([tf.shape(image)[0], *shape])
            found = tf.nn.conv2d_transpose(image, tf.constant(kernel, image.dtype), sizes, **options)
        return tf.squeeze(found, 1) if self._is_one_dimensional else found

    def _turned(self, s: Tensor, kernel: Array, shape: tuple[int, int, int]) -> Tensor:
        """The transposed convolution of stride 1 as a convolution; to few channels, a block of pixels at a time."""
        pixels = max(LANES // shape[-1], 1)
        block = (1, min(pixels, shape[1])) if self._is_one_dimensional else (int(pixels**0.5), int(pixels**0.5))
        pads = []
        for size, width, step, given in zip(shape[:2], kernel.shape[:2], block, s.shape[1:3], strict=True):
            before = (width - 1) // 2 if self.padding == "same" else 0
            covered = -(-size // step) * step
            pads.append([width - 1 - before, covered + before - given])
        strided = tf.constant(blocked_kernel(kernel, block), s.dtype)
        padding: Any = "VALID" if not np.any(pads) else [[0, 0], *pads, [0, 0]]  # named, a window of one is a product
        found = tf.nn.conv2d(s, strided, strides=(1, *block, 1), padding=padding)
        if self._is_one_dimensional and block[1] > 1:
            found = tf.reshape(found, (-1, 1, found.shape[2] * block[1], shape[-1]))
        elif block[0] > 1:
            found = tf.nn.depth_to_space(found, block[0])
        return found[:, : shape[0], : shape[1]]


@dataclass(frozen=True, eq=False)
class Start:
    """A point from which the inputs of a linear layer are measured, in place of zero.

    Attributes
    ----------
    x : array (1, ...)
        what the layer reads there
    z : array (1, ...)
        what it computes there, x w + b
    """

    x: Array
    z: Array


class ShiftedMap(LinearMap):
    """The map of a layer whose inputs are measured from another point than zero.

    Parameters
    ----------
    base : LinearMap
        the map of the layer
    start : Start
        the point; the output there takes the place of the bias: one for each output, not each channel
    """

    def __init__(self, base: LinearMap, start: Start):
        self.base = base
        self.kernel, self.bias = base.kernel, start.z

    def apply(self, x: Tensor, w: Array, bias: Array | None = None, activate: Activate | None = None) -> Tensor:
        z = self.base.apply(x, w)
        if bias is not None:
            z = z + tf.constant(bias, x.dtype)
        return z if activate is None else activate(z)

    def transpose(self, s: Tensor, w: Array) -> Tensor:
        return self.base.transpose(s, w)

    def without_bias(self, z: Tensor, x: Tensor) -> Tensor:
        return self.base.apply(x, self.kernel)

    def shares(self, x: Tensor, w: Array, s: Tensor) -> Tensor:
        return self.base.shares(x, w, s)


@dataclass(frozen=True, eq=False)
class LinearStep:
    """One linear layer in the backward pass: what a rule needs to share the relevance of its outputs.

    Attributes
    ----------
    linear : LinearMap
        the map of the layer, its weights and its bias
    x : tensor (n, ...)
        inputs of the layer
    z : tensor (n, ...) or None
        x w + b, kept for rules that set `needs_preactivation`
    relevance : tensor (n, ...)
        relevance of the outputs
    bias : str
        one of `xaug.explain.propagation.rules.BIAS`
    never_negative : bool
        whether no element of x can be negative
    """

    linear: LinearMap
    x: Tensor
    z: Tensor | None
    relevance: Tensor
    bias: str
    never_negative: bool = False

    @property
    def denominator(self) -> Tensor:
        """z, without the bias where that is ignored."""
        assert self.z is not None, "a rule that reads it sets needs_preactivation"
        return self.linear.without_bias(self.z, self.x) if self.bias == "ignore" else self.z

    def relevance_over(self, z: Tensor, epsilon: float | None = None) -> Tensor:
        """relevance / (z + epsilon sign(z)); without epsilon, nothing where z is exactly zero."""
        return divided(self.relevance, z) if epsilon is None else self.relevance / stabilised(z, epsilon)

    def filled(self, value: float) -> Tensor:
        """One event of the shape of x, with one value everywhere."""
        return tf.fill((1, *self.x.shape[1:]), tf.constant(value, self.x.dtype))
