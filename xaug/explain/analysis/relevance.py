"""Relevance of features: from scores of every input element to a ranking with an uncertainty.

The steps are those of arXiv:2011.13466, section 5.1. For each event, all scores are divided by the largest absolute
score of any input element; the relevance of an image is the sum of its absolute pixel scores; absolute values are
averaged over events; mean and standard deviation (which that paper calls RMS) are computed over trainings.

A sum of absolute values grows with the number of elements, so that an image of 256 pixels has an advantage over one
variable. `signed_share` in `summary` has no such advantage.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.statistics import sample_deviation
from xaug.core.types import Array, ArrayLike, Arrays, JsonObject
from xaug.data.feature_names import unique_names
from xaug.data.weights import effective_number
from xaug.explain.attribution import Attribution
from xaug.explain.event_weights import checked_weights, positive_sum

__all__ = [
    "LIST_RELEVANCE", "MeanRelevance", "feature_relevance", "mean_relevance", "normalized", "signed_relevance",
    "summary", "summary_of", "trainings_of", "vector_names",
]  # fmt: skip

LIST_RELEVANCE = ("absolute", "signed", "columns")
"""Ways to add up the scores of a particle list.

absolute
    one number for the list: the sum of the absolute scores of all elements
signed
    one number for the list: the sum over columns of the absolute value of the sum over particles, as in the code of the
    authors of arXiv:2011.13466
columns
    one number for each column: the sum of absolute scores over particles
"""


def normalized(attribution: Attribution) -> Arrays:
    """Scores divided by the largest absolute score of any input element of the event.

    Parameters
    ----------
    attribution : Attribution
        the scores of n events

    Returns
    -------
    dict of arrays
        by input name, each (n, ...); an event whose scores are all zero stays zero, and all scores of a lost event
        (`Attribution.is_lost`) are nan

    References
    ----------
    arXiv:2011.13466, section 5.1
    """
    per_input = [np.abs(r).max(axis=tuple(range(1, r.ndim)), initial=0.0) for r in attribution.relevance.values()]
    largest = np.max(per_input, axis=0).astype(np.float64)  # and so are the scores below
    scale = 1.0 / np.where(largest > 0, largest, 1.0)
    lost = attribution.is_lost
    if lost.any():  # one infinite score would make all others of its event zero
        scale[lost] = np.nan
    return {
        name: values * scale.reshape(-1, *[1] * (values.ndim - 1)) for name, values in attribution.relevance.items()
    }


def feature_relevance(attribution: Attribution, list_relevance: str = "absolute") -> pd.DataFrame:
    """Normalised absolute relevance of each feature in each event.

    Each column of an input that is one vector is a feature. An image is one feature. All inputs that hold columns of a
    particle list are one feature, "list", unless `list_relevance` is "columns".

    Parameters
    ----------
    attribution : Attribution
        the scores of n events
    list_relevance : {"absolute", "signed", "columns"}
        how the scores of a particle list add up, see `LIST_RELEVANCE`

    Returns
    -------
    DataFrame
        (n events, features); names of columns that several inputs have get the name of the input in front (`jet1.pt`).
        The rows of lost events (`Attribution.is_lost`) are nan, which means over events leave out

    Raises
    ------
    ConfigurationError
        if there is no such `list_relevance`

    References
    ----------
    arXiv:2011.13466, section 5.1
    """
    if list_relevance not in LIST_RELEVANCE:
        raise unknown_name("list relevance", list_relevance, LIST_RELEVANCE)
    unique = unique_names(attribution.variables)
    columns: Arrays = {}
    for name, values in normalized(attribution).items():
        if values.ndim == 2:
            columns |= dict(zip(vector_names(name, values, unique), np.abs(values).T, strict=True))
        elif values.ndim == 4 or not unique.get(name):
            columns[name] = np.abs(values).sum(axis=tuple(range(1, values.ndim)))
        else:
            of_column = np.abs((values if list_relevance == "signed" else np.abs(values)).sum(axis=1))
            if list_relevance == "columns":
                columns |= dict(zip(unique[name], of_column.T, strict=True))
            else:
                columns["list"] = columns.get("list", 0.0) + of_column.sum(axis=1)
    found: pd.DataFrame = pd.DataFrame(columns)
    return found


def signed_relevance(attribution: Attribution, normalize: bool = True) -> pd.DataFrame:
    """Normalised signed relevance of each feature in each event: plain sums over the elements of a feature.

    Parameters
    ----------
    attribution : Attribution
        the scores of n events
    normalize : bool
        whether the scores of each event are divided by the largest absolute score of any input element

    Returns
    -------
    DataFrame
        (n events, features), with the features of `feature_relevance`
    """
    unique = unique_names(attribution.variables)
    columns: Arrays = {}
    for name, values in (normalized(attribution) if normalize else attribution.relevance).items():
        if values.ndim == 2:
            columns |= dict(zip(vector_names(name, values, unique), values.T, strict=True))
        elif values.ndim == 4 or not unique.get(name):
            columns[name] = values.sum(axis=tuple(range(1, values.ndim)))
        else:
            columns["list"] = columns.get("list", 0.0) + values.sum(axis=1).sum(axis=1)
    found: pd.DataFrame = pd.DataFrame(columns)
    return found


def vector_names(name: str, values: Array, unique: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Names of the columns of an input (n, columns), numbered where they have none."""
    return unique.get(name) or tuple(f"{name}[{i}]" for i in range(values.shape[1]))


def trainings_of(attributions: Attribution | Sequence[Attribution]) -> list[Attribution]:
    """One or several attributions as a list of the same events, explained in several trainings.

    Raises
    ------
    ConfigurationError
        if there is none, or they are of different events
    """
    found = [attributions] if isinstance(attributions, Attribution) else list(attributions)
    if not found:
        raise ConfigurationError("at least one attribution is needed")
    if len({len(a) for a in found}) > 1:
        raise ConfigurationError(
            f"the attributions have {', '.join(str(len(a)) for a in found)} events; explain the same events in all "
            "trainings"
        )
    if any(not _same(a.rows, found[0].rows) for a in found):
        raise ConfigurationError(
            "the attributions are of different rows of the dataset; explain the same events in all trainings"
        )
    return found


def _same(one: Array | None, other: Array | None) -> bool:
    """Whether two arrays are equal, or both are missing."""
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other)


@dataclass(frozen=True)
class MeanRelevance:
    """Sums over the events of one training, from which its ranking follows.

    Attributes
    ----------
    events, lost : int
        number of events, and of those that are lost (`Attribution.is_lost`)
    effective : float
        effective number of the events that are not lost, (sum of weights)^2 / (sum of squared weights)
    mean, signed : Series
        mean normalised absolute and signed relevance of each feature over the events that are not lost, by their
        weights
    conserved : array
        `Attribution.conserved` of the events that are not lost
    settings : dict
        settings of the attribution
    """

    events: int
    lost: int
    effective: float
    mean: pd.Series
    signed: pd.Series
    conserved: Array
    settings: JsonObject


def mean_relevance(groups: Iterable[Attribution], list_relevance: str = "absolute") -> MeanRelevance:
    """Mean relevance of the features over events, of which one group is in memory at a time.

    Parameters
    ----------
    groups : iterable of Attribution
        events of one training
    list_relevance : {"absolute", "signed", "columns"}
        how the scores of a particle list add up, see `LIST_RELEVANCE`

    Raises
    ------
    ConfigurationError
        if the weights of the events do not add up to a positive number
    """
    sums, signed, conserved, weights, events, lost = [], [], [], [], 0, 0
    settings: JsonObject = {}
    for group in groups:
        weight = np.ones(len(group)) if group.weight is None else np.asarray(group.weight, np.float64)
        sums.append(feature_relevance(group, list_relevance).mul(weight, axis=0).sum())
        signed.append(signed_relevance(group).mul(weight, axis=0).sum())
        settings, events, lost = settings or group.settings, events + len(group), lost + group.lost
        conserved.append(group.conserved[~group.is_lost])
        weights.append(weight[~group.is_lost])
    kept = np.concatenate(weights)
    total = float(positive_sum(kept).sum()) if len(kept) else np.nan
    return MeanRelevance(
        events, lost, effective_number(kept), sum(sums) / total, sum(signed) / total, np.concatenate(conserved),
        settings,
    )  # fmt: skip


def _weighted(attributions: Sequence[Attribution], weights: ArrayLike | None) -> list[Attribution]:
    """The attributions with weights (n,) of the user's; with their own where none are given."""
    if weights is None:
        return list(attributions)
    return [replace(one, weight=checked_weights(weights, len(one))) for one in attributions]


def summary(
    attributions: Sequence[Attribution], list_relevance: str = "absolute", *, weights: ArrayLike | None = None
) -> pd.DataFrame:
    """Rank the features by their relevance, with its spread over trainings.

    Parameters
    ----------
    attributions : sequence of Attribution
        one a training
    list_relevance : {"absolute", "signed", "columns"}
        how the scores of a particle list add up, see `LIST_RELEVANCE`
    weights : (n,) array, optional
        what each event counts for in the means, also negative; default: `Attribution.weight`, or 1 where that is None

    Returns
    -------
    DataFrame
        One row for each feature, largest mean first. `mean`: mean over trainings of the mean normalised absolute
        relevance; `rms`: root mean square of the trainings about it (ddof 0), which is smaller than their spread;
        `rank`: 1 for the largest; `signed_share`: mean over trainings of the feature's mean signed relevance, as a
        fraction of the sum of the absolute values of all features; `spread`: standard deviation over trainings (ddof
        1; nan for one training), which figures and stable ranks use; `training_0`, ...: relevance in each training.
        Lost events (`Attribution.is_lost`) are left out.

    Raises
    ------
    ConfigurationError
        if there are no attributions or no events, the attributions have different features, or the weights do not fit
        or do not add up to a positive number

    References
    ----------
    arXiv:2011.13466, section 5.1
    """
    return summary_of([mean_relevance([a], list_relevance) for a in _weighted(attributions, weights)])


def summary_of(trainings: Sequence[MeanRelevance]) -> pd.DataFrame:
    """The table of `summary`, from the means of each training.

    Parameters
    ----------
    trainings : sequence of MeanRelevance
        one a training

    Raises
    ------
    ConfigurationError
        see `summary`
    """
    if not trainings:
        raise ConfigurationError("summary needs at least one attribution")
    per_training = pd.DataFrame([own.mean for own in trainings])
    whole = [own for own in trainings if own.events and own.lost == own.events]
    if whole:
        raise ConfigurationError(
            f"all {whole[0].events} events of an attribution are lost: no relevance of theirs is finite"
        )
    if per_training.isna().any(axis=None):
        raise ConfigurationError(
            "the attributions have different features, or no events; give those of one run, with at least one event"
        )
    signed = pd.DataFrame([own.signed for own in trainings])
    shares = signed.div(signed.abs().sum(axis=1).replace(0.0, 1.0), axis=0)
    table = pd.DataFrame(
        {"mean": per_training.mean(), "rms": per_training.std(ddof=0), "signed_share": shares.mean()}
    ).sort_values("mean", ascending=False, kind="stable")
    table.insert(2, "rank", np.arange(1, len(table) + 1))
    table["spread"] = sample_deviation(per_training[table.index])
    for i, row in per_training.iterrows():
        table[f"training_{i}"] = row
    named: pd.DataFrame = table.rename_axis("feature")
    return named
