"""The head of a network: its softmax or sigmoid is taken off, so that the neuron before it is explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from xaug.explain.propagation.layers.activation import HEADS, head_of
from xaug.explain.propagation.layers.base import KerasLayer
from xaug.explain.propagation.layers.operation import Share
from xaug.explain.propagation.layers.tensor_operations import operation_name, share_of
from xaug.explain.propagation.unroll import Call
from xaug.networks.keras_versions import OPERATIONS as KINDS

__all__ = ["COMBINING", "HEADS", "Head", "hands_on", "hidden_head", "take_off"]

MASKED = ("WithoutMask", "WithMask", "MaskOf")
"""Kinds of xaug's own that hand on their first input, and say which mask it has."""
IDLE = (
    "Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "GaussianDropout", "GaussianNoise",
    "AlphaDropout", "ActivityRegularization", "Identity", "identity", "ops.copy", "cast", "ops.cast",
    *MASKED,
)  # fmt: skip
"""Layers and operations that change nothing at inference, or only the precision."""
RESHAPES = ("Reshape", "Flatten", "reshape", "squeeze", "expand_dims", "ops.reshape", "ops.squeeze", "ops.expand_dims")
"""Layers and operations that keep the numbers of an event in their order."""


def hands_on(kind: str, function: object, before: Sequence[int | None], after: Sequence[int | None]) -> bool:
    """Whether a call hands on the numbers of an event, so that what stands before it may be the head.

    Parameters
    ----------
    kind : str
        of the layer
    function : object
        of an activation or operation its name, without where TensorFlow and Keras keep it
    before, after : sequences of int or None
        shapes of its input and output, without the event axis
    """
    name = str(function) if kind in KINDS else kind
    if name in IDLE or (kind == "Activation" and function == "linear"):
        return True
    sizes = [[size for size in shape if size != 1] for shape in (before, after)]
    return name in RESHAPES and sizes[0] == sizes[1] and len(sizes[0]) < 2 and None not in sizes[0]


POSITIVE = (*HEADS, "exponential", "exp", "math.exp", "ops.exp", "hard_sigmoid")
"""Functions whose results are probabilities, or become some by a division."""
STATISTICS = ("BatchNormalization", "Normalization")
"""Layers whose weights say nothing about classes."""
COMBINING = (Share.MOVED, Share.LINEAR, Share.PRODUCT, Share.NUMERATOR)
"""Operations that make numbers of probabilities of probabilities: slices, sums, products, quotients."""


def hidden_head(calls: Mapping[str, Call], end: str) -> str | None:
    """The softmax or sigmoid whose probabilities an output is made of, as the average of networks is; None without one.

    What trained layers, functions such as a logarithm, or products with such a signal make of probabilities is none.

    Parameters
    ----------
    calls : mapping of Call
        by name
    end : str
        name of the call that gives the output

    Returns
    -------
    str or None
        name of a call
    """
    found: dict[str, tuple[bool, str | None]] = {}

    def source(name: str) -> tuple[bool, str | None]:
        """Whether an output is a signal, and the head that it is made of."""
        if name not in found:
            layer, inputs = calls[name].layer, calls[name].inputs
            function = _head_alone(layer) or layer.config.get("activation") or "linear"
            positive = _function(layer) in POSITIVE or head_of(function) in POSITIVE or function in POSITIVE
            ends = function != "linear" or (layer.weights and layer.kind not in STATISTICS)
            if layer.kind in KINDS and share_of(str(_function(layer))) not in COMBINING:
                ends = True
            if not inputs or positive or ends:
                found[name] = bool(inputs) and not positive, name if positive else None
            else:
                every = [source(one) for one in (inputs[:1] if layer.kind in (*MASKED, "EventsToSteps") else inputs)]
                found[name] = any(one[0] for one in every), next((one[1] for one in every if one[1]), None)
        return found[name]

    is_signal, head = source(end)
    return None if is_signal else head


@dataclass(frozen=True, eq=False)
class Head:
    """Calls without the head.

    Attributes
    ----------
    calls : mapping of Call
        by name
    end : str
        name of the call that gives the logits
    kind : str
        what was taken off: "softmax", "sigmoid", or "linear" for nothing
    owner : str
        name of the call that the head belonged to
    """

    calls: Mapping[str, Call]
    end: str
    kind: str
    owner: str


def take_off(calls: Mapping[str, Call], end: str) -> Head:
    """The calls without the softmax or sigmoid of the last one.

    Raises
    ------
    ModelError
        if the last activation is another one: there is no neuron before it that everyone would call the output
    """
    last = calls[end]
    layer, name = last.layer, _function(last.layer)
    if (len(last.inputs) == 1 or layer.kind in MASKED) and hands_on(
        layer.kind, name, calls[last.inputs[0]].layer.shape, layer.shape
    ):
        inside = take_off(calls, last.inputs[0])
        return inside if inside.kind in HEADS else Head(calls, end, "linear", end)
    alone = _head_alone(layer)
    if alone in HEADS:
        return Head(calls, last.inputs[0], str(alone), end)
    activation = layer.config.get("activation", "linear")
    if head_of(activation) is not None and alone is None:
        bare = replace(layer, config={**layer.config, "activation": "linear"})
        return Head({**calls, end: replace(last, layer=bare)}, end, str(head_of(activation)), end)
    if alone is not None or activation not in ("linear", None):
        raise layer.error(
            f"is the last one, with activation {alone or activation!r}; a softmax, a sigmoid or none is taken off",
            "explain the output as it is, with output='value'",
        )
    return Head(calls, end, "linear", end)


def _function(layer: KerasLayer) -> object:
    """Name of the function of an operation or activation."""
    return operation_name(layer.config) if layer.kind in KINDS else layer.config.get("activation")


def _head_alone(layer: KerasLayer) -> str | None:
    """The activation of a layer that is nothing else; None for all other layers."""
    if layer.kind == "Softmax":
        return "softmax"
    if layer.kind == "Activation":
        return head_of(layer.config["activation"]) or str(layer.config["activation"])
    return head_of(_function(layer)) if layer.kind in KINDS else None
