"""Check the configuration in a model file, so that opening the file runs no code that the file brings.

Keras imports every function and class that a configuration names, and runs the code that a Lambda layer holds. Only
parts of Keras itself are accepted here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from xaug.core.errors import ModelError
from xaug.core.types import JsonObject
from xaug.networks.keras3_operations import is_operation, operation
from xaug.networks.keras_versions import is_keras_3, is_own_operation

__all__ = ["refuse_code"]

AREAS = (
    "layers", "models", "initializers", "regularizers", "constraints", "activations", "optimizers", "losses", "metrics",
)  # fmt: skip
"""Public modules of Keras whose classes a model consists of."""
KERAS = re.compile(
    rf"(tensorflow\.)?(python\.)?keras(\.src)?(\.({'|'.join(AREAS)}|engine|dtype_policies|mixed_precision|ops)"
    r"(\.[a-z_0-9]+)*)?$"
)
"""These modules and those behind them, as configurations write them."""
PLAIN = {
    "__keras_tensor__",
    "__tensor__",
    "__numpy__",
    "__tuple__",
    "__ellipsis__",
    "TensorShape",
    "slice",
    "__slice__",
}
"""Names of classes by which configurations write plain values."""
PROGRAMS = {
    "TensorFlowOpLayer", "ClassMethod", "InstanceMethod", "InstanceProperty", "TFSMLayer", "TorchModuleWrapper",
    "JaxLayer", "FlaxLayer",
}  # fmt: skip
"""Layers of Keras that run whatever a file names."""
OF_ONE_VERSION = (
    "LocallyConnected1D",
    "LocallyConnected2D",
    "ThresholdedReLU",
    "GroupQueryAttention",
    "RMSNormalization",
)
"""Layers that Keras 2 or Keras 3 has alone: no code of a file, whether they can be opened here or not."""
CODE = {"Lambda": "a Lambda layer", "__lambda__": "a lambda function", "function": "a function of its own"}
"""Names of classes that hold code or name it."""
PLAIN_OPS = (
    "abs", "add", "argmax", "argmin", "argsort", "boolean_mask", "broadcast_to", "cast", "clip_by_value", "concat",
    "convert_to_tensor", "cos", "divide", "einsum", "ensure_shape", "equal", "exp", "expand_dims", "eye", "fill",
    "floor_div", "gather", "gather_nd", "greater", "greater_equal", "identity", "less", "less_equal", "log",
    "logical_and", "logical_not", "logical_or", "matmul", "maximum", "minimum", "multiply", "negative", "norm",
    "not_equal", "one_hot", "ones", "ones_like", "pad", "pow", "range", "rank", "realdiv", "reduce_all", "reduce_any",
    "reduce_logsumexp", "reduce_max", "reduce_mean", "reduce_min", "reduce_prod", "reduce_sum", "repeat", "reshape",
    "reverse", "roll", "round", "searchsorted", "sequence_mask", "shape", "sigmoid", "sign", "sin", "size", "slice",
    "sort", "space_to_batch_nd", "space_to_depth", "split", "sqrt", "square", "squeeze", "stack", "stop_gradient",
    "strided_slice", "subtract", "tanh", "tensordot", "tile", "transpose", "truediv", "unstack", "where", "where_v2",
    "zeros", "zeros_like",
)  # fmt: skip
"""Functions of TensorFlow that only compute."""
IMAGE_OPS = (
    "central_crop", "crop_to_bounding_box", "extract_patches", "flip_left_right", "flip_up_down", "resize", "rot90",
    "sobel_edges",
)  # fmt: skip
"""Those for images."""
BACKEND_OPS = (
    "abs", "all", "any", "argmax", "argmin", "batch_dot", "batch_flatten", "bias_add", "cast", "clip", "concatenate",
    "conv1d", "conv2d", "cumsum", "dot", "elu", "equal", "exp", "expand_dims", "flatten", "gather", "greater",
    "greater_equal", "hard_sigmoid", "l2_normalize", "less", "less_equal", "log", "logsumexp", "max", "maximum", "mean",
    "min", "minimum", "not_equal", "ones_like", "permute_dimensions", "pow", "prod", "relu", "repeat",
    "repeat_elements", "reshape", "reverse", "shape", "sigmoid", "sign", "softmax", "softplus", "softsign", "sqrt",
    "square", "squeeze", "stack", "std", "sum", "tanh", "tile", "transpose", "var", "zeros_like",
)  # fmt: skip
"""Those of the backend of Keras 2."""
ACTIVATIONS = (
    "elu", "exponential", "gelu", "hard_sigmoid", "leaky_relu", "linear", "mish", "relu", "selu", "sigmoid", "softmax",
    "softplus", "softsign", "swish", "tanh",
)  # fmt: skip
"""Its activations."""
TENSOR_OPS = re.compile(
    r"(tf\.)?(compat\.v1\.)?((math|nn|linalg|signal|random)\.[a-z_0-9]+|__operators__\.[a-z_]+"
    rf"|image\.({'|'.join(IMAGE_OPS)})|(keras\.)?backend\.({'|'.join(BACKEND_OPS)})"
    rf"|keras\.activations\.({'|'.join(ACTIVATIONS)})|quantization\.(fake_quant_with_min_max_(args|vars)"
    rf"|quantize_and_dequantize_v2)|({'|'.join(PLAIN_OPS)}))$"
)
"""Functions by which Keras 2 records `x + y`, `tf.reduce_sum(x, 1)` or `K.sum(x, 1)`, and which run no other code."""


OTHER_VERSION = "; or open it with the version of Keras that wrote it (2 with TensorFlow 2.14, 3 with 2.16 or later)"
"""Way out for files whose code cannot run here."""


def refuse_code(config: Any, path: str, can_run: bool = True, known: Collection[str] = ()) -> None:
    """Refuse a configuration that holds or names code which is not part of Keras.

    Parameters
    ----------
    config : object
        configuration of a model, as JSON
    path : str
        the file, for messages
    can_run : bool
        whether the Keras that runs here could run the code, so that the message offers it
    known : collection of str
        names of classes and functions that the user has given, which are accepted

    Raises
    ------
    ModelError
        the message names the layer, what it would run, and a remedy
    """
    if isinstance(config, dict):
        config = {key: value for key, value in config.items() if key != "compile_config"}  # it is not opened
    for found, layer in _objects(config, "the model"):
        reason = "" if _is_given(found, known) else _reason(found)
        if reason:
            trusted = f"; or, if you know where the file comes from, {_way(found)}" if can_run else OTHER_VERSION
            raise ModelError(
                f"{path}: {layer} {reason}, so opening the file would run code that came with it. Replace that layer "
                f"by layers of Keras and save the model again{trusted}"
            )


def _called(content: JsonObject) -> Any:
    """The name by which Keras looks for a class or function among those of the user."""
    if content.get("class_name") == "function":
        return content.get("config")
    return content.get("registered_name", content.get("class_name"))


def _is_given(content: JsonObject, known: Collection[str]) -> bool:
    kind = content.get("class_name")
    holds_code = kind in (*PROGRAMS, "Lambda", "__lambda__")
    return isinstance(kind, str) and not holds_code and _called(content) in known


def _way(content: JsonObject) -> str:
    """How to open a file with code that the user trusts."""
    unsafe = "open it with --unsafe (in Python: unsafe=True)"
    if content.get("class_name") in (*CODE, *PROGRAMS) and content.get("class_name") != "function":
        return unsafe
    return (
        f"name the Python file or module that defines {str(_called(content)).rpartition('>')[2]}, by --code FILE.py "
        f"(in Python: code='FILE.py'); or {unsafe}"
    )


def _objects(content: Any, layer: str) -> Iterator[tuple[JsonObject, str]]:
    """Everything in a configuration that names a class or module, with the layer to which it belongs."""
    if isinstance(content, dict):
        if "class_name" in content or "module" in content:
            layer = _name(content) or layer
            yield content, layer
        for value in content.values():
            yield from _objects(value, layer)
    elif isinstance(content, (list, tuple)):
        for value in content:
            yield from _objects(value, layer)


def _name(content: JsonObject) -> str:
    """The layer that an object is, as "layer 'dense' (Dense)"; empty for what is not a layer with a name."""
    config = content.get("config")
    name = content.get("name") or (config.get("name") if isinstance(config, dict) else None)
    policy = "Policy" in str(content.get("class_name"))
    return f"layer {name!r} ({content.get('class_name')})" if isinstance(name, str) and not policy else ""


def _reason(content: JsonObject) -> str:
    """Say why an object is refused, as the predicate of a sentence; empty where it is part of Keras."""
    kind, module = content.get("class_name"), content.get("module")
    registered, config = content.get("registered_name"), content.get("config")
    if kind in PLAIN and module in (None, "builtins", "tensorflow"):
        return ""
    if kind in PROGRAMS:
        return f"is a {kind}, which runs what a file names"
    if kind in CODE:
        return f"is or holds {CODE[str(kind)]}" + (f" ({config!r})" if isinstance(config, str) else "")
    if not isinstance(kind, str):
        return f"names the class {kind!r}"
    if module is not None and not (isinstance(module, str) and KERAS.match(module)):
        return f"names {module}.{kind} for import"
    if isinstance(registered, str) and ">" in registered and not registered.startswith("keras>"):
        return f"holds the custom object {registered!r}"
    if kind in ("TFOpLambda", "SlicingOpLambda"):
        function = config.get("function") if isinstance(config, dict) else None
        return "" if isinstance(function, str) and TENSOR_OPS.match(function) else f"calls tf.{function}"
    if is_operation(content) and (is_own_operation(kind) or _is_of_keras_3(content)):
        return ""
    return "" if _in_keras(kind) else f"holds the custom object {kind!r}"


def _is_of_keras_3(content: JsonObject) -> bool:
    """Whether an operation is one of Keras 3, and Keras 2 runs here; `xaug.networks.keras3` builds or refuses it."""
    if is_keras_3():
        return False
    is_named = "ops" in str(content.get("module")).split(".")  # HDF5 files do not name it
    return is_named or operation(str(content["class_name"]), content.get("config") or {}) is not None


def _in_keras(kind: str) -> bool:
    """Whether Keras has a class, activation or loss of this name."""
    import keras

    if kind in ("Functional", "Policy", "DTypePolicy", "OrthogonalInitializer", *OF_ONE_VERSION):
        return True
    for area in AREAS:
        found = getattr(getattr(keras, area, None), kind, None)
        if isinstance(found, type) or (callable(found) and kind not in ("get", "serialize", "deserialize")):
            return True
    return False
