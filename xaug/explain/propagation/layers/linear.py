"""Linear layers with weights and an activation: dense ones and convolutions. A rule of LRP shares their relevance."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

import numpy as np
import tensorflow as tf

from xaug.core.types import Array, JsonObject
from xaug.explain.propagation.layers.activation import POINTWISE, pointwise_of
from xaug.explain.propagation.layers.base import (
    Backward,
    KerasLayer,
    Layer,
    Passed,
    Shares,
    Treatment,
    register,
)
from xaug.explain.propagation.linear_maps import (
    ConvolutionMap,
    DenseMap,
    LinearMap,
    LinearStep,
    ShiftedMap,
    Tensor,
)
from xaug.explain.propagation.multipliers import Ends
from xaug.explain.propagation.rules import Role

__all__ = ["Convolution", "Dense", "LinearLayer"]

Own = TypeVar("Own", bound="LinearLayer")


@dataclass(frozen=True, eq=False)
class LinearLayer(Layer[Tensor | None]):
    """y = f(x w + b); the record is x w + b, if the rule needs it.

    Attributes
    ----------
    kernel, bias : arrays, float64
        w, the last two axes of which are channels in and out, and b, one for each channel out
    function : str
        name of the activation f
    """

    kernel: Array
    bias: Array
    function: str
    overrides: ClassVar[JsonObject] = {"use_bias": True}

    @property
    def weights(self) -> tuple[Array, ...]:
        return self.kernel, self.bias

    @property
    def activation(self) -> str:
        return self.function

    @abstractmethod
    def linear_map(self, x: Tensor) -> LinearMap:
        """Its linear map for inputs of this shape."""

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[Tensor | None]:
        linear, activate = self.linear_map(x[0]), POINTWISE[self.function].function
        if not how.chosen.needs_preactivation:
            return Passed(linear.apply(x[0], self.kernel, self.bias, activate), None)
        z = linear.apply(x[0], self.kernel, self.bias)
        return Passed(activate(z), z)

    def backward(self, seen: Backward[Tensor | None], how: Treatment) -> Shares:
        x = seen.x[0]
        linear = self.linear_map(x)
        if seen.start is None:
            step = LinearStep(linear, x, seen.record, seen.relevance, how.bias, how.never_negative)
        else:
            shifted = x - tf.constant(seen.start.x, x.dtype)
            step = LinearStep(ShiftedMap(linear, seen.start), shifted, seen.record, seen.relevance, how.bias)
        return Shares([how.chosen.relevance(step)])

    def multipliers(self, ends: Ends, how: Treatment) -> Sequence[Tensor | None]:
        factors = ends.multiplier
        if self.function != "linear":
            assert ends.z is not None and ends.z_begin is not None, "they were kept for a rule that needs them"
            factors *= POINTWISE[self.function].slope(ends, is_recorded=True)
        return [self.linear_map(ends.x[0]).transpose(factors, self.kernel)]

    def never_negative(self, inputs: Sequence[bool]) -> bool:
        return POINTWISE[self.function].never_negative

    def is_gate(self, inputs: Sequence[bool]) -> bool:
        return POINTWISE[self.function].is_gate

    def with_affine_behind(self: Own, scale: Array, shift: Array) -> Own | None:
        if self.function != "linear":
            return None
        return replace(self, kernel=self.kernel * scale, bias=self.bias * scale + shift)

    def with_affine_in_front(self: Own, scale: Array, shift: Array) -> Own | None:
        extra = np.tensordot(shift, self.kernel, axes=(0, self.kernel.ndim - 2))
        bias = self.bias + extra.reshape(-1, self.kernel.shape[-1]).sum(axis=0)
        return replace(self, kernel=self.kernel * scale[:, None], bias=bias)


def kernel_and_bias(layer: KerasLayer) -> tuple[Array, Array]:
    """Weights of a layer, and its bias, zeros where it has none."""
    return layer.weights[0], layer.weights[1] if layer.config["use_bias"] else np.zeros(layer.shape[-1])


@register("Dense", innvestigate=None)
@dataclass(frozen=True, eq=False)
class Dense(LinearLayer):
    """A dense layer on the last axis; masks pass."""

    role = Role.DENSE
    faster_compiled = True

    @classmethod
    def lower(cls, layer: KerasLayer) -> Dense:
        return cls(layer, *kernel_and_bias(layer), pointwise_of(layer))

    def linear_map(self, x: Tensor) -> DenseMap:
        return DenseMap(self.kernel, self.bias)

    def mask(self, x: list[Tensor], masks: list[Tensor | None]) -> Tensor | None:
        return masks[0]


@dataclass(frozen=True, eq=False)
class Convolution(LinearLayer):
    """A convolution along one or two axes, of stride and padding "same" or "valid"; masks end here, as in Keras."""

    strides: tuple[int, ...]
    padding: str
    role = Role.CONVOLUTION

    @classmethod
    def lower(cls, layer: KerasLayer) -> Convolution:
        strides = tuple(int(step) for step in layer.config["strides"])
        return cls(layer, *kernel_and_bias(layer), pointwise_of(layer), strides, layer.config["padding"])

    def linear_map(self, x: Tensor) -> ConvolutionMap:
        space = tuple(int(size) for size in x.shape[1:-1])
        return ConvolutionMap(self.kernel, self.bias, self.strides, self.padding, space)

    def with_affine_in_front(self, scale: Array, shift: Array) -> Convolution | None:
        if self.padding == "same" and np.any(shift):
            return None  # the zeros of the padding would have to be shifted too
        return super().with_affine_in_front(scale, shift)
