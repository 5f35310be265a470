"""All pairs of events and baselines, block by block, to a tolerance, in memory that does not grow with their number.

What the attributions of a pair lack in the sum, f(x) - f(x'), is known without further work ("completeness"), so it
decides the number of nodes: first on a sample of pairs for all, then again for those pairs that need more.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from xaug.core.workers import cores
from xaug.explain.gradients.integrator import Integrator
from xaug.explain.targets import Target

__all__ = ["REACHED", "Pairs", "ladder", "sweep"]

REACHED = 0.95
"""Share of the pairs that must be within the tolerance."""
PILOT = 256
"""Pairs on which the number of nodes is chosen."""
PILOT_REACHED = 0.97
"""Share of those that must be within the tolerance: somewhat more, since they are a sample."""
TABLE = 64 * 2**20
"""Bytes of the inputs of events that are held ready."""


@dataclass(frozen=True)
class Pairs:
    """Attributions of a block of events, each with the same number of baselines.

    Attributes
    ----------
    rows : slice
        of the events
    columns : (events, baselines) int
        which baselines each event has
    attribution
        by input name, (events, baselines, ...) float32
    error : (events, baselines)
        sum of attributions - (f(x) - f(x'))
    logit, reference
        f(x) (events,) and f(x') (events, baselines)
    nodes : (events, baselines) int
    """

    rows: slice
    columns: np.ndarray
    attribution: dict[str, np.ndarray]
    error: np.ndarray
    logit: np.ndarray
    reference: np.ndarray
    nodes: np.ndarray


def ladder(most: int) -> list[int]:
    """Numbers of nodes that are tried, in steps of about a quarter: 1, 2, 3, 4, 5, 6, 8, 10, 14, ..., most."""
    found = [1]
    while found[-1] < most:
        step = 2 ** int(np.log2(found[-1] / 2.5)) if found[-1] > 5 else 1
        found.append(min(most, found[-1] + step))
    return found


def sweep(
    path: Integrator,
    x: dict[str, np.ndarray],
    baselines: dict[str, np.ndarray],
    target: Target,
    tolerance: float,
    most: int,
    drawn: np.ndarray | None = None,
) -> Iterator[Pairs]:
    """Attributions of all pairs, block by block, in the order of the events (and of their baselines).

    Parameters
    ----------
    x, baselines
        arrays by input name, of n events and of the baselines
    tolerance
        of |sum of attributions - (f(x) - f(x'))|, for 95% of the pairs of every block
    most
        nodes at most
    drawn : (n, k) int, optional
        the baselines that each event has; default: all of them
    """
    n, m = (len(next(iter(arrays.values()))) for arrays in (x, baselines))
    if n == 0:
        return
    each = m if drawn is None else drawn.shape[1]
    block = tuple(part.stop - part.start for part in next(_blocks(n, each, path.batch)))
    job = _Job(path, x, baselines, target, tolerance, most, block, drawn is None)
    job.choose_nodes(n, m, drawn)
    workers = cores() if path.jit else 1  # what XLA compiles runs on one core; other operations share all of them
    with ThreadPoolExecutor(workers) as pool:
        for first in range(0, n, job.size):
            last = min(first + job.size, n)
            events = job.events(slice(first, last))
            tasks = job.tasks(events, first, last, m, drawn)
            yield from _in_order(pool, job.block, tasks, 2 * workers)


def _blocks(n: int, m: int, batch: int) -> Iterator[tuple[slice, slice]]:
    """Blocks of n events x m baselines of at most `batch` pairs: whole events, or a share of one event's baselines."""
    events = max(1, batch // m)
    width = -(-m // -(-m // batch))
    for first in range(0, n, events):
        for column in range(0, m, width):
            yield slice(first, min(first + events, n)), slice(column, min(column + width, m))


def _in_order(pool: ThreadPoolExecutor, function, tasks: Iterator[tuple], ahead: int) -> Iterator:
    """Results of function(*task) in the order of the tasks; not more than `ahead` of them are in memory."""
    waiting: list = []
    for task in tasks:
        waiting.append(pool.submit(function, *task))
        if len(waiting) >= ahead:
            yield waiting.pop(0).result()
    for future in waiting:
        yield future.result()


class _Job:
    """One sweep: its events, baselines and tolerance, and the number of nodes it settled on."""

    def __init__(self, path: Integrator, x: dict, baselines: dict, target: Target, tolerance: float, most: int,
                 block: tuple[int, int], full: bool):  # fmt: skip
        self.path, self.x, self.target, self.tolerance = path, x, target, tolerance
        self.batch, self.grid = block[0] * block[1], block if full else None
        self.ladder = ladder(most)
        self.nodes = self.ladder[0]
        self.fixed = path.table(baselines)
        n = len(next(iter(x.values())))
        row = 4 * sum(int(np.prod(table.shape[1:])) for table in self.fixed)
        self.size = min(1 << (n - 1).bit_length(), max(1, TABLE // row))

    def events(self, rows) -> tuple:
        """What the integral reads of some events: their table, and their explained classes."""
        table = self.path.table({name: values[rows] for name, values in self.x.items()}, self.size)
        return table, tf.constant(self.path.directions(self.target, table[-1].numpy()))

    def choose_nodes(self, n: int, m: int, drawn: np.ndarray | None) -> None:
        """The smallest number of nodes that is enough for 97% of a sample of pairs, the same at every call."""
        rng = np.random.default_rng(0)
        pairs = np.arange(n * m) if n * m <= PILOT else rng.integers(n * m, size=PILOT)
        of_event, of_baseline = pairs // m, pairs % m
        if drawn is not None:
            of_baseline = drawn[of_event, of_baseline % drawn.shape[1]]
        rows, local = np.unique(of_event, return_inverse=True)
        kept = local < self.size
        events = self.events(rows[: self.size])

        def enough(step: int) -> bool:
            _, error, _, _ = self.path.integrate(
                events[0], self.fixed, events[1], local[kept], of_baseline[kept], self.ladder[step], self.batch
            )
            return np.mean(np.abs(error) <= self.tolerance) >= PILOT_REACHED

        # doubling, then bisection: errors fall with the number of nodes
        low, high, last = -1, 0, len(self.ladder) - 1
        while high < last and not enough(high):
            low, high = high, min(2 * high + 1, last)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if enough(middle) else (middle, high)
        self.nodes = self.ladder[high]

    def tasks(self, events: tuple, first: int, last: int, m: int, drawn: np.ndarray | None) -> Iterator[tuple]:
        """Arguments of `block` for the events first to last, made as they are asked for."""
        every = np.arange(m)[None]
        for rows, which in _blocks(last - first, m if drawn is None else drawn.shape[1], self.path.batch):
            here = slice(first + rows.start, first + rows.stop)
            columns = every[:, which] if drawn is None else drawn[here, which]
            yield events, rows.start, here, np.broadcast_to(columns, (here.stop - here.start, columns.shape[1]))

    def block(self, events: tuple, first: int, rows: slice, columns: np.ndarray) -> Pairs:
        """One block; pairs that fail are integrated again with more nodes until 95% of the block are right."""
        table, directions = events
        of_event, of_baseline = np.repeat(first + np.arange(len(columns)), columns.shape[1]), columns.ravel()
        if self.grid is None:
            found, error, logit, reference = self.path.integrate(
                table, self.fixed, directions, of_event, of_baseline, self.nodes, self.batch
            )
        else:
            found, error, logit, reference = self.path.integrate_grid(
                table, self.fixed, directions, first + np.arange(len(columns)), columns[0], self.nodes, self.grid
            )
        nodes = np.full(len(error), self.nodes)
        higher = self.ladder[self.ladder.index(self.nodes) + 1 :]
        for more in higher[-1::-2][::-1]:  # every other one, up to the last
            wrong = np.flatnonzero(~(np.abs(error) <= self.tolerance))
            if len(wrong) <= (1 - REACHED) * len(error):
                break
            better, better_error, _, _ = self.path.integrate(
                table, self.fixed, directions, of_event[wrong], of_baseline[wrong], more, self.batch
            )
            found, error = [values.copy() for values in found], error.copy()  # tensors cannot be written to
            for values, new in zip(found, better, strict=True):
                values[wrong] = new
            error[wrong], nodes[wrong] = better_error, more
        shape = columns.shape
        named = {name: v.reshape(*shape, *v.shape[1:]) for name, v in self.path.by_name(found).items()}
        return Pairs(
            rows, columns, named, error.reshape(shape), logit.reshape(shape)[:, 0], reference.reshape(shape),
            nodes.reshape(shape),
        )  # fmt: skip
