"""Recurrent layers: LRP through gated recurrent units by signal-take-all.

In h_t = z h_{t-1} + (1 - z) c the gates z (and r in the candidate c) only say how much passes. Relevance goes through
the signals h_{t-1} and c, none of it to the gates. With the epsilon rule at every sum it is conserved, up to biases and
epsilon, once the share that reaches the initial state is counted.

References
----------
L. Arras, G. Montavon, K.-R. Müller, W. Samek, Explaining recurrent neural network predictions in sentiment analysis,
EMNLP WASSA (2017) 159, arXiv:1706.07206.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import tensorflow as tf

from xaug.core.types import Array, JsonObject
from xaug.explain.propagation.layers.base import Backward, KerasLayer, Layer, Passed, Shares, Treatment, register
from xaug.explain.propagation.linear_maps import Tensor, stabilised
from xaug.explain.propagation.rules import Role, Rule

__all__ = ["Gru", "GruRecord", "gru_forward", "gru_relevance"]


@register("GRU", innvestigate="iNNvestigate has no rule for recurrent layers: it would give the plain gradient")
@dataclass(frozen=True, eq=False)
class Gru(Layer["GruRecord"]):
    """A GRU (tanh, sigmoid gates). It consumes the mask of steps, and hands it on if it returns sequences.

    Attributes
    ----------
    kernel, recurrent, bias : arrays, float64
        (features, 3 units), (units, 3 units), and (2, 3 units) for the input and the recurrent part; gates in the
        order z, r, candidate
    reset_after, sequences : bool
        as `reset_after` and `return_sequences` of Keras
    """

    kernel: Array
    recurrent: Array
    bias: Array
    reset_after: bool
    sequences: bool
    role = Role.RECURRENT
    overrides: ClassVar[JsonObject] = {"use_bias": True}

    @classmethod
    def lower(cls, layer: KerasLayer) -> Gru:
        if len(layer.input_shapes) != 1:
            raise layer.error("is called with an initial state, which has no rule")
        layer.require("activation", "tanh", reason=f"has activation {layer.config['activation']!r}; tanh has a rule")
        layer.require(
            "recurrent_activation",
            "sigmoid",
            reason=f"has recurrent activation {layer.config['recurrent_activation']!r}; sigmoid has a rule",
        )
        for option in ("go_backwards", "stateful", "return_state", "time_major", "zero_output_for_mask"):
            layer.require(option, False, None, reason=f"has {option}=True, which has no rule")
        kernel, recurrent = layer.weights[:2]
        bias = layer.weights[2] if layer.config["use_bias"] else np.zeros(kernel.shape[1])
        if bias.ndim == 1:
            bias = np.stack([bias, np.zeros_like(bias)])
        return cls(
            layer, kernel, recurrent, bias, bool(layer.config["reset_after"]), bool(layer.config["return_sequences"])
        )

    @property
    def weights(self) -> tuple[Array, ...]:
        return self.kernel, self.recurrent, self.bias if self.reset_after else self.bias.sum(axis=0)

    @property
    def activation(self) -> str:
        return "tanh"

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[GruRecord]:
        kernel, recurrent, bias = (tf.constant(w, x[0].dtype) for w in (self.kernel, self.recurrent, self.bias))
        record = gru_forward(x[0], kernel, recurrent, bias, self.reset_after, mask=masks[0])
        return Passed(tf.stack(record.states[1:], axis=1) if self.sequences else record.states[-1], record)

    def backward(self, seen: Backward[GruRecord], how: Treatment) -> Shares:
        epsilon = how.chosen.stabiliser
        assert epsilon is not None, "`refuses` was asked before"
        kernel, recurrent = (tf.constant(w, seen.y.dtype) for w in (self.kernel, self.recurrent))
        if self.sequences:
            by_step: list[Tensor | None] = tf.unstack(seen.relevance, axis=1)
        else:
            by_step = [*[None] * (len(seen.record.states) - 2), seen.relevance]
        share, initial = gru_relevance(seen.x[0], kernel, recurrent, seen.record, by_step, self.reset_after, epsilon)
        return Shares([share], tf.reduce_sum(initial, axis=1))

    def mask(self, x: list[Tensor], masks: list[Tensor | None]) -> Tensor | None:
        return masks[0] if self.sequences else None

    def refuses(self, rule: Rule) -> str | None:
        if rule.stabiliser is not None:
            return None
        return (
            "a recurrent layer shares relevance by epsilon at every sum; use rule='epsilon', or a composite with an "
            "epsilon rule for recurrent layers: Composite(..., special={'recurrent': EpsilonRule(1e-7)})"
        )

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
) -> GruRecord:
    """Run a Keras GRU (tanh, sigmoid gates; gates in the order z, r, candidate).

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
    """
    units = recurrent.shape[0]
    w_z, w_r, w_c = tf.split(tf.concat([kernel, recurrent], 0), 3, axis=1)
    b_z, b_r, b_c = tf.split(bias[0] + bias[1], 3)
    if reset_after:
        (w_in, w_c), b_in, b_c = tf.split(w_c, [kernel.shape[0], units]), bias[0, 2 * units :], bias[1, 2 * units :]
    h = tf.zeros((tf.shape(x)[0], units), x.dtype) if initial is None else initial
    record = GruRecord([], [], [], [], [h], None if mask is None else [])
    for t, step in enumerate(tf.unstack(x, axis=1)):
        both = tf.concat([step, h], axis=1)
        z, r = (tf.sigmoid(tf.nn.bias_add(both @ w, b)) for w, b in ((w_z, b_z), (w_r, b_r)))
        if reset_after:
            g = tf.nn.bias_add(step @ w_in, b_in) + r * tf.nn.bias_add(h @ w_c, b_c)
        else:
            g = tf.nn.bias_add(tf.concat([step, r * h], axis=1) @ w_c, b_c)
        if mask is not None:
            real = tf.cast(mask[:, t, None], z.dtype)
            z = tf.maximum(z, 1 - real)  # padding: all is kept
            assert record.mask is not None
            record.mask.append(real)
        record.kept.append(z * h)
        record.added.append((1 - z) * tf.tanh(g))
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
