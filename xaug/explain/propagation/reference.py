"""LRP from a reference: the point of the inputs at which no relevance is given.

A rule such as LRP-epsilon shares the relevance of a neuron by the contributions x_j w_jk, so an input of value zero
gets none. The zero of the scaled inputs is thus a baseline, whether one has chosen it or not. It may be moved to any
event x' without a change of the network: z_k = sum_j (x_j - x'_j) w_jk + b'_k with b'_k = b_k + sum_j x'_j w_jk, where
w and b belong to the first layer. The rules then see the contributions (x_j - x'_j) w_jk and the bias b'_k.

References
----------
P.-J. Kindermans et al., arXiv:1711.00867 (such a shift changes the explanation and not the network).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from xaug.core.errors import ConfigurationError, ModelError
from xaug.core.files import digest_json
from xaug.core.types import Array, Arrays
from xaug.explain.propagation.graph import Graph, Node
from xaug.explain.propagation.layers.base import Moving
from xaug.explain.propagation.layers.identity import Input, Masking
from xaug.explain.propagation.layers.linear import LinearLayer
from xaug.explain.propagation.layers.norm import Affine
from xaug.explain.propagation.layers.recurrence import Recurrent
from xaug.explain.propagation.linear_maps import Start, Tensor

__all__ = ["ReferenceEvent", "refuse_reference", "starts_of"]

REMEDY = (
    "explain it by xaug.explain.rescale or integrated_gradients, which take any events as references, or use the "
    "reference zero"
)


@dataclass(frozen=True)
class ReferenceEvent:
    """The event x' at which inputs get no relevance.

    Attributes
    ----------
    arrays : dict of arrays
        scaled inputs of the event by input name, without the event axis
    digest : str
        tells references apart
    """

    arrays: Arrays = field(compare=False)
    digest: str

    @classmethod
    def of(cls, given: Mapping[str, Array], inputs: Arrays) -> ReferenceEvent:
        """The reference that a user gives: one event by input name, or several, of which the mean is taken.

        Parameters
        ----------
        given : dict of arrays
            scaled inputs by input name, each of the shape of the input of one event, or with an axis of events
        inputs : dict of arrays (n, ...)
            the inputs that are explained

        Raises
        ------
        ConfigurationError
            if an input is missing, unknown, of another shape, or not finite
        """
        unknown = [name for name in given if name not in inputs]
        missing = [name for name in inputs if name not in given]
        if unknown or missing:
            raise ConfigurationError(
                f"reference: the inputs are {', '.join(inputs)}; given are {', '.join(given) or 'none'}"
            )
        arrays = {}
        for name, values in inputs.items():
            one = np.asarray(given[name], np.float64)
            if one.ndim == values.ndim and len(one):
                one = one.mean(axis=0)
            if one.shape != values.shape[1:]:
                raise ConfigurationError(
                    f"reference: {name!r} has the shape {one.shape}; one event has {values.shape[1:]}"
                )
            if not np.isfinite(one).all():
                raise ConfigurationError(f"reference: {name!r} holds NaN or infinity")
            arrays[name] = one
        return cls(arrays, digest_json({name: values.tolist() for name, values in sorted(arrays.items())}))

    @property
    def is_zero(self) -> bool:
        """Whether it is the zero of the inputs, from which LRP starts anyway."""
        return not any(values.any() for values in self.arrays.values())


def starts_of(graph: Graph, reference: ReferenceEvent) -> dict[str, Start]:
    """By layer that reads inputs of the network, directly or moved, what it reads and computes at the reference.

    Inputs that meet hidden features in such a layer, such as expert variables behind a convolution, are shifted; the
    hidden features are not.

    Raises
    ------
    ModelError
        if an input is read by a layer that is neither linear, affine nor recurrent; the message names it
    """
    shift: dict[str, Array] = {}  # by node, what inputs contribute to its output at the reference, of one event
    found = {}
    for node in graph.nodes:
        if isinstance(node.layer, Input):
            shift[node.name] = reference.arrays[node.name]
            continue
        if not any(name in shift and shift[name].any() for name in node.inputs):
            continue
        parts = [shift.get(name, np.zeros(graph.by_name[name].shape)) for name in node.inputs]
        if isinstance(node.layer, Moving):
            shift[node.name] = node.layer.move(parts)
        elif isinstance(node.layer, Masking):  # padded steps get no relevance, wherever they are measured from
            shift[node.name] = parts[0]
        elif isinstance(node.layer, LinearLayer):
            found[node.name] = _start(node.layer, parts[0])
        elif isinstance(node.layer, Affine):
            found[node.name] = Start(parts[0][None], (node.layer.scale * parts[0] + node.layer.shift)[None])
        elif isinstance(node.layer, Recurrent) and not any(part.any() for part in parts[1:]):
            # the shift joins the bias of each step
            found[node.name] = Start(parts[0][None], np.zeros((1, *node.shape)))
        else:
            raise ModelError(_refused(node))
    return found


def _start(layer: LinearLayer, x: Array) -> Start:
    at = tf.constant(x[None], tf.float64)
    z: Tensor = layer.linear_map(at).apply(at, layer.kernel, layer.bias)
    return Start(x[None], z.numpy())


def _refused(node: Node) -> str:
    return (
        f"layer {node.name!r} ({node.layer.source.kind}) reads an input of the network, and LRP from a reference is "
        f"exact for dense, convolutional, affine and recurrent layers only. Remedy: {REMEDY}"
    )


def refuse_reference(graph: Graph, starts: Mapping[str, Start], rules: Mapping[str, object]) -> None:
    """Raise ConfigurationError if the rule of a layer that reads inputs has no use for a reference."""
    for name in starts:
        rule = rules[name]
        if not getattr(rule, "takes_reference", True):
            kind = graph.by_name[name].layer.source.kind
            raise ConfigurationError(
                f"layer {name!r} ({kind}): the rule {rule} does not share relevance by the values of inputs, so that a "
                "reference has no meaning for it; use epsilon, z or alpha-beta there, or the reference zero"
            )
