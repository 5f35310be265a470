"""Our own engine of LRP: in process, eager, for every layer we use, in float32 or float64.

One `tf.function` per model runs forward, keeping what the rules need, and backward once. Weights are constants
of it. Nearly all of the time goes into convolutions, three where a gradient needs two: x w, x w+ and a transpose.
So they are written such that TensorFlow joins each with its bias and activation, and recognises a pooling and its
gradient as a pair (`xaug.explain.propagation.linear_maps`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from xaug.explain.propagation.graph import LINEAR, Graph, Node, gru_weights
from xaug.explain.propagation.linear_maps import Linear
from xaug.explain.propagation.recurrent import GruRecord, gru_forward, gru_relevance, stabilised
from xaug.explain.propagation.rules import SAFE, Composite, Rule

__all__ = ["Propagator"]

ACTIVATE = {
    "linear": lambda z: z,
    "relu": tf.nn.relu,
    "swish": tf.nn.silu,
    "silu": tf.nn.silu,
    "tanh": tf.tanh,
    "sigmoid": tf.sigmoid,
}
CONVOLUTIONS = ("Conv1D", "Conv2D")
PASSING = ("Flatten", "Reshape", "Permute", "Concatenate", "MaxPooling1D", "MaxPooling2D", "GlobalMaxPooling1D",
           "GlobalMaxPooling2D", "AveragePooling1D", "AveragePooling2D", "GlobalAveragePooling1D",
           "GlobalAveragePooling2D", "Masking")  # fmt: skip
"""Layers whose output is not negative if their inputs are not."""


def share_out(relevance, z):
    """relevance / z, with nothing handed on where z is exactly zero.

    A sum of contributions that are all zero is the common case: whatever stood in its place, their shares are zero.
    """
    return tf.math.divide_no_nan(relevance, z)


class Propagator:
    """Forward and backward through a graph by one composite of rules.

    Parameters
    ----------
    graph : Graph
    composite : Composite
    bias : str
        one of `xaug.explain.propagation.rules.BIAS`
    dtype : str
        "float32" or "float64"
    nonnegative
        names of inputs without negative values, for which half of alpha-beta needs not be computed
    """

    def __init__(
        self,
        graph: Graph,
        composite: Composite,
        bias: str = "innvestigate",
        dtype: str = "float32",
        nonnegative: frozenset[str] = frozenset(),
    ):
        self.graph, self.composite, self.bias = graph, composite, bias
        self.dtype = tf.as_dtype(dtype)
        self.checked = False  # its outputs against those of the model
        self.nonnegative = self._never_negative(nonnegative)
        signature = [tf.TensorSpec((None, *self._node(name).shape), self.dtype) for name in graph.input_names]
        rows = tf.TensorSpec((None, graph.output.shape[-1]), self.dtype)
        # jit_compile stays off: XLA halves the speed of convolutions on CPUs
        self._explain = tf.function(self._run, input_signature=[signature, rows], autograph=False)

    def __call__(self, x: dict[str, np.ndarray], direction: np.ndarray | None = None):
        """Relevance by input name, explained output (n,), and the share that reached initial states (n,).

        Parameters
        ----------
        x
            inputs by name
        direction : (units,) or (n, units), optional
            the explained output is the sum of the logits times this; default: the predicted class of each
            event (of a single output: its absolute value)
        """
        n = len(next(iter(x.values())))
        units = self.graph.output.shape[-1]
        rows = np.full((n, units), np.nan) if direction is None else np.broadcast_to(direction, (n, units))
        tensors = [tf.convert_to_tensor(x[name], self.dtype) for name in self.graph.input_names]
        relevance, explained, initial = self._explain(tensors, tf.convert_to_tensor(rows, self.dtype))
        found = {name: r.numpy() for name, r in zip(self.graph.input_names, relevance, strict=True)}
        return found, explained.numpy(), initial.numpy()

    def logits(self, x: dict[str, np.ndarray]) -> np.ndarray:
        """Output of the graph (n, units)."""
        tensors = {name: tf.convert_to_tensor(x[name], self.dtype) for name in self.graph.input_names}
        return self._forward(tensors)[0][self.graph.output.name].numpy()

    def _node(self, name: str) -> Node:
        return next(node for node in self.graph.nodes if node.name == name)

    def _constant(self, array: np.ndarray):
        return tf.constant(array, self.dtype)

    def _never_negative(self, inputs: frozenset[str]) -> set[str]:
        """Names of nodes whose output is never negative."""
        found = set(inputs)
        for node in self.graph.nodes:
            from_inputs = node.kind in PASSING and all(name in found for name in node.inputs)
            if (node.activation in ("relu", "sigmoid") and node.kind != "GRU") or from_inputs:
                found.add(node.name)
        return found

    def _rule(self, node: Node) -> Rule:
        return self.composite.convolution if node.kind in CONVOLUTIONS else self.composite.dense

    def _run(self, tensors, rows):
        values, records = self._forward(dict(zip(self.graph.input_names, tensors, strict=True)))
        output = values[self.graph.output.name]
        if output.shape[-1] == 1:
            predicted = tf.where(output >= 0, tf.ones_like(output), -tf.ones_like(output))
        else:
            predicted = tf.one_hot(tf.argmax(output, -1), output.shape[-1], dtype=self.dtype)
        rows = tf.where(tf.math.is_nan(rows), predicted, rows)
        waiting = {self.graph.output.name: output * rows}
        initial = tf.zeros_like(output[:, 0])
        for node in reversed(self.graph.nodes):
            relevance = waiting.pop(node.name, None) if node.kind != "InputLayer" else None
            if relevance is None:
                continue
            if node.kind == "GRU":
                shares, state = self._gru_backward(node, values, records[node.name], relevance)
                initial += tf.reduce_sum(state, axis=1)
            else:
                shares = BACKWARD[node.kind](self, node, values, records.get(node.name), relevance)
            for name, share in zip(node.inputs, shares, strict=True):
                waiting[name] = waiting[name] + share if name in waiting else share
        found = [waiting.get(name, tf.zeros_like(x)) for name, x in zip(self.graph.input_names, tensors, strict=True)]
        return found, tf.reduce_sum(output * rows, axis=1), initial

    def _forward(self, inputs: dict) -> tuple[dict, dict]:
        """Output of every node, and what its backward pass needs beside (preactivations, states)."""
        values, records, masks = {}, {}, {}
        for node in self.graph.nodes:
            if node.kind == "InputLayer":
                values[node.name] = inputs[node.name]
                continue
            x = [values[name] for name in node.inputs]
            mask = masks.get(node.inputs[0])
            if node.kind == "GRU":
                values[node.name], records[node.name] = self._gru_forward(node, x[0], mask)
            elif node.kind == "Masking":
                mask = tf.reduce_any(tf.not_equal(x[0], self._constant(node.config["mask_value"])), axis=-1)
                values[node.name] = x[0] * tf.cast(mask[..., None], self.dtype)
            else:
                values[node.name], records[node.name] = FORWARD[node.kind](self, node, x)
            if mask is not None and node.kind in MASKED:
                masks[node.name] = mask
        return values, records

    # Linear layers ------------------------------------------------------------------------------------

    def _linear(self, node: Node) -> Linear:
        return Linear(node, self._node(node.inputs[0]).shape)

    def _linear_forward(self, node: Node, x: list):
        """Output; and z of a layer under the epsilon rule, which divides by it."""
        kernel, bias = node.weights
        linear, activate = self._linear(node), ACTIVATE[node.activation]
        if self._rule(node).kind != "epsilon":
            return linear.apply(x[0], kernel, bias, activate), None
        z = linear.apply(x[0], kernel, bias)
        return activate(z), z

    def _linear_backward(self, node: Node, values: dict, z, relevance) -> list:
        kernel, bias = node.weights
        linear, rule, x = self._linear(node), self._rule(node), values[node.inputs[0]]
        if rule.kind == "epsilon":
            z = z - self._constant(bias) if self.bias == "ignore" else z
            s = relevance / stabilised(z, rule.epsilon) if rule.epsilon else share_out(relevance, z)
            return [x * linear.transpose(s, kernel)]
        if rule.kind in ("flat", "w_square"):
            w = np.ones_like(kernel) if rule.kind == "flat" else kernel**2
            ones = tf.ones((1, *x.shape[1:]), self.dtype)
            return [linear.transpose(share_out(relevance, linear.apply(ones, w)), w)]
        never = node.inputs[0] in self.nonnegative
        parts = [
            weight * self._part(linear, x, node.weights, clip, never, relevance)
            for clip, weight in ((np.maximum, rule.alpha), (np.minimum, -rule.beta))
            if weight
        ]
        return [tf.add_n(parts)]

    def _part(self, linear: Linear, x, weights, clip: Callable, never_negative: bool, relevance):
        """Shares by positive (clip: maximum) or negative (minimum) contributions x_j w_jk."""
        kernel, bias = weights
        bias = {"innvestigate": bias, "split": clip(bias, 0), "ignore": None}[self.bias]
        same = clip(kernel, 0)
        if never_negative:
            return x * linear.transpose(share_out(relevance, linear.apply(x, same, bias)), same)
        # positive and negative inputs as channels of one layer
        split, both = tf.concat([tf.maximum(x, 0), tf.minimum(x, 0)], -1), np.concatenate([same, kernel - same], -2)
        shares = split * linear.transpose(share_out(relevance, linear.apply(split, both, bias)), both)
        return tf.add_n(tf.split(shares, 2, axis=-1))

    def _affine_forward(self, node: Node, x: list):
        scale, shift = (self._constant(w) for w in node.weights)
        z = x[0] * scale + shift
        return z, z

    def _affine_backward(self, node: Node, values: dict, z, relevance) -> list:
        """Each output has one input: all of the relevance, but for what the rule gives to the shift."""
        scale, shift = (self._constant(w) for w in node.weights)
        rule, part = self._rule(node), values[node.inputs[0]] * scale
        if rule.kind == "epsilon":
            z = part if self.bias == "ignore" else z
            return [part * (relevance / stabilised(z, rule.epsilon) if rule.epsilon else share_out(relevance, z))]
        if rule.kind in ("flat", "w_square"):
            return [relevance]
        total = 0
        for clip, weight in ((tf.maximum, rule.alpha), (tf.minimum, -rule.beta)):
            if weight:
                own = {"innvestigate": shift, "split": clip(shift, 0), "ignore": 0}[self.bias]
                total += weight * clip(part, 0) * share_out(relevance, clip(part, 0) + own)
        return [total]

    # Layers without weights ---------------------------------------------------------------------------

    def _activation_forward(self, node: Node, x: list):
        return ACTIVATE[node.activation](x[0]), None

    def _same_backward(self, node: Node, values: dict, record, relevance) -> list:
        return [relevance]

    def _add_forward(self, node: Node, x: list):
        return tf.add_n(x), None

    def _add_backward(self, node: Node, values: dict, record, relevance) -> list:
        s = share_out(relevance, values[node.name])
        return [values[name] * s for name in node.inputs]

    def _concatenate_forward(self, node: Node, x: list):
        return tf.concat(x, axis=node.config["axis"]), None

    def _concatenate_backward(self, node: Node, values: dict, record, relevance) -> list:
        axis = node.config["axis"]
        return tf.split(relevance, [values[name].shape[axis] for name in node.inputs], axis=axis)

    def _reshape_forward(self, node: Node, x: list):
        return tf.reshape(x[0], (-1, *node.shape)), None

    def _reshape_backward(self, node: Node, values: dict, record, relevance) -> list:
        return [tf.reshape(relevance, (-1, *values[node.inputs[0]].shape[1:]))]

    def _permute_forward(self, node: Node, x: list):
        return tf.transpose(x[0], (0, *node.config["dims"])), None

    def _permute_backward(self, node: Node, values: dict, record, relevance) -> list:
        return [tf.transpose(relevance, np.argsort((0, *node.config["dims"])))]

    def _pool(self, node: Node) -> dict:
        """Window, strides and padding as four-dimensional raw operations take them."""
        size, strides = (tuple(np.atleast_1d(node.config[key])) for key in ("pool_size", "strides"))
        one = (1,) if node.kind.endswith("1D") else ()
        return {
            "ksize": [1, *one, *map(int, size), 1],
            "strides": [1, *one, *map(int, strides), 1],
            "padding": node.config["padding"].upper(),
        }

    def _max_forward(self, node: Node, x: list):
        image = x[0][:, None] if node.kind.endswith("1D") else x[0]
        pooled = tf.nn.max_pool2d(image, **self._pool(node))
        return pooled[:, 0] if node.kind.endswith("1D") else pooled, (image, pooled)

    def _max_backward(self, node: Node, values: dict, record, relevance) -> list:
        """Winner takes all; the first one of equals.

        TensorFlow keeps who won only if the gradient reads the very tensors of the pooling (five times faster).
        """
        image, pooled = record
        relevance = relevance[:, None] if node.kind.endswith("1D") else relevance
        share = tf.raw_ops.MaxPoolGrad(orig_input=image, orig_output=pooled, grad=relevance, **self._pool(node))
        return [share[:, 0] if node.kind.endswith("1D") else share]

    def _mean_forward(self, node: Node, x: list):
        image = x[0][:, None] if node.kind.endswith("1D") else x[0]
        pooled = tf.nn.avg_pool2d(image, **self._pool(node))
        return pooled[:, 0] if node.kind.endswith("1D") else pooled, None

    def _mean_backward(self, node: Node, values: dict, record, relevance) -> list:
        x, s = values[node.inputs[0]], share_out(relevance, values[node.name])
        image, s = (x[:, None], s[:, None]) if node.kind.endswith("1D") else (x, s)
        share = image * tf.raw_ops.AvgPoolGrad(orig_input_shape=tf.shape(image), grad=s, **self._pool(node))
        return [share[:, 0] if node.kind.endswith("1D") else share]

    def _axes(self, node: Node) -> list[int]:
        return [1] if node.kind.endswith("1D") else [1, 2]

    def _spread(self, node: Node, values):
        """Values of a globally pooled layer, as broadcastable over its input."""
        return tf.reshape(values, (-1, *[1] * len(self._axes(node)), node.shape[-1]))

    def _global_mean_forward(self, node: Node, x: list):
        return tf.reshape(tf.reduce_mean(x[0], self._axes(node)), (-1, *node.shape)), None

    def _global_mean_backward(self, node: Node, values: dict, record, relevance) -> list:
        x, s = values[node.inputs[0]], share_out(relevance, values[node.name])
        return [x * self._spread(node, s) / np.prod([x.shape[axis] for axis in self._axes(node)])]

    def _global_max_forward(self, node: Node, x: list):
        return tf.reshape(tf.reduce_max(x[0], self._axes(node)), (-1, *node.shape)), None

    def _global_max_backward(self, node: Node, values: dict, record, relevance) -> list:
        """The winner takes all; winners of equal value share."""
        x = values[node.inputs[0]]
        wins = tf.cast(tf.equal(x, self._spread(node, values[node.name])), self.dtype)
        return [wins / tf.reduce_sum(wins, self._axes(node), keepdims=True) * self._spread(node, relevance)]

    # Recurrent layers ---------------------------------------------------------------------------------

    def _gru_forward(self, node: Node, x, mask) -> tuple:
        kernel, recurrent, bias = (self._constant(w) for w in gru_weights(node))
        record = gru_forward(x, kernel, recurrent, bias, node.config["reset_after"], mask=mask)
        if node.config["return_sequences"]:
            return tf.stack(record.states[1:], axis=1), record
        return record.states[-1], record

    def _gru_backward(self, node: Node, values: dict, record: GruRecord, relevance) -> tuple:
        kernel, recurrent, _ = (self._constant(w) for w in gru_weights(node))
        steps = len(record.states) - 1
        by_step = tf.unstack(relevance, axis=1) if node.config["return_sequences"] else [None] * steps
        if not node.config["return_sequences"]:
            by_step[-1] = relevance
        x, epsilon = values[node.inputs[0]], self._rule(node).epsilon or SAFE
        share, initial = gru_relevance(x, kernel, recurrent, record, by_step, node.config["reset_after"], epsilon)
        return [share], initial


_LAYERS = {
    "linear": LINEAR,
    "affine": ("Affine",),
    "add": ("Add",),
    "concatenate": ("Concatenate",),
    "reshape": ("Flatten", "Reshape"),
    "permute": ("Permute",),
    "max": ("MaxPooling1D", "MaxPooling2D"),
    "mean": ("AveragePooling1D", "AveragePooling2D"),
    "global_mean": ("GlobalAveragePooling1D", "GlobalAveragePooling2D"),
    "global_max": ("GlobalMaxPooling1D", "GlobalMaxPooling2D"),
}
FORWARD = {kind: getattr(Propagator, f"_{name}_forward") for name, kinds in _LAYERS.items() for kind in kinds}
BACKWARD = {kind: getattr(Propagator, f"_{name}_backward") for name, kinds in _LAYERS.items() for kind in kinds}
FORWARD["Activation"] = Propagator._activation_forward
BACKWARD["Activation"] = BACKWARD["Masking"] = Propagator._same_backward
MASKED = ("Masking", "Activation", "Affine", "GRU")
"""Layers that hand the mask of padded steps on, as in Keras."""
