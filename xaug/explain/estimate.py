"""The time that an explanation takes, for callers who do not follow its events: a line on standard error."""

from __future__ import annotations

import time
from collections.abc import Callable

from xaug.core.progress import note

__all__ = ["LONG", "announced", "unfollowed"]

LONG = 10.0
"""Seconds from which on an estimate is announced."""


def unfollowed(n: int) -> None:
    """Default of `on_events`: nobody follows how many events are done."""


def announced(what: str, total: int, on_events: Callable[[int], None]) -> Callable[[int], None]:
    """A function to call with the number of events done, which announces once how long the rest takes.

    The first block is not timed, since compilation is part of it. Who follows the events, as a progress bar does, has
    an estimate already, and gets nothing but the calls.

    Parameters
    ----------
    what : str
        name of the method in the announcement
    total : int
        number of events
    on_events : callable
        function of the caller; `unfollowed` if there is none
    """
    if on_events is not unfollowed:
        return on_events
    times: list[float] = []
    done = 0

    def count(n: int) -> None:
        nonlocal done
        if not n:
            return
        done += n
        times.append(time.monotonic())
        if len(times) == 2 and (left := (times[1] - times[0]) * (total - done) / n) > LONG:
            note(f"{what}: {total} events, about {left:.0f} s")

    return count
