"""What is changed on a model before it is explained: the softmax or sigmoid of its head is taken off.

The explained output is the neuron before it. This is done on a copy of the model's configuration; the
user's model is never touched.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from xaug.core.errors import ConfigurationError, ModelError, unknown_name

__all__ = ["CLASSES", "Logits", "Target", "functional", "logits_of", "named_inputs"]

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

    @property
    def end(self) -> str:
        """Name of the layer of the output: the head, or what was a softmax layer of its own behind it."""
        return self.config["config"]["output_layers"][0][0]

    def only(self, unit: int) -> Logits:
        """The same with one output, so that it can be explained without choosing a neuron."""
        config = json.loads(json.dumps(self.config))
        _layer(config, self.head)["config"]["units"] = 1
        weights = {**self.weights, self.head: [w[..., unit : unit + 1] for w in self.weights[self.head]]}
        return Logits(config, weights, self.head, 1, self.input_names, self.activation)

    def difference(self, plus: int, minus: int) -> Logits:
        """The same with one output, the difference of two: a dense unit of weights w_plus - w_minus.

        For two outputs this is the log-odds of the softmax, ln(p_plus / p_minus). The rules see the difference as
        one neuron. So its relevance does not change when a function common to both logits is added to them,
        to which the softmax is blind; the difference of two explanations would change under epsilon and alpha-beta
        (under LRP-z the two are the same). Exchanging the two changes the sign of the relevance, but for alpha-beta
        on dense layers: what is a positive contribution to one is a negative one to the other.
        """
        one = self.only(plus)
        taken = [w[..., minus : minus + 1].astype(np.float64) for w in self.weights[self.head]]
        return replace(
            one, weights={**one.weights, self.head: [w - v for w, v in zip(one.weights[self.head], taken, strict=True)]}
        )


def _layer(config: dict, name: str) -> dict:
    return next(layer for layer in config["config"]["layers"] if layer["config"]["name"] == name)


def functional(model):
    """The model as a Keras functional one; a Sequential is made one, with the same layers.

    Raises
    ------
    ModelError
        if it is another thing, or was not built yet
    """
    import keras

    if not isinstance(model, keras.Model):
        raise ModelError(f"a Keras functional model is needed, not {type(model).__name__}")
    if isinstance(model, keras.Sequential) and model.built and model.inputs:
        return keras.Model(model.inputs, model.outputs, name=model.name)
    if not getattr(model, "_is_graph_network", False) or isinstance(model, keras.Sequential):
        raise ModelError(
            f"model {model.name!r} ({type(model).__name__}) is no functional model with known input shapes; build it "
            "as keras.Model(inputs, outputs), from keras.Input(...) on"
        )
    return model


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


@dataclass(frozen=True, eq=False)
class Target:
    """What is explained of the logits: one of them and its sign, for all events alike or event by event.

    Attributes
    ----------
    unit : int, (n,) integers, or None
        None: the largest logit of each event
    sign : int, (n,) integers, or None
        None: the sign of the logit of each event
    minus : int, optional
        the logit that is taken away from `unit`, see `Logits.difference`
    """

    unit: int | np.ndarray | None
    sign: int | np.ndarray | None = 1
    minus: int | None = None

    @classmethod
    def choose(cls, target, units: int, classes: Sequence[str] = CLASSES, events: int | None = None) -> Target:
        """From "predicted", a class name, an index, a difference "A-B" of two of them, or one of them per event.

        A single output is the last of two classes for +logit and the first for -logit, with relevance of opposite
        sign. It is their difference already: of a single output "signal-background" is the same as "signal".

        Raises
        ------
        ConfigurationError
            if there is no such class or output, or not one target per event
        """
        classes = tuple(classes)
        if isinstance(target, (list, tuple, np.ndarray)) or hasattr(target, "__array__"):
            if np.ndim(target):
                return cls._per_event(np.asarray(target), units, classes, events)
            target = np.asarray(target).item()
        if isinstance(target, str):
            if target == "predicted":
                return cls(None) if units > 1 else cls(0, None)
            pair = _pair(target, classes)
            if pair:
                (plus, sign), (minus, other) = (_output(name, units, classes) for name in pair)
                if (plus, sign) == (minus, other):
                    raise ConfigurationError(f"target {target!r}: a difference of one output with itself is zero")
                return cls(plus, sign, minus if units > 1 else None)
        return cls(*_output(target, units, classes))

    @classmethod
    def _per_event(cls, target: np.ndarray, units: int, classes: tuple[str, ...], events: int | None) -> Target:
        unfit = target.size and target.dtype.kind not in "iuUO"
        if target.ndim != 1 or unfit or (events is not None and len(target) != events):
            raise ConfigurationError(
                f"target is an array of {target.dtype} of shape {target.shape}: one class name or index per event is "
                f"needed, shape ({'n' if events is None else events},)"
            )
        target = target.astype(str) if target.dtype.kind == "O" else target  # strings of pandas
        kinds, which = np.unique(target, return_inverse=True)
        found = np.array([_output(kind, units, classes) for kind in kinds.tolist()], int).reshape(-1, 2)
        return cls(found[which, 0], found[which, 1])

    def direction(self, units: int) -> np.ndarray | None:
        """Factors (units,) or (n, units) whose product with the logits is explained; None: as predicted."""
        if self.unit is None or self.sign is None:
            return None
        return np.asarray(self.sign)[..., None] * np.eye(units)[self.unit]


def _output(target, units: int, classes: tuple[str, ...]) -> tuple[int, int]:
    """The output and its sign of one class name or index."""
    if isinstance(target, str) and target not in classes and target.isdecimal():
        target = int(target)  # from a command line
    if isinstance(target, (int, np.integer)) and not isinstance(target, bool):
        if not 0 <= target < units:
            outputs = f"outputs 0 to {units - 1}" if units > 1 else "one output, 0"
            raise ConfigurationError(f"target {target}: the model has {outputs}")
        return int(target), 1
    if target not in classes:
        known = ("predicted", *classes, f"{classes[-1]}-{classes[0]}", "an index")
        raise unknown_name("target", str(target), known)
    label = classes.index(target)
    if units == 1 and len(classes) == 2:
        return 0, 1 if label else -1
    if units != len(classes):
        raise ConfigurationError(
            f"target {target!r}: the model has {units} outputs, and the classes are {', '.join(classes)}; "
            f"give the names of all outputs in their order, classes=(...), or an index"
        )
    return label, 1


def _pair(target: str, classes: tuple[str, ...]) -> tuple[str, str] | None:
    """The two names of a difference "A-B"; None if it is none. Names may have hyphens of their own."""
    if target in classes:
        return None
    for i in (i for i, character in enumerate(target) if character == "-"):
        pair = target[:i], target[i + 1 :]
        if all(name in classes or name.isdecimal() for name in pair):
            return pair
    return None


def named_inputs(model, x, dtype: str = "float32") -> dict[str, np.ndarray]:
    """The model's inputs by name, checked: a dict, a list in the model's order, or one array.

    Raises
    ------
    ConfigurationError
        if an input is missing, is no array of numbers, has another shape, or holds NaN or infinities
    """
    names = list(model.input_names)
    if not isinstance(x, dict):
        x = list(x) if isinstance(x, (list, tuple)) else [x]
        if len(x) != len(names):
            raise ConfigurationError(f"{len(x)} input arrays given; the model takes {len(names)}: {', '.join(names)}")
        x = dict(zip(names, x, strict=True))
    missing = [name for name in names if name not in x]
    if missing:
        given = ", ".join(map(str, x)) or "none"
        raise ConfigurationError(f"input {missing[0]!r} is missing; the model takes {', '.join(names)}, given: {given}")
    arrays = {}
    for tensor, name in zip(model.inputs, names, strict=True):
        wanted = tuple(tensor.shape[1:])
        try:
            array = arrays[name] = np.asarray(x[name], dtype=dtype)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"input {name!r} is no array of numbers of one shape: {error}") from None
        if array.ndim != len(wanted) + 1 or any(
            w is not None and w != s for w, s in zip(wanted, array.shape[1:], strict=True)
        ):
            axes = ", ".join("any" if w is None else str(w) for w in wanted)
            raise ConfigurationError(f"input {name!r} has shape {array.shape}; the model takes (n events, {axes})")
        bad = ~np.isfinite(array.reshape(len(array), -1)).all(axis=1) if array.size else np.zeros(0, bool)
        if bad.any():
            raise ConfigurationError(
                f"input {name!r} is not finite in {bad.sum()} of {len(array)} events, the first of them event "
                f"{np.flatnonzero(bad)[0]}"
            )
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) != 1:
        raise ConfigurationError(f"inputs have different numbers of events: {lengths}")
    return arrays
