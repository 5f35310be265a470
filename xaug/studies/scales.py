"""The size of a study: one of its scales, with single numbers replaced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from xaug.core.errors import ConfigurationError, unknown_name

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["sized"]

Size = TypeVar("Size", bound="DataclassInstance")


def sized(scales: Mapping[str, Size], scale: str, **numbers: int | None) -> Size:
    """The scale of a name, with the numbers that are given (not None) in place of its own.

    Raises
    ------
    ConfigurationError
        for a scale that is unknown, or a number below 1
    """
    if scale not in scales:
        raise unknown_name("scale", scale, scales)
    given = {name: number for name, number in numbers.items() if number is not None}
    for name, number in given.items():
        if number < 1:
            raise ConfigurationError(f"--{name.replace('_', '-')} {number}: must be at least 1")
    return replace(scales[scale], **given)
