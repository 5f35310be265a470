"""Normalisation layers: affine ones, by numbers that are fixed at inference, and ones by moments of each event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from xaug.core.types import Array
from xaug.explain.propagation.layers.base import (
    Backward,
    KerasLayer,
    Layer,
    Passed,
    Shares,
    Treatment,
    register,
    shape_of,
)
from xaug.explain.propagation.linear_maps import ElementwiseMap, LinearStep, ShiftedMap, Tensor
from xaug.explain.propagation.multipliers import Ends, by_chain_rule, products, slopes
from xaug.explain.propagation.rules import Role

__all__ = ["Affine", "EventNormalization", "GroupNormalization"]


@register("BatchNormalization", innvestigate="iNNvestigate fuses it with the wrong formula; use engine='native'")
@register("Normalization", "Rescaling")
@dataclass(frozen=True, eq=False)
class Affine(Layer[Tensor]):
    """y = scale x + shift, with numbers for each channel, or along other axes; masks pass.

    Each output has one input, which gets all relevance but what a rule gives to the shift. The layer disappears
    where a neighbour can take it in (`xaug.explain.propagation.graph`). The record is y.
    """

    scale: Array
    shift: Array
    role = Role.AFFINE
    faster_compiled = True
    path_nodes = 1

    @classmethod
    def lower(cls, layer: KerasLayer) -> Affine:
        scale, shift = _PARTS[layer.kind](layer)
        return cls(layer, *np.broadcast_arrays(scale, shift))

    @property
    def is_per_channel(self) -> bool:
        """Whether there is one scale for each element of the last axis, as a neighbour can take in."""
        return self.scale.shape == self.source.shape[-1:]

    @property
    def weights(self) -> tuple[Array, ...]:
        return self.scale, self.shift

    def _map(self) -> ElementwiseMap:
        return ElementwiseMap(self.scale, self.shift)

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[Tensor]:
        y = self._map().apply(x[0], self.scale, self.shift)
        return Passed(y, y)

    def backward(self, seen: Backward[Tensor], how: Treatment) -> Shares:
        if seen.start is None:
            step = LinearStep(self._map(), seen.x[0], seen.record, seen.relevance, how.bias, how.never_negative)
        else:
            x = seen.x[0] - tf.constant(seen.start.x, seen.x[0].dtype)
            step = LinearStep(ShiftedMap(self._map(), seen.start), x, seen.record, seen.relevance, how.bias)
        return Shares([how.chosen.relevance(step)])

    def mask(self, x: list[Tensor], masks: list[Tensor | None]) -> Tensor | None:
        return masks[0] if self.source.passes_mask else None

    def is_gate(self, inputs: Sequence[bool]) -> bool:
        return all(inputs)

    def as_keras(self, name: str, tensors: list[Any]) -> Any:
        return keras.layers.Rescaling(self.scale.tolist(), self.shift.tolist(), name=name)(tensors[0])


def _batch_normalization(layer: KerasLayer) -> tuple[Array, Array]:
    """scale = gamma / sqrt(variance + epsilon), shift = beta - scale mean."""
    rest = list(layer.weights)
    gamma = rest.pop(0) if layer.config["scale"] else 1.0
    beta = rest.pop(0) if layer.config["center"] else 0.0
    mean, variance = rest
    scale = gamma / np.sqrt(variance + layer.config["epsilon"]) * np.ones_like(mean)
    shape = _along(layer)
    return scale.reshape(shape), (beta - scale * mean).reshape(shape)


def _normalization(layer: KerasLayer) -> tuple[Array, Array]:
    """scale = 1 / sqrt(variance), shift = -mean / sqrt(variance), adapted to data; inverted if asked for."""
    mean, variance = (np.asarray(layer.config[option]) for option in ("mean", "variance"))
    if mean.dtype == object:  # adapted: they are weights
        mean, variance = (w.reshape(_along(layer)) for w in layer.weights[:2])
    deviation = np.maximum(np.sqrt(variance), 1e-7)  # as Keras bounds it
    return (deviation, mean) if layer.config.get("invert") else (1 / deviation, -mean / deviation)


def _along(layer: KerasLayer) -> tuple[int, ...]:
    """Shape in which the numbers of a layer broadcast over an event: full along its axes, 1 along all others."""
    axis = layer.config["axis"]
    ndim = len(layer.shape) + 1
    axes = [] if axis is None else [int(a) % ndim for a in np.atleast_1d(axis)]
    shape = tuple(size if i + 1 in axes else 1 for i, size in enumerate(layer.shape))
    return shape[-1:] if axes == [ndim - 1] else shape


_PARTS: dict[str, Callable[[KerasLayer], tuple[Array, Array]]] = {
    "BatchNormalization": _batch_normalization,
    "Normalization": _normalization,
    "Rescaling": lambda layer: (np.asarray(layer.config["scale"], float), np.asarray(layer.config["offset"], float)),
}


@register("LayerNormalization")
@dataclass(frozen=True, eq=False)
class EventNormalization(Layer[None]):
    """y = gamma (x - mean) / sqrt(variance + epsilon) + beta with mean and variance of the event itself.

    Relevance passes unchanged, element by element (R. Achtibat et al., arXiv:2402.05602, proposition 3.4).
    """

    gamma: Array | None
    beta: Array | None

    @classmethod
    def lower(cls, layer: KerasLayer) -> EventNormalization:
        config, rest = layer.config, list(layer.weights)
        return cls(layer, rest.pop(0) if config["scale"] else None, rest.pop(0) if config["center"] else None)

    @property
    def weights(self) -> tuple[Array, ...]:
        return tuple(w for w in (self.gamma, self.beta) if w is not None)

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[None]:
        v = self._arranged(x[0])
        mean, variance = tf.nn.moments(v, self._axes, keepdims=True)
        y = self._scaled((v - mean) * tf.math.rsqrt(variance + self._epsilon(v)))
        y = y if self.beta is None else y + tf.constant(self.beta.reshape(self._shape(y)), y.dtype)
        return Passed(self._as_before(y, x[0]), None)

    def _arranged(self, x: Tensor) -> Tensor:
        """The input with axes of its own for the numbers that share a mean and a variance."""
        return x

    def _as_before(self, y: Tensor, x: Tensor) -> Tensor:
        """Numbers that `_arranged` has given other axes, in the shape of the input."""
        return y

    @property
    def _axes(self) -> list[int]:
        return [int(axis) for axis in np.atleast_1d(self.source.config["axis"])]

    def _epsilon(self, x: Tensor) -> Tensor:
        return tf.cast(self.source.config["epsilon"], x.dtype)

    def _shape(self, x: Tensor) -> list[int]:
        """Shape in which gamma and beta broadcast over an event."""
        axes = [axis % len(x.shape) for axis in self._axes]
        return [size if i + 1 in axes else 1 for i, size in enumerate(shape_of(x))]

    def _scaled(self, x: Tensor) -> Tensor:
        return x if self.gamma is None else x * tf.constant(self.gamma.reshape(self._shape(x)), x.dtype)

    def multipliers(self, ends: Ends, how: Treatment) -> Sequence[Tensor | None]:
        """By the chain rule through mean, squares, root and product, with mean and variance of both ends."""

        def normalised(inputs: list[Tensor]) -> Tensor:
            both = self._arranged(inputs[0])
            centred = both - tf.reduce_mean(both, self._axes, keepdims=True)
            variance = tf.reduce_mean(products(centred, centred), self._axes, keepdims=True)
            factor = slopes(tf.math.rsqrt)(variance + self._epsilon(both))
            y = self._scaled(products(centred, tf.broadcast_to(factor, tf.shape(centred))))
            return self._as_before(y, inputs[0])

        return by_chain_rule(normalised, ends)

    def backward(self, seen: Backward[None], how: Treatment) -> Shares:
        return Shares([seen.relevance])

    def mask(self, x: list[Tensor], masks: list[Tensor | None]) -> Tensor | None:
        return masks[0]


@register("GroupNormalization")
@dataclass(frozen=True, eq=False)
class GroupNormalization(EventNormalization):
    """The same with mean and variance of all numbers of a group of channels of the event.

    Keras cuts the axis of channels into one of groups and one of the channels of each, in this order.
    """

    @property
    def _groups(self) -> int:
        """The axis of groups."""
        return int(self.source.config["axis"]) % (len(self.source.shape) + 1)

    def _arranged(self, x: Tensor) -> Tensor:
        sizes, axis, groups = tf.shape(x), self._groups, int(self.source.config["groups"])
        return tf.reshape(x, tf.concat([sizes[:axis], [groups, x.shape[axis] // groups], sizes[axis + 1 :]], axis=0))

    def _as_before(self, y: Tensor, x: Tensor) -> Tensor:
        return tf.reshape(y, tf.shape(x))

    @property
    def _axes(self) -> list[int]:
        return [axis for axis in range(1, len(self.source.shape) + 2) if axis != self._groups]

    def _shape(self, x: Tensor) -> list[int]:
        sizes = shape_of(x)
        return [size if i in (self._groups, self._groups + 1) else 1 for i, size in enumerate(sizes, start=1)]
