"""Layers that do nothing at inference, the inputs of the network, and the mask of padded steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from xaug.core.types import Array
from xaug.explain.propagation.layers.base import (
    Backward,
    KerasLayer,
    Layer,
    Moving,
    Passed,
    Shares,
    Treatment,
    register,
)
from xaug.explain.propagation.linear_maps import Tensor

__all__ = ["Identity", "Input", "Masking"]


@register("Dropout", innvestigate=None)
@register("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "AlphaDropout")
@register("GaussianNoise", "GaussianDropout", "ActivityRegularization")
@register("RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast", "RandomBrightness")
@dataclass(frozen=True, eq=False)
class Identity(Moving):
    """Regularisation in training; at inference the output is the input, and so is its mask."""

    is_identity = True
    faster_compiled = True

    @classmethod
    def lower(cls, layer: KerasLayer) -> Identity:
        return cls(layer)

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[None]:
        return Passed(x[0], None)

    def backward(self, seen: Backward[None], how: Treatment) -> Shares:
        return Shares([seen.relevance])

    def mask(self, x: list[Tensor], masks: list[Tensor | None]) -> Tensor | None:
        return masks[0]

    def move(self, parts: Sequence[Array]) -> Array:
        return parts[0]


@register("InputLayer", innvestigate=None)
@dataclass(frozen=True, eq=False)
class Input(Layer[None]):
    """An input of the network, where relevance ends."""

    faster_compiled = True

    @classmethod
    def lower(cls, layer: KerasLayer) -> Input:
        return cls(layer)

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[None]:
        return Passed(x[0], None)

    def backward(self, seen: Backward[None], how: Treatment) -> Shares:
        return Shares([])

    def as_keras(self, name: str, tensors: list[Any]) -> Any:
        return keras.Input(self.source.shape, name=name)


@register("Masking")
@dataclass(frozen=True, eq=False)
class Masking(Layer[None]):
    """Steps of which all features equal one value are padding: they become zero, and the mask starts here."""

    value: float
    path_nodes = 1

    @classmethod
    def lower(cls, layer: KerasLayer) -> Masking:
        return cls(layer, float(layer.config["mask_value"]))

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[None]:
        return Passed(x[0] * tf.cast(self._real(x[0])[..., None], x[0].dtype), None)

    def backward(self, seen: Backward[None], how: Treatment) -> Shares:
        return Shares([seen.relevance])

    def mask(self, x: list[Tensor], masks: list[Tensor | None]) -> Tensor:
        return self._real(x[0])

    def _real(self, x: Tensor) -> Tensor:
        return tf.reduce_any(tf.not_equal(tf.cast(x, tf.float32), tf.constant(self.value, tf.float32)), axis=-1)

    def never_negative(self, inputs: Sequence[bool]) -> bool:
        return all(inputs)
