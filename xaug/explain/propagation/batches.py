"""The native engine for whole samples: graphs and compiled functions are kept, events go through in batches."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from xaug.core.types import Array, Arrays
from xaug.explain.keras_models import ModelOutput
from xaug.explain.propagation.composites import Composite
from xaug.explain.propagation.engine import Propagator
from xaug.explain.propagation.graph import Graph, difference, make_graph
from xaug.explain.propagation.guard import Guard, Reference
from xaug.explain.propagation.reference import ReferenceEvent
from xaug.explain.targets import Target

__all__ = ["How", "batch_size", "explain", "propagator"]

CACHE = 2**22
"""Bytes that the largest output of a layer may take in a batch: about what stays in a processor's caches [bytes]."""
SMALLEST, LARGEST = 8, 4096
"""Bounds on the events per batch: below, the calls cost more than the layers; above, nothing is gained."""
KEPT = 16
"""Compiled models kept; the one not used for longest goes first."""
_kept: OrderedDict[tuple[object, ...], tuple[Reference, Propagator]] = OrderedDict()


@dataclass(frozen=True)
class How:
    """By which rules and in which precision events are explained.

    Attributes
    ----------
    composite : Composite
    bias : str
        one of `xaug.explain.propagation.rules.BIAS`
    dtype : str
        "float32" or "float64"
    reference : ReferenceEvent, optional
        event at which inputs get no relevance; None: zero
    """

    composite: Composite
    bias: str
    dtype: str = "float32"
    reference: ReferenceEvent | None = None


@dataclass(frozen=True)
class SampleFacts:
    """SampleFacts about a sample of events that the compiled graph depends on.

    Attributes
    ----------
    shapes : tuple of (str, tuple of int)
        shapes of the inputs, without the event axis, if the model leaves a length open
    nonnegative, binary : frozenset of str
        names of inputs without negative values, and of those that hold nothing but 0 and 1
    """

    shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()
    nonnegative: frozenset[str] = frozenset()
    binary: frozenset[str] = frozenset()

    @classmethod
    def of(cls, network: ModelOutput, inputs: Arrays) -> SampleFacts:
        """The facts about a sample of events."""
        is_open = any(size is None for tensor in network.model.inputs for size in tensor.shape[1:])
        shapes = tuple((name, values.shape[1:]) for name, values in inputs.items()) if is_open else ()
        nonnegative = frozenset(name for name, values in inputs.items() if values.size and values.min() >= 0)
        return cls(shapes, nonnegative, frozenset(name for name in nonnegative if _is_binary(inputs[name])))


def _is_binary(values: Array) -> bool:
    """Whether all values are 0 or 1; one event mostly shows that they are not."""
    return all(bool(((part == 0) | (part == 1)).all()) for part in (values[:1], values))


def propagator(
    network: ModelOutput, how: How, pair: tuple[int, int] | None = None, facts: SampleFacts | None = None
) -> tuple[Reference, Propagator]:
    """The Keras model and its compiled graph, made at first use; `pair`: outputs whose difference is explained."""
    facts = facts or SampleFacts()
    key = (network.identity, how, pair, facts)
    if key not in _kept:
        graph = graph_of(network, facts)
        if pair is not None:
            graph = difference(graph, *pair)
        propagate = Propagator(
            graph, how.composite, how.bias, how.dtype, facts.nonnegative, facts.binary, how.reference
        )
        _kept[key] = Reference(network), propagate
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    _kept.move_to_end(key)
    return _kept[key]


def graph_of(network: ModelOutput, facts: SampleFacts) -> Graph:
    """The canonical graph of a model for events of these shapes."""
    return make_graph(network.model, value=network.kind == "value", shapes=dict(facts.shapes))


def batch_size(propagate: Propagator) -> int:
    """Events per batch, from the shapes alone, so that it is the same everywhere; memory is bounded with it."""
    largest = max(int(np.prod(node.shape)) for node in propagate.graph.nodes) * propagate.dtype.size
    return int(np.clip(CACHE // largest, SMALLEST, LARGEST))


def explain(
    network: ModelOutput, inputs: Arrays, how: How, target: Target, on_events: Callable[[int], None] = lambda n: None
) -> tuple[Arrays, Array]:
    """Relevance by input name, and the explained output (n,).

    Raises
    ------
    ConfigurationError
        if the rule of a first layer cannot be used on the values of its inputs
    ModelError
        if a layer has no rule, or the graph gives other logits than the model
    """
    pair = None if target.minus is None else target.pair
    reference, propagate = propagator(network, how, pair, SampleFacts.of(network, inputs))
    propagate.check_inputs(inputs)
    n, units = len(next(iter(inputs.values()))), propagate.graph.units
    relevance = {name: np.empty(values.shape, how.dtype) for name, values in inputs.items()}
    explained = np.empty(n, how.dtype)
    direction = (Target(0) if pair else target).direction(units)
    if direction is not None:
        direction = np.broadcast_to(direction, (n, units))
    batch, guard = batch_size(propagate), Guard(reference, inputs, pair)
    for start in range(0, n, batch):
        rows = slice(start, start + batch)
        some = {name: values[rows] for name, values in inputs.items()}
        found = propagate.explain(some, None if direction is None else direction[rows])
        guard.see(start, found.logits)
        explained[rows] = found.explained
        for name, values in found.relevance.items():
            relevance[name][rows] = values
        on_events(len(found.explained))
    guard.finish()
    return relevance, explained
