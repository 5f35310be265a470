"""Checks of the environment: Python, packages, memory, disk, text encoding, and whether TensorFlow starts."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from xaug.core.workers import cores

__all__ = ["Finding", "findings"]

LEAST_MEMORY, LEAST_DISK = 4.0, 5.0
"""Memory and free disk [GB] that a study at quick scale needs."""
START = "import tensorflow as tf; print(float(tf.reduce_sum([1.0, 2.0])))"


@dataclass(frozen=True)
class Finding:
    """One check of the environment.

    Attributes
    ----------
    name
        what was checked
    state
        "ok"; "absent" for what only some commands need; or "problem"
    text
        what was found
    remedy
        what to do about a problem
    """

    name: str
    state: str
    text: str
    remedy: str = ""

    @property
    def line(self) -> str:
        """The finding as a line of text."""
        return f"{self.state:8}{self.name}: {self.text}" + (f". {self.remedy}" if self.remedy else "")


def findings(directory: Path) -> list[Finding]:
    """All checks.

    Parameters
    ----------
    directory : Path
        where results would be written
    """
    found = [_python(), *_packages(), *_machine(directory), _text()]
    if importlib.util.find_spec("tensorflow") is not None:
        found.append(_tensorflow())
    return found


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", "ok", f"{version} in {sys.prefix}")


def _packages() -> Iterator[Finding]:
    """Each package that xaug needs, beside the versions that it works with."""
    try:
        requirements = [Requirement(text) for text in metadata.requires("xaug") or []]
    except metadata.PackageNotFoundError:
        yield Finding("xaug", "problem", "it runs from files that are not installed", "Run pip install '.[study]'")
        return
    absent: dict[str, list[str]] = {}
    for one in requirements:
        marker = one.marker
        always = marker is None or marker.evaluate({"extra": ""})
        extras = [] if marker is None or always else [name for name in _extras() if marker.evaluate({"extra": name})]
        if one.name == "xaug" or not (always or extras):  # of another Python, or another name of an extra
            continue
        try:
            version = metadata.version(one.name)
        except metadata.PackageNotFoundError:
            if not extras:
                yield Finding(one.name, "problem", "is not installed", f"Run pip install '{one.name}{one.specifier}'")
            else:
                absent.setdefault(extras[0], []).append(one.name)
            continue
        if extras and extras[0] in _FOR_DEVELOPERS:
            continue
        if one.specifier.contains(version, prereleases=True):
            yield Finding(one.name, "ok", version)
        else:
            remedy = f"Run pip install '{one.name}{one.specifier}'"
            yield Finding(one.name, "problem", f"{version} is installed, xaug needs {one.specifier}", remedy)
    for extra, names in absent.items():
        if extra not in _FOR_DEVELOPERS:
            yield Finding(extra, "absent", ", ".join(names), f"For its commands run pip install 'xaug[{extra}]'")


_FOR_DEVELOPERS = ("test", "notebooks", "bench")
"""Extras whose packages no command of xaug needs."""


def _extras() -> list[str]:
    return metadata.metadata("xaug").get_all("Provides-Extra") or []


def _machine(directory: Path) -> Iterator[Finding]:
    """Processors, memory and disk."""
    yield Finding("processors", "ok", f"{cores()} that this process may use")
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (ValueError, OSError, AttributeError):
        memory = float("nan")
    few = memory < LEAST_MEMORY
    remedy = "Use --workers 1 and small numbers of events" if few else ""
    yield Finding("memory", "problem" if few else "ok", f"{memory:.0f} GB", remedy)
    free = shutil.disk_usage(directory).free / 1e9
    if not os.access(directory, os.W_OK):
        yield Finding("disk", "problem", f"{directory} is not writable", "Choose another place by -o")
    elif free < LEAST_DISK:
        yield Finding("disk", "problem", f"{free:.1f} GB are free in {directory}", "Free some space")
    else:
        yield Finding("disk", "ok", f"{free:.0f} GB free in {directory}")


def _text() -> Finding:
    encoding = sys.stdout.encoding or "unknown"
    if encoding.lower().replace("-", "") == "utf8":
        return Finding("text", "ok", encoding)
    remedy = "Greek letters are shown as ?; set PYTHONUTF8=1 for all of them"
    return Finding("text", "absent", f"the encoding of this terminal is {encoding}", remedy)


def _tensorflow() -> Finding:
    """Whether TensorFlow adds two numbers in a process of its own."""
    try:
        quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run([sys.executable, "-c", START], capture_output=True, text=True, timeout=300, env=quiet)
    except subprocess.TimeoutExpired:
        return Finding("TensorFlow starts", "problem", "no answer within 5 minutes", "Try again when it is idle")
    if done.returncode == 0 and done.stdout.strip() == "3.0":
        return Finding("TensorFlow starts", "ok", "it adds two numbers")
    last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return Finding("TensorFlow starts", "problem", last, "Install xaug in a fresh environment")
