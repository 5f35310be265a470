"""Operations on tensors that stand in a model as they are written: `h + x`, `x[:, 0]`, `tf.reduce_sum(h, 1)`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from xaug.explain.propagation.layers.base import GRADIENTS, NUMBER, KerasLayer, Layer, TensorOf, register
from xaug.explain.propagation.layers.operation import Operation, Share
from xaug.explain.propagation.layers.softmax import Softmax
from xaug.explain.propagation.linear_maps import Tensor
from xaug.networks.keras_versions import OPERATIONS

__all__ = ["SHARES", "TensorOperation", "operation_name", "share_of"]

SHARES = {
    Share.MOVED: (
        "__operators__.getitem", "reshape", "transpose", "expand_dims", "squeeze", "concat", "stack", "unstack",
        "split", "gather", "gather_nd", "boolean_mask", "identity", "reverse", "repeat", "tile", "broadcast_to", "pad",
        "roll", "slice", "strided_slice", "where", "math.maximum", "math.minimum", "math.reduce_max", "math.reduce_min",
        "backend.reshape", "backend.concatenate", "backend.expand_dims", "backend.squeeze", "backend.reverse",
        "backend.max", "backend.min", "backend.maximum", "backend.minimum", "backend.flatten", "backend.batch_flatten",
        "backend.permute_dimensions", "backend.repeat", "backend.stack", "backend.tile",
        "transpose", "gather", "image.flip_left_right", "linalg.matrix_transpose",
        "cast", "backend.cast", "backend.repeat_elements", "backend.gather", "where_v2", "convert_to_tensor",
        "sort", "math.top_k", "nn.top_k", "ops.sort", "ops.top_k",
        "space_to_depth", "nn.space_to_depth", "nn.depth_to_space", "nn.max_pool", "nn.max_pool1d", "nn.max_pool2d",
        "nn.max_pool3d", "space_to_batch_nd", "linalg.diag_part", "linalg.band_part", "image.central_crop",
        "image.crop_to_bounding_box", "ensure_shape",
        "ops.get_item", "ops.reshape", "ops.transpose", "ops.expand_dims", "ops.squeeze", "ops.concatenate",
        "ops.stack", "ops.unstack", "ops.split", "ops.take", "ops.take_along_axis", "ops.flip", "ops.repeat",
        "ops.tile", "ops.broadcast_to", "ops.pad", "ops.roll", "ops.slice", "ops.where", "ops.maximum", "ops.minimum",
        "ops.max", "ops.min", "ops.cast", "ops.moveaxis", "ops.swapaxes", "ops.ravel", "ops.copy",
        "math.reduce_logsumexp", "backend.logsumexp", "ops.logsumexp", "ops.logaddexp", "math.segment_max",
        "math.segment_min", "math.unsorted_segment_max", "math.unsorted_segment_min", "ops.segment_max", "ops.tril",
        "ops.triu", "ops.diagonal", "ops.max_pool", "ops.adaptive_max_pool",
        "ops.space_to_depth", "ops.depth_to_space", "ops.rot90",
        "linalg.diag", "linalg.set_diag", "image.flip_up_down", "image.rot90", "image.extract_patches",
        "ops.extract_patches",
    ),
    Share.LINEAR: (
        "__operators__.add", "math.add", "math.subtract", "__operators__.sub", "math.negative", "math.add_n",
        "math.reduce_sum", "math.reduce_mean", "math.cumsum", "backend.sum", "backend.mean", "backend.cumsum",
        "math.accumulate_n", "backend.bias_add", "nn.bias_add", "nn.avg_pool", "nn.avg_pool1d", "nn.avg_pool2d",
        "nn.avg_pool3d", "norm", "linalg.norm", "math.reduce_std", "math.reduce_euclidean_norm",
        "backend.std", "image.resize",
        "linalg.trace",
        "ops.add", "ops.subtract", "ops.negative", "ops.sum", "ops.mean", "ops.cumsum", "ops.std",
        "math.segment_sum", "math.segment_mean", "math.unsorted_segment_sum", "math.unsorted_segment_mean",
        "ops.segment_sum", "ops.trace", "ops.diff", "ops.norm", "ops.hypot", "ops.median", "ops.average_pool",
        "ops.adaptive_average_pool",
        "image.sobel_edges",
    ),
    Share.SQUARE: (
        "math.reduce_variance", "backend.var", "math.squared_difference", "ops.var",
    ),
    Share.PRODUCT: (
        "math.multiply", "__operators__.mul", "__operators__.matmul", "linalg.matmul", "matmul", "einsum", "tensordot",
        "backend.dot", "backend.batch_dot", "linalg.matvec", "math.multiply_no_nan", "math.scalar_mul",
        "nn.convolution", "nn.conv1d", "nn.conv2d", "nn.conv3d", "nn.depthwise_conv2d", "nn.conv_transpose",
        "backend.conv1d", "backend.conv2d", "linalg.cross", "linalg.tensordot",
        "ops.multiply", "ops.matmul", "ops.einsum", "ops.tensordot", "ops.dot",
        "ops.conv", "ops.depthwise_conv", "ops.separable_conv", "ops.conv_transpose", "ops.outer", "ops.inner",
        "ops.vdot", "ops.cross", "ops.kron",
    ),
    Share.NUMERATOR: (
        "math.truediv", "math.divide", "__operators__.truediv", "math.divide_no_nan", "realdiv", "math.xdivy",
        "ops.divide", "ops.true_divide", "ops.divide_no_nan",
        "ops.average",
    ),
    Share.UNCHANGED: (
        "nn.relu", "nn.relu6", "nn.leaky_relu", "nn.elu", "nn.selu", "nn.gelu", "nn.silu", "nn.swish", "nn.softplus",
        "math.softplus", "math.tanh", "nn.tanh", "math.sigmoid", "nn.sigmoid", "math.exp", "math.log", "math.log1p",
        "math.expm1", "math.sqrt", "math.rsqrt", "math.square", "math.abs", "math.pow", "__operators__.pow", "math.erf",
        "math.reciprocal", "math.asinh", "math.sinh", "math.cosh", "math.sin", "math.cos", "math.atan",
        "keras.activations.relu", "keras.activations.gelu", "keras.activations.swish", "keras.activations.tanh",
        "keras.activations.sigmoid", "keras.activations.elu", "keras.activations.selu", "keras.activations.softplus",
        "backend.relu", "backend.sigmoid", "backend.tanh", "backend.exp", "backend.log", "backend.sqrt",
        "backend.square", "backend.abs", "backend.l2_normalize", "math.l2_normalize", "stop_gradient", "backend.pow",
        "clip_by_value", "backend.clip", "ops.clip",
        "backend.elu", "backend.softplus", "backend.hard_sigmoid", "nn.l2_normalize", "linalg.l2_normalize",
        "nn.softsign", "nn.batch_normalization", "keras.activations.linear",
        "keras.activations.leaky_relu", "keras.activations.mish", "keras.activations.exponential",
        "keras.activations.hard_sigmoid", "keras.activations.softsign", "math.acos", "math.asin",
        "math.acosh", "math.atanh",
        "math.tan", "math.reciprocal_no_nan", "math.sigmoid", "math.log_sigmoid",
        "ops.relu", "ops.relu6", "ops.leaky_relu", "ops.elu", "ops.selu", "ops.gelu", "ops.silu", "ops.softplus",
        "ops.softsign", "ops.tanh", "ops.sigmoid", "ops.hard_sigmoid", "ops.exp", "ops.expm1", "ops.log", "ops.log1p",
        "ops.sqrt", "ops.rsqrt", "ops.square", "ops.absolute", "ops.power", "ops.erf", "ops.reciprocal", "ops.sinh",
        "ops.cosh", "ops.sin", "ops.cos", "ops.arctan", "ops.arcsinh", "ops.stop_gradient",
        "ops.normalize", "ops.rmsnorm", "ops.rms_norm", "ops.layer_norm", "ops.batch_norm",
        "ops.log10", "ops.log2", "ops.exp2", "ops.cbrt", "ops.celu", "ops.hard_silu", "ops.hard_swish", "ops.mish",
        "ops.log_sigmoid", "ops.sparse_plus", "ops.squareplus", "ops.tanh_shrink", "ops.hard_tanh", "ops.hard_shrink",
        "ops.soft_shrink", "ops.threshold", "ops.tan", "ops.arcsin", "ops.arccos", "ops.arccosh", "ops.arctanh",
        "ops.nan_to_num", "ops.erfinv", "ops.logit", "ops.layer_normalization", "ops.rms_normalization",
        "ops.batch_normalization", "math.erfc", "math.erfinv", "math.lgamma",
        "math.ceil", "math.floor", "round", "math.round", "ops.ceil", "ops.floor", "ops.round", "ops.trunc",
        "quantization.fake_quant_with_min_max_args", "quantization.fake_quant_with_min_max_vars",
        "quantization.quantize_and_dequantize_v2", "nn.local_response_normalization",
    ),
    Share.FACTORS: ("math.reduce_prod", "backend.prod", "ops.prod"),
    Share.VECTOR: ("one_hot", "ops.one_hot"),
    Share.EQUAL: ("math.atan2", "ops.arctan2"),
    Share.NOTHING: (
        "math.equal", "math.not_equal", "math.greater", "math.greater_equal", "math.less", "math.less_equal",
        "__operators__.eq", "__operators__.ne", "__operators__.gt", "__operators__.ge", "__operators__.lt",
        "__operators__.le", "math.logical_and", "math.logical_or", "math.logical_not", "math.logical_xor",
        "math.reduce_any", "math.reduce_all", "backend.any", "backend.all", "backend.equal", "backend.not_equal",
        "backend.greater", "backend.greater_equal", "backend.less", "backend.less_equal", "math.is_nan",
        "math.is_finite", "shape", "zeros_like", "ones_like", "backend.zeros_like", "backend.ones_like", "argsort",
        "math.argmax", "math.argmin", "math.count_nonzero", "sequence_mask", "backend.argmax", "size", "rank",
        "shape", "range", "math.floordiv", "floor_div",
        "math.floormod", "__operators__.logical_and", "__operators__.logical_or", "__operators__.and",
        "__operators__.or", "__operators__.invert", "searchsorted", "nn.in_top_k", "zeros", "ones", "fill", "eye",
        "math.is_inf",
        "argmax", "argmin", "backend.argmin", "backend.shape", "math.sign", "backend.sign",
        "ops.equal", "ops.not_equal", "ops.greater", "ops.greater_equal", "ops.less", "ops.less_equal",
        "ops.logical_and", "ops.logical_or", "ops.logical_not", "ops.logical_xor", "ops.any", "ops.all", "ops.isnan",
        "ops.isfinite", "ops.zeros_like", "ops.ones_like", "ops.argsort", "ops.argmax", "ops.argmin",
        "ops.count_nonzero", "ops.floor_divide", "ops.mod", "ops.isinf", "ops.heaviside", "ops.signbit",
        "ops.digitize", "ops.searchsorted", "ops.bincount",
        "ops.sign",
    ),
}  # fmt: skip
"""Names of operations by how they share relevance."""
_SHARE_OF = {name: share for share, names in SHARES.items() for name in names}
GATHERS = ("gather", "backend.gather", "ops.take")
"""Operations that pick rows; those of a table that is no input are vectors of tokens."""
SINGLE = ("quantization.", "nn.local_response_normalization")
"""Beginnings of the names of operations that TensorFlow has in float32 alone."""
BOUNDS = ("math.maximum", "math.minimum", "backend.maximum", "backend.minimum", "ops.maximum", "ops.minimum")
"""Operations that bound a tensor where the other argument is a number."""
MOMENTS = ("nn.moments", "nn.weighted_moments", "ops.moments")
"""Operations whose first output is a mean, and the second one a variance."""
INDICES = ("math.top_k", "nn.top_k", "ops.top_k")
"""Operations whose first output is moved from the input, and the second one says from where."""
SHAPES = (
    "shape",
    "backend.shape",
    "size",
    "rank",
    "zeros_like",
    "ones_like",
    "backend.zeros_like",
    "backend.ones_like",
)
"""Operations that read the shape of a tensor alone."""
RANDOM = ("random.", "backend.random", "nn.dropout", "nn.experimental", "backend.dropout")
WITHOUT = "explain a model that ends before it, as keras.Model(model.inputs, model.get_layer('mean').output)"
SOFTMAX = ("nn.softmax", "backend.softmax", "activations.softmax", "ops.softmax")
SIGMOIDS = (
    "math.sigmoid", "nn.sigmoid", "activations.sigmoid", "backend.sigmoid", "backend.hard_sigmoid", "ops.sigmoid",
    "ops.hard_sigmoid",
)  # fmt: skip
EXTREMES = {
    **dict.fromkeys((
        "math.maximum", "math.reduce_max", "backend.max", "backend.maximum", "nn.max_pool", "nn.max_pool1d",
        "nn.max_pool2d", "nn.max_pool3d", "ops.maximum", "ops.max", "ops.max_pool", "ops.adaptive_max_pool",
    ), True),
    **dict.fromkeys((
        "math.minimum", "math.reduce_min", "backend.min", "backend.minimum", "ops.minimum", "ops.min",
    ), False),
}  # fmt: skip
"""Operations whose outputs are the largest (True) or the smallest (False) of some inputs."""
CLIPS = ("clip_by_value", "backend.clip", "ops.clip")
SIGN_KEPT = (
    "math.add", "__operators__.add", "math.reduce_sum", "math.reduce_mean", "math.multiply", "linalg.matmul", "concat",
    "reshape", "expand_dims", "squeeze", "transpose", "__operators__.getitem", "stack", "math.reduce_max", "gather",
    "ops.add", "ops.sum", "ops.mean", "ops.multiply", "ops.matmul", "ops.concatenate", "ops.reshape", "ops.expand_dims",
    "ops.squeeze", "ops.transpose", "ops.get_item", "ops.stack", "ops.max", "ops.take",
)  # fmt: skip
"""Operations whose result is not negative if none of their inputs is, and that are given no negative constant."""


@register(*OPERATIONS)
@dataclass(frozen=True, eq=False)
class TensorOperation(Operation):
    """One operation of TensorFlow, with the constants that it was given."""

    @classmethod
    def lower(cls, layer: KerasLayer) -> Layer[Any]:
        name = operation_name(layer.config)
        options = dict(layer.options)
        if name in SOFTMAX:
            given = layer.arguments[1] if len(layer.arguments) > 1 else layer.config.get("axis", -1)
            axis = options.get("axis", given)
            return Softmax(layer, (int(axis),))
        if name.startswith(RANDOM):
            raise layer.error(
                "is random, so that there is no one output to explain", f"explain a model without it: {WITHOUT}"
            )
        share = share_of(name)
        number = int(layer.options.get(NUMBER, 0))
        if name in MOMENTS:
            share = (Share.LINEAR, Share.SQUARE)[number]
        elif name in INDICES and number:
            share = Share.NOTHING
        if share is None or layer.function is None:
            raise layer.error(f"is the operation {name}, which has no rule", f"{GRADIENTS}, or write it by others")
        if name in GATHERS and len(layer.input_shapes) == 1 and not isinstance(layer.arguments[0], TensorOf):
            share = Share.VECTOR  # rows of a table
        if name in BOUNDS and len(layer.input_shapes) == 1:
            share = Share.UNCHANGED  # bounded by a number
        if share is Share.NUMERATOR and not isinstance(layer.arguments[0], TensorOf):
            share = Share.UNCHANGED  # a number over a signal
        signs = name in SIGN_KEPT and not _has_negative(layer)
        return cls(
            layer, _function(layer, share), share, (lambda inputs: all(inputs)) if signs else (lambda inputs: False)
        )

    @property
    def reads_shape_alone(self) -> bool:  # type: ignore[override]  # constant for other classes
        """Whether its output depends on the shape of its input alone."""
        return operation_name(self.source.config) in SHAPES

    @property
    def extreme(self) -> bool | None:
        return EXTREMES.get(operation_name(self.source.config))

    @property
    def is_elementwise(self) -> bool:
        """Norms read all elements; the bounds of a clip are numbers, so that it reads one."""
        name = operation_name(self.source.config)
        return name in CLIPS or (super().is_elementwise and "norm" not in name)

    @property
    def path_nodes(self) -> int:  # type: ignore[override]  # constant for other classes
        """Norms grow in proportion to their input, and are not linear."""
        name = operation_name(self.source.config)
        return 16 if any(part in name for part in ("norm", "std")) else super().path_nodes

    def is_gate(self, inputs: Sequence[bool]) -> bool:
        return operation_name(self.source.config) in SIGMOIDS or super().is_gate(inputs)


def share_of(name: str) -> Share | None:
    """How an operation shares its relevance; None if it has no rule."""
    return _SHARE_OF.get(name) or _SHARE_OF.get(f"keras.{name}")


def operation_name(config: Mapping[str, Any]) -> str:
    """Name of the operation of a layer of Keras, without where TensorFlow and Keras keep it."""
    name = str(config.get("function", ""))
    for prefix in ("tf.", "keras.", "compat.v1."):
        name = name.removeprefix(prefix)
    return name


def _constants(layer: KerasLayer) -> list[Any]:
    return [one for one in tf.nest.flatten((layer.arguments, dict(layer.options))) if not isinstance(one, TensorOf)]


def _has_negative(layer: KerasLayer) -> bool:
    """Whether a number below zero is among what an operation is given; an axis counts as one, to no harm."""
    found = [np.asarray(one) for one in _constants(layer) if isinstance(one, (int, float, np.ndarray, tf.Tensor))]
    return any(values.dtype.kind in "iuf" and (values < 0).any() for values in found)


def _function(layer: KerasLayer, share: Share) -> Any:
    """The operation as a function of the list of its tensors, in the type of these; of integers in theirs."""
    integers = share in (Share.NOTHING, Share.VECTOR)
    # comparisons are made in the type of the model, in which numbers as 0.1 are others than in float64
    single = share is Share.NOTHING or operation_name(layer.config).startswith(SINGLE)
    call, index = layer.function, layer.options.get(NUMBER)
    options = {key: value for key, value in layer.options.items() if key != NUMBER}
    assert call is not None

    def compute(x: list[Tensor]) -> Tensor:
        conditions = {"bool"} if len(set(layer.input_types)) > 1 else set()  # beside numbers, as of tf.where
        x = [
            _as_in_model(one, own) if integers or own in conditions else one
            for one, own in zip(x, layer.input_types or [one.dtype.name for one in x], strict=True)
        ]
        if single:
            x = [tf.cast(one, tf.float32) if one.dtype.is_floating else one for one in x]
        floating = [one.dtype for one in x if one.dtype.is_floating]

        def placed(value: Any) -> Any:
            if isinstance(value, TensorOf):
                return x[value.index]
            is_array = isinstance(value, (np.ndarray, tf.Tensor, tf.Variable))
            if floating and is_array and tf.as_dtype(value.dtype).is_floating:
                return tf.cast(value, floating[0])
            return value

        arguments, named = _slices(tf.nest.map_structure(placed, (layer.arguments, options)))
        found = call(*arguments, **named)
        return found if index is None else tf.nest.flatten(found)[index]

    return compute


def _as_in_model(x: Tensor, dtype: str) -> Tensor:
    """A tensor in the type that the model has it in, if that is an integer or bool."""
    own = tf.as_dtype(dtype)
    return x if own.is_floating or x.dtype == own else tf.cast(x, own)


def _slices(value: Any) -> Any:
    """The arguments of a call, with slices where Keras has stored their parts."""
    if isinstance(value, dict):
        if value.keys() == {"start", "stop", "step"}:
            return slice(value["start"], value["stop"], value["step"])
        return {key: _slices(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        parts = [_slices(one) for one in value]  # Keras wraps lists in classes of its own
        return tuple(parts) if isinstance(value, tuple) else parts
    return value
