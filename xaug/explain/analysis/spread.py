"""Numerical uncertainty: how far trainings of one network agree (arXiv:2011.13466, section 5.2).

"Differences that exist, but are covered within the uncertainty, are not trustworthy differences": the spread
over trainings is taken as the uncertainty of scores, relevances and ranks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xaug.core.errors import ConfigurationError
from xaug.explain.analysis.binned import trainings_of
from xaug.explain.analysis.relevance import signed_relevance, summary
from xaug.explain.attribution import Attribution
from xaug.training.metrics import roc, signal_efficiency

__all__ = ["BACKGROUND_EFFICIENCIES", "Uncertainty", "operating_points", "stability", "uncertainty"]

BACKGROUND_EFFICIENCIES = (0.001, 0.01, 0.1)
"""Where the signal efficiency is quoted."""


@dataclass(frozen=True)
class Uncertainty:
    """Spread over trainings; every RMS is a standard deviation over them (ddof 0).

    Attributes
    ----------
    score_mean, score_rms
        (n,) of the predicted score of each event
    relevance_mean, relevance_rms
        DataFrames (n events, features) of the normalised signed relevance
    features : DataFrame
        of `stability`
    performance : DataFrame
        of `operating_points`; None if all events are of one class
    """

    score_mean: np.ndarray
    score_rms: np.ndarray
    relevance_mean: pd.DataFrame
    relevance_rms: pd.DataFrame
    features: pd.DataFrame
    performance: pd.DataFrame | None


def uncertainty(
    attributions: Sequence[Attribution],
    scores: Sequence[np.ndarray],
    label: np.ndarray | None = None,
    weight: np.ndarray | None = None,
    list_relevance: str = "absolute",
) -> Uncertainty:
    """How far N trainings agree: in predictions and relevances, by event and by feature.

    Parameters
    ----------
    attributions
        one a training, at least two, of the same events
    scores
        (n,) signal score of these events in each training
    label
        (n,) classes, where the attributions do not know them
    weight
        (n,) of the events in `performance`; None: all count one
    list_relevance
        as for `feature_relevance`, in `features`
    """
    attributions = _several(attributions)
    scores = np.asarray(scores, dtype=np.float64)
    if scores.shape != (len(attributions), len(attributions[0])):
        raise ConfigurationError(
            f"{len(attributions)} trainings of {len(attributions[0])} events need scores of that shape, not "
            f"{scores.shape}"
        )
    tables = [signed_relevance(a) for a in attributions]
    names = list(tables[0])
    relevance = np.stack([table[names].to_numpy() for table in tables])
    label = attributions[0].label if label is None else label
    if label is None:
        raise ConfigurationError("these attributions do not know the classes of their events: give `label`")
    return Uncertainty(
        scores.mean(axis=0),
        scores.std(axis=0),
        pd.DataFrame(relevance.mean(axis=0), columns=names),
        pd.DataFrame(relevance.std(axis=0), columns=names),
        stability(attributions, list_relevance),
        operating_points(label, scores, weight) if len(np.unique(label)) > 1 else None,
    )


def stability(attributions: Sequence[Attribution], list_relevance: str = "absolute") -> pd.DataFrame:
    """Whether the rank of each feature is the same whatever the training.

    Parameters
    ----------
    attributions
        one a training, at least two
    list_relevance
        as for `feature_relevance`

    Returns
    -------
    DataFrame, one row a feature, largest mean first
        `mean`, `rms`, `rank` of `summary`; `highest`, `lowest`: the best and the worst rank among the single
        trainings; `from`, `to`: the ranks it may have within the uncertainty, where two features are told
        apart if their means differ by more than the root of the sum of their squared RMS; `stable`: the same
        rank in all trainings, and told apart from all others
    """
    table = summary(_several(attributions), list_relevance)
    trainings = [name for name in table if name.startswith("training_")]
    ranks = table[trainings].rank(ascending=False, method="min").astype(int)
    mean, rms = table["mean"].to_numpy(), table["rms"].to_numpy()
    difference = mean[:, None] - mean[None, :]
    resolved = np.abs(difference) > np.hypot(rms[:, None], rms[None, :])
    found = table[["mean", "rms", "rank"]].copy()
    found["highest"], found["lowest"] = ranks.min(axis=1), ranks.max(axis=1)
    found["from"] = 1 + (resolved & (difference < 0)).sum(axis=1)
    found["to"] = len(table) - (resolved & (difference > 0)).sum(axis=1)
    found["stable"] = (found["highest"] == found["lowest"]) & (found["from"] == found["to"])
    return found


def operating_points(label: np.ndarray, scores: Sequence[np.ndarray], weight: np.ndarray | None = None) -> pd.DataFrame:
    """AUC, and signal efficiency at fixed background efficiencies: of single trainings and of their mean score.

    Returns
    -------
    DataFrame with a row for "auc" and for each of BACKGROUND_EFFICIENCIES
        `mean` and `rms` over trainings, and `mean_score`: the value when the mean of the scores decides
    """
    from sklearn.metrics import auc

    def values(score: np.ndarray) -> list[float]:
        curve = roc(label, score, weight)
        return [float(auc(*curve)), *signal_efficiency(*curve, np.array(BACKGROUND_EFFICIENCIES))]

    single = np.array([values(score) for score in scores])
    table = {"mean": single.mean(axis=0), "rms": single.std(axis=0), "mean_score": values(np.mean(scores, axis=0))}
    return pd.DataFrame(table, index=pd.Index(["auc", *BACKGROUND_EFFICIENCIES], name="at"))


def _several(attributions: Sequence[Attribution]) -> list[Attribution]:
    found = trainings_of(attributions)
    if len(found) < 2:
        raise ConfigurationError("one training has no spread: explain at least two trainings of the network")
    return found
