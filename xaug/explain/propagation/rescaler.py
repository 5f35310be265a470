"""The rescale rule (DeepLIFT): the difference of the output from that of reference events, shared among the inputs.

For an event x and a reference x' each input gets m_j (x_j - x'_j), where the multipliers m_j go back through the layers
by `xaug.explain.propagation.multipliers`. They add up to f(x) - f(x'), as those of Integrated Gradients do, at the cost
of one backward pass for each pair. Over several references attributions are averaged, never the references.

References
----------
A. Shrikumar, P. Greenside, A. Kundaje, ICML (2017), arXiv:1704.02685; S. Lundberg, S.-I. Lee, arXiv:1705.07874, section
4.2 (averages over reference events).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from xaug.core.errors import ModelError
from xaug.core.types import Array, Arrays
from xaug.explain.gradients.paths import Paths
from xaug.explain.gradients.readout import Readout
from xaug.explain.propagation.composites import COMPOSITES
from xaug.explain.propagation.engine import Forwarded, Propagator
from xaug.explain.propagation.graph import Graph, Node
from xaug.explain.propagation.layers.constant import Constant
from xaug.explain.propagation.layers.steps import StepsToEvents
from xaug.explain.propagation.linear_maps import Tensor
from xaug.explain.propagation.multipliers import End, Ends, Pairing

__all__ = ["Rescaled", "Rescaler", "check_sums"]

PAIRS = 8 * 2**20
"""Bytes that the largest output of a layer may take for the pairs of one call."""
ALLOWED = 1e-2
"""Allowed error of the sum of the shares of a pair, relative to the difference of the output."""
ROUNDING = 1e-4
"""The same, relative to the output."""
READOUT_NODES = 32
"""Nodes of the mean gradient of the readout, where that is no linear function."""


class Rescaled(NamedTuple):
    """The explanation of e events from m references.

    Attributes
    ----------
    relevance : dict of arrays (e, ...)
        by input name, summed over references with their weights
    squares : dict of arrays (e, ...)
        the same sums of the squares
    logit, reference : arrays (e,) and (e, m)
        f of the events, and of the references as each event compares with them
    error : array (e, m)
        sum of the shares of a pair less f(x) - f(x')
    """

    relevance: Arrays
    squares: Arrays
    logit: Array
    reference: Array
    error: Array


class Rescaler:
    """Multipliers of one network, compiled.

    Parameters
    ----------
    graph : Graph
        the network, without its head where that is taken off
    readout : Readout
        the explained output
    paths : Paths
        what does not differ between an event and its reference
    dtype : str
        "float32" or "float64"
    """

    def __init__(self, graph: Graph, readout: Readout, paths: Paths, dtype: str = "float32"):
        self.graph, self.readout, self.paths = graph, readout, paths
        self.engine = Propagator(graph, COMPOSITES["z"], "ignore", dtype)
        self.dtype = self.engine.dtype
        largest = max(int(np.prod(node.shape)) for node in graph.nodes) * self.dtype.size
        self.pairs = int(np.clip(PAIRS // largest, 16, 1024))
        self._numbers = tf.function(self._of_numbers, reduce_retracing=True, autograph=False)
        self._grid = tf.function(self._of_grid, reduce_retracing=True, autograph=False)
        self._begin = tf.function(self._kept, reduce_retracing=True, autograph=False)
        self.is_shared = paths.are_straight and not self._has_masks() and not self._has_other_rows()

    def _has_masks(self) -> bool:
        """Whether steps are masked, so that what a reference computes depends on the event."""
        zeros = {name: tf.zeros((1, *self.graph.by_name[name].shape), self.dtype) for name in self.graph.input_names}
        return any(mask is not None for mask in self.engine.forward(zeros).masks.values())

    def _has_other_rows(self) -> bool:
        """Whether steps are events of their own somewhere, so that rows of events cannot be repeated there."""
        return any(isinstance(node.layer, StepsToEvents) for node in self.graph.nodes)

    def numbers(self, x: Arrays) -> Array:
        """Output of the graph (n, units)."""
        n = len(next(iter(x.values())))
        parts = [
            self._numbers(self._tensors({name: values[i : i + self.pairs] for name, values in x.items()})).numpy()
            for i in range(0, n, self.pairs)
        ]
        return np.concatenate(parts) if parts else np.empty((0, self.graph.units), self.dtype.as_numpy_dtype)

    def prepared(self, references: Arrays) -> list[Tensor]:
        """Tensors that the explanation reads of references (m, ...), the same for all events where possible."""
        tensors = self._tensors(references)
        return list(self._begin(tensors)) if self.is_shared else tensors

    def explain(self, x: Arrays, references: list[Tensor], directions: Array, weights: Array) -> Rescaled:
        """Explain e events from m references.

        Parameters
        ----------
        x : dict of arrays (e, ...)
        references : list of tensors
            what `prepared` gave for the references
        directions : (e, units) array
            explained outputs, see `Readout.directions`
        weights : (m,) array
            weights of the references
        """
        arguments = (tf.constant(values, self.dtype) for values in (directions, weights))
        relevance, squares, *rest = self._grid(self._tensors(x), references, *arguments)
        found, of_squares = (
            {name: r.numpy() for name, r in zip(self.graph.input_names, sums, strict=True)}
            for sums in (relevance, squares)
        )
        return Rescaled(found, of_squares, *(tensor.numpy() for tensor in rest))

    def _tensors(self, x: Arrays) -> list[Tensor]:
        dtype = self.dtype.as_numpy_dtype
        return [tf.convert_to_tensor(np.asarray(x[name], dtype)) for name in self.graph.input_names]

    # Compiled -------------------------------------------------------------------------------------------

    def _named(self, tensors: list[Tensor]) -> dict[str, Tensor]:
        return dict(zip(self.graph.input_names, tensors, strict=True))

    def _of_numbers(self, x: list[Tensor]) -> Tensor:
        return self.engine.forward(self._named(x)).values[self.graph.output.name]

    def _kept(self, references: list[Tensor]) -> list[Tensor]:
        """Outputs of all nodes, and the records that are tensors."""
        done = self.engine.forward(self._named(references))
        return [*(done.values[node.name] for node in self.graph.nodes), *_tensor_records(done).values()]

    def _of_grid(
        self, x: list[Tensor], references: list[Tensor], directions: Tensor, weights: Tensor
    ) -> tuple[list[Tensor], list[Tensor], Tensor, Tensor, Tensor]:
        every = Pairing((tf.shape(x[0])[0], tf.shape(references[0])[0]))
        if self.is_shared:
            ends = self.engine.forward(self._named(x))
            names = [node.name for node in self.graph.nodes]
            kept = dict(zip(names, references, strict=False))
            records = dict(zip(_tensor_records(ends), references[len(names) :], strict=True))
            begun, pairing = Forwarded(kept, records, ends.masks), every
        else:
            ends = self.engine.forward(self._named([every.of_events(one) for one in x]))
            starts = self._started(ends.values, self._named([every.of_references(one) for one in references]))
            begun, pairing = self.engine.forward(starts, ends.masks), Pairing()
        relevance, squares, f, begin, error = self._shares(ends, begun, pairing, every.of_events(directions), weights)
        return relevance, squares, f[:, 0], begin, error

    def _started(self, x: Mapping[str, Tensor], references: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """References with the frozen elements and the padding of the events."""
        shapes = {name: self.graph.by_name[name].shape for name in self.graph.input_names}
        flat = [
            {name: tf.reshape(values[name], (-1, int(np.prod(shape)))) for name, shape in shapes.items()}
            for values in (x, references)
        ]
        begun, share = self.paths.starts(*flat), self.paths.begin
        return {
            name: tf.reshape(begun[name] + share * (flat[0][name] - begun[name]), (-1, *shape))
            for name, shape in shapes.items()
        }

    def _shares(
        self, ends: Forwarded, begun: Forwarded, pairing: Pairing, direction: Tensor, w: Tensor
    ) -> tuple[list[Tensor], list[Tensor], Tensor, Tensor, Tensor]:
        """Shares of the inputs and their squares, f of both ends, and the error of the sum, of all pairs."""
        output = self.graph.output.name
        z, z_begin = pairing.of_events(ends.values[output]), pairing.of_references(begun.values[output])
        f, f_begin = self.readout(z, direction), self.readout(z_begin, direction)
        waiting = {output: self._of_readout(z, z_begin, f - f_begin, direction)}
        for node in reversed(self.graph.nodes):
            if not node.inputs or node.name not in waiting:  # an input, or a constant
                continue
            found = node.layer.multipliers(
                self._ends(node, ends, begun, pairing, waiting.pop(node.name)), self.engine.treatments[node.name]
            )
            for name, factors in zip(node.inputs, found, strict=True):
                if factors is not None:
                    waiting[name] = waiting[name] + factors if name in waiting else factors
        shape = (-1, tf.size(w))
        relevance: list[Any] = []
        squares: list[Any] = []
        total = tf.zeros_like(f)
        for name in self.graph.input_names:
            step = pairing.joined(tf.subtract, ends.values[name], begun.values[name])
            share = step * waiting[name] if name in waiting else tf.zeros_like(step)
            own = self.graph.by_name[name].shape
            flat = tf.reshape(share, (-1, int(np.prod(own))))
            total += tf.reduce_sum(flat, axis=1)
            of_pairs = tf.reshape(flat, (*shape, int(np.prod(own))))
            for sums, values in ((relevance, of_pairs), (squares, of_pairs**2)):
                sums.append(tf.reshape(tf.einsum("m,emk->ek", w, values), (-1, *own)))
        f, f_begin, error = (tf.reshape(values, shape) for values in (f, f_begin, total - (f - f_begin)))
        return relevance, squares, f, f_begin, error

    def _of_readout(self, z: Tensor, z_begin: Tensor, difference: Tensor, direction: Tensor) -> Tensor:
        """Multipliers of the numbers before the head: the mean gradient of f between the two, made exact."""
        places, weights = np.polynomial.legendre.leggauss(  # type: ignore[no-untyped-call]
            1 if self.readout.is_linear else READOUT_NODES
        )
        factors = tf.zeros_like(z)
        for place, weight in zip(((places + 1) / 2).tolist(), (weights / 2).tolist(), strict=True):
            point = z_begin + place * (z - z_begin)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(point)
                f = self.readout(point, direction)
            factors += weight * tape.gradient(f, point)
        if self.readout.is_linear:
            return factors
        total = tf.reduce_sum(factors * (z - z_begin), axis=1)
        ratio = difference / tf.where(total == 0, tf.ones_like(total), total)
        right = tf.abs(ratio - 1) < 0.1  # what is left to the quadrature is small; rounding of a tiny sum is not
        return factors * tf.where(right, ratio, tf.ones_like(ratio))[:, None]

    def _ends(self, node: Node, ends: Forwarded, begun: Forwarded, pairing: Pairing, factors: Tensor) -> Ends:
        def end(done: Forwarded) -> End:
            x = [done.values[name] for name in node.inputs]
            return End(x, done.values[node.name], _tensor_records(done).get(node.name))

        event, reference = end(ends), end(begun)
        fixed = [isinstance(self.graph.by_name[name].layer, Constant) for name in node.inputs]
        x, start = (
            [one if is_fixed else spread(one) for one, is_fixed in zip(end.x, fixed, strict=True)]
            for end, spread in ((event, pairing.of_events), (reference, pairing.of_references))
        )
        return Ends(
            x, start, pairing.of_events(event.y), pairing.of_references(reference.y),
            None if event.z is None else pairing.of_events(event.z),
            None if reference.z is None else pairing.of_references(reference.z),
            self.engine.masks_of(node, ends), factors, event, reference, pairing,
        )  # fmt: skip


def _tensor_records(done: Forwarded) -> dict[str, Tensor]:
    """Records that are tensors of numbers, as preactivations."""
    return {name: record for name, record in done.records.items() if tf.is_tensor(record)}


def check_sums(found: Rescaled, what: str) -> None:
    """Raise ModelError where the shares of a pair do not add up to f(x) - f(x')."""
    difference = found.logit[:, None] - found.reference
    with np.errstate(invalid="ignore"):
        unit = float(np.sqrt(np.nanmean(difference**2))) if np.isfinite(difference).any() else 0.0
        allowed = ALLOWED * np.fmax(np.abs(difference), unit) + ROUNDING * np.fmax(1, np.abs(found.logit[:, None]))
        wrong = np.isfinite(difference) & ~(np.abs(found.error) <= allowed)
    if wrong.any():
        worst = float(np.nanmax(np.abs(np.where(wrong, found.error, 0))))
        raise ModelError(
            f"model {what!r}: in {wrong.sum()} of {wrong.size} pairs the shares of the rescale rule do not add up to "
            f"f(x) - f(x') (by up to {worst:.2g}). A layer of this model jumps, or has no gradient, between the event "
            "and the reference. Remedy: freeze what it reads (frozen=[...]), choose references with the padding of the "
            "events, or explain the model by xaug.explain.shapley_values"
        )
