"""A Keras functional model as a plain graph of layers that relevance can be propagated through.

The model is brought to a canonical form, on a copy (the user's model is never touched):

- nested models are taken apart, and a shared layer stands once for each of its calls
  (`xaug.explain.propagation.unroll`);
- the softmax or sigmoid of the head is taken off (`xaug.explain.propagation.heads`);
- dropout and other layers that do nothing at inference disappear;
- BatchNormalization becomes the affine layer y = scale x + shift that it is, and is folded into the linear layer
  before or behind it where that is exact; elsewhere it stays, as a layer with a rule of its own.

What a layer is, and what can be folded into it, is known to its class (`xaug.explain.propagation.layers`). Each step is
listed in `Graph.steps`. The outputs of graph and model are compared on events of every batch that is explained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from xaug.core.types import Array
from xaug.explain.propagation.expansions import take_apart
from xaug.explain.propagation.failures import computing
from xaug.explain.propagation.heads import HEADS, take_off
from xaug.explain.propagation.layers.base import KerasLayer, Layer, Treatment, entry_of, shape_of
from xaug.explain.propagation.layers.constant import Constant
from xaug.explain.propagation.layers.identity import Input
from xaug.explain.propagation.layers.linear import Dense
from xaug.explain.propagation.layers.norm import Affine
from xaug.explain.propagation.layers.shape import Reshape
from xaug.explain.propagation.layers.steps import EventsToSteps
from xaug.explain.propagation.rules import EpsilonRule
from xaug.explain.propagation.unroll import Call

__all__ = ["Graph", "Node", "difference", "make_graph"]

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Node:
    """One step of the graph.

    Attributes
    ----------
    name : str
        its name, that of the Keras layer
    layer : Layer
        what it does
    inputs : tuple of str
        names of the nodes that it reads, in order
    shape : tuple of int
        shape of its output, without the event axis
    mask : str or None
        name of the node whose output was given as the mask of steps
    """

    name: str
    layer: Layer[Any]
    inputs: tuple[str, ...]
    shape: Shape
    mask: str | None = None


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes in an order in which each comes after those that it reads; the last one gives the logits.

    Attributes
    ----------
    nodes : tuple of Node
    input_names : tuple of str
        inputs in the order of the model
    steps : tuple of str
        what was changed on the model, in words
    head : str
        what was taken off: "softmax", "sigmoid", or "linear" for nothing; "value" if the head was to stay
    """

    nodes: tuple[Node, ...]
    input_names: tuple[str, ...]
    steps: tuple[str, ...]
    head: str

    @property
    def units(self) -> int:
        """Number of explained outputs."""
        return self.output.shape[0]

    @property
    def output(self) -> Node:
        """The node of the logits."""
        return self.nodes[-1]

    @property
    def by_name(self) -> dict[str, Node]:
        """Nodes by name."""
        return {node.name: node for node in self.nodes}

    def consumers(self, name: str) -> list[Node]:
        """Nodes that read a node."""
        return [node for node in self.nodes if name in (*node.inputs, node.mask)]


def make_graph(
    model: keras.Model,
    *,
    value: bool = False,
    shapes: Mapping[str, Shape] | None = None,
    fold: bool = True,
) -> Graph:
    """The canonical graph of a model of one output.

    Parameters
    ----------
    model : keras.Model
        a functional model
    value : bool
        explain the output as it is: a softmax or sigmoid of the head stays
    shapes : mapping of str to tuple of int, optional
        shapes of the inputs without the event axis, where the model leaves a length open
    fold : bool
        False: keep every normalisation as a node of its own

    Returns
    -------
    Graph

    Raises
    ------
    ModelError
        naming a layer that has no rule, or is set up in a way that is not supported
    """
    unrolled = take_apart(model)
    inputs, end = unrolled.inputs, unrolled.end
    calls: Mapping[str, Call] = unrolled.calls
    head = None if value else take_off(calls, end)
    if head is not None:
        end, calls = head.end, head.calls
    nodes: dict[str, Node] = {}
    zeros: dict[str, tf.Tensor] = {}
    for call in _reachable(calls, inputs, end):
        nodes[call.name] = _node(call, nodes, shapes or {}, zeros)
    step = "head: softmax or sigmoid taken off" if head is not None and head.kind in HEADS else "head: as it is"
    kind = "value" if head is None else head.kind
    graph = _as_row(Graph((*(n for n in nodes.values() if n.name != end), nodes[end]), tuple(inputs), (step,), kind))
    graph = _without_identities(_with_constants(graph))
    return _fold(graph) if fold else graph


def difference(graph: Graph, plus: int, minus: int) -> Graph:
    """The graph with one output, the difference of two: a dense unit of weights w_plus - w_minus.

    For a softmax of two this is the log-odds ln(p_plus / p_minus). The rules see the difference as one neuron, so that
    relevance does not change when a function common to both logits is added to them, to which the softmax is blind.
    """
    end = graph.output
    if isinstance(end.layer, Dense) and end.layer.function == "linear":
        kernel, bias = (w[..., plus : plus + 1] - w[..., minus : minus + 1] for w in (end.layer.kernel, end.layer.bias))
        layer: Layer[Any] = replace(end.layer, kernel=kernel, bias=bias)
        return replace(graph, nodes=(*graph.nodes[:-1], Node(end.name, layer, end.inputs, (1,))))
    kernel = np.zeros((end.shape[0], 1))
    kernel[plus], kernel[minus] = 1.0, -1.0
    name = f"{end.name}_difference"
    source = KerasLayer(name, "Dense", {"units": 1, "activation": "linear"}, (), (1,), (end.shape,))
    node = Node(name, Dense(source, kernel, np.zeros(1), "linear"), (end.name,), (1,))
    return replace(graph, nodes=(*graph.nodes, node))


def _node(call: Call, nodes: Mapping[str, Node], shapes: Mapping[str, Shape], zeros: dict[str, tf.Tensor]) -> Node:
    """The node of a call, whose inputs are nodes already; `zeros` are outputs of nodes for an event of zeros."""
    entry, source = entry_of(call.layer.kind), call.layer
    shape = shapes.get(call.name, source.shape)
    source = replace(source, shape=shape, input_shapes=tuple(nodes[name].shape for name in call.inputs))
    layer = entry.lower(source)
    if isinstance(layer, Input) and -1 in shape:
        raise source.error(f"has the open length {shape}, and no data to take it from", "give the shapes of the inputs")
    if -1 in shape:
        shape = _shape_for(layer, call, nodes, zeros)
        layer = entry.lower(replace(source, shape=shape))
    return Node(call.name, layer, call.inputs, shape, call.mask)


def _shape_for(layer: Layer[Any], call: Call, nodes: Mapping[str, Node], zeros: dict[str, tf.Tensor]) -> Shape:
    """Shape of a layer's output for inputs of the given shapes, where Keras knows it only in part: by doing it once."""
    if isinstance(layer, EventsToSteps):  # the steps of one event are as many events here
        steps, inner = (nodes[name].shape for name in (call.inputs[1], call.inputs[0]))
        return (steps[0], *inner)
    how = Treatment(EpsilonRule(1e-7), "ignore", False)
    for name, node in nodes.items():
        if name not in zeros:
            x = [zeros[source] for source in node.inputs]
            with computing(node.layer.source):
                made = tf.zeros((1, *node.shape)) if isinstance(node.layer, Input) else None
                zeros[name] = node.layer.forward(x, [None] * len(x), how).y if made is None else made
    x = [zeros[name] for name in call.inputs]
    with computing(layer.source):
        return shape_of(layer.forward(x, [None] * len(x), how).y)


def _with_constants(graph: Graph) -> Graph:
    """The graph in which what depends on the shapes of the inputs alone is a constant, as far as it has no event axis.

    It is computed for two and for three events: what is the same for both does not depend on their number.
    """
    how = Treatment(EpsilonRule(1e-7), "ignore", False)
    found: dict[str, list[tf.Tensor]] = {}
    shapes = graph.by_name
    for node in graph.nodes:
        if node.layer.reads_shape_alone:
            given = [[tf.zeros((n, *shapes[name].shape)) for name in node.inputs] for n in (2, 3)]
        elif node.inputs and all(name in found for name in node.inputs):
            given = [[found[name][i] for name in node.inputs] for i in (0, 1)]
        else:
            continue
        found[node.name] = [node.layer.forward(x, [None] * len(x), how).y for x in given]
    same = {name: two.numpy() for name, (two, three) in found.items() if _are_same(two, three)}
    if not same:
        return graph
    nodes = [_constant(node, same[node.name]) if node.name in same else node for node in graph.nodes]
    needed = {graph.output.name, *graph.input_names}
    for node in reversed(nodes):
        if node.name in needed:
            needed |= {*node.inputs, *([] if node.mask is None else [node.mask])}
    return replace(graph, nodes=tuple(node for node in nodes if node.name in needed))


def _are_same(one: tf.Tensor, other: tf.Tensor) -> bool:
    return one.shape == other.shape and bool(np.array_equal(one.numpy(), other.numpy()))


def _constant(node: Node, value: Array) -> Node:
    source = KerasLayer(node.name, "Constant", {}, (value,), value.shape)
    return Node(node.name, Constant.lower(source), (), value.shape)


def _reachable(calls: Mapping[str, Call], inputs: Sequence[str], end: str) -> list[Call]:
    """Calls that the output depends on, and all inputs, in order."""
    needed = {end}
    for call in reversed(list(calls.values())):
        if call.name in needed:
            needed |= {*call.inputs, *([] if call.mask is None else [call.mask])}
    return [call for call in calls.values() if call.name in needed or call.name in inputs]


def _as_row(graph: Graph) -> Graph:
    """The graph with an output (n, units): one number an event counts as one unit."""
    end = graph.output
    units = [size for size in end.shape if size != 1]
    if len(units) > 1:
        raise end.layer.source.error(
            f"gives an output of shape (n, {', '.join(map(str, end.shape))}); one number for each class is needed",
            "explain one part of it: keras.Model(model.inputs, model.output[:, i])",
        )
    if len(end.shape) == 1:
        return graph
    shape = (units[0] if units else 1,)
    name = f"{end.name}_row"
    row = Reshape(KerasLayer(name, "Reshape", {"target_shape": shape}, (), shape, (end.shape,)), shape)
    return replace(graph, nodes=(*graph.nodes, Node(name, row, (end.name,), shape)))


def _without(graph: Graph, drop: Node, changed: Mapping[str, Layer[Any]], step: str) -> Graph:
    """The graph without a node of one input, which its readers read instead; layers of other nodes changed as given."""
    by = drop.inputs[0]
    nodes = []
    for node in graph.nodes:
        if node.name != drop.name:
            inputs = tuple(by if name == drop.name else name for name in node.inputs)
            mask = by if node.mask == drop.name else node.mask
            nodes.append(replace(node, layer=changed.get(node.name, node.layer), inputs=inputs, mask=mask))
    return replace(graph, nodes=tuple(nodes), steps=(*graph.steps, step))


def _without_identities(graph: Graph) -> Graph:
    for name in [node.name for node in graph.nodes if node.layer.is_identity and node.mask is None]:
        node = graph.by_name[name]
        graph = _without(graph, node, {}, f"{name}: {node.layer.source.kind} does nothing here")
    return graph


def _fold(graph: Graph) -> Graph:
    """Fold every affine layer into a neighbour where that changes no output."""
    affine = [n.name for n in graph.nodes if isinstance(n.layer, Affine) and n.layer.is_per_channel and n.mask is None]
    for name in affine:
        node = graph.by_name[name]
        found = _neighbour_with(node, graph)
        if found is not None:
            neighbour, layer = found
            graph = _without(graph, node, {neighbour.name: layer}, f"{name}: folded into {neighbour.name}")
    return graph


def _neighbour_with(node: Node, graph: Graph) -> tuple[Node, Layer[Any]] | None:
    """The neighbour of an affine node that can take it in, and its layer with the affine one in it."""
    affine = node.layer
    assert isinstance(affine, Affine)
    before, after = graph.by_name[node.inputs[0]], graph.consumers(node.name)
    if len(graph.consumers(before.name)) == 1:
        layer = before.layer.with_affine_behind(affine.scale, affine.shift)
        if layer is not None:
            return before, layer
    if len(after) == 1 and after[0].inputs[:1] == (node.name,) and after[0].inputs.count(node.name) == 1:
        layer = after[0].layer.with_affine_in_front(affine.scale, affine.shift)
        if layer is not None:
            return after[0], layer
    return None
