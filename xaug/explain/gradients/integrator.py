"""Integrals of a network's gradient along straight paths from baselines to events.

The integral over alpha in [0, 1] of grad f(x' + alpha (x - x')) is taken by Gauss-Legendre quadrature, which is exact
for polynomials of degree 2 nodes - 1 and converges exponentially for smooth networks (left and right Riemann sums, the
usual choice, as 1 / nodes).

Reference: M. Sundararajan, A. Taly, Q. Yan, ICML 2017, arXiv:1703.01365.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache

import keras
import numpy as np
import tensorflow as tf

from xaug.core.errors import ModelError
from xaug.explain.gradients.linear_stem import Front, split, whole
from xaug.explain.propagation.batches import output_shape
from xaug.explain.propagation.graph import make_graph
from xaug.explain.propagation.innvestigate.client import model_key
from xaug.explain.targets import Logits, Target

__all__ = ["MAX_NODES", "OUTPUTS", "Integrator", "integrator"]

OUTPUTS = ("logit", "probability")
MAX_NODES = 1024
"""Nodes that can be asked for at most."""
MEMORY = 128 * 2**20
"""Bytes that one batch of pairs may take in a network with convolutions or recurrent layers."""
DENSE_MEMORY = 40 * 2**20
"""The same in a dense network. To start a batch costs as much as some hundred pairs: with 10 MiB, all takes 1.5 times
as long; beyond 40 nothing is won."""
KEPT = 16
"""Compiled networks kept; the one not used for longest goes first."""
_kept: OrderedDict[tuple, Integrator] = OrderedDict()


@lru_cache(maxsize=64)
def gauss_legendre(nodes: int) -> tuple:
    """Number, places and weights of the quadrature on [0, 1], as tensors of one length: that is compiled once."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    padded = [np.pad(a, (0, MAX_NODES - nodes)).astype(np.float32) for a in ((x + 1) / 2, w / 2)]
    return tf.constant(nodes), *map(tf.constant, padded)


def integrator(model, logits: Logits, output: str, fast: bool = True) -> Integrator:
    """The integrator of a model, made at its first use.

    Parameters
    ----------
    fast
        False: never cut the network behind its linear front
    """
    key = (id(model), model_key(logits), output, fast)
    if key not in _kept:
        _kept[key] = Integrator(model, logits, output, fast)
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    _kept.move_to_end(key)
    return _kept[key]


class Integrator:
    """Path integrals of one model's gradient.

    Attributes
    ----------
    front : Front
        the network, cut behind its linear front if it has one
    batch : int
        pairs of an event and a baseline that are integrated at a time
    shapes : dict
        by input name, the shape of an event's input

    Raises
    ------
    ModelError
        naming an input of integers or of no fixed size, or a layer without a gradient
    """

    def __init__(self, model, logits: Logits, output: str, fast: bool = True):
        self.model, self.units, self.output = model, logits.units, output
        self.softmax = logits.activation == "softmax"
        if self.softmax and self.units == 1:
            raise ModelError(f"model {model.name!r}: a softmax of one output is always 1; use a sigmoid")
        self.shapes = {name: tuple(t.shape[1:]) for name, t in zip(model.input_names, model.inputs, strict=True)}
        _check_inputs(model, self.shapes)
        _check_layers(model)
        self._logits = _before_head(model, logits)
        self.front = (_cut(model, logits) if fast else None) or whole(self._logits, list(self.shapes), _floats(model))
        if self.front.linear:
            self._check_front()
        self.jit = self.front.compiled
        wide = sum(int(np.prod(shape)) for shape in self.shapes.values())
        fitting = (DENSE_MEMORY if self.jit else MEMORY) // (4 * (4 * self.front.floats + 3 * wide))
        self.batch = int(np.clip(fitting, 16, 4096))
        self._integrate = tf.function(self._pairs, jit_compile=self.jit, reduce_retracing=not self.jit)
        self._integrate_grid = tf.function(self._grid, jit_compile=self.jit, reduce_retracing=not self.jit)
        self._values = tf.function(lambda x: self._logits(x), reduce_retracing=True)

    def _check_front(self) -> None:
        rng = np.random.default_rng(0)
        x = {name: rng.normal(size=(16, *shape)).astype(np.float32) for name, shape in self.shapes.items()}
        table = self._columns(x)
        found = self.front.behind([tf.constant(c) for c in (table[0], *table[2:])]).numpy()
        expected = self._logits([tf.constant(values) for values in x.values()]).numpy()
        worst = np.abs(found - expected).max() / (1 + np.abs(expected).max())
        if not worst < 1e-4:
            raise ModelError(
                f"model {self.model.name!r}: cut behind its linear front it gives other outputs (by {worst:.2g}); "
                "this is a mistake of xaug, please report the model"
            )

    # What is explained --------------------------------------------------------------------------------

    def directions(self, target: Target, z: np.ndarray) -> np.ndarray:
        """(n, units) the explained class of events with logits z: one-hot, or +-1 for a single output."""
        if self.units == 1:
            sign = np.where(z >= 0, 1.0, -1.0) if target.sign is None else np.full(z.shape, target.sign)
            return sign.astype(np.float32)
        unit = z.argmax(axis=1) if target.unit is None else np.full(len(z), target.unit)
        return np.eye(self.units, dtype=np.float32)[unit]

    def explained(self, z, direction):
        """f (n,): the log-odds ln(p / (1 - p)) of the explained class, or its probability p."""
        if self.units == 1 or not self.softmax:
            odds = tf.reduce_sum(z * direction, axis=-1)
        elif self.units == 2:
            odds = tf.reduce_sum(z * (2 * direction - 1), axis=-1)
        else:
            others = tf.reduce_logsumexp(z - direction * 1e30, axis=-1)
            odds = tf.reduce_sum(z * direction, axis=-1) - others
        return odds if self.output == "logit" else tf.sigmoid(odds)

    def logits(self, x: dict[str, np.ndarray]) -> np.ndarray:
        """Logits of the network (n, units) float32, batch by batch."""
        n, size = len(next(iter(x.values()))), self.batch
        parts = [self._values([tf.constant(x[name][i : i + size]) for name in self.shapes]) for i in range(0, n, size)]
        return np.concatenate(parts) if parts else np.empty((0, self.units), np.float32)

    # The integral -------------------------------------------------------------------------------------

    def _pairs(self, events, baselines, directions, of_event, of_baseline, *quadrature):
        """Pairs given by their rows of the tables, (pairs,) each."""
        ends = [tf.gather(table, of_event) for table in events]
        starts = [tf.gather(table, of_baseline) for table in baselines]
        return self._kernel(ends, starts, tf.gather(directions, of_event), *quadrature)

    def _grid(self, events, baselines, directions, of_event, of_baseline, *quadrature):
        """All pairs of some events and some baselines, an event after the other: cheaper than to gather each."""
        m, c = tf.size(of_event), tf.size(of_baseline)

        def spread(table, rows, repeats, axis):
            some = tf.expand_dims(tf.gather(table, rows), axis)
            tiled = tf.tile(some, [repeats if i == axis else 1 for i in range(len(some.shape))])
            return tf.reshape(tiled, [-1, *table.shape[1:]])

        ends = [spread(table, of_event, c, 1) for table in [*events, directions]]
        starts = [spread(table, of_baseline, m, 0) for table in baselines]
        return self._kernel(ends[:-1], starts, ends[-1], *quadrature)

    def _kernel(self, ends, starts, direction, nodes, alphas, weights):
        """Attributions of pairs in float32; completeness errors, f(x) and f(x') of each."""
        logit, reference = self.explained(ends.pop(), direction), self.explained(starts.pop(), direction)
        flat = ends.pop(1) - starts.pop(1) if self.front.linear else None
        steps = [end - start for end, start in zip(ends, starts, strict=True)]

        def add_node(k, *sums):
            points = [start + alphas[k] * step for start, step in zip(starts, steps, strict=True)]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(points)
                value = self.explained(self.front.behind(points), direction)
            gradients = tape.gradient(value, points, unconnected_gradients="zero")
            return (k + 1, *(s + weights[k] * g for s, g in zip(sums, gradients, strict=True)))

        zeros = [tf.zeros_like(step) for step in steps]
        _, *sums = tf.while_loop(lambda k, *_: k < nodes, add_node, (0, *zeros), parallel_iterations=1)
        found = []
        if self.front.linear:
            kernel = tf.constant(self.front.kernel, tf.float32)
            found.append(flat * tf.matmul(sums.pop(0), kernel, transpose_b=True))
            steps.pop(0)
        found += [step * s for step, s in zip(steps, sums, strict=True)]
        total = tf.add_n([tf.reduce_sum(f, axis=list(range(1, len(f.shape)))) for f in found])
        return found, total - (logit - reference), logit, reference

    def _columns(self, x: dict[str, np.ndarray]) -> list[np.ndarray]:
        others = [x[name] for name in self.front.others]
        if not self.front.linear:
            return others
        flat = self.front.flat(x)
        return [self.front.preactivations(flat), flat, *others]

    def table(self, x: dict[str, np.ndarray], size: int | None = None) -> list:
        """What the integral reads of n inputs, as tensors padded to `size` rows: one shape is compiled once.

        Preactivations and flat linear inputs, if there is a front; the inputs that the network behind it reads; and
        the logits.
        """
        columns = [*self._columns(x), self.logits(x)]
        return [tf.constant(np.pad(c, [(0, (size or len(c)) - len(c))] + [(0, 0)] * (c.ndim - 1))) for c in columns]

    def integrate(self, events, baselines, directions, of_event, of_baseline, nodes: int, size: int) -> tuple:
        """Integrate any number of pairs.

        Parameters
        ----------
        events, baselines
            tables
        directions
            explained class of the events, padded as their table
        of_event, of_baseline
            (pairs,) rows of the tables
        size
            pairs at a time, at most `batch`

        Returns
        -------
        list of (pairs, ...) float32, (pairs,), (pairs,), (pairs,) float32
            attributions, as `by_name` takes them; sum of attributions - (f(x) - f(x')); f(x); f(x')
        """
        parts, start = [], 0
        while start < len(of_event):
            n = min(size, len(of_event) - start)
            rows = [index[start : start + n] for index in (of_event, of_baseline)]
            if self.jit:  # shapes are compiled: a full batch, or a small one for the rest
                n = min(n, size if n > size // 2 else max(1, size // 8))
                full = size if n > size // 2 else max(1, size // 8)
                rows = [np.pad(index[:n], (0, full - n)) for index in rows]
            rows = [tf.constant(index, tf.int32) for index in rows]
            found, *of_pairs = self._integrate(events, baselines, directions, *rows, *gauss_legendre(nodes))
            parts.append([values.numpy()[:n] for values in (*of_pairs, *found)])
            start += n
        error, logit, reference, *found = (np.concatenate(p) if len(p) > 1 else p[0] for p in zip(*parts, strict=True))
        return found, error, logit, reference

    def integrate_grid(self, events, baselines, directions, of_event, of_baseline, nodes: int, shape) -> tuple:
        """The same for all pairs of some events and baselines; `shape` of the grid, at least as large, is compiled."""
        rows = [of_event, of_baseline]
        m, c = map(len, rows)
        if self.jit:
            rows = [np.pad(index, (0, size - len(index))) for index, size in zip(rows, shape, strict=True)]
        rows = [tf.constant(index, tf.int32) for index in rows]
        found, *of_pairs = self._integrate_grid(events, baselines, directions, *rows, *gauss_legendre(nodes))
        grid = tuple(map(len, rows))

        def inside(values):
            values = values.numpy()
            return values.reshape(*grid, *values.shape[1:])[:m, :c].reshape(m * c, *values.shape[1:])

        return [inside(values) for values in found], *map(inside, of_pairs)

    def by_name(self, found: list[np.ndarray]) -> dict[str, np.ndarray]:
        """Attributions (pairs, ...) by input name."""
        n, found, named = len(found[0]), list(found), {}
        if self.front.linear:
            flat, start = found.pop(0), 0
            for name in self.front.linear:
                size = int(np.prod(self.shapes[name]))
                named[name] = flat[:, start : start + size].reshape(n, *self.shapes[name])
                start += size
        for name, values in zip(self.front.others, found, strict=True):
            named[name] = named[name] + values if name in named else values
        return {name: named[name] for name in self.shapes}


def _check_inputs(model, shapes: dict[str, tuple]) -> None:
    for name, tensor in zip(shapes, model.inputs, strict=True):
        if None in shapes[name]:
            raise ModelError(
                f"input {name!r} has shape {shapes[name]}; all sizes must be fixed for Integrated Gradients"
            )
        if not tensor.dtype.is_floating:
            raise ModelError(
                f"input {name!r} is of type {tensor.dtype.name}: there is no path between integers. "
                "Explain the network behind its embedding, or make the input one of floats"
            )


def _check_layers(model) -> None:
    """Raise ModelError, naming the layer, if one has no gradient."""
    tensors = {
        id(t): t for layer in model.layers for t in tf.nest.flatten([node.outputs for node in layer.inbound_nodes])
    }
    inside = keras.Model(model.inputs, list(tensors.values()))
    x = [tf.ones((1, *tensor.shape[1:]), tensor.dtype) for tensor in model.inputs]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        values = dict(zip(tensors, inside(x if len(x) > 1 else x[0], training=False), strict=True))
    for layer in model.layers:
        for node in layer.inbound_nodes:
            sources = [values[id(t)] for t in tf.nest.flatten(node.keras_inputs) if id(t) in values]
            outputs = [values[id(t)] for t in tf.nest.flatten(node.outputs) if id(t) in values]
            if not sources or not outputs or type(layer).__name__ == "InputLayer":
                continue
            floating = [y for y in outputs if y.dtype.is_floating]
            if not floating or any(g is None for g in tape.gradient(floating, sources)):
                raise ModelError(
                    f"layer {layer.name!r} ({type(layer).__name__}) has no gradient: Integrated Gradients cannot go "
                    "through it. Replace it with a layer that can be differentiated"
                )


def _before_head(model, logits: Logits):
    """The logits as a function of a list of inputs, made of the model's own layers."""
    last = model.get_layer(model.outputs[0]._keras_history.layer.name)
    before = keras.Model(model.inputs, last.input)
    if last.name != logits.head:  # a layer of its own for softmax or sigmoid
        return lambda x: before(x if len(x) > 1 else x[0], training=False)
    kernel, *bias = (tf.constant(w) for w in logits.weights[last.name])
    bias = bias[0] if bias else tf.zeros(logits.units)
    return lambda x: before(x if len(x) > 1 else x[0], training=False) @ kernel + bias


def _cut(model, logits: Logits) -> Front | None:
    """The model cut behind its linear front, if it is made of layers we know and has one."""
    try:
        graph = make_graph(logits, {layer.name: output_shape(layer) for layer in model.layers})
    except ModelError:
        return None
    return split(graph)


def _floats(model) -> int:
    """Numbers that a forward pass of one event makes."""
    outputs = [tensor for layer in model.layers for tensor in tf.nest.flatten(layer.output)]
    return sum(int(np.prod([size or 1 for size in tensor.shape[1:]])) for tensor in outputs)
