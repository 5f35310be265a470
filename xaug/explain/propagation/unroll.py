"""Every call of a layer in a Keras model, in order: nested models are taken apart, shared layers stand once per call.

The walk goes back from an output over the tensors of the live model, so that nothing is read from a configuration that
may say less than the layer does. A layer that is a small network of its own (TimeDistributed, Bidirectional, attention,
Lambda) is replaced by the calls that it consists of (`xaug.explain.propagation.expansions`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from xaug.core.types import JsonObject
from xaug.explain.propagation.layers.activation import HEADS, POINTWISE
from xaug.explain.propagation.layers.base import NUMBER, KerasLayer, TensorOf, known_layers
from xaug.networks.keras_versions import (
    GraphCall,
    call_of,
    config_of,
    function_of,
    input_names,
    inputs_by_key,
    is_graph,
    is_keras_tensor,
    kind_of,
    origin,
)

__all__ = ["OWN", "Call", "Expansion", "Unrolled", "Unroller", "unroll"]

NO_EFFECT = ("name", "training")
"""Arguments of a call that change nothing at inference."""


OWN = "a class of one's own"
"""Stands for all classes of layers without a rule, the user's own among them, among the expansions."""


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a layer.

    Attributes
    ----------
    layer : KerasLayer
        what was called, with the arguments of this call
    inputs : tuple of str
        names of the calls whose outputs it reads, in order; one may stand there more than once
    mask : str or None
        name of the call whose output was given as the mask of steps
    """

    layer: KerasLayer
    inputs: tuple[str, ...]
    mask: str | None = None

    @property
    def name(self) -> str:
        """Its name, which no other call has."""
        return self.layer.name


TensorKey: TypeAlias = tuple[int, int, int]
Expansion: TypeAlias = Callable[["Unroller", keras.layers.Layer, KerasLayer, tuple[str, ...], str | None], str]
"""Adds calls in place of a layer, and returns the name of the last one. It is given the layer, this call of it, and the
names of its inputs and of the mask that it is given explicitly."""


@dataclass(eq=False)
class _Scope:
    """A model whose tensors are looked up: the outermost one, or one call of a nested one.

    `path` are the names of the nested models, each with a slash behind it; `known` the names of calls by tensor,
    `inner` the scopes of calls of nested models, `tensors` the tensors by name of the call.
    """

    path: str
    known: dict[TensorKey, str] = field(default_factory=dict)
    inner: dict[tuple[int, int], _Scope] = field(default_factory=dict)
    tensors: dict[str, Any] = field(default_factory=dict)


class Unroller:
    """Calls of layers, collected from the inputs on.

    Attributes
    ----------
    calls : dict of Call
        by name, each after those that it reads
    """

    def __init__(self, expansions: Mapping[str, Expansion]) -> None:
        self._expansions = expansions
        self.calls: dict[str, Call] = {}
        self._dtypes: dict[str, str] = {}
        self._masked: dict[str, bool] = {}
        self._alive: list[Any] = []  # placeholders, which are known by their identity

    def add(
        self, layer: keras.layers.Layer, inputs: Sequence[str], name: str, shape: Sequence[int | None] | None = None,
        call: KerasLayer | None = None, mask: str | None = None, changed: JsonObject | None = None,
    ) -> str:  # fmt: skip
        """Add a call of a Keras layer; return its name.

        `call` has the arguments, where they are not just the inputs; `changed` options of its configuration.
        """
        inputs = tuple(inputs)
        shapes = tuple(self.calls[source].layer.shape for source in inputs)
        if shape is None:
            full = [(None, *self.open_shape(source)) for source in inputs]
            shape = tuple(layer.compute_output_shape(full[0] if len(full) == 1 else full))[1:]
        last = None if changed else _last_layer(layer)
        if last is not None:
            before = self.add(layer, inputs, name, shape, call, mask, {"activation": "linear"})
            return self.call(last, (before,), f"{before}_{last.name}")
        is_layer = isinstance(layer, keras.layers.Layer)
        weights = tuple(np.asarray(w, dtype=np.float64) for w in _weights(layer))
        if not all(np.isfinite(w).all() for w in weights):
            broken = KerasLayer(name, kind_of(layer), {})
            raise broken.error("has weights that are not finite", "train the model again; this one gives no numbers")
        if getattr(layer, "quantization_mode", None) is not None:
            quantised = KerasLayer(name, kind_of(layer), {})
            raise quantised.error("is quantised", "explain the model as it was before model.quantize")
        described = KerasLayer(
            self._free(name), kind_of(layer), {**config_of(layer), **(changed or {})},
            weights, _sizes(shape), shapes,
            is_layer and bool(layer.supports_masking), () if call is None else call.arguments,
            {} if call is None else call.options, function_of(layer), tuple(map(self.dtype, inputs)),
        )  # fmt: skip
        return self.put(Call(described, inputs, mask))

    def make(self, kind: str, inputs: Sequence[str], name: str, shape: Sequence[int], **config: Any) -> str:
        """Add a call of a kind that xaug has and Keras has not; return its name."""
        shapes = tuple(self.calls[source].layer.shape for source in inputs)
        return self.put(Call(KerasLayer(self._free(name), kind, config, (), tuple(shape), shapes), tuple(inputs)))

    def put(self, call: Call) -> str:
        """Add a call as it is."""
        self.calls[call.name] = call
        return call.name

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of the output of a call."""
        return self.calls[name].layer.shape

    def open_shape(self, name: str) -> tuple[int | None, ...]:
        """Shape of the output of a call as Keras writes it: None for an unknown length."""
        return tuple(None if size < 0 else size for size in self.shape(name))

    def dtype(self, name: str) -> str:
        """Type of the output of a call."""
        return self._dtypes.get(name, "float32")

    def call(self, layer: keras.layers.Layer, inputs: Sequence[str], name: str) -> str:
        """Add a plain call of any layer or model of one output on outputs of other calls; return its name."""
        if isinstance(layer, keras.Model) and is_graph(layer):
            known = {_key(tensor): source for tensor, source in zip(layer.inputs, inputs, strict=True)}
            return self.name_of(layer.outputs[0], _Scope(f"{name}/", known))
        expansion = self._expansion_of(layer)
        if expansion is not None:
            arguments = tuple(TensorOf(i) for i in range(len(inputs)))
            call = KerasLayer(name, kind_of(layer), config_of(layer), arguments=arguments)
            return expansion(self, layer, call, tuple(inputs), None)
        return self.add(layer, inputs, name)

    def _expansion_of(self, layer: keras.layers.Layer) -> Expansion | None:
        """The function that takes a layer apart: by its class, or that of all classes without a rule."""
        kind = kind_of(layer)
        own = hasattr(keras.layers, kind) and type(layer) is not getattr(keras.layers, kind)
        own = own or not (kind in known_layers() or kind in self._expansions)
        return self._expansions[OWN] if own else self._expansions.get(kind)

    def mask_of(self, name: str) -> str:
        """Name of the call that gives the mask of an output as a tensor; it is added."""
        made = self.make("StepsMask", (name,), f"{name}/mask", self.shape(name)[:1])
        self._dtypes[made] = "bool"
        return made

    def has_mask(self, name: str) -> bool:
        """Whether Keras hands a mask with the output of a call, to the layer that is taken apart now."""
        return self._masked.get(name, False)

    def trace(self, placeholders: Sequence[Any], output: Any, inputs: Sequence[str], name: str) -> str:
        """Add the calls that lead from placeholders, which stand for outputs of other calls, to a Keras tensor."""
        known = {_key(one): source for one, source in zip(placeholders, inputs, strict=True)}
        self._alive += [*placeholders, output]
        return self.name_of(output, _Scope(f"{name}/", known))

    def name_of(self, tensor: Any, scope: _Scope) -> str:
        """Name of the call that gives a Keras tensor; the calls up to it are added."""
        for waiting in _in_order(tensor, scope.known):
            name = self._called(waiting, scope)
            scope.known[_key(waiting)] = name
            scope.tensors.setdefault(name, waiting)
        return scope.known[_key(tensor)]

    def _called(self, tensor: Any, scope: _Scope) -> str:
        layer, made = origin(tensor).layer, call_of(tensor)
        name = scope.path + layer.name
        if isinstance(layer, keras.layers.InputLayer):
            name = self.add(layer, (), name, tensor.shape[1:])
            self._dtypes[name] = tf.as_dtype(tensor.dtype).name
            return name
        call = _described(made, name)
        inputs = tuple(scope.known[_key(source)] for source in made.inputs)
        if isinstance(layer, keras.Model) and is_graph(layer):
            return self._inside(layer, tensor, call, inputs, scope)
        mask, masked = call.options.get("mask"), None
        if isinstance(mask, TensorOf):
            masked, inputs = inputs[mask.index], (*inputs[: mask.index], *inputs[mask.index + 1 :])
            call = _without_input(call, mask.index, "mask")
        if len(made.outputs) > 1:
            call = replace(call, options={**call.options, NUMBER: origin(tensor).output})
        source = inputs[:1]
        if made.without_mask:
            inputs = (self.make("WithoutMask", source, f"{name}/steps", self.shape(inputs[0])), *inputs[1:])
        expansion = self._expansion_of(layer)
        if expansion is not None:
            mask_of = [getattr(source, "_keras_mask", None) is not None for source in made.inputs]
            self._masked = dict(zip((scope.known[_key(source)] for source in made.inputs), mask_of, strict=True))
            name = expansion(self, layer, call, inputs, masked)
            name = self._with_mask_again(name, source[0]) if made.without_mask else name
            self._dtypes[name] = tf.as_dtype(tensor.dtype).name
            return name
        name = self.add(layer, inputs, name, tensor.shape[1:], call, masked)
        name = self._with_mask_again(name, source[0]) if made.without_mask else name
        self._dtypes[name] = tf.as_dtype(tensor.dtype).name
        return name

    def _with_mask_again(self, name: str, source: str) -> str:
        """An output, which has the mask of the source if it is of steps too."""
        shape = self.shape(name)
        return self.make("MaskOf", (name, source), f"{name}/mask", shape) if len(shape) > 1 else name

    def _inside(self, model: keras.Model, tensor: Any, call: KerasLayer, inputs: tuple[str, ...], scope: _Scope) -> str:
        """The output of a model inside the model, taken apart once for each of its calls."""
        key = (id(model), origin(tensor).call)
        if key not in scope.inner:
            count = sum(1 for known, _ in scope.inner if known == id(model))
            scope.inner[key] = _Scope(f"{call.name}{f'_{count + 1}' if count else ''}/")
            given = zip(_by_argument(model, call), model.inputs, strict=True)
            scope.inner[key].known = {_key(own): inputs[index] for index, own in given}
        return self.name_of(model.outputs[origin(tensor).output], scope.inner[key])

    def _free(self, name: str) -> str:
        """The name, with a number behind it where another call has it."""
        if name not in self.calls:
            return name
        return next(found for i in range(2, 10**6) if (found := f"{name}_{i}") not in self.calls)


@dataclass(frozen=True, eq=False)
class Unrolled:
    """Every call that the output of a model depends on.

    Attributes
    ----------
    calls : dict of Call
        by name, in an order in which each comes after those that it reads; all inputs of the model come first
    inputs : list of str
        names of the calls of the inputs, in the order of the model
    end : str
        name of the call that gives the output
    tensors : dict
        Keras tensors of the model by the name of the call that gives them; those inside of nested models are not there
    """

    calls: dict[str, Call]
    inputs: list[str]
    end: str
    tensors: dict[str, Any]


def unroll(model: keras.Model, expansions: Mapping[str, Expansion]) -> Unrolled:
    """Take a model apart.

    Parameters
    ----------
    model : keras.Model
        a functional model of one output
    expansions : mapping of str to callable
        by Keras class, what takes a layer apart

    Returns
    -------
    Unrolled

    Raises
    ------
    ModelError
        if a part of the model cannot be followed
    """
    unroller, scope = Unroller(expansions), _Scope("")
    inputs = [unroller.name_of(tensor, scope) for tensor in model.inputs]
    end = unroller.name_of(model.outputs[0], scope)
    return Unrolled(unroller.calls, inputs, end, scope.tensors)


def _last_layer(layer: keras.layers.Layer) -> keras.layers.Layer | None:
    """The activation of a layer as a layer of its own, if it is a layer, a function of the user's own, or the softmax
    of a layer that is not one."""
    activation = getattr(layer, "activation", None)
    if isinstance(activation, keras.layers.Layer):
        return activation
    if callable(activation) and not hasattr(layer, "cell") and not _is_known(activation, config_of(layer)):
        return keras.layers.Lambda(activation, name="activation")
    is_softmax = kind_of(layer) != "Activation" and getattr(activation, "__name__", "") == "softmax"
    return keras.layers.Softmax(name="softmax") if is_softmax else None


def _weights(layer: Any) -> list[Any]:
    """The weights of a layer in Keras' order; those of low rank (LoRA) are added to its own, as Keras does."""
    if not isinstance(layer, keras.layers.Layer):
        return []
    if getattr(layer, "lora_enabled", False):
        own = layer.embeddings if hasattr(layer, "embeddings") else layer.kernel
        return [own, *([] if getattr(layer, "bias", None) is None else [layer.bias])]
    return list(layer.get_weights())


def _is_known(activation: Callable[..., Any], config: JsonObject) -> bool:
    """Whether an activation has a name to explain or refuse it by, as all of Keras have and some of TensorFlow."""
    name, module = config.get("activation"), str(getattr(activation, "__module__", ""))
    own = getattr(activation, "__name__", "")
    names = isinstance(name, str) and (name in POINTWISE or name in HEADS or getattr(keras.activations, own, None))
    return bool(names) and module.split(".")[0] in ("keras", "tensorflow")


def _in_order(tensor: Any, known: Mapping[TensorKey, str]) -> Iterator[Any]:
    """The Keras tensors that a tensor depends on and that are not known, each after those that it depends on."""
    stack, seen = [tensor], set()
    while stack:
        current = stack[-1]
        if _key(current) in known:
            stack.pop()
            continue
        waiting = [source for source in call_of(current).inputs if _key(source) not in known]
        if _key(current) in seen or not waiting:
            stack.pop()
            yield current
        else:
            seen.add(_key(current))
            stack += waiting


def _described(made: GraphCall, name: str) -> KerasLayer:
    """A call by its arguments, with `TensorOf` for each input; arguments without effect are left out."""
    call = KerasLayer(name, made.kind, config_of(made.layer))
    numbers = iter(range(len(made.inputs)))  # in the order in which nest goes through the arguments

    def placed(value: Any) -> Any:
        return TensorOf(next(numbers)) if is_keras_tensor(value) else value

    arguments, options = tf.nest.map_structure(placed, (made.arguments, made.options))
    if options.get("training") not in (None, False, 0):
        raise call.error("is called with training=True, so that its output is random or depends on the batch")
    kept = {key: value for key, value in options.items() if key not in NO_EFFECT and value is not None}
    return replace(call, arguments=arguments, options=kept)


def _without_input(call: KerasLayer, index: int, option: str) -> KerasLayer:
    """A call without one of its inputs, which an option holds."""

    def placed(value: Any) -> Any:
        return TensorOf(value.index - 1) if isinstance(value, TensorOf) and value.index > index else value

    options = {key: value for key, value in call.options.items() if key != option}
    arguments, options = tf.nest.map_structure(placed, (call.arguments, options))
    return replace(call, arguments=arguments, options=options)


def _key(tensor: Any) -> TensorKey:
    """The identity of a Keras tensor: layer, call, and number of the output."""
    layer, call, output = origin(tensor)
    return id(layer), call, output


def _by_argument(model: keras.Model, call: KerasLayer) -> list[int]:
    """For each input of a nested model, the number of the input of its call that it is given."""
    given = call.arguments[0] if call.arguments else next(iter(call.options.values()))
    if isinstance(given, dict):
        keys = {id(tensor): key for key, tensor in inputs_by_key(model).items()}
        names = zip(input_names(model), model.inputs, strict=True)
        flat = [given[keys.get(id(tensor), name)] for name, tensor in names]
    else:
        flat = tf.nest.flatten(given)
    extra = [name for name in call.options if call.arguments]
    if extra or not all(isinstance(one, TensorOf) for one in flat):
        raise call.error(f"is a model that is called with {', '.join(extra) or 'a constant'}, which has no rule")
    return [one.index for one in flat]


def _sizes(shape: Sequence[int | None]) -> tuple[int, ...]:
    """A shape with -1 for an unknown length."""
    return tuple(-1 if size is None else int(size) for size in shape)
