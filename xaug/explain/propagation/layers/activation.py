"""Activations: functions of one value, through which relevance passes unchanged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from xaug.core.types import Array
from xaug.explain.propagation.layers.base import Backward, KerasLayer, Layer, Passed, Shares, Treatment, register
from xaug.explain.propagation.layers.softmax import Softmax
from xaug.explain.propagation.linear_maps import Tensor
from xaug.explain.propagation.multipliers import Ends, slope, slope_of_halves

__all__ = ["HEADS", "POINTWISE", "Activation", "Parametric", "Pointwise", "head_of", "pointwise_of"]


@dataclass(frozen=True)
class Pointwise:
    """A function of one value.

    Attributes
    ----------
    function : callable
        of a tensor
    never_negative : bool
        whether its values are never negative
    is_gate : bool
        whether its values lie in [0, 1], so that it is used to say how much of a signal passes
    at_zero : float or None
        mean of its slopes below and above zero, if it is linear on both sides; None for any other function
    """

    function: Callable[[Tensor], Tensor]
    never_negative: bool = False
    is_gate: bool = False
    at_zero: float | None = None

    def slope(self, ends: Ends, is_recorded: bool) -> Tensor:
        """(y - y') / (z - z') of pairs, where z is the record of a layer, or its first input."""
        z, z_begin = ((end.z if is_recorded else end.x[0]) for end in (ends.event, ends.reference))
        if self.at_zero is not None:
            return slope_of_halves(ends, z, z_begin, self.at_zero)
        z, z_begin = (ends.z, ends.z_begin) if is_recorded else (ends.x[0], ends.start[0])
        return slope(self.function, z, z_begin, ends.y, ends.begin)


def _gelu(z: Tensor) -> Tensor:
    return tf.nn.gelu(z, approximate=False)


def _by_keras(name: str) -> Callable[[Tensor], Tensor]:
    return lambda z: getattr(keras.activations, name)(tf.convert_to_tensor(z))


_OF_KERAS_3 = ("celu", "hard_shrink", "hard_silu", "hard_swish", "hard_tanh", "log_sigmoid", "soft_shrink",
               "sparse_plus", "sparse_sigmoid", "squareplus", "tanh_shrink")  # fmt: skip
"""Activations that Keras 2 has not."""
_NEVER_NEGATIVE = ("sparse_plus", "sparse_sigmoid", "squareplus")
_GATES = ("sparse_sigmoid",)
POINTWISE = {
    "linear": Pointwise(lambda z: z),
    "relu": Pointwise(tf.nn.relu, never_negative=True, at_zero=0.5),
    "relu6": Pointwise(tf.nn.relu6, never_negative=True),
    "leaky_relu": Pointwise(lambda z: tf.nn.leaky_relu(z, 0.2), at_zero=0.6),
    "swish": Pointwise(tf.nn.silu),
    "silu": Pointwise(tf.nn.silu),
    "gelu": Pointwise(_gelu),
    "mish": Pointwise(lambda z: z * tf.tanh(tf.math.softplus(z))),
    "elu": Pointwise(tf.nn.elu),
    "selu": Pointwise(tf.nn.selu),
    "softplus": Pointwise(tf.math.softplus, never_negative=True),
    "softsign": Pointwise(tf.nn.softsign),
    "tanh": Pointwise(tf.tanh),
    "exponential": Pointwise(tf.exp, never_negative=True),
    "sigmoid": Pointwise(tf.sigmoid, never_negative=True, is_gate=True),
    "hard_sigmoid": Pointwise(_by_keras("hard_sigmoid"), never_negative=True, is_gate=True),  # another one in Keras 3
    **{
        name: Pointwise(_by_keras(name), never_negative=name in _NEVER_NEGATIVE, is_gate=name in _GATES)
        for name in _OF_KERAS_3
        if hasattr(keras.activations, name)
    },
}
"""Activations by their names in Keras. A new entry is tested by existing."""


HEADS = ("softmax", "sigmoid")
_HEADS = {
    **{name: name for name in HEADS}, "softmax_v2": "softmax", "log_softmax": "softmax", "log_softmax_v2": "softmax",
    "log_sigmoid": "sigmoid",
}  # fmt: skip
"""Functions behind the logits, and what they are; a logarithm of probabilities has the same neuron before it."""


def head_of(function: object) -> str | None:
    """The head that a function is, by its name as TensorFlow and Keras have it; None for any other."""
    return _HEADS.get(str(function).rpartition(".")[2])


def pointwise_of(layer: KerasLayer) -> str:
    """Name of the activation of a layer; ModelError if it has no rule."""
    name = layer.config.get("activation", "linear")
    name = "linear" if name is None else name
    if not isinstance(name, str) or name not in POINTWISE:
        own = name.get("config", name) if isinstance(name, dict) else name
        own = own if isinstance(own, str) else "of the user's own"
        raise layer.error(f"has activation {own!r}, which has no rule; those with one are {', '.join(POINTWISE)}")
    return name


@dataclass(frozen=True, eq=False)
class _ElementByElement(Layer[None]):
    """y = f(x), element by element; relevance passes unchanged, and so does a mask."""

    faster_compiled = True

    def backward(self, seen: Backward[None], how: Treatment) -> Shares:
        return Shares([seen.relevance])

    def multipliers(self, ends: Ends, how: Treatment) -> Sequence[Tensor | None]:
        def function(z: Tensor) -> Tensor:
            return self.forward([z], [None], how).y

        return [ends.multiplier * slope(function, ends.x[0], ends.start[0], ends.y, ends.begin)]

    def mask(self, x: list[Tensor], masks: list[Tensor | None]) -> Tensor | None:
        return masks[0]


@register("Activation", innvestigate=None)
@dataclass(frozen=True, eq=False)
class Activation(_ElementByElement):
    """An activation by its name."""

    name: str

    @classmethod
    def lower(cls, layer: KerasLayer) -> Layer[Any]:
        if layer.config.get("activation") == "softmax":
            return Softmax(layer, (-1,))
        return cls(layer, pointwise_of(layer))

    @property
    def activation(self) -> str:
        return self.name

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[None]:
        return Passed(POINTWISE[self.name].function(x[0]), None)

    def multipliers(self, ends: Ends, how: Treatment) -> Sequence[Tensor | None]:
        return [ends.multiplier * POINTWISE[self.name].slope(ends, is_recorded=False)]

    def never_negative(self, inputs: Sequence[bool]) -> bool:
        return POINTWISE[self.name].never_negative

    def is_gate(self, inputs: Sequence[bool]) -> bool:
        return POINTWISE[self.name].is_gate or (self.name in ("linear", "relu") and all(inputs))


def _is_other_relu(layer: KerasLayer) -> str | None:
    """Why iNNvestigate does not explain a ReLU rightly."""
    plain = {"max_value": (None,), "negative_slope": (None, 0), "threshold": (None, 0)}
    for option, values in plain.items():
        if layer.config.get(option) not in values:
            return f"it is not the plain max(x, 0): {option}={layer.config[option]}; use engine='native'"
    return None


@register("ReLU", innvestigate=_is_other_relu)
@register("LeakyReLU", "PReLU", "ELU", "ThresholdedReLU")
@dataclass(frozen=True, eq=False)
class Parametric(_ElementByElement):
    """An activation with parameters of its own, as a layer: the Keras layer computes it.

    Attributes
    ----------
    slopes : array or None
        slopes of a PReLU at negative values, which broadcast over its input
    """

    slopes: Array | None

    @classmethod
    def lower(cls, layer: KerasLayer) -> Parametric:
        return cls(layer, layer.weights[0] if layer.weights else None)

    @property
    def weights(self) -> tuple[Array, ...]:
        return () if self.slopes is None else (self.slopes,)

    @property
    def _is_plain(self) -> bool:
        return self.source.kind == "ReLU" and _is_other_relu(self.source) is None

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[None]:
        if self.slopes is not None:
            return Passed(tf.nn.relu(x[0]) - tf.constant(self.slopes, x[0].dtype) * tf.nn.relu(-x[0]), None)
        return Passed(tf.nn.relu(x[0]) if self._is_plain else self._by_keras(x[0]), None)

    def _by_keras(self, x: Tensor) -> Tensor:
        config, kind = self.source.config, self.source.kind
        if kind == "ReLU":
            start, slope = (tf.cast(config[name] or 0.0, x.dtype) for name in ("threshold", "negative_slope"))
            bounded = x if config["max_value"] is None else tf.minimum(x, tf.cast(config["max_value"], x.dtype))
            return tf.where(x >= start, bounded, slope * (x - start))
        if kind == "ThresholdedReLU":
            return x * tf.cast(x > tf.cast(np.asarray(config["theta"]), x.dtype), x.dtype)
        slope = config.get("negative_slope", config.get("alpha"))  # of LeakyReLU in Keras 3 and 2
        alpha = tf.cast(np.asarray(slope), x.dtype)
        negative = x if kind == "LeakyReLU" else tf.math.expm1(tf.minimum(x, 0))
        return tf.where(x > 0, x, alpha * negative)

    def multipliers(self, ends: Ends, how: Treatment) -> Sequence[Tensor | None]:
        if self._is_plain:
            return [ends.multiplier * POINTWISE["relu"].slope(ends, is_recorded=False)]
        return super().multipliers(ends, how)

    def never_negative(self, inputs: Sequence[bool]) -> bool:
        return self._is_plain
