"""Which output of which model is explained: the head is taken off, and a target chosen.

The explained output is the neuron before the softmax or sigmoid. The head is taken off a copy of the model's
configuration; the user's model is never touched.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from xaug.core.errors import ConfigurationError, ModelError, unknown_name
from xaug.core.types import Array, JsonObject
from xaug.data.records import CLASSES
from xaug.networks.keras_versions import call_of, input_names, is_graph, origin

if TYPE_CHECKING:
    import keras

__all__ = ["CLASSES", "Logits", "Target", "check_target", "described", "functional", "labels_of", "logits_of"]

HEADS = ("softmax", "sigmoid")


@dataclass(frozen=True)
class Logits:
    """A model as plain data, with linear output.

    Attributes
    ----------
    config : dict
        its architecture, as `keras.Model.to_json` says it
    weights : dict of lists of arrays
        weights of each layer, by the layer's name
    head : str
        name of the dense layer that gives the logits
    units : int
        number of logits
    input_names : list of str
        inputs in the order of the model
    activation : str
        what was taken off: "softmax" or "sigmoid"
    """

    config: JsonObject
    weights: dict[str, list[Array]]
    head: str
    units: int
    input_names: list[str]
    activation: str

    @property
    def end(self) -> str:
        """Name of the layer of the output: the head, or what was a softmax layer of its own behind it."""
        return str(self.config["config"]["output_layers"][0][0])

    def only(self, unit: int) -> Logits:
        """The same model with one of its outputs, so that it can be explained without choosing a neuron."""
        config = json.loads(json.dumps(self.config))
        _layer(config, self.head)["config"]["units"] = 1
        weights = {**self.weights, self.head: [w[..., unit : unit + 1] for w in self.weights[self.head]]}
        return Logits(config, weights, self.head, 1, self.input_names, self.activation)

    def difference(self, plus: int, minus: int) -> Logits:
        """The same model with one output, the difference of two: a dense unit of weights w_plus - w_minus.

        For two outputs this is the log-odds of the softmax, ln(p_plus / p_minus). The rules see the difference as
        one neuron. So its relevance does not change when a function common to both logits is added to them, to which
        the softmax is blind. The difference of two explanations would change under epsilon and alpha-beta; under
        LRP-z the two are the same. An exchange of the two outputs changes the sign of the relevance, except under
        alpha-beta on dense layers: a positive contribution to one output is a negative contribution to the other.
        """
        one = self.only(plus)
        taken = [w[..., minus : minus + 1].astype(np.float64) for w in self.weights[self.head]]
        return replace(
            one, weights={**one.weights, self.head: [w - v for w, v in zip(one.weights[self.head], taken, strict=True)]}
        )


def _layer(config: JsonObject, name: str) -> JsonObject:
    found: JsonObject = next(layer for layer in config["config"]["layers"] if layer["config"]["name"] == name)
    return found


def functional(model: object) -> keras.Model:
    """The model as a Keras functional model; a Sequential model is made one, with the same layers.

    Parameters
    ----------
    model : object
        what the user gave

    Returns
    -------
    keras.Model

    Raises
    ------
    ModelError
        if it is no Keras model, or was not built yet
    """
    import keras

    if not isinstance(model, keras.Model):
        raise ModelError(f"a Keras functional model is needed, not {type(model).__name__}")
    if isinstance(model, keras.Sequential) and model.built and model.inputs:
        return keras.Model(model.inputs, model.outputs, name=model.name)
    if not is_graph(model) or isinstance(model, keras.Sequential):
        raise ModelError(
            f"model {model.name!r} ({type(model).__name__}) is no functional model with known input shapes. Remedy: a "
            "trained one is made functional with its own layers: x = keras.Input(SHAPE_OF_ONE_EVENT, name='x'), and "
            "keras.Model(x, model.call(x)), or model.call(x, training=False) where its layers act otherwise in training"
        )
    return model


def logits_of(model: keras.Model) -> Logits:
    """The model without the softmax or sigmoid of its head.

    Parameters
    ----------
    model : keras.Model
        a functional model

    Returns
    -------
    Logits

    Raises
    ------
    ModelError
        if the model has several outputs, or does not end in a softmax or sigmoid over a Dense layer
    """
    if len(model.outputs) != 1:
        raise ModelError(f"model {model.name!r} has {len(model.outputs)} outputs; exactly one can be explained")
    config = json.loads(model.to_json())
    last = model.get_layer(origin(model.outputs[0]).layer.name)
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
        head = origin(call_of(model.outputs[0]).inputs[0]).layer
        if type(head).__name__ != "Dense" or head.get_config()["activation"] != "linear":
            raise ModelError(
                f"model {model.name!r}: its {activation} follows layer {head.name!r} ({type(head).__name__}); "
                "a Dense layer without activation is needed there"
            )
    weights = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    for name, arrays in weights.items():
        if not all(np.isfinite(array).all() for array in arrays):
            raise ModelError(f"model {model.name!r}: layer {name!r} has weights that are not finite; train it again")
    return Logits(config, weights, head.name, head.units, input_names(model), activation)


@dataclass(frozen=True, eq=False)
class Target:
    """The explained logit and its sign, for all events alike or event by event.

    Attributes
    ----------
    unit : int, array (n,) of int, or None
        index of the logit; None: the largest logit of each event
    sign : int, array (n,) of int, or None
        1 or -1; None: the sign of the logit of each event
    minus : int, optional
        index of the logit that is subtracted from that of `unit`, see `Logits.difference`
    is_difference : bool
        whether a difference was asked for; that of a single output has no `minus`
    """

    unit: int | Array | None
    sign: int | Array | None = 1
    minus: int | None = None
    is_difference: bool = False

    @property
    def pair(self) -> tuple[int, int]:
        """Indices of the two logits of a difference."""
        assert isinstance(self.unit, int) and self.minus is not None, "this target is no difference"
        return self.unit, self.minus

    @classmethod
    def choose(cls, target: object, units: int, classes: Sequence[str] = CLASSES, events: int | None = None) -> Target:
        """Read what the user wants to have explained.

        A single output is the last of two classes for +logit and the first for -logit, with relevance of opposite
        sign. It is their difference already: for a single output "signal-background" is the same as "signal".

        Parameters
        ----------
        target : str, int or sequence
            "predicted", a class name, an index, a difference "A-B" of two of them, or a class name or index for each
            event
        units : int
            number of outputs
        classes : sequence of str
            names of the outputs, in their order
        events : int, optional
            number of events, to be compared with the number of targets

        Returns
        -------
        Target

        Raises
        ------
        ConfigurationError
            if there is no such class or output, or not one target per event
        """
        classes = checked_classes(classes, units)
        if target is None:
            raise ConfigurationError("target is None; give a class, an index, a difference 'A-B' or 'predicted'")
        target = _by_role(target, classes)
        if isinstance(target, (list, tuple, np.ndarray)) or hasattr(target, "__array__"):
            values = np.asarray(target)
            if values.ndim:
                return cls._per_event(values, units, classes, events)
            target = values.item()
        if isinstance(target, str):
            if target == "predicted":
                return cls(None) if units > 1 else cls(0, None)
            pair = _pair(target, classes)
            if pair:
                (plus, sign), (minus, other) = (_output(name, units, classes) for name in pair)
                if (plus, sign) == (minus, other):
                    raise ConfigurationError(f"target {target!r}: a difference of one output with itself is zero")
                return cls(plus, sign, minus if units > 1 else None, True)
        return cls(*_output(target, units, classes))

    @classmethod
    def _per_event(cls, target: Array, units: int, classes: tuple[str, ...], events: int | None) -> Target:
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

    def at(self, rows: slice | Array, size: int) -> Target:
        """The target of some events; one for each event is padded to `size` events."""

        def some(values: int | Array | None) -> int | Array | None:
            return np.resize(values[rows], size) if isinstance(values, np.ndarray) else values

        return replace(self, unit=some(self.unit), sign=some(self.sign))

    def direction(self, units: int) -> Array | None:
        """Factors (units,) or (n, units); their product with the logits is explained. None: as predicted."""
        if self.unit is None or self.sign is None:
            return None
        factors: Array = np.asarray(self.sign)[..., None] * np.eye(units)[self.unit]
        return factors


def checked_classes(classes: Sequence[str], units: int) -> tuple[str, ...]:
    """Names of the classes, one for each output; two for a single output. The default ones fit any number of outputs.

    Raises
    ------
    ConfigurationError
        if they are no names, are not as many as the outputs, are empty, or are there twice
    """
    given = (classes,) if isinstance(classes, str) else tuple(classes)
    if given == CLASSES:
        return given
    wanted = (2, 1) if units == 1 else (units,)
    named = not isinstance(classes, str) and all(isinstance(name, str) and name for name in given)
    if not named or len(given) not in wanted or len(set(given)) != len(given):
        outputs = "one output, which has two classes" if units == 1 else f"{units} outputs"
        raise ConfigurationError(
            f"classes is {classes!r}; the model has {outputs}: give a list of different names, in the order of the "
            "outputs"
        )
    return given


def _by_role(target: object, classes: tuple[str, ...]) -> object:
    """The target in the user's names where it is "signal" or "background", or both, of two classes of other names."""
    if not isinstance(target, str) or len(classes) != 2 or target in classes:
        return target
    roles = dict(zip(CLASSES, classes, strict=True))
    pair = _pair(target, CLASSES)
    return "-".join(roles.get(name, name) for name in pair) if pair else roles.get(target, target)


def labels_of(target: object, classes: Sequence[str]) -> list[int]:
    """Labels of the events of the class that a target explains: of a difference "A-B", those of A.

    For the predicted class they are all classes; of two, it is the last one.
    """
    names = tuple(classes)
    chosen = _by_role(target, names)
    if chosen == "predicted":
        return [1] if len(names) == 2 else list(range(len(names)))
    pair = _pair(chosen, names) if isinstance(chosen, str) else None
    name = pair[0] if pair else chosen
    return [names.index(name) if isinstance(name, str) and name in names else int(str(name))]


def check_target(target: object, classes: tuple[str, ...]) -> None:
    """Refuse a target that names none of the classes of a run, before its model is opened.

    Raises
    ------
    ConfigurationError
        if it is a text that is neither a class, an index, a difference of two of them, nor "predicted"
    """
    chosen = _by_role(target, classes)
    named = not isinstance(chosen, str) or chosen in ("predicted", *classes) or chosen.isdecimal()
    if not named and _pair(str(chosen), classes) is None:
        raise _unknown_target(chosen, classes)


def _unknown_target(target: object, classes: tuple[str, ...]) -> ConfigurationError:
    return unknown_name("target", str(target), ("predicted", *classes, f"{classes[-1]}-{classes[0]}", "an index"))


def _output(target: object, units: int, classes: tuple[str, ...]) -> tuple[int, int]:
    """The output and its sign of one class name or index."""
    if isinstance(target, str) and target not in classes and target.isdecimal():
        target = int(target)  # from a command line
    if isinstance(target, (int, np.integer)) and not isinstance(target, bool):
        if not 0 <= target < units:
            outputs = f"outputs 0 to {units - 1}" if units > 1 else "one output, 0"
            raise ConfigurationError(f"target {target}: the model has {outputs}")
        return int(target), 1
    if target not in classes:
        raise _unknown_target(target, classes)
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
    """The two names of a difference "A-B"; None if it is no difference. Names may have hyphens of their own."""
    if target in classes:
        return None
    for i in (i for i, character in enumerate(target) if character == "-"):
        pair = target[:i], target[i + 1 :]
        if all(name in classes or name.isdecimal() for name in pair):
            return pair
    return None


def described(target: object) -> str | int:
    """The target as settings store it."""
    if isinstance(target, (str, int)):
        return target
    values = np.asarray(target)
    return "one per event" if values.ndim else int(values)
