"""Options of processing: frozen dataclasses whose numbers a user may replace by name."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from typing import ClassVar

import numpy as np

from xaug.core.errors import ConfigurationError, unknown_name

__all__ = ["Options"]


class Options:
    """Base of frozen dataclasses of numbers."""

    noun: ClassVar[str]
    """What messages call them."""

    def require_positive(self) -> None:
        """Refuse values that are negative or no number."""
        for name, value in asdict(self).items():
            if not np.isfinite(value) or value < 0:
                raise ConfigurationError(f"{self.noun} {name} = {value}: must be a number >= 0")

    def changed(self, settings: dict[str, str]):
        """These options with some values replaced, given as text; unknown names are refused."""
        types = {field.name: type(getattr(self, field.name)) for field in fields(self)}
        values = {}
        for name, text in settings.items():
            if name not in types:
                raise unknown_name(f"{self.noun} setting", name, types)
            try:
                values[name] = types[name](text)
            except ValueError:
                raise ConfigurationError(f"{self.noun} {name} = {text!r} is not a {types[name].__name__}") from None
        return replace(self, **values)
