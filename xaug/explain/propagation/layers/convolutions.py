"""All other linear layers with weights: convolutions that are dilated, causal, grouped, depthwise, separable or
transposed, or have weights of their own at every place, and sums over named axes.

Each is an operation that is linear in its input; `xaug.explain.propagation.operator_map` has its transpose.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from xaug.core.types import Array
from xaug.explain.propagation.layers.activation import pointwise_of
from xaug.explain.propagation.layers.base import KerasLayer, Layer, register, shape_of
from xaug.explain.propagation.layers.linear import Convolution, LinearLayer, kernel_and_bias
from xaug.explain.propagation.linear_maps import Tensor
from xaug.explain.propagation.operator_map import OperatorMap
from xaug.explain.propagation.rules import Role

__all__ = ["LocallyConnected", "OtherConvolution", "SumOverAxes"]

Operate = Callable[[Tensor, Tensor], Tensor]
WINDOW = ("strides", "dilation_rate")


@dataclass(frozen=True, eq=False)
class _Operator(LinearLayer):
    """A linear layer that is known by what it does to x with weights w."""

    operate: Operate

    def linear_map(self, x: Tensor) -> OperatorMap:
        return OperatorMap(self.kernel, self.bias, self.operate, shape_of(x))

    def with_affine_behind(self, scale: Array, shift: Array) -> None:
        """Not folded: where the channels are among the weights differs."""

    def with_affine_in_front(self, scale: Array, shift: Array) -> None:
        """Not folded: where the channels are among the weights differs."""


def _is_special(layer: KerasLayer) -> str | None:
    """The option that keeps a convolution from being a plain one; None if there is none."""
    if layer.config.get("groups", 1) != 1:
        return f"it has {layer.config['groups']} groups of channels; use engine='native'"
    if set(np.atleast_1d(layer.config["dilation_rate"])) != {1}:
        return "it is dilated; use engine='native'"
    return None if layer.config["padding"] in ("same", "valid") else "its padding is causal; use engine='native'"


@register("Conv1D", "Conv2D", innvestigate=_is_special)
@register("Conv3D", "DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D")
@register("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")
@dataclass(frozen=True, eq=False)
class OtherConvolution(_Operator):
    """A convolution of any kind; masks end here, as in Keras.

    A separable convolution is the one convolution that its two parts make together.
    """

    role = Role.CONVOLUTION

    @classmethod
    def lower(cls, layer: KerasLayer) -> Layer[Any]:
        if layer.kind.startswith("Separable"):
            return _separable(layer)
        if layer.kind in ("Conv1D", "Conv2D") and _is_special(layer) is None:
            return Convolution.lower(layer)
        kernel, bias = kernel_and_bias(layer)
        if layer.kind.startswith("Depthwise"):
            operate: Operate = _depthwise(layer)
        elif layer.kind.endswith("Transpose"):
            operate = _transposed(layer)
        else:
            operate = _convolution(layer)
        return cls(layer, kernel, bias, pointwise_of(layer), operate)


@register("LocallyConnected1D", "LocallyConnected2D")
@dataclass(frozen=True, eq=False)
class LocallyConnected(_Operator):
    """A convolution with weights of its own at every place: kernel (places, window channels in, channels out)."""

    role = Role.CONVOLUTION

    @classmethod
    def lower(cls, layer: KerasLayer) -> LocallyConnected:
        layer.require("implementation", 1, reason=f"has implementation={layer.config['implementation']}; 1 is needed")
        bias = layer.weights[1] if layer.config["use_bias"] else np.zeros(layer.shape)
        return cls(layer, layer.weights[0], bias, pointwise_of(layer), _own_at_every_place(layer))


@register("EinsumDense")
@dataclass(frozen=True, eq=False)
class SumOverAxes(_Operator):
    """A dense layer over named axes."""

    role = Role.DENSE

    @classmethod
    def lower(cls, layer: KerasLayer) -> SumOverAxes:
        equation = str(layer.config["equation"])
        bias = layer.weights[1] if len(layer.weights) > 1 else np.zeros(layer.shape[-1])
        return cls(layer, layer.weights[0], bias, pointwise_of(layer), lambda x, w: tf.einsum(equation, x, w))

    def mask(self, x: list[Tensor], masks: list[Tensor | None]) -> Tensor | None:
        return masks[0] if self.source.passes_mask else None


def _numbers(layer: KerasLayer, option: str) -> list[int]:
    return [int(n) for n in np.atleast_1d(layer.config.get(option, 1))]


def padded(layer: KerasLayer, x: Tensor) -> tuple[Tensor, str]:
    """The input of a convolution, and the padding that is left to do: causal padding is zeros in front of the steps."""
    padding = layer.config["padding"]
    if padding != "causal":
        return x, padding.upper()
    before = _numbers(layer, "dilation_rate")[0] * (_numbers(layer, "kernel_size")[0] - 1)
    return tf.pad(x, [[0, 0], [before, 0], [0, 0]]), "VALID"


def _convolution(layer: KerasLayer) -> Operate:
    """A convolution along any number of axes, dilated, causal or in groups of channels."""
    groups, (strides, dilations) = int(layer.config.get("groups", 1)), (_numbers(layer, option) for option in WINDOW)

    def operate(x: Tensor, w: Tensor) -> Tensor:
        x, padding = padded(layer, x)
        parts = zip(tf.split(x, groups, -1), tf.split(w, groups, -1), strict=True)
        order = {1: "NWC", 2: "NHWC", 3: "NDHWC"}[len(strides)]  # without it the gradient of eager TensorFlow fails
        found = [tf.nn.convolution(one, own, strides, padding, order, dilations) for one, own in parts]
        return found[0] if groups == 1 else tf.concat(found, -1)

    return operate


def _depthwise(layer: KerasLayer) -> Operate:
    """Each channel by windows of its own."""
    one = layer.kind.endswith("1D")
    strides, dilations = (_numbers(layer, option) for option in WINDOW)

    def operate(x: Tensor, w: Tensor) -> Tensor:
        x, padding = padded(layer, x)
        if one:
            steps, rates = [1, strides[0], strides[0], 1], [1, dilations[0]]
            return tf.nn.depthwise_conv2d(x[:, None], w[None], steps, padding, dilations=rates)[:, 0]
        return tf.nn.depthwise_conv2d(x, w, [1, *strides, 1], padding, dilations=dilations)

    return operate


def _own_at_every_place(layer: KerasLayer) -> Operate:
    """Each window by weights of its own; a list is an image of one row."""
    size, steps = (_numbers(layer, option) for option in ("kernel_size", "strides"))
    ones = [1] * (2 - len(size))

    def operate(x: Tensor, w: Tensor) -> Tensor:
        images = x[:, None] if ones else x
        windows = tf.image.extract_patches(images, [1, *ones, *size, 1], [1, *ones, *steps, 1], [1, 1, 1, 1], "VALID")
        flat = tf.reshape(windows, (tf.shape(x)[0], *w.shape[:2]))
        return tf.reshape(tf.einsum("npj,pjk->npk", flat, w), (tf.shape(x)[0], *layer.shape))

    return operate


def _transposed(layer: KerasLayer) -> Operate:
    """The transpose of a strided convolution."""
    strides, dilations = (_numbers(layer, option) for option in WINDOW)
    if set(dilations) != {1}:
        raise layer.error("is a transposed convolution with dilation, which has no rule")
    padding, extra = layer.config["padding"], layer.config.get("output_padding")
    extras = [None] * len(strides) if extra is None else [int(n) for n in np.atleast_1d(extra)]

    def size(n: int, step: int, width: int, more: int | None) -> int:
        if more is None:
            return n * step + (max(width - step, 0) if padding == "valid" else 0)
        return (n - 1) * step + width + more - (0 if padding == "valid" else 2 * (width // 2))

    def operate(x: Tensor, w: Tensor) -> Tensor:
        windows = zip(shape_of(x)[:-1], strides, extras, w.shape, strict=False)
        sizes = [size(n, step, int(width), more) for n, step, more, width in windows]
        shape = tf.stack([tf.shape(x)[0], *sizes, w.shape[-2]])
        return tf.nn.conv_transpose(x, w, shape, strides, padding.upper())

    return operate


def _separable(layer: KerasLayer) -> Layer[Any]:
    """The one convolution of kernel w[.., c, k] = sum_m depth[.., c, m] point[c m, k]."""
    depth, point = layer.weights[:2]
    *window, channels, multiplier = depth.shape
    kernel = np.einsum("...cm,cmk->...ck", depth, point.reshape(channels, multiplier, -1))
    joined = KerasLayer(
        layer.name, f"Conv{len(window)}D", {**layer.config, "groups": 1}, (kernel, *layer.weights[2:]), layer.shape,
        layer.input_shapes,
    )  # fmt: skip
    return OtherConvolution.lower(joined)
