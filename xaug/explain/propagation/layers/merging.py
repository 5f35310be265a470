"""Layers that read several inputs. They join masks as Keras does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
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
from xaug.explain.propagation.layers.operation import Operation, Share
from xaug.explain.propagation.linear_maps import Tensor, divided
from xaug.networks.keras_versions import joined_masks

__all__ = ["Add", "Concatenate", "SumOfShapes"]


def _sum(x: list[Tensor]) -> Tensor:
    """Sum of tensors with events first; one of fewer axes counts as the same for all places of the other axes."""
    axes = max(len(one.shape) for one in x)
    places = [tf.reshape(v, [-1, *[1] * (axes - len(v.shape)), *v.shape[1:]]) for v in x]
    return sum(places[1:], start=places[0])


class SumOfShapes(Operation):
    """The sum of inputs of different shapes, which are repeated to fit."""

    is_keras = True

    @classmethod
    def lower(cls, layer: KerasLayer) -> SumOfShapes:
        return cls(layer, _sum, Share.LINEAR, all)


@register("Add")
@dataclass(frozen=True, eq=False)
class Add(Layer[None]):
    """The sum of inputs of one shape; each gets x / sum of the relevance."""

    faster_compiled = True
    path_nodes = 1

    @classmethod
    def lower(cls, layer: KerasLayer) -> Layer[Any]:
        if len(set(layer.input_shapes)) != 1:
            return SumOfShapes.lower(layer)
        return cls(layer)

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[None]:
        return Passed(tf.add_n(x), None)

    def backward(self, seen: Backward[None], how: Treatment) -> Shares:
        s = divided(seen.relevance, seen.y)
        return Shares([x * s for x in seen.x])

    def mask(self, x: list[Tensor], masks: list[Tensor | None]) -> Tensor | None:
        return joined_masks(masks)


@register("Concatenate", innvestigate=None)
@dataclass(frozen=True, eq=False)
class Concatenate(Moving):
    """Inputs side by side along one axis, which counts the event axis or is negative."""

    axis: int
    faster_compiled = True

    @classmethod
    def lower(cls, layer: KerasLayer) -> Concatenate:
        return cls(layer, int(layer.config["axis"]))

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[None]:
        return Passed(tf.concat(x, axis=self.axis), None)

    def backward(self, seen: Backward[None], how: Treatment) -> Shares:
        sizes = [x.shape[self.axis] for x in seen.x]
        return Shares(tf.split(seen.relevance, sizes, axis=self.axis))

    def mask(self, x: list[Tensor], masks: list[Tensor | None]) -> Tensor | None:
        """Along the axis of the steps, masks stand one after the other; along the features they are joined."""
        if all(mask is None for mask in masks):
            return None
        if self.axis % len(x[0].shape) != 1:
            return joined_masks(masks, side_by_side=True)
        whole = [tf.ones(tf.shape(own)[:2], bool) if m is None else m for own, m in zip(x, masks, strict=True)]
        return tf.concat(whole, axis=1)

    def move(self, parts: Sequence[Array]) -> Array:
        return np.concatenate(parts, self.axis - 1 if self.axis > 0 else self.axis)
