"""Activations: functions of one value, through which relevance passes unchanged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tensorflow as tf

from xaug.explain.propagation.layers.base import Backward, KerasLayer, Layer, Passed, Shares, Treatment, register
from xaug.explain.propagation.linear_maps import Tensor

__all__ = ["POINTWISE", "Activation", "Pointwise", "pointwise_of"]


@dataclass(frozen=True)
class Pointwise:
    """A function of one value.

    Attributes
    ----------
    function : callable
        of a tensor
    never_negative : bool
        whether its values are never negative
    innvestigate : bool
        whether iNNvestigate's LRP accepts it
    """

    function: Callable[[Tensor], Tensor]
    never_negative: bool = False
    innvestigate: bool = False


POINTWISE = {
    "linear": Pointwise(lambda z: z, innvestigate=True),
    "relu": Pointwise(tf.nn.relu, never_negative=True, innvestigate=True),
    "swish": Pointwise(tf.nn.silu),
    "silu": Pointwise(tf.nn.silu),
    "tanh": Pointwise(tf.tanh),
    "sigmoid": Pointwise(tf.sigmoid, never_negative=True),
}
"""Activations by their names in Keras. A new entry is tested by existing."""


def pointwise_of(layer: KerasLayer) -> str:
    """Name of the activation of a layer; ModelError if it has no rule."""
    name = layer.config.get("activation", "linear")
    if name not in POINTWISE:
        raise layer.error(f"has activation {name!r}, which has no rule; those with one are {', '.join(POINTWISE)}")
    return str(name)


@register("Activation", innvestigate=None)
@dataclass(frozen=True, eq=False)
class Activation(Layer[None]):
    """y = f(x), element by element; relevance passes unchanged."""

    name: str
    faster_compiled = True

    @classmethod
    def lower(cls, layer: KerasLayer) -> Activation:
        return cls(layer, pointwise_of(layer))

    @property
    def activation(self) -> str:
        return self.name

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[None]:
        return Passed(POINTWISE[self.name].function(x[0]), None)

    def backward(self, seen: Backward[None], how: Treatment) -> Shares:
        return Shares([seen.relevance])

    def mask(self, x: list[Tensor], masks: list[Tensor | None]) -> Tensor | None:
        return masks[0]

    def never_negative(self, inputs: Sequence[bool]) -> bool:
        return POINTWISE[self.name].never_negative


@register("ReLU", innvestigate=None)
class Relu(Activation):
    """max(x, 0) as a layer of its own."""

    @classmethod
    def lower(cls, layer: KerasLayer) -> Relu:
        refuse_other_relu(layer)
        return cls(layer, "relu")


def refuse_other_relu(layer: KerasLayer) -> None:
    """Raise ModelError if a ReLU layer is not max(x, 0)."""
    plain = {"max_value": (None,), "negative_slope": (None, 0), "threshold": (None, 0)}
    for option, values in plain.items():
        layer.require(option, *values, reason=f"is not the plain max(x, 0): {option}={layer.config.get(option)}")
