"""A Keras functional model as a plain graph that relevance can be propagated through.

Canonicalisation, on a copy (the user's model is never touched):

- the softmax or sigmoid of the head is taken off (`xaug.explain.targets`);
- dropout and other layers that do nothing at inference disappear;
- BatchNormalization becomes the affine layer y = scale x + shift that it is, and is folded into the linear layer
  before or behind it where that is exact; elsewhere it stays, as a layer with a rule of its own.

Each step is listed in `Graph.steps`; the outputs of graph and model are compared before anything is explained.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from xaug.core.errors import ModelError
from xaug.explain.targets import Logits

__all__ = ["ACTIVATIONS", "Graph", "Node", "make_graph"]

ACTIVATIONS = ("linear", "relu", "swish", "silu", "tanh", "sigmoid")
IDENTITIES = ("Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianNoise", "GaussianDropout")
LINEAR = ("Dense", "Conv1D", "Conv2D")
POOLING = (
    "MaxPooling1D", "MaxPooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D",
    "AveragePooling1D", "AveragePooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D",
)  # fmt: skip
SHAPES = ("Flatten", "Reshape", "Permute", "Concatenate", "Add")
KINDS = ("InputLayer", *LINEAR, *POOLING, *SHAPES, *IDENTITIES, "Activation", "ReLU", "BatchNormalization", "GRU",
         "Masking")  # fmt: skip

REMEDIES = {
    "Lambda": "a Lambda hides what it does; write it with layers that have one",
    "TFOpLambda": "an operation on tensors; use the layers Add, Concatenate, Reshape, Permute, Activation",
    "SlicingOpLambda": "an operation on tensors; split the input into several named ones instead",
    "LSTM": "of the recurrent layers GRU has one",
    "SimpleRNN": "of the recurrent layers GRU has one",
    "Bidirectional": "use two GRU layers, one of them on the reversed list",
    "TimeDistributed": "Dense acts on every step by itself; use it directly",
    "LayerNormalization": "it is not linear at inference; use BatchNormalization",
    "LeakyReLU": "use ReLU or swish",
    "PReLU": "use ReLU or swish",
    "ELU": "use ReLU or swish",
    "Functional": "a model in a model; call its layers one by one",
    "Sequential": "a model in a model; call its layers one by one",
    "Multiply": "a product has no unique shares; use Add or Concatenate",
    "ZeroPadding1D": "use padding='same' of the convolution",
    "ZeroPadding2D": "use padding='same' of the convolution",
}
"""What to do about layers that models often have and LRP has no rule for."""


@dataclass(frozen=True)
class Node:
    """One step of the graph: its kind, the nodes it reads, its settings and its weights (float64)."""

    name: str
    kind: str  # a Keras class name, or "Affine"
    inputs: tuple[str, ...]
    config: dict = field(default_factory=dict)
    weights: tuple[np.ndarray, ...] = ()
    shape: tuple[int, ...] = ()  # of its output, without the event axis

    @property
    def activation(self) -> str:
        """Name of the activation applied to its output."""
        return self.config.get("activation", "linear")


@dataclass(frozen=True)
class Graph:
    """Nodes in an order in which each comes after those it reads; the last one gives the logits."""

    nodes: tuple[Node, ...]
    input_names: tuple[str, ...]
    steps: tuple[str, ...]  # what was changed, in words

    @property
    def output(self) -> Node:
        return self.nodes[-1]

    def consumers(self, name: str) -> list[Node]:
        """Nodes that read a node."""
        return [node for node in self.nodes if name in node.inputs]


def make_graph(logits: Logits, shapes: dict[str, tuple[int, ...]]) -> Graph:
    """The canonical graph of a model whose head was taken off.

    Parameters
    ----------
    logits
    shapes
        output shape of every layer, without the event axis

    Raises
    ------
    ModelError
        naming a layer that has no rule, is used twice, or is set up in a way that is not supported
    """
    nodes = [_node(layer, logits.weights, shapes) for layer in logits.config["config"]["layers"]]
    graph = Graph(
        _reachable(_sorted(nodes), logits.end), tuple(logits.input_names), ("head: softmax or sigmoid taken off",)
    )
    return _fold(_without_identities(graph))


def refuse_use(layer: dict) -> None:
    """Raise ModelError if a layer is used more than once, as a shared one, or is a ReLU that is not max(x, 0)."""
    calls, config = layer["inbound_nodes"], layer["config"]
    name, plain = config["name"], {"max_value": None, "negative_slope": 0, "threshold": 0}
    if layer["class_name"] == "ReLU" and any(config.get(key, value) != value for key, value in plain.items()):
        raise ModelError(f"layer {name!r} (ReLU) is not the plain max(x, 0)")
    if len(calls) > 1:
        raise ModelError(
            f"layer {name!r} ({layer['class_name']}) is used {len(calls)} times; give each use a layer of its own, "
            "with the same weights"
        )


def _node(layer: dict, weights: dict[str, list[np.ndarray]], shapes: dict[str, tuple[int, ...]]) -> Node:
    kind, config = layer["class_name"], layer["config"]
    name = config["name"]
    if kind not in KINDS:
        known = ", ".join(k for k in KINDS if k != "InputLayer")
        remedy = REMEDIES.get(kind, "build the model of layers that have one")
        raise ModelError(f"layer {name!r} ({kind}) has no rule: {remedy}. LRP here knows {known}")
    refuse_use(layer)
    calls = layer["inbound_nodes"]
    inputs = tuple(_inbound(name, calls[0])) if calls else ()
    if kind == "ReLU":
        kind, config = "Activation", {"activation": "relu"}
    if config.get("activation", "linear") not in (ACTIVATIONS if kind != "GRU" else ("tanh",)):
        raise ModelError(f"layer {name!r} ({kind}) has activation {config['activation']!r}; known: {ACTIVATIONS}")
    if config.get("data_format", "channels_last") != "channels_last" or config.get("groups", 1) != 1:
        raise ModelError(f"layer {name!r} ({kind}) must have channels last and one group")
    if set(np.atleast_1d(config.get("dilation_rate", 1))) != {1}:
        raise ModelError(f"layer {name!r} ({kind}) is dilated, which has no rule here")
    if config.get("padding") == "causal":
        raise ModelError(f"layer {name!r} ({kind}) has causal padding, which has no rule here")
    if kind == "GRU":
        for option in ("go_backwards", "stateful", "return_state", "time_major"):
            if config.get(option):
                raise ModelError(f"layer {name!r} (GRU) has {option}=True, which has no rule here")
        if config["recurrent_activation"] != "sigmoid":
            raise ModelError(f"layer {name!r} (GRU) has recurrent activation {config['recurrent_activation']!r}")
    own = tuple(np.asarray(w, dtype=np.float64) for w in weights.get(name, ()))
    if kind in LINEAR and not config["use_bias"]:
        own = (own[0], np.zeros(own[0].shape[-1]))
    if kind == "BatchNormalization":
        kind, own = "Affine", _affine(config, own)
    return Node(name, kind, inputs, config, own, shapes[name])


def _inbound(name: str, call) -> list[str]:
    """Names of the layers that one call of a layer reads."""
    if isinstance(call, dict) or not all(isinstance(entry, list) for entry in call):
        raise ModelError(f"layer {name!r} is called in a way that is not supported; use plain functional layers")
    for entry in call:
        if len(entry) > 3 and entry[3]:
            raise ModelError(f"layer {name!r} is called with {', '.join(entry[3])}, which has no rule here")
    return [entry[0] for entry in call]


def _affine(config: dict, weights: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Scale and shift of a BatchNormalization at inference: gamma / sqrt(variance + epsilon), and the rest."""
    rest = list(weights)
    gamma = rest.pop(0) if config["scale"] else 1.0
    beta = rest.pop(0) if config["center"] else 0.0
    mean, variance = rest
    scale = gamma / np.sqrt(variance + config["epsilon"])
    return scale * np.ones_like(mean), beta - scale * mean


def _sorted(nodes: list[Node]) -> list[Node]:
    by_name, order, seen = {node.name: node for node in nodes}, [], set()

    def visit(node: Node) -> None:
        if node.name in seen:
            return
        seen.add(node.name)
        for name in node.inputs:
            visit(by_name[name])
        order.append(node)

    for node in nodes:
        visit(node)
    return order


def _reachable(nodes: list[Node], end: str) -> tuple[Node, ...]:
    """Nodes up to the output, and all inputs."""
    needed, by_name = {end}, {node.name: node for node in nodes}
    for node in reversed(nodes):
        if node.name in needed:
            needed |= set(by_name[node.name].inputs)
    kept = [node for node in nodes if (node.name in needed or node.kind == "InputLayer") and node.name != end]
    return (*kept, by_name[end])


def _replace(graph: Graph, drop: str, by: str, changed: dict[str, Node], step: str) -> Graph:
    """The graph without node `drop`, whose readers read `by`; other nodes changed as given."""
    nodes = []
    for node in graph.nodes:
        if node.name == drop:
            continue
        node = changed.get(node.name, node)
        nodes.append(replace(node, inputs=tuple(by if name == drop else name for name in node.inputs)))
    return replace(graph, nodes=tuple(nodes), steps=(*graph.steps, step))


def _without_identities(graph: Graph) -> Graph:
    for node in graph.nodes:
        if node.kind in IDENTITIES:
            graph = _replace(graph, node.name, node.inputs[0], {}, f"{node.name}: {node.kind} does nothing here")
    return graph


def _fold(graph: Graph) -> Graph:
    """Fold every affine layer into a linear neighbour where that changes no output."""
    for node in graph.nodes:
        if node.kind != "Affine":
            continue
        by_name = {other.name: other for other in graph.nodes}
        before = by_name[node.inputs[0]]
        alone = len(graph.consumers(before.name)) == 1
        if before.kind in LINEAR and before.activation == "linear" and alone:
            scale, shift = node.weights
            kernel, bias = before.weights
            changed = replace(before, weights=(kernel * scale, bias * scale + shift))
            graph = _replace(
                graph, node.name, before.name, {before.name: changed}, f"{node.name}: folded into {before.name}"
            )
            continue
        after = graph.consumers(node.name)
        if len(after) == 1:
            changed = _folded_behind(node, after[0])
            if changed:
                step = f"{node.name}: folded into {after[0].name}"
                graph = _replace(graph, node.name, node.inputs[0], {after[0].name: changed}, step)
    return graph


def _folded_behind(affine: Node, after: Node) -> Node | None:
    """The linear layer `after` with the affine layer in front of it taken in; None where that is not exact."""
    scale, shift = affine.weights
    if after.kind in ("Conv1D", "Conv2D") and after.config["padding"] == "same" and np.any(shift):
        return None  # the zeros of the padding would have to be shifted too
    if after.kind in LINEAR:
        kernel, bias = after.weights
        extra = np.tensordot(shift, kernel, axes=(0, kernel.ndim - 2))
        return replace(
            after,
            weights=(kernel * scale[:, None], bias + extra.reshape(-1, kernel.shape[-1]).sum(axis=0)),
        )
    if after.kind == "GRU":
        kernel, recurrent, bias = gru_weights(after)
        bias = bias.copy()
        bias[0] += shift @ kernel
        config = {**after.config, "use_bias": True}
        if not after.config["reset_after"]:
            bias = bias[0]
        return replace(after, config=config, weights=(kernel * scale[:, None], recurrent, bias))
    return None


def gru_weights(node: Node) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Kernel, recurrent kernel, and bias as (2, 3 units): of the input and of the recurrent part."""
    kernel, recurrent = node.weights[:2]
    bias = node.weights[2] if node.config["use_bias"] else np.zeros(kernel.shape[1])
    if bias.ndim == 1:
        bias = np.stack([bias, np.zeros_like(bias)])
    return kernel, recurrent, bias
