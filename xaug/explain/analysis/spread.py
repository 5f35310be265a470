"""Numerical uncertainty: how far trainings of one network agree (arXiv:2011.13466, section 5.2).

The spread over trainings is the uncertainty of scores, relevances and ranks: "Differences that exist, but are covered
within the uncertainty, are not trustworthy differences" (ibid.).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from xaug.core.errors import ConfigurationError
from xaug.core.statistics import sample_deviation
from xaug.core.types import Array
from xaug.explain.analysis.relevance import signed_relevance, summary, trainings_of
from xaug.explain.attribution import Attribution
from xaug.training.metrics import area, roc, signal_efficiency

__all__ = [
    "BACKGROUND_EFFICIENCIES", "ENOUGH_TRAININGS", "Uncertainty", "operating_points", "stability", "stable_features",
    "uncertainty",
]  # fmt: skip

BACKGROUND_EFFICIENCIES = (0.001, 0.01, 0.1)
"""Background efficiencies at which the signal efficiency is quoted."""
ENOUGH_TRAININGS = 4
"""Trainings that there must be at least before reports call a rank stable: two or three agree by chance too often."""


@dataclass(frozen=True)
class Uncertainty:
    """Spread over trainings. Every RMS is a standard deviation over trainings (ddof 1).

    Attributes
    ----------
    score_mean, score_rms : (n,) arrays
        mean and RMS of the predicted score of each event
    relevance_mean, relevance_rms : DataFrame
        mean and RMS of the normalised signed relevance, (n events, features)
    features : DataFrame
        result of `stability`
    performance : DataFrame or None
        result of `operating_points`; None if all events are of one class
    """

    score_mean: Array
    score_rms: Array
    relevance_mean: pd.DataFrame
    relevance_rms: pd.DataFrame
    features: pd.DataFrame
    performance: pd.DataFrame | None


def uncertainty(
    attributions: Sequence[Attribution],
    scores: Sequence[npt.ArrayLike],
    label: Array | None = None,
    weight: Array | None = None,
    list_relevance: str = "absolute",
) -> Uncertainty:
    """Measure how far trainings agree in predictions and relevances, by event and by feature.

    Parameters
    ----------
    attributions : sequence of Attribution
        one a training, at least two, of the same n events
    scores : sequence of (n,) arrays
        signal scores of these events in each training
    label : (n,) array, optional
        class of each event, 0 or 1; needed where the attributions do not know it
    weight : (n,) array, optional
        weights of the events in `performance`; default: all are 1
    list_relevance : {"absolute", "signed", "columns"}
        how the scores of a particle list add up in `features`, see `xaug.explain.feature_relevance`

    Returns
    -------
    Uncertainty
        Spreads over trainings of relevances and of scores.

    Raises
    ------
    ConfigurationError
        if there are fewer than two trainings, the shapes do not agree, or the classes are unknown

    References
    ----------
    arXiv:2011.13466, section 5.2
    """
    trainings = _several(attributions)
    score = np.asarray(scores, dtype=np.float64)
    if score.shape != (len(trainings), len(trainings[0])):
        raise ConfigurationError(
            f"scores have the shape {score.shape}; {len(trainings)} trainings of {len(trainings[0])} events need "
            f"{(len(trainings), len(trainings[0]))}"
        )
    tables = [signed_relevance(a) for a in trainings]
    names = list(tables[0])
    relevance = np.stack([table[names].to_numpy() for table in tables])
    classes = trainings[0].label if label is None else label
    if classes is None:
        raise ConfigurationError("these attributions do not know the classes of their events; give `label`")
    return Uncertainty(
        score.mean(axis=0),
        sample_deviation(score),
        pd.DataFrame(relevance.mean(axis=0), columns=names),
        pd.DataFrame(sample_deviation(relevance), columns=names),
        stability(trainings, list_relevance),
        operating_points(classes, list(score), weight) if len(np.unique(classes)) > 1 else None,
    )


def stability(attributions: Sequence[Attribution], list_relevance: str = "absolute") -> pd.DataFrame:
    """Find out whether the rank of each feature is the same in all trainings.

    Two features are told apart if their means differ by more than the square root of the sum of their squared spreads.

    Parameters
    ----------
    attributions : sequence of Attribution
        one a training, at least two, of the same events
    list_relevance : {"absolute", "signed", "columns"}
        how the scores of a particle list add up, see `xaug.explain.feature_relevance`

    Returns
    -------
    DataFrame
        One row for each feature, largest mean first. `mean`, `rms`, `spread`, `rank`: as in `summary`; `highest`,
        `lowest`: best and worst rank in a single training; `from`, `to`: best and worst rank within the uncertainty;
        `stable`: whether the feature has the same rank in all trainings and is told apart from all others.

    Raises
    ------
    ConfigurationError
        if there are fewer than two trainings

    References
    ----------
    arXiv:2011.13466, section 5.2
    """
    return stable_features(summary(_several(attributions), list_relevance))


def stable_features(table: pd.DataFrame) -> pd.DataFrame:
    """Find out which ranks of a ranking are the same in all trainings.

    Parameters
    ----------
    table : DataFrame
        result of `xaug.explain.summary` of at least two trainings

    Returns
    -------
    DataFrame
        as `stability` gives it

    References
    ----------
    arXiv:2011.13466, section 5.2
    """
    trainings = [name for name in table if str(name).startswith("training_")]
    ranks = table[trainings].rank(ascending=False, method="min").astype(int)
    mean, spread = table["mean"].to_numpy(), sample_deviation(table[trainings], axis=1)
    difference = mean[:, None] - mean[None, :]
    resolved = np.abs(difference) > np.hypot(spread[:, None], spread[None, :])
    found: pd.DataFrame = table[["mean", "rms", "spread", "rank"]].copy()
    found["highest"], found["lowest"] = ranks.min(axis=1), ranks.max(axis=1)
    found["from"] = 1 + (resolved & (difference < 0)).sum(axis=1)
    found["to"] = len(table) - (resolved & (difference > 0)).sum(axis=1)
    found["stable"] = (found["highest"] == found["lowest"]) & (found["from"] == found["to"])
    return found


def operating_points(label: Array, scores: Sequence[Array], weight: Array | None = None) -> pd.DataFrame:
    """AUC, and signal efficiency at fixed background efficiencies, for single trainings and for their mean score.

    Parameters
    ----------
    label : (n,) array
        class of each event, 0 or 1
    scores : sequence of (n,) arrays
        signal scores in each training
    weight : (n,) array, optional
        weights of the events; default: all are 1

    Returns
    -------
    DataFrame
        one row for "auc" and one for each of BACKGROUND_EFFICIENCIES: `mean` and `rms` (ddof 1) over trainings, and
        `mean_score`, the value for the mean of the scores
    """

    def values(score: Array) -> list[float]:
        curve = roc(label, score, weight)
        return [area(*curve), *signal_efficiency(*curve, np.array(BACKGROUND_EFFICIENCIES))]

    single = np.array([values(score) for score in scores])
    of_mean = values(np.mean(scores, axis=0))
    table = {"mean": single.mean(axis=0), "rms": sample_deviation(single), "mean_score": of_mean}
    found: pd.DataFrame = pd.DataFrame(table, index=pd.Index(["auc", *BACKGROUND_EFFICIENCIES], name="at"))
    return found


def _several(attributions: Sequence[Attribution]) -> list[Attribution]:
    """The attributions, which must be at least two."""
    found = trainings_of(attributions)
    if len(found) < 2:
        raise ConfigurationError("one training has no spread; explain at least two trainings of the network")
    return found
