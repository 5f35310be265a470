"""Provenance: every stage leaves a `manifest.json` that says how its directory was made.

The manifest is written last, so a directory that has one is whole; `started.json` is written first.
Their `config` decides whether a second run finds its work done or resumes it (same config), or must
refuse (another config in the same place).
"""

from __future__ import annotations

import functools
import json
import os
import platform
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from xaug._version import __version__
from xaug.core.errors import ConfigurationError, DatasetError
from xaug.core.files import read_json, write_json

__all__ = ["begin", "differences", "read", "write"]

NAME = "manifest.json"
STARTED = "started.json"
PACKAGES = (
    "tensorflow", "innvestigate", "numpy", "awkward", "uproot", "coffea", "fastjet", "pythia8mc",
    "vector", "hist", "h5py", "scikit-learn", "dask", "distributed", "matplotlib",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Versions of Python, xaug and the packages whose numbers can change ours."""
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
        name = f"python -m xaug.{program.parent.name}" if program.parent.name != "xaug" else "python -m xaug"
    elif program.suffix == ".py":
        name = f"python -m xaug.{program.stem}" if program.parent.name == "xaug" else f"python {program.name}"
    else:
        name = program.name
    return f"{name} {shlex.join(sys.argv[1:])}".strip()


def write(directory: str | os.PathLike, stage: str, config: dict, **content) -> dict:
    """Write the manifest of a finished stage and return it.

    Raises
    ------
    ConfigurationError
        if another command has claimed the directory meanwhile
    """
    started = Path(directory) / STARTED
    if started.exists() and _object(started) != {"stage": stage, "config": as_json(config)}:
        raise ConfigurationError(f"{directory} was taken by another command meanwhile. Delete it, and run one only")
    manifest = {
        "stage": stage,
        "command": command_line(),
        "config": config,
        "versions": versions(),
        "commit": commit(),
        **content,
    }
    write_json(Path(directory) / NAME, manifest)
    return manifest


def _object(path: Path) -> dict:
    """A manifest's content, which must at least say its stage and config."""
    content = read_json(path)
    if not isinstance(content, dict) or not {"stage", "config"} <= content.keys():
        raise DatasetError(f"{path} is damaged (no stage and config). Delete it and run the stage again")
    return content


def read(directory: str | os.PathLike, stage: str | None = None) -> dict:
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
    manifest = _object(path)
    if stage and manifest.get("stage") != stage:
        raise DatasetError(f"{directory} was written by stage {manifest.get('stage')!r}, expected {stage!r}")
    return manifest


def differences(old: dict, new: dict, prefix: str = "") -> list[str]:
    """The settings that differ, as lines `name: old -> new`."""
    lines = []
    for key in sorted(set(old) | set(new)):
        a, b = old.get(key, "(unset)"), new.get(key, "(unset)")
        if isinstance(a, dict) and isinstance(b, dict):
            lines += differences(a, b, f"{prefix}{key}.")
        elif a != b:
            lines.append(f"{prefix}{key}: {a} -> {b}")
    return lines


def begin(directory: str | os.PathLike, stage: str, config: dict) -> dict | None:
    """Claim `directory` for a stage with this config; the manifest if all of it is already done.

    Returns None where work is left to do (nothing there, or an interrupted run of the same config). A claim that
    left nothing, as that of a command which failed for a wrong option, counts as nothing.

    Raises
    ------
    ConfigurationError
        if the directory holds results, finished or not, of another stage or another config
    """
    directory = Path(directory)
    before = _before(directory)
    if before is None or _is_empty(directory):
        write_json(directory / STARTED, {"stage": stage, "config": config})
        return None
    if before["stage"] != stage:
        raise ConfigurationError(f"{directory} holds results of stage {before['stage']!r}. Choose another -o")
    changed = differences(before["config"], as_json(config))
    if changed:
        raise ConfigurationError(
            f"{directory} was made with other settings ({'; '.join(changed)}). "
            "Choose another -o, or delete that directory"
        )
    return before if (directory / NAME).exists() else None


def has_other_config(directory: str | os.PathLike, stage: str, config: dict) -> bool:
    """Whether a directory holds results, finished or not, of the same stage with another config."""
    before = _before(Path(directory))
    return before is not None and before["stage"] == stage and before["config"] != as_json(config)


def _before(directory: Path) -> dict | None:
    """Stage and config of what a directory holds, finished or not; None if there is nothing."""
    for name in (NAME, STARTED):
        if (directory / name).exists():
            return _object(directory / name)
    return None


def _is_empty(directory: Path) -> bool:
    """Whether a directory was claimed and nothing came of it: a wrong option, mended, needs no other place."""
    return [path.name for path in directory.iterdir()] == [STARTED]


def as_json(config: dict) -> dict:
    """A config as it is read back, so that tuples and lists compare equal."""
    return json.loads(json.dumps(config))
