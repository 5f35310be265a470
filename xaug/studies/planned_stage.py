"""One stage of a study before it runs: what it does, on how much, and how long it takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from xaug.core import provenance

__all__ = ["PlannedStage"]


@dataclass(frozen=True)
class PlannedStage:
    """A stage of a study.

    Attributes
    ----------
    name
        what is done, as "train cnn2d_xaug"
    size
        on how much
    core_seconds
        processor time that can be shared among cores [s], on the reference machine
    seconds
        time that cannot be shared [s]
    directory
        where its manifest is when it is done
    """

    name: str
    size: str
    core_seconds: float
    seconds: float
    directory: Path

    @property
    def done(self) -> bool:
        """Whether the stage is finished."""
        return (self.directory / provenance.NAME).exists()
