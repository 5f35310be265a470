"""Names for the types that travel between modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]
    ArrayLike = npt.ArrayLike
else:
    Array = ArrayLike = Any  # NumPy takes longer to load than a help text to write

__all__ = ["Array", "ArrayLike", "Arrays", "Json", "JsonObject"]

# `Array` is a NumPy array; docstrings say its shape, and its type where that matters. `ArrayLike` is what becomes one.
Arrays = dict[str, Array]
"""Arrays by name: blocks of a dataset, or inputs of a model."""
Json = None | bool | int | float | str | list[Any] | dict[str, Any]
"""A value that a JSON file can hold."""
JsonObject = dict[str, Any]
"""The content of a JSON object, before it is read into a record."""
