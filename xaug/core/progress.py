"""Progress of a command while it runs: bars on a terminal, whole lines in a log file, nothing with `-q`."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn, TextIO, TypeVar, cast, overload

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["Activity", "activity", "announce", "bar", "begin_stage", "following", "note"]

Item = TypeVar("Item")
LOG = logging.getLogger("xaug")
LINE = "{desc}: {percentage:3.0f}% {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]"
"""A progress report without a drawn bar, for a log file."""
NUMBERS, LEAST = 22, 12
"""Columns of a terminal that a bar keeps for its percentage and count, and those that its description has at least."""


@dataclass
class Activity:
    """The work that one command has done so far.

    Attributes
    ----------
    quiet
        whether the command shows errors only
    stages
        names of all stages of the command, in their order; empty where they are not known
    written, found
        directories that were finished by this command, and those that an earlier command had finished
    """

    quiet: bool = False
    stages: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)

    @property
    def had_nothing_to_do(self) -> bool:
        """Whether everything that was asked for was there already."""
        return bool(self.found) and not self.written


_CURRENT: ContextVar[Activity | None] = ContextVar("activity", default=None)


def activity() -> Activity:
    """The activity of the command that runs; a new one outside of commands."""
    return _CURRENT.get() or Activity()


@contextmanager
def following(quiet: bool = False) -> Iterator[Activity]:
    """Follow what is done within the block."""
    token = _CURRENT.set(Activity(quiet))
    try:
        yield activity()
    finally:
        _CURRENT.reset(token)


def note(text: str) -> None:
    """Write a line about progress to standard error, unless the command is quiet."""
    if not activity().quiet:
        from tqdm import tqdm

        tqdm.write(text, file=sys.stderr)
    LOG.debug(text)


def announce(stages: Iterable[str]) -> None:
    """Name all stages of the command that runs, in their order."""
    activity().stages[:] = stages


def begin_stage(name: str) -> None:
    """Say that a stage begins, and which of how many it is."""
    stages = activity().stages
    place = f"stage {stages.index(name) + 1} of {len(stages)}: " if name in stages else ""
    note(f"{place}{name}")


class WholeLines:
    """A stream that turns what tqdm writes into lines without carriage returns or movements of the cursor."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.encoding = stream, getattr(stream, "encoding", "utf-8")
        self.last = ""

    def write(self, text: str) -> None:
        """Write a line, unless it is empty or the last one again."""
        line = text.replace("\r", "").replace("\x1b[A", "").strip()
        if line and line != self.last:
            self.stream.write(f"{line}\n")
            self.last = line

    def flush(self) -> None:
        """Flush the stream."""
        self.stream.flush()


def fitted(description: str, columns: int) -> str:
    """The description of a bar; where it left no room for the numbers, dots stand for its middle."""
    most = max(columns - NUMBERS, LEAST)
    if len(description) <= most:
        return description
    end = (most - 3) // 2
    return f"{description[: most - 3 - end]}...{description[-end:]}"


def _columns_of(stream: TextIO) -> int:
    """Columns of the terminal that a stream writes to."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or shutil.get_terminal_size().columns
    except (OSError, ValueError):
        return shutil.get_terminal_size().columns


@overload
def bar(
    total: float | None, description: str, unit: str, *, initial: float = 0, leave: bool = True
) -> tqdm[NoReturn]: ...


@overload
def bar(
    total: float | None, description: str, unit: str, *, iterable: Iterable[Item], leave: bool = True
) -> tqdm[Item]: ...


def bar(
    total: float | None,
    description: str,
    unit: str,
    *,
    iterable: Iterable[Item] | None = None,
    initial: float = 0,
    leave: bool = True,
) -> tqdm[Item] | tqdm[NoReturn]:
    """A progress bar on standard error: it moves on a terminal, and writes one line a minute into a log file.

    Parameters
    ----------
    total : float or None
        number of units at the end; None if it is unknown or that of `iterable`
    description, unit : str
        what is done, and what is counted
    iterable : iterable, optional
        items to iterate over, one unit each; without it, call `update`
    initial : float
        units that are done already
    leave : bool
        whether the finished bar stays on the screen
    """
    from tqdm import tqdm

    live = sys.stderr.isatty()
    known = total is not None or hasattr(iterable, "__len__")
    return tqdm(
        iterable,
        total=total,
        desc=fitted(description, _columns_of(sys.stderr)) if live else description,
        unit=f" {unit}",
        initial=initial,
        leave=leave,
        dynamic_ncols=live,
        mininterval=0.1 if live else 60.0,
        maxinterval=10.0 if live else 120.0,
        file=sys.stderr if live else cast(TextIO, WholeLines(sys.stderr)),
        bar_format=LINE if known and not live else None,
        disable=activity().quiet,
    )
