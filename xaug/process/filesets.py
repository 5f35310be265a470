"""Filesets of coffea: JSON files, compressed or not, that name files, trees, ranges of entries and metadata."""

from __future__ import annotations

import gzip
import itertools
import json
import stat
import zlib
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from xaug.core.errors import ConfigurationError
from xaug.core.types import JsonObject

__all__ = ["FilesetEntry", "Steps", "dataset_entries", "is_fileset", "read_fileset", "within"]

SUFFIXES = (".json", ".json.gz")
KEYS = ("files", "metadata", "treename")
METADATA = ("label", "process", "weight", "xsec", "xsec_error", "sum_weight", "events_generated")
"""Metadata that are used; there may be any others."""
Steps = tuple[tuple[int, int], ...]
"""Ranges [start, stop) of entries, ascending."""


@dataclass(frozen=True)
class FilesetEntry:
    """A path of a fileset, as it stands there, and what is said of it."""

    dataset: str
    path: str
    tree: str | None
    metadata: JsonObject
    steps: Steps | None  # ranges of entries to read; None: all
    entries: int | None  # entries that the file had when the fileset was made
    format: str | None = None  # name of its format, where it is not recognised by its content


def is_fileset(path: str) -> bool:
    """True if a path has the ending of a fileset."""
    return path.endswith(SUFFIXES)


def read_fileset(path: Path) -> list[FilesetEntry]:
    """The paths that a fileset names.

    Raises
    ------
    ConfigurationError
        where it is not as coffea defines it
    """
    fileset = _load(path)
    if not isinstance(fileset, dict) or not fileset:
        raise _bad(path, "expected {dataset: {files, metadata}}, see `python -m xaug.process -h`")
    try:
        return [entry for dataset, content in fileset.items() for entry in dataset_entries(dataset, content)]
    except ConfigurationError as error:
        raise _bad(path, str(error)) from None


def within(given: FilesetEntry | None, entry: FilesetEntry) -> FilesetEntry:
    """An entry of a fileset that a description names, with what the description says beside.

    Raises
    ------
    ConfigurationError
        if the two give different labels
    """
    if given is None:
        return entry
    told, own = given.metadata.get("label"), entry.metadata.get("label")
    if told is not None and own is not None and told != own:
        raise ConfigurationError(
            f"{given.path} gives {entry.path} the label {own!r}, but is listed under {told!r}; leave out one of them"
        )
    return replace(
        entry, tree=entry.tree or given.tree, metadata={**given.metadata, **entry.metadata}, format=given.format
    )


def _bad(path: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(f"fileset {path}: {reason}")


def _load(path: Path) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> JsonObject:
        names = [name for name, _ in pairs]
        for name in names:
            if names.count(name) > 1:
                raise _bad(path, f"names {name!r} twice, and one would be lost; join them or rename one")
        return dict(pairs)

    try:
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            raise OSError("it is not a regular file")
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.name.endswith(".gz") else raw).decode("utf-8-sig")
        return json.loads(text, object_pairs_hook=once)
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise ConfigurationError(f"fileset {path} cannot be read: {error}") from None


def dataset_entries(dataset: str, content: Any) -> list[FilesetEntry]:
    """The paths of one dataset of a fileset, given as plain data: a list, or {files, metadata, treename}.

    Raises
    ------
    ConfigurationError
        where it is not as coffea defines it
    """
    content = content if isinstance(content, dict) else {"files": content}
    _refuse_misspelt(dataset, content, KEYS)
    files, metadata = content.get("files"), content.get("metadata") or {}
    if not isinstance(files, (list, dict)) or not files:
        raise ConfigurationError(f"dataset {dataset!r} lists no files; give a list of paths, or {{path: tree}}")
    if not isinstance(metadata, dict):
        raise ConfigurationError(f"dataset {dataset!r} has metadata {metadata!r}; must be an object as {{'label': 1}}")
    _refuse_misspelt(dataset, metadata, METADATA)
    if not isinstance(metadata.get("xsec", 0.0), (int, float)):
        raise ConfigurationError(f"dataset {dataset!r} has xsec {metadata['xsec']!r}; must be a number [pb]")
    tree = content.get("treename")
    if not all(isinstance(file, str) for file in files):
        raise ConfigurationError(f"dataset {dataset!r} lists {files!r}; paths are text")
    trees = files if isinstance(files, dict) else dict.fromkeys(files, tree)
    if len(trees) < len(files):
        raise ConfigurationError(f"dataset {dataset!r} lists a file twice")
    found = []
    for file, own in trees.items():
        more = own if isinstance(own, dict) else {"object_path": own}  # the longer form that coffea knows
        _refuse_misspelt(dataset, more, ("object_path", "steps", "num_entries"))
        name = more.get("object_path") or tree
        if not (name is None or isinstance(name, str)):
            raise ConfigurationError(f"{file} has the tree {name!r}; must be text")
        steps = _steps(file, more.get("steps"))
        entries = more.get("num_entries")
        found.append(FilesetEntry(dataset, file, name, metadata, steps, entries if isinstance(entries, int) else None))
    return found


def _refuse_misspelt(dataset: str, given: JsonObject, known: tuple[str, ...]) -> None:
    """Refuse a key that is nearly a known one which is missing, since it would be passed over."""
    for key in given:
        near = get_close_matches(key, known, n=1, cutoff=0.75)
        if key not in known and near and near[0] not in given:
            raise ConfigurationError(f"dataset {dataset!r} has {key!r}; did you mean {near[0]!r}?")


def _steps(file: str, steps: Any) -> Steps | None:
    """Ranges of entries that coffea's preprocessing gives, in ascending order."""
    if steps is None:
        return None
    example = "must be ranges as [[0, 1000], [1000, 2000]]"
    if not isinstance(steps, list) or not steps:
        raise ConfigurationError(f"{file} has steps {steps!r}; {example}")
    for step in steps:
        good = isinstance(step, list) and len(step) == 2 and all(type(edge) is int for edge in step)
        if not good or not 0 <= step[0] < step[1]:
            raise ConfigurationError(f"{file} has the step {step!r}; {example}")
    ordered = sorted((start, stop) for start, stop in steps)
    for (start, stop), (next_start, next_stop) in itertools.pairwise(ordered):
        if next_start < stop:
            raise ConfigurationError(f"{file} has steps {[start, stop]} and {[next_start, next_stop]}, which overlap")
    return tuple(ordered)
