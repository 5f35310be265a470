"""LRP through gated recurrent units: signal-take-all.

In h_t = z h_{t-1} + (1 - z) c the gates z (and r in the candidate c) only say how much passes; relevance goes
through the signals h_{t-1} and c, none of it to the gates. With the epsilon rule at every sum it is conserved,
up to biases and epsilon, once the share that reaches the initial state is counted.

Reference: L. Arras, G. Montavon, K.-R. Müller, W. Samek, Explaining recurrent neural network predictions in
sentiment analysis, EMNLP WASSA (2017) 159, arXiv:1706.07206.
"""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

__all__ = ["GruRecord", "gru_forward", "gru_relevance", "stabilised"]


def stabilised(z, epsilon: float):
    """z + epsilon sign(z), with sign(0) = 1 as in iNNvestigate."""
    return z + tf.where(z >= 0, tf.cast(epsilon, z.dtype), tf.cast(-epsilon, z.dtype))


@dataclass(frozen=True)
class GruRecord:
    """What the backward pass needs: tensors (n, units) for every step, and the states h_0 ... h_T."""

    update: list  # z_t
    reset: list  # r_t
    candidate: list  # c_t, after tanh
    preactivation: list  # of the candidate
    states: list  # h_0, ..., h_T: one more than steps
    mask: list | None  # (n, 1) booleans; False: the step is skipped


def gru_forward(x, kernel, recurrent, bias, reset_after: bool, initial=None, mask=None) -> GruRecord:
    """Run a Keras GRU (tanh, sigmoid gates; gates in the order z, r, candidate).

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
    inside = tf.tensordot(x, kernel, 1) + bias[0]
    h = tf.zeros_like(inside[:, 0, :units]) if initial is None else initial
    record = GruRecord([], [], [], [], [h], None if mask is None else [])
    for t in range(x.shape[1]):
        z_in, r_in, c_in = tf.split(inside[:, t], 3, axis=-1)
        if reset_after:
            z_h, r_h, c_h = tf.split(h @ recurrent + bias[1], 3, axis=-1)
            z, r = tf.sigmoid(z_in + z_h), tf.sigmoid(r_in + r_h)
            g = c_in + r * c_h
        else:
            z_h, r_h = tf.split(h @ recurrent[:, : 2 * units] + bias[1, : 2 * units], 2, axis=-1)
            z, r = tf.sigmoid(z_in + z_h), tf.sigmoid(r_in + r_h)
            g = c_in + (r * h) @ recurrent[:, 2 * units :] + bias[1, 2 * units :]
        c = tf.tanh(g)
        new = z * h + (1 - z) * c
        if mask is not None:
            real = mask[:, t, None]
            new = tf.where(real, new, h)
            record.mask.append(real)
        h = new
        record.update.append(z)
        record.reset.append(r)
        record.candidate.append(c)
        record.preactivation.append(g)
        record.states.append(h)
    return record


def gru_relevance(x, kernel, recurrent, record: GruRecord, relevance: list, reset_after: bool, epsilon: float):
    """Relevance of the inputs of a GRU, and of its initial state.

    Parameters
    ----------
    x : (n, steps, features)
    relevance
        for every step, the relevance (n, units) that its output received, or None

    Returns
    -------
    (n, steps, features), (n, units)
    """
    units = recurrent.shape[0]
    candidate_kernel, candidate_recurrent = kernel[:, 2 * units :], recurrent[:, 2 * units :]
    shares: list = [None] * len(relevance)
    carried = tf.zeros_like(record.states[0])
    for t in reversed(range(len(relevance))):
        total = carried if relevance[t] is None else carried + relevance[t]
        before = record.states[t]
        z, r, c = record.update[t], record.reset[t], record.candidate[t]
        ratio = total / stabilised(z * before + (1 - z) * c, epsilon)
        share = (1 - z) * c * ratio / stabilised(record.preactivation[t], epsilon)
        if reset_after:
            through = before * tf.matmul(r * share, candidate_recurrent, transpose_b=True)
        else:
            through = r * before * tf.matmul(share, candidate_recurrent, transpose_b=True)
        carried = z * before * ratio + through
        if record.mask is not None:
            real = record.mask[t]
            carried, share = tf.where(real, carried, total), tf.where(real, share, tf.zeros_like(share))
        shares[t] = share
    stacked = tf.stack(shares, axis=1)
    return x * tf.tensordot(stacked, candidate_kernel, [[2], [1]]), carried
