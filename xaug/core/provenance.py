"""Provenance: every stage leaves a `manifest.json` that says how its directory was made.

The manifest is written last, so a directory that has one is whole; `started.json` is written first.
Their `config` decides whether a second run finds its work done or resumes it (same config), or must
refuse (another config in the same place).
"""

from __future__ import annotations

import functools
import json
import logging
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from xaug._version import __version__
from xaug.core.errors import ConfigurationError, DatasetError
from xaug.core.files import write_json
from xaug.core.integrity import (
    FILES,
    NAME,
    STARTED,
    check_sizes,
    damaged_files,
    is_damaged_below,
    list_files,
    load_manifest,
    record_of,
    remove_damaged,
    seal,
)  # fmt: skip
from xaug.core.progress import activity
from xaug.core.types import JsonObject

__all__ = ["NAME", "STARTED", "begin", "differences", "read", "record_files", "write"]

LOG = logging.getLogger(__name__)
PACKAGES = (
    "tensorflow", "innvestigate", "numpy", "awkward", "uproot", "coffea", "fastjet", "pythia8mc",
    "vector", "hist", "h5py", "scikit-learn", "dask", "distributed", "matplotlib",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Versions of Python, xaug and the packages whose numbers can change ours."""
    from importlib import metadata

    found = {"python": platform.python_version(), "xaug": __version__}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def commit() -> str | None:
    """The commit of the code that runs, with "+" if the code was changed since; None where it is no checkout."""
    code = str(Path(__file__).parents[1])
    try:
        last, changes = (
            subprocess.run(["git", "-C", code, *command], capture_output=True, text=True, timeout=10)
            for command in (["log", "-1", "--format=%h", "--", "."], ["status", "--porcelain", "--", "."])
        )
    except (OSError, subprocess.TimeoutExpired):  # no git, or a disk that is too slow to ask
        return None
    # installed below some other repository, the code has no commit in it
    return f"{last.stdout.strip()}{'+' if changes.stdout else ''}" if last.stdout.strip() else None


def command_line() -> str:
    """The command that runs now, as a user could type it again (without paths of this machine)."""
    program = Path(sys.argv[0])
    if program.name == "__main__.py":
        package = program.parent.name
        inside = package != "xaug" and program.parents[1].name == "xaug"
        name = f"python -m xaug.{package}" if inside else f"python -m {package}"
    elif program.suffix == ".py":
        name = f"python -m xaug.{program.stem}" if program.parent.name == "xaug" else f"python {program.name}"
    else:
        name = program.name
    return f"{name} {shlex.join(sys.argv[1:])}".strip()


def write(directory: str | os.PathLike[str], stage: str, config: JsonObject, **content: Any) -> JsonObject:
    """Write the manifest of a finished stage and return it.

    Raises
    ------
    ConfigurationError
        if another command has claimed the directory meanwhile
    """
    started = Path(directory) / STARTED
    if started.exists() and _claim(load_manifest(started)) != _claim({"stage": stage, "config": as_json(config)}):
        raise ConfigurationError(f"{directory} was taken by another command meanwhile. Delete it, and run one only")
    manifest: JsonObject = {
        "stage": stage,
        "command": command_line(),
        "config": config,
        "versions": versions(),
        "commit": commit(),
        **content,
        FILES: list_files(Path(directory), started.stat().st_mtime_ns if started.exists() else 0),
    }
    manifest = seal(json.loads(json.dumps(manifest)))
    write_json(Path(directory) / NAME, manifest)
    activity().written.append(str(directory))
    LOG.info("%s: wrote %s", stage, directory)
    return manifest


def read(directory: str | os.PathLike[str], stage: str | None = None) -> JsonObject:
    """The manifest of a finished directory.

    Raises
    ------
    DatasetError
        if there is no manifest (the stage never finished) or it belongs to another stage
    """
    path = Path(directory) / NAME
    what = f"{stage} output" if stage else "xaug output"
    how = f" of `python -m xaug.{stage}`" if stage else ""
    if not Path(directory).is_dir():
        raise DatasetError(f"{directory} is not a directory; expected the {what}{how}")
    if not path.exists():
        raise DatasetError(
            f"{directory} has no {NAME}: it is no {what}, or was not finished. "
            f"Run `python -m xaug.{stage or 'STAGE'} ... -o {directory}` (again): finished parts are kept"
        )
    manifest = load_manifest(path)
    if stage and manifest.get("stage") != stage:
        raise DatasetError(
            f"{directory} was written by stage {manifest.get('stage')!r}, expected {stage!r}: give the {what}{how}"
        )
    check_sizes(Path(directory), manifest)
    return manifest


def record_files(directory: str | os.PathLike[str], paths: Iterable[Path]) -> None:
    """Add files to the manifest of a finished directory, or take those that it has as they are now."""
    path = Path(directory) / NAME
    manifest = load_manifest(path)
    own = {one.absolute().relative_to(path.absolute().parent).as_posix(): record_of(one) for one in paths}
    write_json(path, seal({**manifest, FILES: {**manifest.get(FILES, {}), **own}}))


def differences(old: JsonObject, new: JsonObject, prefix: str = "") -> list[str]:
    """The settings that differ, as lines `name: old -> new`."""
    lines = []
    for key in sorted(set(old) | set(new)):
        a, b = old.get(key, "(unset)"), new.get(key, "(unset)")
        if isinstance(a, dict) and isinstance(b, dict):
            lines += differences(a, b, f"{prefix}{key}.")
        elif a != b:
            lines.append(f"{prefix}{key}: {a} -> {b}")
    return lines


def begin(
    directory: str | os.PathLike[str],
    stage: str,
    config: JsonObject,
    made_with: Callable[[str], Iterable[str]] = lambda name: (),
) -> JsonObject | None:
    """Claim `directory` for a stage with this config; the manifest if all of it is already done.

    Returns None where work is left to do (nothing there, or an interrupted run of the same config). A claim that
    left nothing, as that of a command which failed for a wrong option, counts as nothing. Damaged files of a finished
    directory are removed, with its manifest, so that the stage makes them again; `made_with` gives glob patterns of
    the files that it only makes together with a damaged one.

    Raises
    ------
    ConfigurationError
        if the directory holds results, finished or not, of another stage or another config
    """
    directory = Path(directory)
    before = _before(directory)
    if before is None or _is_empty(directory):
        write_json(directory / STARTED, {"stage": stage, "config": config, "command": command_line()})
        return None
    if before["stage"] != stage:
        raise ConfigurationError(f"{directory} holds results of stage {before['stage']!r}. Choose another -o")
    changed = differences(before["config"], as_json(config))
    if changed:
        raise ConfigurationError(
            f"{directory} was made with other settings ({'; '.join(changed)}). "
            "Choose another -o, or delete that directory"
        )
    if not (directory / NAME).exists():
        return None
    damaged = damaged_files(directory, before)
    if not damaged and not is_damaged_below(directory):
        activity().found.append(str(directory))
        LOG.info("%s: %s is finished", stage, directory)
        return before
    if STARTED in damaged or not (directory / STARTED).exists():
        write_json(directory / STARTED, {"stage": stage, "config": config, "command": command_line()})
        os.utime(directory / STARTED, ns=(0, 0))  # older than the files that stay
    (directory / NAME).unlink()
    remove_damaged(directory, [name for name in damaged if name != STARTED], made_with)
    return None


def has_other_config(directory: str | os.PathLike[str], stage: str, config: JsonObject) -> bool:
    """Whether a directory holds results, finished or not, of the same stage with another config."""
    before = _before(Path(directory))
    return before is not None and before["stage"] == stage and before["config"] != as_json(config)


def _before(directory: Path) -> JsonObject | None:
    """Stage and config of what a directory holds, finished or not; None if there is nothing."""
    try:
        if (directory / NAME).exists():
            return load_manifest(directory / NAME)
    except DatasetError:
        if not (directory / STARTED).exists():
            raise
        (directory / NAME).unlink()  # the stage finds its finished files, and writes it again
    return load_manifest(directory / STARTED) if (directory / STARTED).exists() else None


def _claim(content: JsonObject) -> tuple[str, JsonObject]:
    """Stage and config of a claim or a manifest: what one command must share with another to continue its work."""
    return content["stage"], content["config"]


def _is_empty(directory: Path) -> bool:
    """Whether a directory was claimed and nothing came of it: a wrong option, mended, needs no other place."""
    return [path.name for path in directory.iterdir()] == [STARTED]


def as_json(config: JsonObject) -> JsonObject:
    """A config as it is read back, so that tuples and lists compare equal."""
    plain: JsonObject = json.loads(json.dumps(config))
    return plain
