"""Integrity: every file of a finished directory has its size and digest in the manifest, and so has the manifest.

Sizes are compared when the directory is opened; the digest of a file when it is first read by a process. Damage is an
error of one line that names the file and the command that makes it again; that command makes nothing else again.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from xaug.core.errors import DatasetError
from xaug.core.files import TEMPORARY, digest_file, digest_json, read_json
from xaug.core.types import JsonObject

__all__ = [
    "FILES", "NAME", "STARTED", "FileRecord", "check_sizes", "damaged_files", "is_damaged_below", "list_files",
    "load_manifest", "record_of", "records", "remove_damaged", "seal", "verified",
]  # fmt: skip

NAME = "manifest.json"
STARTED = "started.json"
"""File that a stage writes first: its stage, config and command."""
FILES = "file_digests"
"""Key of a manifest: file name, relative to the directory -> its size and digest."""
SEAL = "seal"
"""Key of a manifest: the digest of all its other content."""
DEPTH = 2
"""Levels between a file and its manifest at most: `RUN/training_0/model.keras`."""


@dataclass(frozen=True)
class FileRecord:
    """Size and digest of a file of a finished directory."""

    bytes: int
    digest: str


def list_files(directory: Path, since: int = 0) -> dict[str, JsonObject]:
    """Size and digest of the files of a directory that changed since a time (ns), but for its manifest.

    Directories below that have a manifest of their own are left out: it protects them.
    """
    found = {}
    for place, folders, files in os.walk(directory):
        here = Path(place)
        if here != directory and NAME in files:
            folders[:] = []
            continue
        folders.sort()
        for name in sorted(files):
            path = here / name
            own = path != directory / NAME and not name.startswith(TEMPORARY)
            if own and path.stat().st_mtime_ns >= since:
                found[path.relative_to(directory).as_posix()] = record_of(path)
    return found


def record_of(path: Path) -> JsonObject:
    """Size and digest of a file as it is now, as a manifest has them."""
    return {"bytes": path.stat().st_size, "digest": _digest(path)}


def seal(manifest: JsonObject) -> JsonObject:
    """The manifest with the digest of its own content."""
    return {**manifest, SEAL: _seal_of(manifest)}


def _seal_of(manifest: JsonObject) -> str:
    return digest_json({key: value for key, value in manifest.items() if key != SEAL})


def load_manifest(path: Path) -> JsonObject:
    """Content of a manifest, which must have a stage and a config and must be as it was written.

    Raises
    ------
    DatasetError
        if it is damaged
    """
    try:
        content = read_json(path)
    except DatasetError:
        if not path.is_file():
            raise
        raise _damaged_manifest(path, "it is not JSON") from None
    if not isinstance(content, dict) or not {"stage", "config"} <= content.keys():
        raise _damaged_manifest(path, "no stage and config")
    if (SEAL in content or FILES in content) and content.get(SEAL) != _seal_of(content):
        raise _damaged_manifest(path, "its content is not what was written")
    return content


def _damaged_manifest(path: Path, reason: str) -> DatasetError:
    """The error for a damaged manifest. The file that its stage wrote first still tells which command made it."""
    command = f"python -m xaug.STAGE ... -o {path.parent}"
    with contextlib.suppress(DatasetError, KeyError, TypeError, AttributeError):
        command = _command_for(path.parent, read_json(path.with_name(STARTED)))
    return DatasetError(f"{path} is damaged ({reason}). Delete it and run `{command}` again: finished files are kept")


def records(manifest: JsonObject) -> dict[str, FileRecord]:
    """The files of a finished directory; none for a manifest of version 0.1."""
    return {name: FileRecord(**record) for name, record in manifest.get(FILES, {}).items()}


def check_sizes(directory: Path, manifest: JsonObject) -> None:
    """Raise DatasetError if a file of a finished directory is missing or has another size."""
    for name, record in records(manifest).items():
        _check_size(directory / name, record, directory, manifest)


def verified(path: str | os.PathLike[str]) -> Path:
    """The path of a file, if it is as the manifest of its directory says, or if no manifest knows it.

    Raises
    ------
    DatasetError
        if the file is damaged or missing; the message names the command that makes it again
    """
    path = Path(path).absolute()
    for directory in list(path.parents)[:DEPTH]:
        if not (directory / NAME).is_file():
            continue
        manifest = _manifest_as_of(directory / NAME, (directory / NAME).stat().st_mtime_ns)
        record = records(manifest).get(path.relative_to(directory).as_posix())
        if record is not None:
            _check_size(path, record, directory, manifest)
            if _digest(path) != record.digest:
                raise _damage(path, "its content is not what was written", directory, manifest)
        break
    return path


def damaged_files(directory: Path, manifest: JsonObject) -> list[str]:
    """Names of the files of a finished directory that are missing or not what was written."""
    found = []
    for name, record in records(manifest).items():
        path = directory / name
        if not path.is_file() or path.stat().st_size != record.bytes or _digest(path) != record.digest:
            found.append(name)
    return found


def is_damaged_below(directory: Path) -> bool:
    """Whether a finished directory somewhere below this one has damaged files, or a damaged manifest."""
    for path in directory.glob(f"*/**/{NAME}"):
        try:
            if damaged_files(path.parent, load_manifest(path)):
                return True
        except DatasetError:
            return True
    return False


def remove_damaged(directory: Path, damaged: Iterable[str], made_with: Callable[[str], Iterable[str]]) -> None:
    """Remove damaged files, and those (glob patterns by `made_with`) that are only made together with them."""
    for name in damaged:
        for pattern in (name, *made_with(name)):
            for path in [directory / pattern] if pattern == name else list(directory.glob(pattern)):
                path.unlink(missing_ok=True)


def _check_size(path: Path, record: FileRecord, directory: Path, manifest: JsonObject) -> None:
    if not path.is_file():
        raise _damage(path, "it is missing", directory, manifest)
    size = path.stat().st_size
    if size != record.bytes:
        raise _damage(path, f"it has {size} bytes, not {record.bytes}", directory, manifest)


def _damage(path: Path, reason: str, directory: Path, manifest: JsonObject) -> DatasetError:
    remedy = f"Run `{_command_for(directory, manifest)}` again: it keeps what is not damaged"
    return DatasetError(f"{path} is damaged ({reason}). {remedy}")


def _command_for(directory: Path, manifest: JsonObject) -> str:
    """The command that made a directory, with the place where the directory is now.

    Where the command of another stage made it, as a study, the directory is a part of what that command wrote.
    """
    command, stage = manifest.get("command") or "", manifest["stage"]
    if not command.startswith(("python -m xaug", "xaug ")):  # made from Python, not by a command
        return f"python -m xaug.{stage} ... -o {directory}"
    words = shlex.split(command)
    if f"xaug.{stage}" not in words[:3] and words[:2] != ["xaug", stage]:
        return command
    for i, word in enumerate(words[:-1]):
        if word in ("-o", "--output") and Path(words[i + 1]).resolve() != directory.resolve():
            return shlex.join([*words[: i + 1], str(directory), *words[i + 2 :]])  # the directory was moved or copied
    return command


@functools.lru_cache(maxsize=64)
def _manifest_as_of(path: Path, changed: int) -> JsonObject:
    return load_manifest(path)


def _digest(path: Path) -> str:
    stat = path.stat()
    return _digest_as_of(str(path.absolute()), stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=100_000)
def _digest_as_of(path: str, changed: int, size: int) -> str:
    return digest_file(path)
