"""Names for the types that travel between modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]
else:
    Array = Any  # NumPy takes longer to load than a help text to write
"""A NumPy array; docstrings say its shape, and its type where that matters."""

__all__ = ["Array", "Arrays", "Json", "JsonObject"]

Arrays = dict[str, Array]
"""Arrays by name: blocks of a dataset, or inputs of a model."""
Json = None | bool | int | float | str | list[Any] | dict[str, Any]
"""A value that a JSON file can hold."""
JsonObject = dict[str, Any]
"""The content of a JSON object, before it is read into a record."""
