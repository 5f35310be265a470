"""The registry of layers for LRP: one class for each kind of layer holds everything that is known about it.

A class lowers the layer from its Keras configuration, or refuses it; runs it forward; shares its relevance among its
inputs; and says what it does to masks and signs, whether it can take an affine neighbour in, and whether iNNvestigate
explains it rightly. No other module lists kinds of layers. Layers without a rule are entries of the same registry
(`refuse`), with the reason and a remedy.
"""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, Generic, NamedTuple, TypeAlias, TypeVar

import keras
import tensorflow as tf

from xaug.core.errors import ModelError
from xaug.core.types import Array, JsonObject
from xaug.explain.propagation.linear_maps import Start, Tensor
from xaug.explain.propagation.multipliers import Ends, along_path
from xaug.explain.propagation.rules import Role, Rule

__all__ = [
    "GRADIENTS", "NUMBER", "Backward", "Entry", "KerasLayer", "Layer", "Moving", "Passed", "Shares", "TensorOf",
    "Treatment", "entry_of", "known_layers", "refuse", "register",
]  # fmt: skip

UNTESTED = "iNNvestigate's rule for it was never compared with the formula"
GRADIENTS = "explain the trained model as it is by xaug.explain.integrated_gradients"
"""A remedy for every layer that has a gradient."""

NUMBER = "number of the output"
"""Option of a call with several outputs: which of them is meant."""

Record = TypeVar("Record")


@dataclass(frozen=True, eq=False)
class KerasLayer:
    """One layer of a Keras model, as its configuration and its weights describe it.

    Attributes
    ----------
    name, kind : str
        its name in the model, and its Keras class
    config : dict
        `get_config` of the layer
    weights : tuple of arrays, float64
        in Keras' order
    shape : tuple of int
        shape of the output, without the event axis
    input_shapes : tuple of tuples of int
        shapes of the inputs, without the event axis
    passes_mask : bool
        whether Keras hands a mask of steps on (`supports_masking`)
    arguments, options
        what this call of the layer was given, by position and by name, with `TensorOf` for each of its inputs
    function : callable, optional
        the function of an operation on tensors (TFOpLambda) or of an initialiser without weights
    input_types : tuple of str
        types of the inputs in the model; the engine has numbers in place of integers
    """

    name: str
    kind: str
    config: JsonObject
    weights: tuple[Array, ...] = ()
    shape: tuple[int, ...] = ()
    input_shapes: tuple[tuple[int, ...], ...] = ()
    passes_mask: bool = False
    arguments: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    function: Callable[..., Any] | None = None
    input_types: tuple[str, ...] = ()

    def error(self, reason: str, remedy: str = GRADIENTS) -> ModelError:
        """The error that refuses the layer: it names the layer, the reason and a remedy."""
        return ModelError(f"layer {self.name!r} ({self.kind}) {reason}. Remedy: {remedy}")

    def require(self, option: str, *allowed: object, reason: str, remedy: str = GRADIENTS) -> None:
        """Raise ModelError if an option of the configuration has none of the allowed values."""
        if option in self.config and self.config[option] not in allowed:
            raise self.error(reason, remedy)


Unfit: TypeAlias = str | Callable[[KerasLayer], str | None] | None
"""Why iNNvestigate does not explain a layer rightly."""


@dataclass(frozen=True)
class TensorOf:
    """Stands for an input of a call in its arguments: the number of the input."""

    index: int


@dataclass(frozen=True, eq=False)
class Treatment:
    """How one layer of a network is explained.

    Attributes
    ----------
    rule : Rule or None
        None for layers that need no rule
    bias : str
        one of `xaug.explain.propagation.rules.BIAS`
    never_negative : bool
        whether no element of its first input can be negative
    gates : tuple of bool
        which inputs only say how much of the others passes, see `Layer.is_gate`
    """

    rule: Rule | None
    bias: str
    never_negative: bool
    gates: tuple[bool, ...] = ()

    @property
    def chosen(self) -> Rule:
        """The rule of a layer that has one."""
        assert self.rule is not None, "a layer with a role gets its rule from the composite"
        return self.rule


class Passed(NamedTuple, Generic[Record]):
    """Result of a layer's forward pass: its output, and a record that its backward pass needs."""

    y: Tensor
    record: Record


@dataclass(frozen=True, eq=False)
class Backward(Generic[Record]):
    """Input of a layer's backward pass.

    Attributes
    ----------
    x : list of tensors (n, ...)
        its inputs
    y : tensor (n, ...)
        its output
    record
        what its forward pass kept
    relevance : tensor (n, ...)
        relevance of its output
    start : Start, optional
        point from which its input is measured; None: zero
    """

    x: list[Tensor]
    y: Tensor
    record: Record
    relevance: Tensor
    start: Start | None = None


@dataclass(frozen=True, eq=False)
class Shares:
    """Relevance of the inputs of a layer, in their order, and the part (n,) that went to no input.

    An input that can have no relevance, such as a mask, has None.
    """

    inputs: Sequence[Tensor | None]
    elsewhere: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Layer(ABC, Generic[Record]):
    """A layer that relevance can be propagated through.

    Attributes
    ----------
    source : KerasLayer
        the layer that it was lowered from
    role : Role or None
        the name by which a composite chooses its rule; None for layers that need no rule
    is_identity : bool
        whether it does nothing at inference, so that it is left out
    faster_compiled : bool
        whether XLA makes it faster on a processor
    moves : bool
        whether each of its outputs is one of its inputs, or zero
    is_keras : bool
        whether `as_keras` can build it again
    reads_shape_alone : bool
        whether its output depends on the shapes of its inputs, and not on their values
    path_nodes : int
        nodes of the quadrature of its mean gradient between two ends; one is exact where it is linear
    """

    source: KerasLayer
    role: ClassVar[Role | None] = None
    is_identity: ClassVar[bool] = False
    faster_compiled: ClassVar[bool] = False
    moves: ClassVar[bool] = False
    is_keras: ClassVar[bool] = True
    reads_shape_alone: ClassVar[bool] = False
    path_nodes: ClassVar[int] = 16
    overrides: ClassVar[JsonObject] = {}
    """Options in which a Keras layer of the same function differs from the configuration of the source."""

    @classmethod
    @abstractmethod
    def lower(cls, layer: KerasLayer) -> Layer[Any]:
        """The layer that does what a Keras layer does; ModelError where that is not supported."""

    @property
    def weights(self) -> tuple[Array, ...]:
        """Weights in the order of Keras."""
        return ()

    @property
    def activation(self) -> str:
        """Name of the activation that its output went through last."""
        return "linear"

    @abstractmethod
    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[Record]:
        """Its output for inputs x with masks of padded steps (True: a real step), as Keras computes it."""

    @abstractmethod
    def backward(self, seen: Backward[Record], how: Treatment) -> Shares:
        """Relevance of its inputs from that of its output."""

    def multipliers(self, ends: Ends, how: Treatment) -> Sequence[Tensor | None]:
        """Multipliers of its inputs by the rescale rule from those of its output; None for inputs without gradient."""
        return along_path(lambda x: self.forward(x, ends.masks, how).y, self.path_nodes, ends)

    def mask(self, x: list[Tensor], masks: list[Tensor | None]) -> Tensor | None:
        """Mask of its output, from those of its inputs; None where it consumes or destroys masks, or has none."""
        return None

    def never_negative(self, inputs: Sequence[bool]) -> bool:
        """Whether no output can be negative, if that is known of the inputs."""
        return False

    def is_gate(self, inputs: Sequence[bool]) -> bool:
        """Whether its output is a gate: a number in [0, 1], or a count of these, that says how much of a signal passes.

        A product gives all relevance to the signal and none to a gate (L. Arras et al., arXiv:1706.07206). Gates are
        comparisons, masks, sigmoids, and what is computed of gates alone.
        """
        return False

    def refuses(self, rule: Rule) -> str | None:
        """Why a rule cannot be used on it, and what to do; None if it can."""
        return None

    def with_affine_behind(self, scale: Array, shift: Array) -> Layer[Any] | None:
        """The layer that gives scale * output + shift; None where that is not of this kind."""
        return None

    def with_affine_in_front(self, scale: Array, shift: Array) -> Layer[Any] | None:
        """The layer that reads scale * input + shift; None where that is not of this kind."""
        return None

    def as_keras(self, name: str, tensors: list[Any]) -> Any:
        """A Keras tensor: the output of a Keras layer of the same function, called on Keras tensors."""
        config = {**self.source.config, **self.overrides, "name": name, "dtype": "float32"}
        try:
            layer = getattr(keras.layers, self.source.kind).from_config(config)
            found = layer(tensors if len(tensors) > 1 else tensors[0])
            if self.weights:
                layer.set_weights(list(self.weights))
        except (TypeError, ValueError) as error:
            raise ModelError(f"layer {name!r} ({self.source.kind}) cannot be built again: {error}") from None
        return found


class Moving(Layer[None]):
    """A layer each of whose outputs is one of its inputs: it only moves values, without a rule."""

    moves = True
    path_nodes = 1

    @abstractmethod
    def move(self, parts: Sequence[Array]) -> Array:
        """The output of one event from the arrays that stand for its inputs, all without the event axis."""

    def never_negative(self, inputs: Sequence[bool]) -> bool:
        return all(inputs)

    def is_gate(self, inputs: Sequence[bool]) -> bool:
        return all(inputs)


@dataclass(frozen=True, eq=False)
class Entry:
    """Facts about one Keras class.

    Attributes
    ----------
    kind : str
        its name
    layer : type of Layer or None
        None if the class is refused
    reason, remedy : str
        why it is refused, and what works instead
    innvestigate : str, callable or None
        why iNNvestigate does not explain it rightly, or a function that says so of one layer; None if it does
    role : Role or None
        role of the layer, known also of one that is refused
    """

    kind: str
    layer: type[Layer[Any]] | None
    reason: str = "has no rule"
    remedy: str = GRADIENTS
    innvestigate: Unfit = UNTESTED
    role: Role | None = None

    def lower(self, layer: KerasLayer) -> Layer[Any]:
        """The layer for a Keras layer of this class; ModelError with the remedy if it is refused."""
        if self.layer is None:
            raise layer.error(self.reason, self.remedy)
        layer.require(
            "data_format", "channels_last", reason="has data_format='channels_first'; 'channels_last' is needed",
            remedy="make the same model with channels_last behind keras.layers.Permute((2, 3, 1)), which takes the "
            "same inputs, and give it the trained weights: copy.set_weights(model.get_weights())",
        )  # fmt: skip
        return self.layer.lower(layer)


_LAYERS: dict[str, Entry] = {}

LayerClass = TypeVar("LayerClass", bound=type[Layer[Any]])


def _add(entry: Entry) -> None:
    if entry.kind in _LAYERS:
        raise ModelError(f"there is an entry for the Keras class {entry.kind!r} already; remove one of the two")
    _LAYERS[entry.kind] = entry


def register(*kinds: str, innvestigate: Unfit = UNTESTED) -> Callable[[LayerClass], LayerClass]:
    """Decorator: the class serves these Keras classes; say why iNNvestigate does not explain them, None if it does."""

    def add(cls: LayerClass) -> LayerClass:
        for kind in kinds:
            _add(Entry(kind, cls, innvestigate=innvestigate, role=cls.role))
        return cls

    return add


def refuse(
    *kinds: str,
    reason: str = "has no rule",
    remedy: str = GRADIENTS,
    innvestigate: str = UNTESTED,
    role: Role | None = None,
) -> None:
    """Refuse Keras classes, for a reason and with a remedy that works on a trained model."""
    for kind in kinds:
        _add(Entry(kind, None, reason, remedy, innvestigate, role))


@cache
def _load() -> None:
    """Import all modules of the package, each of which registers its layers."""
    for module in pkgutil.iter_modules(importlib.import_module(__package__).__path__):
        importlib.import_module(f"{__package__}.{module.name}")


def known_layers() -> Mapping[str, Entry]:
    """Entries of all Keras classes by name. A test runs over all of them, so it covers a new entry too."""
    _load()
    return _LAYERS


def entry_of(kind: str) -> Entry:
    """Entry of a Keras class; an unknown class gets an entry that refuses it."""
    entries = known_layers()
    if kind in entries:
        return entries[kind]
    built = (name for name, entry in entries.items() if entry.layer is not None and hasattr(keras.layers, name))
    known = ", ".join(sorted(name for name in built if name != "InputLayer"))
    return Entry(kind, None, remedy=f"{GRADIENTS}, or build it of layers with a rule: {known}")


def all_of(masks: Iterable[Tensor | None]) -> Tensor | None:
    """The steps that are real in all masks; None if there is no mask."""
    known = [mask for mask in masks if mask is not None]
    return tf.reduce_all(tf.stack(known), axis=0) if known else None


def shape_of(x: Tensor) -> tuple[int, ...]:
    """Shape of a tensor without the event axis."""
    return tuple(int(size) for size in x.shape[1:])
