"""How work on pairs is divided: numbers of nodes, blocks of a grid of events and baselines, tasks in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np

__all__ = ["grid_blocks", "in_order", "node_numbers"]

Task = TypeVar("Task")
Result = TypeVar("Result")


def node_numbers(most: int) -> list[int]:
    """Numbers of nodes that are tried, which grow by about a quarter: 1, 2, 3, 4, 5, 6, 8, 10, 14, ..., most."""
    found = [1]
    while found[-1] < most:
        step = 2 ** int(np.log2(found[-1] / 2.5)) if found[-1] > 5 else 1
        found.append(min(most, found[-1] + step))
    return found


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
