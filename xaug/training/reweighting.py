"""Weights that give all classes the same spectrum of one variable, so that it does not tell them apart."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from xaug.core.errors import ConfigurationError, DatasetError, unknown_name
from xaug.core.files import read_json, write_json
from xaug.core.types import Array, JsonObject
from xaug.data.dataset import Dataset
from xaug.data.table import Table
from xaug.data.weights import labels_and_weights

__all__ = ["FILE", "Binning", "Reweighting", "fit_reweighting", "read_binning", "values_of"]

FILE = "reweighting.json"
"""File of a run with its reweighting."""
FORM = re.compile(r"(\w+):(.+)")


@dataclass(frozen=True)
class Binning:
    """Bins of one variable that has one value for each event.

    Attributes
    ----------
    variable : str
    edges : tuple of float
        edges in the unit of the variable; events below and above them have bins of their own
    """

    variable: str
    edges: tuple[float, ...]

    def index(self, values: Array) -> Array:
        """Bin (n,) of each value, from 0 (below the first edge) to the number of edges (above the last)."""
        return np.digitize(values, self.edges)


def read_binning(text: str) -> Binning:
    """The bins that an option states, as `pt:200,300,500,1000`.

    Raises
    ------
    ConfigurationError
        if it is written in another way
    """
    found = FORM.fullmatch(text)
    try:
        edges = tuple(float(edge) for edge in found[2].split(",")) if found else ()
    except ValueError:
        edges = ()
    if found is None or len(edges) < 2 or not all(np.isfinite(edges)) or any(b <= a for a, b in pairwise(edges)):
        raise ConfigurationError(f"--reweight {text}: write VARIABLE:EDGES with ascending edges, as pt:200,300,500")
    return Binning(found[1], edges)


@dataclass(frozen=True)
class Reweighting:
    """Factors of the weights of events by class and bin.

    Attributes
    ----------
    binning : Binning
    reference : str
        class whose spectrum all classes get
    factors : array (K, bins)
        factor of the weight of an event of each class in each bin
    before : array (K, bins)
        share of the weight of each class in each bin of the training split
    """

    binning: Binning
    reference: str
    factors: Array
    before: Array

    @property
    def after(self) -> Array:
        """Shares (K, bins) with the factors; each row adds up to 1."""
        weighted = self.before * self.factors
        return np.asarray(weighted / weighted.sum(axis=1, keepdims=True))

    def weights(self, values: Array, label: Array) -> Array:
        """Factors (n,) of events, from the values of the variable and their classes."""
        return np.asarray(self.factors[label, self.binning.index(values)])

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        write_json(
            path,
            {
                "variable": self.binning.variable,
                "edges": list(self.binning.edges),
                "reference": self.reference,
                "factors": self.factors.tolist(),
                "before": self.before.tolist(),
                "after": self.after.tolist(),
            },
        )

    @classmethod
    def load(cls, path: Path) -> Reweighting:
        """Read what `save` wrote."""
        content: JsonObject = read_json(path)
        binning = Binning(content["variable"], tuple(content["edges"]))
        return cls(binning, content["reference"], np.array(content["factors"]), np.array(content["before"]))


def block_of(table: Table, variable: str) -> str:
    """The block of single values that has a variable; ConfigurationError if none has it."""
    blocks: Mapping[str, Sequence[str]] = {b: table.names(b) for b in table.blocks if not table.block(b).shape}
    for block, names in blocks.items():
        if variable in names:
            return block
    raise unknown_name("variable of --reweight", variable, [name for names in blocks.values() for name in names])


def values_of(data: Dataset, variable: str, split: str, max_rows: int | None) -> Array:
    """Unscaled values (n,) of a variable."""
    block = block_of(data.table, variable)
    column = data.names(block).index(variable)
    return np.concatenate([part[block][:, column].copy() for part in data.iterate([block], split, max_rows)])


def fit_reweighting(
    data: Dataset, binning: Binning, reference: str, weights: str = "unit", max_rows: int | None = None
) -> Reweighting:
    """Find the factors on the training split.

    In each bin the factor of a class is the share of the reference class over the share of the class itself.

    Parameters
    ----------
    data : Dataset
    binning : Binning
    reference : str
        class whose spectrum all classes get
    weights : str
        what an event counts for, see `xaug.data.weights.WEIGHTS`
    max_rows : int, optional
        rows that are trained on

    Raises
    ------
    ConfigurationError
        if the variable or the reference class is unknown
    DatasetError
        if a class has no weight in a bin where the reference class has some, or no event lies in the bins
    """
    if reference not in data.classes:
        raise unknown_name("class of --reference", reference, data.classes)
    values = values_of(data, binning.variable, "train", max_rows)
    classes, own = labels_and_weights(data, weights, "train", max_rows)
    k, bins = len(data.classes), len(binning.edges) + 1
    sums = np.bincount(classes * bins + binning.index(values), own, k * bins).reshape(k, bins)
    wanted = data.classes.index(reference)
    for label, name in enumerate(data.classes):
        lacking = np.flatnonzero((sums[label] <= 0) & (sums[wanted] > 0))
        if len(lacking) or (sums[label] < 0).any():
            edges = (-np.inf, *binning.edges, np.inf)
            where = int(lacking[0] if len(lacking) else np.argmin(sums[label]))
            raise DatasetError(
                f"--reweight {binning.variable}: class {name} has a weight of {sums[label][where]:.4g} between "
                f"{edges[where]:g} and {edges[where + 1]:g}, where {reference} has {sums[wanted][where]:.4g}. Choose "
                "wider bins, or another --reference"
            )
    if not sums[:, 1:-1].any():
        raise DatasetError(
            f"--reweight {binning.variable}: no training event lies between {binning.edges[0]:g} and "
            f"{binning.edges[-1]:g}; {binning.variable} is {values.min():.4g} to {values.max():.4g}"
        )
    shares = sums / sums.sum(axis=1, keepdims=True)
    factors = np.divide(shares[wanted], shares, out=np.zeros_like(shares), where=shares > 0)
    return Reweighting(binning, reference, factors, shares)
