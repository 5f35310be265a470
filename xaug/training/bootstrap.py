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

__all__ = ["REPLICAS", "replica_metrics"]

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
    """AUC, and accuracy at 0.5 with both classes counted alike, of each replica of a test sample.

    Parameters
    ----------
    label, score, weight : (n,)
        class (0 or 1), probability of class 1 and weight of the events
    replicas : int
        number of replicas
    seed : int
        seed of the replicas: the same events get the same numbers for the same seed

    Returns
    -------
    dict of arrays (replicas,)
        `accuracy` and `auc`; nan in a replica without events of one class
    """
    order = np.argsort(score, kind="stable")
    first = np.flatnonzero(np.r_[True, np.diff(score[order]) != 0])  # events of equal score count half
    signal, background = (np.where(label == value, weight, 0.0) for value in (1, 0))
    right = (score >= 0.5) == (label == 1)
    accuracy, auc = [], []
    for counts in poisson_counts(len(label), replicas, seed):
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = [counts @ (own * right) / (counts @ own) for own in (signal, background)]
            accuracy.append(0.5 * (shares[0] + shares[1]))
            s, b = (np.add.reduceat((counts * own)[:, order], first, axis=1) for own in (signal, background))
            below = np.cumsum(b, axis=1) - b
            auc.append((s * (below + b / 2)).sum(axis=1) / (s.sum(axis=1) * b.sum(axis=1)))
    return {"accuracy": np.concatenate(accuracy), "auc": np.concatenate(auc)}
