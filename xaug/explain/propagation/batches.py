"""The native engine for whole samples: graphs and compiled functions are kept, events go through in batches."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import keras
import numpy as np

from xaug.core.errors import ModelError
from xaug.core.types import Array, Arrays
from xaug.explain.propagation.composites import Composite
from xaug.explain.propagation.engine import Propagator
from xaug.explain.propagation.graph import make_graph
from xaug.explain.propagation.innvestigate.client import model_key
from xaug.explain.targets import Logits, Target

__all__ = ["batch_size", "explain", "propagator"]

CACHE = 2**22
"""Bytes that the largest output of a layer may take in a batch: about what stays in a processor's caches [bytes]."""
SMALLEST, LARGEST = 8, 512
"""Bounds on the events per batch: below, the calls cost more than the layers; above, nothing is gained."""
KEPT = 16
"""Compiled models kept; the one not used for longest goes first."""
_kept: OrderedDict[tuple[object, ...], Propagator] = OrderedDict()


def propagator(
    model: keras.Model,
    logits: Logits,
    composite: Composite,
    bias: str,
    dtype: str = "float32",
    nonnegative: frozenset[str] = frozenset(),
) -> Propagator:
    """The compiled graph of a model, made at its first use."""
    key = (model_key(logits), composite, bias, dtype, nonnegative)
    if key not in _kept:
        shapes = {layer.name: output_shape(layer) for layer in model.layers}
        for name in (logits.head, logits.end):  # one unit, where a difference is explained
            shapes[name] = (*shapes[name][:-1], logits.units)
        _kept[key] = Propagator(make_graph(logits, shapes), composite, bias, dtype, nonnegative)
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    _kept.move_to_end(key)
    return _kept[key]


def batch_size(propagate: Propagator) -> int:
    """Events per batch, from the shapes alone, so that it is the same everywhere; memory is bounded with it."""
    largest = max(int(np.prod(node.shape)) for node in propagate.graph.nodes) * propagate.dtype.size
    return int(np.clip(CACHE // largest, SMALLEST, LARGEST))


def output_shape(layer: keras.layers.Layer) -> tuple[int, ...]:
    """Shape of a layer's output without the event axis."""
    shape = layer.output_shape[0] if isinstance(layer.output_shape, list) else layer.output_shape
    return tuple(shape[1:])


def check(propagate: Propagator, model: keras.Model, inputs: Arrays) -> None:
    """Assert, once for a graph, that it gives the model's outputs on some events, before anything is explained.

    Raises
    ------
    ModelError
        if they differ by more than float32 rounding can explain
    """
    some = {name: values[:32] for name, values in inputs.items()}
    logits = propagate.logits(some).astype(np.float64)
    if logits.shape[1] == 1:
        expected = 1.0 / (1.0 + np.exp(-logits))
    else:
        expected = np.exp(logits - logits.max(axis=1, keepdims=True))
        expected /= expected.sum(axis=1, keepdims=True)
    found = np.asarray(model([some[name] for name in model.input_names], training=False))
    worst = float(np.abs(found - expected).max(initial=0.0))
    if not worst < 1e-4:
        raise ModelError(
            f"model {model.name!r}: its canonical form gives other outputs (by {worst:.2g}); "
            "this is a mistake of xaug, please report the model"
        )
    propagate.checked = True


def explain(
    model: keras.Model,
    logits: Logits,
    inputs: Arrays,
    composite: Composite,
    bias: str,
    target: Target,
    on_events: Callable[[int], None] = lambda n: None,
    dtype: str = "float32",
) -> tuple[Arrays, Array]:
    """Relevance by input name, and the explained output (n,)."""
    nonnegative = frozenset(name for name, values in inputs.items() if values.size and values.min() >= 0)
    propagate = propagator(model, logits, composite, bias, dtype, nonnegative)
    propagate.check_inputs(inputs)
    n = len(next(iter(inputs.values())))
    relevance = {name: np.empty(values.shape, dtype) for name, values in inputs.items()}
    explained = np.empty(n, dtype)
    if n and not propagate.checked:
        check(propagate, model, inputs)
    if target.minus is not None:
        logits, target = logits.difference(*target.pair), Target(0)
        propagate = propagator(model, logits, composite, bias, dtype, nonnegative)
    direction = target.direction(logits.units)
    if direction is not None:
        direction = np.broadcast_to(direction, (n, logits.units))
    batch = batch_size(propagate)
    for start in range(0, n, batch):
        rows = slice(start, start + batch)
        found, explained[rows], _ = propagate(
            {name: values[rows] for name, values in inputs.items()}, None if direction is None else direction[rows]
        )
        for name, values in found.items():
            relevance[name][rows] = values
        on_events(len(explained[rows]))
    return relevance, explained
