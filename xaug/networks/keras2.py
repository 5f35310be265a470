"""The configuration of a Keras 2 model in the form in which Keras 3 writes it, so that one builder reads both."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from xaug.core.types import Json, JsonObject

__all__ = ["MODELS", "in_form_of_keras_3", "operation_of_keras_2"]

MODELS = ("Functional", "Model", "Sequential")
RENAMED = {"LeakyReLU": {"alpha": "negative_slope"}, "InputLayer": {"batch_input_shape": "batch_shape"}}
"""Kind of layer -> name of an option in Keras 2 -> name in Keras 3."""
WITHOUT_EFFECT = (
    "implementation", "input_length", "query_shape", "key_shape", "value_shape", "ragged", "time_major",
    "batch_input_shape", "fused", "virtual_batch_size", "renorm",
)  # fmt: skip
"""Options that Keras 3 does not know, and that change no prediction."""
WITHOUT_GROUPS = (
    "SeparableConv1D", "SeparableConv2D", "DepthwiseConv1D", "DepthwiseConv2D", "Conv1DTranspose", "Conv2DTranspose",
    "Conv3DTranspose",
)  # fmt: skip
"""Convolutions without groups in Keras 3; their number is 1 in Keras 2, unless it was given."""


def in_form_of_keras_3(content: JsonObject) -> JsonObject:
    """A model or layer of Keras 2, and all that it holds, as Keras 3 would write it."""
    kind, config = content["class_name"], content["config"]
    if kind in MODELS and isinstance(config, dict) and "layers" in config:
        ends = {key: config[key] for key in ("input_layers", "output_layers") if key in config}
        if any(isinstance(node, list) for layer in config["layers"] for node in layer.get("inbound_nodes", [])):
            models = {layer["config"]["name"] for layer in config["layers"] if layer["class_name"] in MODELS}
            config = _counted_from_zero(config, models)
            ends = {key: _counted_from_zero(value, models) for key, value in ends.items()}
        layers = [_with_calls(in_form_of_keras_3(layer)) for layer in config["layers"]]
        return {**content, "config": {**config, **ends, "layers": layers}}
    if not isinstance(config, dict):
        return content
    renamed = RENAMED.get(kind, {})
    config = {renamed.get(key, key): value for key, value in config.items()}
    config = {key: _value(value) for key, value in config.items() if key not in WITHOUT_EFFECT}
    if kind in WITHOUT_GROUPS and config.get("groups") == 1:
        del config["groups"]
    if kind == "ThresholdedReLU":
        kind, config = "ReLU", {"threshold": config.pop("theta"), **config}
    if kind == "BatchNormalization" and isinstance(config.get("axis"), list):
        config["axis"] = config["axis"][0]
    return {**content, "class_name": kind, "config": config}


def _counted_from_zero(content: Any, models: set[str]) -> Any:
    """A part of a configuration in which calls of inner models are counted from 0, as those of layers; here from 1."""
    if _is_entry(content) and content[0] in models:
        return [content[0], content[1] - 1, *content[2:]]
    if isinstance(content, list):
        return [_counted_from_zero(each, models) for each in content]
    if isinstance(content, dict) and content.get("class_name") not in MODELS:
        return {key: _counted_from_zero(each, models) for key, each in content.items()}
    if isinstance(content, dict) and "inbound_nodes" in content:
        return {**content, "inbound_nodes": _counted_from_zero(content["inbound_nodes"], models)}
    return content


def _value(value: Json) -> Json:
    """An option; layers inside layers are translated too."""
    if isinstance(value, list):
        return [_value(each) for each in value]
    if isinstance(value, dict) and isinstance(value.get("config"), dict) and "class_name" in value:
        return in_form_of_keras_3(value)
    return value


def _with_calls(layer: JsonObject) -> JsonObject:
    """A layer of a functional model whose calls are written as Keras 3 does, by arguments and options."""
    if "inbound_nodes" not in layer:  # of a Sequential model
        return layer
    calls = [entry if isinstance(entry, dict) and "args" in entry else _call(entry) for entry in layer["inbound_nodes"]]
    return {**layer, "inbound_nodes": calls}


def _call(entry: Any) -> JsonObject:
    """One call: Keras 2 writes [layer, call, output, options] for each input."""
    options: JsonObject = {}

    def first(found: Any) -> Any:
        if _is_entry(found):
            options.update(found[3] if len(found) > 3 else {})
            return found[2] if found[0] == "_CONSTANT_VALUE" else _tensor(found)
        if isinstance(found, dict):
            return {key: first(value) for key, value in found.items()}
        inside = [first(each) for each in found]
        return inside[0] if len(inside) == 1 else inside

    argument = first(entry)
    return {"args": [argument], "kwargs": {key: _argument(value) for key, value in options.items() if key != "name"}}


def _is_entry(value: Any) -> bool:
    return isinstance(value, list) and len(value) in (3, 4) and isinstance(value[0], str) and isinstance(value[1], int)


def _argument(value: Any) -> Any:
    """An option of a call, which may hold tensors."""
    if _is_entry(value) and len(value) == 3 and isinstance(value[2], int):
        return _tensor(value)
    if isinstance(value, list):
        return [_argument(each) for each in value]
    if isinstance(value, dict) and set(value) == {"start", "stop", "step"}:
        return {"class_name": "__slice__", "config": {key: _argument(each) for key, each in value.items()}}
    if isinstance(value, dict):
        return {key: _argument(each) for key, each in value.items()}
    return value


def _tensor(entry: Any) -> JsonObject:
    return {"class_name": "__keras_tensor__", "config": {"keras_history": list(entry[:3])}}


def _index(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value  # JSON has no tuples


# Operations -----------------------------------------------------------------------------------------------

SAME = {
    "abs": "absolute", "exp": "exp", "log": "log", "log1p": "log1p", "expm1": "expm1", "sqrt": "sqrt",
    "rsqrt": "rsqrt", "square": "square", "tanh": "tanh", "sigmoid": "sigmoid", "relu": "relu", "relu6": "relu6",
    "elu": "elu", "selu": "selu", "softplus": "softplus", "softsign": "softsign", "silu": "silu", "swish": "silu",
    "sin": "sin", "cos": "cos", "sign": "sign", "negative": "negative", "neg": "negative", "logical_not": "logical_not",
    "zeros_like": "zeros_like", "ones_like": "ones_like",
    "add": "add", "sub": "subtract", "subtract": "subtract", "mul": "multiply", "multiply": "multiply",
    "truediv": "true_divide", "divide": "true_divide", "maximum": "maximum", "minimum": "minimum", "pow": "power",
    "equal": "equal", "eq": "equal", "not_equal": "not_equal", "ne": "not_equal",
    "greater": "greater", "gt": "greater", "greater_equal": "greater_equal", "ge": "greater_equal", "less": "less",
    "lt": "less", "less_equal": "less_equal", "le": "less_equal", "logical_and": "logical_and",
    "logical_or": "logical_or", "where": "where",
}  # fmt: skip
"""Last part of a name in TensorFlow -> function of `keras.ops` with the same arguments in the same order."""
NAMED = {
    "reduce_sum": ("sum", {"axis": "axis", "keepdims": "keepdims"}),
    "reduce_mean": ("mean", {"axis": "axis", "keepdims": "keepdims"}),
    "reduce_max": ("max", {"axis": "axis", "keepdims": "keepdims"}),
    "reduce_min": ("min", {"axis": "axis", "keepdims": "keepdims"}),
    "reduce_any": ("any", {"axis": "axis", "keepdims": "keepdims"}),
    "reduce_all": ("all", {"axis": "axis", "keepdims": "keepdims"}),
    "concat": ("concatenate", {"axis": "axis"}),
    "stack": ("stack", {"axis": "axis"}),
    "expand_dims": ("expand_dims", {"axis": "axis"}),
    "squeeze": ("squeeze", {"axis": "axis"}),
    "reshape": ("reshape", {"shape": "newshape"}),
    "transpose": ("transpose", {"perm": "axes"}),
    "cast": ("cast", {"dtype": "dtype"}),
    "softmax": ("softmax", {"axis": "axis"}),
    "softmax_v2": ("softmax", {"axis": "axis"}),
}
"""Last part of a name in TensorFlow -> function of `keras.ops`, and its options by their names in TensorFlow."""


def operation_of_keras_2(config: JsonObject) -> Callable[..., Any] | None:
    """The function of `keras.ops` that does what an operation in a file of Keras 2 does; None if there is none."""
    name = str(config.get("function", "__operators__.getitem")).rpartition(".")[2]
    if name == "getitem":
        return lambda x, slice_spec: operator.getitem(x, _index(slice_spec))
    from keras import ops

    if name == "matmul":
        return _matmul
    if name in SAME:
        plain = getattr(ops, SAME[name])
        return lambda x, /, **given: plain(x, *given.values())
    if name == "gelu":
        return lambda x, approximate=False, **given: ops.gelu(x, approximate)
    if name == "leaky_relu":
        return lambda x, alpha=0.2, **given: ops.leaky_relu(x, alpha)
    if name == "clip_by_value":
        return lambda x, clip_value_min, clip_value_max: ops.clip(x, clip_value_min, clip_value_max)
    if name not in NAMED:
        return None
    function, options = NAMED[name]
    call = getattr(ops, function)

    def named(x: Any, /, **given: Any) -> Any:
        return call(x, **{own: given[key] for key, own in options.items() if given.get(key) is not None})

    return named


def _matmul(a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False, **options: Any) -> Any:
    """The product of matrices, each of which may be transposed."""
    from keras import ops

    if any(options.values()):
        raise TypeError(f"options {sorted(options)} of tf.matmul have no counterpart")
    return ops.matmul(ops.swapaxes(a, -2, -1) if transpose_a else a, ops.swapaxes(b, -2, -1) if transpose_b else b)
