"""All differences between Keras 2 and Keras 3 in how a live model is read; no other module knows the version.

Both record each call of a layer by its arguments, under different names. Keras 3 differs in these points: operations
between tensors (`h + x`, `keras.ops.sum(x, 1)`) are no layers; masks of padded steps stand among the arguments of each
call; a Sequential model holds a functional one; data types are names.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from xaug.core.types import JsonObject

__all__ = [
    "GET_ITEM",
    "OPERATIONS",
    "GraphCall",
    "KerasOrigin",
    "arranged",
    "call_of",
    "calls_of",
    "config_of",
    "function_of",
    "in_float32",
    "inner_layers",
    "input_names",
    "inputs_by_key",
    "is_graph",
    "is_keras_3",
    "is_keras_tensor",
    "is_own_operation",
    "joined_masks",
    "kind_of",
    "loader_of_functions",
    "origin",
    "outputs_by_key",
    "own_operation",
    "own_weights",
    "same_inputs",
    "tensors_read",
]

OPERATIONS = ("TFOpLambda", "SlicingOpLambda", "ClassMethod", "Operation", "GetItem")
"""Kinds of operations between tensors: those of Keras 2, then those of Keras 3."""
GET_ITEM = ("SlicingOpLambda", "GetItem")
"""Kinds of the operation `x[...]`."""
CALLING = (
    "Map",
    "Scan",
    "VectorizedMap",
    "AssociativeScan",
    "Cond",
    "WhileLoop",
    "ForiLoop",
    "Switch",
    "CustomGradient",
)
"""Operations of Keras 3 that call a function which they are given."""


@cache
def is_keras_3() -> bool:
    """Whether the Keras that runs here is Keras 3 or later."""
    import keras

    return int(keras.__version__.split(".")[0]) >= 3


class KerasOrigin(NamedTuple):
    """Source of a Keras tensor: the layer or operation, the number of its call, and of the output."""

    layer: Any
    call: int
    output: int


@dataclass(frozen=True, eq=False)
class GraphCall:
    """One call of a layer or operation in a functional model.

    Attributes
    ----------
    layer : keras layer or operation
    arguments, options
        what it was given by position and by name, with Keras tensors in place; masks that only repeat those that the
        inputs carry are left out
    inputs, outputs : tuple of Keras tensors
        those among the arguments and options, in the order of `tf.nest.flatten`, and the results
    without_mask : bool
        whether a recurrent layer runs over padded steps though its input carries a mask: Keras 3 hands the mask to no
        call with several tensors, as one with initial states, unless it is given by name
    """

    layer: Any
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    without_mask: bool = False

    @property
    def kind(self) -> str:
        """Kind of the layer, see `kind_of`."""
        return kind_of(self.layer)

    def given(self, values: Mapping[int, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments and options for other inputs: `values` by the identity of the Keras tensor that they stand for."""
        import tensorflow as tf

        def placed(value: Any) -> Any:
            return values[id(value)] if is_keras_tensor(value) else value

        arguments, options = tf.nest.map_structure(placed, (self.arguments, self.options))
        return arguments, options

    def on(self, values: Mapping[int, Any]) -> Any:
        """The result for other inputs, see `given`."""
        arguments, options = self.given(values)
        return self.layer.call(*arguments, **options)


def is_keras_tensor(value: object) -> bool:
    """Whether a value is an output of a layer of a model, which holds no numbers."""
    return hasattr(value, "_keras_history")


def origin(tensor: Any) -> KerasOrigin:
    """The layer and call that a Keras tensor comes from."""
    return KerasOrigin(*tensor._keras_history)


def call_of(tensor: Any) -> GraphCall:
    """The call that gives a Keras tensor."""
    layer, number, _ = origin(tensor)
    return _read(layer._inbound_nodes[number])


def calls_of(model: Any) -> list[GraphCall]:
    """All calls of a functional model, but those of its inputs, each after those that it reads."""
    graph = getattr(model, "_functional", None) or model
    nodes = (node for _, nodes in sorted(graph._nodes_by_depth.items(), reverse=True) for node in nodes)
    return [_read(node) for node in nodes if not node.is_input]


def _read(node: Any) -> GraphCall:
    """A record of Keras in one form."""
    import tensorflow as tf

    without_mask = False
    if is_keras_3():
        layer, arguments, options = node.operation, tuple(node.arguments.args), dict(node.arguments.kwargs)
        options.pop("training", None)  # each call of the model replaces it
        without_mask = _is_without_mask(layer, arguments, options)
        options = _without_carried_masks(arguments, options)
    else:
        layer, arguments, options = node.layer, tuple(node.call_args), dict(node.call_kwargs)
    inputs = tuple(each for each in tf.nest.flatten((arguments, options)) if is_keras_tensor(each))
    return GraphCall(layer, arguments, options, inputs, tuple(tf.nest.flatten(node.outputs)), without_mask)


def _is_without_mask(layer: Any, arguments: tuple[Any, ...], options: Mapping[str, Any]) -> bool:
    """Whether Keras 3 hands a recurrent layer no mask, see `GraphCall.without_mask`."""
    import tensorflow as tf

    order = tuple(inspect.signature(layer.call).parameters)
    given = {**dict(zip(order, arguments, strict=False)), **options}
    return given.get("mask") is None and any(map(is_keras_tensor, tf.nest.flatten(given.get("initial_state"))))


def _without_carried_masks(arguments: tuple[Any, ...], options: dict[str, Any]) -> dict[str, Any]:
    """Options of a call in Keras 3 without the masks that the inputs carry, as Keras 2 records them."""
    import tensorflow as tf

    masks = {key: value for key, value in options.items() if key == "mask" or key.endswith("_mask")}
    others = [value for key, value in options.items() if key not in masks]
    carried = [getattr(each, "_keras_mask", None) for each in tf.nest.flatten((arguments, others))]

    def is_carried(mask: Any) -> bool:
        return mask is None or any(_is_same(mask, own) for own in carried)

    known = [key for key, value in masks.items() if all(map(is_carried, tf.nest.flatten(value)))]
    return {key: value for key, value in options.items() if key not in known}


def _is_same(one: Any, other: Any) -> bool:
    """Whether two tensors are one, or results of the same operations on the same tensors, as in a model from a file."""
    import tensorflow as tf

    if one is other:
        return True
    if not (is_keras_tensor(one) and is_keras_tensor(other)):
        return type(one) is type(other) and bool(one == other)
    calls = call_of(one), call_of(other)
    parts = [tf.nest.flatten((call.arguments, call.options)) for call in calls]
    if calls[0].kind not in OPERATIONS or type(calls[0].layer) is not type(calls[1].layer) or not parts[0]:
        return False
    configs = [{key: value for key, value in config_of(call.layer).items() if key != "name"} for call in calls]
    return (
        configs[0] == configs[1]
        and len(parts[0]) == len(parts[1])
        and all(_is_same(own, its) for own, its in zip(*parts, strict=True))
    )


def is_graph(model: Any) -> bool:
    """Whether a model is a graph of layers that can be followed, functional or Sequential."""
    if is_keras_3():
        import keras

        return hasattr(model, "_nodes_by_depth") or (isinstance(model, keras.Sequential) and model.built)
    return bool(getattr(model, "_is_graph_network", False))


def inner_layers(model: Any) -> list[Any]:
    """All layers and operations inside a model, also those of models inside it, without these models."""
    import keras

    found = [layer for layer in model._flatten_layers(include_self=False) if not isinstance(layer, keras.Model)]
    if not is_keras_3():
        return found
    models = [each for each in model._flatten_layers() if hasattr(each, "_nodes_by_depth")]
    operations = {id(one): one for each in models for one in each.operations if kind_of(one) in OPERATIONS}
    return [*found, *operations.values()]


def input_names(model: Any) -> list[str]:
    """Names of the inputs of a functional model, in its order."""
    return [str(origin(tensor).layer.name) for tensor in model.inputs]


def same_inputs(model: Any, floating: str | None = None) -> Any:
    """New input tensors of the names, shapes and types of a functional model's, arranged as `clone_model` takes them.

    With `floating`, those of real numbers have this type.

    Left to itself, Keras 3 names the inputs of a clone by tensors, whose names differ from those of unnamed inputs.
    """
    import keras
    import tensorflow as tf

    def dtype(tensor: Any) -> Any:
        return floating if floating and tf.as_dtype(tensor.dtype).is_floating else tensor.dtype

    return arranged(
        model,
        [
            keras.Input(batch_shape=tensor.shape, dtype=dtype(tensor), name=name)
            for name, tensor in zip(input_names(model), model.inputs, strict=True)
        ],
    )


def arranged(model: Any, tensors: list[Any]) -> Any:
    """Input tensors in the order of a model, as `clone_model` takes them."""
    import keras

    return keras.tree.pack_sequence_as(model.input, tensors) if is_keras_3() else tensors


def inputs_by_key(model: Any) -> dict[str, Any]:
    """Input tensors by key, of a model that takes a dict; empty for all others."""
    return _by_key(model, "_inputs_struct", "_nested_inputs")


def outputs_by_key(model: Any) -> dict[str, Any]:
    """Output tensors by key, of a model that returns a dict; empty for all others."""
    return _by_key(model, "_outputs_struct", "_nested_outputs")


def _by_key(model: Any, *names: str) -> dict[str, Any]:
    graph = getattr(model, "_functional", None) or model
    found = next((own for name in names if (own := getattr(graph, name, None)) is not None), None)
    return {str(key): value for key, value in found.items()} if isinstance(found, Mapping) else {}


def tensors_read(call: Any) -> list[tuple[Any, ...]] | None:
    """Tensors (layer, call, output) that a call in a configuration reads; None if it is given anything else as well."""
    if isinstance(call, dict) and {"args", "kwargs"} <= call.keys():
        flat = [one for each in call["args"] for one in (each if isinstance(each, list) else [each])]
        tensors = [each["config"]["keras_history"] for each in flat if isinstance(each, dict) and "config" in each]
        given = [value for value in call["kwargs"].values() if value not in (None, False)]
        return None if given or len(tensors) < len(flat) else [tuple(tensor) for tensor in tensors]
    if isinstance(call, dict) or not all(isinstance(entry, list) for entry in call):
        return None
    return None if any(len(entry) > 3 and entry[3] for entry in call) else [tuple(entry[:3]) for entry in call]


def joined_masks(masks: Sequence[Any], side_by_side: bool = False) -> Any:
    """The mask of steps of what a layer makes of inputs with these masks (None: no mask), or of inputs side by side.

    In Keras 2 a step is real if it is real in all inputs. In Keras 3 it is if it is real in one of them, and one input
    without a mask takes it from the result; side by side, all steps of that input are real, so all are.
    """
    import tensorflow as tf

    known = [mask for mask in masks if mask is not None]
    if not known:
        return None
    if not is_keras_3():
        return tf.reduce_all(tf.stack(known), axis=0)
    if len(known) < len(masks):
        return tf.ones_like(known[0]) if side_by_side else None
    return tf.reduce_any(tf.stack(known), axis=0)


def own_weights(layer: Any) -> list[Any]:
    """Weights that belong to a layer itself, not to layers inside it, in the order in which files have them."""
    kinds = ("_trainable_variables", "_non_trainable_variables") if is_keras_3() else (
        "_trainable_weights", "_non_trainable_weights")  # fmt: skip
    return [weight for kind in kinds for weight in getattr(layer, kind)]


def in_float32(config: Any) -> Any:
    """The configuration of a layer or nested model with all float types replaced by float32."""
    if isinstance(config, dict):
        return {
            key: "float32" if key == "dtype" and _is_float(value) else in_float32(value)
            for key, value in config.items()
        }
    if isinstance(config, (list, tuple)):
        return [in_float32(value) for value in config]
    return config


def _is_float(dtype: Any) -> bool:
    name = dtype["config"].get("name", "") if isinstance(dtype, dict) and "config" in dtype else dtype
    return isinstance(name, str) and "float" in name


# Operations -----------------------------------------------------------------------------------------------


def kind_of(layer: Any) -> str:
    """Name of the class of a layer; one of `OPERATIONS` for an operation between tensors."""
    name = type(layer).__name__
    if is_keras_3():
        import keras

        if not isinstance(layer, keras.layers.Layer):
            return "GetItem" if name == "GetItem" else "Operation"
    return name


def _operation(layer: Any) -> str:
    """Name of an operation as a user writes it behind `tf.` or `keras.`, such as "math.reduce_sum" or "ops.sum"."""
    if kind_of(layer) not in OPERATIONS:
        return ""
    if is_keras_3():
        name = type(layer).__name__.replace("ReLU", "Relu")
        return "ops." + re.sub("([a-z0-9])([A-Z])", r"\1_\2", name).lower()
    return str(layer.get_config().get("function", kind_of(layer)))


def config_of(layer: Any) -> JsonObject:
    """The configuration of a layer; of an operation its name as `function`, and what it was made with."""
    named = {"function": name} if (name := _operation(layer)) else {}
    try:
        return {**layer.get_config(), **named}
    except (NotImplementedError, OSError, TypeError, ValueError):  # of a class or with a function of the user's own
        return {"name": layer.name, **named}


def function_of(layer: Any) -> Callable[..., Any] | None:
    """The function that an operation, or a Lambda layer, applies to tensors; None for other layers."""
    is_of_keras_3 = is_keras_3() and kind_of(layer) in OPERATIONS
    found: Callable[..., Any] | None = layer.call if is_of_keras_3 else getattr(layer, "function", None)
    return found


def loader_of_functions() -> str:
    """Name of the module in which Keras makes functions of the code that a file holds; they see its global names."""
    return f"keras.src.utils.{'python_utils' if is_keras_3() else 'generic_utils'}"


def is_own_operation(kind: str) -> bool:
    """Whether Keras 3 runs here and has an operation of this name that only computes."""
    return is_keras_3() and kind not in CALLING and kind in _operations()


def own_operation(kind: str, config: JsonObject) -> Any:
    """The operation of a configuration, in Keras 3; None if there is none that only computes."""
    options = {key: value for key, value in config.items() if key != "name"}
    return _operations()[kind](**options) if is_own_operation(kind) else None


@cache
def _operations() -> dict[str, type]:
    """Operations of Keras 3 by the names of their classes."""
    from keras import Operation
    from keras.src import ops

    modules = (getattr(ops, name) for name in ("core", "linalg", "math", "nn", "numpy"))
    found = (value for module in modules for value in vars(module).values() if isinstance(value, type))
    return {value.__name__: value for value in found if issubclass(value, Operation) and value is not Operation}
