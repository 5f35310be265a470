"""Build the model of a configuration that another version of Keras wrote, with the layers of the Keras that runs here.

A configuration of Keras 2 is brought into the form of Keras 3 first (`xaug.networks.keras2`).

Weights follow in `xaug.networks.keras3_weights`. Initialisers, regularisers and constraints are dropped: they shape
training, and the model is for predictions and explanations.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from xaug.core.errors import ModelError
from xaug.core.types import JsonObject
from xaug.networks.keras2 import MODELS, in_form_of_keras_3, operation_of_keras_2
from xaug.networks.keras3_operations import is_operation, operation
from xaug.networks.keras_versions import OPERATIONS, is_keras_3, own_operation
from xaug.networks.mask_rules import RECURRENT

if TYPE_CHECKING:
    from keras import Model

__all__ = ["MODELS", "build_model"]

DROPPED = ("_initializer", "_regularizer", "_constraint")
"""Ends of the names of options that only shape training."""
RENAMED = {"LeakyReLU": {"negative_slope": "alpha"}}
"""Kind of layer -> name of an option in Keras 3 -> name in Keras 2."""
SINCE_2 = {"hard_sigmoid": "is another function in Keras 3 than in Keras 2", "hard_silu": "is not in Keras 2"}
"""Activations that must not be opened by their name alone."""
INDICES = ("__slice__", "slice", "__tuple__", "__ellipsis__")


def build_model(config: JsonObject, path: str, names_masks: bool = False) -> Model:
    """The model of a configuration, whose weights are not set yet.

    Parameters
    ----------
    config : dict
        `module`, `class_name` and `config` of a functional or sequential model, as the other version writes them
    path : str
        the file, for messages
    names_masks : bool
        give each layer the mask that a file of Keras 3 names by name, also where Keras 2 would make the same of the
        layers in front of it

    Raises
    ------
    ModelError
        if the model has a layer or option that does not exist here; the message names it
    """
    if not is_keras_3():
        return _Builder(path, names_masks).model(config)
    _keep_names_free(config)
    return _Builder(path, names_masks).model(in_form_of_keras_3(config))


def _keep_names_free(config: Any) -> None:
    """Let Keras 3 give no name of a file to the operations that it adds, such as those which make masks."""
    import keras

    if isinstance(config, dict):
        name = config.get("name")
        if isinstance(name, str):
            prefix, _, number = name.rpartition("_")
            prefix, number = (prefix, number) if prefix and number.isdecimal() else (name, "0")
            while keras.backend.get_uid(prefix) <= min(int(number), 10_000):
                pass
        for value in config.values():
            _keep_names_free(value)
    elif isinstance(config, list):
        for value in config:
            _keep_names_free(value)


@dataclass
class _Builder:
    """Builds models and layers of one file."""

    path: str
    names_masks: bool = False

    def refuse(self, content: JsonObject, reason: str) -> ModelError:
        """The error for a layer that cannot be built."""
        import keras

        name = content.get("config", {}).get("name") or content.get("name")
        return ModelError(
            f"{self.path}: layer {name!r} ({content.get('class_name')}) {reason}. The file was written by "
            f"Keras {2 if is_keras_3() else 3}, and this is Keras {keras.__version__}: build the layer of other layers "
            f"and save the model again, or run xaug with TensorFlow {'2.14' if is_keras_3() else '2.16 or later'}"
        )

    def model(self, content: JsonObject) -> Model:
        """A functional or sequential model."""
        kind = content.get("class_name")
        if kind not in MODELS:
            raise self.refuse(content, "is a class of its own; only functional and sequential models can be opened")
        return self.sequential(content) if kind == "Sequential" else self.functional(content)

    def sequential(self, content: JsonObject) -> Model:
        """A model of layers one after the other."""
        import keras

        config = content["config"]
        first, *more = config["layers"]
        if first["class_name"] == "InputLayer":
            layers = [self.layer(each) for each in (first, *more)]
        elif config.get("build_input_shape"):
            layers = [keras.layers.InputLayer(tuple(config["build_input_shape"][1:]))]
            layers += [self.layer(each) for each in (first, *more)]
        else:
            raise self.refuse(content, "has no shape of its input; call the model on data once and save it again")
        return keras.Sequential(layers, name=config["name"])

    def functional(self, content: JsonObject) -> Model:
        """A model of layers that a graph connects."""
        import keras

        config = content["config"]
        graph = _Graph(self, config["layers"])
        graph.run()
        inputs, outputs = (graph.tensors(config[name]) for name in ("input_layers", "output_layers"))
        return keras.Model(inputs, outputs, name=config["name"])

    def layer(self, content: JsonObject) -> Any:
        """A layer, or a model that is used as one."""
        import keras

        kind = content["class_name"]
        if kind in MODELS:
            return self.model(content)
        if kind in OPERATIONS or is_operation(content):
            config = content.get("config", {})
            own = operation_of_keras_2(config) if kind in OPERATIONS else own_operation(kind, config)
            found = own if is_keras_3() else operation(kind, config)
            if found is None:
                name = config.get("function", kind)
                of_2 = "whose tensors Keras 2 does not write into files (it can open none with that operation either)"
                reason = of_2 if name == "einsum" else "which is not translated"
                raise self.refuse(content, f"is the operation {name}, {reason}")
            return found
        known = getattr(keras.layers, kind, None)
        if known is None:
            raise self.refuse(content, "does not exist in this version")
        config = self.options(content, known)
        try:
            # attention takes its shapes from the first call, where Keras 2 asks for them in a configuration
            by_options = kind == "MultiHeadAttention" or any(isinstance(one, keras.Model) for one in config.values())
            return known(**config) if by_options else known.from_config(config)
        except (TypeError, ValueError, KeyError) as error:
            raise self.refuse(content, f"cannot be built ({str(error).strip().splitlines()[0]})") from error

    def options(self, content: JsonObject, known: type) -> JsonObject:
        """Options of a layer by their names here."""
        config = {key: value for key, value in content["config"].items() if not key.endswith(DROPPED)}
        renamed = {} if is_keras_3() else RENAMED.get(content["class_name"], {})
        config = {renamed.get(key, key): self.value(value) for key, value in config.items()}
        for value in config.values():
            if isinstance(value, str) and value in SINCE_2:
                raise self.refuse(content, f"has the activation {value!r}, which {SINCE_2[value]}")
        if content["class_name"] == "InputLayer" and not is_keras_3():
            config["batch_input_shape"] = config.pop("batch_shape", config.get("batch_input_shape"))
        allowed = _parameters(known)
        for key in set(config) - allowed:
            value = config.pop(key)
            if key != "trainable" and value not in (None, False, {}, []):
                raise self.refuse(content, f"has the option {key}={value!r}, which does not exist in this version")
        return config

    def value(self, value: Any) -> Any:
        """The value of an option: data types by name, layers inside layers by their options here, models built."""
        if isinstance(value, list):
            return [self.value(each) for each in value]
        if not isinstance(value, dict) or "class_name" not in value:
            return value
        if value["class_name"].endswith("Policy"):
            return value["config"]["name"]
        import keras

        known = getattr(keras.layers, value["class_name"], None)
        if value["class_name"] in MODELS:
            return self.model(value)
        if known is None:
            return value
        return {"module": "keras.layers", **_named(value), "config": self.options(value, known)}


def _named(content: JsonObject) -> JsonObject:
    return {"class_name": content["class_name"], "registered_name": None}


def _parameters(kind: type) -> set[str]:
    """Names of the options that a class of layers takes."""
    found = set()
    for each in kind.__mro__:
        if "__init__" in vars(each) and each.__module__.startswith("keras"):
            parameters = inspect.signature(each.__init__).parameters  # type: ignore[misc]
            found |= {name for name, one in parameters.items() if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)}
            if all(one.kind != one.VAR_KEYWORD for one in parameters.values()):
                return found - {"self"}  # nothing goes on to the classes behind
    return found - {"self"} | {"name", "trainable", "dtype", "batch_input_shape", "zero_output_for_mask"}


@dataclass
class _Graph:
    """Calls the layers of a functional model in an order in which their inputs are there."""

    builder: _Builder
    contents: list[JsonObject]
    made: dict[tuple[str, int], list[Any]] = field(default_factory=dict)
    """(layer, number of the call) -> its output tensors."""

    def run(self) -> None:
        """Call all layers."""
        layers = {each["name"]: self.builder.layer(each) for each in self.contents}
        waiting = []
        for each in self.contents:
            if each["class_name"] == "InputLayer":
                self.made[each["name"], 0] = [layers[each["name"]].output]
            else:
                waiting += [(each, number, node) for number, node in enumerate(each["inbound_nodes"])]
        while waiting:
            left = []
            for each, number, node in waiting:
                if all(source in self.made for source in _sources(node)):
                    self.made[each["name"], number] = self.call(layers[each["name"]], each, node)
                else:
                    left.append((each, number, node))
            if len(left) == len(waiting):
                raise self.builder.refuse(left[0][0], "has inputs that no layer of the file makes")
            waiting = left

    def call(self, layer: Any, content: JsonObject, node: JsonObject) -> list[Any]:
        """The output tensors of one call of a layer."""
        args = [self.filled(value) for value in node["args"]]
        if is_keras_3() and content["class_name"] in RECURRENT and args and isinstance(args[0], list):
            args, states = [args[0][0], *args[1:]], args[0][1:]  # Keras 2 writes the states behind the input
        else:
            states = []
        kwargs = {key: self.filled(value) for key, value in node["kwargs"].items() if value is not None}
        if states:
            kwargs["initial_state"] = states
        is_named = self.builder.names_masks or "mask" not in kwargs
        if not is_named and self.is_automatic(node["kwargs"]["mask"]) and _has_mask(args):
            del kwargs["mask"]  # the same mask comes with the input
        is_own = content["class_name"] in OPERATIONS or is_operation(content)
        if "training" in kwargs and not kwargs["training"]:
            del kwargs["training"]  # as in a prediction
        if not is_own and kwargs.pop("use_causal_mask", False):
            kwargs["use_causal_mask"] = True
        if content["class_name"] == "GetItem" and isinstance(args[-1], list):
            args[-1] = tuple(args[-1])  # JSON has no tuples
        if content["class_name"] == "EinsumDense" and not layer.built:
            layer.partial_output_shape = _known_sizes(layer, args[0].shape)
        try:
            found = layer(*args, **kwargs)
        except (TypeError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise self.builder.refuse(content, f"cannot be called as in the file ({reason})") from error
        return list(found) if isinstance(found, (list, tuple)) else [found]

    def is_automatic(self, mask: Any) -> bool:
        """True for a mask that a layer made of its input, as Masking does, and that the user did not pass on."""
        kinds = {each["name"]: each for each in self.contents}
        for name, _ in _sources(mask):
            own = kinds[name]
            if not is_operation(own):
                return False
            if own["class_name"] == "NotEqual":
                continue
            if own["class_name"] != "Any" or not self.is_automatic(own["inbound_nodes"]):
                return False
        return True

    def filled(self, value: Any) -> Any:
        """An argument with its tensors in place."""
        if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
            name, number, tensor = value["config"]["keras_history"]
            return self.made[name, number][tensor]
        if isinstance(value, dict) and value.get("class_name") in INDICES:
            return self.index(value)
        if isinstance(value, list):
            return [self.filled(each) for each in value]
        if isinstance(value, dict):
            return {key: self.filled(each) for key, each in value.items()}
        return value

    def index(self, value: JsonObject) -> Any:
        """Part of an index, as in `x[:, 0]`."""
        if value["class_name"] == "__ellipsis__":
            return Ellipsis
        if value["class_name"] == "__tuple__":
            items = value.get("items") or value.get("config") or []
            return tuple(self.filled(each) for each in items)
        config = value["config"]
        return slice(config["start"], config["stop"], config["step"])

    def tensors(self, names: Any) -> Any:
        """Tensors that a configuration names as `[layer, call, tensor]`, alone, in a list or in a dict."""
        if isinstance(names, dict):
            return {key: self.tensors(value) for key, value in names.items()}
        if names and isinstance(names[0], str):
            return self.made[names[0], names[1]][names[2]]
        found = [self.tensors(each) for each in names]
        return found[0] if len(found) == 1 else found


def _known_sizes(layer: Any, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """The shape that an EinsumDense was given for its output, with the sizes that its input has."""
    source, target = (layer.equation.replace(" ", "").split(mark)[i] for mark, i in ((",", 0), ("->", 1)))
    if "..." in source:
        return tuple(layer.partial_output_shape)
    sizes = dict(zip(source, shape, strict=True))
    return tuple(
        sizes.get(label) if size is None else size
        for label, size in zip(target[1:], layer.partial_output_shape, strict=True)
    )


def _has_mask(args: list[Any]) -> bool:
    return bool(args) and getattr(args[0], "_keras_mask", None) is not None


def _sources(value: Any) -> set[tuple[str, int]]:
    """Calls of layers whose outputs an argument holds."""
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            name, number, _ = value["config"]["keras_history"]
            return {(name, number)}
        return {source for each in value.values() for source in _sources(each)}
    if isinstance(value, list):
        return {source for each in value for source in _sources(each)}
    return set()
