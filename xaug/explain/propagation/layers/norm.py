"""Normalisation layers that are affine at inference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from xaug.core.types import Array
from xaug.explain.propagation.layers.base import Backward, KerasLayer, Layer, Passed, Shares, Treatment, register
from xaug.explain.propagation.linear_maps import ElementwiseMap, LinearStep, Tensor
from xaug.explain.propagation.rules import Role

__all__ = ["Affine"]


@register("BatchNormalization", innvestigate="iNNvestigate fuses it with the wrong formula; use engine='native'")
@dataclass(frozen=True, eq=False)
class Affine(Layer[Tensor]):
    """y = scale x + shift for each channel; masks pass.

    Each output has one input, which gets all relevance but what a rule gives to the shift. The layer disappears
    where a neighbour can take it in (`xaug.explain.propagation.graph`). The record is y.
    """

    scale: Array
    shift: Array
    role = Role.AFFINE
    faster_compiled = True

    @classmethod
    def lower(cls, layer: KerasLayer) -> Affine:
        """From a BatchNormalization: scale = gamma / sqrt(variance + epsilon), shift = beta - scale mean."""
        axis = [int(a) for a in np.atleast_1d(layer.config["axis"])]
        if axis not in ([-1], [len(layer.shape)]):
            raise layer.error(f"normalises axis {axis}; only the last one has a rule")
        rest = list(layer.weights)
        gamma = rest.pop(0) if layer.config["scale"] else 1.0
        beta = rest.pop(0) if layer.config["center"] else 0.0
        mean, variance = rest
        scale = gamma / np.sqrt(variance + layer.config["epsilon"])
        return cls(layer, scale * np.ones_like(mean), beta - scale * mean)

    @property
    def weights(self) -> tuple[Array, ...]:
        return self.scale, self.shift

    def _map(self) -> ElementwiseMap:
        return ElementwiseMap(self.scale, self.shift)

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[Tensor]:
        y = self._map().apply(x[0], self.scale, self.shift)
        return Passed(y, y)

    def backward(self, seen: Backward[Tensor], how: Treatment) -> Shares:
        step = LinearStep(self._map(), seen.x[0], seen.record, seen.relevance, how.bias, how.never_negative)
        return Shares([how.chosen.relevance(step)])

    def mask(self, x: list[Tensor], masks: list[Tensor | None]) -> Tensor | None:
        return masks[0]

    def as_keras(self, name: str, tensors: list[Any]) -> Any:
        return keras.layers.Rescaling(self.scale.tolist(), self.shift.tolist(), name=name)(tensors[0])
