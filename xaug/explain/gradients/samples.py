"""Samples of baselines as arrays, checked against the model and the inputs they are for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.explain.targets import named_inputs

__all__ = ["Baseline", "Sample", "check_weights", "sample_of", "with_event_axis"]

FAR = 10.0
"""A baseline farther outside the range of the inputs than so many times its width is taken for unscaled."""


@dataclass(frozen=True)
class Sample:
    """Baselines as arrays: scaled inputs by name, and how much each counts.

    Attributes
    ----------
    arrays
        by input name, (baselines, ...)
    weights : (baselines,) float64
        sum to 1; any that are not negative can be given, None for equal ones
    process : (baselines,) str, optional
        where each comes from: errors are found by drawing anew within these
    provenance
        how the sample was made, for the manifest
    """

    arrays: dict[str, np.ndarray]
    weights: np.ndarray | None = None
    process: np.ndarray | None = None
    provenance: dict | None = None

    def __post_init__(self):
        n = len(next(iter(self.arrays.values()))) if self.arrays else 0
        if n == 0:
            raise ConfigurationError("the baseline has no events; give at least one")
        weights = np.ones(n) if self.weights is None else np.asarray(self.weights, dtype=np.float64)
        if weights.shape != (n,):
            raise ConfigurationError(f"baseline: weights of shape {weights.shape} for {n} events")
        check_weights(weights, "baseline: weight of event")
        object.__setattr__(self, "weights", weights / weights.sum())
        digest = hashlib.blake2b(digest_size=16)
        for name, values in sorted(self.arrays.items()):
            digest.update(name.encode() + np.ascontiguousarray(values, np.float32).tobytes())
        provenance = {"kind": "given", **(self.provenance or {}), "events": n, "digest": digest.hexdigest()}
        object.__setattr__(self, "provenance", provenance)

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def effective(self) -> float:
        """Effective number of baselines, (sum of weights)^2 / (sum of squared weights)."""
        return float(1.0 / np.sum(self.weights**2))


class Baseline(Protocol):
    """What can make a sample of baselines for a model."""

    def sample(self, shapes: dict[str, tuple[int, ...]]) -> Sample:
        """Baselines for inputs of these shapes, by name, without the event axis."""


def check_weights(weights: np.ndarray, what: str) -> None:
    bad = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(bad):
        raise ConfigurationError(
            f"{what} {bad[0]} is {weights[bad[0]]}: weights of baselines must be finite and not negative"
        )
    if not weights.sum():
        raise ConfigurationError(f"{what} 0 and all others are 0: at least one weight must be positive")


def with_event_axis(arrays: dict[str, np.ndarray], shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    arrays = {name: np.asarray(values) for name, values in arrays.items()}
    return {name: v[None] if name in shapes and v.shape == shapes[name] else v for name, v in arrays.items()}


def sample_of(baseline, model, inputs: dict[str, np.ndarray], variables: dict[str, list[str]] | None = None) -> Sample:
    """The baselines as arrays that fit the model and, in scale, its inputs.

    Raises
    ------
    ConfigurationError
        if names, shapes, values or weights are wrong, or values look unscaled
    """
    shapes = {name: tuple(tensor.shape[1:]) for name, tensor in zip(model.input_names, model.inputs, strict=True)}
    if isinstance(baseline, Mapping):
        baseline = Sample(with_event_axis(dict(baseline), shapes))
    if not isinstance(baseline, Sample):
        if not hasattr(baseline, "sample"):
            raise ConfigurationError(
                f"baseline {baseline!r} is none: give Blank(), Event(...), Averaged(...), ... or a dict of arrays"
            )
        baseline = baseline.sample(shapes)
    for name in baseline.arrays:
        if name not in shapes:
            raise unknown_name("input of the baseline", name, shapes)
    try:
        arrays = named_inputs(model, baseline.arrays)
    except ConfigurationError as error:
        raise ConfigurationError(f"baseline: {error}") from None
    for name, values in inputs.items():
        if values.size:
            _check_scale(name, arrays[name], values, (variables or {}).get(name, []))
    return Sample(arrays, baseline.weights, baseline.process, baseline.provenance)


def _check_scale(name: str, baseline: np.ndarray, inputs: np.ndarray, columns: list[str]) -> None:
    low, high = float(inputs.min()), float(inputs.max())
    margin = FAR * max(high - low, 1.0)
    outside = (baseline < low - margin) | (baseline > high + margin)
    if outside.any():
        where = tuple(np.argwhere(outside)[0])
        what = f"variable {columns[where[-1]]!r}" if columns else f"element {tuple(int(i) for i in where[1:])}"
        raise ConfigurationError(
            f"baseline: {what} of input {name!r} is {baseline[where]:g}, while the inputs to explain are within "
            f"[{low:g}, {high:g}]; scale the baseline as they are, with run.inputs(arrays)"
        )
