"""The gated recurrent unit (GRU): LRP by signal-take-all.

In h_t = z h_{t-1} + (1 - z) c the gates z (and r in the candidate c) only say how much passes. Relevance goes through
the signals h_{t-1} and c, none of it to the gates. With the epsilon rule at every sum it is conserved, up to biases and
epsilon, once the share that reaches the initial state is counted.

References
----------
L. Arras, G. Montavon, K.-R. Müller, W. Samek, Explaining recurrent neural network predictions in sentiment analysis,
EMNLP WASSA (2017) 159, arXiv:1706.07206.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import tensorflow as tf

from xaug.core.types import Array, JsonObject
from xaug.explain.propagation.layers.base import KerasLayer, register
from xaug.explain.propagation.layers.recurrence import NO_RECURRENCE, PLAIN, Arithmetic, Recurrent, read_recurrent
from xaug.explain.propagation.linear_maps import Activate, Tensor, stabilised

__all__ = ["Gru", "GruRecord", "gru_forward", "gru_relevance"]


@register("GRU", innvestigate=NO_RECURRENCE)
@dataclass(frozen=True, eq=False)
class Gru(Recurrent["GruRecord"]):
    """A GRU; `bias` (2, 3 units) is for the input and the recurrent part; gates in the order z, r, candidate.

    Attributes
    ----------
    reset_after : bool
        as in Keras
    """

    reset_after: bool
    overrides: ClassVar[JsonObject] = {"use_bias": True}

    @classmethod
    def lower(cls, layer: KerasLayer) -> Gru:
        own = read_recurrent(layer)
        kernel, recurrent = layer.weights[:2]
        bias = layer.weights[2] if layer.config["use_bias"] else np.zeros(kernel.shape[1])
        if bias.ndim == 1:
            bias = np.stack([bias, np.zeros_like(bias)])
        return cls(layer, kernel, recurrent, bias, own, bool(layer.config["reset_after"]))

    @property
    def weights(self) -> tuple[Array, ...]:
        return self.kernel, self.recurrent, self.bias if self.reset_after else self.bias.sum(axis=0)

    def run(self, x: Tensor, mask: Tensor | None, initial: list[Tensor], how: Arithmetic = PLAIN) -> GruRecord:
        kernel, recurrent, bias = (tf.constant(w, x.dtype) for w in (self.kernel, self.recurrent, self.bias))
        functions, start = self.own.functions(how), initial[0] if initial else None
        return gru_forward(x, kernel, recurrent, bias, self.reset_after, start, mask, functions, how.times)

    def relevance(
        self, x: Tensor, record: GruRecord, by_step: list[Tensor | None], epsilon: float
    ) -> tuple[Tensor, list[Tensor]]:
        kernel, recurrent = (tf.constant(w, x.dtype) for w in (self.kernel, self.recurrent))
        share, initial = gru_relevance(x, kernel, recurrent, record, by_step, self.reset_after, epsilon)
        return share, [initial]

    def with_affine_in_front(self, scale: Array, shift: Array) -> Gru:
        bias = self.bias.copy()
        bias[0] += shift @ self.kernel
        return replace(self, kernel=self.kernel * scale[:, None], bias=bias)


@dataclass(frozen=True)
class GruRecord:
    """Tensors (n, units) for every step that the backward pass needs.

    Attributes
    ----------
    kept, added : lists
        z_t h_{t-1} and (1 - z_t) c_t
    reset, preactivation : lists
        r_t and the preactivation of the candidate c_t
    states : list
        h_0, ..., h_T: one more than there are steps
    mask : list or None
        (n, 1) for every step: 1, or 0 where the step is skipped
    """

    kept: list[Tensor]
    added: list[Tensor]
    reset: list[Tensor]
    preactivation: list[Tensor]
    states: list[Tensor]
    mask: list[Tensor] | None


def gru_forward(
    x: Tensor,
    kernel: Tensor,
    recurrent: Tensor,
    bias: Tensor,
    reset_after: bool,
    initial: Tensor | None = None,
    mask: Tensor | None = None,
    functions: tuple[Activate, Activate] = (tf.tanh, tf.sigmoid),
    times: Callable[[Tensor, Tensor], Tensor] = operator.mul,
) -> GruRecord:
    """Run a Keras GRU (gates in the order z, r, candidate).

    Each gate is one product of (x_t, h) with its two kernels, one below the other, which TensorFlow joins with bias
    and sigmoid.

    Parameters
    ----------
    x : (n, steps, features)
    kernel, recurrent, bias
        (features, 3 units), (units, 3 units), (2, 3 units)
    reset_after
        as in Keras: the reset gate acts after (True) or before the recurrent product
    initial : (n, units), optional
        h_0; zeros if not given
    mask : (n, steps) booleans, optional
        False where a step is padding
    functions : tuple of callable
        activation of the candidate, and that of the gates
    times : callable
        the product of two tensors
    """
    units, (activate, gate) = recurrent.shape[0], functions
    w_z, w_r, w_c = tf.split(tf.concat([kernel, recurrent], 0), 3, axis=1)
    b_z, b_r, b_c = tf.split(bias[0] + bias[1], 3)
    if reset_after:
        (w_in, w_c), b_in, b_c = tf.split(w_c, [kernel.shape[0], units]), bias[0, 2 * units :], bias[1, 2 * units :]
    h = tf.zeros((tf.shape(x)[0], units), x.dtype) if initial is None else initial
    record = GruRecord([], [], [], [], [h], None if mask is None else [])
    for t, step in enumerate(tf.unstack(x, axis=1)):
        both = tf.concat([step, h], axis=1)
        z, r = (gate(tf.nn.bias_add(both @ w, b)) for w, b in ((w_z, b_z), (w_r, b_r)))
        if reset_after:
            g = tf.nn.bias_add(step @ w_in, b_in) + times(r, tf.nn.bias_add(h @ w_c, b_c))
        else:
            g = tf.nn.bias_add(tf.concat([step, times(r, h)], axis=1) @ w_c, b_c)
        if mask is not None:
            real = tf.cast(mask[:, t, None], z.dtype)
            z = tf.maximum(z, 1 - real)  # padding: all is kept
            assert record.mask is not None
            record.mask.append(real)
        record.kept.append(times(z, h))
        record.added.append(times(1 - z, activate(g)))
        h = record.kept[-1] + record.added[-1]
        record.reset.append(r)
        record.preactivation.append(g)
        record.states.append(h)
    return record


def gru_relevance(
    x: Tensor,
    kernel: Tensor,
    recurrent: Tensor,
    record: GruRecord,
    relevance: list[Tensor | None],
    reset_after: bool,
    epsilon: float,
) -> tuple[Tensor, Tensor]:
    """Relevance of the inputs of a GRU, and of its initial state.

    Parameters
    ----------
    x : (n, steps, features)
    relevance
        for every step, the relevance (n, units) that its output received, or None

    Returns
    -------
    tensor (n, steps, features)
        relevance of the inputs
    tensor (n, units)
        relevance of the initial state
    """
    units = recurrent.shape[0]
    candidate_kernel, candidate_recurrent = kernel[:, 2 * units :], recurrent[:, 2 * units :]
    shares: list[Tensor] = [None] * len(relevance)
    carried = tf.zeros_like(record.states[0])
    # as a number, epsilon costs twice the time
    stabiliser = tf.fill(tf.shape(carried), tf.cast(epsilon, carried.dtype))
    for t in reversed(range(len(relevance))):
        total = carried if relevance[t] is None else carried + relevance[t]
        before, r = record.states[t], record.reset[t]
        ratio = total / stabilised(record.states[t + 1], stabiliser)
        share = record.added[t] * ratio / stabilised(record.preactivation[t], stabiliser)
        if reset_after:
            through = before * tf.matmul(r * share, candidate_recurrent, transpose_b=True)
        else:
            through = r * before * tf.matmul(share, candidate_recurrent, transpose_b=True)
        carried = record.kept[t] * ratio + through
        if record.mask is not None:
            carried = record.mask[t] * carried + (1 - record.mask[t]) * total
        shares[t] = share
    stacked = tf.stack(shares, axis=1)
    return x * tf.tensordot(stacked, candidate_kernel, [[2], [1]]), carried
