"""Paths of Integrated Gradients: frozen inputs do not move, and some particles exist at one end only.

A path from a baseline to an event is a straight line, except for elements that do not move on it:

- frozen inputs and columns have the values of the event all along;
- padded particles of the event stay padded: a particle that only the baseline has is left out;
- a particle that only the event has begins as a blank one, which is zero in all scaled columns, but exists.

So a mask that the network makes of its inputs is the same everywhere on the path, and equal to that of the event.
Otherwise the output would jump where the mask changes. No gradient sees a jump, and no number of nodes mends it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import keras
import numpy as np
import tensorflow as tf

from xaug.core.types import Array, Arrays
from xaug.explain.gradients.samples import Shapes
from xaug.networks.keras_versions import GET_ITEM, GraphCall, calls_of, is_graph

__all__ = ["NEARLY", "Line", "Padding", "Paths", "list_padding", "masked_padding"]

NEARLY = 1e-6
"""Share of a path after which particles that only the event has exist."""
MOVING = ("Reshape", "Permute", "Flatten", "Concatenate", "RepeatVector", "Cropping1D", *GET_ITEM)
"""Layers that move elements of their input as they are."""
NOTHING = ("Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "Masking")
"""Layers that move nothing."""


@dataclass(frozen=True, eq=False)
class Padding:
    """Steps that are padded where all of their elements have one value.

    Attributes
    ----------
    value : float
        value of padded elements
    elements : dict of (steps, columns) arrays of int
        by input name, the places of the elements of each step in the flattened input
    """

    value: float
    elements: Arrays

    def exists(self, x: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """(n, steps) whether a step is not padded, from flattened inputs by name."""
        real = [
            tf.reduce_any(tf.gather(x[name], places, axis=1) != self.value, axis=2)
            for name, places in self.elements.items()
        ]
        return tf.reduce_any(tf.stack(real), axis=0)

    def step_of(self, name: str, size: int) -> Array:
        """(size,) number of the step of each element of a flattened input; -1 for elements of none."""
        places = self.elements[name]
        found = np.full(size, -1)
        found[places] = np.arange(len(places))[:, None]
        return found


@dataclass(frozen=True, eq=False)
class Paths:
    """Elements that do not move along the paths.

    Attributes
    ----------
    shapes : dict
        by input name, the shape of an event's input
    frozen : dict of arrays of bool
        by input name, (size,) whether an element of the flattened input is frozen; only inputs with such elements
    paddings : tuple of Padding
    """

    shapes: Shapes
    frozen: Arrays = field(default_factory=dict)
    paddings: tuple[Padding, ...] = ()

    @property
    def are_straight(self) -> bool:
        """Whether everything moves on straight lines."""
        return not self.frozen and not self.paddings

    @property
    def key(self) -> str:
        """A digest."""
        digest = hashlib.blake2b(digest_size=16)
        for name, frozen in self.frozen.items():
            digest.update(name.encode() + frozen.tobytes())
        for padding in self.paddings:
            digest.update(repr((padding.value, {name: v.tolist() for name, v in padding.elements.items()})).encode())
        return digest.hexdigest()

    @property
    def begin(self) -> float:
        """The share of the path after which f is read for the baseline: particles of the event exist there."""
        return NEARLY if self.paddings else 0.0

    def is_frozen(self, name: str) -> bool:
        """Whether an input does not move at all."""
        return name in self.frozen and bool(self.frozen[name].all())

    def starts(self, x: Mapping[str, tf.Tensor], baseline: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The beginnings of the paths, from events and baselines as flattened inputs (pairs, size) by name."""
        found = dict(baseline)
        for padding in self.paddings:
            of_event, of_baseline = padding.exists(x), padding.exists(baseline)
            for name in padding.elements:
                step = padding.step_of(name, x[name].shape[1])
                here, there = (tf.gather(exists, np.maximum(step, 0), axis=1) for exists in (of_event, of_baseline))
                blank = tf.where(there, baseline[name], tf.zeros_like(baseline[name]))
                found[name] = tf.where(step >= 0, tf.where(here, blank, x[name]), found[name])
        for name, frozen in self.frozen.items():
            found[name] = tf.where(frozen, x[name], found[name])
        return found


@dataclass(frozen=True, eq=False)
class Line:
    """Paths of pairs from baselines to events, in the tensors that a network reads.

    Attributes
    ----------
    starts : list of tensors
        beginnings of the paths
    steps : list of tensors
        events less beginnings
    flat : tensor or None
        steps of the inputs of a linear stem, flattened and joined
    moving : list of int
        places of the tensors that move
    """

    starts: list[tf.Tensor]
    steps: list[tf.Tensor]
    flat: tf.Tensor | None
    moving: list[int]

    def at(self, alpha: tf.Tensor | float) -> list[tf.Tensor]:
        """The points at a share of the paths; of each path, if `alpha` is a vector."""
        found = list(self.starts)
        for i in self.moving:
            step = self.steps[i]
            is_vector = not isinstance(alpha, float) and len(alpha.shape) == 1
            share = tf.reshape(alpha, (-1, *[1] * (len(step.shape) - 1))) if is_vector else alpha
            found[i] = found[i] + share * step
        return found


# Padding --------------------------------------------------------------------------------------------------


def list_padding(values: Mapping[str, float], shapes: Shapes) -> tuple[Padding, ...]:
    """Padding of inputs whose steps are padded where all columns, on the last axis, have one value."""
    return tuple(
        Padding(value, {name: np.arange(int(np.prod(shapes[name]))).reshape(-1, shapes[name][-1])})
        for name, value in values.items()
    )


def masked_padding(model: keras.Model, shapes: Shapes) -> tuple[Padding, ...]:
    """The padding that the Masking layers of a network see, where they read the inputs as they are."""
    places, start = {}, 0
    for shape, tensor in zip(shapes.values(), model.inputs, strict=True):
        size = int(np.prod(shape))
        if tf.as_dtype(tensor.dtype).is_floating:
            places[id(tensor)] = np.arange(start, start + size).reshape(1, *shape)
        start += size
    found: list[Padding] = []
    _follow(model, places, shapes, found)
    return tuple(found)


def _follow(model: keras.Model, places: dict[int, Array], shapes: Shapes, found: list[Padding]) -> None:
    """Follow the places of inputs through the layers that only move them; collect the padding of Masking layers."""
    for call in calls_of(model):
        if not all(id(t) in places for t in call.inputs):
            continue
        layer, before = call.layer, [places[id(t)] for t in call.inputs]
        if call.kind == "Masking":
            found.append(_padding_of(float(layer.mask_value), before[0], shapes))
        if call.kind in NOTHING:
            places[id(call.outputs[0])] = before[0]
        elif call.kind in MOVING:
            places[id(call.outputs[0])] = _moved(call, places)
        elif isinstance(layer, keras.Model) and is_graph(layer):
            inner = {id(t): values for t, values in zip(layer.inputs, before, strict=True)}
            _follow(layer, inner, shapes, found)


def _moved(call: GraphCall, places: dict[int, Array]) -> Array:
    """The places behind a layer that moves elements; the layer itself moves their numbers."""
    values = {id(t): tf.constant(places[id(t)], tf.float64) for t in call.inputs}
    moved: Array = np.rint(tf.cast(call.on(values), tf.float64).numpy()).astype(int)
    return moved


def _padding_of(value: float, places: Array, shapes: Shapes) -> Padding:
    """Padding of a Masking layer that reads these places (1, ..., columns) of all inputs, flattened and joined."""
    steps, elements, start = places.reshape(-1, places.shape[-1]), {}, 0
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        of_input = (steps >= start) & (steps < start + size)
        columns = of_input.all(axis=0)
        if columns.any():
            elements[name] = steps[:, columns] - start
        start += size
    return Padding(value, elements)
