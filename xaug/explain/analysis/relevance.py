"""Relevance by feature: from scores of every input element to a ranking with an uncertainty.

Exactly as in arXiv:2011.13466, section 5.1: per event, all scores are divided by the largest absolute score
of any input element; the relevance of an image is the sum of its absolute pixel scores; absolute values are
averaged over events; mean and standard deviation (which that paper calls RMS) are taken over trainings.

Sums of absolute values grow with the number of elements, so an image of 256 pixels has an advantage over
a single variable; `signed_share` has none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.explain.attribution import Attribution

__all__ = ["LIST_RELEVANCE", "feature_relevance", "normalized", "summary"]

LIST_RELEVANCE = ("absolute", "signed", "columns")
"""How the scores of a particle list add up: absolute values of all elements, to one number; as in the code of
the authors of arXiv:2011.13466, absolute values of each column's sum over particles, to one number; or absolute
values over particles, to one number a column."""


def normalized(attribution: Attribution) -> dict[str, np.ndarray]:
    """Scores divided by the largest absolute score of any input element of the event; by input name.

    An event all of whose scores are zero stays zero.
    """
    per_input = [np.abs(r).max(axis=tuple(range(1, r.ndim)), initial=0.0) for r in attribution.relevance.values()]
    largest = np.max(per_input, axis=0).astype(np.float64)  # and so are the scores below
    scale = 1.0 / np.where(largest > 0, largest, 1.0)
    return {
        name: values * scale.reshape(-1, *[1] * (values.ndim - 1)) for name, values in attribution.relevance.items()
    }


def feature_relevance(attribution: Attribution, list_relevance: str = "absolute") -> pd.DataFrame:
    """Normalised absolute relevance (n events, n features): "image", "list" and each XAUG or event variable.

    Columns of an input that is one vector of named variables stand alone; images and lists are one feature,
    and so are all inputs that hold one column of a list each.
    """
    return _features(attribution, list_relevance, signed=False)


def signed_relevance(attribution: Attribution) -> pd.DataFrame:
    """Normalised signed relevance (n events, n features): plain sums over the elements of a feature."""
    return _features(attribution, "absolute", signed=True)


def _features(attribution: Attribution, list_relevance: str, signed: bool) -> pd.DataFrame:
    if list_relevance not in LIST_RELEVANCE:
        raise unknown_name("list relevance", list_relevance, LIST_RELEVANCE)
    columns = {}
    for name, values in normalized(attribution).items():
        if values.ndim == 2:
            names = attribution.variables.get(name) or [f"{name}[{i}]" for i in range(values.shape[1])]
            columns |= dict(zip(names, (values if signed else np.abs(values)).T, strict=True))
            continue
        names = attribution.variables.get(name, [])
        if values.ndim == 4 or not names:
            elements = tuple(range(1, values.ndim))
            columns[name] = values.sum(axis=elements) if signed else np.abs(values).sum(axis=elements)
            continue
        particles = values if signed or list_relevance == "signed" else np.abs(values)
        of_column = particles.sum(axis=1)
        of_column = of_column if signed else np.abs(of_column)
        if list_relevance == "columns":
            columns |= dict(zip(names, of_column.T, strict=True))
        else:
            columns["list"] = columns.get("list", 0.0) + of_column.sum(axis=1)
    return pd.DataFrame(columns)


def summary(attributions: Sequence[Attribution], list_relevance: str = "absolute") -> pd.DataFrame:
    """A ranking of the features, with its spread over trainings.

    Returns
    -------
    DataFrame, one row per feature, largest mean first
        `mean` over trainings of the mean normalised absolute relevance; `rms`, its standard deviation over
        trainings (ddof 0); `rank`, 1 for the largest; `signed_share`, the mean over trainings of the feature's
        mean signed relevance as a fraction of the sum of the absolute values of all of them; and
        `training_0`, ..., the relevance in each training
    """
    if not attributions:
        raise ConfigurationError("summary needs at least one attribution")
    per_training = pd.DataFrame([feature_relevance(a, list_relevance).mean() for a in attributions])
    if per_training.isna().any(axis=None):
        raise ConfigurationError("the attributions have different features, or no events: summarise one run at a time")
    signed = pd.DataFrame([signed_relevance(a).mean() for a in attributions])
    shares = signed.div(signed.abs().sum(axis=1).replace(0.0, 1.0), axis=0)
    table = pd.DataFrame(
        {"mean": per_training.mean(), "rms": per_training.std(ddof=0), "signed_share": shares.mean()}
    ).sort_values("mean", ascending=False, kind="stable")
    table.insert(2, "rank", np.arange(1, len(table) + 1))
    for i, row in per_training.iterrows():
        table[f"training_{i}"] = row
    return table.rename_axis("feature")
