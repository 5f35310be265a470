"""The errors that xaug raises on purpose; `except XaugError` catches them all.

Every message names the culprit (file, branch, variable, layer), its value, and the remedy.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping

__all__ = [
    "BadValues",
    "ConfigurationError",
    "DatasetError",
    "InputFileError",
    "ModelError",
    "StorageError",
    "WorkerError",
    "XaugError",
    "nearest",
    "unknown_name",
]


class XaugError(Exception):
    """Base class of all errors that xaug raises on purpose; never raised itself."""


class ConfigurationError(XaugError):
    """Raised if an option, name or setting is unknown, out of range, or contradicts an earlier run."""


class InputFileError(XaugError):
    """Raised if an input file cannot be used.

    The file is empty, truncated or not ROOT, it lacks its tree or a branch, or it holds NaN.

    Attributes
    ----------
    file : str
        the input file
    reason : str
        why it cannot be used
    """

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"{file}: {reason}")
        self.file = file
        self.reason = reason


class DatasetError(XaugError):
    """Raised if the directory of a dataset, run or attribution is missing, unfinished or damaged, or lacks events."""


class BadValues(ValueError):
    """A branch of an input file holds numbers that no event can have."""


class ModelError(XaugError):
    """Raised if a Keras model cannot be built, trained, loaded or explained as asked."""


class StorageError(XaugError):
    """Raised if an output cannot be written: the disk is full, or the place is taken or forbidden."""


class WorkerError(XaugError):
    """Raised if a worker process died, or failed with an error that is not one of ours."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that a wrong name was most likely meant to be; None if no name is like it.

    Capitals, spaces, hyphens and underscores do not count: "presetA" is "preset_a". Next comes a name of which the
    wrong one is a word: "eta" is rather "abs_eta" than "beta3". Of a mapping of names to labels, a label stands for its
    name: "integrated_gradients" is "ig", whose label is "Integrated Gradients".
    """

    def joined(text: str) -> str:
        return "".join(words(text))

    def words(text: str) -> list[str]:
        return [word for word in re.split(r"[\W_]+", text.lower()) if word]

    own = list(known)
    labels = known.items() if isinstance(known, Mapping) else ()
    texts: dict[str, str] = {label: one for one, label in labels if isinstance(label, str)}
    texts |= {one: one for one in reversed(own)}
    names = {joined(text): one for text, one in texts.items()}
    wanted = joined(name)
    if wanted in names:
        return names[wanted]
    holding = [joined(text) for text in texts if name.lower() in words(text)]
    near = difflib.get_close_matches(wanted, holding or names, n=1, cutoff=0.0 if holding else 0.5)
    return names[near[0]] if near else None


def unknown_name(kind: str, name: str, known: Iterable[str]) -> ConfigurationError:
    """The error for an unknown name, to be raised by the caller.

    Its message suggests the nearest known name and lists all of them.

    Parameters
    ----------
    kind : str
        what the name is a name of, as the message calls it
    name : str
        the unknown name
    known : iterable of str
        all names of this kind; of a mapping, values that are texts are labels by which a name can be meant as well
    """
    names = known if isinstance(known, Mapping) else list(known)
    near = nearest(name, names)
    guess = f"; did you mean {near!r}?" if near else "."
    return ConfigurationError(f"unknown {kind} {name!r}{guess} Known: {', '.join(names) or 'none'}")
