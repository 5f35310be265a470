"""Rankings of features: those that explanations give, and controls that know nothing of a network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from xaug.core import provenance
from xaug.core.errors import DatasetError, unknown_name
from xaug.core.integrity import verified
from xaug.data.dataset import Dataset
from xaug.data.variables import Table
from xaug.data.weights import event_weights
from xaug.training.metrics import area, roc

__all__ = ["BY", "CONTROLS", "best_xaugs", "random_ranking", "ranking_of", "univariate_ranking"]

BY = ("mean", "mean_absolute")
"""How the attributions of a class rank features: by signed mean, the paper's "averaged", or by mean absolute value."""


def ranking_of(directory: str | Path, by: str = "mean") -> list[str]:
    """The features of a finished directory of `xaug.explain`, the most important first, averaged over trainings.

    Parameters
    ----------
    directory : path
    by : str
        one of BY

    Raises
    ------
    ConfigurationError
        if `by` is unknown
    DatasetError
        if the directory is not finished, or lacks its ranking
    """
    import pandas as pd

    if by not in BY:
        raise unknown_name("way to rank", by, BY)
    recorded = provenance.read(directory, "explain").get("rankings")
    if recorded:
        return list(recorded[by])
    # xaug 0.1 left tables only
    tables = sorted(Path(directory).glob("class_level_*.csv"))
    try:
        if tables:
            values = pd.concat([pd.read_csv(verified(path), index_col=0)[by] for path in tables], axis=1).mean(axis=1)
            return list(values.sort_values(ascending=False, kind="stable").index)
        # where there are no attributions of a class, there is the paper's relevance, which has no sign
        return list(pd.read_csv(verified(Path(directory) / "relevance.csv"))["feature"])
    except (OSError, ValueError, KeyError) as error:
        raise DatasetError(
            f"{directory} lacks its ranking, or it is damaged ({error}). Delete its {provenance.NAME} and explain "
            "again: what is done is kept"
        ) from None


def best_xaugs(directory: str | Path, table: Table, count: int = 5) -> list[str]:
    """The first expert variables of a ranking.

    Parameters
    ----------
    directory : path
        finished output of `xaug.explain`
    table : Table
        variables of the dataset
    count : int
        number of variables

    Raises
    ------
    DatasetError
        if the ranking has fewer expert variables
    """
    known = set(table.names("xaug"))
    found = [name for name in ranking_of(directory) if name in known][:count]
    if len(found) < count:
        raise DatasetError(
            f"{directory} ranks {len(found)} expert variables of {table.kind}, not {count}: explain a run that has all"
        )
    return found


def random_ranking(data: Dataset, block: str, weights: str, seed: int) -> list[str]:
    """The features of a block in random order."""
    names = data.names(block)
    return [names[i] for i in np.random.default_rng(seed).permutation(len(names))]


def univariate_ranking(data: Dataset, block: str, weights: str, seed: int = 0) -> list[str]:
    """The features of a block by how well each alone separates the classes, on the validation split.

    Of two classes this is |AUC - 1/2|; of more, its mean over the classes, each against the rest.
    """
    arrays = data.load([block, "label", "weight", "process"], "validation")
    weight = event_weights(weights, arrays["weight"], arrays["process"], data.weight_scales)
    names, label = data.names(block), arrays["label"]
    classes = [1] if len(data.classes) == 2 else range(len(data.classes))
    apart = [
        np.mean([abs(area(*roc((label == own).astype(np.int8), arrays[block][:, i], weight)) - 0.5) for own in classes])
        for i in range(len(names))
    ]
    return [names[i] for i in np.argsort(-np.array(apart), kind="stable")]


Control = Callable[[Dataset, str, str, int], list[str]]
"""Ranks the features of a block of a dataset, given what events count for and a seed."""

CONTROLS: dict[str, Control] = {"random": random_ranking, "univariate": univariate_ranking}
"""Rankings with which those by explanations are compared, by name."""
