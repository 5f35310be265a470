"""The linear stem of a network: the part of it that stays linear along a straight path between two inputs.

Where inputs reach a Dense layer through layers that only move, scale or shift them (Flatten, Reshape, Permute,
Concatenate, BatchNormalization), the preactivations of that layer are linear in the inputs,

    u = x W + b + (what other, nonlinear branches add).

On a straight path x' + alpha (x - x') they move from x' W + b to x W + b, so that they are computed once for each end,
only the network behind them is evaluated at every point, and the gradient at the inputs is that at u times W^T.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import layers

from xaug.core.types import Array, Arrays
from xaug.explain.propagation.graph import Graph, Node
from xaug.explain.propagation.layers.base import Moving
from xaug.explain.propagation.layers.identity import Input
from xaug.explain.propagation.layers.linear import Dense
from xaug.explain.propagation.layers.merging import Concatenate
from xaug.explain.propagation.layers.norm import Affine

if TYPE_CHECKING:
    import tensorflow as tf

__all__ = ["LinearStem", "cut_behind_linear_stem", "without_linear_stem"]


@dataclass(frozen=True)
class LinearStem:
    """A network cut behind its linear stem: logits = behind([x W + b, other inputs]).

    Attributes
    ----------
    behind : callable
        function of a list of tensors, which are the preactivations (n, hidden), if there are any, and the inputs
        `others`; it returns the logits (n, units)
    kernel, bias : arrays
        W (features, hidden) and b (hidden,); empty where no input reaches a Dense layer linearly
    linear : tuple of str
        names of the inputs that the kernel takes, flattened and joined in this order
    others : tuple of str
        names of the inputs that the rest of the network reads itself
    compiled : bool
        whether XLA makes `behind` faster
    floats : int
        number of floats that `behind` holds for one event, which bounds the size of a batch
    """

    behind: Callable[[list[tf.Tensor]], tf.Tensor]
    kernel: Array
    bias: Array
    linear: tuple[str, ...]
    others: tuple[str, ...]
    compiled: bool
    floats: int

    def flat(self, x: Arrays) -> Array:
        """Join the inputs of the kernel to an array (n, features) float32."""
        return np.concatenate([x[name].reshape(len(x[name]), -1) for name in self.linear], axis=1)

    def preactivations(self, flat: Array) -> Array:
        """Preactivations u (n, hidden) of flattened inputs, summed in float64 and stored as float32."""
        u: Array = flat.astype(np.float64) @ self.kernel + self.bias
        return u.astype(np.float32)


@dataclass(frozen=True)
class _Moved:
    """Elements of a layer's output: scale * x[source] + shift, with x all inputs of the model, flattened and joined."""

    source: Array
    scale: Array
    shift: Array


def without_linear_stem(logits: Callable[[list[tf.Tensor]], tf.Tensor], inputs: list[str], floats: int) -> LinearStem:
    """Treat a network as one without a linear stem; `logits` is a function of a list of its inputs."""
    return LinearStem(logits, np.zeros((0, 0)), np.zeros(0), (), tuple(inputs), False, floats)


def cut_behind_linear_stem(graph: Graph) -> LinearStem | None:
    """The network cut behind its linear stem; None if it has none.

    Parameters
    ----------
    graph
        canonical form of the network, from `xaug.explain.propagation.graph.make_graph`
    """
    by_name = graph.by_name
    sizes = {name: int(np.prod(by_name[name].shape)) for name in graph.input_names}
    starts = dict(zip(sizes, np.cumsum([0, *sizes.values()]), strict=False))
    moved: dict[str, _Moved] = {}
    for node in graph.nodes:
        found = _follow(node, moved, starts)
        if found is not None:
            moved[node.name] = found
    dense = {node.name: _columns(node, by_name, moved) for node in graph.nodes if isinstance(node.layer, Dense)}
    stem_layers = {name: columns for name, columns in dense.items() if columns is not None and columns.any()}
    if not stem_layers:
        return None

    hidden = sum(by_name[name].shape[-1] for name in stem_layers)
    kernel, bias = np.zeros((sum(sizes.values()), hidden)), np.zeros(hidden)
    tensors = _Tensors(by_name, stem_layers, keras.Input((hidden,), name="preactivations"))
    for name, columns in stem_layers.items():
        node, place = by_name[name], tensors.places[name]
        before = _moved_input(node, by_name, moved)
        weights, own_bias = node.layer.weights
        part = np.zeros((len(kernel), node.shape[-1]))
        np.add.at(part, before.source[columns], before.scale[columns, None] * weights[columns])
        kernel[:, place] = part
        bias[place] = own_bias + before.shift[columns] @ weights[columns]
    output = tensors.of(graph.output.name)
    others = tuple(name for name in graph.input_names if name in tensors.found)
    behind = keras.Model([tensors.preactivations, *(tensors.found[name] for name in others)], output)
    used = {name: bool(np.any(kernel[start : start + sizes[name]])) for name, start in starts.items() if name in sizes}
    linear = tuple(name for name in graph.input_names if used[name] or name not in others)
    rows = np.concatenate([np.arange(starts[name], starts[name] + sizes[name]) for name in linear])
    return LinearStem(
        lambda x: behind(x if len(x) > 1 else x[0], training=False), kernel[rows], bias, linear, others,
        all(by_name[name].layer.faster_compiled for name in tensors.found),
        hidden + sum(int(np.prod(by_name[name].shape)) for name in tensors.found),
    )  # fmt: skip


def _follow(node: Node, moved: dict[str, _Moved], starts: dict[str, int]) -> _Moved | None:
    """A node's elements in terms of the inputs; None where they are nonlinear in these or mix them."""
    if isinstance(node.layer, Input):
        size = int(np.prod(node.shape))
        return _Moved(
            (starts[node.name] + np.arange(size)).reshape(node.shape), np.ones(node.shape), np.zeros(node.shape)
        )
    known = [moved[name] for name in node.inputs if name in moved]
    if len(known) < len(node.inputs):
        return None
    if isinstance(node.layer, Affine):
        scale, shift = node.layer.scale, node.layer.shift
        return _Moved(known[0].source, known[0].scale * scale, known[0].shift * scale + shift)
    if not isinstance(node.layer, Moving):
        return None
    move = node.layer.move
    return _Moved(move([k.source for k in known]), move([k.scale for k in known]), move([k.shift for k in known]))


def _members(node: Node, by_name: dict[str, Node]) -> list[Node]:
    """The nodes that a dense layer reads side by side: the members of a Concatenate of vectors, or its one input."""
    before = by_name[node.inputs[0]]
    return [by_name[name] for name in before.inputs] if isinstance(before.layer, Concatenate) else [before]


def _columns(node: Node, by_name: dict[str, Node], moved: dict[str, _Moved]) -> Array | None:
    """Which inputs of a dense layer are linear in those of the network; None if it does not read vectors."""
    if len(node.shape) != 1:
        return None
    linear: list[Array] = [np.full(member.shape[-1], member.name in moved) for member in _members(node, by_name)]
    return np.concatenate(linear)


def _moved_input(node: Node, by_name: dict[str, Node], moved: dict[str, _Moved]) -> _Moved:
    """The values that a dense layer reads, in terms of the inputs; source -1 where they are nonlinear in these."""
    parts = []
    for member in _members(node, by_name):
        nothing = np.zeros(member.shape[-1])
        parts.append(moved.get(member.name) or _Moved(np.full(member.shape[-1], -1), nothing, nothing))
    return _Moved(
        np.concatenate([part.source for part in parts]),
        np.concatenate([part.scale for part in parts]),
        np.concatenate([part.shift for part in parts]),
    )


class _Tensors:
    """Keras tensors of the nodes behind the stem, made as they are asked for."""

    def __init__(self, by_name: dict[str, Node], stem_layers: dict[str, Array], preactivations: tf.Tensor):
        self.by_name, self.stem_layers, self.preactivations = by_name, stem_layers, preactivations
        self.found: dict[str, tf.Tensor] = {}
        self.places: dict[str, slice] = {}
        start = 0
        for name in stem_layers:
            self.places[name] = slice(start, start + by_name[name].shape[-1])
            start = self.places[name].stop

    def of(self, name: str) -> tf.Tensor:
        """The output of a node."""
        if name not in self.found:
            node = self.by_name[name]
            if name in self.stem_layers:
                self.found[name] = self._stem_layer(node)
            else:
                self.found[name] = node.layer.as_keras(name, [self.of(source) for source in node.inputs])
        return self.found[name]

    def _stem_layer(self, node: Node) -> tf.Tensor:
        columns, place = self.stem_layers[node.name], self.places[node.name]
        u = self.preactivations
        if place != slice(0, u.shape[-1]):
            u = u[:, place]
        if not columns.all():
            start, rest = 0, []
            for member in _members(node, self.by_name):
                if not columns[start]:
                    rest.append(self.of(member.name))
                start += member.shape[-1]
            x = layers.Concatenate()(rest) if len(rest) > 1 else rest[0]
            dense = layers.Dense(node.shape[-1], use_bias=False, name=node.name)
            added = dense(x)
            dense.set_weights([node.layer.weights[0][~columns]])
            u = layers.Add()([u, added])
        return layers.Activation(node.layer.activation)(u)
