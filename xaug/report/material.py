"""What figures are drawn of: the dataset, finished runs, and runs with their explanations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from xaug.core import provenance
from xaug.core.errors import ConfigurationError
from xaug.data.dataset import Dataset
from xaug.data.variables import Variable
from xaug.explain.attribution import Attribution
from xaug.explain.stage import load_attributions
from xaug.training.runs import Run

__all__ = ["Explained", "Figure", "Material", "columns_of", "noun"]

METHODS = {"lrp": "LRP", "integrated_gradients": "Integrated Gradients"}
"""What captions call them."""


@dataclass(frozen=True)
class Figure:
    """A figure on disk: the stem of its files, and what the page says below it."""

    stem: Path
    caption: str


class Explained:
    """A run and the attributions of its trainings, on the test split of the report's dataset.

    Arrays are read at first use and kept until `release`. `name` is that of the run, or of the directory where
    the run is explained more than once.
    """

    def __init__(self, name: str, run: Run, directory: Path, data: Dataset):
        self.name = name
        self.run = run
        self.directory = directory
        self.data = data

    @cached_property
    def manifest(self) -> dict:
        """Of the attributions."""
        return provenance.read(self.directory, "explain")

    @property
    def xaugs(self) -> list[str]:
        """The expert variables among the inputs."""
        return self.run.input_spec.columns.get("xaug", [])

    @property
    def labels(self) -> dict[str, Variable]:
        """The variables of the dataset by name."""
        return self.data.table.labels()

    @cached_property
    def attributions(self) -> list[Attribution]:
        """One a training."""
        return load_attributions(self.directory)

    @property
    def baseline(self) -> str | None:
        """What its baseline was called (Integrated Gradients)."""
        return self.manifest["config"].get("baseline")

    @property
    def label(self) -> np.ndarray:
        """Classes (n,) of the explained events."""
        return self.attributions[0].label

    @cached_property
    def values(self) -> pd.DataFrame:
        """Unscaled expert variables of the explained events, whether the network has them or not."""
        rows = self.attributions[0].rows
        return pd.DataFrame(self.data.load("xaug", "test")["xaug"][rows], columns=self.data.names("xaug"))

    @cached_property
    def scores(self) -> np.ndarray:
        """Signal scores (trainings, n) of the explained events."""
        rows = self.attributions[0].rows
        return np.array([self.run.scores(i)["score"][rows] for i in range(len(self.run))])

    @cached_property
    def weight(self) -> np.ndarray:
        """Weights (n,) of the explained events, as in the metrics of the run."""
        return self.run.scores(0)["weight"][self.attributions[0].rows]

    @property
    def method(self) -> str:
        """How it was explained, in words for a caption."""
        settings = self.attributions[0].settings
        rule = f", rule {settings['rule']}" if "rule" in settings else ""
        return f"{METHODS.get(settings['method'], settings['method'])}{rule}, target {settings['target']}"

    def release(self) -> None:
        """Forget the arrays."""
        for name in ("attributions", "values", "scores", "weight"):
            self.__dict__.pop(name, None)


@dataclass(frozen=True)
class Material:
    """All that a report may draw.

    Attributes
    ----------
    data
        of the runs
    runs
        trained on the full sample
    samples
        by name of a run, it and those of the same network on smaller samples, where there are such
    explained
        runs on the full sample with attributions
    smaller
        explained runs on smaller samples
    topk
        directory of `xaug.topk`
    ablation
        directory of `xaug.explain.analysis.ablations`
    """

    data: Dataset
    runs: list[Run]
    samples: dict[str, list[Run]]
    explained: list[Explained]
    smaller: list[Explained]
    topk: Path | None = None
    ablation: Path | None = None

    def same_network(self, explained: Explained) -> list[Explained]:
        """A run and those of the same network on smaller samples, all explained by the same method."""

        def key(one: Explained) -> tuple:
            return one.run.input_spec, one.manifest["config"]["method"]

        return [explained, *(one for one in self.smaller if key(one) == key(explained))]


def noun(kind: str) -> str:
    """What the rows of a kind of dataset are called on a page."""
    return "events" if kind.startswith("events") else "jets"


def columns_of(data: Dataset, names: tuple[str, ...], max_rows: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Values and classes (n,) of expert variables and of list columns, these of all particles, by name."""
    blocks = {}
    for name in names:
        block = next((block for block in ("xaug", "list") if name in data.names(block)), None)
        if block is None:
            raise ConfigurationError(f"a dataset of {data.kind} has no variable {name!r}")
        blocks[name] = block
    fields = ["label", *dict.fromkeys(blocks.values()), *(["mask"] if "list" in blocks.values() else [])]
    arrays = data.load([f for f in fields if f in data.fields], max_rows=max_rows)
    found = {}
    for name, block in blocks.items():
        values = arrays[block][..., data.names(block).index(name)]
        if values.ndim == 1:
            found[name] = values, arrays["label"]
        else:
            real = arrays["mask"].astype(bool) if "mask" in arrays else np.ones(values.shape, dtype=bool)
            found[name] = values[real], np.broadcast_to(arrays["label"][:, None], values.shape)[real]
    return found
