"""Scores of runs as one class against others, from which curves and tables of any number of classes are made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xaug.core.types import Array, Arrays
from xaug.explain.targets import labels_of
from xaug.training.class_metrics import one_vs_rest, pair_score
from xaug.training.runs import Run

__all__ = [
    "absent_classes", "binary_scores", "has_curve", "pair_scores", "predicted", "relevance_name", "score_name",
    "score_of_target",
]  # fmt: skip


def binary_scores(run: Run) -> dict[str, list[Arrays]]:
    """Scores of a run by the name of a curve, in each training: of K classes a curve for each, against the rest.

    Each has `label` (1 for the class), `score` and `weight`, as `Run.scores` gives them for two classes. Curves that
    lack events of the class, or of all others, are left out.
    """
    scores = [run.scores(i) for i in range(len(run))]
    if len(run.classes) == 2:
        return {run.name: scores} if has_curve(scores[0]) else {}
    found = {}
    for which, name in enumerate(run.classes):
        own = []
        for one in scores:
            label, score = one_vs_rest(one["label"], one["score"], which)
            own.append({**one, "label": label, "score": score})
        if has_curve(own[0]):
            found[f"{run.name}: {name}"] = own
    return found


def pair_scores(run: Run, plus: int, minus: int) -> list[Arrays]:
    """Scores of a run of K classes, in each training, that separate the events of two of them; the others are left out.

    Each has `label` (1 for `plus`), `score` and `weight`; there are none where one of the two has no events.
    """
    found = []
    for i in range(len(run)):
        one = run.scores(i)
        chosen = (one["label"] == plus) | (one["label"] == minus)
        own = {
            "label": (one["label"][chosen] == plus).astype(np.int8),
            "score": pair_score(one["score"][chosen], plus, minus),
            "weight": one["weight"][chosen],
        }
        if not has_curve(own):
            return []
        found.append(own)
    return found


def has_curve(own: Arrays) -> bool:
    """Whether scores of two classes have a ROC curve: each has events, whose weights add up to more than 0."""
    return all(own["weight"][own["label"] == of].sum() > 0 for of in (0, 1))


def absent_classes(label: Array, classes: Sequence[str]) -> list[str]:
    """Names of the classes of which there are no events among those of these labels (n,)."""
    return [name for of, name in enumerate(classes) if not (label == of).any()]


def predicted(score: Array) -> Array:
    """Label (n,) that is predicted, of scores (n,) of two classes or (n, K) of more."""
    chosen: Array = (score > 0.5).astype(int) if score.ndim == 1 else score.argmax(axis=1)
    return chosen


def score_of_target(score: Array, target: object, classes: tuple[str, ...]) -> Array:
    """Score (n,) of what is explained: the signal score of two classes; of more, the probability of the target.

    That of a difference "A-B" is p_A / (p_A + p_B); that of the predicted class is the largest one.
    """
    if score.ndim == 1:
        return score
    if target == "predicted":
        largest: Array = score.max(axis=1)
        return largest
    plus, minus = _pair(target, classes)
    if minus is not None:
        return pair_score(score, plus, minus)
    own: Array = np.asarray(score[:, plus])
    return own


def score_name(target: object, classes: tuple[str, ...]) -> str:
    """Name of the score that `score_of_target` gives, for axes and captions."""
    if len(classes) == 2:
        return f"score of {classes[1]}"
    if target == "predicted":
        return "largest score"
    return f"score of {_words(target, classes)}"


def relevance_name(target: object, classes: tuple[str, ...]) -> str:
    """Name of a normalised relevance for axes: of two classes it is towards the second, of more for the target."""
    if len(classes) == 2:
        return f"normalised relevance towards {classes[1]}"
    if target == "predicted":
        return "normalised relevance for the predicted class"
    return f"normalised relevance for {_words(target, classes)}"


def _words(target: object, classes: tuple[str, ...]) -> str:
    """Name of the explained class, and of the one that it stands against if there is one."""
    plus, minus = _pair(target, classes)
    return classes[plus] + ("" if minus is None else f" against {classes[minus]}")


def _pair(target: object, classes: tuple[str, ...]) -> tuple[int, int | None]:
    """Labels of the class that a target explains, and of the one that it subtracts."""
    plus = labels_of(target, classes)[0]
    if not isinstance(target, str) or target in classes or target.isdecimal():
        return plus, None
    return plus, labels_of(target.removeprefix(f"{classes[plus]}-").removeprefix(f"{plus}-"), classes)[0]
