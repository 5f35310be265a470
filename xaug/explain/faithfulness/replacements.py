"""Values that replace deleted inputs: blank, the mean, or those of background events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.types import Array, Arrays
from xaug.explain.groups import FeatureGroups

__all__ = ["REPLACEMENTS", "Replacement", "check_fits", "make_replacement"]


@dataclass(frozen=True, eq=False)
class Replacement(ABC):
    """One way to choose the values that stand in for deleted inputs.

    Attributes
    ----------
    groups : FeatureGroups
        what is deleted together
    background : dict of arrays
        scaled inputs of background events by name, each (b, ...)
    weights : (b,) array
        weights of these events; they sum to 1
    """

    groups: FeatureGroups
    background: Mapping[str, Array]
    weights: Array

    name: ClassVar[str]
    words: ClassVar[str]

    @abstractmethod
    def values(self, x: Arrays, kept: Array, draw: Array) -> Arrays:
        """Values for all elements of n events; those of deleted elements are used.

        Parameters
        ----------
        x : dict of arrays
            scaled inputs of the events, each (n, ...)
        kept : (n, groups) array of bool
            which groups are not deleted
        draw : (n,) array
            a uniform random number of each event, the same at every step of its curve

        Returns
        -------
        dict of arrays
            each (n, ...) or (1, ...)
        """

    def replaced(self, x: Arrays, kept: Array, draw: Array) -> Arrays:
        """Inputs (n, ...) with replaced values where a group is not kept; see `values`."""
        return self.groups.mixed(x, self.values(x, kept, draw), kept)

    def at(self, event: Array) -> Arrays:
        """Background events by their numbers."""
        return {name: values[event] for name, values in self.background.items()}


REPLACEMENTS: dict[str, type[Replacement]] = {}
"""All ways to replace, by name."""


def _register(replacement: type[Replacement]) -> type[Replacement]:
    REPLACEMENTS[replacement.name] = replacement
    return replacement


def check_fits(groups: FeatureGroups, arrays: Mapping[str, Array], what: str) -> None:
    """Raise ConfigurationError unless arrays (n, ...) have the inputs that are divided, of the same shapes."""
    numbers = np.unique(np.concatenate([member.ravel() for member in groups.member.values()]))
    if not np.array_equal(numbers, np.arange(len(groups))):
        raise ConfigurationError(
            f"the {len(groups)} groups are numbered 0 to {len(groups) - 1}, and each has elements; the elements are of "
            f"groups {', '.join(map(str, numbers[:8]))}{', ...' if len(numbers) > 8 else ''}"
        )
    for name, member in groups.member.items():
        if name not in arrays:
            raise ConfigurationError(f"{what} lacks input {name!r}, which the groups have")
        if arrays[name].shape[1:] != member.shape:
            raise ConfigurationError(
                f"{what}: input {name!r} has shape {arrays[name].shape}; the groups are of (n, "
                f"{', '.join(map(str, member.shape))})"
            )
    for name in arrays:
        if name not in groups.member:
            raise ConfigurationError(f"no group has input {name!r} of {what}; divide all inputs into groups")


def make_replacement(
    name: str, groups: FeatureGroups, background: Mapping[str, Array], weights: Array | None = None
) -> Replacement:
    """The replacement of a name.

    Parameters
    ----------
    name : str
        one of `REPLACEMENTS`
    groups : FeatureGroups
    background : dict of arrays
        scaled background events by input name
    weights : (b,) array, optional
        their weights; default: equal ones

    Raises
    ------
    ConfigurationError
        if there is no such replacement, or the background does not fit the groups
    """
    if name not in REPLACEMENTS:
        raise unknown_name("replacement", name, REPLACEMENTS)
    check_fits(groups, background, "the background sample")
    n = len(next(iter(background.values())))
    if n == 0:
        raise ConfigurationError("the background sample has no events; give at least one")
    for input_name, values in background.items():
        if len(values) != n:
            raise ConfigurationError(f"the background sample: input {input_name!r} has {len(values)} events, not {n}")
        if not np.isfinite(values).all():
            raise ConfigurationError(f"the background sample: input {input_name!r} holds NaN or infinity")
    own = np.ones(n) if weights is None else np.asarray(weights, np.float64)
    if own.shape != (n,) or (own < 0).any() or not own.sum() > 0:
        raise ConfigurationError(
            f"weights of the background: {n} numbers, none negative, not all zero, are needed; given are {own.shape}"
        )
    return REPLACEMENTS[name](groups, background, own / own.sum())


@_register
class BlankValues(Replacement):
    """Zero of the scaled inputs."""

    name, words = "blank", "zero of the scaled inputs"

    def values(self, x: Arrays, kept: Array, draw: Array) -> Arrays:
        return {name: np.zeros_like(values[:1]) for name, values in x.items()}


@_register
class MeanBackground(Replacement):
    """Mean of the background events."""

    name, words = "mean", "the mean of the background events"

    def values(self, x: Arrays, kept: Array, draw: Array) -> Arrays:
        return {
            name: np.tensordot(self.weights, values, 1)[None].astype(values.dtype)
            for name, values in self.background.items()
        }


@_register
class BackgroundDraw(Replacement):
    """One background event for each event, drawn at random, from which all deleted values come."""

    name, words = "background", "values of a background event drawn at random"

    def values(self, x: Arrays, kept: Array, draw: Array) -> Arrays:
        cumulated = np.cumsum(self.weights)
        return self.at(np.minimum(np.searchsorted(cumulated, draw, side="right"), len(cumulated) - 1))


NEIGHBOURS = 5
"""Nearest background events among which one is drawn."""
AT_ONCE = 20_000_000
"""Distances in memory at a time, in events x background events x groups."""


@_register
class NearestBackground(BackgroundDraw):
    """One of the background events that are nearest in what is left: a draw that is conditional on the rest.

    The distance of two events is the sum over the groups that are left of the squared difference, each in units of its
    variance over background events.
    """

    name, words = "nearest", "values of one of the background events that are nearest in what is left"

    def values(self, x: Arrays, kept: Array, draw: Array) -> Arrays:
        size = max(1, AT_ONCE // (len(self.weights) * len(self.groups)))
        chosen = [
            self._nearest({name: own[i : i + size] for name, own in x.items()}, kept[i : i + size], draw[i : i + size])
            for i in range(0, len(kept), size)
        ]
        return self.at(np.concatenate(chosen))

    def _nearest(self, x: Arrays, kept: Array, draw: Array) -> Array:
        possible = np.flatnonzero(self.weights > 0)
        distance = np.zeros((len(kept), len(possible), len(self.groups)))
        scale = np.zeros(len(self.groups))
        for name, own in x.items():
            of_group = np.eye(len(self.groups))[self.groups.member[name].ravel()]  # (elements, groups)
            flat, others = own.reshape(len(own), -1), self.background[name].reshape(len(self.weights), -1)
            for i, b in enumerate(possible):
                distance[:, i] += (flat - others[b]) ** 2 @ of_group
            scale += np.var(others[possible], axis=0, dtype=np.float64) @ of_group
        distance /= np.where(scale > 0, scale, 1.0)
        total = np.einsum("nbg,ng->nb", distance, kept.astype(np.float64))
        count = min(NEIGHBOURS, len(possible))
        near = np.argpartition(total, count - 1, axis=1)[:, :count]
        pick = np.minimum((draw * count).astype(int), count - 1)
        found: Array = possible[np.take_along_axis(near, pick[:, None], axis=1)[:, 0]]
        nothing_left = ~kept.any(axis=1)
        if nothing_left.any():  # then any background event is as near as any other
            cumulated = np.cumsum(self.weights)
            drawn = np.minimum(np.searchsorted(cumulated, draw, side="right"), len(cumulated) - 1)
            found = np.where(nothing_left, drawn, found)
        return found
