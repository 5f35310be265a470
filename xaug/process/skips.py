"""Records of what was left out: input files or ranges of their entries, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass

from xaug.core.types import JsonObject

__all__ = ["Skip"]


@dataclass(frozen=True)
class Skip:
    """An input file, or a range of its entries, that was left out.

    Attributes
    ----------
    file : str
        its path
    reason : str
        why it was left out, as the predicate of a sentence
    start, stop : int or None
        range of its entries; None: all of it
    lost : bool
        whether its events are missing in the dataset; not those of a second link to what is read anyway
    """

    file: str
    reason: str
    start: int | None = None
    stop: int | None = None
    lost: bool = True

    def to_json(self) -> JsonObject:
        """The skip as plain data."""
        entries = {} if self.start is None else {"start": self.start, "stop": self.stop}
        return {"file": self.file, **entries, "reason": self.reason, **({} if self.lost else {"lost": False})}

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}"
