"""The record of a directory of attributions: its manifest, read once, and the files that it lists."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from xaug.core import provenance
from xaug.core.errors import DatasetError
from xaug.core.integrity import verified
from xaug.core.types import JsonObject
from xaug.explain.attribution import Attribution
from xaug.explain.method import AnyMethod, class_level_path
from xaug.explain.methods import find_method

__all__ = ["RANKED_BY", "Explanation", "attribution_path", "rank_features"]

RANKED_BY = ("mean", "mean_absolute")
"""Columns of the attributions of a class by which features rank."""


def attribution_path(directory: Path, training: int) -> Path:
    """The file of the attribution of one training."""
    return directory / f"attribution_{training}.h5"


@dataclass(frozen=True)
class Explanation:
    """A finished directory of attributions.

    Attributes
    ----------
    directory : Path
    method : Method
        the method that made them
    run, dataset : Path
        the run that was explained, and the dataset of the events
    run_digest, dataset_digest : str
        digests of the configuration of that run and of the content of that dataset
    split : str
        split of the dataset whose events were explained
    only : str or None
        class of the events that were explained; None for both
    baseline : str or None
        name of the baseline, as the user gave it; None for methods without one
    trainings, events : int
        number of trainings, and of events explained in each
    settings : dict
        settings of the first attribution
    conserved : list of list of float
        5%, 50% and 95% quantiles, over events, of the sum of relevance over what it should be; one list a training
    lost : list of int
        number of events with a relevance that is not finite, which summaries leave out; one number a training
    effective_events : list of float
        effective number of the events by their weights; one number a training, none where an earlier version wrote it
    top5 : list of str
        the features of largest mean relevance
    rankings : dict of list of str
        all features, the most important first, by each of `RANKED_BY`; empty for attributions of xaug 0.1
    config : dict
        what decides the numbers: a directory with another configuration is not resumed
    """

    directory: Path
    method: AnyMethod
    run: Path
    dataset: Path
    run_digest: str
    dataset_digest: str
    split: str
    only: str | None
    baseline: str | None
    trainings: int
    events: int
    settings: JsonObject = field(repr=False)
    conserved: list[list[float]] = field(repr=False)
    lost: list[int]
    effective_events: list[float]
    top5: list[str]
    rankings: dict[str, list[str]] = field(repr=False)
    config: JsonObject = field(repr=False)

    @classmethod
    def open(cls, directory: str | os.PathLike[str]) -> Explanation:
        """Read the manifest of a finished directory.

        Raises
        ------
        DatasetError
            if the directory is not one of attributions, was not finished, or its manifest is damaged
        """
        directory = Path(directory)
        content = provenance.read(directory, "explain")
        try:
            config = content["config"]
            method = find_method(config["method"])
            return cls(
                directory, method, Path(content["run"]), Path(content["dataset"]), config["run"], config["dataset"],
                config["split"], config.get("only"), config.get("baseline"), content["trainings"], content["events"],
                content["settings"], content["conserved_5_50_95"], content.get("lost", [0] * content["trainings"]),
                content.get("effective_events", []), content["top5"], content.get("rankings", {}), config,
            )  # fmt: skip
        except KeyError as error:
            raise DatasetError(
                f"{directory / provenance.NAME} is damaged: it has no {error}. Delete it and explain again: finished "
                "trainings are kept"
            ) from None

    def attributions(self, memory: float | None = None) -> list[Attribution]:
        """Read the attributions, one a training; see `attribution`."""
        return [self.attribution(training, memory) for training in range(self.trainings)]

    def attribution(self, training: int, memory: float | None = None) -> Attribution:
        """Read the attribution of one training.

        Parameters
        ----------
        training : int
            number of the training
        memory : float, optional
            largest size of the relevance in MB; of more events, evenly spread ones are read. Default: all are read
        """
        path = attribution_path(self.directory, training)
        shown = self.events if memory is None else self.events_within(memory)
        some = None if shown == self.events else np.linspace(0, self.events - 1, shown).astype(int)
        return Attribution.load(path, some)

    def events_within(self, memory: float) -> int:
        """Number of events whose relevance fits into some MB of memory; one at least."""
        return min(self.events, max(1, int(memory * 1e6 / Attribution.bytes_in(attribution_path(self.directory, 0)))))

    def class_tables(self) -> list[pd.DataFrame]:
        """Read the attributions of the class, a table a training with a row a feature.

        Returns
        -------
        list of DataFrame
            tables of `xaug.explain.class_attribution`; empty where the method makes none, or had too few events
        """
        return read_class_tables(self.directory, self.trainings) if self.method.attributes_class else []

    @property
    def caption(self) -> str:
        """How the events were explained, for captions of figures."""
        return self.method.caption(self.settings)


def read_class_tables(directory: Path, trainings: int) -> list[pd.DataFrame]:
    """Tables of the attributions of the class, one for each training that has one."""
    paths = [class_level_path(directory, i) for i in range(trainings)]
    return [pd.read_csv(verified(path), index_col=0) for path in paths if path.exists()]


def rank_features(directory: Path, method: AnyMethod, trainings: int, table: pd.DataFrame) -> dict[str, list[str]]:
    """All features, the most important first: by attributions of the class where there are such, else by relevance.

    Parameters
    ----------
    directory : Path
        directory of the attributions
    method : Method
        the method that made them
    trainings : int
        number of trainings
    table : DataFrame
        as `xaug.explain.summary` gives it

    Returns
    -------
    dict of list of str
        by each of `RANKED_BY`; relevance has no sign, so that both rankings are the same there
    """
    tables = read_class_tables(directory, trainings) if method.attributes_class else []
    if not tables:
        return {by: list(table.index) for by in RANKED_BY}
    found = {}
    for by in RANKED_BY:
        values = pd.concat([table[by] for table in tables], axis=1).mean(axis=1)
        found[by] = list(values.sort_values(ascending=False, kind="stable").index)
    return found
