"""A Keras functional model as a plain graph of layers that relevance can be propagated through.

The model is brought to a canonical form, on a copy (the user's model is never touched):

- the softmax or sigmoid of the head is taken off (`xaug.explain.targets`);
- dropout and other layers that do nothing at inference disappear;
- BatchNormalization becomes the affine layer y = scale x + shift that it is, and is folded into the linear layer
  before or behind it where that is exact; elsewhere it stays, as a layer with a rule of its own.

This module only walks the graph; what a layer is, and what can be folded into it, is known to its class
(`xaug.explain.propagation.layers`). Each step is listed in `Graph.steps`. The outputs of graph and model are compared
before anything is explained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xaug.core.types import JsonObject
from xaug.explain.propagation.layers.activation import refuse_other_relu
from xaug.explain.propagation.layers.base import KerasLayer, Layer, entry_of
from xaug.explain.propagation.layers.identity import Input
from xaug.explain.propagation.layers.norm import Affine
from xaug.explain.targets import Logits

__all__ = ["Graph", "Node", "make_graph", "refuse_use"]

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
    """

    name: str
    layer: Layer[Any]
    inputs: tuple[str, ...]
    shape: Shape


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
    """

    nodes: tuple[Node, ...]
    input_names: tuple[str, ...]
    steps: tuple[str, ...]

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
        return [node for node in self.nodes if name in node.inputs]


def make_graph(logits: Logits, shapes: Mapping[str, Shape]) -> Graph:
    """The canonical graph of a model whose head was taken off.

    Parameters
    ----------
    logits : Logits
        the model
    shapes : mapping of str to tuple of int
        output shape of every layer, without the event axis

    Returns
    -------
    Graph

    Raises
    ------
    ModelError
        naming a layer that has no rule, is used twice, or is set up in a way that is not supported
    """
    nodes = [_node(layer, logits, shapes) for layer in logits.config["config"]["layers"]]
    ordered = _reachable(_sorted(nodes), logits.end)
    graph = Graph(ordered, tuple(logits.input_names), ("head: softmax or sigmoid taken off",))
    return _fold(_without_identities(graph))


def refuse_use(layer: JsonObject) -> None:
    """Raise ModelError if a layer is used more than once, as a shared one, or is a ReLU that is not max(x, 0)."""
    calls, described = layer["inbound_nodes"], KerasLayer(layer["config"]["name"], layer["class_name"], layer["config"])
    if described.kind == "ReLU":
        refuse_other_relu(described)
    if len(calls) > 1:
        raise described.error(
            f"is used {len(calls)} times", "give each use a layer of its own, with the same weights (set_weights)"
        )


def _node(layer: JsonObject, logits: Logits, shapes: Mapping[str, Shape]) -> Node:
    kind, config = layer["class_name"], layer["config"]
    name = config["name"]
    entry = entry_of(kind)
    if entry.layer is not None:
        refuse_use(layer)
    calls = layer["inbound_nodes"]
    inputs: tuple[str, ...] = ()
    if calls and entry.layer is not None:
        inputs = tuple(_inbound(KerasLayer(name, kind, config), calls[0]))
    weights = tuple(np.asarray(w, dtype=np.float64) for w in logits.weights.get(name, ()))
    described = KerasLayer(name, kind, config, weights, shapes[name], tuple(shapes[source] for source in inputs))
    return Node(name, entry.lower(described), inputs, shapes[name])


def _inbound(layer: KerasLayer, call: Any) -> list[str]:
    """Names of the layers that one call of a layer reads."""
    if isinstance(call, dict) or not all(isinstance(entry, list) for entry in call):
        raise layer.error("is called in a way that is not supported; plain calls on tensors are")
    for entry in call:
        if len(entry) > 3 and entry[3]:
            raise layer.error(f"is called with {', '.join(entry[3])}, which has no rule")
    return [entry[0] for entry in call]


def _sorted(nodes: list[Node]) -> list[Node]:
    by_name = {node.name: node for node in nodes}
    order: dict[str, Node] = {}

    def visit(node: Node) -> None:
        if node.name in order:
            return
        for name in node.inputs:
            visit(by_name[name])
        order[node.name] = node

    for node in nodes:
        visit(node)
    return list(order.values())


def _reachable(nodes: list[Node], end: str) -> tuple[Node, ...]:
    """Nodes up to the output, and all inputs."""
    needed, by_name = {end}, {node.name: node for node in nodes}
    for node in reversed(nodes):
        if node.name in needed:
            needed |= set(node.inputs)
    kept = [n for n in nodes if (n.name in needed or isinstance(n.layer, Input)) and n.name != end]
    return (*kept, by_name[end])


def _without(graph: Graph, drop: Node, changed: Mapping[str, Layer[Any]], step: str) -> Graph:
    """The graph without a node of one input, which its readers read instead; layers of other nodes changed as given."""
    by = drop.inputs[0]
    nodes = []
    for node in graph.nodes:
        if node.name != drop.name:
            inputs = tuple(by if name == drop.name else name for name in node.inputs)
            nodes.append(replace(node, layer=changed.get(node.name, node.layer), inputs=inputs))
    return replace(graph, nodes=tuple(nodes), steps=(*graph.steps, step))


def _without_identities(graph: Graph) -> Graph:
    for name in [node.name for node in graph.nodes if node.layer.is_identity]:
        node = graph.by_name[name]
        graph = _without(graph, node, {}, f"{name}: {node.layer.source.kind} does nothing here")
    return graph


def _fold(graph: Graph) -> Graph:
    """Fold every affine layer into a neighbour where that changes no output."""
    for name in [node.name for node in graph.nodes if isinstance(node.layer, Affine)]:
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
    if len(after) == 1:
        layer = after[0].layer.with_affine_in_front(affine.scale, affine.shift)
        if layer is not None:
            return after[0], layer
    return None
