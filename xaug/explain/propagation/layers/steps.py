"""Steps of a list as events of their own and back, steps in reversed order, and masks handed around a layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf

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
from xaug.explain.propagation.linear_maps import Tensor

__all__ = ["EventsToSteps", "MaskOf", "ReversedSteps", "StepsMask", "StepsToEvents", "WithMask", "WithoutMask"]


@dataclass(frozen=True, eq=False)
class _Rearranged(Layer[None]):
    """Values at other places."""

    moves = True
    is_keras = False
    path_nodes = 1

    @classmethod
    def lower(cls, layer: KerasLayer) -> _Rearranged:
        return cls(layer)

    def never_negative(self, inputs: Sequence[bool]) -> bool:
        return inputs[0]

    def is_gate(self, inputs: Sequence[bool]) -> bool:
        return inputs[0]


@register("StepsToEvents")
class StepsToEvents(_Rearranged):
    """(n, steps, ...) to (n steps, ...)."""

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[None]:
        return Passed(tf.reshape(x[0], (-1, *shape_of(x[0])[1:])), None)

    def backward(self, seen: Backward[None], how: Treatment) -> Shares:
        return Shares([tf.reshape(seen.relevance, (-1, *shape_of(seen.x[0])))])


@register("EventsToSteps")
class EventsToSteps(_Rearranged):
    """(n steps, ...) to (n, steps, ...), with the mask of the second input."""

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[None]:
        steps = x[1].shape[1]
        return Passed(tf.reshape(x[0], (-1, steps, *shape_of(x[0]))), None)

    def backward(self, seen: Backward[None], how: Treatment) -> Shares:
        return Shares([tf.reshape(seen.relevance, (-1, *shape_of(seen.x[0]))), None])

    def mask(self, x: list[Tensor], masks: list[Tensor | None]) -> Tensor | None:
        return tf.cast(x[1], tf.bool) if self.source.config["explicit"] else masks[1]


@register("MaskOf")
class MaskOf(_Rearranged):
    """The first input as it is, with the mask of the second."""

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[None]:
        return Passed(x[0], None)

    def backward(self, seen: Backward[None], how: Treatment) -> Shares:
        return Shares([seen.relevance, None])

    def mask(self, x: list[Tensor], masks: list[Tensor | None]) -> Tensor | None:
        return masks[1]


@register("WithMask")
class WithMask(_Rearranged):
    """The first input as it is, with the mask that the second one is."""

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[None]:
        return Passed(x[0], None)

    def backward(self, seen: Backward[None], how: Treatment) -> Shares:
        return Shares([seen.relevance, None])

    def mask(self, x: list[Tensor], masks: list[Tensor | None]) -> Tensor | None:
        return tf.cast(x[1], tf.bool)


@register("WithoutMask")
class WithoutMask(_Rearranged):
    """The input as it is; its mask ends here."""

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[None]:
        return Passed(x[0], None)

    def backward(self, seen: Backward[None], how: Treatment) -> Shares:
        return Shares([seen.relevance])


@register("StepsMask")
class StepsMask(_Rearranged):
    """The mask of its input, as a tensor that operations read."""

    moves = False

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[None]:
        return Passed(tf.ones(tf.shape(x[0])[:2], tf.bool) if masks[0] is None else masks[0], None)

    def backward(self, seen: Backward[None], how: Treatment) -> Shares:
        return Shares([None])

    def never_negative(self, inputs: Sequence[bool]) -> bool:
        return True

    def is_gate(self, inputs: Sequence[bool]) -> bool:
        return True


@register("ReversedSteps")
class ReversedSteps(_Rearranged):
    """Outputs of a backward recurrent layer in the order of the steps; that layer hands on the mask in this order."""

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[None]:
        return Passed(tf.reverse(x[0], [1]), None)

    def backward(self, seen: Backward[None], how: Treatment) -> Shares:
        return Shares([tf.reverse(seen.relevance, [1])])

    def mask(self, x: list[Tensor], masks: list[Tensor | None]) -> Tensor | None:
        return masks[0]
