"""Layers that are small networks of their own, and the calls that they consist of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from xaug.explain.propagation.layers.base import KerasLayer, TensorOf
from xaug.explain.propagation.unroll import Expansion, Unrolled, Unroller, unroll

__all__ = ["EXPANSIONS", "take_apart"]

EXPANSIONS: dict[str, Expansion] = {}
"""Functions that take a layer apart, by Keras class."""

MERGES = {"concat": keras.layers.Concatenate, "sum": keras.layers.Add, "mul": keras.layers.Multiply,
          "ave": keras.layers.Average}  # fmt: skip
"""Keras layers that join the two directions, by `merge_mode` of Bidirectional."""


def expand(kind: str) -> Callable[[Expansion], Expansion]:
    """Decorator: calls of this Keras class are replaced by the calls that the function adds."""

    def add(function: Expansion) -> Expansion:
        EXPANSIONS[kind] = function
        return function

    return add


def take_apart(model: keras.Model) -> Unrolled:
    """Every call that the output of a functional model depends on, see `xaug.explain.propagation.unroll.unroll`."""
    return unroll(model, EXPANSIONS)


@expand("TimeDistributed")
def time_distributed(
    unroller: Unroller, layer: keras.layers.Layer, call: KerasLayer, inputs: tuple[str, ...], mask: str | None
) -> str:
    """The inner layer on each step: steps of all events become events, and then steps again."""
    steps, *rest = unroller.shape(inputs[0])
    split = unroller.make("StepsToEvents", inputs, f"{call.name}/steps", tuple(rest))
    found = unroller.call(layer.layer, [split], f"{call.name}/{layer.layer.name}")
    shape = (steps, *unroller.shape(found))
    return unroller.make("EventsToSteps", (found, mask or inputs[0]), call.name, shape, explicit=mask is not None)


@expand("Bidirectional")
def bidirectional(
    unroller: Unroller, layer: keras.layers.Layer, call: KerasLayer, inputs: tuple[str, ...], mask: str | None
) -> str:
    """Two recurrent layers, the outputs of the backward one in order of the steps, and what joins them."""
    if len(inputs) > 1:
        raise call.error("is called with initial states, which has no rule")
    if layer.merge_mode is None:
        raise call.error("has merge_mode=None, so that it has two outputs, which has no rule")
    ends = []
    for inner in (layer.forward_layer, layer.backward_layer):
        sequences = inner.return_sequences
        units = inner.cell.units
        shape = (unroller.shape(inputs[0])[0], units) if sequences else (units,)
        name = unroller.add(inner, inputs, f"{call.name}/{inner.name}", shape, None, mask)
        if inner is layer.backward_layer and sequences:
            name = unroller.make("ReversedSteps", (name,), f"{call.name}/reversed", shape)
        ends.append(name)
    merge = MERGES[layer.merge_mode]()
    return unroller.add(merge, ends, call.name)


@expand("Lambda")
def function_of_tensors(
    unroller: Unroller, layer: keras.layers.Layer, call: KerasLayer, inputs: tuple[str, ...], mask: str | None
) -> str:
    """The operations that the function consists of; it is called on Keras tensors, which record them."""
    placeholders = [keras.Input(unroller.open_shape(name), dtype=unroller.dtype(name)) for name in inputs]

    def placed(value: Any) -> Any:
        return placeholders[value.index] if isinstance(value, TensorOf) else value

    arguments, options = tf.nest.map_structure(placed, (call.arguments, dict(call.options)))
    try:
        output = layer.function(*arguments, **layer.arguments, **options)
    except Exception as error:  # whatever a function of the user's own may raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise call.error(f"is a function whose operations cannot be followed: {reason}") from None
    if not hasattr(output, "_keras_history"):
        raise call.error("is a function that gives no tensor of its input, so that its operations cannot be followed")
    return unroller.trace(placeholders, output, inputs, call.name)


@expand("MultiHeadAttention")
def multi_head_attention(
    unroller: Unroller, layer: keras.layers.Layer, call: KerasLayer, inputs: tuple[str, ...], mask: str | None
) -> str:
    """Projections, products of queries and keys, their softmax, the mean of the values, and a projection."""
    order = ("query", "value", "key", "attention_mask", "return_attention_scores")
    given = {**dict(zip(order, call.arguments, strict=False)), **call.options}
    if given.pop("return_attention_scores", False):
        raise call.error("returns its scores beside its output, which has no rule")
    names = {key: inputs[one.index] for key, one in given.items() if isinstance(one, TensorOf)}
    value = names["value"]
    parts = {"query": names["query"], "key": names.get("key", value), "value": value}
    made = {}
    for part, source in parts.items():
        dense = getattr(layer, f"_{part}_dense")
        made[part] = unroller.add(dense, (source,), f"{call.name}/{part}", _projected(dense, unroller.shape(source)))
    places, heads = unroller.shape(made["query"])[:-2], unroller.shape(made["query"])[-2]
    if len(places) != 1 or len(unroller.shape(value)) != 2:
        raise call.error("attends along several axes, which has no rule")
    keys = unroller.shape(made["key"])[0]
    scale = float(layer._key_dim) ** -0.5
    scores = unroller.make(
        "AttentionScores", (made["query"], made["key"]), f"{call.name}/scores", (heads, places[0], keys), scale=scale
    )
    masks = tuple(names[key] for key in ("query", "value", "attention_mask") if key in names)
    softmax = unroller.make(
        "AttentionSoftmax", (scores, *masks), f"{call.name}/softmax", (heads, places[0], keys),
        causal=bool(given.get("use_causal_mask")), attention_mask="attention_mask" in names,
    )  # fmt: skip
    width = unroller.shape(made["value"])[-1]
    mixed = unroller.make("AttentionMean", (softmax, made["value"]), f"{call.name}/mean", (places[0], heads, width))
    output = layer._output_dense
    ended = unroller.add(output, (mixed,), f"{call.name}/output", _projected(output, unroller.shape(mixed)))
    return unroller.make("MaskOf", (ended, names["query"]), call.name, unroller.shape(ended))


def _projected(dense: keras.layers.Layer, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the output of an EinsumDense without the event axis."""
    full = (None, *(None if size < 0 else size for size in shape))
    return tuple(-1 if size is None else int(size) for size in tuple(dense.compute_output_shape(full))[1:])
