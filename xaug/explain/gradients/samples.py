"""Samples of baselines as arrays, checked against the model and the inputs that they are compared with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from xaug.core.errors import ConfigurationError
from xaug.core.types import Array, ArrayLike, Arrays, JsonObject
from xaug.explain.model_inputs import named_inputs, named_values
from xaug.networks.keras_versions import input_names

if TYPE_CHECKING:
    import keras

__all__ = [
    "Baseline", "BaselineLike", "Sample", "Shapes", "check_weights", "input_shapes", "sample_of", "with_event_axis",
]  # fmt: skip

FAR = 10.0
"""A baseline that lies so far outside the range of a column is taken for unscaled: in units of the largest absolute
value of that column, or of 1."""
Shapes = dict[str, tuple[int, ...]]
"""By input name, the shape of the input of one event."""


@dataclass(frozen=True, init=False)
class Sample:
    """Baselines as arrays, and how much each of them counts.

    Parameters
    ----------
    arrays : dict of arrays
        scaled inputs by input name, each (baselines, ...)
    weights : (baselines,) array, optional
        weights, not negative; default: equal ones
    process : (baselines,) array of str, optional
        process of each baseline: the bootstrap draws baselines anew within each process
    provenance : dict, optional
        how the sample was made, for manifests

    Attributes
    ----------
    arrays, process
        as given
    weights : (baselines,) float64 array
        the weights, divided by their sum
    provenance : dict
        as given, with the number of baselines (`events`) and a `digest` of the arrays

    Raises
    ------
    ConfigurationError
        if there are no baselines, or the weights are negative, not finite, or all zero
    """

    arrays: Arrays
    weights: Array
    process: Array | None
    provenance: JsonObject = field(repr=False)

    def __init__(
        self,
        arrays: Arrays,
        weights: ArrayLike | None = None,
        process: Array | None = None,
        provenance: JsonObject | None = None,
    ):
        n = len(next(iter(arrays.values()))) if arrays else 0
        if n == 0:
            raise ConfigurationError("the baseline has no events; give at least one")
        given = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
        if given.shape != (n,):
            raise ConfigurationError(
                f"baseline: weights of shape {given.shape} for {n} events; give one for each event"
            )
        check_weights(given, "baseline: weight of event")
        digest = hashlib.blake2b(digest_size=16)
        for name, values in sorted(arrays.items()):
            digest.update(name.encode() + np.ascontiguousarray(values, np.float32).tobytes())
        known = {"kind": "given", **(provenance or {}), "events": n, "digest": digest.hexdigest()}
        object.__setattr__(self, "arrays", arrays)
        object.__setattr__(self, "weights", given / given.sum())
        object.__setattr__(self, "process", process)
        object.__setattr__(self, "provenance", known)

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def effective(self) -> float:
        """Effective number of baselines, (sum of weights)^2 / (sum of squared weights)."""
        return float(1.0 / np.sum(self.weights**2))


@runtime_checkable
class Baseline(Protocol):
    """An object that can make a sample of baselines for a model."""

    def sample(self, shapes: Shapes) -> Sample:
        """Make the sample.

        Parameters
        ----------
        shapes : dict of tuple
            shapes of the model's inputs by name, without the event axis

        Returns
        -------
        Sample
        """
        ...


BaselineLike = Baseline | Sample | Mapping[str, Array] | Sequence[Array] | Array
"""All that functions take for a baseline; a mapping holds scaled arrays by input name, of one event or of several, a
sequence holds them in the model's order, and an array is that of the one input."""


def check_weights(weights: Array, name: str) -> None:
    """Refuse weights of baselines that are negative, not finite, or all zero; messages call them by `name`."""
    bad = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(bad):
        raise ConfigurationError(
            f"{name} {bad[0]} is {weights[bad[0]]}: weights of baselines must be finite and not negative"
        )
    if not weights.sum():
        raise ConfigurationError(f"{name} 0 and all others are 0: at least one weight must be positive")


def input_shapes(model: keras.Model, known: Shapes | None = None) -> Shapes:
    """Shapes of a model's inputs by name, without the event axis; those of open length as they are `known`."""
    shapes = {name: tuple(tensor.shape[1:]) for name, tensor in zip(input_names(model), model.inputs, strict=True)}
    return {name: (known or {}).get(name, shape) if None in shape else shape for name, shape in shapes.items()}


def with_event_axis(arrays: Mapping[str, Array], shapes: Shapes) -> Arrays:
    """Arrays of one event or of several, all with an event axis."""
    found = {name: np.asarray(values) for name, values in arrays.items()}
    return {name: v[None] if name in shapes and v.shape == shapes[name] else v for name, v in found.items()}


def sample_of(
    baseline: BaselineLike,
    model: keras.Model,
    inputs: Arrays,
    variables: Mapping[str, Sequence[str]] | None = None,
    frozen: Sequence[str] = (),
    known: Shapes | None = None,
) -> Sample:
    """Make a sample of a baseline that fits the model and, in scale, its inputs.

    Parameters
    ----------
    baseline : Baseline, Sample, dict or list of arrays, or array
        the baseline
    model : keras.Model
        functional model
    inputs : dict of arrays
        scaled inputs by input name, each (n, ...), with which the range of the baseline is compared
    variables : dict of list of str, optional
        names of the columns of each input, for messages
    frozen : sequence of str, optional
        inputs that do not move from the baseline to the event, which the baseline may lack
    known : dict, optional
        shapes by input name of events that are not given here, for models that leave a length open

    Returns
    -------
    Sample

    Raises
    ------
    ConfigurationError
        if names, shapes, values or weights are wrong, or values look unscaled
    """
    shapes = input_shapes(model, known) | {name: values.shape[1:] for name, values in inputs.items()}
    if isinstance(baseline, (Mapping, list, tuple, np.ndarray)):
        try:
            made = Sample(with_event_axis(named_values(model, baseline), shapes))
        except ConfigurationError as error:
            raise ConfigurationError(f"baseline: {str(error).removeprefix('baseline: ')}") from None
    elif isinstance(baseline, Sample):
        made = baseline
    elif isinstance(baseline, Baseline):
        made = baseline.sample(shapes)
    else:
        raise ConfigurationError(
            f"{baseline!r} is not a baseline: give Blank(), Event(...), Averaged(...), ... or a dict of arrays"
        )
    missing = {name: np.zeros((len(made), *shapes[name])) for name in frozen if name not in made.arrays}
    try:
        arrays = named_inputs(model, {**made.arrays, **missing})
    except ConfigurationError as error:
        raise ConfigurationError(f"baseline: {error}") from None
    for name, values in inputs.items():
        if arrays[name].shape[1:] != shapes[name]:
            raise ConfigurationError(
                f"baseline: input {name!r} has shape {arrays[name].shape}; the inputs to explain have "
                f"(n events, {', '.join(map(str, shapes[name]))})"
            )
        if values.size and name not in frozen:
            _check_scale(name, arrays[name], values, list((variables or {}).get(name, [])))
    return Sample(arrays, made.weights, made.process, made.provenance)


def _check_scale(name: str, baseline: Array, inputs: Array, columns: list[str]) -> None:
    """Refuse a baseline that lies far outside the range of the inputs in one of its columns (the last axis)."""
    axes = tuple(range(inputs.ndim - 1)) if inputs.ndim > 1 else (0,)
    low, high = (edge.astype(np.float64) for edge in (inputs.min(axis=axes), inputs.max(axis=axes)))
    margin = FAR * np.maximum(np.maximum(np.abs(low), np.abs(high)), 1.0)
    outside = (baseline < low - margin) | (baseline > high + margin)
    if outside.any():
        place = tuple(int(i) for i in np.argwhere(outside)[0])
        culprit = f"variable {columns[place[-1]]!r}" if columns else f"element {place[1:]}"
        own_low, own_high = (np.broadcast_to(edge, baseline.shape)[place] for edge in (low, high))
        raise ConfigurationError(
            f"baseline: {culprit} of input {name!r} is {baseline[place]:g}, while the inputs to explain are within "
            f"[{own_low:g}, {own_high:g}]; scale the baseline as they are, with run.inputs(arrays)"
        )
