"""The gradient of a network along paths, in TensorFlow: pairs of an event and a baseline, one in each row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from xaug.explain.gradients.linear_stem import LinearStem
from xaug.explain.gradients.paths import Line, Paths
from xaug.explain.gradients.readout import Readout
from xaug.explain.gradients.samples import Shapes

__all__ = ["PathKernel", "Table"]

Table = list[tf.Tensor]
"""All that the integral reads of n events or baselines, see `Integrator.table`."""


class PathKernel:
    """Functions of tensors, which are compiled.

    Attributes
    ----------
    stem : LinearStem
        the network, cut behind its linear stem if it has one
    readout : Readout
        the explained output
    paths : Paths
        what moves from baselines to events
    shapes : dict
        by input name, the shape of an event's input
    """

    stem: LinearStem
    readout: Readout
    paths: Paths
    shapes: Shapes

    def explained(self, z: tf.Tensor, direction: tf.Tensor) -> tf.Tensor:
        """The explained output f (n,), see `Readout`."""
        return self.readout(z, direction)

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
        return self._terms(line, sums, logit, reference)

    def _terms(
        self, line: Line, sums: Sequence[tf.Tensor], logit: tf.Tensor, reference: tf.Tensor
    ) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor, tf.Tensor]:
        """Attributions and the completeness error, from the integrals of the gradient at the moving tensors.

        An input that does not move has no attribution, even if its gradient is no number, as that of the length of a
        padded particle.
        """
        by_place = dict(zip(line.moving, sums, strict=True))
        found = []
        if line.flat is not None:
            kernel = tf.constant(self.stem.kernel, tf.float32)
            found.append(line.flat * tf.matmul(by_place.pop(0), kernel, transpose_b=True))
        for i in range(len(found), len(line.steps)):
            step = line.steps[i]
            still = tf.zeros_like(step, tf.float32)
            found.append(tf.math.multiply_no_nan(by_place[i], step) if i in by_place else still)
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
        steps = [x[i] - b[i] if i in moving else tf.zeros_like(x[i], tf.float32) for i in range(len(x))]
        return Line(b, steps, flat, moving)

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

    def _points(
        self, events: Table, baselines: Table, directions: tf.Tensor, of_event: tf.Tensor, of_baseline: tf.Tensor,
        alpha: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:  # fmt: skip
        line, value, gradients = self._gradients(events, baselines, directions, of_event, of_baseline, alpha)
        flat = [tf.reshape(g, (tf.size(alpha), -1)) for g in gradients]
        steps = [tf.reshape(line.steps[i], (tf.size(alpha), -1)) for i in line.moving]
        slopes = [tf.math.multiply_no_nan(g, step) for g, step in zip(flat, steps, strict=True)]
        slope = tf.add_n([tf.reduce_sum(own, axis=1) for own in slopes])
        return value, slope, tf.concat(flat, axis=1)

    def _samples(
        self, events: Table, baselines: Table, directions: tf.Tensor, of_event: tf.Tensor, of_baseline: tf.Tensor,
        alpha: tf.Tensor,
    ) -> list[tf.Tensor]:  # fmt: skip
        """Steps times the gradient at one place of each path, as `Integrator.by_name` takes them."""
        line, value, gradients = self._gradients(events, baselines, directions, of_event, of_baseline, alpha)
        return self._terms(line, gradients, value, value)[0]

    def _gradients(
        self, events: Table, baselines: Table, directions: tf.Tensor, of_event: tf.Tensor, of_baseline: tf.Tensor,
        alpha: tf.Tensor,
    ) -> tuple[Line, tf.Tensor, list[tf.Tensor]]:  # fmt: skip
        """The paths, f at one place of each, and its gradient there at the tensors that move."""
        line = self._line([tf.gather(t, of_event) for t in events], [tf.gather(t, of_baseline) for t in baselines])
        direction = tf.gather(directions, of_event)
        points = line.at(alpha)
        watched = [points[i] for i in line.moving]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(watched)
            value = self.explained(self.stem.behind(points), direction)
        return line, value, tape.gradient(value, watched, unconnected_gradients="zero")
