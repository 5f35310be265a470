"""Classes of jets that a file tells by columns: one column for each class, or one with a number for each class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from xaug.core.errors import BadValues
from xaug.core.types import Array
from xaug.formats.base import Ranges, UnsuitableFile, refuse

__all__ = ["by_number", "count_classes", "label_of_flags"]

STEP = 100_000
"""Entries whose labels are read at once."""


def label_of_flags(flags: Mapping[str, Array], classes: Sequence[str], first: int) -> Array:
    """Label (n,) of each entry by one flag for each class; -1 for classes that are not among the wanted ones.

    Raises
    ------
    BadValues
        if an entry has no flag, several, or a flag is neither 0 nor 1
    """
    names = list(flags)
    values = np.stack([np.asarray(flags[name]).astype(np.float64) for name in names], axis=1)
    for i, name in enumerate(names):
        refuse(name, values[:, i], ~np.isin(values[:, i], (0, 1)), np.arange(len(values)), first)
    number = values.sum(axis=1)
    if (number != 1).any():
        where = int(np.argmax(number != 1))
        found = " and ".join(name for name, own in zip(names, values[where], strict=True) if own) or "none of them"
        raise BadValues(f"entry {first + where} must have one of the classes {', '.join(names)}; it has {found}")
    return _numbers(values.argmax(axis=1), names, classes)


def by_number(column: str, values: Array, names: Mapping[int, str], classes: Sequence[str], first: int) -> Array:
    """Label (n,) of each entry by the number of its class; BadValues for a number that is no class."""
    numbers = np.asarray(values).astype(np.float64)
    bad = ~np.isin(numbers, list(names))
    if bad.any():
        where = int(np.argmax(bad))
        known = ", ".join(f"{i} ({name})" for i, name in list(names.items())[:12])
        raise BadValues(f"{column} is {numbers[where]:g} in entry {first + where}; the classes are {known}")
    order = {number: i for i, number in enumerate(names)}
    index: Array = np.array([order[int(number)] for number in numbers.tolist()], int)
    return _numbers(index, list(names.values()), classes)


def _numbers(index: Array, names: Sequence[str], classes: Sequence[str]) -> Array:
    places: Array = np.array([classes.index(name) if name in classes else -1 for name in names], int)
    labels: Array = places[index] if len(index) else np.zeros(0, int)
    return labels


def count_classes(names: Sequence[str], ranges: Ranges, read: Callable[[int, int], Any]) -> dict[str, int]:
    """Classes that occur in ranges of entries of a file, and their entries.

    `read(start, stop)` gives the labels of a range by `names`.

    Raises
    ------
    UnsuitableFile
        if an entry has no class, or several
    """
    counts = np.zeros(len(names), int)
    steps = ((start, min(start + STEP, last)) for first, last in ranges for start in range(first, last, STEP))
    for start, stop in steps:
        try:
            counts += np.bincount(read(start, stop), minlength=len(names))
        except BadValues as error:
            raise UnsuitableFile(f"{error}; leave such entries out") from None
    return {name: int(n) for name, n in zip(names, counts, strict=True) if n}
