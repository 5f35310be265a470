"""Any Keras model as methods of explanation read it: one output, without its head, computed in float32.

The user's model is never changed. Its own layers are used where they compute in float32; a model of mixed precision or
float64 is copied to float32 first.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import keras
import numpy as np
import tensorflow as tf

from xaug.core.errors import ConfigurationError, ModelError, XaugError, unknown_name
from xaug.core.types import Array
from xaug.explain.model_heads import Function, before_head, whole
from xaug.explain.propagation.failures import FAILURES
from xaug.explain.targets import functional
from xaug.networks.keras_versions import in_float32, is_keras_3, outputs_by_key, same_inputs

__all__ = ["KINDS", "ModelOutput", "choose_output", "float32_layers", "plain_errors", "read_output", "weights_digest"]

KINDS = ("logit", "probability", "value")
"""Kinds of explained numbers: the neuron before its softmax or sigmoid, the number behind it, or the output as
it is, whatever its last layer."""


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
    digest : str
        that of the weights, when the output was read last
    """

    source: keras.Model
    output: str
    model: keras.Model
    function: Function
    head: str
    units: int
    kind: str
    digest: str

    @property
    def name(self) -> str:
        """The name of the model, for messages."""
        return str(self.model.name)

    @cached_property
    def description(self) -> str | None:
        """The configuration of the model as text; None for layers of one's own that say nothing about themselves."""
        try:
            return json.dumps(self.model.get_config(), sort_keys=True, default=str)
        except (NotImplementedError, OSError, TypeError, ValueError):
            return None

    @property
    def identity(self) -> tuple[object, ...]:
        """Identity of the network: the model, facts that can be changed in it, and the output that is explained."""
        return id(self.source), _facts(self.source), self.description, self.digest, self.output

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
        digest = weights_digest(known.model)
        if digest != known.digest:
            _check_weights(known.model)
            object.__setattr__(known, "digest", digest)
    else:
        network = functional(model)
        _check_stateful(network)
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
        function, head = (whole(copy, tensor), "linear") if kind == "value" else (None, "")
        if function is None:
            function, head = before_head(copy, tensor)
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
    return ModelOutput(model, output, copy, function, head, units, kind, weights_digest(copy))


def _check_stateful(model: keras.Model) -> None:
    """Refuse a model whose outputs depend on the events before."""
    for layer in model._flatten_layers(include_self=False):
        if getattr(layer, "stateful", False) and hasattr(layer, "cell"):
            raise ModelError(
                f"layer {layer.name!r} ({type(layer).__name__}) has stateful=True, so that its output depends on the "
                "events before. Remedy: make the same model with stateful=False, and give it the trained weights: "
                "copy.set_weights(model.get_weights())"
            )


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
    rounds = any(tf.as_dtype(tensor.dtype) in (tf.float16, tf.bfloat16) for tensor in model.inputs)
    if not rounds and all(layer.compute_dtype in (None, "float32") for layer in floating):
        return model

    def cloned(layer: keras.layers.Layer) -> keras.layers.Layer:
        return layer.__class__.from_config(in_float32(layer.get_config()))

    copy = keras.models.clone_model(model, same_inputs(model, "float32"), cloned)
    copy.set_weights([np.asarray(w, np.float32) if w.dtype.kind == "f" else w for w in model.get_weights()])
    return copy


# Errors and digests ---------------------------------------------------------------------------------------


UNINFORMATIVE = ("in user code", "File", "Exception", "Graph execution error", "Detected at", "<stack", "Traceback")
"""Beginnings of lines in errors of TensorFlow that do not say what was wrong."""


@contextmanager
def plain_errors(name: str) -> Iterator[None]:
    """Turn errors of TensorFlow and Keras into a ModelError of one line."""
    try:
        yield
    except XaugError:
        raise
    except FAILURES as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        first = next((line for line in lines if not line.startswith(UNINFORMATIVE)), "")
        first = re.sub(r"\{\{.*?\}\}\s*|\s*\[Op:.*", "", first)  # names of nodes, which say nothing to the user
        raise ModelError(
            f"model {name!r} cannot be evaluated: {type(error).__name__}: {first[:300]}. Check that "
            "model(inputs, training=False) works on these inputs"
        ) from error


def weights_digest(model: keras.Model) -> str:
    """A digest of all weights of a model."""
    digest = hashlib.blake2b(digest_size=16)
    for weights in model.weights:
        variable = weights.value if is_keras_3() else weights
        # read four times as fast as by `numpy()`
        array: Array = np.ascontiguousarray(tf.raw_ops.ReadVariableOp(resource=variable.handle, dtype=variable.dtype))
        digest.update(array.data if array.size else b"")
    return digest.hexdigest()
