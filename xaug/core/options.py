"""Settings of processing: frozen dataclasses of values that a user may replace by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import ClassVar, TypeVar

from xaug.core.errors import ConfigurationError, unknown_name

__all__ = ["Options"]

Own = TypeVar("Own", bound="Options")


@dataclass(frozen=True)
class Options:
    """Base class of settings: numbers, texts, or values of a class that reads itself from a text."""

    noun: ClassVar[str]
    """Name of these settings in messages."""

    def require_positive(self) -> None:
        """Raise ConfigurationError if a number is negative or not finite."""
        for own in fields(self):
            value = getattr(self, own.name)
            if isinstance(value, (int, float)) and (not math.isfinite(value) or value < 0):
                raise ConfigurationError(f"{self.noun} {own.name} = {value}: must be a number >= 0")

    def changed(self: Own, settings: Mapping[str, str]) -> Own:
        """A copy of these settings in which some values, given as text, are replaced.

        Raises
        ------
        ConfigurationError
            if a name is unknown, or a text is not a value of the type that this setting has
        """
        types = {own.name: type(getattr(self, own.name)) for own in fields(self)}
        values = {}
        for name, text in settings.items():
            if name not in types:
                raise unknown_name(f"{self.noun} setting", name, types)
            try:
                values[name] = types[name](text)
            except ConfigurationError as error:
                raise ConfigurationError(f"{self.noun} {name} = {text!r}: {error}") from None
            except ValueError:
                noun = {int: "a whole number", float: "a number"}.get(types[name], types[name].__name__)
                raise ConfigurationError(f"{self.noun} {name} = {text!r}: must be {noun}") from None
        return replace(self, **values)
