"""Operators between tensors (`h + x`, `x[:, 0]`, `ops.sum(x, axis=1)`), which Keras 3 records by names of its own."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from xaug.core.types import JsonObject

__all__ = ["is_operation", "operation"]

OPERATORS: dict[str, Callable[..., Any]] = {
    "Add": operator.add,
    "Subtract": operator.sub,
    "Multiply": operator.mul,
    "Divide": operator.truediv,
    "TrueDivide": operator.truediv,
    "GetItem": operator.getitem,
    "Negative": operator.neg,
    "Matmul": operator.matmul,
}
"""Name in Keras 3 -> operator of Python."""
FUNCTIONS = {
    "NotEqual": "math.not_equal",
    "Equal": "math.equal",
    "Greater": "math.greater",
    "GreaterEqual": "math.greater_equal",
    "Less": "math.less",
    "LessEqual": "math.less_equal",
    "LogicalAnd": "math.logical_and",
    "LogicalOr": "math.logical_or",
    "LogicalNot": "math.logical_not",
    "Maximum": "math.maximum",
    "Minimum": "math.minimum",
    "Absolute": "math.abs",
    "Exp": "math.exp",
    "Log": "math.log",
    "Sqrt": "math.sqrt",
    "Square": "math.square",
    "Tanh": "math.tanh",
    "Sigmoid": "math.sigmoid",
    "Relu": "nn.relu",
    "Selu": "nn.selu",
    "Silu": "nn.silu",
    "Softplus": "nn.softplus",
    "Power": "pow",
    "Log1p": "math.log1p",
    "Expm1": "math.expm1",
    "Sign": "math.sign",
    "Sin": "math.sin",
    "Cos": "math.cos",
    "Arctan": "math.atan",
    "Arctan2": "math.atan2",
    "Rsqrt": "math.rsqrt",
    "Reciprocal": "math.reciprocal",
    "StopGradient": "stop_gradient",
    "Where": "where",
    "Relu6": "nn.relu6",
    "Softsign": "nn.softsign",
    "Erf": "math.erf",
    "Sinh": "math.sinh",
    "Cosh": "math.cosh",
    "OnesLike": "ones_like",
    "ZerosLike": "zeros_like",
}
"""Name in Keras 3 -> function of TensorFlow with the same arguments in the same order."""
REDUCTIONS = {
    "Any": "math.reduce_any",
    "All": "math.reduce_all",
    "Sum": "math.reduce_sum",
    "Mean": "math.reduce_mean",
    "Max": "math.reduce_max",
    "Min": "math.reduce_min",
    "Prod": "math.reduce_prod",
    "Std": "math.reduce_std",
    "Var": "math.reduce_variance",
    "Logsumexp": "math.reduce_logsumexp",
}
"""Name in Keras 3 -> function of TensorFlow that reduces along `axis`."""
WITH_OPTIONS = {
    "Cast": ("cast", {"dtype": "dtype"}),
    "Clip": ("clip_by_value", {"x_min": "clip_value_min", "x_max": "clip_value_max"}),
    "Concatenate": ("concat", {"axis": "axis"}),
    "Cumsum": ("math.cumsum", {"axis": "axis"}),
    "ExpandDims": ("expand_dims", {"axis": "axis"}),
    "Gelu": ("nn.gelu", {"approximate": "approximate"}),
    "LeakyRelu": ("nn.leaky_relu", {"negative_slope": "alpha"}),
    "LogSoftmax": ("nn.log_softmax", {"axis": "axis"}),
    "Repeat": ("repeat", {"repeats": "repeats", "axis": "axis"}),
    "Reshape": ("reshape", {"newshape": "shape"}),
    "Roll": ("roll", {"shift": "shift", "axis": "axis"}),
    "Softmax": ("nn.softmax", {"axis": "axis"}),
    "Sort": ("sort", {"axis": "axis"}),
    "Squeeze": ("squeeze", {"axis": "axis"}),
    "Stack": ("stack", {"axis": "axis"}),
    "Tile": ("tile", {"repeats": "multiples"}),
    "TopK": ("math.top_k", {"k": "k", "sorted": "sorted"}),
    "Transpose": ("transpose", {"axes": "perm"}),
}
"""Name in Keras 3 -> function of TensorFlow, and its names of the options that an operation has."""
WITHOUT_TRAINABLE = ("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")
"""Layers whose configurations look like those of operations in HDF5 files."""
NEEDED = ("Concatenate", "Cumsum", "LogSoftmax", "Repeat", "Roll", "Softmax", "Sort", "Stack")
"""Operations that mean something else in TensorFlow without an axis."""


def _elu(config: JsonObject) -> Callable[..., Any] | None:
    import tensorflow as tf

    alpha = config.get("alpha", 1.0)
    return tf.nn.elu if alpha == 1 else lambda x: tf.where(x > 0, x, alpha * tf.math.expm1(tf.minimum(x, 0.0)))


def _flip(config: JsonObject) -> Callable[..., Any] | None:
    import tensorflow as tf

    axis = config.get("axis")
    return None if axis is None else lambda x: tf.reverse(x, axis=[axis] if isinstance(axis, int) else list(axis))


def _norm(config: JsonObject) -> Callable[..., Any] | None:
    """The length of vectors, along one axis."""
    import tensorflow as tf

    axis, order = config.get("axis"), config.get("ord")
    axes = axis if isinstance(axis, (list, tuple)) else [axis]
    if len(axes) != 1 or not isinstance(axes[0], int) or not isinstance(order, (int, float, type(None))) or order == 0:
        return None
    return lambda x: tf.norm(x, 2 if order is None else order, axes[0], bool(config.get("keepdims", False)))


def _swapaxes(config: JsonObject) -> Callable[..., Any] | None:
    import tensorflow as tf

    def swapped(x: Any) -> Any:
        axes = list(range(len(x.shape)))
        one, other = config["axis1"], config["axis2"]
        axes[one], axes[other] = axes[other], axes[one]
        return tf.transpose(x, axes)

    return swapped


def _take(config: JsonObject) -> Callable[..., Any] | None:
    """Elements by numbers, of which negative ones count from the end."""
    import tensorflow as tf

    axis = config.get("axis")
    if not isinstance(axis, int):
        return None

    def taken(x: Any, indices: Any) -> Any:
        indices = tf.convert_to_tensor(indices) if isinstance(indices, (int, list, tuple)) else indices
        size = tf.cast(x.shape[axis] if x.shape[axis] is not None else tf.shape(x)[axis], indices.dtype)
        return tf.gather(x, tf.where(indices < 0, indices + size, indices), axis=axis)

    return taken


MADE: dict[str, Callable[[JsonObject], Callable[..., Any] | None]] = {
    "Elu": _elu,
    "Flip": _flip,
    "Norm": _norm,
    "Swapaxes": _swapaxes,
    "Take": _take,
}
"""Name in Keras 3 -> what makes the function for its options, where no function of TensorFlow takes the same ones."""


def is_operation(content: JsonObject) -> bool:
    """True for the configuration of an operation between tensors, False for that of a layer or model."""
    if content.get("module"):  # HDF5 files do not name it
        return "ops" in content["module"].split(".")
    config = content.get("config", {})
    is_layer = {"batch_shape", "layers", "trainable"} & config.keys() or content.get("class_name") in WITHOUT_TRAINABLE
    return "inbound_nodes" in content and not is_layer


def operation(kind: str, config: JsonObject) -> Callable[..., Any] | None:
    """The function that does what an operation of Keras 3 does; None for one that has no counterpart.

    Parameters
    ----------
    kind : str
        name of its class
    config : dict
        its options, such as the axis of a sum
    """
    import tensorflow as tf

    if kind in OPERATORS:
        return OPERATORS[kind]
    if kind in FUNCTIONS:
        found: Callable[..., Any] = operator.attrgetter(FUNCTIONS[kind])(tf)
        return found
    if kind in WITH_OPTIONS and (kind not in NEEDED or config.get("axis") is not None):
        name, names = WITH_OPTIONS[kind]
        own = operator.attrgetter(name)(tf)
        options = {new: config[old] for old, new in names.items() if config.get(old) is not None}
        return lambda *x, **given: own(*x, **{**options, **given})
    if kind in MADE:
        return MADE[kind](config)
    if kind == "Einsum" and isinstance(config.get("subscripts"), str):
        return lambda *x: tf.einsum(config["subscripts"], *x)
    if kind not in REDUCTIONS or config.get("initial") is not None or config.get("where") is not None:
        return None
    reduce = operator.attrgetter(REDUCTIONS[kind])(tf)

    defaults = {"axis": config.get("axis"), "keepdims": bool(config.get("keepdims", False))}
    return lambda x, **given: reduce(x, **{**defaults, **given})
