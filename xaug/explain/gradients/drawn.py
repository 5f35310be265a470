"""Integrated Gradients averaged over baselines, from places that are drawn to a requested precision.

The attribution of feature i, averaged over baselines x', is the mean of (x_i - x'_i) df/dx_i at x' + a (x - x') over
baselines and over a in [0, 1]. The full product integrates each pair of an event and a baseline by itself; here each
event has groups of `POINTS` drawn places. In a group, each of `POINTS` equal shares of the way has one place, and so
has each of as many equal shares of the baselines, ordered by their output (a Latin hypercube), so that what depends on
the way alone, or on the output of the baseline alone, hardly adds to the error. Groups are independent of each other:
their spread is the standard error.

The mean output of all baselines is known. So the sum of all attributions is known too, and is the control variate: the
error of the sum is taken from the elements in proportion to their variances, after which each event is complete.

References: M. McKay, R. Beckman, W. Conover, Technometrics 21 (1979) 239 (Latin hypercubes); G. Erion et al.,
arXiv:1906.10670 (drawn places on paths).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import tensorflow as tf

from xaug.core.progress import note
from xaug.core.types import Array, Arrays, JsonObject
from xaug.explain.checkpoint import Checkpoint, Resumable
from xaug.explain.disk_arrays import Zeros, blocks_of, zeros_in_memory
from xaug.explain.gradients.integration import IntegrationJob
from xaug.explain.gradients.pairs import LONG, nodes_needed

__all__ = ["DrawnBlock", "DrawnIntegral", "OnBlock", "draw_integral", "pays"]

SUMS = ("values", "squares", "products", "total", "total_squares")
"""Attributes of `_Sums` that are sums."""
POINTS = 16
"""Places of a group."""
GROUPS = 6
"""Least number of groups of an event, from whose spread its errors follow."""
PILOT_EVENTS, PILOT_GROUPS = 32, 8
"""Events, and groups of each, from which the number of groups is estimated."""
MARGIN = 1.15
"""Groups that are drawn, over those that the pilot asks for."""
ROUNDS = 4
"""Largest number of times that more groups are drawn, where the precision was not reached."""
WORK, COMPILED_WORK = 5e7, 1e7
"""Pairs times floats of the network up to which the full product is computed: it takes some seconds.

Dense networks hold few floats, and where they are piecewise linear a pair needs up to hundreds of nodes.
"""
FEW_BASELINES = 8
"""Number of baselines up to which the full product is computed."""
NODES = 3
"""Nodes that a pair of the full product takes at least: with fewer places than that, no others need be compared."""
MEMORY = 64 * 2**20
"""Bytes that the attributions of a block's places may take."""
PLACES = 2**15
"""Places of a block: some seconds of work, after which events count as done."""
STUCK = 3.0
"""Mean squared pull of the sums of attributions, in the pilot, above which f jumps on the way."""
ROUNDING = 1e-4
"""Error of a sum, relative to f(x) - f(x') or to 1, that is rounding."""
FOLDED = float(np.sqrt(2 / np.pi))
"""Mean absolute value of a normal number of unit width: what noise adds to the absolute value of nothing."""


@dataclass(frozen=True)
class DrawnBlock:
    """Attributions at drawn places, whose mean is the attribution of an event.

    Attributes
    ----------
    rows : array of int
        rows of the events
    columns : (events, places) array of int
        baseline of each place
    values : (events, places, elements) float32 array
        attributions of all inputs, flattened and joined in their order
    """

    rows: Array
    columns: Array
    values: Array


@dataclass(frozen=True)
class DrawnIntegral:
    """Attributions of events, from drawn places.

    Attributes
    ----------
    relevance, standard_error : dict of arrays
        by input name, (n, ...) float32
    logit, reference : (n,) arrays
        f of the event, and its mean over all baselines
    settings : dict
        how much was drawn, and the precision that was reached
    """

    relevance: Arrays
    standard_error: Arrays
    logit: Array
    reference: Array
    settings: JsonObject


OnBlock = Callable[[DrawnBlock], None]


def pays(job: IntegrationJob) -> bool:
    """Whether drawn places are less work than the full product by far: for large networks, events and samples."""
    pairs, integrator = len(job) * len(job.sample), job.integrator
    most = COMPILED_WORK if integrator.jit else WORK
    return len(job.sample) > FEW_BASELINES and pairs * integrator.stem.floats > most


def draw_integral(
    job: IntegrationJob, precision: float, seed: int, on_block: OnBlock, on_events: Callable[[int], None],
    checkpoint: Checkpoint | None = None, kept: Mapping[str, Resumable] | None = None,
) -> DrawnIntegral | None:  # fmt: skip
    """Attributions of all events to a precision; None where the full product is to be preferred.

    Parameters
    ----------
    job : IntegrationJob
        the integration
    precision : float
        error that the drawing may add, relative to the mean absolute attribution of the largest feature: the root mean
        square over events of a feature's standard error, and what noise adds to its mean absolute attribution
    seed : int
        seed of the drawing; each event has random numbers of its own
    on_block : callable
        called with the attributions of all places, block by block
    on_events : callable
        called with the number of events done, block by block
    checkpoint : Checkpoint, optional
        where the sums are kept, block by block, so that another process can go on
    kept : dict of Resumable, optional
        what else it keeps: the sums of `on_block`

    Returns
    -------
    DrawnIntegral or None
        None if f jumps on the way, which the full product finds and reports, or if that is less work
    """
    drawing, every = _Drawing(job, seed), np.arange(len(job))
    zeros = zeros_in_memory if checkpoint is None else checkpoint.zeros
    sums, target = _Sums(len(job), drawing.width, drawing.joined, zeros), drawing.difference(every)
    place = checkpoint.begin("drawn", {"sums": sums, **(kept or {})}) if checkpoint is not None else None
    if place is None:
        groups = _groups_needed(job, drawing, precision)
        if groups is None:
            return None
        place = 0, groups, 0
    first, groups, start = place
    on_events(start if first == 0 else len(job))
    for number in range(first, ROUNDS):
        drawing.add(
            sums, every, every, 2 + number, groups, on_block, on_events if number == 0 else lambda n: None, start,
            None if checkpoint is None else partial(checkpoint.offer, number, groups),
        )  # fmt: skip
        start, reached = 0, drawing.error(sums, target)
        if not reached > precision:
            break
        groups = max(1, int(np.ceil(MARGIN * sums.groups * ((reached / precision) ** 2 - 1))))
    relevance = {name: zeros((len(job), *own), np.float32) for name, own in job.shapes.items()}
    error = {name: zeros((len(job), *own), np.float32) for name, own in job.shapes.items()}
    for rows in blocks_of(len(job)):
        for into, values in zip((relevance, error), sums.complete(target, rows), strict=True):
            for name, own in drawing.by_name(values).items():
                into[name][rows] = own
    return DrawnIntegral(
        relevance, error, drawing.logit, drawing.reference,
        {
            "precision": precision, "precision_reached": float(reached), "places_per_event": sums.groups * POINTS,
            "groups_per_event": sums.groups, "seed": seed,
        },
    )  # fmt: skip


def _groups_needed(job: IntegrationJob, drawing: _Drawing, precision: float) -> int | None:
    """Number of groups that a precision needs, from some events; None where the full product is to be preferred."""
    some = np.unique(np.linspace(0, len(job) - 1, PILOT_EVENTS).astype(int))
    pilot = _Sums(len(some), drawing.width, drawing.joined)
    drawing.add(pilot, some, np.arange(len(some)), 0, 2)  # without the time to start
    start = time.perf_counter()
    drawing.add(pilot, some, np.arange(len(some)), 1, PILOT_GROUPS)
    seconds = (time.perf_counter() - start) / (len(some) * PILOT_GROUPS)
    target = drawing.difference(some)
    if pilot.jumps(target):
        return None
    reached = drawing.error(pilot, target)
    wanted = MARGIN * pilot.groups * (reached / precision) ** 2 if np.isfinite(reached) else GROUPS
    if wanted * POINTS > NODES * len(job.sample):
        nodes = nodes_needed(job.integrator, *job.moved, job.target, job.tolerance, job.max_nodes)
        if wanted * POINTS > nodes * len(job.sample):
            return None
    groups = max(GROUPS, int(np.ceil(wanted)))
    if (left := len(job) * groups * seconds) > LONG:
        note(f"Integrated Gradients: {len(job)} events, {groups * POINTS} places on paths each, about {left:.0f} s")
    return groups


class _Sums:
    """Sums over groups of the attributions of n events, of their squares, and of products with their total.

    The sum over all elements of an input of several axes is a column of its own, behind those of the elements.
    """

    def __init__(self, n: int, width: int, joined: list[slice], zeros: Zeros = zeros_in_memory) -> None:
        self.groups, self.width, self.joined = 0, width, joined
        self.values, self.squares, self.products = (zeros((n, width + len(joined))) for _ in range(3))
        self.total, self.total_squares = np.zeros(n), np.zeros(n)

    def state(self) -> Arrays:
        """The sums as they are now."""
        return {"groups": np.array(self.groups), **{name: getattr(self, name) for name in SUMS}}

    def resume(self, state: Arrays) -> None:
        """Take the sums of another process."""
        self.groups = int(state["groups"])
        for name in SUMS:
            getattr(self, name)[...] = state[name]

    def add(self, rows: Array, means: Array) -> None:
        """Add the means (events, groups, elements) of the groups of some events."""
        total = means.sum(axis=2)
        means = self._with_joined(means)
        self.values[rows] += means.sum(axis=1)
        self.squares[rows] += np.einsum("egd,egd->ed", means, means)
        self.products[rows] += np.einsum("egd,eg->ed", means, total)
        self.total[rows] += total.sum(axis=1)
        self.total_squares[rows] += (total**2).sum(axis=1)

    def _with_joined(self, values: Array) -> Array:
        """Values (..., elements), and behind them the sums of inputs of several axes."""
        return np.concatenate([values, *(values[..., own].sum(axis=-1, keepdims=True) for own in self.joined)], axis=-1)

    def _covariance(self, sums: Array, others: Array, products: Array) -> Array:
        """Covariance of two means over groups, from their sums and the sum of products."""
        k = self.groups
        found: Array = (products - sums * others / k) / (k * (k - 1))
        return found

    def jumps(self, difference: Array) -> bool:
        """Whether the totals miss f(x) - f(x') by more than their errors."""
        wrong = self.total / self.groups - difference
        variance = self._covariance(self.total, self.total, self.total_squares)
        fine = np.isfinite(wrong)
        rounding = ROUNDING * np.maximum(1.0, np.abs(difference[fine]))
        pulls = wrong[fine] ** 2 / np.maximum(variance[fine], rounding**2)
        return bool(len(pulls) and pulls.mean() > STUCK)

    def complete(self, difference: Array, rows: slice) -> tuple[Array, Array]:
        """Attributions of some events that add up to f(x) - f(x'), and errors, (n, elements and joined inputs)."""
        values, total, k = self.values[rows], self.total[rows], self.groups
        mean = values / k
        variance = np.maximum(self._covariance(values, values, self.squares[rows]), 0.0)
        own = variance[:, : self.width]
        whole = own.sum(axis=1, keepdims=True)
        share = self._with_joined(np.divide(own, whole, out=np.zeros_like(own), where=whole > 0))
        wrong = (total / k - difference[rows])[:, None]
        of_total = self._covariance(total, total, self.total_squares[rows])[:, None]
        with_total = self._covariance(values, total[:, None], self.products[rows])
        left = variance - 2 * share * with_total + share**2 * of_total
        return mean - share * wrong, np.sqrt(np.maximum(left, 0.0))


class _Drawing:
    """Places that are drawn for the events of a job, and the attributions there."""

    def __init__(self, job: IntegrationJob, seed: int) -> None:
        self.job, self.seed, self.integrator = job, seed, job.integrator
        self.events, baselines = job.moved
        self.fixed = self.integrator.table(baselines)
        sizes = {name: int(np.prod(shape)) for name, shape in job.shapes.items()}
        ends = np.cumsum([0, *sizes.values()])
        self.places = {name: slice(*ends[i : i + 2]) for i, name in enumerate(sizes)}
        self.width = int(ends[-1])
        self.joined = [self.places[name] for name, shape in job.shapes.items() if len(shape) > 1]
        logits = self.integrator.logits(self.events)
        self.directions = directions = self.integrator.directions(job.target.at(slice(0, len(job)), len(job)), logits)
        kinds, self.kind = np.unique(directions, axis=0, return_inverse=True)
        self.kind = self.kind.reshape(-1)
        of_baselines = [self._explained(self.fixed[-1], kind) for kind in kinds]
        self.order = [np.argsort(f, kind="stable") for f in of_baselines]
        self.steps = [np.cumsum(job.sample.weights[order]) for order in self.order]
        f = self.integrator.explained(tf.constant(logits), tf.constant(directions))
        self.logit = f.numpy().astype(np.float64)
        if self.integrator.paths.are_straight:
            mean = np.array([f.astype(np.float64) @ job.sample.weights for f in of_baselines])
            self.reference = mean[self.kind]
        else:
            self.reference = self._references()

    def _explained(self, logits: tf.Tensor, direction: Array) -> Array:
        """f of all baselines for one direction."""
        found: Array = self.integrator.explained(
            logits, tf.constant(np.broadcast_to(direction, (logits.shape[0], *direction.shape)))
        ).numpy()
        return found

    def _references(self) -> Array:
        """Mean of f where the paths of each event begin, if that depends on the event."""
        found, m = np.zeros(len(self.job)), len(self.job.sample)
        weights = self.job.sample.weights
        for row in range(len(self.job)):
            table = self.integrator.table({name: values[row : row + 1] for name, values in self.events.items()})
            repeated = [tf.repeat(values, m, axis=0) for values in table]
            directions = tf.constant(np.repeat(self.directions[row : row + 1], m, axis=0))
            for i in range(0, m, self.integrator.batch):
                some = slice(i, i + self.integrator.batch)
                ends = self.integrator.ends(
                    [v[some] for v in repeated], [v[some] for v in self.fixed], directions[some]
                )
                found[row] += ends[0].astype(np.float64) @ weights[some]
        return found

    def difference(self, rows: Array) -> Array:
        """f(x) less the mean of f(x')."""
        found: Array = (self.logit - self.reference)[rows]
        return found

    def by_name(self, flat: Array) -> Arrays:
        """Values (n, elements) by input name."""
        shapes = self.job.shapes
        return {name: flat[:, own].reshape(-1, *shapes[name]).astype(np.float32) for name, own in self.places.items()}

    def error(self, sums: _Sums, difference: Array) -> float:
        """The largest error of a feature, relative to the mean absolute attribution of the largest."""
        totals, n = np.zeros((3, self.width + len(self.joined))), 0
        for rows in blocks_of(len(difference)):
            values, errors = sums.complete(difference, rows)
            fine = np.isfinite(values).all(axis=1)
            n += int(fine.sum())
            for total, own in zip(totals, (np.abs(values[fine]), errors[fine], errors[fine] ** 2), strict=True):
                total[...] = np.concatenate([total[None], own]).sum(axis=0)
        size, noise, rms = totals / n if n else np.full_like(totals, np.nan)
        noise, rms = FOLDED * noise, np.sqrt(rms)
        for i, own in enumerate(self.joined):  # their feature is the sum; noise adds to the sum of absolute values
            place = self.width + i
            size[place], noise[place] = size[own].sum(), noise[own].sum()
            rms[own] = noise[own] = 0.0
        largest = float(size.max(initial=0.0))
        return max(float(rms.max(initial=0.0)), float(noise.max(initial=0.0))) / largest if largest else 0.0

    def _draw(self, row: int, number: int, groups: int) -> tuple[Array, Array]:
        """Baselines and shares of the way (groups * POINTS,) of one event."""
        rng, kind = np.random.default_rng([self.seed, number, row]), self.kind[row]
        cells = rng.permuted(np.tile(np.arange(POINTS), (2 * groups, 1)), axis=1)
        share, way = ((cells + rng.random(cells.shape)) / POINTS).reshape(2, -1)
        place = np.searchsorted(self.steps[kind], share * self.steps[kind][-1], side="right")
        return self.order[kind][np.minimum(place, len(self.job.sample) - 1)], way

    def add(
        self, sums: _Sums, rows: Array, places: Array, number: int, groups: int,
        on_block: OnBlock = lambda block: None, on_events: Callable[[int], None] = lambda n: None, first: int = 0,
        on_place: Callable[[int], None] | None = None,
    ) -> None:  # fmt: skip
        """Draw groups of some events and add them to their places in the sums.

        Those before the first have been added; `on_place` is told how many there are after each block.
        """
        each = groups * POINTS
        size = max(1, min(MEMORY // (4 * each * self.width), PLACES // each))
        for start in range(first, len(rows), size):
            some = rows[start : start + size]
            drawn = [self._draw(int(row), number, groups) for row in some]
            columns, way = (np.stack(values) for values in zip(*drawn, strict=True))
            values = self._values(some, columns, way)
            means = values.reshape(len(some), groups, POINTS, -1).mean(axis=2, dtype=np.float64)
            sums.add(places[start : start + size], means)
            on_block(DrawnBlock(some, columns, values))
            on_events(len(some))
            if on_place is not None:
                on_place(start + len(some))
        sums.groups += groups

    def _values(self, rows: Array, columns: Array, way: Array) -> Array:
        """Attributions (events, places, elements) at places of paths, in the order of all inputs."""
        table = self.integrator.table({name: values[rows] for name, values in self.events.items()})
        of_event = np.repeat(np.arange(len(rows)), columns.shape[1])
        terms = self.integrator.samples(
            table, self.fixed, tf.constant(self.directions[rows]), of_event, columns.ravel(), way.ravel()
        )
        named = self.job.tokens.by_token(self.integrator.by_name(terms))
        flat: Array = np.concatenate([named[name].reshape(len(of_event), -1) for name in self.places], axis=1)
        return flat.reshape(*columns.shape, -1)
