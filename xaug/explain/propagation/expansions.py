"""Layers that are small networks of their own, and the calls that they consist of."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from xaug.explain.propagation.layers.base import NUMBER, KerasLayer, TensorOf
from xaug.explain.propagation.unroll import OWN, Expansion, Unrolled, Unroller, unroll
from xaug.networks.keras3_operators import variables_beside_symbols
from xaug.networks.keras_versions import config_of, is_keras_tensor, kind_of

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
    steps, half = inputs[0], 1 + len(inputs) // 2
    given = (steps, *inputs[1:half]), (steps, *inputs[half:])
    directions = layer.forward_layer, layer.backward_layer
    number, outputs = int(call.options.get(NUMBER, 0)), 2 if layer.merge_mode is None else 1
    if number >= outputs:  # states of the forward direction, then those of the other one
        which, state = divmod(number - outputs, len(_sizes_of_states(layer.forward_layer.cell)))
        return _direction(unroller, directions[which], given[which], call.name, mask, state + 1)
    ends: list[str] = []
    for inner, own in zip(directions, given, strict=True):
        name = _direction(unroller, inner, own, f"{call.name}/{inner.name}", mask)
        if inner is layer.backward_layer and inner.return_sequences:
            name = unroller.make("ReversedSteps", (name,), f"{call.name}/reversed", unroller.shape(name))
        ends.append(name)
    if layer.merge_mode is None:  # each direction is an output of its own
        return ends[number]
    merge = MERGES[layer.merge_mode]()
    return unroller.add(merge, ends, call.name)


def _direction(
    unroller: Unroller, layer: keras.layers.Layer, inputs: tuple[str, ...], name: str, mask: str | None, state: int = 0
) -> str:
    """One recurrent layer, and its output (`state` 0) or one of its states."""
    call = KerasLayer(name, kind_of(layer), config_of(layer), options={NUMBER: state})
    if call.kind == "RNN":
        return recurrence_of_cells(unroller, layer, call, inputs, mask)
    units = layer.cell.units
    shape = (unroller.shape(inputs[0])[0], units) if layer.return_sequences and not state else (units,)
    return unroller.add(layer, inputs, name, shape, call, mask)


def _sizes_of_states(cell: Any) -> list[int]:
    """Numbers of units of the states of a cell."""
    return [int(size) for size in tf.nest.flatten(cell.state_size)]


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
    if not is_keras_tensor(output):
        raise call.error("is a function that gives no tensor of its input, so that its operations cannot be followed")
    return unroller.trace(placeholders, output, inputs, call.name)


@expand("MultiHeadAttention")
def multi_head_attention(
    unroller: Unroller, layer: keras.layers.Layer, call: KerasLayer, inputs: tuple[str, ...], mask: str | None
) -> str:
    """Projections, products of queries and keys, their softmax, the mean of the values, and a projection."""
    order = tuple(inspect.signature(layer.call).parameters)
    given = {**dict(zip(order, call.arguments, strict=False)), **call.options}
    number = given.pop(NUMBER, 0)
    given.pop("return_attention_scores", None)
    names = {key: inputs[one.index] for key, one in given.items() if isinstance(one, TensorOf)}
    if {"query_mask", "value_mask", "key_mask"} & names.keys():
        raise call.error("is given masks of its own for queries, values or keys, which has no rule")
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
    if number == 1:
        return softmax
    width = unroller.shape(made["value"])[-1]
    mixed = unroller.make("AttentionMean", (softmax, made["value"]), f"{call.name}/mean", (places[0], heads, width))
    output = layer._output_dense
    ended = unroller.add(output, (mixed,), f"{call.name}/output", _projected(output, unroller.shape(mixed)))
    return unroller.make("MaskOf", (ended, names["query"]), call.name, unroller.shape(ended))


def _projected(dense: keras.layers.Layer, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the output of an EinsumDense without the event axis."""
    full = (None, *(None if size < 0 else size for size in shape))
    return tuple(-1 if size is None else int(size) for size in tuple(dense.compute_output_shape(full))[1:])


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warning of TensorFlow that weights are read by an operation: they are kept as constants."""
    logger, level = tf.get_logger(), tf.get_logger().level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)


CELLS = {"LSTMCell": "LSTM", "GRUCell": "GRU", "SimpleRNNCell": "SimpleRNN"}
"""Recurrent layers by the class of their cells."""


@expand("RNN")
def recurrence_of_cells(
    unroller: Unroller, layer: keras.layers.Layer, call: KerasLayer, inputs: tuple[str, ...], mask: str | None
) -> str:
    """A recurrent layer for each cell: one cell on top of another is one layer on top of another."""
    cell, own, (name, *states) = layer.cell, layer.get_config(), inputs
    cells = list(cell.cells) if isinstance(cell, keras.layers.StackedRNNCells) else [cell]
    number = int(call.options.get(NUMBER, 0))
    for one in cells:
        if type(one).__name__ not in CELLS:
            raise call.error(f"has a cell {type(one).__name__}, which has no rule; those with one: {', '.join(CELLS)}")
    for i, one in enumerate(cells):  # a state that is read is one of the last cell that counts
        count = len(_sizes_of_states(one))
        if 0 < number <= count:
            cells = cells[: i + 1]
            break
        number -= count if number else 0
    for one in cells:
        first, last = one is cells[0], one is cells[-1]
        initial, states = states[: len(_sizes_of_states(one))], states[len(_sizes_of_states(one)) :]
        sequences = not last or (layer.return_sequences and number == 0)
        config = {**one.get_config(), **{key: value for key, value in own.items() if key != "cell"}}
        config |= {"return_sequences": sequences, "return_state": False, "go_backwards": first and layer.go_backwards}
        kind = getattr(keras.layers, CELLS[type(one).__name__]).from_config(config)
        kind.build((None, None, unroller.shape(name)[-1]))
        kind.set_weights(one.get_weights())
        shape = (unroller.shape(name)[0], one.units) if sequences else (one.units,)
        where = call.name if last else f"{call.name}/{one.name}"
        read = KerasLayer(where, CELLS[type(one).__name__], {}, options={NUMBER: number if last else 0})
        name = unroller.add(kind, (name, *initial), where, shape, read, mask)
    return name


@expand("Dot")
def product_of_vectors(
    unroller: Unroller, layer: keras.layers.Layer, call: KerasLayer, inputs: tuple[str, ...], mask: str | None
) -> str:
    """The product, of vectors that are divided by their lengths first if it is that of their cosines."""
    changed = None
    if layer.normalize:
        axes = layer.axes if isinstance(layer.axes, (list, tuple)) else (layer.axes, layer.axes)
        names = []
        for i, (name, axis) in enumerate(zip(inputs, axes, strict=True)):
            divided = keras.layers.UnitNormalization(axis=axis)
            names.append(unroller.call(divided, [name], f"{call.name}/unit_{i + 1}"))
        inputs, changed = tuple(names), {"normalize": False}
    return unroller.add(layer, inputs, call.name, changed=changed)


@expand("SpectralNormalization")
def normalised_spectrum(
    unroller: Unroller, layer: keras.layers.Layer, call: KerasLayer, inputs: tuple[str, ...], mask: str | None
) -> str:
    """The layer inside: at inference its weights are those that training left."""
    return unroller.call(layer.layer, inputs, f"{call.name}/{layer.layer.name}")


@expand("Attention")
@expand("AdditiveAttention")
@expand(OWN)
def followed(
    unroller: Unroller, layer: keras.layers.Layer, call: KerasLayer, inputs: tuple[str, ...], mask: str | None
) -> str:
    """The layers and operations that the `call` of a layer consists of; it is called on Keras tensors, which record
    them. A mask that Keras would hand to it is an input of its own."""
    placeholders = [keras.Input(unroller.open_shape(name), dtype=unroller.dtype(name)) for name in inputs]
    names, tensors = list(inputs), list(placeholders)
    masks: list[Any] = [None] * len(inputs)
    for i, name in enumerate(inputs):
        if unroller.has_mask(name) or (i == 0 and mask is not None):
            given = mask if i == 0 and mask is not None else unroller.mask_of(name)
            masks[i] = keras.Input(unroller.open_shape(given), dtype="bool")
            placeholders[i]._keras_mask = masks[i]
            names, tensors = [*names, given], [*tensors, masks[i]]

    def placed(value: Any) -> Any:
        return placeholders[value.index] if isinstance(value, TensorOf) else value

    def mask_for(value: Any) -> Any:
        return masks[value.index] if isinstance(value, TensorOf) else None

    number = call.options.get(NUMBER, 0)
    rest = {key: value for key, value in call.options.items() if key != NUMBER}
    arguments, options = tf.nest.map_structure(placed, (call.arguments, rest))
    own_mask = tf.nest.map_structure(mask_for, call.arguments[0]) if call.arguments else None
    known = inspect.signature(layer.call).parameters
    options |= {"training": False} if "training" in known else {}
    if "mask" in known and any(one is not None for one in masks):
        options["mask"] = own_mask
    try:
        with _quiet(), variables_beside_symbols():
            output = layer.call(*arguments, **options)
            handed_on = layer.compute_mask(arguments[0], own_mask) if layer.supports_masking and arguments else None
    except Exception as error:  # whatever code of the user's own may raise
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise call.error(f"is of a class without a rule, whose operations cannot be followed: {reason}") from None
    end = tf.nest.flatten(output)[number]
    if not is_keras_tensor(end):
        raise call.error("is of a class without a rule, and gives no tensor of its input that could be followed")
    found = unroller.trace(tensors, end, names, call.name)
    if not is_keras_tensor(handed_on):
        return unroller.make("WithoutMask", (found,), call.name, unroller.shape(found))
    of_output = unroller.trace(tensors, handed_on, names, f"{call.name}/mask")
    return unroller.make("WithMask", (found, of_output), call.name, unroller.shape(found))
