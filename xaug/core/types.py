"""Names for the types that travel between modules."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

__all__ = ["Array", "Arrays", "Json", "JsonObject"]

Array = npt.NDArray[Any]
"""A NumPy array; docstrings say its shape, and its type where that matters."""
Arrays = dict[str, Array]
"""Arrays by name: blocks of a dataset, or inputs of a model."""
Json = None | bool | int | float | str | list[Any] | dict[str, Any]
"""A value that a JSON file can hold."""
JsonObject = dict[str, Any]
"""The content of a JSON object, before it is read into a record."""
