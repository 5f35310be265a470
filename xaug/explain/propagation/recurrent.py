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


def stabilised(z, epsilon):
    """z + epsilon sign(z), with sign(0) = 1 as in iNNvestigate; epsilon a number, or faster, a tensor like z."""
    epsilon = tf.cast(epsilon, z.dtype)
    return z + tf.where(z >= 0, epsilon, -epsilon)


@dataclass(frozen=True)
class GruRecord:
    """What the backward pass needs: tensors (n, units) for every step, and the states h_0 ... h_T."""

    kept: list  # z_t h_{t-1}
    added: list  # (1 - z_t) c_t
    reset: list  # r_t
    preactivation: list  # of the candidate c_t
    states: list  # h_0, ..., h_T: one more than steps
    mask: list | None  # (n, 1): 1, or 0 where the step is skipped


def gru_forward(x, kernel, recurrent, bias, reset_after: bool, initial=None, mask=None) -> GruRecord:
    """Run a Keras GRU (tanh, sigmoid gates; gates in the order z, r, candidate).

    Each gate is one product of (x_t, h) with its weights below each other, which TensorFlow joins with bias and
    sigmoid.

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
            record.mask.append(real)
        record.kept.append(z * h)
        record.added.append((1 - z) * tf.tanh(g))
        h = record.kept[-1] + record.added[-1]
        record.reset.append(r)
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
    epsilon = tf.fill(tf.shape(carried), tf.cast(epsilon, carried.dtype))  # as a number, it costs twice the time
    for t in reversed(range(len(relevance))):
        total = carried if relevance[t] is None else carried + relevance[t]
        before, r = record.states[t], record.reset[t]
        ratio = total / stabilised(record.states[t + 1], epsilon)
        share = record.added[t] * ratio / stabilised(record.preactivation[t], epsilon)
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
