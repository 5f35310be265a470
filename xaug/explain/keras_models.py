"""Any Keras model as methods of explanation read it: one output, without its head, computed in float32.

The user's model is never changed. Its own layers are used where they compute in float32; a model of mixed precision or
float64 is copied to float32 first.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import keras
import numpy as np
import tensorflow as tf

from xaug.core.errors import ConfigurationError, ModelError, XaugError, unknown_name
from xaug.core.types import Array
from xaug.explain.propagation.layers.operation import Share
from xaug.explain.propagation.layers.tensor_operations import operation_name, share_of
from xaug.explain.targets import functional
from xaug.networks.keras_versions import (
    OPERATIONS,
    call_of,
    config_of,
    in_float32,
    kind_of,
    origin,
    outputs_by_key,
)

__all__ = ["KINDS", "ModelOutput", "choose_output", "float32_layers", "plain_errors", "read_output", "weights_digest"]

KINDS = ("logit", "probability", "value")
"""Kinds of explained numbers: the neuron before its softmax or sigmoid, the number behind it, or the output as
it is, whatever its last layer."""
Function = Callable[[list[tf.Tensor]], tf.Tensor]
"""A function of the list of a model's inputs, each (n, ...); it returns (n, units)."""
AS_IT_IS = "explain the output as it is, with output='value'"


@dataclass(frozen=True, eq=False)
class ModelOutput:
    """One output of a Keras model, in float32.

    Attributes
    ----------
    source : keras.Model
        the model that was given
    output : str
        the output that was asked for
    model : keras.Model
        functional model from the list of all inputs to the output
    function : callable
        function of a list of inputs that returns the numbers before the head, (n, units)
    head : str
        "softmax" or "sigmoid" if the output is that of `function`, "linear" if it is `function` itself
    units : int
        number of outputs
    kind : str
        what is explained, one of `KINDS`
    """

    source: keras.Model
    output: str
    model: keras.Model
    function: Function
    head: str
    units: int
    kind: str

    @property
    def name(self) -> str:
        """The name of the model, for messages."""
        return str(self.model.name)

    @cached_property
    def description(self) -> str | None:
        """The configuration of the model as text; None for layers of one's own that say nothing about themselves."""
        try:
            return json.dumps(self.model.get_config(), sort_keys=True, default=str)
        except (NotImplementedError, TypeError, ValueError):
            return None

    @property
    def shares_layers(self) -> bool:
        """Whether `model` is made of the layers of `source`, and no copy of them."""
        return {id(layer) for layer in self.model.layers} <= {id(layer) for layer in self.source.layers}


def read_output(model: object, output: str = "logit") -> ModelOutput:
    """Choose an output of a model, and take its head off.

    Parameters
    ----------
    model : keras.Model
        functional or Sequential model
    output : str
        one of `KINDS`; for a model with several outputs the name of one, or `name:kind`

    Returns
    -------
    ModelOutput

    Raises
    ------
    ConfigurationError
        if there is no such output, or it has no probability
    ModelError
        if the model is no functional model, or the end of the output is not understood
    """
    key = (id(model), output, _facts(model))
    known = _read.get(key)
    if known is not None and known.source is model:
        _check_weights(known.model)
    else:
        network = functional(model)
        _check_weights(network)
        known = _read_output(model, network, output)
        if known.shares_layers:  # a copy in float32 would not see that the model is trained on
            _read[key] = known
            while len(_read) > KEPT:
                _read.popitem(last=False)
    return known


KEPT = 16
"""Models whose output was read and is kept; the one that came first goes first."""
_read: OrderedDict[tuple[object, ...], ModelOutput] = OrderedDict()


def _facts(model: object) -> tuple[object, ...]:
    """Facts about a model that can be changed in place, and on which its outputs depend."""
    layers = list(model._flatten_layers()) if isinstance(model, keras.Model) else []
    return tuple((id(layer), id(getattr(layer, "activation", None)), layer.compute_dtype) for layer in layers)


def _read_output(model: keras.Model, network: keras.Model, output: str) -> ModelOutput:
    """The output that is explained, of a model that was not read before."""
    index, kind = choose_output(network, output)
    with float32_layers(), plain_errors(network.name):
        copy = _in_float32(network)
        tensor = tf.nest.flatten(copy.outputs)[index]
        if len(copy.outputs) > 1 or not isinstance(copy.input, list):
            copy = keras.Model(copy.inputs, tensor, name=network.name)
        function, head = (_whole(copy, tensor), "linear") if kind == "value" else (None, "")
        if function is None:
            function, head = _before_head(copy, tensor)
    units = _units(network.name, tensor)
    if head == "linear" and kind == "probability":
        raise ConfigurationError(
            f"output 'probability': model {network.name!r} ends without softmax or sigmoid. Append the one that it was "
            "trained with, as keras.layers.Softmax() or keras.layers.Activation('sigmoid'), or choose output='value'"
        )
    if head == "softmax" and units == 1:
        raise ModelError(
            f"model {network.name!r}: its output is a softmax of one number, which is 1 whatever the event. It was "
            "trained in vain; a sigmoid is right for one output"
        )
    return ModelOutput(model, output, copy, function, head, units, kind)


def _check_weights(model: keras.Model) -> None:
    """Refuse a model with weights that are not finite."""
    for layer in model._flatten_layers(include_self=False):
        own = [] if isinstance(layer, keras.Model) else layer.weights
        if not all(np.isfinite(w.numpy()).all() for w in own if tf.as_dtype(w.dtype).is_floating):
            raise ModelError(
                f"model {model.name!r}: layer {layer.name!r} has weights that are not finite, so that its output is no "
                "number. Train it again"
            )


# Outputs --------------------------------------------------------------------------------------------------


def _output_names(model: keras.Model) -> list[list[str]]:
    """The names of each output: its layer's, and its key where the model returns a dict."""
    names = [[str(name)] for name in model.output_names]
    for own, key in zip(names, sorted(outputs_by_key(model)), strict=False):
        own.append(key)
    return names


def choose_output(model: keras.Model, output: str) -> tuple[int, str]:
    """Index and kind of the output that is explained, by one of `KINDS`, a name, or `name:kind`."""
    names = _output_names(model)
    if len(names) == 1 and output in KINDS:
        return 0, output
    for own, kind in ((output, "logit"), output.rpartition(":")[::2] if isinstance(output, str) else ("", "")):
        found = [i for i, known in enumerate(names) if own in known]
        if len(found) == 1 and kind in KINDS:
            return found[0], kind
    listed = [known[-1] for known in names]
    if output in KINDS:
        raise ConfigurationError(
            f"model {model.name!r} has {len(names)} outputs: {', '.join(listed)}. Name one, as "
            f"output={listed[0] if output == 'logit' else f'{listed[0]}:{output}'!r}"
        )
    raise unknown_name("output", str(output), [*(KINDS if len(names) == 1 else ()), *listed])


def _units(name: str, tensor: tf.Tensor) -> int:
    """The number of outputs, which must be one vector or one number for each event."""
    shape = tuple(tensor.shape)
    if len(shape) == 1:
        return 1
    if len(shape) != 2 or shape[1] is None:
        raise ModelError(
            f"model {name!r} gives an array of shape {shape} (events first); one number or one vector for each event "
            "can be explained. Choose some of them, as keras.Model(model.inputs, model.output[:, 0])"
        )
    return int(shape[1])


# Heads ----------------------------------------------------------------------------------------------------


def _call(model: keras.Model, x: list[tf.Tensor]) -> tf.Tensor:
    found = model(x if len(x) > 1 else x[0], training=False)
    return tf.cast(found, tf.float32)


def _whole(model: keras.Model, tensor: tf.Tensor) -> Function:
    """The model itself, as a function to (n, units)."""
    inside = keras.Model(model.inputs, tensor)
    if len(tensor.shape) == 1:
        return lambda x: _call(inside, x)[:, None]
    return lambda x: _call(inside, x)


def _before_head(model: keras.Model, tensor: tf.Tensor) -> tuple[Function, str]:
    """The numbers before the softmax or sigmoid of an output, and which of the two it is ("linear": neither)."""
    layer, sources = origin(tensor).layer, list(call_of(tensor).inputs)
    kind = kind_of(layer)
    if isinstance(layer, keras.Model):
        return _before_nested_head(model, layer, sources, origin(tensor).output)
    activation = _activation(layer)
    if kind in ("Activation", "Dropout", "Softmax", *OPERATIONS) and activation is not None and len(sources) == 1:
        if activation == "linear":
            return _before_head(model, sources[0])
        if activation in ("softmax", "sigmoid"):
            return _whole(model, sources[0]), activation
    if kind == "Dense" and activation in ("softmax", "sigmoid"):
        before, linear = keras.Model(model.inputs, sources), _without_activation(layer)
        return (lambda x: linear(_call(before, x))), activation
    if activation == "linear":
        if _hides_head(tensor):
            raise ModelError(
                f"model {model.name!r} ends in layer {layer.name!r} ({kind}) behind a softmax or sigmoid, so that its "
                f"output is made of probabilities. Remedy: {AS_IT_IS}"
            )
        return _whole(model, tensor), "linear"
    raise ModelError(
        f"model {model.name!r} ends in layer {layer.name!r} ({kind}, activation {activation!r}), which is neither a "
        f"softmax or sigmoid nor linear, so that its logits are not known. Remedy: {AS_IT_IS}"
    )


def _before_nested_head(
    model: keras.Model, nested: keras.Model, sources: Sequence[tf.Tensor], index: int
) -> tuple[Function, str]:
    """The numbers before the head of a model inside the model."""
    try:
        inside = functional(nested)
    except ModelError as error:
        raise ModelError(f"{error}. Remedy: {AS_IT_IS}") from None
    inner, head = _before_head(inside, tf.nest.flatten(inside.outputs)[index])
    outer = keras.Model(model.inputs, list(sources))

    def function(x: list[tf.Tensor]) -> tf.Tensor:
        return inner(tf.nest.flatten(outer(x if len(x) > 1 else x[0], training=False)))

    return function, head


LINEAR = ("Dropout", "Add", "Subtract", "Average", "Concatenate", "Reshape", "Flatten", "Rescaling",
          "BatchNormalization", "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D",
          "GlobalMaxPooling1D", "GlobalMaxPooling2D", "Permute", "Multiply", "Dot")  # fmt: skip
"""Keras classes without an activation that may stand last."""
_OPERATIONS = {"softmax": "softmax", "softmax_v2": "softmax", "sigmoid": "sigmoid", "identity": "linear"}


def _hides_head(tensor: tf.Tensor) -> bool:
    """Whether what an output is made of, by layers without a function of their own, is a softmax or sigmoid."""
    layer = origin(tensor).layer
    if isinstance(layer, (keras.Model, keras.layers.InputLayer)):
        return False
    activation = _activation(layer)
    if activation in ("softmax", "sigmoid"):
        return True
    passes = activation == "linear" and not getattr(layer, "weights", None)
    return passes and any(map(_hides_head, call_of(tensor).inputs))


def _activation(layer: keras.layers.Layer) -> str | None:
    """Name of the function that a layer applies last; "linear" if there is none; None where it is not known."""
    kind = kind_of(layer)
    if kind == "Softmax":
        return "softmax" if layer.axis in (-1, 1) else None
    if kind in OPERATIONS:
        name = operation_name(config_of(layer))
        linear = "linear" if share_of(name) in (Share.MOVED, Share.LINEAR, Share.PRODUCT, Share.NUMERATOR) else None
        return _OPERATIONS.get(name.split(".")[-1], linear)
    if kind in LINEAR:
        return "linear"
    activation = getattr(layer, "activation", None)
    return getattr(activation, "__name__", None)


def _without_activation(dense: keras.layers.Dense) -> Callable[[tf.Tensor], tf.Tensor]:
    """The linear part of a dense layer that reads vectors."""

    def linear(x: tf.Tensor) -> tf.Tensor:
        y = tf.tensordot(x, dense.kernel, 1)
        return y if dense.bias is None else y + dense.bias

    return linear


# Precision ------------------------------------------------------------------------------------------------


@contextmanager
def float32_layers() -> Iterator[None]:
    """Layers that are made inside compute in float32, whatever policy the user has set."""
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy("float32")
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)


def _in_float32(model: keras.Model) -> keras.Model:
    """The model, or a copy of it that computes in float32 where the model does not."""
    inner = [layer for layer in model._flatten_layers() if not isinstance(layer, keras.Model)]
    floating = [layer for layer in inner if tf.as_dtype(layer.compute_dtype or "float32").is_floating]
    if all(layer.compute_dtype in (None, "float32") for layer in floating):
        return model

    def cloned(layer: keras.layers.Layer) -> keras.layers.Layer:
        return layer.__class__.from_config(in_float32(layer.get_config()))

    copy = keras.models.clone_model(model, clone_function=cloned)
    copy.set_weights([np.asarray(w, np.float32) if w.dtype.kind == "f" else w for w in model.get_weights()])
    return copy


# Errors and digests ---------------------------------------------------------------------------------------


FAILURES = (
    tf.errors.OpError, ValueError, TypeError, AttributeError, NotImplementedError, KeyError, IndexError,
)  # fmt: skip
"""Errors of TensorFlow and Keras where a model does not fit its inputs, or a layer has a fault."""


@contextmanager
def plain_errors(name: str) -> Iterator[None]:
    """Turn errors of TensorFlow and Keras into a ModelError of one line."""
    try:
        yield
    except XaugError:
        raise
    except FAILURES as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        first = next((line for line in lines if not line.startswith(("in user code", "File", "Exception"))), "")
        raise ModelError(
            f"model {name!r} cannot be evaluated: {type(error).__name__}: {first[:300]}. Check that "
            "model(inputs, training=False) works on these inputs"
        ) from error


def weights_digest(model: keras.Model) -> str:
    """A digest of all weights of a model."""
    digest = hashlib.blake2b(digest_size=16)
    for weights in model.weights:
        array: Array = np.ascontiguousarray(weights.numpy())
        digest.update(array.data if array.size else b"")
    return digest.hexdigest()
