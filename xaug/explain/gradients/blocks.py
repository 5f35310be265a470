"""Blocks of a grid of events and baselines, and results of tasks in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["grid_blocks", "in_order"]

Task = TypeVar("Task")
Result = TypeVar("Result")


def grid_blocks(n: int, m: int, batch: int) -> Iterator[tuple[slice, slice]]:
    """Blocks of n events x m baselines of at most `batch` pairs: whole events, or a share of one event's baselines."""
    events = max(1, batch // m)
    width = -(-m // -(-m // batch))
    for first in range(0, n, events):
        for column in range(0, m, width):
            yield slice(first, min(first + events, n)), slice(column, min(column + width, m))


def in_order(
    pool: ThreadPoolExecutor, function: Callable[[Task], Result], tasks: Iterator[Task], ahead: int
) -> Iterator[Result]:
    """Results of function(task) in the order of the tasks; not more than `ahead` of them are in memory."""
    waiting: list[Future[Result]] = []
    for task in tasks:
        waiting.append(pool.submit(function, task))
        if len(waiting) >= ahead:
            yield waiting.pop(0).result()
    for future in waiting:
        yield future.result()
