"""The head of a Keras model: what stands before its softmax or sigmoid, as a function of the inputs.

What may stand behind a head, and what a head is, is told by `xaug.explain.propagation.heads` for LRP as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from xaug.core.errors import ModelError
from xaug.explain.propagation.expansions import take_apart
from xaug.explain.propagation.heads import COMBINING, HEADS, hands_on, hidden_head
from xaug.explain.propagation.layers.activation import head_of
from xaug.explain.propagation.layers.tensor_operations import operation_name, share_of
from xaug.explain.targets import functional
from xaug.networks.keras_versions import OPERATIONS, call_of, config_of, is_graph, kind_of, origin

__all__ = ["Function", "before_head", "whole"]

Function = Callable[[list[tf.Tensor]], tf.Tensor]
"""A function of the list of a model's inputs, each (n, ...); it returns (n, units)."""
AS_IT_IS = "explain the output as it is, with output='value'"


def _call(model: keras.Model, x: list[tf.Tensor]) -> tf.Tensor:
    found = model(x if len(x) > 1 else x[0], training=False)
    return tf.cast(found, tf.float32)


def whole(model: keras.Model, tensor: tf.Tensor) -> Function:
    """The model itself, as a function to (n, units)."""
    inside = keras.Model(model.inputs, tensor)
    if len(tensor.shape) == 1:
        return lambda x: _call(inside, x)[:, None]
    return lambda x: _call(inside, x)


def before_head(model: keras.Model, tensor: tf.Tensor) -> tuple[Function, str]:
    """The numbers before the softmax or sigmoid of an output, and which of the two it is ("linear": neither).

    Raises
    ------
    ModelError
        if the output is made of probabilities, or of another function of numbers that nobody would call logits
    """
    function, head = _before_head(model, tensor)
    if head not in HEADS:
        hidden = _hidden_head(model, tensor)
        if hidden is not None:
            raise ModelError(
                f"model {model.name!r} ends behind the softmax or sigmoid of layer {hidden!r}, so that its output is "
                f"made of probabilities. Remedy: {AS_IT_IS}"
            )
    return function, head


def _hidden_head(model: keras.Model, tensor: tf.Tensor) -> str | None:
    """The layer whose probabilities an output is made of, inside nested models too where these can be taken apart."""
    inside = keras.Model(model.inputs, tensor)
    try:
        calls = take_apart(inside)
    except ModelError:  # for Integrated Gradients, which need no rule for its layers
        return _named_head(tensor)
    return hidden_head(calls.calls, calls.end)


def _before_head(model: keras.Model, tensor: tf.Tensor) -> tuple[Function, str]:
    """See `before_head`."""
    layer, sources = origin(tensor).layer, list(call_of(tensor).inputs)
    kind = kind_of(layer)
    if isinstance(layer, keras.Model):
        return _before_nested_head(model, layer, sources, origin(tensor).output)
    name = operation_name(config_of(layer)) if kind in OPERATIONS else _name_of_activation(layer)
    if len(sources) == 1 and hands_on(kind, name, sources[0].shape[1:], tensor.shape[1:]):
        function, head = _before_head(model, sources[0])
        if head not in HEADS:
            return whole(model, tensor), "linear"
        units = math.prod(tensor.shape[1:])
        return (lambda x: tf.reshape(function(x), (-1, units))), head
    activation = _activation(layer)
    if kind in ("Activation", "Softmax", *OPERATIONS) and activation in HEADS and len(sources) == 1:
        return whole(model, sources[0]), str(activation)
    if kind == "Dense" and activation in HEADS:
        before, linear = keras.Model(model.inputs, sources), _without_activation(layer)
        return (lambda x: linear(_call(before, x))), activation
    if activation == "linear":
        return whole(model, tensor), "linear"
    raise ModelError(
        f"model {model.name!r} ends in layer {layer.name!r} ({kind}, activation {activation!r}), which is neither a "
        f"softmax or sigmoid nor linear, so that its logits are not known. Remedy: {AS_IT_IS}"
    )


def _before_nested_head(
    model: keras.Model, nested: keras.Model, sources: Sequence[tf.Tensor], index: int
) -> tuple[Function, str]:
    """The numbers before the head of a model inside the model."""
    inside = functional(nested) if is_graph(nested) else _made_functional(nested, sources)
    inner, head = _before_head(inside, tf.nest.flatten(inside.outputs)[index])
    outer = keras.Model(model.inputs, list(sources))

    def function(x: list[tf.Tensor]) -> tf.Tensor:
        return inner(tf.nest.flatten(outer(x if len(x) > 1 else x[0], training=False)))

    return function, head


def _made_functional(nested: keras.Model, sources: Sequence[tf.Tensor]) -> keras.Model:
    """A model of a class of the user's own, of one input, as the layers that its `call` consists of."""
    try:
        (source,) = sources
        x = keras.Input(source.shape[1:], dtype=source.dtype)
        return keras.Model(x, nested.call(x))
    except Exception as error:  # whatever code of the user's own may raise
        raise ModelError(
            f"model {nested.name!r} ({type(nested).__name__}) inside the model is of a class of its own, and its head "
            f"cannot be found: {(str(error).strip().splitlines() or ['no reason'])[0][:200]}. Remedy: {AS_IT_IS}"
        ) from None


LINEAR = ("Dropout", "Add", "Subtract", "Average", "Concatenate", "Reshape", "Flatten", "Rescaling",
          "BatchNormalization", "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D",
          "GlobalMaxPooling1D", "GlobalMaxPooling2D", "Permute", "Multiply", "Dot")  # fmt: skip
"""Keras classes without an activation that may stand last."""


def _named_head(tensor: tf.Tensor) -> str | None:
    """The softmax or sigmoid that an output is made of by layers without a function of their own; None without one."""
    layer = origin(tensor).layer
    if isinstance(layer, keras.Model) and is_graph(layer):
        return _named_head(tf.nest.flatten(functional(layer).outputs)[origin(tensor).output])
    if isinstance(layer, (keras.Model, keras.layers.InputLayer)):
        return None
    activation = _activation(layer)
    if activation in HEADS:
        return str(layer.name)
    if activation != "linear" or getattr(layer, "weights", None):
        return None
    return next(filter(None, map(_named_head, call_of(tensor).inputs)), None)


def _activation(layer: keras.layers.Layer) -> str | None:
    """Name of the function that a layer applies last; "linear" if there is none; None where it is not known."""
    kind = kind_of(layer)
    if kind == "Softmax":
        return "softmax" if layer.axis in (-1, 1) else None
    if kind in OPERATIONS:
        name = operation_name(config_of(layer))
        linear = "linear" if share_of(name) in COMBINING else None
        return head_of(name) or linear
    if kind in LINEAR:
        return "linear"
    own = _name_of_activation(layer)
    return head_of(own) or own


def _name_of_activation(layer: keras.layers.Layer) -> str | None:
    return getattr(getattr(layer, "activation", None), "__name__", None)


def _without_activation(dense: keras.layers.Dense) -> Callable[[tf.Tensor], tf.Tensor]:
    """The linear part of a dense layer that reads vectors."""

    def linear(x: tf.Tensor) -> tf.Tensor:
        y = tf.tensordot(x, dense.kernel, 1)
        return y if dense.bias is None else y + dense.bias

    return linear
