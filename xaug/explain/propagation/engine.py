"""The native engine of LRP: in process, eager, for every layer with a rule, in float32 or float64.

One `tf.function` per model runs forward, keeping what the rules need, and backward once. Weights are constants of it.
Nearly all of the time goes into convolutions, three where a gradient needs two: x w, x w+ and a transpose. So the
layers write them such that TensorFlow joins each with its bias and activation, and recognises a pooling and its
gradient as a pair (`xaug.explain.propagation.linear_maps`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from xaug.core.errors import ModelError
from xaug.core.types import Array, Arrays
from xaug.explain.propagation.composites import Composite
from xaug.explain.propagation.failures import computing
from xaug.explain.propagation.graph import Graph, Node
from xaug.explain.propagation.layers.base import Backward, Treatment
from xaug.explain.propagation.layers.identity import Input, Masking
from xaug.explain.propagation.linear_maps import Tensor
from xaug.explain.propagation.reference import ReferenceEvent, refuse_reference, starts_of
from xaug.explain.propagation.rules import Rule

__all__ = ["Explained", "Forwarded", "Propagator"]


class Explained(NamedTuple):
    """The explanation of n events by the engine.

    Attributes
    ----------
    relevance : dict of arrays (n, ...)
        by input name
    explained : array (n,)
        explained output
    elsewhere : array (n,)
        relevance that reached no input but initial states of recurrent layers and constants of a softmax
    logits : array (n, units)
        output of the graph
    """

    relevance: Arrays
    explained: Array
    elsewhere: Array
    logits: Array


class Forwarded(NamedTuple):
    """The forward pass of n events, by the names of the nodes.

    Attributes
    ----------
    values : dict of tensors (n, ...)
        outputs
    records : dict
        what backward passes need beside them
    masks : dict of tensors (n, steps) or None
        masks of padded steps
    """

    values: dict[str, Tensor]
    records: dict[str, Any]
    masks: dict[str, Tensor | None]


class Propagator:
    """Forward and backward through a graph by one composite of rules.

    Parameters
    ----------
    graph : Graph
        the network
    composite : Composite
        which rule is used on which layer
    bias : str
        one of `xaug.explain.propagation.rules.BIAS`
    dtype : str
        "float32" or "float64"
    nonnegative : frozenset of str
        names of inputs without negative values, for which half of alpha-beta need not be computed
    binary : frozenset of str
        names of inputs whose values are all 0 or 1: masks, which get no relevance of a product
    reference : ReferenceEvent, optional
        event at which inputs get no relevance; None: zero

    Raises
    ------
    ModelError
        naming a layer for which the composite has no usable rule
    """

    def __init__(
        self,
        graph: Graph,
        composite: Composite,
        bias: str = "innvestigate",
        dtype: str = "float32",
        nonnegative: frozenset[str] = frozenset(),
        binary: frozenset[str] = frozenset(),
        reference: ReferenceEvent | None = None,
    ):
        self.graph = graph
        self.dtype = tf.as_dtype(dtype)
        self._first = _first_layers(graph)
        self.treatments = self._treatments(composite, bias, nonnegative, binary)
        self._starts = {} if reference is None else starts_of(graph, reference)
        refuse_reference(graph, self._starts, {name: how.rule for name, how in self.treatments.items()})

    @cached_property
    def _explain(self) -> Callable[..., Any]:
        """`_run`, compiled; a concrete function, which `tf.function` would look for at every call."""
        signature = [
            tf.TensorSpec((None, *self.graph.by_name[name].shape), self.dtype) for name in self.graph.input_names
        ]
        rows = tf.TensorSpec((None, self.graph.output.shape[-1]), self.dtype)
        # jit_compile stays off: XLA halves the speed of convolutions on CPUs
        compiled = tf.function(self._run, input_signature=[signature, rows], autograph=False)
        concrete: Callable[..., Any] = compiled.get_concrete_function()
        return concrete

    def __call__(self, x: Arrays, direction: Array | None = None) -> tuple[Arrays, Array, Array]:
        """Relevance, explained output and relevance that went elsewhere, see `explain`."""
        return self.explain(x, direction)[:3]

    def explain(self, x: Arrays, direction: Array | None = None) -> Explained:
        """Explain events.

        Parameters
        ----------
        x : dict of arrays (n, ...)
            inputs by name
        direction : array (units,) or (n, units), optional
            the explained output is the sum of the logits times this; default: the predicted class of each event
            (of a single output: its absolute value)

        Returns
        -------
        Explained
        """
        n = len(next(iter(x.values())))
        units = self.graph.output.shape[-1]
        dtype = self.dtype.as_numpy_dtype
        rows = np.full((n, units), np.nan, dtype) if direction is None else np.broadcast_to(direction, (n, units))
        tensors = list(self._tensors(x).values())
        relevance, *rest = self._explain(tensors, tf.convert_to_tensor(rows, self.dtype))
        found = {name: r.numpy() for name, r in zip(self.graph.input_names, relevance, strict=True)}
        return Explained(found, *(tensor.numpy() for tensor in rest))

    def logits(self, x: Arrays) -> Array:
        """Output of the graph (n, units)."""
        return self.values(x)[self.graph.output.name]

    def values(self, x: Arrays) -> Arrays:
        """Output of every node (n, ...), by its name."""
        return {name: value.numpy() for name, value in self.forward(self._tensors(x)).values.items()}

    def _tensors(self, x: Arrays) -> dict[str, Tensor]:
        """The inputs in the precision of the engine; tokens and masks become numbers too."""
        dtype = self.dtype.as_numpy_dtype
        return {name: tf.convert_to_tensor(np.asarray(x[name], dtype)) for name in self.graph.input_names}

    def check_inputs(self, x: Arrays) -> None:
        """Raise ConfigurationError if the rule of a first layer cannot be used on the values of its inputs."""
        for name, sources in self._first.items():
            for source in sources:
                self.treatments[name].chosen.check_input(source, x[source])

    def _treatments(
        self, composite: Composite, bias: str, nonnegative: frozenset[str], binary: frozenset[str]
    ) -> dict[str, Treatment]:
        """How each node is explained."""
        never = {name: name in nonnegative for name in self.graph.input_names}
        gate = {name: name in binary for name in self.graph.input_names}
        found = {}
        for node in self.graph.nodes:
            if isinstance(node.layer, Input):
                found[node.name] = Treatment(None, bias, never[node.name])
                continue
            signs = [never[name] for name in node.inputs]
            never[node.name] = node.layer.never_negative(signs)
            gates = tuple(gate[name] for name in node.inputs)
            gate[node.name] = node.layer.is_gate(gates)
            rule = None
            if node.layer.role is not None:
                rule = composite.rule_of(node.layer.role, node.name in self._first)
                _refuse_rule(node, rule)
            found[node.name] = Treatment(rule, bias, all(signs[:1]), gates)
        return found

    def _run(self, tensors: list[Tensor], rows: Tensor) -> tuple[list[Tensor], Tensor, Tensor, Tensor]:
        values, records, _ = self.forward(dict(zip(self.graph.input_names, tensors, strict=True)))
        output = values[self.graph.output.name]
        if output.shape[-1] == 1:
            predicted = tf.where(output >= 0, tf.ones_like(output), -tf.ones_like(output))
        else:
            predicted = tf.one_hot(tf.argmax(output, -1), output.shape[-1], dtype=self.dtype)
        rows = tf.where(tf.math.is_nan(rows), predicted, rows)
        waiting = {self.graph.output.name: output * rows}
        elsewhere = tf.zeros_like(output[:, 0])
        for node in reversed(self.graph.nodes):
            if isinstance(node.layer, Input) or node.name not in waiting:
                continue
            seen = Backward(
                [values[name] for name in node.inputs], values[node.name], records[node.name], waiting.pop(node.name),
                self._starts.get(node.name),
            )  # fmt: skip
            with computing(node.layer.source):
                shares = node.layer.backward(seen, self.treatments[node.name])
            if shares.elsewhere is not None:  # (n,), or one number for each step of each event
                elsewhere += tf.reduce_sum(tf.reshape(shares.elsewhere, (tf.shape(elsewhere)[0], -1)), axis=1)
            for name, share in zip(node.inputs, shares.inputs, strict=True):
                if share is None:
                    continue
                waiting[name] = waiting[name] + share if name in waiting else share
        found = [waiting.get(name, tf.zeros_like(x)) for name, x in zip(self.graph.input_names, tensors, strict=True)]
        return found, tf.reduce_sum(output * rows, axis=1), elsewhere, output

    def forward(self, inputs: Mapping[str, Tensor], given: Mapping[str, Tensor | None] | None = None) -> Forwarded:
        """Outputs and masks of all nodes; `given` are masks that take the place of those of the events."""
        values: dict[str, Tensor] = {}
        records: dict[str, Any] = {}
        masks: dict[str, Tensor | None] = {}
        for node in self.graph.nodes:
            if isinstance(node.layer, Input):
                values[node.name], masks[node.name] = inputs[node.name], None
                continue
            x = [values[name] for name in node.inputs]
            own = self.masks_of(node, Forwarded(values, records, masks))
            with computing(node.layer.source):
                y, records[node.name] = node.layer.forward(x, own, self.treatments[node.name])
            values[node.name] = tf.cast(y, self.dtype) if y.dtype.is_floating else y
            masks[node.name] = node.layer.mask(x, own) if given is None else given[node.name]
        return Forwarded(values, records, masks)

    def masks_of(self, node: Node, forwarded: Forwarded) -> list[Tensor | None]:
        """The masks of the inputs of a node, as its layer takes them."""
        found = [forwarded.masks[name] for name in node.inputs]
        if node.mask is not None:
            found[0] = tf.cast(forwarded.values[node.mask], tf.bool)
        return found


def _first_layers(graph: Graph) -> dict[str, set[str]]:
    """Layers with a rule that read only inputs of the network, moved or masked, and the names of these inputs."""
    moved: dict[str, set[str]] = {}
    first = {}
    for node in graph.nodes:
        known = [moved[name] for name in node.inputs if name in moved]
        sources = set().union(*known) if len(known) == len(node.inputs) else set()
        if isinstance(node.layer, Input):
            moved[node.name] = {node.name}
        elif sources and (node.layer.moves or isinstance(node.layer, Masking)):
            moved[node.name] = sources
        elif sources and node.layer.role is not None:
            first[node.name] = sources
    return first


def _refuse_rule(node: Node, rule: Rule) -> None:
    reason = node.layer.refuses(rule)
    if reason is not None:
        kind = node.layer.source.kind
        raise ModelError(f"layer {node.name!r} ({kind}) cannot be explained by the rule {rule}: {reason}")
