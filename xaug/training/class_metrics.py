"""How well a classifier separates more than two classes: each from the rest, each pair, and the confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from xaug.core.errors import DatasetError
from xaug.core.types import Array, JsonObject
from xaug.data.labels import cells_by_class
from xaug.training.metrics import Metrics, area, compute_metrics, roc

__all__ = ["ClassMetrics", "class_metrics", "judge", "one_vs_rest", "pair_score"]


@dataclass(frozen=True)
class ClassMetrics:
    """How well a network separates K classes of a sample.

    Attributes
    ----------
    auc : float
        mean over classes of the area under the ROC curve of one class against the rest
    accuracy : float
        share of the events whose class has the largest probability, all classes counted alike
    events : dict of int
        numbers of events by class
    one_vs_rest : dict of float
        area under the ROC curve of each class against all others, by class
    pairwise : dict of float
        area under the ROC curve of two classes alone, by a name such as "A-B"; the score is p_A / (p_A + p_B)
    confusion : (K, K) array
        share of the events of each class (rows) that are taken for each class (columns)

    References
    ----------
    D. Hand, R. Till, Mach. Learn. 45 (2001) 171 (pairs of classes).
    """

    auc: float
    accuracy: float
    events: Mapping[str, int]
    one_vs_rest: Mapping[str, float]
    pairwise: Mapping[str, float]
    confusion: Array

    def to_json(self) -> JsonObject:
        """The metrics as plain data."""
        return {**vars(self), "confusion": self.confusion.tolist()}


def one_vs_rest(label: Array, probability: Array, which: int) -> tuple[Array, Array]:
    """Labels (1 for the class, 0 for all others) and scores (n,) of one class against the rest."""
    return (label == which).astype(np.int8), probability[:, which]


def pair_score(probability: Array, plus: int, minus: int) -> Array:
    """Score (n,) that separates two of K classes best, p_plus / (p_plus + p_minus)."""
    both = probability[:, plus] + probability[:, minus]
    return np.divide(probability[:, plus], both, out=np.full(len(both), 0.5), where=both > 0)


def class_metrics(
    label: Array, probability: Array, classes: Sequence[str], weight: Array | None = None
) -> ClassMetrics:
    """Areas under the ROC curves of K classes and of their pairs, accuracy, and confusion matrix.

    Parameters
    ----------
    label : array (n,)
        class of each event, 0 to K - 1
    probability : array (n, K)
        probability of each class
    classes : sequence of str
        names of the classes by label
    weight : array (n,), optional
        weights of the events; default: one each

    Raises
    ------
    DatasetError
        if a class has no events
    """
    own = np.ones(len(label)) if weight is None else weight
    n = np.bincount(label, minlength=len(classes))
    if (n == 0).any():
        raise DatasetError(f"no {classes[int(np.argmin(n))]} events among {len(label)}; take more events")
    against_rest = {name: area(*roc(*one_vs_rest(label, probability, i), own)) for i, name in enumerate(classes)}
    pairwise = {}
    for minus, plus in combinations(range(len(classes)), 2):
        chosen = (label == plus) | (label == minus)
        score = pair_score(probability[chosen], plus, minus)
        curve = roc((label[chosen] == plus).astype(np.int8), score, own[chosen])
        pairwise[f"{classes[plus]}-{classes[minus]}"] = area(*curve)
    k = len(classes)
    taken = np.bincount(cells_by_class(label, probability.argmax(axis=1), k), own, k * k).reshape(k, k)
    confusion = taken / taken.sum(axis=1, keepdims=True)
    return ClassMetrics(
        auc=float(np.mean(list(against_rest.values()))),
        accuracy=float(np.mean(np.diag(confusion))),
        events=dict(zip(classes, n.tolist(), strict=True)),
        one_vs_rest=against_rest,
        pairwise=pairwise,
        confusion=confusion,
    )


def judge(
    label: Array, probability: Array, classes: Sequence[str], weight: Array | None = None
) -> Metrics | ClassMetrics:
    """Metrics of a network of two classes, or of more; see `compute_metrics` and `class_metrics`."""
    if len(classes) == 2:
        return compute_metrics(label, probability[:, 1], weight)
    return class_metrics(label, probability, classes, weight)
