"""Set the weights of a model from an HDF5 file of another version of Keras; every array must find its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from xaug.core.errors import ModelError
from xaug.core.types import Array, JsonObject
from xaug.networks.keras2 import MODELS
from xaug.networks.keras3_operations import is_operation
from xaug.networks.keras_versions import OPERATIONS, own_weights

if TYPE_CHECKING:
    import h5py
    from keras import Model

__all__ = ["LAYERS", "assign_layers", "assign_legacy"]

LAYERS = ("layers", "_layer_checkpoint_dependencies")
"""Groups with the layers of a model: since Keras 2.15 and the package tf_keras, and in Keras 2 before."""
STATE = "seed_generator"
"""Group with the state of random numbers, which predictions do not use."""


def assign_layers(model: Model, config: JsonObject, file: h5py.Group, path: str) -> None:
    """Set the weights of a model from the file `model.weights.h5` of a `.keras` archive.

    Groups are named by the kinds of layers, in the order of the configuration: `dense`, `dense_1`, ...

    Raises
    ------
    ModelError
        if weights are missing, or do not fit
    """
    used: dict[str, int] = {}
    contents = config["config"]["layers"]
    for content in contents:
        if content["class_name"] in OPERATIONS or is_operation(content):
            continue
        kind = _snake_case(content["class_name"])
        used[kind] = used.get(kind, -1) + 1
        name = f"{kind}_{used[kind]}" if used[kind] else kind
        if content["class_name"] == "InputLayer":
            continue
        layer = _layer(model, content)
        names = [f"{where}/{called}" for where in LAYERS for called in (name, content["config"].get("name"))]
        group = next((file[own] for own in names if own in file), None)
        if content["class_name"] in MODELS:
            if group is None:
                raise _lacking(path, layer)
            assign_layers(layer, content, group, path)
        elif layer.weights:
            if group is None:
                raise _lacking(path, layer)
            inner = content["config"].get("layer")
            if isinstance(inner, dict) and inner["class_name"] in MODELS:  # as in TimeDistributed
                assign_layers(layer.layer, inner, group["layer"], path)
            else:
                _assign(layer, group, path)


def assign_legacy(model: Model, file: h5py.Group, path: str) -> None:
    """Set the weights of a model from a whole HDF5 file, whose groups are named as its layers."""
    for layer in model.layers:
        arrays = []
        if layer.name in file:
            group = file[layer.name]
            names = [name.decode() if isinstance(name, bytes) else name for name in group.attrs["weight_names"]]
            arrays = [group[name][()] for name in names if STATE not in name]
        _set(layer, list(layer.trainable_weights) + list(layer.non_trainable_weights), arrays, path)
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()


def _layer(model: Model, content: JsonObject) -> Any:
    return model.get_layer(content.get("name") or content["config"]["name"])


def _assign(layer: Any, group: h5py.Group, path: str) -> None:
    """Set the weights of a layer, which may have layers inside, and refuse what is left over."""
    done: set[int] = set()
    for target, arrays in _pairs(layer, group, path):
        own = [weight for weight in own_weights(target) if id(weight) not in done]
        _set(target, own, arrays, path)
        done |= {id(weight) for weight in own}
    if any(id(weight) not in done for weight in layer.weights):
        raise _lacking(path, layer)
    if hasattr(layer, "finalize_state"):
        layer.finalize_state()


def _pairs(layer: Any, group: h5py.Group, path: str) -> Iterator[tuple[Any, list[Array]]]:
    """Layers inside a layer, and itself, with the arrays that belong to them."""
    stored = group.get("vars", {})
    arrays = [stored[str(i)][()] for i in range(len(stored))]
    if arrays:
        yield layer, arrays
    for name in group:
        if name == "vars" or STATE in name or not _holds_arrays(group[name]):
            continue
        inside = getattr(layer, name, None) or getattr(layer, f"_{name}", None)
        if inside is None:
            raise ModelError(f"{path}: layer {layer.name!r} has weights of a part {name!r}, which does not exist here")
        if not isinstance(inside, (list, tuple)):
            yield from _pairs(inside, group[name], path)
            continue
        kinds = [_snake_case(type(each).__name__) for each in inside]  # as the cells of a recurrent layer
        for i, each in enumerate(inside):
            count = kinds[:i].count(kinds[i])
            yield from _pairs(each, group[name][f"{kinds[i]}_{count}" if count else kinds[i]], path)


def _holds_arrays(group: h5py.Group) -> bool:
    found: list[str] = []
    group.visititems(lambda name, item: found.append(name) if hasattr(item, "shape") and STATE not in name else None)
    return bool(found)


def _set(layer: Any, weights: list[Any], arrays: list[Array], path: str) -> None:
    shapes, stored = ([tuple(each.shape) for each in group] for group in (weights, arrays))
    if shapes != stored:
        raise ModelError(
            f"{path}: layer {layer.name!r} ({type(layer).__name__}) has weights of shapes {shapes} here, and the file "
            f"has {stored}; save the model again, or open it with the version of Keras that wrote it"
        )
    for weight, array in zip(weights, arrays, strict=True):
        weight.assign(np.asarray(array))


def _lacking(path: str, layer: Any) -> ModelError:
    return ModelError(f"{path}: the weights of layer {layer.name!r} ({type(layer).__name__}) are not in the file")


def _snake_case(name: str) -> str:
    """The name of a class as Keras writes it in files: `GlobalAveragePooling1D` is `global_average_pooling1d`."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
