"""Scaling of inputs to [0, 1]: clip at three standard deviations, then min-max (arXiv:2011.13466, section 4.2).

Fitted on the training split only, with all classes at equal weight. Images are left as they are: their
pixels are fractions of the jet pT, in [0, 1] already.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xaug.core.errors import DatasetError
from xaug.core.files import read_json, write_json
from xaug.core.integrity import verified
from xaug.core.types import Array, JsonObject
from xaug.data.columns import NamedArrays
from xaug.data.dataset import Dataset
from xaug.data.variables import Table, table_of_version_0_1

__all__ = ["Range", "Scaler"]

N_SIGMA = 3.0


@dataclass(frozen=True)
class Range:
    """Values that map to 0 and to 1, for every column of a block."""

    names: list[str]
    low: Array  # (n_columns,)
    high: Array  # (n_columns,)

    def __post_init__(self) -> None:
        for name in self.names:
            if self.names.count(name) > 1:
                raise DatasetError(f"two ranges are of the column {name!r}")
        if not len(self.names) == len(self.low) == len(self.high):
            raise DatasetError(f"{len(self.names)} columns have {len(self.low)} lower and {len(self.high)} upper edges")

    def only(self, names: Sequence[str]) -> Range:
        """The ranges of some columns, in the order given."""
        places = {name: i for i, name in enumerate(self.names)}
        missing = [name for name in names if name not in places]
        if missing:
            raise DatasetError(f"the scaler has no range for the column {missing[0]!r}; train again")
        index = [places[name] for name in names]
        return Range(list(names), self.low[index], self.high[index])

    def scale(self, values: Array) -> Array:
        """(values - low) / (high - low), clipped to [0, 1]; a constant column becomes 0. Float32."""
        width = self.high - self.low
        scaled = (values.astype(np.float64) - self.low) / np.where(width > 0, width, 1.0)
        return np.where(width > 0, np.clip(scaled, 0.0, 1.0), 0.0).astype(np.float32)

    def unscale(self, scaled: Array) -> Array:
        """The values again, as far as they were not clipped."""
        values: Array = self.low + scaled.astype(np.float64) * (self.high - self.low)
        return values


class _Moments:
    """Weighted mean and variance, minimum and maximum of columns, a batch at a time (Chan et al. 1979)."""

    def __init__(self, names: list[str]):
        columns = len(names)
        self.names, self.weight = names, 0.0
        self.mean, self.square = np.zeros(columns), np.zeros(columns)
        self.low, self.high = np.full(columns, np.inf), np.full(columns, -np.inf)

    def add(self, values: Array, weights: Array) -> None:
        values = values.astype(np.float64)
        total = weights.sum()
        if total == 0:
            return
        finite = np.isfinite(values).all(axis=0)
        if not finite.all():
            name = self.names[np.argmin(finite)]
            raise DatasetError(f"variable {name} holds NaN or infinity; leave such rows out, or process again")
        mean = weights @ values / total
        square = weights @ (values - mean) ** 2
        shift = mean - self.mean
        self.square += square + shift**2 * self.weight * total / (self.weight + total)
        self.mean += shift * total / (self.weight + total)
        self.weight += total
        self.low, self.high = np.minimum(self.low, values.min(axis=0)), np.maximum(self.high, values.max(axis=0))

    def range(self) -> Range:
        deviation = np.sqrt(self.square / self.weight)
        low = np.maximum(self.low, self.mean - N_SIGMA * deviation)
        high = np.minimum(self.high, self.mean + N_SIGMA * deviation)
        return Range(self.names, low, high)


class Scaler:
    """Maps the unscaled arrays of a dataset to [0, 1], which networks read, and back.

    Each range belongs to a column by name, never by position. Padded particles (mask 0) are 0 after scaling, as
    before it.

    Parameters
    ----------
    table : Table
        variables of the dataset that it is fitted on
    ranges : dict of Range
        block -> ranges of its columns
    fitted_on : dict
        digest of the dataset, split, and number of rows of each class
    """

    def __init__(self, table: Table, ranges: dict[str, Range], fitted_on: JsonObject):
        self.table = table
        self.ranges = ranges
        self.fitted_on = fitted_on

    @classmethod
    def fit(
        cls, dataset: Dataset, blocks: Iterable[str], max_rows: int | None = None, split: str | None = "train"
    ) -> Scaler:
        """Fit on the training split, a part at a time.

        Parameters
        ----------
        dataset : Dataset
            the dataset
        blocks : iterable of str
            "xaug", "list" or "event"; images need no scaling
        max_rows : int, optional
            as for `Dataset.load`: fit on the rows that are trained on, not on more
        split : str or None
            None fits on all rows, those of the test as well, as in the code of arXiv:2011.13466

        Returns
        -------
        Scaler
            the fitted scaler

        Raises
        ------
        DatasetError
            if a class is missing, or a variable holds NaN or infinity

        References
        ----------
        arXiv:2011.13466, section 4.2.
        """
        blocks = [block for block in blocks if block != "image"]
        classes = dataset.classes
        sizes = np.zeros(len(classes))
        for part in dataset.iterate(["label"], split, max_rows):
            sizes += np.bincount(part["label"], minlength=len(classes))
        if sizes.min() == 0:
            where = "the training split" if split else "the dataset"
            found = " and ".join(f"{int(n)} {name}" for n, name in zip(sizes[::-1], classes[::-1], strict=True))
            every = "both" if len(classes) == 2 else "all"
            raise DatasetError(
                f"{dataset.path}: {where} has {found} rows; {every} classes are needed. Process more files"
            )
        moments = {block: _Moments(dataset.names(block)) for block in blocks}
        fields = [*dataset.table.fields(blocks), "label"]
        for part in dataset.iterate(fields, split, max_rows):
            weights = (1.0 / sizes)[part["label"]]
            for block in blocks:
                values, of_row = part[block], weights
                if block == "list":
                    real = part["mask"] > 0 if "mask" in part else np.ones(values.shape[:2], bool)
                    values, of_row = values[real], np.repeat(weights, real.sum(axis=1))
                moments[block].add(values, of_row)
        ranges = {block: moments[block].range() for block in blocks}
        fitted: JsonObject = {"dataset": dataset.digest, "split": split or "all"}
        fitted |= {name: int(n) for name, n in zip(classes, sizes, strict=True)}
        return cls(dataset.table, ranges, fitted)

    @property
    def kind(self) -> str:
        """Kind of the dataset."""
        return self.table.kind

    def scale(self, arrays: Mapping[str, Array]) -> NamedArrays:
        """Scale arrays of a dataset.

        Parameters
        ----------
        arrays : dict of arrays
            by field, as `Dataset.load` gives them, a padded "list" together with its "mask". Columns are matched with
            the ranges by name; plain arrays, which do not know their names, must have the columns of `table`

        Returns
        -------
        NamedArrays
            scaled copies of the blocks that the scaler knows, float32, with those columns that it knows in its own
            order; other fields as they are

        Raises
        ------
        DatasetError
            if a column of the scaler is missing, or an array has another number of columns than names
        """
        return self._mapped(arrays, Range.scale)

    def unscale(self, arrays: Mapping[str, Array]) -> NamedArrays:
        """Invert `scale`, up to the clipping; padded particles are 0 again.

        Parameters
        ----------
        arrays : dict of arrays
            by field, as `scale` gives them

        Returns
        -------
        NamedArrays
            the values in their own units, float64
        """
        return self._mapped(arrays, Range.unscale)

    def only(self, columns: Mapping[str, Sequence[str]]) -> Scaler:
        """Make the scaler of some columns.

        Parameters
        ----------
        columns : mapping of str to sequence of str
            Names of columns by block; the new scaler has them in this order.

        Returns
        -------
        Scaler
            A scaler with the ranges of these columns.
        """
        ranges = {block: own.only(columns[block]) for block, own in self.ranges.items() if block in columns}
        return Scaler(self.table, ranges, self.fitted_on)

    def _mapped(self, arrays: Mapping[str, Array], function: Callable[[Range, Array], Array]) -> NamedArrays:
        named = NamedArrays.of(arrays, self.table)
        mapped, columns = dict(named), {name: named.table.names(name) for name in named.table.blocks}
        for block, own in self.ranges.items():
            if block in named:
                mapped[block] = function(own, named.columns(block, own.names, "the scaler"))
                columns[block] = own.names
        if "list" in self.ranges and "list" in named and self.table.is_padded:
            if "mask" not in named:
                raise DatasetError("a padded 'list' is scaled together with its 'mask'; give both")
            mapped["list"] *= named["mask"][..., None]
        return NamedArrays(mapped, named.table.only(columns))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the scaler as JSON.

        Parameters
        ----------
        path : path-like
            the file
        """
        ranges = {
            block: {"names": r.names, "low": r.low.tolist(), "high": r.high.tolist()}
            for block, r in self.ranges.items()
        }
        write_json(
            path,
            {
                "kind": self.kind,
                "n_sigma": N_SIGMA,
                "fitted_on": self.fitted_on,
                "ranges": ranges,
                "table": self.table.to_json(),
            },
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Scaler:
        """Read the scaler that `save` wrote; those of version 0.1 as well.

        Parameters
        ----------
        path : path-like
            the file

        Returns
        -------
        Scaler
            the scaler

        Raises
        ------
        DatasetError
            if the file is missing, damaged, or no scaler
        """
        content = read_json(verified(path))
        try:
            stored = content.get("table")
            table = table_of_version_0_1(content["kind"]) if stored is None else Table.from_json(stored)
            ranges = {
                block: Range(list(r["names"]), np.array(r["low"]), np.array(r["high"]))
                for block, r in content["ranges"].items()
            }
            return cls(table, ranges, content["fitted_on"])
        except (KeyError, TypeError, AttributeError, DatasetError) as error:
            raise DatasetError(f"{path} is no scaler, or is damaged ({error}). Train again") from None
