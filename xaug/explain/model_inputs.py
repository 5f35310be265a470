"""The inputs of a model by name, checked against it before anything is explained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.types import Array, Arrays
from xaug.explain.disk_arrays import blocks_of
from xaug.networks.keras_versions import input_names, inputs_by_key

if TYPE_CHECKING:
    import keras

__all__ = ["named_inputs", "named_values"]


def named_inputs(model: keras.Model, x: object, dtype: str = "float32") -> Arrays:
    """The model's inputs by name, checked.

    Parameters
    ----------
    model : keras.Model
        the model that takes them
    x : dict, list or array
        arrays (n, ...) by input name, a list of them in the model's order, or one array
    dtype : str
        type of the arrays that are returned

    Returns
    -------
    dict of arrays (n, ...)

    Raises
    ------
    ConfigurationError
        if an input is missing, unknown or given twice, is no array of numbers, has another shape, or holds NaN or
        infinities
    """
    names = input_names(model)
    given = named_values(model, x)
    missing = [name for name in names if name not in given]
    if missing:
        known = ", ".join(map(str, given)) or "none"
        raise ConfigurationError(f"input {missing[0]!r} is missing; the model takes {', '.join(names)}, given: {known}")
    from tensorflow import as_dtype

    arrays: Arrays = {}
    for tensor, name in zip(model.inputs, names, strict=True):
        wanted = tuple(tensor.shape[1:])
        own = np.dtype(as_dtype(tensor.dtype).as_numpy_dtype)
        kind: Any = own if own.kind in "iub" else dtype
        try:
            arrays[name] = _checked(name, given[name], wanted, kind)
        except ConfigurationError as error:
            hint = "" if _fits(_shape(given[name])[1:], wanted) else _crossed(name, wanted, given)
            raise ConfigurationError(f"{error}{hint}") from None
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) != 1:
        raise ConfigurationError(f"inputs have different numbers of events: {lengths}")
    return arrays


def _input_keys(model: keras.Model) -> dict[str, str]:
    """By key of a model that takes a dict, the name of the input; keys and names may differ."""
    by_id = {id(tensor): name for name, tensor in zip(input_names(model), model.inputs, strict=True)}
    return {key: by_id[id(tensor)] for key, tensor in inputs_by_key(model).items() if id(tensor) in by_id}


def named_values(model: keras.Model, x: object) -> dict[str, Any]:
    """The values that were given for each input, by its name; some inputs may be missing.

    Parameters
    ----------
    model : keras.Model
        the model that takes them
    x : dict, list or array
        values by input name or by the model's own key, a list of them in the model's order, or one array

    Returns
    -------
    dict

    Raises
    ------
    ConfigurationError
        if an input is unknown or given twice, or a list has another length
    """
    names = input_names(model)
    if not isinstance(x, Mapping):
        values = list(x) if isinstance(x, (list, tuple)) else [x]
        if len(values) != len(names):
            raise ConfigurationError(
                f"{len(values)} input arrays given; the model takes {len(names)}: {', '.join(names)}"
            )
        return dict(zip(names, values, strict=True))
    keys, given = _input_keys(model), {}
    for key, value in x.items():
        name = key if key in names else keys.get(key)
        if name is None:
            raise unknown_name("input", str(key), names)
        if name in given:
            raise ConfigurationError(f"input {name!r} is given twice, by its name and by its key in the model")
        given[name] = value
    return given


def _crossed(name: str, wanted: tuple[int | None, ...], given: Mapping[str, Any]) -> str:
    """A hint at another input whose array has the shape that this one needs."""
    fitting = [other for other, values in given.items() if other != name and _fits(_shape(values)[1:], wanted)]
    return f". The array given for {fitting[0]!r} has that shape: are the two exchanged?" if fitting else ""


def _shape(values: Any) -> tuple[int, ...]:
    """The shape of what was given for an input; () for lists of different lengths."""
    try:
        return np.shape(values)
    except ValueError:
        return ()


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(shape) == len(wanted) and all(w in (None, s) for w, s in zip(wanted, shape, strict=True))


def _checked(name: str, values: Any, wanted: tuple[int | None, ...], dtype: Any) -> Array:
    """The array of one input, of the wanted shape (without the event axis) and type, with finite numbers only."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.getmaskarray(values).any():  # type: ignore[no-untyped-call]
        raise ConfigurationError(f"input {name!r} is a masked array; fill it, or leave masked events out")
    try:
        array: Array = np.asarray(values)
        if array.dtype.kind in "cMm":
            raise TypeError(f"they are of type {array.dtype}")
        with np.errstate(invalid="ignore", over="ignore"):
            numbers = np.asarray(array, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"input {name!r} is no array of numbers of one shape: {error}") from None
    if numbers.ndim != len(wanted) + 1 or not _fits(numbers.shape[1:], wanted):
        axes = ", ".join("any" if w is None else str(w) for w in wanted)
        raise ConfigurationError(f"input {name!r} has shape {numbers.shape}; the model takes (n events, {axes})")
    floating = array if numbers.dtype.kind in "iub" and array.dtype.kind == "f" else numbers
    bad = np.zeros(len(numbers), bool)
    for rows in blocks_of(len(numbers)) if floating.dtype.kind == "f" and numbers.size else ():
        bad[rows] = ~np.isfinite(floating[rows]).reshape(len(bad[rows]), -1).all(axis=1)
    if bad.any():
        raise ConfigurationError(
            f"input {name!r} is not finite in {bad.sum()} of {len(numbers)} events, the first of them event "
            f"{np.flatnonzero(bad)[0]}"
        )
    if floating is not numbers and not np.array_equal(floating, numbers):
        raise ConfigurationError(f"input {name!r} takes whole numbers ({numbers.dtype}), and some given ones are not")
    return numbers
