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
from xaug.explain.gradients.path_kernel import PathKernel, Table
from xaug.explain.gradients.paths import Paths
from xaug.explain.gradients.preparation import check_inputs, check_layers, cut_model, largest_floats, unrolled_model
from xaug.explain.gradients.readout import Readout
from xaug.explain.keras_models import ModelOutput, float32_layers, plain_errors
from xaug.explain.targets import Target

__all__ = ["MAX_NODES", "Integrator", "PairTerms", "integrator_of"]

MAX_NODES = 1024
"""Largest number of nodes that may be asked for."""
MEMORY = 128 * 2**20
"""Bytes that one batch of pairs may take in a network with convolutions or recurrent layers."""
DENSE_MEMORY = 40 * 2**20
"""Bytes that one batch of pairs may take in a dense network. To start a batch takes as long as some hundred pairs, so
that with 10 MiB everything takes 1.5 times as long; more than 40 MiB gain nothing."""
KEPT = 16
"""Number of compiled networks that are kept; the one that was not used for longest is dropped first."""
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
    key = (network.identity, readout, tuple(paths.shapes.items()), paths.key, fast)
    if key not in _kept:
        _kept[key] = Integrator(network, readout, paths, fast)
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    _kept.move_to_end(key)
    return _kept[key]


class Integrator(PathKernel):
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
            cut = (unrolled_model(network, shapes) or cut_model(network)) if fast else None
            self.stem = cut or without_linear_stem(network.function, list(shapes), largest_floats(network, shapes))
            if self.stem.linear:
                self._check_stem()
        self.jit = self.stem.compiled
        wide = sum(int(np.prod(shape)) for shape in self.shapes.values())
        fitting = (DENSE_MEMORY if self.jit else MEMORY) // (4 * (4 * self.stem.floats + 3 * wide))
        self.batch = int(np.clip(fitting, 16, 4096))
        self._integrate = tf.function(self._pairs, jit_compile=self.jit, reduce_retracing=not self.jit)
        self._integrate_grid = tf.function(self._grid, jit_compile=self.jit, reduce_retracing=not self.jit)
        self._evaluate = tf.function(self._points, reduce_retracing=True)
        self._sample = tf.function(self._samples, reduce_retracing=True)
        types = [tf.as_dtype(t.dtype) for t in network.model.inputs]
        types = [tf.float32 if dtype.is_floating else dtype for dtype in types]
        signature = [tf.TensorSpec((None, *shape), kind) for shape, kind in zip(shapes.values(), types, strict=True)]
        values = tf.function(lambda x: network.function(x), input_signature=[signature])
        with plain_errors(network.name):
            self._values = values.get_concrete_function()  # a call would count as a retracing among all models

    def _check_stem(self) -> None:
        """Compare the logits of the cut network with those of the model."""
        rng = np.random.default_rng(0)
        x: Arrays = {}
        for (name, shape), tensor in zip(self.shapes.items(), self.network.model.inputs, strict=True):
            own = tf.as_dtype(tensor.dtype)
            x[name] = rng.normal(size=(16, *shape)).astype(np.float32 if own.is_floating else own.as_numpy_dtype)
            x[name] *= own.is_floating  # whole numbers: zero is always one that the network takes
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

    def along(self, events: Table, baselines: Table, directions: tf.Tensor, alphas: Sequence[float]) -> Array:
        """(alphas, pairs) f at places of the paths of pairs that are given row by row."""
        with plain_errors(self.network.name):
            line = self._line(events, baselines)
            return np.stack([self.explained(self.stem.behind(line.at(a)), directions).numpy() for a in alphas])

    def points(
        self, events: Table, baselines: Table, directions: tf.Tensor, of_event: Array, of_baseline: Array, alpha: Array
    ) -> tuple[Array, Array, Array]:
        """f (rows,), its slope along the path, and its gradient (rows, dimensions), one place of a path in each row."""
        parts = []
        for start in range(0, len(alpha), self.batch):
            some = slice(start, start + self.batch)
            rows = (tf.constant(of_event[some], tf.int32), tf.constant(of_baseline[some], tf.int32))
            with plain_errors(self.network.name):
                values = self._evaluate(events, baselines, directions, *rows, tf.constant(alpha[some], tf.float32))
            parts.append([value.numpy().astype(np.float64) for value in values])
        f, slope, gradient = (np.concatenate(part) for part in zip(*parts, strict=True))
        return f, slope, gradient

    def samples(
        self, events: Table, baselines: Table, directions: tf.Tensor, of_event: Array, of_baseline: Array, alpha: Array
    ) -> list[Array]:
        """Steps times the gradient, as `by_name` takes them, at one place of the path of each row."""
        parts = []
        for start in range(0, len(alpha), self.batch):
            some = slice(start, start + self.batch)
            rows = (tf.constant(of_event[some], tf.int32), tf.constant(of_baseline[some], tf.int32))
            with plain_errors(self.network.name):
                values = self._sample(events, baselines, directions, *rows, tf.constant(alpha[some], tf.float32))
            parts.append([value.numpy() for value in values])
        return [np.concatenate(part) for part in zip(*parts, strict=True)]

    def closed(
        self, events: Table, baselines: Table, directions: tf.Tensor, of_event: Array, of_baseline: Array, sums: Array
    ) -> PairTerms:
        """The terms of pairs, as `integrate` returns them, from integrals of the gradient (pairs, dimensions)."""
        x, b = [tf.gather(t, of_event) for t in events], [tf.gather(t, of_baseline) for t in baselines]
        direction = tf.gather(directions, of_event)
        line, split, start = self._line(x, b), [], 0
        for i in line.moving:
            shape = line.steps[i].shape
            size = int(np.prod(shape[1:]))
            split.append(tf.reshape(tf.constant(sums[:, start : start + size], tf.float32), shape))
            start += size
        logit, reference = self.explained(x[-1], direction), self._reference(line, b[-1], direction)
        found, *of_pairs = self._terms(line, split, logit, reference)
        error, logit, reference = (values.numpy() for values in of_pairs)
        return [values.numpy() for values in found], error, logit, reference

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
