"""A network cut where its branches meet, so that each branch is computed once for each of its distinct inputs.

When groups of inputs are replaced one by one, a branch reads the same values again and again: an image that is one
group is that of the event or that of the baseline, whatever the other groups are. Only the network behind the branches
differs from set to set.

A dense layer that reads wide branches side by side is cut as well: each branch is multiplied by its own rows of the
weights, and the products are added behind.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from xaug.core.errors import ModelError
from xaug.core.types import Array, Arrays
from xaug.explain.groups import FeatureGroups
from xaug.explain.keras_models import ModelOutput, plain_errors
from xaug.explain.propagation.composites import COMPOSITES
from xaug.explain.propagation.engine import Propagator
from xaug.explain.propagation.graph import Graph, Node, make_graph
from xaug.explain.propagation.layers.base import KerasLayer
from xaug.explain.propagation.layers.identity import Input
from xaug.explain.propagation.layers.linear import Dense
from xaug.explain.propagation.layers.merging import Concatenate
from xaug.explain.propagation.linear_maps import Tensor

__all__ = ["Branch", "Branches", "branches_of"]

KEPT = 8
"""Networks that are kept; the one not used for longest goes first."""
COMPARED = 16
"""Events on which the cut network is compared with the model."""
CLOSE = 1e-4
"""Allowed difference of the numbers before the head, relative to the largest."""
BITS = 24
"""Groups of a branch up to which sets of them are told apart; of more, each mixed row counts as one of its own."""


@dataclass(frozen=True, eq=False)
class Branch:
    """The part of a network that reads some inputs and no others.

    Attributes
    ----------
    inputs : tuple of str
        names of these inputs
    compute : callable
        function of their tensors (n, ...) that returns what the rest of the network reads of them
    """

    inputs: tuple[str, ...]
    compute: Callable[[list[Tensor]], list[Tensor]]

    def distinct(self, groups: FeatureGroups, events: Array, baselines: Array, kept: Array) -> tuple[Array, Array]:
        """Rows with different values of the inputs, and for each row (m,) the number of the one that has its values.

        Parameters
        ----------
        groups : FeatureGroups
        events, baselines : (m,) arrays of int
            where the kept groups, and all others, come from
        kept : (m, groups) array of bool
        """
        own = np.unique(np.concatenate([groups.member[name].ravel() for name in self.inputs]))
        part = kept[:, own]
        is_event, is_baseline = part.all(axis=1), ~part.any(axis=1)
        if len(own) <= BITS:
            code = part @ (1 << np.arange(len(own), dtype=np.int64))
        else:
            code = np.where(is_event | is_baseline, 0, 1 + np.arange(len(part)))
        event, baseline = np.where(is_baseline, 0, events + 1), np.where(is_event, 0, baselines + 1)
        key = (event.astype(np.int64) * (int(baseline.max()) + 1) + baseline) * (int(code.max()) + 1) + code
        _, first, number = np.unique(key, return_index=True, return_inverse=True)
        return first, number.reshape(-1)


@dataclass(frozen=True, eq=False)
class Branches:
    """All branches of a network, and what stands behind them.

    Attributes
    ----------
    parts : tuple of Branch
    join : callable
        function of the outputs of each branch for its distinct rows, and of the number of the distinct row of each of m
        events; it returns the numbers before the head (m, units)
    """

    parts: tuple[Branch, ...]
    join: Callable[[list[list[Tensor]], list[Tensor]], Tensor]

    def numbers(
        self, groups: FeatureGroups, x: Arrays, others: Arrays, events: Array, baselines: Array, kept: Array, batch: int
    ) -> Array:
        """Numbers before the head (m, units) of events some groups of which come from baselines.

        Parameters
        ----------
        groups : FeatureGroups
        x, others : dict of arrays (n, ...) and (b, ...)
            inputs of the events and of the baselines
        events, baselines : (m,) arrays of int
            rows of both
        kept : (m, groups) array of bool
            whether a group keeps the values of the event
        batch : int
            rows that a branch computes at a time
        """
        outputs, numbers = [], []
        for part in self.parts:
            first, number = part.distinct(groups, events, baselines, kept)
            pieces = []
            for start in range(0, len(first), batch):
                rows = first[start : start + batch]
                mixed = [
                    np.where(kept[rows][:, groups.member[name]], x[name][events[rows]], others[name][baselines[rows]])
                    for name in part.inputs
                ]
                pieces.append(part.compute([tf.constant(values, tf.float32) for values in mixed]))
            outputs.append([tf.concat(values, axis=0) for values in zip(*pieces, strict=True)])
            numbers.append(tf.constant(number, tf.int32))
        found: Array = self.join(outputs, numbers).numpy()
        return found


_kept: OrderedDict[tuple[object, ...], Branches | None] = OrderedDict()


def branches_of(network: ModelOutput, groups: FeatureGroups, x: Arrays) -> Branches | None:
    """The network cut where branches meet that have no group in common; None where it has no such branches.

    It is None as well where LRP does not know a layer, or a mask of steps reaches the place where branches meet.

    Parameters
    ----------
    network : ModelOutput
    groups : FeatureGroups
        what is replaced together
    x : dict of arrays
        inputs of events, on some of which both are compared
    """
    parts = _with_common_groups(groups.member)
    if len(parts) < 2:
        return None
    key = (network.identity, tuple(parts), tuple(values.shape[1:] for values in x.values()))
    if key not in _kept:
        try:
            _kept[key] = _cut(network, parts, {name: values[:COMPARED] for name, values in x.items()})
        except (ModelError, NotImplementedError, ValueError, TypeError, KeyError, AttributeError):
            _kept[key] = None  # the whole network can always be computed
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    _kept.move_to_end(key)
    return _kept[key]


def _with_common_groups(member: Arrays) -> list[tuple[str, ...]]:
    """Inputs that share a group, directly or by way of others."""
    found: list[tuple[set[int], list[str]]] = []
    for name, own in member.items():
        groups, names = set(np.unique(own).tolist()), [name]
        apart = []
        for others, their_names in found:
            if groups & others:
                groups, names = groups | others, [*their_names, *names]
            else:
                apart.append((others, their_names))
        found = [*apart, (groups, names)]
    return [tuple(names) for _, names in found]


def _cut(network: ModelOutput, parts: Sequence[tuple[str, ...]], x: Arrays) -> Branches | None:
    """The cut network; None if it is not the same function as the model."""
    shapes = {name: values.shape[1:] for name, values in x.items()}
    cut = _Cut(make_graph(network.model, value=network.kind == "value", shapes=shapes), parts)
    branches = [_branch(cut.branch(i), cut.ends[i]) for i in range(len(parts))]
    if any(branch is None for branch in branches):
        return None
    joint = Propagator(cut.behind, COMPOSITES["z"], "ignore")

    def join(outputs: list[list[Tensor]], numbers: list[Tensor]) -> Tensor:
        values = {
            name: tf.gather(value, number)
            for names, own, number in zip(cut.ends, outputs, numbers, strict=True)
            for name, value in zip(names, own, strict=True)
        }
        return joint.forward(values).values[cut.behind.output.name]

    compiled = tf.function(join, reduce_retracing=True, autograph=False)
    found = Branches(tuple(branch for branch in branches if branch is not None), compiled)
    rows = np.arange(len(next(iter(x.values()))))
    every = np.ones((len(rows), 1), bool)
    whole = FeatureGroups(("all",), {name: np.zeros(shape, int) for name, shape in shapes.items()})
    with plain_errors(network.name):
        own = found.numbers(whole, x, x, rows, rows, every, len(rows))
        types = [tensor.dtype for tensor in network.model.inputs]
        expected = network.function([tf.constant(v, kind) for v, kind in zip(x.values(), types, strict=True)]).numpy()
    is_close = np.abs(own - expected).max() <= CLOSE * (1 + np.abs(expected).max())
    return found if is_close else None


def _branch(graph: Graph, ends: Sequence[str]) -> Branch | None:
    """One branch, compiled; None if a mask of steps leaves it."""
    engine = Propagator(graph, COMPOSITES["z"], "ignore")
    zeros = {name: tf.zeros((1, *graph.by_name[name].shape)) for name in graph.input_names}
    if any(engine.forward(zeros).masks[name] is not None for name in ends):
        return None

    def compute(tensors: list[Tensor]) -> list[Tensor]:
        done = engine.forward(dict(zip(graph.input_names, tensors, strict=True)))
        return [done.values[name] for name in ends]

    return Branch(graph.input_names, tf.function(compute, reduce_retracing=True, autograph=False))


class _Cut:
    """A graph in branches, and what stands behind them.

    Attributes
    ----------
    ends : list of list of str
        for each branch the nodes that the rest of the network reads
    behind : Graph
        the rest, whose inputs have the names of these nodes
    """

    def __init__(self, graph: Graph, parts: Sequence[tuple[str, ...]]):
        self.graph, self.parts, self.nodes = graph, parts, graph.by_name
        part_of = {name: i for i, names in enumerate(parts) for name in names}
        self.reads: dict[str, frozenset[int]] = {}
        for node in graph.nodes:
            own = [part_of[node.name]] if isinstance(node.layer, Input) else []
            self.reads[node.name] = frozenset(own).union(*(self.reads[name] for name in _sources(node)))
        self.ends: list[list[str]] = [[] for _ in parts]
        self._added: list[list[Node]] = [[] for _ in parts]
        self._behind: dict[str, Node] = {}
        self._follow(graph.output.name)
        inputs = tuple(name for names in self.ends for name in names)
        nodes = [node for node in self._behind.values() if node.name != graph.output.name]
        self.behind = Graph((*nodes, self._behind[graph.output.name]), inputs, (), "linear")

    def branch(self, part: int) -> Graph:
        """The graph of a branch."""
        nodes = [*self.graph.nodes, *self._added[part]]
        needed = {*self.ends[part], *self.parts[part]}
        for node in reversed(nodes):
            if node.name in needed:
                needed |= set(_sources(node))
        return Graph(tuple(node for node in nodes if node.name in needed), self.parts[part], (), "linear")

    def _follow(self, name: str) -> None:
        """Add a node, and all that it reads, to the network behind the branches."""
        if name in self._behind:
            return
        node = self.nodes[name]
        if len(self.reads[name]) == 1:
            (part,) = self.reads[name]
            self._end(part, node)
        elif not self._divide(node):
            for source in _sources(node):
                self._follow(source)
            self._behind[name] = node

    def _end(self, part: int, node: Node) -> None:
        """End a branch with a node."""
        self.ends[part].append(node.name)
        layer = Input(KerasLayer(node.name, "InputLayer", {}, (), node.shape))
        self._behind[node.name] = Node(node.name, layer, (), node.shape)

    def _divide(self, node: Node) -> bool:
        """Divide a dense layer among the branches that it reads side by side, if they are wider than its output."""
        before = self.nodes[node.inputs[0]] if len(node.inputs) == 1 else None
        if before is None or not isinstance(node.layer, Dense) or not isinstance(before.layer, Concatenate):
            return False
        if len(node.shape) != 1 or node.mask is not None or before.mask is not None:
            return False
        widths = [self.nodes[name].shape[-1] for name in before.inputs]
        rows = np.split(node.layer.kernel, np.cumsum(widths)[:-1])
        of_part: dict[int, list[int]] = {}
        for place, name in enumerate(before.inputs):
            if len(self.reads[name]) == 1:
                of_part.setdefault(min(self.reads[name]), []).append(place)
        units = node.shape[-1]
        wide = {part: own for part, own in of_part.items() if sum(widths[i] for i in own) > units}
        if not wide:
            return False
        read, kernels = [], []
        for part, own in wide.items():
            source = before.inputs[own[0]]
            if len(own) > 1:
                source = f"{node.name}, read from branch {part}"
                width = sum(widths[i] for i in own)
                self._added[part].append(Node(source, before.layer, tuple(before.inputs[i] for i in own), (width,)))
            kernel = np.concatenate([rows[i] for i in own])
            layer = replace(node.layer, kernel=kernel, bias=np.zeros(units), function="linear")
            product = Node(f"{node.name}, branch {part}", layer, (source,), (units,))
            self._added[part].append(product)
            self._end(part, product)
            read.append(product.name)
            kernels.append(np.eye(units))
        for i, name in enumerate(before.inputs):
            if not any(i in own for own in wide.values()):
                self._follow(name)
                read.append(name)
                kernels.append(rows[i])
        if len(read) > 1:
            joined = Node(f"{node.name}, joined", before.layer, tuple(read), (sum(map(len, kernels)),))
            self._behind[joined.name] = joined
            read = [joined.name]
        layer = replace(node.layer, kernel=np.concatenate(kernels))
        self._behind[node.name] = replace(node, layer=layer, inputs=tuple(read))
        return True


def _sources(node: Node) -> tuple[str, ...]:
    """The nodes that a node reads, with that of its mask."""
    return node.inputs if node.mask is None else (*node.inputs, node.mask)
