"""Integrals of a network's gradient along straight paths from baselines to events.

The integral over alpha in [0, 1] of grad f(x' + alpha (x - x')) is computed by Gauss-Legendre quadrature, which is
exact for polynomials of degree 2 nodes - 1. Its error falls exponentially with the number of nodes for smooth networks,
while that of left and right Riemann sums, the usual choice, falls as 1 / nodes.

Reference: M. Sundararajan, A. Taly, Q. Yan, ICML 2017, arXiv:1703.01365.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import tensorflow as tf

from xaug.core.errors import ModelError
from xaug.core.types import Array, Arrays
from xaug.explain.gradients.linear_stem import without_linear_stem
from xaug.explain.gradients.paths import Line, Paths
from xaug.explain.gradients.preparation import check_inputs, check_layers, cut_model, largest_floats
from xaug.explain.gradients.readout import Readout
from xaug.explain.keras_models import ModelOutput, float32_layers, plain_errors, weights_digest
from xaug.explain.targets import Target

__all__ = ["MAX_NODES", "Integrator", "Table", "integrator_of"]

MAX_NODES = 1024
"""Largest number of nodes that may be asked for."""
MEMORY = 128 * 2**20
"""Bytes that one batch of pairs may take in a network with convolutions or recurrent layers."""
DENSE_MEMORY = 40 * 2**20
"""Bytes that one batch of pairs may take in a dense network. To start a batch takes as long as some hundred pairs, so
that with 10 MiB everything takes 1.5 times as long; more than 40 MiB gain nothing."""
KEPT = 16
"""Number of compiled networks that are kept; the one that was not used for longest is dropped first."""
Table = list[tf.Tensor]
"""All that the integral reads of n events or baselines, see `Integrator.table`."""
PairTerms = tuple[list[Array], Array, Array, Array]
"""Attributions of pairs by input, as `Integrator.by_name` takes them; sum of attributions - (f(x) - f(x')); f(x);
f(x')."""
_kept: OrderedDict[tuple[object, ...], Integrator] = OrderedDict()


@lru_cache(maxsize=64)
def gauss_legendre(nodes: int) -> tuple[tf.Tensor, ...]:
    """Number, places and weights of the nodes on [0, 1]. All tensors have the same length, to be compiled once."""
    x, w = np.polynomial.legendre.leggauss(nodes)  # type: ignore[no-untyped-call]  # no types in NumPy
    padded = [np.pad(a, (0, MAX_NODES - nodes)).astype(np.float32) for a in ((x + 1) / 2, w / 2)]
    return tf.constant(nodes), *map(tf.constant, padded)


def integrator_of(network: ModelOutput, readout: Readout, paths: Paths, fast: bool = True) -> Integrator:
    """The integrator of a model, which is made at its first use and kept.

    Parameters
    ----------
    network : ModelOutput
        the model
    readout : Readout
        the explained output
    paths : Paths
        what moves on the way from a baseline to an event
    fast : bool
        False: never cut the network behind its linear stem
    """
    digest = weights_digest(network.model)
    key = (id(network.source), digest, readout, network.output, tuple(paths.shapes.items()), paths.key, fast)
    if key not in _kept:
        _kept[key] = Integrator(network, readout, paths, fast)
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    _kept.move_to_end(key)
    return _kept[key]


class Integrator:
    """Path integrals of one model's gradient.

    Attributes
    ----------
    stem : LinearStem
        the network, cut behind its linear stem if it has one
    batch : int
        number of pairs of an event and a baseline that are integrated at a time
    shapes : dict
        by input name, the shape of an event's input

    Raises
    ------
    ModelError
        if a layer has no gradient, or the model cannot be evaluated
    """

    def __init__(self, network: ModelOutput, readout: Readout, paths: Paths, fast: bool = True):
        self.network, self.readout, self.paths, self.shapes = network, readout, paths, paths.shapes
        shapes = paths.shapes
        with float32_layers(), plain_errors(network.name):
            check_inputs(network, paths)
            check_layers(network, shapes)
            cut = cut_model(network) if fast else None
            self.stem = cut or without_linear_stem(network.function, list(shapes), largest_floats(network, shapes))
            if self.stem.linear:
                self._check_stem()
        self.jit = self.stem.compiled
        wide = sum(int(np.prod(shape)) for shape in self.shapes.values())
        fitting = (DENSE_MEMORY if self.jit else MEMORY) // (4 * (4 * self.stem.floats + 3 * wide))
        self.batch = int(np.clip(fitting, 16, 4096))
        self._integrate = tf.function(self._pairs, jit_compile=self.jit, reduce_retracing=not self.jit)
        self._integrate_grid = tf.function(self._grid, jit_compile=self.jit, reduce_retracing=not self.jit)
        types = [tf.float32 if t.dtype.is_floating else t.dtype for t in network.model.inputs]
        signature = [tf.TensorSpec((None, *shape), kind) for shape, kind in zip(shapes.values(), types, strict=True)]
        self._values = tf.function(lambda x: network.function(x), input_signature=[signature])

    def _check_stem(self) -> None:
        """Compare the logits of the cut network with those of the model."""
        rng = np.random.default_rng(0)
        x = {name: rng.normal(size=(16, *shape)).astype(np.float32) for name, shape in self.shapes.items()}
        table = self._columns(x)
        found = self.stem.behind([tf.constant(c) for c in (table[0], *table[2:])]).numpy()
        expected = self.network.function([tf.constant(values) for values in x.values()]).numpy()
        worst = np.abs(found - expected).max() / (1 + np.abs(expected).max())
        if not worst < 1e-4:
            raise ModelError(
                f"model {self.network.name!r}: cut behind its linear stem, it gives other outputs (by {worst:.2g}). "
                "This is a mistake of xaug; please report the model"
            )

    # The explained output --------------------------------------------------------------------------------

    def directions(self, target: Target, z: Array) -> Array:
        """The explained outputs of events with logits z (n, units), see `Readout.directions`."""
        return self.readout.directions(target, z)

    def explained(self, z: tf.Tensor, direction: tf.Tensor) -> tf.Tensor:
        """The explained output f (n,), see `Readout`."""
        return self.readout(z, direction)

    def logits(self, x: Arrays) -> Array:
        """Logits (n, units) float32 of the network, computed batch by batch."""
        n, size = len(next(iter(x.values()))), self.batch
        with plain_errors(self.network.name):
            parts = [
                self._values([tf.constant(x[name][i : i + size]) for name in self.shapes]) for i in range(0, n, size)
            ]
        return np.concatenate(parts) if parts else np.empty((0, self.readout.units), np.float32)

    # The integral -------------------------------------------------------------------------------------

    def _pairs(
        self,
        events: Table,
        baselines: Table,
        directions: tf.Tensor,
        of_event: tf.Tensor,
        of_baseline: tf.Tensor,
        *quadrature: tf.Tensor,
    ) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor, tf.Tensor]:
        """Integrate pairs that are given by their rows (pairs,) of the two tables."""
        ends = [tf.gather(table, of_event) for table in events]
        starts = [tf.gather(table, of_baseline) for table in baselines]
        return self._kernel(ends, starts, tf.gather(directions, of_event), *quadrature)

    def _grid(
        self,
        events: Table,
        baselines: Table,
        directions: tf.Tensor,
        of_event: tf.Tensor,
        of_baseline: tf.Tensor,
        *quadrature: tf.Tensor,
    ) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor, tf.Tensor]:
        """Integrate all pairs of some events and some baselines, event by event, which is faster than `_pairs`."""
        m, c = tf.size(of_event), tf.size(of_baseline)

        def spread(table: tf.Tensor, rows: tf.Tensor, repeats: tf.Tensor, axis: int) -> tf.Tensor:
            some = tf.expand_dims(tf.gather(table, rows), axis)
            tiled = tf.tile(some, [repeats if i == axis else 1 for i in range(len(some.shape))])
            return tf.reshape(tiled, [-1, *table.shape[1:]])

        ends = [spread(table, of_event, c, 1) for table in [*events, directions]]
        starts = [spread(table, of_baseline, m, 0) for table in baselines]
        return self._kernel(ends[:-1], starts, ends[-1], *quadrature)

    def _kernel(
        self, ends: Table, starts: Table, direction: tf.Tensor, nodes: tf.Tensor, alphas: tf.Tensor, weights: tf.Tensor
    ) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor, tf.Tensor]:
        """Attributions of pairs in float32, and the completeness error, f(x) and f(x') of each pair."""
        logit, line = self.explained(ends[-1], direction), self._line(ends, starts)
        reference = self._reference(line, starts[-1], direction)
        moving = line.moving

        def add_node(k: tf.Tensor, *sums: tf.Tensor) -> tuple[tf.Tensor, ...]:
            points = line.at(alphas[k])
            watched = [points[i] for i in moving]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(watched)
                value = self.explained(self.stem.behind(points), direction)
            gradients = tape.gradient(value, watched, unconnected_gradients="zero")
            return (k + 1, *(s + weights[k] * g for s, g in zip(sums, gradients, strict=True)))

        zeros = [tf.zeros_like(line.steps[i]) for i in moving]
        _, *sums = tf.while_loop(lambda k, *_: k < nodes, add_node, (0, *zeros), parallel_iterations=1)
        by_place = dict(zip(moving, sums, strict=True))
        found = []
        if line.flat is not None:
            kernel = tf.constant(self.stem.kernel, tf.float32)
            found.append(line.flat * tf.matmul(by_place.pop(0), kernel, transpose_b=True))
        for i in range(len(found), len(line.steps)):
            found.append(line.steps[i] * by_place[i] if i in by_place else tf.zeros_like(line.steps[i], tf.float32))
        total = tf.add_n([tf.reduce_sum(f, axis=list(range(1, len(f.shape)))) for f in found])
        return found, total - (logit - reference), logit, reference

    def _line(self, ends: Table, starts: Table) -> Line:
        """The paths of pairs, as the network behind the stem reads them."""
        x, b = list(ends[:-1]), list(starts[:-1])
        if not self.paths.are_straight:
            b = self._begun(x, b)
        flat = x.pop(1) - b.pop(1) if self.stem.linear else None
        frozen = [self.paths.is_frozen(name) for name in self.stem.others]
        moving = [i for i, fixed in enumerate([False] * (len(x) - len(frozen)) + frozen) if not fixed]
        return Line(b, [end - start for end, start in zip(x, b, strict=True)], flat, moving)

    def _begun(self, x: Table, b: Table) -> Table:
        """The beginnings of the paths of pairs, from the columns of events and baselines."""
        places, start = {}, 0
        for name in self.stem.linear:
            size = int(np.prod(self.shapes[name]))
            places[name], start = slice(start, start + size), start + size
        first = 2 if self.stem.linear else 0

        def by_name(columns: Table) -> dict[str, tf.Tensor]:
            known = {name: columns[1][:, place] for name, place in places.items()}
            for name, column in zip(self.stem.others, columns[first:], strict=True):
                known[name] = tf.reshape(column, (-1, int(np.prod(self.shapes[name]))))
            return known

        begun = self.paths.starts(by_name(x), by_name(b))
        others = [tf.reshape(begun[name], (-1, *self.shapes[name])) for name in self.stem.others]
        if not self.stem.linear:
            return others
        flat = tf.concat([begun[name] for name in self.stem.linear], axis=1)
        return [x[0] - tf.matmul(x[1] - flat, tf.constant(self.stem.kernel, tf.float32)), flat, *others]

    def _reference(self, line: Line, z: tf.Tensor, direction: tf.Tensor) -> tf.Tensor:
        """f where the paths of pairs begin; `z` are the logits of the baselines as they were given."""
        if self.paths.are_straight:
            return self.explained(z, direction)
        return self.explained(self.stem.behind(line.at(self.paths.begin)), direction)

    def along(self, events: Table, baselines: Table, directions: tf.Tensor, alphas: Sequence[float]) -> Array:
        """(alphas, pairs) f at places of the paths of pairs that are given row by row."""
        with plain_errors(self.network.name):
            line = self._line(events, baselines)
            return np.stack([self.explained(self.stem.behind(line.at(a)), directions).numpy() for a in alphas])

    def ends(self, events: Table, baselines: Table, directions: tf.Tensor) -> tuple[Array, Array]:
        """(pairs,) f of the baselines, where paths begin, and f of the events, for pairs row by row."""
        with plain_errors(self.network.name):
            begin = self._reference(self._line(events, baselines), baselines[-1], directions)
            return begin.numpy(), self.explained(events[-1], directions).numpy()

    def _columns(self, x: Arrays) -> list[Array]:
        """Arrays that the integral reads of some inputs, without the logits."""
        others = [x[name] for name in self.stem.others]
        if not self.stem.linear:
            return others
        flat = self.stem.flat(x)
        return [self.stem.preactivations(flat), flat, *others]

    def table(self, x: Arrays, size: int | None = None) -> Table:
        """All that the integral reads of n inputs, as tensors padded to `size` rows, whose shape is compiled once.

        These are the preactivations and the flat linear inputs, if the network has a linear stem; the inputs that the
        network behind the stem reads; and the logits.
        """
        columns = [*self._columns(x), self.logits(x)]
        return [tf.constant(np.pad(c, [(0, (size or len(c)) - len(c))] + [(0, 0)] * (c.ndim - 1))) for c in columns]

    def integrate(
        self,
        events: Table,
        baselines: Table,
        directions: tf.Tensor,
        of_event: Array,
        of_baseline: Array,
        nodes: int,
        size: int,
    ) -> PairTerms:
        """Integrate any number of pairs.

        Parameters
        ----------
        events, baselines : list of tensors
            tables of the events and of the baselines
        directions : tensor
            explained class of the events, padded as their table
        of_event, of_baseline : (pairs,) arrays of int
            rows of the tables
        nodes : int
            number of nodes of the quadrature
        size : int
            number of pairs at a time, at most `batch`

        Returns
        -------
        list of (pairs, ...), and three arrays (pairs,), float32
            attributions, as `by_name` takes them; sum of attributions - (f(x) - f(x')); f(x); f(x')
        """
        parts: list[list[Array]] = []
        start = 0
        while start < len(of_event):
            n = min(size, len(of_event) - start)
            rows = [index[start : start + n] for index in (of_event, of_baseline)]
            if self.jit:  # shapes are compiled: a full batch, or a small one for the rest
                n = min(n, size if n > size // 2 else max(1, size // 8))
                full = size if n > size // 2 else max(1, size // 8)
                rows = [np.pad(index[:n], (0, full - n)) for index in rows]
            rows = [tf.constant(index, tf.int32) for index in rows]
            with plain_errors(self.network.name):
                found, *of_pairs = self._integrate(events, baselines, directions, *rows, *gauss_legendre(nodes))
            parts.append([values.numpy()[:n] for values in (*of_pairs, *found)])
            start += n
        joined = [np.concatenate(p) if len(p) > 1 else p[0] for p in zip(*parts, strict=True)]
        error, logit, reference = joined[:3]
        return joined[3:], error, logit, reference

    def integrate_grid(
        self,
        events: Table,
        baselines: Table,
        directions: tf.Tensor,
        of_event: Array,
        of_baseline: Array,
        nodes: int,
        shape: tuple[int, int],
    ) -> PairTerms:
        """Integrate all pairs of some events and some baselines; a grid of `shape`, at least as large, is compiled.

        Parameters and result are those of `integrate`.
        """
        rows = [of_event, of_baseline]
        m, c = map(len, rows)
        if self.jit:
            rows = [np.pad(index, (0, size - len(index))) for index, size in zip(rows, shape, strict=True)]
        rows = [tf.constant(index, tf.int32) for index in rows]
        with plain_errors(self.network.name):
            found, *of_pairs = self._integrate_grid(events, baselines, directions, *rows, *gauss_legendre(nodes))
        grid = tuple(map(len, rows))

        def inside(padded: tf.Tensor) -> Array:
            values: Array = padded.numpy()
            return values.reshape(*grid, *values.shape[1:])[:m, :c].reshape(m * c, *values.shape[1:])

        error, logit, reference = map(inside, of_pairs)
        return [inside(values) for values in found], error, logit, reference

    def by_name(self, terms: Sequence[Array]) -> Arrays:
        """Attributions (pairs, ...) by input name, from the list that `integrate` returns."""
        n, found = len(terms[0]), list(terms)
        named: Arrays = {}
        if self.stem.linear:
            flat, start = found.pop(0), 0
            for name in self.stem.linear:
                size = int(np.prod(self.shapes[name]))
                named[name] = flat[:, start : start + size].reshape(n, *self.shapes[name])
                start += size
        for name, values in zip(self.stem.others, found, strict=True):
            named[name] = named[name] + values if name in named else values
        return {name: named[name] for name in self.shapes}
