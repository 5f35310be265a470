"""Agreement of rankings: between trainings of one network, halves of the sample, and methods.

Two rankings of the same features are compared by Spearman's rank correlation of the mean relevance: 1 for the same
order, 0 on average for orders that know nothing of each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from xaug.core.errors import ConfigurationError
from xaug.core.statistics import sample_deviation, standard_error
from xaug.core.types import Array
from xaug.explain.analysis.relevance import feature_relevance, normalized, trainings_of
from xaug.explain.attribution import Attribution
from xaug.explain.groups import FeatureGroups

__all__ = ["Agreement", "between_halves", "between_methods", "between_trainings", "rank_correlation"]

HALVINGS = 50
"""Random divisions of the events into halves."""
ALONE = "a single feature has no ranking"


@dataclass(frozen=True)
class Agreement:
    """How far rankings agree.

    Attributes
    ----------
    value : float
        mean rank correlation; nan where there is nothing to compare
    error : float
        its standard error; nan where it cannot be estimated
    pairs : int
        pairs of rankings that were compared
    note : str
        why there is no value or error; empty otherwise
    """

    value: float
    error: float
    pairs: int
    note: str = ""


def rank_correlation(one: Array, other: Array) -> float:
    """Spearman's correlation of two arrays (n,), with mean ranks for ties; nan for fewer than two different values."""
    ranks = [pd.Series(values).rank().to_numpy() for values in (one, other)]
    centred = [own - own.mean() for own in ranks]
    norm = float(np.sqrt((centred[0] ** 2).sum() * (centred[1] ** 2).sum()))
    return float(centred[0] @ centred[1]) / norm if norm > 0 else float("nan")


def between_trainings(
    attributions: Sequence[Attribution], list_relevance: str = "absolute", groups: FeatureGroups | None = None
) -> Agreement:
    """Compare the rankings of trainings of one network.

    Parameters
    ----------
    attributions : sequence of Attribution
        one a training, of the same events
    list_relevance : {"absolute", "signed", "columns"}
        how the scores of a particle list add up, see `xaug.explain.feature_relevance`
    groups : FeatureGroups, optional
        what is ranked, by the absolute value of the sum of its relevance; default: features

    Returns
    -------
    Agreement
        mean over pairs of trainings; the error is that of a jackknife over trainings, or that of independent pairs if
        it is larger, and needs three trainings
    """
    found = trainings_of(attributions)
    if len(found) < 2:
        return Agreement(np.nan, np.nan, 0, "one training says nothing about others")
    means = [_relevance(one, list_relevance, groups).mean().to_numpy() for one in found]
    if len(means[0]) < 2:
        return Agreement(np.nan, np.nan, 0, ALONE)
    return _over_trainings(means)


def _over_trainings(means: Sequence[Array]) -> Agreement:
    n = len(means)
    single = {pair: rank_correlation(means[pair[0]], means[pair[1]]) for pair in combinations(range(n), 2)}
    value = float(np.mean(list(single.values())))
    if n < 3:
        return Agreement(value, np.nan, len(single), "two trainings give one pair, which has no error")
    without = np.array([np.mean([r for pair, r in single.items() if left not in pair]) for left in range(n)])
    # trainings of two kinds can leave the jackknife nothing, as where two of four order two features the other way
    least = float(sample_deviation(list(single.values()))) / np.sqrt(len(single))
    return Agreement(value, max(_jackknife(without), least), len(single))


def between_halves(
    attributions: Sequence[Attribution], list_relevance: str = "absolute", seed: int = 0,
    groups: FeatureGroups | None = None,
) -> Agreement:  # fmt: skip
    """Compare the rankings by one half of the events and by the other, each averaged over trainings.

    Parameters
    ----------
    attributions : sequence of Attribution
        one a training, of the same events
    list_relevance : {"absolute", "signed", "columns"}
        how the scores of a particle list add up, see `xaug.explain.feature_relevance`
    seed : int
        seed of the random halves
    groups : FeatureGroups, optional
        what is ranked, see `between_trainings`

    Returns
    -------
    Agreement
        mean over random divisions; the error is their standard deviation, since they divide the same events

    Raises
    ------
    ConfigurationError
        if there are fewer than two events
    """
    found = trainings_of(attributions)
    relevance = np.mean([_relevance(one, list_relevance, groups).to_numpy() for one in found], axis=0)
    relevance = relevance[np.isfinite(relevance).all(axis=1)]
    if relevance.shape[1] < 2:
        return Agreement(np.nan, np.nan, 0, ALONE)
    if len(relevance) < 2:
        raise ConfigurationError(f"{len(relevance)} events have no two halves; explain more events")
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(HALVINGS):
        order = rng.permutation(len(relevance))
        first, second = order[: len(order) // 2], order[len(order) // 2 :]
        values.append(rank_correlation(relevance[first].mean(axis=0), relevance[second].mean(axis=0)))
    return Agreement(float(np.mean(values)), float(sample_deviation(values)), HALVINGS)


def between_methods(
    one: Sequence[Attribution], other: Sequence[Attribution], list_relevance: str = "absolute",
    groups: FeatureGroups | None = None,
) -> Agreement:  # fmt: skip
    """Compare the rankings of two methods that explain the same trainings of a network.

    Parameters
    ----------
    one, other : sequence of Attribution
        attributions by each method, one a training in the same order
    list_relevance : {"absolute", "signed", "columns"}
        how the scores of a particle list add up, see `xaug.explain.feature_relevance`
    groups : FeatureGroups, optional
        what is ranked, by the absolute value of the sum of its relevance; default: features

    Returns
    -------
    Agreement
        mean over trainings of the correlation of both rankings; its error from the scatter over trainings

    Raises
    ------
    ConfigurationError
        if the methods have explained different features, or a different number of trainings
    """
    if len(one) != len(other):
        raise ConfigurationError(
            f"one method explains {len(one)} trainings, the other {len(other)}; compare the same trainings"
        )
    values = []
    for left, right in zip(one, other, strict=True):
        tables = [_relevance(own, list_relevance, groups).mean() for own in (left, right)]
        if set(tables[0].index) != set(tables[1].index):
            lone = sorted(set(map(str, tables[0].index)) ^ set(map(str, tables[1].index)))[0]
            raise ConfigurationError(f"the methods rank different features: only one of them has {lone!r}")
        if len(tables[0]) < 2:
            return Agreement(np.nan, np.nan, 0, ALONE)
        values.append(rank_correlation(tables[0].to_numpy(), tables[1].loc[tables[0].index].to_numpy()))
    if len(values) < 2:
        return Agreement(values[0], np.nan, 1, "one training gives no error")
    return Agreement(float(np.mean(values)), float(standard_error(values)), len(values))


def _relevance(attribution: Attribution, list_relevance: str, groups: FeatureGroups | None) -> pd.DataFrame:
    """Normalised absolute relevance (n, features) of each event, of features or of groups."""
    if groups is None:
        return feature_relevance(attribution, list_relevance)
    table: pd.DataFrame = pd.DataFrame(np.abs(groups.gathered(normalized(attribution))), columns=list(groups.names))
    return table


def _jackknife(without: Array) -> float:
    """Standard error from the values (n,) that leave one training out each."""
    n = len(without)
    return float(np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum()))
