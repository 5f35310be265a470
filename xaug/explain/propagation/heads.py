"""The head of a network: its softmax or sigmoid is taken off, so that the neuron before it is explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from xaug.explain.propagation.layers.base import KerasLayer
from xaug.explain.propagation.unroll import Call
from xaug.networks.keras_versions import OPERATIONS as KINDS

__all__ = ["HEADS", "Head", "take_off"]

HEADS = ("softmax", "sigmoid")
OPERATIONS = {
    "nn.softmax": "softmax", "keras.activations.softmax": "softmax", "math.sigmoid": "sigmoid", "nn.sigmoid": "sigmoid",
    "keras.activations.sigmoid": "sigmoid", "keras.backend.sigmoid": "sigmoid", "keras.backend.softmax": "softmax",
    "ops.softmax": "softmax", "ops.sigmoid": "sigmoid",
}  # fmt: skip
"""Operations on tensors that are such a head."""


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
    alone = _head_alone(last.layer)
    if alone == "linear" and last.layer.kind == "Activation":
        return take_off(calls, last.inputs[0])
    if alone in HEADS:
        return Head(calls, last.inputs[0], alone, end)
    activation = last.layer.config.get("activation", "linear")
    if activation in HEADS:
        bare = replace(last.layer, config={**last.layer.config, "activation": "linear"})
        return Head({**calls, end: replace(last, layer=bare)}, end, str(activation), end)
    if alone is not None or activation not in ("linear", None):
        raise last.layer.error(
            f"is the last one, with activation {alone or activation!r}; a softmax, a sigmoid or none is taken off",
            "explain the output as it is, with output='value'",
        )
    return Head(calls, end, "linear", end)


def _head_alone(layer: KerasLayer) -> str | None:
    """The activation of a layer that is nothing else; None for all other layers."""
    if layer.kind == "Softmax":
        return "softmax"
    if layer.kind == "Activation":
        return str(layer.config["activation"])
    if layer.kind in KINDS:
        return OPERATIONS.get(str(layer.config.get("function")))
    return None
