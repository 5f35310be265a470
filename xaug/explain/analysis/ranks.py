"""Ranks of features event by event: the share of the events in which a feature matters most, second, ..."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from xaug.core.types import Array
from xaug.explain.analysis.relevance import feature_relevance, trainings_of
from xaug.explain.attribution import Attribution

__all__ = ["rank_fractions"]

BLOCK = 20_000
"""Number of events that are ranked at once, which bounds the memory and fits a cache."""


def rank_fractions(attributions: Attribution | Sequence[Attribution], list_relevance: str = "absolute") -> pd.DataFrame:
    """Percentage of the events in which a feature has rank 1 (largest absolute relevance), 2, 3, ...

    Every row and every column adds up to 100%. Features that tie share their ranks in equal parts: two features that
    are both zero in an event of five features take half of rank 4 and half of rank 5 each. A constant variable, which
    is scaled to 0 and has no relevance under LRP or Integrated Gradients, therefore has the last ranks.

    Parameters
    ----------
    attributions : Attribution or sequence of Attribution
        one, or several of the same events, which count equally
    list_relevance : {"absolute", "signed", "columns"}
        how the scores of a particle list add up, see `xaug.explain.feature_relevance`

    Returns
    -------
    DataFrame
        one row for each feature, one column for each rank; the feature of smallest mean rank comes first

    Raises
    ------
    ConfigurationError
        if there are no attributions, or they are of different events

    References
    ----------
    arXiv:2011.13466, figure 12
    """
    tables = [feature_relevance(a, list_relevance).dropna() for a in trainings_of(attributions)]  # lost events
    features = tables[0].shape[1]
    shares = np.zeros((features, features))
    for table in tables:
        relevance = table.to_numpy()
        for start in range(0, len(relevance), BLOCK):
            shares += _rank_shares(relevance[start : start + BLOCK])
    events = sum(len(table) for table in tables)
    columns = pd.RangeIndex(1, features + 1, name="rank")
    found = pd.DataFrame(100.0 * shares / max(events, 1), index=list(tables[0]), columns=columns)
    order = np.argsort(found.to_numpy() @ columns.to_numpy(), kind="stable")
    ordered: pd.DataFrame = found.iloc[order].rename_axis("feature")
    return ordered


def _rank_shares(relevance: Array) -> Array:
    """Number of events (features, ranks) in which a feature has a rank, from absolute relevance (n, features)."""
    n, features = relevance.shape
    order = np.argsort(-relevance, axis=1, kind="stable")
    ordered = np.take_along_axis(relevance, order, axis=1)
    begins = np.ones((n, features + 1), dtype=bool)  # at each position where a new value begins, and at the end
    begins[:, 1:-1] = ordered[:, 1:] != ordered[:, :-1]
    position = np.arange(features + 1)
    first = np.maximum.accumulate(np.where(begins[:, :-1], position[:-1], 0), axis=1)
    after = np.minimum.accumulate(np.where(begins, position, features)[:, :0:-1], axis=1)[:, ::-1]
    share = 1.0 / (after - first)
    # a share on all ranks from `first` to before `after`: up at one, down at the other, and cumulated
    width = features + 1
    steps = np.bincount((order * width + first).ravel(), share.ravel(), minlength=features * width)
    steps -= np.bincount((order * width + after).ravel(), share.ravel(), minlength=features * width)
    counts: Array = np.cumsum(steps.reshape(features, width), axis=1)
    return counts[:, :-1]
