"""What is changed on a model before it is explained: the softmax or sigmoid of its head is taken off.

The explained output is the neuron before it. This is done on a copy of the model's configuration; the
user's model is never touched.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from xaug.errors import ConfigurationError, ModelError, unknown_name

__all__ = ["CLASSES", "Logits", "Target", "logits_of", "named_inputs"]

CLASSES = ("background", "signal")
HEADS = ("softmax", "sigmoid")


@dataclass(frozen=True)
class Logits:
    """A model as plain data, with linear output: its architecture, and the weights of each layer."""

    config: dict  # of keras.Model.to_json
    weights: dict[str, list[np.ndarray]]  # layer name -> arrays
    head: str  # name of the dense layer that gives the logits
    units: int
    input_names: list[str]
    activation: str  # what was taken off: softmax or sigmoid

    def only(self, unit: int) -> Logits:
        """The same with one output, so that it can be explained without choosing a neuron."""
        config = json.loads(json.dumps(self.config))
        _layer(config, self.head)["config"]["units"] = 1
        weights = {**self.weights, self.head: [w[..., unit : unit + 1] for w in self.weights[self.head]]}
        return Logits(config, weights, self.head, 1, self.input_names, self.activation)


def _layer(config: dict, name: str) -> dict:
    return next(layer for layer in config["config"]["layers"] if layer["config"]["name"] == name)


def logits_of(model) -> Logits:
    """The model without the softmax or sigmoid of its head.

    Raises
    ------
    ModelError
        if the model has several outputs, or does not end in a softmax or sigmoid over a Dense layer
    """
    if len(model.outputs) != 1:
        raise ModelError(f"model {model.name!r} has {len(model.outputs)} outputs; exactly one can be explained")
    config = json.loads(model.to_json())
    last = model.get_layer(model.outputs[0]._keras_history.layer.name)
    head = last
    layer = _layer(config, last.name)
    if type(last).__name__ == "Softmax":
        layer["class_name"], layer["config"] = "Activation", {"name": last.name, "activation": "linear"}
        layer["registered_name"] = None
        activation = "softmax"
    else:
        activation = layer["config"].get("activation")
    if activation not in HEADS:
        raise ModelError(
            f"model {model.name!r} ends in layer {last.name!r} ({type(last).__name__}, activation {activation!r}), "
            "not in a softmax or sigmoid. If it gives logits, append keras.layers.Softmax() (two outputs) or "
            "keras.layers.Activation('sigmoid') (one): xaug takes it off again"
        )
    layer["config"]["activation"] = "linear"
    if type(last).__name__ != "Dense":
        head = last.input._keras_history.layer
        if type(head).__name__ != "Dense" or head.get_config()["activation"] != "linear":
            raise ModelError(
                f"model {model.name!r}: its {activation} follows layer {head.name!r} ({type(head).__name__}); "
                "a Dense layer without activation is needed there"
            )
    weights = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    for name, arrays in weights.items():
        if not all(np.isfinite(array).all() for array in arrays):
            raise ModelError(f"model {model.name!r}: layer {name!r} has weights that are not finite; train it again")
    return Logits(config, weights, head.name, head.units, list(model.input_names), activation)


@dataclass(frozen=True)
class Target:
    """What is explained: the unit of the logits (None: the largest of each event) and its sign."""

    unit: int | None
    sign: int | None = 1  # None: the sign of the logit of each event

    @classmethod
    def choose(cls, target: str | int, units: int) -> Target:
        """From "predicted", "signal", "background" or an index.

        A single output is signal for +logit and background for -logit.
        """
        if isinstance(target, (int, np.integer)) and not isinstance(target, bool):
            if not 0 <= target < units:
                raise ConfigurationError(f"target {target}: the model has outputs 0 to {units - 1}")
            return cls(int(target))
        known = ("predicted", *CLASSES)
        if target not in known:
            raise unknown_name("target", str(target), known)
        if target == "predicted":
            return cls(None) if units > 1 else cls(0, None)
        if units > 2:
            raise ConfigurationError(f"target {target!r}: the model has {units} outputs; name one by its index")
        label = CLASSES.index(target)
        return cls(label) if units == 2 else cls(0, 1 if label else -1)


def named_inputs(model, x) -> dict[str, np.ndarray]:
    """The model's inputs by name, checked: a dict, a list in the model's order, or one array.

    Raises
    ------
    ConfigurationError
        if an input is missing, has another shape, or holds NaN or infinities
    """
    names = list(model.input_names)
    if isinstance(x, np.ndarray):
        x = [x]
    if not isinstance(x, dict):
        if len(x) != len(names):
            raise ConfigurationError(f"{len(x)} input arrays given; the model takes {len(names)}: {', '.join(names)}")
        x = dict(zip(names, x, strict=True))
    missing = [name for name in names if name not in x]
    if missing:
        raise ConfigurationError(f"input {missing[0]!r} is missing; the model takes {', '.join(names)}")
    arrays = {name: np.asarray(x[name], dtype=np.float32) for name in names}
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) != 1:
        raise ConfigurationError(f"inputs have different numbers of events: {lengths}")
    for tensor, (name, array) in zip(model.inputs, arrays.items(), strict=True):
        wanted = tuple(tensor.shape[1:])
        if array.ndim != len(wanted) + 1 or any(
            w is not None and w != s for w, s in zip(wanted, array.shape[1:], strict=True)
        ):
            raise ConfigurationError(f"input {name!r} has shape {array.shape[1:]} per event; the model takes {wanted}")
        bad = ~np.isfinite(array.reshape(len(array), -1)).all(axis=1) if len(array) else np.zeros(0, bool)
        if bad.any():
            raise ConfigurationError(f"input {name!r} is not finite in event {int(np.flatnonzero(bad)[0])}")
    return arrays
