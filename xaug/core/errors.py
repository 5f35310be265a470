"""The errors of xaug: one family, so that `except XaugError` catches all we raise on purpose.

Every message names the culprit (file, branch, variable, layer), its value, and the remedy.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "BadValues",
    "ConfigurationError",
    "DatasetError",
    "InputFileError",
    "ModelError",
    "StorageError",
    "WorkerError",
    "XaugError",
    "unknown_name",
]


class XaugError(Exception):
    """Base of all errors that xaug raises on purpose."""


class ConfigurationError(XaugError):
    """An option, name or setting is unknown, out of range, or contradicts an earlier run."""


class InputFileError(XaugError):
    """An input file cannot be used: empty, truncated, not ROOT, without its tree or a branch, or with NaN."""

    def __init__(self, file: str, reason: str):
        super().__init__(f"{file}: {reason}")
        self.file = file
        self.reason = reason


class DatasetError(XaugError):
    """A dataset, run or attribution directory is missing, unfinished or damaged."""


class BadValues(ValueError):
    """A branch of an input file holds numbers that no event can have."""


class ModelError(XaugError):
    """A Keras model cannot be built, explained or loaded as asked."""


class StorageError(XaugError):
    """Writing failed: the disk is full or the place cannot be written."""


class WorkerError(XaugError):
    """A worker process died without a message of its own."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> ConfigurationError:
    """The error for an unknown name: suggests the nearest known one and lists them all."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    guess = f"; did you mean {near[0]!r}?" if near else "."
    return ConfigurationError(f"unknown {kind} {name!r}{guess} Known: {', '.join(known) or 'none'}")
