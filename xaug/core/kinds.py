"""Kinds of values that users give: numbers of Python and of NumPy, and not truth values."""

from __future__ import annotations

from numbers import Integral, Real

__all__ = ["is_number", "is_whole"]


def is_number(value: object) -> bool:
    """Whether a value is a real number, and not a truth value."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_whole(value: object) -> bool:
    """Whether a value is of a type of whole numbers, and not a truth value."""
    return isinstance(value, Integral) and not isinstance(value, bool)
