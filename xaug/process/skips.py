"""Records of what was left out: input files or ranges of their entries, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass

from xaug.core.types import JsonObject

__all__ = ["Skip"]


@dataclass(frozen=True)
class Skip:
    """An input file, or a range of its entries, that was left out."""

    file: str
    reason: str
    start: int | None = None
    stop: int | None = None

    def to_json(self) -> JsonObject:
        """The skip as plain data."""
        entries = {} if self.start is None else {"start": self.start, "stop": self.stop}
        return {"file": self.file, **entries, "reason": self.reason}

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}"
