"""Integrated Gradients of tokens: the path runs between the vectors that a first layer gives them.

There is no path between integers. So the network is taken behind the layers that read them (an Embedding, or a layer
of the user's own such as an embedding of tokens and positions): its input holds the vectors, and beside them the tokens
of the event, which make the masks and do not move. Tokens may be of type float32, which Keras takes where a model names
no type. A token gets the sum of the attributions of its vector, as M. Sundararajan, A. Taly, Q. Yan do with words
(arXiv:1703.01365, section 6).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from xaug.core.types import Array, Arrays
from xaug.networks.keras_versions import OPERATIONS, GraphCall, arranged, calls_of, input_names, is_keras_3

__all__ = ["TokenInputs", "token_inputs"]


class _Given(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """The vectors that an input holds in some columns, in place of the layer that computed them from tokens."""

    def __init__(self, layer: keras.layers.Layer, columns: slice):
        super().__init__(name=layer.name)
        self._computes: list[Any] = [layer]  # in a list of plain Python, so that its weights are not counted
        self._columns = columns
        self.supports_masking = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return inputs[..., self._columns]

    def compute_mask(self, inputs: tf.Tensor, mask: Any = None) -> Any:
        layer = self._computes[0]
        return layer.compute_mask(inputs[..., 0]) if layer.supports_masking or hasattr(layer, "mask_zero") else None


class _Borrowed(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """A layer that cannot be copied, called as it is."""

    def __init__(self, layer: keras.layers.Layer):
        super().__init__(name=layer.name)
        self._layer = layer
        self.supports_masking = layer.supports_masking

    def call(self, *inputs: Any, **options: Any) -> Any:
        return self._layer(*inputs, **options)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return self._layer.compute_mask(inputs, mask) if self.supports_masking else None


@dataclass(frozen=True, eq=False)
class TokenInputs:
    """A network behind the layers that read its tokens.

    Attributes
    ----------
    model : keras.Model
        the network, whose inputs of tokens hold (..., 1 + width) numbers: the token and its vectors
    layers : dict of list of layers
        by input of tokens, the layers that read it
    """

    model: keras.Model
    layers: Mapping[str, Sequence[keras.layers.Layer]] = field(default_factory=dict)

    def packed(self, arrays: Arrays) -> Arrays:
        """Inputs in which tokens (n, ...) are replaced by themselves and their vectors (n, ..., 1 + width)."""
        found = dict(arrays)
        for name, layers in self.layers.items():
            tokens: Array = arrays[name]
            vectors = [layer(tf.constant(tokens)).numpy() for layer in layers]
            found[name] = np.concatenate([tokens[..., None], *vectors], axis=-1).astype(np.float32)
        return found

    def frozen(self, fixed: Arrays, shapes: Mapping[str, tuple[int, ...]], packed: Arrays) -> Arrays:
        """Frozen elements of the packed inputs: tokens themselves do not move."""
        found = dict(fixed)
        for name in self.layers:
            elements = np.zeros(packed[name].shape[1:], bool)
            elements[..., 0] = True
            if name in fixed:
                elements |= fixed[name].reshape(*shapes[name], 1)
            found[name] = elements.reshape(-1)
        return found

    def by_token(self, attribution: Arrays) -> Arrays:
        """Attributions of the inputs as they were given: each token has the sum over its vector."""
        return {name: values.sum(axis=-1) if name in self.layers else values for name, values in attribution.items()}


def token_inputs(model: keras.Model, frozen: Sequence[str] = ()) -> TokenInputs:
    """The network behind the layers that read its tokens.

    Parameters
    ----------
    model : keras.Model
        functional model
    frozen : sequence of str
        inputs that do not move, and so stay as they are

    Returns
    -------
    TokenInputs
        with the model itself where it has no tokens, or where they go to anything but layers that give each a vector
    """
    tensors = dict(zip(input_names(model), model.inputs, strict=True))
    readers = {name: layers for name, layers in _token_readers(model, tensors).items() if name not in frozen}
    if not readers or any(layers is None for layers in readers.values()):
        return TokenInputs(model)
    known = {name: layers for name, layers in readers.items() if layers is not None}
    columns = _columns(known)
    if columns is None:
        return TokenInputs(model)

    def copied(layer: keras.layers.Layer) -> keras.layers.Layer:
        if layer in columns:
            return _Given(layer, columns[layer])
        try:
            if not type(layer).__module__.startswith("keras."):
                return _Borrowed(layer)
            return type(layer).from_config(layer.get_config())
        except (NotImplementedError, OSError, TypeError, ValueError):
            return _Borrowed(layer)

    inputs = []
    for name, tensor in tensors.items():
        width, dtype = [], tensor.dtype
        if name in known:
            width, dtype = [1 + sum(map(_width, known[name]))], "float32"
        inputs.append(keras.Input((*tensor.shape[1:], *width), name=name, dtype=dtype))
    copy = _rebuilt(model, inputs, copied)
    for twin in copy.layers:
        layer = model.get_layer(twin.name)
        if not isinstance(twin, (_Given, _Borrowed)) and layer.weights:
            twin.set_weights(layer.get_weights())
    return TokenInputs(copy, known)


def _calls_that_count(model: keras.Model) -> list[GraphCall]:
    """Calls that the outputs depend on, each after those that it reads.

    Keras 3 has calls beside them that make masks of the tokens, which the tensors of a copy carry by themselves.
    """
    found: list[GraphCall] = []
    wanted = {id(tensor) for tensor in model.outputs}
    for call in reversed(calls_of(model)):
        if any(id(tensor) in wanted for tensor in call.outputs):
            found.append(call)
            wanted |= {id(tensor) for tensor in call.inputs}
    return found[::-1]


def _rebuilt(model: keras.Model, inputs: Sequence[Any], copied: Callable[[Any], Any]) -> keras.Model:
    """The model on other inputs, with copies of its layers."""
    twins: dict[int, Any] = {}
    known = {id(tensor): own for tensor, own in zip(model.inputs, inputs, strict=True)}
    for call in _calls_that_count(model):
        if id(call.layer) not in twins:
            twins[id(call.layer)] = copied(call.layer)
        arguments, options = call.given(known)
        outputs = tf.nest.flatten(twins[id(call.layer)](*arguments, **options))
        known |= {id(tensor): own for tensor, own in zip(call.outputs, outputs, strict=True)}
    outputs = tf.nest.map_structure(lambda tensor: known[id(tensor)], model.output)
    return keras.Model(arranged(model, list(inputs)), outputs, name=model.name)


def _token_readers(model: keras.Model, tensors: Mapping[str, Any]) -> dict[str, list[keras.layers.Layer] | None]:
    """By input that holds tokens, the layers that read it; None if they do not give each of its numbers a vector."""
    found = {}
    for name, tensor in tensors.items():
        layers = _readers(model, tensor)
        is_integer = tf.as_dtype(tensor.dtype).is_integer
        if is_integer or (layers and all(_reads_integers(layer, tensor) for layer in layers)):
            found[name] = layers
    return found


def _readers(model: keras.Model, tensor: Any) -> list[keras.layers.Layer] | None:
    """Layers that read an input and give each of its numbers a vector; None if anything else reads it."""
    found: list[keras.layers.Layer] = []
    for call in _calls_that_count(model):
        if all(source is not tensor for source in call.inputs):
            continue
        if not len(call.inputs) == len(call.outputs) == 1 or call.kind in OPERATIONS:
            return None
        (output,) = call.outputs
        is_vector = tuple(output.shape[1:-1]) == tuple(tensor.shape[1:])
        if not tf.as_dtype(output.dtype).is_floating or not is_vector:
            return None
        if call.layer not in found:
            found.append(call.layer)
    return found or None


def _reads_integers(layer: keras.layers.Layer, tensor: Any) -> bool:
    """Whether a layer takes an input of numbers for integers, as an Embedding does: it has no gradient then."""
    zeros = tf.zeros([size or 1 for size in tensor.shape], tensor.dtype)
    with tf.GradientTape() as tape:
        tape.watch(zeros)
        vectors = layer(zeros)
    return tape.gradient(vectors, zeros) is None


def _columns(readers: Mapping[str, Sequence[keras.layers.Layer]]) -> dict[keras.layers.Layer, slice] | None:
    """Columns of the packed inputs by layer; None where a layer would have others in each input that it reads."""
    found: dict[keras.layers.Layer, slice] = {}
    for layers in readers.values():
        start = 1
        for layer in layers:
            columns = slice(start, start + _width(layer))
            if found.setdefault(layer, columns) != columns:
                return None
            start = columns.stop
    return found


def _width(layer: keras.layers.Layer) -> int:
    """Length of the vectors that a layer gives."""
    return int(layer.output.shape[-1] if is_keras_3() else layer.get_output_shape_at(0)[-1])
