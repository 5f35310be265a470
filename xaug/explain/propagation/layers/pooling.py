"""Pooling layers: the winner takes all in a maximum, a mean shares by contribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from xaug.explain.propagation.layers.base import Backward, KerasLayer, Layer, Passed, Shares, Treatment, register
from xaug.explain.propagation.linear_maps import Tensor, divided
from xaug.explain.propagation.multipliers import Ends, of_extreme

__all__ = ["AveragePooling", "GlobalAveragePooling", "GlobalMaxPooling", "MaxPooling"]


class PooledImages(NamedTuple):
    """Input and output of a pooling as images of four axes."""

    image: Tensor
    pooled: Tensor


class Winners(NamedTuple):
    """Flattened inputs (rows, size) of a maximum, its outputs (rows, windows), and the places that they are from."""

    x: Tensor
    y: Tensor
    place: Tensor


@dataclass(frozen=True, eq=False)
class _Windows(Layer[PooledImages]):
    """A pooling over windows along one or two axes; masks end here, as in Keras.

    A list is pooled as an image of one row.
    """

    size: tuple[int, ...]
    strides: tuple[int, ...]
    padding: str

    @classmethod
    def lower(cls, layer: KerasLayer) -> _Windows:
        size, strides = (
            tuple(int(n) for n in np.atleast_1d(layer.config[option])) for option in ("pool_size", "strides")
        )
        return cls(layer, size, strides, layer.config["padding"])

    def _options(self) -> dict[str, Any]:
        """Window, strides and padding as operations on images take them."""
        one = (1,) if len(self.size) == 1 else ()
        return {
            "ksize": [1, *one, *self.size, 1],
            "strides": [1, *one, *self.strides, 1],
            "padding": self.padding.upper(),
        }

    def _image(self, x: Tensor) -> Tensor:
        return x[:, None] if len(self.size) == 1 else x

    def _back(self, image: Tensor) -> Tensor:
        return image[:, 0] if len(self.size) == 1 else image

    def never_negative(self, inputs: Sequence[bool]) -> bool:
        return all(inputs)


@register("MaxPooling1D", "MaxPooling2D", innvestigate=None)
class MaxPooling(_Windows):
    """The largest value of each window; all of the relevance goes to it, to the first one of equals."""

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[PooledImages]:
        image = self._image(x[0])
        pooled = tf.nn.max_pool2d(image, **self._options())
        return Passed(self._back(pooled), PooledImages(image, pooled))

    def backward(self, seen: Backward[PooledImages], how: Treatment) -> Shares:
        """TensorFlow remembers the winners only if the gradient reads the very tensors of the pooling: then it is five
        times faster."""
        image, pooled = seen.record
        relevance = self._image(seen.relevance)
        share = tf.raw_ops.MaxPoolGrad(orig_input=image, orig_output=pooled, grad=relevance, **self._options())
        return Shares([self._back(share)])

    def multipliers(self, ends: Ends, how: Treatment) -> Sequence[Tensor | None]:
        """Those of `of_extreme`, where the winners of each event and each reference are looked for once."""
        pairing, (at_event, at_reference) = (
            ends.pairing,
            [self._winners(end.x[0]) for end in (ends.event, ends.reference)],
        )
        rise = pairing.joined(tf.subtract, at_event.y, at_reference.y)
        step = tf.where(
            rise > 0,
            pairing.of_events(at_event.y) - pairing.references_at(at_reference.x, at_event.place),
            pairing.events_at(at_event.x, at_reference.place) - pairing.of_references(at_reference.y),
        )
        place = tf.where(rise > 0, pairing.of_events(at_event.place), pairing.of_references(at_reference.place))
        multiplier = self._image(ends.multiplier)
        factors = tf.reshape(tf.math.divide_no_nan(rise, step), tf.shape(multiplier)) * multiplier
        shape = [tf.shape(factors)[0], *self._image(ends.event.x[0]).shape[1:]]
        found = tf.raw_ops.MaxPoolGradWithArgmax(
            input=tf.zeros(shape, factors.dtype), grad=factors, argmax=tf.reshape(place, tf.shape(factors)),
            **self._options(),
        )  # fmt: skip
        return [self._back(found)]

    def _winners(self, x: Tensor) -> Winners:
        """The winners of all windows."""
        image = self._image(x)
        pooled, place = tf.nn.max_pool_with_argmax(image, **self._options())
        size, number = (int(np.prod(one.shape[1:])) for one in (image, pooled))
        return Winners(tf.reshape(image, (-1, size)), tf.reshape(pooled, (-1, number)), tf.reshape(place, (-1, number)))


@register("AveragePooling1D", "AveragePooling2D")
class AveragePooling(_Windows):
    """The mean of each window; its inputs share by their contributions."""

    path_nodes = 1

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[PooledImages]:
        image = self._image(x[0])
        pooled = tf.nn.avg_pool2d(image, **self._options())
        return Passed(self._back(pooled), PooledImages(image, pooled))

    def backward(self, seen: Backward[PooledImages], how: Treatment) -> Shares:
        image, s = self._image(seen.x[0]), self._image(divided(seen.relevance, seen.y))
        share = image * tf.raw_ops.AvgPoolGrad(orig_input_shape=tf.shape(image), grad=s, **self._options())
        return Shares([self._back(share)])


@dataclass(frozen=True, eq=False)
class _Global(Layer[Tensor | None]):
    """A pooling over all places of a list or an image, that is over `axes`."""

    shape: tuple[int, ...]
    axes: tuple[int, ...]

    @classmethod
    def lower(cls, layer: KerasLayer) -> _Global:
        return cls(layer, layer.shape, tuple(range(1, len(layer.input_shapes[0]))))

    def _spread(self, values: Tensor) -> Tensor:
        """Values of the output, as broadcastable over the input."""
        return tf.reshape(values, (-1, *[1] * len(self.axes), self.shape[-1]))

    def never_negative(self, inputs: Sequence[bool]) -> bool:
        return all(inputs)


@register("GlobalMaxPooling1D", "GlobalMaxPooling2D")
class GlobalMaxPooling(_Global):
    """The largest value of each channel; all of the relevance goes to it, winners of equal value share.

    Padded steps take part, as in Keras: their mask is ignored and ends here.
    """

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[Tensor | None]:
        return Passed(tf.reshape(tf.reduce_max(x[0], self.axes), (-1, *self.shape)), None)

    def backward(self, seen: Backward[Tensor | None], how: Treatment) -> Shares:
        x = seen.x[0]
        wins = tf.cast(tf.equal(x, self._spread(seen.y)), x.dtype)
        return Shares([wins / tf.reduce_sum(wins, self.axes, keepdims=True) * self._spread(seen.relevance)])

    def multipliers(self, ends: Ends, how: Treatment) -> Sequence[Tensor | None]:
        return of_extreme(lambda x: self.forward(x, ends.masks, how).y, ends)


@register("GlobalAveragePooling1D", "GlobalAveragePooling2D")
class GlobalAveragePooling(_Global):
    """The mean of each channel; its inputs share by their contributions.

    A mask of steps is consumed, as in Keras: the mean is that of the real steps. The record is the weight of every
    step, or None where there is no mask.
    """

    path_nodes = 1

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[Tensor | None]:
        mask = masks[0] if len(self.axes) == 1 else None
        if mask is None:
            return Passed(tf.reshape(tf.reduce_mean(x[0], self.axes), (-1, *self.shape)), None)
        real = tf.cast(mask, x[0].dtype)[..., None]
        weight = real / tf.reduce_sum(real, 1, keepdims=True)
        return Passed(tf.reshape(tf.reduce_sum(x[0] * weight, 1), (-1, *self.shape)), weight)

    def backward(self, seen: Backward[Tensor | None], how: Treatment) -> Shares:
        x, s = seen.x[0], self._spread(divided(seen.relevance, seen.y))
        if seen.record is not None:
            return Shares([x * seen.record * s])
        return Shares([x * s / np.prod([x.shape[axis] for axis in self.axes])])
