"""All pairs of events and baselines, block by block, to a tolerance, in memory that does not grow with their number.

The attributions of a pair must add up to f(x) - f(x') (completeness). The error of this sum is known without further
work, and decides the number of nodes: first on a sample of pairs for all of them, then again for the pairs that need
more nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import tensorflow as tf

from xaug.core.types import Array, Arrays
from xaug.core.workers import cores
from xaug.explain.gradients.integrator import Integrator, Table
from xaug.explain.targets import Target

__all__ = ["REACHED", "Pairs", "event_baseline_pairs", "node_numbers"]

Result = TypeVar("Result")

REACHED = 0.95
"""Share of the pairs that must be within the tolerance."""
PILOT = 256
"""Size of the sample of pairs on which the number of nodes is chosen."""
PILOT_REACHED = 0.97
"""Share of the sample that must be within the tolerance: somewhat more, since it is a sample."""
TABLE = 64 * 2**20
"""Bytes that the tables of events may take."""


@dataclass(frozen=True)
class Pairs:
    """Attributions of a block of events, each with the same number of baselines.

    Attributes
    ----------
    rows : slice
        rows of the events
    columns : (events, baselines) array of int
        rows of the baselines of each event
    attribution : dict of arrays
        by input name, (events, baselines, ...) float32
    error : (events, baselines) array
        sum of attributions - (f(x) - f(x'))
    logit : (events,) array
        f(x)
    reference : (events, baselines) array
        f(x')
    nodes : (events, baselines) array of int
        number of nodes that were used
    """

    rows: slice
    columns: Array
    attribution: Arrays
    error: Array
    logit: Array
    reference: Array
    nodes: Array


def node_numbers(most: int) -> list[int]:
    """Numbers of nodes that are tried, which grow by about a quarter: 1, 2, 3, 4, 5, 6, 8, 10, 14, ..., most."""
    found = [1]
    while found[-1] < most:
        step = 2 ** int(np.log2(found[-1] / 2.5)) if found[-1] > 5 else 1
        found.append(min(most, found[-1] + step))
    return found


def event_baseline_pairs(
    integrator: Integrator,
    x: Arrays,
    baselines: Arrays,
    target: Target,
    tolerance: float,
    max_nodes: int,
    drawn: Array | None = None,
) -> Iterator[Pairs]:
    """Attributions of all pairs, block by block, in the order of the events (and of their baselines).

    Parameters
    ----------
    integrator : Integrator
        integrator of the model
    x, baselines : dict of arrays
        scaled inputs by input name, of n events and of m baselines
    target : Target
        the explained class
    tolerance : float
        allowed |sum of attributions - (f(x) - f(x'))|, for 95% of the pairs of every block
    max_nodes : int
        largest number of nodes
    drawn : (n, k) array of int, optional
        rows of the baselines of each event; default: all of them

    Yields
    ------
    Pairs
    """
    n, m = (len(next(iter(arrays.values()))) for arrays in (x, baselines))
    if n == 0:
        return
    each = m if drawn is None else drawn.shape[1]
    rows, columns = next(_blocks(n, each, integrator.batch))
    block = rows.stop - rows.start, columns.stop - columns.start
    job = _PairIntegration(integrator, x, baselines, target, tolerance, max_nodes, block, drawn is None)
    job.choose_nodes(n, m, drawn)
    workers = cores() if integrator.jit else 1  # XLA's code runs on one core; other operations share all of them
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


def _in_order(
    pool: ThreadPoolExecutor, function: Callable[[_PairBlock], Result], tasks: Iterator[_PairBlock], ahead: int
) -> Iterator[Result]:
    """Results of function(task) in the order of the tasks; not more than `ahead` of them are in memory."""
    waiting: list[Future[Result]] = []
    for task in tasks:
        waiting.append(pool.submit(function, task))
        if len(waiting) >= ahead:
            yield waiting.pop(0).result()
    for future in waiting:
        yield future.result()


@dataclass(frozen=True)
class _Events:
    """Some events as the integral reads them: their table, and their explained classes."""

    table: Table
    directions: tf.Tensor


@dataclass(frozen=True)
class _PairBlock:
    """A block of pairs to integrate: rows of the events in their table and among all, and rows of the baselines."""

    events: _Events
    first: int
    rows: slice
    columns: Array


class _PairIntegration:
    """The events, baselines and tolerance of one integration, and the number of nodes that it chose."""

    def __init__(
        self, integrator: Integrator, x: Arrays, baselines: Arrays, target: Target, tolerance: float, max_nodes: int,
        block: tuple[int, int], full: bool,
    ):  # fmt: skip
        self.integrator, self.x, self.target, self.tolerance = integrator, x, target, tolerance
        self.batch, self.grid = block[0] * block[1], block if full else None
        self.node_numbers = node_numbers(max_nodes)
        self.nodes = self.node_numbers[0]
        self.fixed = integrator.table(baselines)
        n = len(next(iter(x.values())))
        row = 4 * sum(int(np.prod(table.shape[1:])) for table in self.fixed)
        self.size = min(1 << (n - 1).bit_length(), max(1, TABLE // row))

    def events(self, rows: slice | Array) -> _Events:
        """Some events as the integral reads them."""
        table = self.integrator.table({name: values[rows] for name, values in self.x.items()}, self.size)
        target = self.target.at(rows, self.size)
        return _Events(table, tf.constant(self.integrator.directions(target, table[-1].numpy())))

    def choose_nodes(self, n: int, m: int, drawn: Array | None) -> None:
        """Choose the smallest number of nodes that is enough for 97% of a sample of pairs.

        The sample is the same at every call.
        """
        rng = np.random.default_rng(0)
        pairs = np.arange(n * m) if n * m <= PILOT else rng.integers(n * m, size=PILOT)
        of_event, of_baseline = pairs // m, pairs % m
        if drawn is not None:
            of_baseline = drawn[of_event, of_baseline % drawn.shape[1]]
        rows, local = np.unique(of_event, return_inverse=True)
        kept = local < self.size
        events = self.events(rows[: self.size])

        def enough(step: int) -> bool:
            _, error, _, _ = self.integrator.integrate(
                events.table, self.fixed, events.directions, local[kept], of_baseline[kept], self.node_numbers[step],
                self.batch,
            )  # fmt: skip
            return bool(np.mean(np.abs(error) <= self.tolerance) >= PILOT_REACHED)

        # doubling, then bisection: errors fall with the number of nodes
        low, high, last = -1, 0, len(self.node_numbers) - 1
        while high < last and not enough(high):
            low, high = high, min(2 * high + 1, last)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if enough(middle) else (middle, high)
        self.nodes = self.node_numbers[high]

    def tasks(self, events: _Events, first: int, last: int, m: int, drawn: Array | None) -> Iterator[_PairBlock]:
        """Blocks of the events first to last, which are made when they are asked for."""
        every = np.arange(m)[None]
        for rows, which in _blocks(last - first, m if drawn is None else drawn.shape[1], self.integrator.batch):
            here = slice(first + rows.start, first + rows.stop)
            columns = every[:, which] if drawn is None else drawn[here, which]
            yield _PairBlock(
                events, rows.start, here, np.broadcast_to(columns, (here.stop - here.start, columns.shape[1]))
            )

    def block(self, block: _PairBlock) -> Pairs:
        """Integrate one block.

        Pairs outside the tolerance are integrated again with more nodes until 95% of the block are within it.
        """
        table, directions = block.events.table, block.events.directions
        first, columns = block.first, block.columns
        of_event, of_baseline = np.repeat(first + np.arange(len(columns)), columns.shape[1]), columns.ravel()
        if self.grid is None:
            found, error, logit, reference = self.integrator.integrate(
                table, self.fixed, directions, of_event, of_baseline, self.nodes, self.batch
            )
        else:
            found, error, logit, reference = self.integrator.integrate_grid(
                table, self.fixed, directions, first + np.arange(len(columns)), columns[0], self.nodes, self.grid
            )
        nodes = np.full(len(error), self.nodes)
        higher = self.node_numbers[self.node_numbers.index(self.nodes) + 1 :]
        for more in higher[-1::-2][::-1]:  # every other one, up to the last
            wrong = np.flatnonzero(~(np.abs(error) <= self.tolerance))
            if len(wrong) <= (1 - REACHED) * len(error):
                break
            better, better_error, _, _ = self.integrator.integrate(
                table, self.fixed, directions, of_event[wrong], of_baseline[wrong], more, self.batch
            )
            found, error = [values.copy() for values in found], error.copy()  # tensors cannot be written to
            for values, new in zip(found, better, strict=True):
                values[wrong] = new
            error[wrong], nodes[wrong] = better_error, more
        shape = columns.shape
        named = {name: v.reshape(*shape, *v.shape[1:]) for name, v in self.integrator.by_name(found).items()}
        return Pairs(
            block.rows, columns, named, error.reshape(shape), logit.reshape(shape)[:, 0], reference.reshape(shape),
            nodes.reshape(shape),
        )  # fmt: skip
