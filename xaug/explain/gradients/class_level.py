"""Attributions of a class of events: signed mean and mean absolute value over its events, with errors.

Events and baselines are two samples, so their errors are two: the bootstrap draws events anew, with their attributions
averaged over all baselines; and baselines anew, within each process, with the attributions of all events. Pairs are
never drawn anew: they are far from independent.

Reference: B. Efron, Ann. Statist. 7 (1979) 1 (bootstrap).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xaug.core.errors import ConfigurationError
from xaug.explain.gradients.api import IntegrationJob
from xaug.explain.gradients.event_baseline_pairs import Pairs
from xaug.explain.gradients.samples import Baseline, Sample

__all__ = ["ClassAttribution", "ClassSums", "class_attribution"]

PILOT = 4
"""Baselines for each event from which it is estimated how many a precision needs."""


@dataclass(frozen=True)
class ClassAttribution:
    """Attribution of the features for a class of events.

    Attributes
    ----------
    table : DataFrame
        a row a feature, largest signed mean first: `mean` and `mean_absolute` over events, each with its bootstrap
        errors `..._error_events` and `..._error_baselines`, `rank_mean` and `rank_absolute` (1 for the largest);
        with sampled pairs also `mean_error_pairs`, and `mean_absolute_excess`, which that is too large by at most
    by_event : (events, features)
        attributions averaged over baselines
    by_baseline : (baselines, features)
        attributions averaged over events; nan for a baseline that no event has
    settings : dict
    """

    table: pd.DataFrame
    by_event: np.ndarray
    by_baseline: np.ndarray
    settings: dict


def class_attribution(
    model,
    inputs,
    baseline: Baseline | Sample | dict,
    target: str | int = "signal",
    output: str = "logit",
    tolerance: float = 1e-3,
    *,
    precision: float | None = None,
    replicas: int = 200,
    max_nodes: int = 128,
    seed: int = 1,
    variables: dict[str, list[str]] | None = None,
    on_events: Callable[[int], None] = lambda n: None,
) -> ClassAttribution:
    """Attribution of each feature for all events given, with errors and ranks.

    Parameters
    ----------
    model, inputs, baseline, target, output, tolerance, max_nodes, variables, on_events
        see `xaug.explain.integrated_gradients`; give the events of one class
    precision
        take for each event only as many baselines, drawn by their weights, as bring the error of every signed mean
        from this drawing below so much of the largest one; default: all pairs
    replicas
        of the bootstrap
    seed
        of bootstrap and drawing
    """
    if replicas < 2:
        raise ConfigurationError(f"replicas {replicas}: at least 2 give an error")
    if precision is not None and not precision > 0:
        raise ConfigurationError(f"precision {precision}: must be positive")
    job = IntegrationJob(model, inputs, baseline, target, output, tolerance, max_nodes, variables=variables)
    if len(job) < 2:
        raise ConfigurationError(f"{len(job)} events: at least 2 make a class")
    rng = np.random.default_rng(seed)
    drawn = None if precision is None else _drawn(job, precision, rng)
    sums = ClassSums(job, replicas, rng, drawn)
    done = 0
    for pairs in job.sweep(drawn):
        sums.add(pairs)
        on_events(pairs.rows.stop - done)
        done = pairs.rows.stop
    more = {"precision": precision, "baselines_per_event": len(job.sample) if drawn is None else drawn.shape[1]}
    return sums.result({**job.report(), **more, "seed": seed})


def _replicas(sample: Sample, replicas: int, rng: np.random.Generator) -> np.ndarray:
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


def _drawn(job: IntegrationJob, precision: float, rng: np.random.Generator) -> np.ndarray | None:
    """The baselines (events, k) that each event gets to reach a precision; None if all are needed."""
    m = len(job.sample)
    if m <= PILOT:
        return None
    drawn = rng.choice(m, (len(job), PILOT), p=job.sample.weights)
    mean, variance = 0.0, 0.0
    for pairs in job.sweep(drawn):
        values, _ = _features(pairs.attribution, job.path.shapes)
        mean += values.mean(axis=1).sum(axis=0, dtype=np.float64) / len(job)
        variance += values.var(axis=1, ddof=1).sum(axis=0, dtype=np.float64) / len(job) ** 2
    wanted = precision * np.abs(mean).max()
    each = int(np.ceil((variance.max() / wanted**2) if wanted else m))
    return None if each >= m else rng.choice(m, (len(job), max(2, each)), p=job.sample.weights)


def _features(attribution: dict[str, np.ndarray], shapes: dict[str, tuple]) -> tuple[np.ndarray, np.ndarray]:
    """Signed and absolute attributions (..., features): columns of vectors stand alone, others are one feature."""
    signed, absolute = [], []
    for name, values in attribution.items():
        elements = tuple(range(-len(shapes[name]), 0))
        vector = len(shapes[name]) == 1
        signed.append(values if vector else values.sum(axis=elements)[..., None])
        absolute.append(np.abs(values) if vector else np.abs(values).sum(axis=elements)[..., None])
    return np.concatenate(signed, axis=-1), np.concatenate(absolute, axis=-1)


def _names(shapes: dict[str, tuple], variables: dict[str, list[str]]) -> list[str]:
    names = []
    for name, shape in shapes.items():
        columns = variables.get(name) or [f"{name}[{i}]" for i in range(shape[0])]
        names += columns if len(shape) == 1 else [name]
    return names


class ClassSums:
    """What one pass over all pairs leaves of a class: by event, by baseline, and by replica of the baselines.

    Parameters
    ----------
    job, replicas, drawn
        see `class_attribution`
    rng
        draws the replicas
    chosen : (n,) bool, optional
        the events of the class; default: all
    """

    def __init__(self, job: IntegrationJob, replicas: int, rng: np.random.Generator, drawn=None, chosen=None):
        self.shapes, self.names, self.rng = job.path.shapes, _names(job.path.shapes, job.variables), rng
        self.drawn, m = drawn, len(job.sample)
        weights = np.vstack([job.sample.weights, _replicas(job.sample, replicas, rng)])
        if drawn is not None:  # a baseline that is drawn by its weight counts 1 / k; in a replica by the ratio
            ratio = np.divide(weights, weights[0], out=np.zeros_like(weights), where=weights[0] > 0)
            weights = ratio / drawn.shape[1]
        self.weights = weights.astype(np.float32)
        self.chosen = np.ones(len(job), bool) if chosen is None else chosen
        self.place = np.cumsum(self.chosen) - 1
        n, features = int(self.chosen.sum()), len(self.names)
        self.by_event, self.by_event_absolute = np.zeros((n, features)), np.zeros((n, features))
        self.moments = np.zeros((2, n, features))  # sums over the drawn baselines of an event, and of squares
        self.replica = np.zeros((2, len(weights), features))
        self.baseline_sums, self.baseline_counts = np.zeros((m, features)), np.zeros(m)
        self._waiting, self._seen = None, 0

    def add(self, pairs: Pairs) -> None:
        """Add a block; an event whose baselines come in several blocks waits for the last of them."""
        inside = self.chosen[pairs.rows]
        if not inside.any():
            return
        place, columns = self.place[pairs.rows][inside], pairs.columns[inside]
        attribution = {name: values[inside] for name, values in pairs.attribution.items()}
        signed, _ = _features(attribution, self.shapes)
        if self.drawn is None:
            self.baseline_sums[columns[0]] += signed.sum(axis=0)
            self.baseline_counts[columns[0]] += len(columns)
        else:
            np.add.at(self.baseline_sums, columns.ravel(), signed.reshape(columns.size, -1))
            np.add.at(self.baseline_counts, columns.ravel(), 1)
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
        of_class, absolute = _features(averaged, self.shapes)
        self.by_event[place], self.by_event_absolute[place] = of_class[:, 0], absolute[:, 0]
        self.replica[0] += of_class.sum(axis=0, dtype=np.float64)
        self.replica[1] += absolute.sum(axis=0, dtype=np.float64)

    def result(self, settings: dict) -> ClassAttribution:
        """Means, errors and ranks."""
        with np.errstate(invalid="ignore", divide="ignore"):
            by_baseline = self.baseline_sums / self.baseline_counts[:, None]
        n, replicas = len(self.by_event), len(self.weights) - 1
        return ClassAttribution(
            self._table(), self.by_event, by_baseline, {**settings, "events": n, "replicas": replicas}
        )

    def _table(self) -> pd.DataFrame:
        n, replicas = len(self.by_event), len(self.weights) - 1
        events = self.rng.multinomial(n, np.full(n, 1 / n), size=replicas) / n
        columns = {}
        for name, values, replica in (
            ("mean", self.by_event, self.replica[0] / n),
            ("mean_absolute", self.by_event_absolute, self.replica[1] / n),
        ):
            columns[name] = values.mean(axis=0)
            columns[f"{name}_error_events"] = (events @ values).std(axis=0, ddof=1)
            columns[f"{name}_error_baselines"] = replica[1:].std(axis=0, ddof=1)
        if self.drawn is not None:
            k = self.drawn.shape[1]
            variance = np.maximum(self.moments[1] / k - (self.moments[0] / k) ** 2, 0) / (k - 1)  # of an event's mean
            columns["mean_error_pairs"] = np.sqrt(variance.sum(axis=0)) / n
            columns["mean_absolute_excess"] = np.sqrt(variance).mean(axis=0)
        table = pd.DataFrame(columns, index=pd.Index(self.names, name="feature"))
        table["rank_mean"] = table["mean"].rank(ascending=False, method="first").astype(int)
        table["rank_absolute"] = table["mean_absolute"].rank(ascending=False, method="first").astype(int)
        return table.sort_values("rank_mean")
