"""All pairs of events and baselines, block by block, to a tolerance, in memory that does not grow with their number.

The attributions of a pair must add up to f(x) - f(x') (completeness). The error of this sum is known without further
work, but it is blind to errors of two features that cancel. On a sample of pairs, the attributions of each feature must
therefore agree with those by many more nodes, too; this decides the number of nodes of all pairs. Pairs whose sum is
wrong nevertheless are integrated again with more nodes, until sum and features agree. Where there are few pairs, the
sample is all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from xaug.core.progress import note
from xaug.core.types import Array, Arrays
from xaug.core.workers import cores
from xaug.explain.gradients.blocks import grid_blocks, in_order, node_numbers
from xaug.explain.gradients.integrator import Integrator
from xaug.explain.gradients.kinks import integrate_pieces, is_suitable
from xaug.explain.gradients.path_kernel import Table
from xaug.explain.gradients.terms import Terms
from xaug.explain.targets import Target

__all__ = ["LONG", "REACHED", "Pairs", "event_baseline_pairs", "nodes_needed"]

REACHED = 0.95
"""Share of the pairs that must be within the tolerance."""
PILOT = 256
"""Size of the sample of pairs on which the number of nodes is chosen, for networks that are compiled."""
REFERENCE = 64
"""Least number of nodes, if so many are allowed, with which the attributions of the sample are compared."""
SLOW_PILOT, SLOW_REFERENCE = 64, 32
"""The same for networks that are not compiled."""
PILOT_REACHED = 0.97
"""Share of the sample that must be within the tolerance: somewhat more, since it is a sample."""
FEW = 16
"""Number of nodes up to which a quadrature is never more work than to look for kinks."""
BUDGET = 4
"""Evaluations of a pair that may be spent on looking for kinks, relative to the largest number of nodes."""
STUCK = 0.05
"""Relative change of the error of a sum that counts as none: f jumps on the path, which no node sees."""
TABLE = 64 * 2**20
"""Bytes that the tables of events may take."""
LONG = 10.0
"""Seconds from which on an estimate of the time is announced."""
TIMED = 20
"""Blocks from which on the time of one is measured, to announce that of all."""


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
    within : (events, baselines) array of bool
        whether the sum, and each feature where that was compared, is right to the tolerance
    agreement : float
        share of the sample of pairs in which each feature agrees with that by many more nodes
    is_stuck : bool
        whether more nodes change nothing about the errors of the sums in the sample
    """

    rows: slice
    columns: Array
    attribution: Arrays
    error: Array
    logit: Array
    reference: Array
    nodes: Array
    within: Array
    agreement: float
    is_stuck: bool = False


def event_baseline_pairs(
    integrator: Integrator,
    x: Arrays,
    baselines: Arrays,
    target: Target,
    tolerance: float,
    max_nodes: int,
    drawn: Array | None = None,
    skipped: int = 0,
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
        allowed error of the sum of attributions and of each of them, for 95% of the pairs of every block, relative to
        |f(x) - f(x')|, or to 1 (see `_PairIntegration.allowed`) if that is larger
    max_nodes : int
        largest number of nodes
    drawn : (n, k) array of int, optional
        rows of the baselines of each event; default: all of them
    skipped : int, optional
        number of blocks, from the first on, that are not needed

    Yields
    ------
    Pairs
    """
    n, m = (len(next(iter(arrays.values()))) for arrays in (x, baselines))
    if n == 0:
        return
    job = _integration(integrator, x, baselines, target, tolerance, max_nodes, drawn)
    workers = cores() if integrator.jit else 1  # XLA's code runs on one core; other operations share all of them
    _announce(job, n, m, drawn, workers)
    with ThreadPoolExecutor(workers) as pool:
        for first in range(0, n, job.size):
            last = min(first + job.size, n)
            blocks = list(grid_blocks(last - first, m if drawn is None else drawn.shape[1], job.integrator.batch))
            own = blocks[skipped:]
            skipped = max(0, skipped - len(blocks))
            if own:
                tasks = job.tasks(job.events(slice(first, last)), first, own, m, drawn)
                yield from in_order(pool, job.block, tasks, 2 * workers)


def _announce(job: _PairIntegration, n: int, m: int, drawn: Array | None, workers: int) -> None:
    """Say how long all pairs take, if that is long, from the time of one block."""
    each = m if drawn is None else drawn.shape[1]
    if n * each < TIMED * job.batch:
        return
    last = min(n, job.size)
    block = next(grid_blocks(last, each, job.integrator.batch))
    task = next(job.tasks(job.events(slice(0, last)), 0, [block], m, drawn))
    job.block(task)  # without the time to start
    start = time.perf_counter()
    job.block(task)
    seconds = (time.perf_counter() - start) * n * each / task.columns.size / workers
    if seconds > LONG:
        how = "from kink to kink" if job.by_pieces else f"{job.nodes} nodes each"
        note(f"Integrated Gradients: {n} events x {each} baselines, {how}, about {seconds:.0f} s")


def nodes_needed(
    integrator: Integrator, x: Arrays, baselines: Arrays, target: Target, tolerance: float, max_nodes: int
) -> int:
    """Number of nodes with which `event_baseline_pairs` of the same arguments begins."""
    return _integration(integrator, x, baselines, target, tolerance, max_nodes, None).nodes


def _integration(
    integrator: Integrator, x: Arrays, baselines: Arrays, target: Target, tolerance: float, max_nodes: int,
    drawn: Array | None,
) -> _PairIntegration:  # fmt: skip
    """The integration of some pairs, with its number of nodes."""
    n, m = (len(next(iter(arrays.values()))) for arrays in (x, baselines))
    rows, columns = next(grid_blocks(n, m if drawn is None else drawn.shape[1], integrator.batch))
    block = rows.stop - rows.start, columns.stop - columns.start
    job = _PairIntegration(integrator, x, baselines, target, tolerance, max_nodes, block, drawn is None)
    job.choose_nodes(n, m, drawn)
    return job


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
        self.nodes, self.unit = self.node_numbers[0], 1.0
        self.compares_all = self.by_pieces = self.is_stuck = False
        self.agreement = 1.0
        self.known: dict[int, Terms] = {}
        self.fixed = integrator.table(baselines)
        n = len(next(iter(x.values())))
        row = 4 * sum(int(np.prod(table.shape[1:])) for table in self.fixed)
        self.size = min(1 << (n - 1).bit_length(), max(1, TABLE // row))

    def events(self, rows: slice | Array) -> _Events:
        """Some events as the integral reads them."""
        table = self.integrator.table({name: values[rows] for name, values in self.x.items()}, self.size)
        target = self.target.at(rows, self.size)
        return _Events(table, tf.constant(self.integrator.directions(target, table[-1].numpy())))

    def allowed(self, terms: Terms) -> Array:
        """(pairs,) allowed error: the tolerance times |f(x) - f(x')|, or times a unit of f if that is larger.

        The unit is 1 for log-odds and probabilities. For other outputs it is the root mean square of f(x) - f(x') of
        the sample, so that the units of the output do not matter.
        """
        with np.errstate(invalid="ignore"):
            allowed: Array = self.tolerance * np.fmax(np.abs(terms.logit - terms.reference), self.unit)
        return allowed

    def right(self, terms: Terms, change: Array | float = 0.0) -> Array:
        """(pairs,) whether the sum is right, and no attribution changed by more than is allowed."""
        with np.errstate(invalid="ignore"):
            allowed = self.allowed(terms)
            right: Array = (np.abs(terms.error) <= allowed) & (change <= allowed)
        return right

    def reference_nodes(self, nodes: int) -> int:
        """A number of nodes that is as large as is needed to tell whether `nodes` are enough."""
        least = REFERENCE if self.integrator.jit else SLOW_REFERENCE
        higher = [k for k in self.node_numbers if k >= max(least, 2 * nodes)]
        last = self.node_numbers[-1]
        return higher[0] if higher else last if nodes < last else self.node_numbers[max(-2, -len(self.node_numbers))]

    def choose_nodes(self, n: int, m: int, drawn: Array | None) -> None:
        """Choose the smallest number of nodes that is enough for 97% of a sample of pairs.

        The sample is the same at every call.
        """
        rng, size = np.random.default_rng(0), PILOT if self.integrator.jit else SLOW_PILOT
        self.compares_all = n * m <= size
        pairs = np.arange(n * m) if self.compares_all else rng.integers(n * m, size=size)
        of_event, of_baseline = pairs // m, pairs % m
        if drawn is not None:
            of_baseline = drawn[of_event, of_baseline % drawn.shape[1]]
        rows, local = np.unique(of_event, return_inverse=True)
        kept = local < self.size
        events = self.events(rows[: self.size])
        done: dict[int, Terms] = {}

        def terms(nodes: int) -> Terms:
            if nodes not in done:
                done[nodes] = self.integrate(events, local[kept], of_baseline[kept], nodes)
            return done[nodes]

        first = terms(self.node_numbers[0])
        if not self.integrator.readout.has_unit and first.is_finite.any():
            self.unit = float(np.sqrt(np.mean((first.logit - first.reference)[first.is_finite] ** 2))) or 1.0

        def share(step: int) -> float:
            one = terms(self.node_numbers[step])
            right = self.right(one, one.change(terms(self.reference_nodes(self.node_numbers[step]))))
            return float(np.mean(right[one.is_finite])) if one.is_finite.any() else 1.0

        def enough(step: int) -> bool:
            return share(step) >= PILOT_REACHED

        # doubling, then bisection: errors fall with the number of nodes
        low, high, last = -1, 0, len(self.node_numbers) - 1
        while high < last and not enough(high):
            low, high = high, min(2 * high + 1, last)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if enough(middle) else (middle, high)
        self.nodes, self.agreement = self.node_numbers[high], share(high)
        if self.compares_all and drawn is None and kept.all():
            self.known = done  # all pairs in their order: they are not integrated again
        if self.nodes > FEW and is_suitable(self.integrator):
            self._try_pieces(events, local[kept], of_baseline[kept], enough(high))
        if self.agreement < REACHED and not self.by_pieces and high > 3:
            one, other = terms(self.nodes), terms(self.node_numbers[high - 3])
            wrong = ~self.right(one) & one.is_finite
            fallen = np.abs(one.error - other.error)[wrong] > STUCK * np.abs(one.error)[wrong]
            self.is_stuck = bool(wrong.any() and fallen.mean() < 0.5)

    def _try_pieces(self, events: _Events, of_event: Array, of_baseline: Array, is_enough: bool) -> None:
        """Integrate from kink to kink if that is right on the sample, and nodes are not or are more work."""
        for size in (4, 32):  # a network that is not piecewise linear shows on few pairs
            terms, complete, count = self.pieces(events, of_event[:size], of_baseline[:size])
            fine = terms.is_finite
            right = complete & self.right(terms)
            share = float(np.mean(right[fine])) if fine.any() else 0.0
            if share < PILOT_REACHED or (is_enough and count.mean() > self.nodes):
                return
        self.by_pieces, self.agreement = True, share

    def pieces(self, events: _Events, of_event: Array, of_baseline: Array) -> tuple[Terms, Array, Array]:
        """Integrate pairs from kink to kink; whether that was possible, and the numbers of evaluations."""
        terms, complete, count = integrate_pieces(
            self.integrator, events.table, self.fixed, events.directions, of_event, of_baseline,
            BUDGET * self.node_numbers[-1],
        )  # fmt: skip
        return Terms(*terms), complete, count

    def tasks(
        self, events: _Events, first: int, blocks: Sequence[tuple[slice, slice]], m: int, drawn: Array | None
    ) -> Iterator[_PairBlock]:
        """Blocks of the events from the first on, which are made when they are asked for."""
        every = np.arange(m)[None]
        for rows, which in blocks:
            here = slice(first + rows.start, first + rows.stop)
            columns = every[:, which] if drawn is None else drawn[here, which]
            yield _PairBlock(
                events, rows.start, here, np.broadcast_to(columns, (here.stop - here.start, columns.shape[1]))
            )

    def integrate(self, events: _Events, of_event: Array, of_baseline: Array, nodes: int) -> Terms:
        """Integrate pairs that are given by their rows of the two tables."""
        return Terms(
            *self.integrator.integrate(
                events.table, self.fixed, events.directions, of_event, of_baseline, nodes, self.batch
            )
        )

    def block(self, block: _PairBlock) -> Pairs:
        """Integrate one block.

        Pairs outside the tolerance are integrated again with more nodes until 95% of the block are within it.
        """
        events, first, columns = block.events, block.first, block.columns
        of_event, of_baseline = np.repeat(first + np.arange(len(columns)), columns.shape[1]), columns.ravel()
        if self.by_pieces:
            terms, complete, nodes = self.pieces(events, of_event, of_baseline)
            return self.named(block, terms, 1 << np.ceil(np.log2(nodes)).astype(int), complete & self.right(terms))
        of_all = np.repeat(np.arange(block.rows.start, block.rows.stop), columns.shape[1])
        places = of_all * len(self.fixed[0]) + of_baseline  # among all pairs

        def integrated(nodes: int, some: Array | slice = slice(None)) -> Terms:
            if nodes in self.known:
                return self.known[nodes].rows(places[some])
            return self.integrate(events, of_event[some], of_baseline[some], nodes)

        if self.grid is None or self.known:
            terms = integrated(self.nodes)
        else:
            own = events.table, self.fixed, events.directions
            rows = first + np.arange(len(columns)), columns[0]
            terms = Terms(*self.integrator.integrate_grid(*own, *rows, self.nodes, self.grid))
        nodes, within = np.full(len(terms.error), self.nodes), self.right(terms)
        if self.compares_all:
            terms, within = self._compared(terms, integrated, nodes)
        higher = self.node_numbers[self.node_numbers.index(self.nodes) + 1 :]
        for more in higher[-1::-2][::-1]:  # every other one, up to the last
            wrong = np.flatnonzero(~within & terms.is_finite)
            if len(wrong) <= (1 - REACHED) * len(within):
                break
            better = integrated(more, wrong)
            change = self.right(better, better.change(terms.rows(wrong)))
            terms = terms.with_rows(wrong, better)
            nodes[wrong], within[wrong] = more, change
        return self.named(block, terms, nodes, within)

    def named(self, block: _PairBlock, terms: Terms, nodes: Array, within: Array) -> Pairs:
        """Terms as the attributions of a block."""
        shape = block.columns.shape
        named = {name: v.reshape(*shape, *v.shape[1:]) for name, v in self.integrator.by_name(terms.found).items()}
        return Pairs(
            block.rows, block.columns, named, terms.error.reshape(shape), terms.logit.reshape(shape)[:, 0],
            terms.reference.reshape(shape), nodes.reshape(shape), within.reshape(shape),
            1.0 if self.compares_all else self.agreement, self.is_stuck,
        )  # fmt: skip

    def _compared(self, terms: Terms, integrated: Callable[[int], Terms], nodes: Array) -> tuple[Terms, Array]:
        """Compare all attributions with those by more nodes, which are kept where they differ; whether both agree."""
        more = self.reference_nodes(self.nodes)
        finer = integrated(more)
        change = terms.change(finer)
        if more > self.nodes:
            better = np.flatnonzero(change > 0.1 * self.allowed(terms))
            nodes[better] = more
            terms = terms.with_rows(better, finer.rows(better))
        return terms, self.right(terms, change)
