"""LSTM and the plain recurrent layer: LRP by signal-take-all.

In c_t = f c_{t-1} + i g(a), h_t = o g(c_t) the gates i, f and o only say how much passes. Relevance of h_t goes to c_t,
that of c_t to c_{t-1} and the candidate by their contributions, and that of the candidate through its preactivation
a = x W + h_{t-1} U + b, by epsilon at each sum. A plain recurrent layer h_t = g(x W + h_{t-1} U + b) has the last part
alone.

References
----------
L. Arras, G. Montavon, K.-R. Müller, W. Samek, EMNLP WASSA (2017) 159, arXiv:1706.07206; L. Arras et al., Explaining and
interpreting LSTMs, in Explainable AI, Springer (2019) 211, arXiv:1909.12114.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import tensorflow as tf

from xaug.core.types import Array, JsonObject
from xaug.explain.propagation.layers.base import KerasLayer, register
from xaug.explain.propagation.layers.recurrence import NO_RECURRENCE, PLAIN, Arithmetic, Recurrent, read_recurrent
from xaug.explain.propagation.linear_maps import Tensor, stabilised

__all__ = ["Lstm", "Steps"]


@dataclass(frozen=True)
class Steps:
    """Tensors (n, units) for every step that the backward pass needs.

    Attributes
    ----------
    states : list
        h_0, ..., h_T
    preactivation : list
        a_t, of the candidate
    cells : list
        c_0, ..., c_T; empty for a plain recurrent layer
    kept, added : list
        f c_{t-1} and i g(a_t); empty for a plain recurrent layer
    real : list
        (n, 1) for every step: 1, or 0 where the step is padding; empty without a mask
    """

    states: list[Tensor]
    preactivation: list[Tensor]
    cells: list[Tensor]
    kept: list[Tensor]
    added: list[Tensor]
    real: list[Tensor]


def _start(x: Tensor, units: int, mask: Tensor | None, initial: list[Tensor], cells: bool) -> Steps:
    zero = tf.zeros((tf.shape(x)[0], units), x.dtype)
    state, cell = initial[0] if initial else zero, initial[-1] if initial else zero
    real = [] if mask is None else tf.unstack(tf.cast(mask, x.dtype)[..., None], axis=1)
    return Steps([state], [], [cell] if cells else [], [], [], real)


@dataclass(frozen=True, eq=False)
class _Simple(Recurrent[Steps]):
    """Options and weights that both kinds share; the parts of the weights are side by side."""

    overrides: ClassVar[JsonObject] = {"use_bias": True}

    @classmethod
    def lower(cls, layer: KerasLayer) -> _Simple:
        own = read_recurrent(layer)
        kernel, recurrent, *bias = layer.weights
        return cls(layer, kernel, recurrent, bias[0] if bias else np.zeros(kernel.shape[1]), own)

    @property
    def weights(self) -> tuple[Array, ...]:
        return self.kernel, self.recurrent, self.bias

    def with_affine_in_front(self, scale: Array, shift: Array) -> _Simple:
        return replace(self, kernel=self.kernel * scale[:, None], bias=self.bias + shift @ self.kernel)


@register("SimpleRNN", innvestigate=NO_RECURRENCE)
class PlainRecurrent(_Simple):
    """h_t = g(x_t W + h_{t-1} U + b)."""

    def run(self, x: Tensor, mask: Tensor | None, initial: list[Tensor], how: Arithmetic = PLAIN) -> Steps:
        kernel, recurrent, bias = (tf.constant(w, x.dtype) for w in (self.kernel, self.recurrent, self.bias))
        steps, activate = _start(x, len(self.recurrent), mask, initial, cells=False), self.own.functions(how)[0]
        for t, step in enumerate(tf.unstack(x, axis=1)):
            before = steps.states[-1]
            a = tf.nn.bias_add(step @ kernel + before @ recurrent, bias)
            h = activate(a)
            if steps.real:
                h = steps.real[t] * h + (1 - steps.real[t]) * before
            steps.preactivation.append(a)
            steps.states.append(h)
        return steps

    def relevance(
        self, x: Tensor, record: Steps, by_step: list[Tensor | None], epsilon: float
    ) -> tuple[Tensor, list[Tensor]]:
        kernel, recurrent = (tf.constant(w, x.dtype) for w in (self.kernel, self.recurrent))
        shares: list[Tensor] = [None] * len(by_step)
        carried = tf.zeros_like(record.states[0])
        for t in reversed(range(len(by_step))):
            total = carried if by_step[t] is None else carried + by_step[t]
            real = record.real[t] if record.real else 1
            shares[t] = real * total / stabilised(record.preactivation[t], epsilon)
            carried = record.states[t] * tf.matmul(shares[t], recurrent, transpose_b=True) + (1 - real) * total
        return x * tf.tensordot(tf.stack(shares, axis=1), kernel, [[2], [1]]), [carried]


@register("LSTM", innvestigate=NO_RECURRENCE)
class Lstm(_Simple):
    """A long short-term memory; gates in the order i, f, candidate, o."""

    def end(self, record: Steps) -> Tensor:
        return record.cells[-1] if self.own.cell else record.states[-1]

    def run(self, x: Tensor, mask: Tensor | None, initial: list[Tensor], how: Arithmetic = PLAIN) -> Steps:
        weights = tf.constant(np.concatenate([self.kernel, self.recurrent]), x.dtype)
        bias = tf.constant(self.bias, x.dtype)
        steps, (activate, gate) = _start(x, len(self.recurrent), mask, initial, cells=True), self.own.functions(how)
        for t, step in enumerate(tf.unstack(x, axis=1)):
            h, c = steps.states[-1], steps.cells[-1]
            i, f, a, o = tf.split(tf.nn.bias_add(tf.concat([step, h], axis=1) @ weights, bias), 4, axis=1)
            kept, added = how.times(gate(f), c), how.times(gate(i), activate(a))
            cell = kept + added
            state = how.times(gate(o), activate(cell))
            if steps.real:
                real = steps.real[t]
                state, cell = real * state + (1 - real) * h, real * cell + (1 - real) * c
            steps.preactivation.append(a)
            steps.kept.append(kept)
            steps.added.append(added)
            steps.cells.append(cell)
            steps.states.append(state)
        return steps

    def relevance(
        self, x: Tensor, record: Steps, by_step: list[Tensor | None], epsilon: float
    ) -> tuple[Tensor, list[Tensor]]:
        units = len(self.recurrent)
        candidate = slice(2 * units, 3 * units)
        kernel, recurrent = (tf.constant(w[:, candidate], x.dtype) for w in (self.kernel, self.recurrent))
        shares: list[Tensor] = [None] * len(by_step)
        of_state = of_cell = tf.zeros_like(record.states[0])
        if self.own.cell:
            of_cell, by_step = by_step[-1], [None] * len(by_step)
        for t in reversed(range(len(by_step))):
            total = of_state if by_step[t] is None else of_state + by_step[t]
            real = record.real[t] if record.real else 1
            ratio = real * (of_cell + total) / stabilised(record.cells[t + 1], epsilon)
            shares[t] = record.added[t] * ratio / stabilised(record.preactivation[t], epsilon)
            of_cell = record.kept[t] * ratio + (1 - real) * of_cell
            of_state = record.states[t] * tf.matmul(shares[t], recurrent, transpose_b=True) + (1 - real) * total
        return x * tf.tensordot(tf.stack(shares, axis=1), kernel, [[2], [1]]), [of_state, of_cell]
