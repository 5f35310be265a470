"""Attributions of a class of events: signed mean and mean absolute value over its events, with errors.

Events and baselines are two samples, so that there are two errors. The bootstrap draws events anew, with their
attributions averaged over all baselines; and it draws baselines anew, within each process, with the attributions of all
events. It never draws pairs anew, since they are far from independent.

Reference: B. Efron, Ann. Statist. 7 (1979) 1 (bootstrap).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from xaug.core.errors import ConfigurationError, ModelError
from xaug.core.statistics import sample_deviation
from xaug.core.types import Array, ArrayLike, Arrays, JsonObject
from xaug.data.feature_names import unique_names
from xaug.explain.disk_arrays import Zeros, zeros_in_memory
from xaug.explain.event_weights import checked_weights, positive_sum
from xaug.explain.gradients.conventions import PADDING, PaddingLike
from xaug.explain.gradients.integration import IntegrationJob, TargetLike
from xaug.explain.gradients.pairs import Pairs
from xaug.explain.gradients.samples import BaselineLike, Sample, Shapes
from xaug.explain.targets import CLASSES

if TYPE_CHECKING:
    import keras

__all__ = ["ClassAttribution", "ClassSums", "class_attribution"]

SUMS = ("by_event", "by_event_absolute", "lost", "moments", "replica", "baseline_sums", "baseline_counts")
"""Attributes of `ClassSums` that hold its sums."""
PILOT = 4
"""Number of baselines for each event from which the number that a precision needs is estimated."""


@dataclass(frozen=True)
class ClassAttribution:
    """Attribution of the features for a class of events.

    Attributes
    ----------
    table : DataFrame
        one row for each feature, largest signed mean first: `mean` and `mean_absolute` over events, each with its
        bootstrap errors `..._error_events` and `..._error_baselines`; `rank_mean` and `rank_absolute` (1 for the
        largest). With sampled pairs also `mean_error_pairs`, and `mean_absolute_excess`, an upper limit on the bias of
        `mean_absolute`
    by_event : (events, features) array
        attributions averaged over baselines; nan for lost events, one of whose attributions is no finite number
    by_baseline : (baselines, features) array
        attributions averaged over events; nan for a baseline that no event has
    settings : dict
        settings of the integration, and the accuracy that was reached
    """

    table: pd.DataFrame
    by_event: Array
    by_baseline: Array
    settings: JsonObject


def class_attribution(
    model: keras.Model,
    inputs: Arrays | Sequence[Array],
    baseline: BaselineLike,
    target: TargetLike = "signal",
    output: str = "logit",
    tolerance: float = 1e-3,
    *,
    classes: Sequence[str] = CLASSES,
    weights: ArrayLike | None = None,
    precision: float | None = None,
    replicas: int = 200,
    max_nodes: int = 128,
    seed: int = 1,
    frozen: Sequence[str] = (),
    padding: PaddingLike = PADDING,
    variables: Mapping[str, Sequence[str]] | None = None,
    on_events: Callable[[int], None] = lambda n: None,
) -> ClassAttribution:
    """Attribution of each feature for all given events together, with errors and ranks.

    Parameters
    ----------
    model : keras.Model
        functional or Sequential model of any precision
    inputs : dict or list of arrays
        scaled inputs of the events of one class, each (n, ...): a dict by input name, or a list in the model's order
    baseline : Baseline, Sample, or dict of arrays
        the baselines, as for `xaug.explain.integrated_gradients`
    target : str, int or sequence
        the explained class, or a difference of two, as for `xaug.explain.integrated_gradients`
    output : str
        "logit", "probability", "value", or the name of an output, as for `xaug.explain.integrated_gradients`
    tolerance : float
        allowed error of the sum of attributions, for 95% of all pairs of an event and a baseline
    classes : sequence of str, optional
        names of the outputs, in their order; for a single output, the names of -logit and +logit
    weights : (n,) array, optional
        what each event counts for in the means, also negative; default: all count the same
    precision : float, optional
        take for each event only as many baselines, drawn by their weights, as are needed to bring the error of every
        signed mean from this drawing below this fraction of the largest one; default: all pairs
    replicas : int
        number of replicas of the bootstrap
    max_nodes : int
        largest number of nodes of the quadrature
    seed : int
        seed of the bootstrap and of the drawing
    frozen : sequence of str, optional
        inputs and columns that do not move along the paths, as for `xaug.explain.integrated_gradients`
    padding : str or dict, optional
        padded steps on the paths, as for `xaug.explain.integrated_gradients`
    variables : dict of list of str, optional
        names of the columns of each input
    on_events : callable, optional
        called with the number of events done, block by block

    Returns
    -------
    ClassAttribution
        Means over the events of the class for each feature, with bootstrap errors.

    Raises
    ------
    ConfigurationError
        if an argument has a wrong value, there are fewer than two events, or inputs or baseline do not fit the model
    ModelError
        if the model has no gradient, cannot be evaluated, or has an end that is not understood

    References
    ----------
    J. Bardhan, C. Neeraj, M. Rawat, S. Mitra, "Constructing sensible baselines for Integrated Gradients" (attributions
    of a class); B. Efron, Ann. Statist. 7 (1979) 1 (bootstrap).
    """
    if replicas < 2:
        raise ConfigurationError(f"replicas {replicas}: at least 2 give an error")
    if precision is not None and not precision > 0:
        raise ConfigurationError(f"precision {precision}: must be positive")
    job = IntegrationJob(
        model,
        inputs,
        baseline,
        target,
        output,
        tolerance,
        max_nodes,
        classes=classes,
        frozen=frozen,
        padding=padding,
        variables=variables,
    )
    if len(job) < 2:
        raise ConfigurationError(f"{len(job)} events: at least 2 make a class")
    rng = np.random.default_rng(seed)
    drawn = None if precision is None else _drawn(job, precision, rng)
    sums = ClassSums(job, replicas, rng, drawn, events=checked_weights(weights, len(job)))
    done = 0
    for pairs in job.pairs(drawn):
        sums.add(pairs)
        on_events(pairs.rows.stop - done)
        done = pairs.rows.stop
    drawing = {"precision": precision, "baselines_per_event": len(job.sample) if drawn is None else drawn.shape[1]}
    return sums.result({**job.report(), **drawing, "seed": seed})


def baseline_replicas(sample: Sample, replicas: int, rng: np.random.Generator) -> Array:
    """Weights (replicas, baselines) of baselines drawn anew within each process, which keeps its share."""
    process = np.zeros(len(sample)) if sample.process is None else sample.process
    weights = np.zeros((replicas, len(sample)))
    for name in np.unique(process):
        of = np.flatnonzero(process == name)
        share = sample.weights[of].sum()
        if share:
            counts = rng.multinomial(len(of), np.full(len(of), 1 / len(of)), size=replicas)
            drawn = counts * sample.weights[of]
            drawn = np.where(drawn.any(axis=1, keepdims=True), drawn, sample.weights[of])
            weights[:, of] = share * drawn / drawn.sum(axis=1, keepdims=True)
    return weights


def _drawn(job: IntegrationJob, precision: float, rng: np.random.Generator) -> Array | None:
    """Draw the baselines (events, k) of each event that reach a precision; None if all are needed."""
    m = len(job.sample)
    if m <= PILOT:
        return None
    drawn = rng.choice(m, (len(job), PILOT), p=job.sample.weights)
    features = len(feature_names_of(job.shapes, job.variables))
    mean, variance = np.zeros(features), np.zeros(features)
    for pairs in job.pairs(drawn):
        values, _ = feature_values(pairs.attribution, job.shapes)
        mean += values.mean(axis=1).sum(axis=0, dtype=np.float64) / len(job)
        variance += (sample_deviation(values, axis=1) ** 2).sum(axis=0) / len(job) ** 2
    wanted = precision * np.abs(mean).max()
    each = int(np.ceil((variance.max() / wanted**2) if wanted else m))
    return None if each >= m else rng.choice(m, (len(job), max(2, each)), p=job.sample.weights)


def feature_values(attribution: Arrays, shapes: Shapes) -> tuple[Array, Array]:
    """Signed and absolute attributions (..., features): the columns of a vector are features of their own."""
    signed, absolute = [], []
    for name, values in attribution.items():
        elements = tuple(range(-len(shapes[name]), 0))
        vector = len(shapes[name]) == 1
        signed.append(values if vector else values.sum(axis=elements)[..., None])
        absolute.append(np.abs(values) if vector else np.abs(values).sum(axis=elements)[..., None])
    return np.concatenate(signed, axis=-1), np.concatenate(absolute, axis=-1)


def feature_names_of(shapes: Shapes, variables: Mapping[str, Sequence[str]]) -> list[str]:
    """Names of the features, in the order of `feature_values`."""
    names: list[str] = []
    unique = unique_names({name: variables.get(name, ()) for name in shapes})
    for name, shape in shapes.items():
        columns = unique[name] or [f"{name}[{i}]" for i in range(shape[0])]
        names += columns if len(shape) == 1 else [name]
    return names


def _spread(rows: Array, like: Array) -> Array:
    """An array (n,) with as many axes as another (n, ...)."""
    return rows.reshape(-1, *[1] * (like.ndim - 1))


class ClassSums:
    """Sums over the pairs of a class: by event, by baseline, and by replica of the baselines.

    Parameters
    ----------
    job : IntegrationJob
        the integration whose pairs are added
    replicas : int
        number of replicas of the bootstrap
    rng : Generator
        generator that draws the replicas
    drawn : (n, k) array of int, optional
        rows of the baselines of each event; default: all of them
    chosen : (n,) array of bool, optional
        whether an event is of the class; default: all are
    events : (n,) array, optional
        weights of the events; default: all are 1
    zeros : callable, optional
        makes the arrays of sums by event
    """

    def __init__(
        self,
        job: IntegrationJob,
        replicas: int,
        rng: np.random.Generator,
        drawn: Array | None = None,
        chosen: Array | None = None,
        events: Array | None = None,
        zeros: Zeros = zeros_in_memory,
    ):
        self.shapes, self.names, self.rng = job.shapes, feature_names_of(job.shapes, job.variables), rng
        self.drawn, m = drawn, len(job.sample)
        weights = np.vstack([job.sample.weights, baseline_replicas(job.sample, replicas, rng)])
        if drawn is not None:  # a baseline that is drawn by its weight counts 1 / k; in a replica by the ratio
            ratio = np.divide(weights, weights[0], out=np.zeros_like(weights), where=weights[0] > 0)
            weights = ratio / drawn.shape[1]
        self.weights = weights.astype(np.float32)
        self.chosen = np.ones(len(job), bool) if chosen is None else chosen
        self.place = np.cumsum(self.chosen) - 1
        self.events = None if events is None else np.asarray(events, np.float64)[self.chosen]
        n, features = int(self.chosen.sum()), len(self.names)
        self.by_event, self.by_event_absolute = zeros((n, features)), zeros((n, features))
        self.lost = np.zeros(n, bool)  # events with an attribution that is no finite number
        self.moments = zeros((2, n, features))  # sums over the drawn baselines of an event, and of squares
        self.replica = np.zeros((2, len(weights), features))
        self.baseline_sums, self.baseline_counts = np.zeros((m, features)), np.zeros(m)
        self._waiting: Arrays | None = None
        self._seen = 0

    def add(self, pairs: Pairs) -> None:
        """Add a block of pairs. An event whose baselines come in several blocks is added with the last of them."""
        inside = self.chosen[pairs.rows]
        if not inside.any():
            return
        place, columns = self.place[pairs.rows][inside], pairs.columns[inside]
        attribution = {name: values[inside] for name, values in pairs.attribution.items()}
        fine = np.all([np.isfinite(v).all(axis=tuple(range(1, v.ndim))) for v in attribution.values()], axis=0)
        fine &= np.isfinite(pairs.logit[inside]) & np.isfinite(pairs.reference[inside]).all(axis=1)
        if not fine.all():
            self.lost[place[~fine]] = True
            attribution = {name: np.where(_spread(fine, v), v, 0) for name, v in attribution.items()}
        signed, _ = feature_values(attribution, self.shapes)
        if self.drawn is None:
            self.baseline_sums[columns[0]] += signed.sum(axis=0)
            self.baseline_counts[columns[0]] += np.count_nonzero(fine)
        else:
            np.add.at(self.baseline_sums, columns.ravel(), signed.reshape(columns.size, -1))
            np.add.at(self.baseline_counts, columns[fine].ravel(), 1)
            self.moments[:, place] += signed.sum(axis=1), (signed.astype(np.float64) ** 2).sum(axis=1)
        w = self.weights[:, columns].transpose(1, 0, 2)  # (events, replicas, baselines)
        averaged = {
            name: (w @ values.reshape(*columns.shape, -1)).reshape(len(columns), -1, *self.shapes[name])
            for name, values in attribution.items()
        }
        if self._waiting is not None:
            averaged = {name: averaged[name] + values for name, values in self._waiting.items()}
        self._waiting, self._seen = averaged, self._seen + columns.shape[1]
        if self._seen < (self.weights.shape[1] if self.drawn is None else self.drawn.shape[1]):
            return
        self._waiting, self._seen = None, 0
        of_class, absolute = (
            np.where(_spread(~self.lost[place], v), v, 0) for v in feature_values(averaged, self.shapes)
        )
        self.by_event[place], self.by_event_absolute[place] = of_class[:, 0], absolute[:, 0]
        own = np.ones(len(place)) if self.events is None else self.events[place]
        self.replica[0] += (of_class * _spread(own, of_class)).sum(axis=0, dtype=np.float64)
        self.replica[1] += (absolute * _spread(own, absolute)).sum(axis=0, dtype=np.float64)

    def state(self) -> Arrays:
        """All sums as they are now."""
        waiting = {f"waiting/{name}": values for name, values in (self._waiting or {}).items()}
        return {**{name: getattr(self, name) for name in SUMS}, **waiting, "seen": np.array(self._seen)}

    def resume(self, state: Arrays) -> None:
        """Take the sums of another process."""
        for name in SUMS:
            getattr(self, name)[...] = state[name]
        waiting = {name: state[f"waiting/{name}"] for name in self.shapes if f"waiting/{name}" in state}
        self._waiting, self._seen = waiting or None, int(state["seen"])

    def result(self, settings: JsonObject) -> ClassAttribution:
        """Means, errors and ranks of the pairs that were added."""
        with np.errstate(invalid="ignore", divide="ignore"):
            by_baseline = self.baseline_sums / self.baseline_counts[:, None]
        n, replicas = len(self.by_event), len(self.weights) - 1
        self.by_event[self.lost] = np.nan
        known = {"events": n, "lost": int(self.lost.sum()), "replicas": replicas}
        return ClassAttribution(self._table(), self.by_event, by_baseline, {**settings, **known})

    def _table(self) -> pd.DataFrame:
        """The table of `ClassAttribution`."""
        kept = ~self.lost
        n, replicas = int(kept.sum()), len(self.weights) - 1
        if n == 0:
            raise ModelError("all events of the class are lost: no attribution of theirs is a finite number")
        of_events = self.by_event, self.by_event_absolute
        signed, absolute = of_events if kept.all() else (own[kept] for own in of_events)
        own = np.ones(n) if self.events is None else positive_sum(self.events[kept])
        columns = {}
        for (name, values, error), replica in zip(
            with_event_errors(signed, absolute, replicas, self.rng, own), self.replica / own.sum(), strict=True
        ):
            columns[name] = values
            columns[f"{name}_error_events"] = error
            columns[f"{name}_error_baselines"] = sample_deviation(replica[1:])
        if self.drawn is not None:
            k = self.drawn.shape[1]
            first, second = self.moments[:, kept] / k
            variance = np.maximum(second - first**2, 0) / (k - 1)  # of an event's mean
            columns |= drawing_errors(np.sqrt(variance), own)
        return ranked_table(columns, self.names)


def with_event_errors(
    signed: Array, absolute: Array, replicas: int, rng: np.random.Generator, weights: Array
) -> list[tuple[str, Array, Array]]:
    """Means over events of signed and absolute attributions (events, features), with bootstrap errors over events.

    The means are weighted by weights (events,), of which a replica draws some: a replica whose weights do not add up to
    a positive number is drawn again.
    """
    n = len(signed)
    drawn = np.zeros((replicas, 2, signed.shape[1]))
    for i in range(replicas):  # the weights of all replicas would take much more memory than the attributions
        events: Array = np.zeros(n)
        while not events.sum() > 0:
            events = rng.multinomial(n, np.full(n, 1 / n)) * weights
        events /= events.sum()
        drawn[i] = events @ signed, events @ absolute
    error, shares = sample_deviation(drawn), weights / weights.sum()
    return [("mean", shares @ signed, error[0]), ("mean_absolute", shares @ absolute, error[1])]


def drawing_errors(errors: Array, weights: Array) -> Arrays:
    """Errors of means over events of weights (events,), from the errors (events, features) of drawing."""
    shares = weights[:, None] / weights.sum()
    return {
        "mean_error_pairs": np.sqrt(((shares * errors) ** 2).sum(axis=0)),
        "mean_absolute_excess": (np.abs(shares) * errors).sum(axis=0),
    }


def ranked_table(columns: Mapping[str, Array], names: Sequence[str]) -> pd.DataFrame:
    """The table of `ClassAttribution` from its columns: with ranks, largest signed mean first."""
    table = pd.DataFrame(columns, index=pd.Index(names, name="feature"))
    table["rank_mean"] = table["mean"].rank(ascending=False, method="first").astype(int)
    table["rank_absolute"] = table["mean_absolute"].rank(ascending=False, method="first").astype(int)
    ranked: pd.DataFrame = table.sort_values("rank_mean")
    return ranked
