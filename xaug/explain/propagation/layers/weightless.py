"""Layers without weights that Keras computes: padding, cropping, up-sampling, merging, pooling in three dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from xaug.explain.propagation.layers.base import Backward, KerasLayer, Passed, Shares, Treatment, register
from xaug.explain.propagation.layers.operation import Operation, Share, summed_to
from xaug.explain.propagation.linear_maps import Tensor, divided
from xaug.explain.propagation.multipliers import Ends
from xaug.networks.keras_versions import is_keras_3

__all__ = ["MaskedMerge", "Weightless", "keras_function"]

SHARES = {
    Share.MOVED: (
        "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D", "Cropping1D", "Cropping2D", "Cropping3D", "UpSampling1D",
        "UpSampling2D", "UpSampling3D", "RepeatVector", "MaxPooling3D", "GlobalMaxPooling3D", "Maximum", "Minimum",
    ),
    Share.LINEAR: ("AveragePooling3D", "GlobalAveragePooling3D", "Average", "Subtract", "Resizing", "CenterCrop"),
    Share.PRODUCT: ("Multiply", "Dot"),
}  # fmt: skip
"""Keras classes by how they share relevance."""
_SHARE_OF = {kind: share for share, kinds in SHARES.items() for kind in kinds}
CHANGES_SIGN = ("Subtract",)
EXTREMES = {"Maximum": True, "Minimum": False, "MaxPooling3D": True, "GlobalMaxPooling3D": True}
"""Classes whose outputs are the largest (True) or the smallest (False) of some inputs."""


def keras_function(layer: KerasLayer) -> keras.layers.Layer:
    """A Keras layer of the same kind and options, whose `call` takes tensors of any precision."""
    twin = getattr(keras.layers, layer.kind).from_config({**layer.config, "dtype": "float32"})
    shapes = [(None, *shape) for shape in layer.input_shapes]
    twin.build(shapes[0] if len(shapes) == 1 else shapes)
    return twin


@register(*_SHARE_OF)
@dataclass(frozen=True, eq=False)
class Weightless(Operation):
    """A layer without weights; Keras says whether it hands on a mask."""

    is_keras = True

    @classmethod
    def lower(cls, layer: KerasLayer) -> Weightless:
        share = _SHARE_OF[layer.kind]
        if layer.config.get("interpolation", "nearest") != "nearest":
            share = Share.LINEAR
        twin = keras_function(layer)

        def compute(x: list[Tensor]) -> Tensor:
            if layer.kind == "AveragePooling3D":
                return _mean_of_cubes(layer, x[0])
            if layer.kind == "MaxPooling3D":  # TensorFlow has it in float32 alone
                return tf.cast(twin.call(tf.cast(x[0], tf.float32)), x[0].dtype)
            return twin.call(x[0] if len(x) == 1 else x)

        keeps = layer.kind not in CHANGES_SIGN
        made = MaskedMerge if is_keras_3() and layer.kind in READ_MASKS else cls
        return made(layer, compute, share, lambda inputs: keeps and all(inputs))

    @property
    def extreme(self) -> bool | None:
        return EXTREMES.get(self.source.kind)

    def mask(self, x: list[Tensor], masks: list[Tensor | None]) -> Tensor | None:
        return None if self.source.kind == "Dot" else super().mask(x, masks)


READ_MASKS = ("Multiply", "Maximum", "Minimum")
"""Classes that leave padded steps of an input out, in Keras 3."""


@dataclass(frozen=True, eq=False)
class MaskedMerge(Weightless):
    """A product, maximum or minimum of the inputs whose step is real, as Keras 3 computes it; the record are the masks.

    A padded step gets nothing. Relevance of a product is shared equally by the real factors that are signals, and by
    the gates among them where no real factor is a signal.
    """

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[Any]:
        return Passed(self._of_real(masks).function(x), masks)

    def _of_real(self, masks: Sequence[Tensor | None]) -> Weightless:
        """The same of inputs that carry masks, as Keras reads them."""

        def compute(x: list[Tensor]) -> Tensor:
            carrying = [tf.identity(one) for one in x]
            for one, mask in zip(carrying, masks, strict=True):
                one._keras_mask = mask
            return self.function(carrying)

        return Weightless(self.source, compute, self.share, self.sign)

    def backward(self, seen: Backward[Any], how: Treatment) -> Shares:
        if self.share is not Share.PRODUCT or all(mask is None for mask in seen.record):
            return self._of_real(seen.record).backward(seen, how)
        one, arrived = tf.ones_like(seen.y), seen.y * divided(seen.relevance, seen.y)
        real = [one if mask is None else one * tf.cast(mask[..., None], one.dtype) for mask in seen.record]
        gates = how.gates or (False,) * len(real)
        signals = [own * (0.0 if gate else 1.0) for own, gate in zip(real, gates, strict=True)]
        counted = [tf.where(tf.add_n(signals) > 0, *pair) for pair in zip(signals, real, strict=True)]
        parts = [divided(arrived * own, tf.add_n(counted)) for own in counted]
        return Shares([summed_to(x, part) for x, part in zip(seen.x, parts, strict=True)])

    def multipliers(self, ends: Ends, how: Treatment) -> Sequence[Tensor | None]:
        return self._of_real(ends.masks).multipliers(ends, how)


def _mean_of_cubes(layer: KerasLayer, x: Tensor) -> Tensor:
    """The mean of each window by a convolution, since TensorFlow pools cubes in float32 alone."""
    size, strides = (np.atleast_1d(layer.config[option]).astype(int) for option in ("pool_size", "strides"))
    ones = tf.ones((*size, 1, 1), x.dtype)

    def total(v: Tensor) -> Tensor:
        return tf.nn.convolution(v, ones, list(strides), layer.config["padding"].upper(), "NDHWC")

    sums = tf.concat([total(channel) for channel in tf.split(x, x.shape[-1], -1)], -1)
    return sums / total(tf.ones((1, *x.shape[1:-1], 1), x.dtype))
