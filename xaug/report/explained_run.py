"""A run and the attributions of its trainings, as figures and tables read them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from xaug.core.errors import DatasetError
from xaug.core.types import Array, Arrays
from xaug.data.dataset import Dataset
from xaug.data.variables import Table, Variable
from xaug.explain.analysis.relevance import summary
from xaug.explain.attribution import Attribution
from xaug.explain.explanation import Explanation
from xaug.explain.targets import labels_of
from xaug.report.class_scores import predicted, relevance_name, score_name, score_of_target
from xaug.report.run_label import run_label, run_title
from xaug.training.runs import Run

__all__ = ["LIST_RELEVANCE", "ExplainedRun", "Shape", "shapes_of"]

LIST_RELEVANCE = "signed"
"""The scores of a particle list are added to one number as in the code of the authors of arXiv:2011.13466."""
MEMORY = 32.0
"""Relevance of a training that a report holds in memory, in MB: of larger ones it reads evenly spread events."""


class Shape(Enum):
    """The shape of a block of inputs, by the number of its axes between that of the events and that of the columns."""

    VECTOR = 0
    LIST = 1
    IMAGE = 2

    @property
    def words(self) -> str:
        """The shape as an error message names it."""
        return {Shape.VECTOR: "expert variables", Shape.LIST: "a particle list", Shape.IMAGE: "an image"}[self]


def shapes_of(table: Table, blocks: Iterable[str]) -> dict[str, Shape]:
    """The shape of each of these blocks."""
    return {block: Shape(len(table.block(block).shape)) for block in blocks}


class ExplainedRun:
    """A run and the attributions of its trainings.

    Arrays are read at first use and kept until `release`.

    Parameters
    ----------
    name
        name of the run, or of the directory of attributions where the run is explained more than once
    run
        the run
    data
        the dataset whose events are explained
    explanation
        the record of the directory of attributions
    """

    def __init__(self, name: str, run: Run, data: Dataset, explanation: Explanation) -> None:
        self.name = name
        self.run = run
        self.data = data
        self.explanation = explanation

    @property
    def readable(self) -> str:
        """The readable name of the run, with the method where the run is explained more than once."""
        of_run = run_label(self.run)
        if self.name == self.run.name:
            return of_run
        return f"{of_run}: {self.way}"

    @property
    def way(self) -> str:
        """The method and what it compares with, in short: `LRP, reference background`."""
        compared = f", {self.baseline} baseline" if self.baseline else ""
        reference = self.explanation.config.get("reference")
        if reference:
            compared = f", reference {Path(reference).name}"
        return f"{self.explanation.method.label}{compared}"

    @property
    def title(self) -> str:
        """The readable name, and the name of the directory in brackets."""
        return run_title(self.readable, self.name)

    @property
    def method(self) -> str:
        """The name of the method."""
        return self.explanation.method.name

    @property
    def split(self) -> str:
        """The split of the dataset to which the events belong."""
        return self.explanation.split

    @property
    def baseline(self) -> str:
        """The baseline as `xaug.explain --baseline` names it; "" for methods without a baseline."""
        return self.explanation.baseline or ""

    @property
    def shapes(self) -> dict[str, Shape]:
        """The shapes of the blocks among the inputs of the network."""
        return shapes_of(self.run.input_spec.table, self.run.input_spec.columns)

    @property
    def expert_variables(self) -> list[str]:
        """The variables among the inputs of the network that have one value for each event."""
        columns = self.run.input_spec.columns
        return [name for block, shape in self.shapes.items() if shape is Shape.VECTOR for name in columns[block]]

    @property
    def labels(self) -> dict[str, Variable]:
        """The variables of the dataset and of the network by name."""
        return {**self.run.input_spec.table.labels(), **self.data.table.labels()}

    @cached_property
    def attributions(self) -> list[Attribution]:
        """The attributions of each training."""
        return self.explanation.attributions(MEMORY)

    @cached_property
    def first(self) -> Attribution:
        """The attribution of the first training; the others are not read for it."""
        known: list[Attribution] | None = self.__dict__.get("attributions")
        return known[0] if known else self.explanation.attribution(0, MEMORY)

    @property
    def rows(self) -> Array:
        """Rows (n,) of the split that are explained."""
        rows = self.first.rows
        if rows is None:
            raise DatasetError(
                f"{self.explanation.directory} does not say which events it explains; explain the run again"
            )
        return rows

    @property
    def label(self) -> Array:
        """Classes (n,) of the explained events."""
        label = self.first.label
        if label is None:
            raise DatasetError(f"{self.explanation.directory} lacks the classes of its events; explain the run again")
        return label

    @cached_property
    def values(self) -> Arrays:
        """Unscaled expert variables (n,) of the explained events, whether the network has them or not, by name."""
        table = self.data.table
        blocks = [block for block, shape in shapes_of(table, table.blocks).items() if shape is Shape.VECTOR]
        arrays = self.data.load_rows(blocks, self.split, self.rows)
        return {name: arrays[block][:, i] for block in blocks for i, name in enumerate(table.names(block))}

    @cached_property
    def scores(self) -> list[Array]:
        """Scores (n,) of the explained events in each training, which must be of the test split.

        Of two classes they are the signal scores; of more, those of the target, see `score_of_target`.
        """
        target = self.first.settings.get("target")
        return [
            score_of_target(self.run.scores(i)["score"][self.rows], target, self.classes) for i in range(len(self.run))
        ]

    @property
    def score_name(self) -> str:
        """Name of `scores`, for axes and captions."""
        return score_name(self.first.settings.get("target"), self.classes)

    @property
    def relevance_name(self) -> str:
        """Name of a normalised relevance, for axes."""
        return relevance_name(self.first.settings.get("target"), self.classes)

    @property
    def predicted(self) -> Array:
        """Labels (n,) that the first training predicts for the explained events."""
        return predicted(self.run.scores(0)["score"][self.rows])

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes by label."""
        return self.run.classes

    @property
    def is_target(self) -> Array:
        """1 for events (n,) of the explained class, 0 for others; all 0 where each event has a target of its own."""
        if len(self.classes) == 2:
            return self.label
        target = self.first.settings.get("target")
        chosen = [] if target == "predicted" else labels_of(target, self.classes)
        return np.isin(self.label, chosen).astype(int)

    @cached_property
    def weight(self) -> Array:
        """Weights (n,) of the explained events, as in the metrics of the run."""
        return self.run.scores(0)["weight"][self.rows]

    @cached_property
    def ranking(self) -> pd.DataFrame:
        """The features by their mean normalised relevance, as `xaug.explain.summary` gives them."""
        return summary(self.attributions, LIST_RELEVANCE)

    @property
    def first_variables(self) -> list[str]:
        """The expert variables of the network, the most relevant first."""
        known = set(self.expert_variables)
        return [name for name in self.ranking.index if name in known]

    @property
    def words(self) -> str:
        """How the events were explained, for captions."""
        shown, of = self.explanation.events_within(MEMORY), self.explanation.events
        some = f"; {shown} of {of} events, evenly spread" if shown < of else ""
        return self.explanation.caption + some

    def release(self) -> None:
        """Forget the arrays."""
        for name in ("attributions", "first", "values", "scores", "weight"):
            self.__dict__.pop(name, None)
