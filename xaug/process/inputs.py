"""Find and check the input files: files, directories or filesets of coffea.

All files are checked before any is processed, so that one which cannot be used is found now, with a reason, rather
than in the middle of a long run.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from xaug.core import provenance
from xaug.core.errors import ConfigurationError, DatasetError, InputFileError
from xaug.core.integrity import load_manifest, record_of, records, verified
from xaug.core.types import JsonObject
from xaug.formats.base import Contents, Source, UnsuitableFile
from xaug.formats.processor import AnyProcessor
from xaug.formats.registry import FORMATS, recognise

__all__ = ["Candidate", "InputFile", "gather", "infer_kind", "inspect", "short_names"]


@dataclass(frozen=True)
class Candidate:
    """A file that the user named, and what the user said of it."""

    dataset: str
    path: str
    tree: str | None  # None: the tree of its format
    metadata: JsonObject

    def opened(self) -> Source:
        """The file, for formats to look at; use it in a `with` statement."""
        return Source(self.path, self.tree)


@dataclass(frozen=True)
class InputFile:
    """A file that can be processed."""

    dataset: str
    path: str
    tree: str
    process: str
    label: int
    xsec: float | None  # [pb]
    xsec_error: float | None  # [pb]
    events_generated: int | None  # the entries are those of them that were stored
    sum_weight: float | None  # sum of the weights of all generated events
    format: str  # name of its format
    entries: int
    digest: str
    identity: str  # the same for the same generated events, wherever they are stored

    @property
    def key(self) -> JsonObject:
        """Properties that tell this file from others, without its place."""
        return {
            "tree": self.tree,
            "digest": self.digest,
            "identity": self.identity,
            "label": self.label,
            "process": self.process,
        }


def _local(path: str) -> bool:
    return "://" not in path


def gather(inputs: Iterable[str | os.PathLike[str]]) -> list[Candidate]:
    """Find all files that `inputs` name: files, directories of them, or filesets of coffea in JSON files."""
    suffixes = tuple(dict.fromkeys(suffix for known in FORMATS.values() for suffix in known.suffixes))
    found: list[Candidate] = []
    for text in map(str, inputs):
        path = Path(text)
        if text.endswith(".json"):
            found += _from_fileset(path)
        elif _local(text) and path.is_dir():
            files = sorted(
                file for file in path.rglob("*") if file.name.endswith(suffixes) and not file.name.startswith(".")
            )
            folders = {path, *(file.parent for file in files)}
            files += sorted(file for folder in folders for file in _missing(folder) if file.name.endswith(suffixes))
            if not files:
                raise ConfigurationError(f"{path} holds no {' or '.join(suffixes)} file")
            found += [Candidate(path.name, str(file.resolve()), None, {}) for file in files]
        else:
            where = str(path.resolve()) if _local(text) else text
            found.append(Candidate(path.parent.name or "files", where, None, {}))
    seen: set[str] = set()
    for candidate in found:
        if candidate.path in seen:
            raise ConfigurationError(f"{candidate.path} is given twice: its jets would count twice")
        seen.add(candidate.path)
    return sorted(found, key=lambda candidate: candidate.path)


def _recorded(folder: Path) -> list[str]:
    """Names of the files that the manifest of a folder records; none if it has no manifest of xaug.

    Raises
    ------
    DatasetError
        if the manifest is damaged
    """
    if not (folder / provenance.NAME).is_file():
        return []
    try:
        return list(records(load_manifest(folder / provenance.NAME)))
    except DatasetError:
        if (folder / provenance.STARTED).is_file():
            raise
        return []  # other programs call files by this name as well


def _missing(folder: Path) -> list[Path]:
    return [folder / name for name in _recorded(folder) if not (folder / name).exists()]


def short_names(paths: Iterable[str]) -> dict[str, str]:
    """Paths of files below the folder that all local ones share, by full path.

    A study that was moved as a whole is recognised by them.
    """
    paths = list(paths)
    local = [path for path in paths if _local(path)]
    shared = os.path.commonpath([os.path.dirname(path) for path in local]) if local else ""
    return {path: os.path.relpath(path, shared) if _local(path) else path for path in paths}


def _from_fileset(path: Path) -> list[Candidate]:
    """Files that a fileset names; ConfigurationError where it is not as coffea defines it."""

    def bad(reason: str) -> ConfigurationError:
        return ConfigurationError(f"fileset {path}: {reason}")

    try:
        fileset = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"fileset {path} cannot be read: {error}") from None
    if not isinstance(fileset, dict) or not fileset:
        raise bad("expected {dataset: {files, metadata}}, see `python -m xaug.process -h`")
    found = []
    for dataset, content in fileset.items():
        content = content if isinstance(content, dict) else {"files": content}
        files, metadata = content.get("files"), content.get("metadata") or {}
        if not isinstance(files, (list, dict)) or not files:
            raise bad(f"dataset {dataset!r} lists no files; give a list of paths, or {{path: tree}}")
        if not isinstance(metadata, dict):
            raise bad(f"dataset {dataset!r} has metadata {metadata!r}; must be an object as {{'label': 1}}")
        if not isinstance(metadata.get("xsec", 0.0), (int, float)):
            raise bad(f"dataset {dataset!r} has xsec {metadata['xsec']!r}; must be a number [pb]")
        tree = content.get("treename")
        if not all(isinstance(file, str) for file in files):
            raise bad(f"dataset {dataset!r} lists {files!r}; paths are text")
        trees = files if isinstance(files, dict) else dict.fromkeys(files, tree)
        for file, own in trees.items():
            own = own.get("object_path") if isinstance(own, dict) else own  # the longer form that coffea knows
            where = str((path.parent / file).resolve()) if _local(file) else file
            found.append(Candidate(dataset, where, own or tree, metadata))
    return found


def infer_kind(inputs: Iterable[str | os.PathLike[str]]) -> str:
    """Kind of dataset that these files are meant for, by the first of them that can be read."""
    for candidate in gather(inputs):
        try:
            with candidate.opened() as source:
                return recognise(source).contents(source).kind
        except Exception:  # whatever it is, the inspection of the file will say
            continue
    return "jets"


def inspect(candidate: Candidate, processor: AnyProcessor) -> InputFile:
    """Check a file as far as that is possible without reading its events.

    Raises
    ------
    InputFileError
        with the reason and the remedy, if the file cannot be used
    ConfigurationError
        if the settings of the processor do not go with the file
    """
    path = candidate.path
    local = _local(path)
    if local:
        _check_readable(Path(path))
    try:
        with candidate.opened() as source:
            return _inspect_opened(candidate, source, processor)
    except (InputFileError, ConfigurationError):
        raise
    except UnsuitableFile as error:
        raise InputFileError(path, str(error)) from None
    except Exception as error:  # libraries raise most kinds of errors on a damaged file
        if not local:
            reason = f"cannot be read ({_first_line(error)}); is the server reachable?"
            raise InputFileError(path, reason) from None
        raise InputFileError(
            path, f"is truncated or damaged ({_first_line(error)}); copy or generate it again"
        ) from error


def _check_readable(file: Path) -> None:
    if file.name in _recorded(file.parent):
        try:
            verified(file)
        except DatasetError as error:
            raise InputFileError(str(file), str(error).removeprefix(f"{file} ")) from None
    if not file.exists():
        raise InputFileError(str(file), "does not exist")
    if file.stat().st_size == 0:
        raise InputFileError(str(file), "is empty (0 bytes); copy or generate it again")
    try:
        with open(file, "rb") as stream:
            stream.read(1)
    except OSError as error:
        raise InputFileError(str(file), f"cannot be read ({error.strerror})") from None


def _inspect_opened(candidate: Candidate, source: Source, processor: AnyProcessor) -> InputFile:
    found = recognise(source)
    contents = found.contents(source)
    metadata = {**contents.metadata, **candidate.metadata}
    for name in ("label", "process"):
        if name not in metadata:
            raise UnsuitableFile(
                f"has no {name}: list it in a fileset JSON whose metadata gives its {name} (label 1 is signal)"
            )
    label = metadata["label"]
    if label not in (0, 1):
        raise UnsuitableFile(f"has label {label!r}; must be 1 (signal) or 0 (background)")
    _check_columns(contents, processor.columns(found, label))
    processor.settings.check(candidate.path, metadata)
    if contents.entries == 0:
        raise UnsuitableFile(f"{_table(contents)}has no entries; leave the file out")
    digest = str(record_of(Path(candidate.path))["digest"]) if source.is_local else contents.fingerprint
    return InputFile(
        dataset=candidate.dataset,
        path=candidate.path,
        tree=contents.tree,
        process=str(metadata["process"]),
        label=int(label),
        xsec=_number(metadata, "xsec"),
        xsec_error=_number(metadata, "xsec_error"),
        events_generated=metadata.get("events_generated"),
        sum_weight=_number(metadata, "sum_weight"),
        format=found.name,
        entries=contents.entries,
        digest=digest,
        identity=metadata.get("identity", digest),
    )


def _table(contents: Contents) -> str:
    """Subject of messages about the table of a file's events; empty where the file has only one."""
    return f"tree {contents.tree!r} " if contents.tree else ""


def _check_columns(contents: Contents, needed: Iterable[str]) -> None:
    """UnsuitableFile if a column is missing; the message suggests the nearest."""
    noun = "branch" if contents.tree else "column"
    for name in needed:
        if name not in contents.columns:
            near = get_close_matches(name, contents.columns, n=1)
            guess = f"; nearest is {near[0]!r}" if near else ""
            raise UnsuitableFile(f"{_table(contents)}has no {noun} {name!r}{guess}")


def _number(metadata: JsonObject, name: str) -> float | None:
    """A number >= 0 of the metadata; None where they do not name it."""
    value = metadata.get(name)
    if value is None:
        return None
    if not (isinstance(value, (int, float)) and math.isfinite(value) and value >= 0):
        raise UnsuitableFile(f"has {name} {value!r}; must be a number >= 0")
    return float(value)


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
