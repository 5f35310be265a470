"""Groups of input elements that are changed together: variables, an image, a list, particles, or any others.

Every element of every input belongs to exactly one group, so that shares of the groups can add up to the output.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.types import Array, Arrays, JsonObject
from xaug.core.yaml_files import read_yaml
from xaug.data.feature_names import unique_names
from xaug.explain.gradients.samples import Shapes

__all__ = ["KINDS", "FeatureGroups", "GroupsLike", "element_places", "read_groups"]

KINDS = ("features", "inputs", "columns", "particles")
"""Named ways to form groups.

features
    each column of an input that is one vector, each image as a whole, and all columns of a particle list together: the
    features that summaries rank
inputs
    each input of the model as a whole
columns
    each column of vectors and lists, a list's for all of its particles; each image as a whole
particles
    each particle of a list with all of its columns; each column of a vector, and each image as a whole
"""
GroupsLike = str | Mapping[str, Sequence[str]]
"""All that functions take for groups: one of `KINDS`, or names of inputs and columns by the name of their group."""


@dataclass(frozen=True, eq=False)
class FeatureGroups:
    """A group for each input element.

    Attributes
    ----------
    names : tuple of str
        names of the groups
    member : dict of arrays of int
        by input name, of the shape of the input of one event: the number of the group of each element
    """

    names: tuple[str, ...]
    member: Arrays

    def __len__(self) -> int:
        return len(self.names)

    @property
    def sizes(self) -> Array:
        """(groups,) numbers of elements."""
        every = np.concatenate([own.ravel() for own in self.member.values()])
        return np.bincount(every, minlength=len(self))

    def mixed(self, x: Arrays, other: Arrays, taken: Array) -> Arrays:
        """Events that have the groups of `taken` (n, groups) from x (n, ...), and all others from `other` (n, ...)."""
        found = {}
        for name, own in self.member.items():
            found[name] = np.where(taken[:, own], x[name], other[name])
        return found

    def spread(self, shares: Array) -> Arrays:
        """Shares (n, groups) as arrays by input name: the elements of a group have equal parts of its share."""
        each = shares / self.sizes
        return {name: each[:, own] for name, own in self.member.items()}

    def settings(self, given: GroupsLike) -> JsonObject:
        """The groups that the user asked for, and the names of the groups, for the settings of an attribution."""
        asked = given if isinstance(given, str) else "given"
        return {"groups": asked, "group_names": list(self.names)}

    def gathered(self, relevance: Arrays) -> Array:
        """Sums (n, groups) of the relevance of the elements of each group, the inverse of `spread`."""
        n = len(next(iter(relevance.values())))
        found = np.zeros((n, len(self)))
        for name, own in self.member.items():
            flat = relevance[name].reshape(n, -1).astype(np.float64)
            for group in np.unique(own):
                found[:, group] += flat[:, own.ravel() == group].sum(axis=1)
        return found


def read_groups(groups: GroupsLike, shapes: Shapes, variables: Mapping[str, Sequence[str]]) -> FeatureGroups:
    """The groups that a user means.

    Parameters
    ----------
    groups : str or dict of lists of str
        one of `KINDS`; or by group, names of inputs, of columns (`pt`, or `list.pt` where several inputs have it), or
        `input[i]` for column i; or the name of a YAML file of such a dict
    shapes : dict of tuple
        by input name, the shape of an event's input
    variables : dict of list of str
        names of the columns of each input; empty for inputs without names

    Returns
    -------
    FeatureGroups

    Raises
    ------
    ConfigurationError
        if there is no such kind, input or column, two groups have one element, or an element has no group
    """
    if isinstance(groups, str) and Path(groups).suffix in (".yaml", ".yml"):
        return _named(_read(Path(groups)), shapes, variables)
    if isinstance(groups, Mapping):
        return _named(groups, shapes, variables)
    if groups not in KINDS:
        raise unknown_name("groups", str(groups), (*KINDS, "FILE.yaml"))
    return _by_kind(groups, shapes, variables)


def _read(path: Path) -> dict[str, list[str]]:
    content, found = read_yaml(path), {}
    for group in content.values:
        names = content.get(group, (list, str), [])
        found[group] = [names] if isinstance(names, str) else [str(name) for name in names]
    return found


def _is_image(shape: tuple[int, ...]) -> bool:
    return len(shape) > 2


def _by_kind(kind: str, shapes: Shapes, variables: Mapping[str, Sequence[str]]) -> FeatureGroups:
    """Groups by one of `KINDS`, in the order of the inputs."""
    unique = unique_names({name: variables.get(name, ()) for name in shapes})
    numbers: dict[str, int] = {}
    member: Arrays = {}

    def number(name: str) -> int:
        return numbers.setdefault(name, len(numbers))

    for name, shape in shapes.items():
        columns = unique.get(name) or [f"{name}[{i}]" for i in range(shape[-1] if shape else 0)]
        own = np.zeros(shape, int)
        if kind == "inputs" or _is_image(shape) or not shape:
            own[...] = number(name)
        elif len(shape) == 1 or kind == "columns":
            own[...] = [number(column) for column in columns]
        elif kind == "features":
            own[...] = number("list" if unique.get(name) else name)
        else:
            own[...] = np.array([number(f"particle {i + 1}") for i in range(shape[0])])[:, None]
        member[name] = own
    return FeatureGroups(tuple(numbers), member)


def _named(
    groups: Mapping[str, Sequence[str]], shapes: Shapes, variables: Mapping[str, Sequence[str]]
) -> FeatureGroups:
    """Groups by names of inputs and columns."""
    places = element_places(shapes, variables)
    member: Arrays = {name: np.full(shape, -1) for name, shape in shapes.items()}
    names = tuple(groups)
    for number, (group, wanted) in enumerate(groups.items()):
        if not len(wanted):
            raise ConfigurationError(f"group {group!r} is empty; give it inputs or columns, or leave it out")
        for one in [wanted] if isinstance(wanted, str) else wanted:
            if one not in places:
                known = [key for key in places if not key.endswith("]")]
                raise unknown_name(f"input or column in group {group!r}", str(one), known)
            own, place = places[one]
            taken = member[own][..., place]
            if (taken >= 0).any():
                other = names[int(taken.max())]
                raise ConfigurationError(
                    f"groups {other!r} and {group!r} overlap: both have {one!r} or a part of it; give it to one of them"
                    if other != group
                    else f"group {group!r} has {one!r}, or a part of it, twice; name it once"
                )
            member[own][..., place] = number
    left = _left_out(member, variables)
    if left:
        raise ConfigurationError(
            f"groups leave out {', '.join(left[:6])}{', ...' if len(left) > 6 else ''}; give each input and column "
            "to a group, or shares do not add up to the output"
        )
    return FeatureGroups(names, member)


def _left_out(member: Arrays, variables: Mapping[str, Sequence[str]]) -> list[str]:
    """Names of the inputs, or of their columns, that have no group."""
    unique, found = unique_names({name: variables.get(name, ()) for name in member}), []
    for name, own in member.items():
        if (own < 0).all():
            found.append(name)
        elif (own < 0).any():
            columns = unique.get(name) or [f"{name}[{i}]" for i in range(own.shape[-1])]
            found += [columns[i] for i in range(own.shape[-1]) if (own[..., i] < 0).any()]
    return found


def element_places(shapes: Shapes, variables: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, slice]]:
    """By all names that a user may give, an input and the columns of it that are meant.

    These are inputs; columns by their name, or `input.column` where several inputs have one of that name; and
    `input[i]`, column i of an input.
    """
    places = {name: (name, slice(None)) for name in shapes}
    for name, unique in unique_names({name: variables.get(name, ()) for name in shapes}).items():
        for i, column in enumerate(unique):
            places.setdefault(column, (name, slice(i, i + 1)))
            places.setdefault(f"{name}.{variables[name][i]}", (name, slice(i, i + 1)))
    for name, shape in shapes.items():
        for i in range(shape[-1] if shape else 0):
            places.setdefault(f"{name}[{i}]", (name, slice(i, i + 1)))
    return places
