"""Single numbers of an event that separate the classes as they are, without a network and without training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xaug.core.types import Array, Arrays
from xaug.data.dataset import Dataset
from xaug.data.weights import DEFAULT_WEIGHTS, balanced, event_weights

__all__ = ["Discriminant", "ScoredDiscriminant", "scored"]


@dataclass(frozen=True)
class Discriminant:
    """A number of each event that takes the place of the output of a network.

    Attributes
    ----------
    name
        its name in legends and tables
    meaning
        a noun phrase for captions
    blocks
        blocks of the dataset that it is computed from
    compute
        gives the number (n,) of unscaled arrays by block; larger for signal
    """

    name: str
    meaning: str
    blocks: tuple[str, ...]
    compute: Callable[[Mapping[str, Array]], Array]


@dataclass(frozen=True)
class ScoredDiscriminant:
    """A discriminant and its values on the test split of a dataset.

    Attributes
    ----------
    name, meaning
        those of the discriminant
    scores
        `label`, `score` and `weight` (n,), as `Run.scores` gives them; the score is in the unit of the discriminant
    """

    name: str
    meaning: str
    scores: Arrays


def scored(discriminants: Sequence[Discriminant], data: Dataset) -> list[ScoredDiscriminant]:
    """Compute discriminants of the test split, as far as the dataset has what they are computed from.

    Parameters
    ----------
    discriminants
        the discriminants
    data
        a dataset of two classes

    Returns
    -------
    list of ScoredDiscriminant
        those whose blocks the dataset has, in the same order
    """
    found = []
    for one in discriminants:
        if not set(one.blocks) <= set(data.table.blocks):
            continue
        values = [one.compute(arrays) for arrays in data.iterate(one.blocks, "test")]
        known = data.load(["label", "weight", "process"], "test")
        kind = DEFAULT_WEIGHTS[data.kind]
        own = event_weights(kind, known["weight"], known["process"], data.weight_scales)
        scores = {
            "label": known["label"], "score": np.concatenate(values), "weight": balanced(own, known["label"]),
        }  # fmt: skip
        found.append(ScoredDiscriminant(one.name, one.meaning, scores))
    return found
