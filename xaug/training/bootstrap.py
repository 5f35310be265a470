"""Errors of performance from the limited number of test events, by a bootstrap over them.

In each replica an event counts a Poisson number of times of mean 1. Networks that are judged on the same events get the
same numbers, so that differences between them have the error of a paired comparison.

Reference: B. Efron, Ann. Stat. 7 (1979) 1; for Poisson numbers: G. Bohm, G. Zech, Introduction to Statistics and Data
Analysis for Physicists, DESY (2010), "Bootstrap".
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xaug.core.types import Array
from xaug.training.metrics import SearchSample, significance

__all__ = ["REPLICAS", "replica_metrics", "replica_significances"]

REPLICAS = 200
"""Replicas of the test sample."""
AT_ONCE = 2_000_000
"""Numbers of events in all replicas that are in memory at a time."""


def poisson_counts(n: int, replicas: int, seed: int) -> Iterator[Array]:
    """Numbers of times (r, n) that each event counts, some replicas at a time."""
    rng = np.random.default_rng([seed, n])
    size = max(1, AT_ONCE // max(n, 1))
    for start in range(0, replicas, size):
        yield rng.poisson(1.0, (min(size, replicas - start), n)).astype(np.float64)


def replica_metrics(
    label: Array, score: Array, weight: Array, replicas: int = REPLICAS, seed: int = 1
) -> dict[str, Array]:
    """AUC and accuracy, all classes counted alike, of each replica of a test sample.

    Parameters
    ----------
    label, weight : (n,)
        class and weight of the events
    score : (n,) or (n, K)
        probability of class 1 of two, whose accuracy is that at 0.5; or of each of K classes: then the AUC is the mean
        over classes, each against the rest, and the class of the largest probability is taken
    replicas : int
        number of replicas
    seed : int
        seed of the replicas: the same events get the same numbers for the same seed

    Returns
    -------
    dict of arrays (replicas,)
        `accuracy` and `auc`; nan in a replica without events of one class
    """
    if score.ndim == 1:
        classes, taken, curves = [1, 0], (score >= 0.5).astype(int), [(1, score)]
    else:
        classes, taken = list(range(score.shape[1])), score.argmax(axis=1)
        curves = [(own, score[:, own]) for own in classes]
    shares = [np.where(label == own, weight, 0.0) for own in classes]
    orders = [(own, *_order(values)) for own, values in curves]
    right = taken == label
    accuracy, auc = [], []
    for counts in poisson_counts(len(label), replicas, seed):
        with np.errstate(invalid="ignore", divide="ignore"):
            accuracy.append(np.mean([counts @ (own * right) / (counts @ own) for own in shares], axis=0))
            weighted = counts * weight
            auc.append(np.mean([_areas(weighted, label == own, *order) for own, *order in orders], axis=0))
    return {"accuracy": np.concatenate(accuracy), "auc": np.concatenate(auc)}


def replica_significances(sample: SearchSample, threshold: float, replicas: int = REPLICAS, seed: int = 1) -> Array:
    """Significance behind a threshold on the score, of each replica of a test sample.

    The threshold stays, since another split has chosen it.

    Parameters
    ----------
    sample : SearchSample
        the test sample
    threshold : float
        least score that passes
    replicas, seed : int
        as for `replica_metrics`: the same events get the same numbers

    Returns
    -------
    array (replicas,)
        standard deviations; nan in a replica in which no background passes
    """
    passing = np.where(sample.score >= threshold, sample.expected, 0.0)
    shares = np.stack([np.where(sample.label == label, passing, 0.0) for label in (1, 0)], axis=1)
    found = []
    for counts in poisson_counts(len(passing), replicas, seed):
        signal, background = (counts @ shares).T
        found.append(significance(signal, np.where(background > 0, background, np.nan)))
    return np.concatenate(found)


def _order(score: Array) -> tuple[Array, Array]:
    """Positions of events by ascending score, and of the first one of each score among them."""
    order = np.argsort(score, kind="stable")
    return order, np.flatnonzero(np.r_[True, np.diff(score[order]) != 0])  # events of equal score count half


def _areas(weights: Array, chosen: Array, order: Array, first: Array) -> Array:
    """Areas (r,) under the curves of a class against the rest, for weights (r, n) of the events."""
    s, b = (np.add.reduceat(np.where(of, weights, 0.0)[:, order], first, axis=1) for of in (chosen, ~chosen))
    below = np.cumsum(b, axis=1) - b
    found: Array = (s * (below + b / 2)).sum(axis=1) / (s.sum(axis=1) * b.sum(axis=1))
    return found
