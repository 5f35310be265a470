"""Scaling of inputs to [0, 1]: clip at three standard deviations, then min-max (arXiv:2011.13466, section 4.2).

Fitted on the training split only, with all classes at equal weight. Images are left as they are by default: their
pixels are fractions of the jet pT, in [0, 1] already. See `IMAGE_SCALINGS` for the other choice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xaug.core.errors import DatasetError, unknown_name
from xaug.core.files import read_json, write_json
from xaug.core.integrity import verified
from xaug.core.statistics import Moments
from xaug.core.types import Array, JsonObject
from xaug.data.columns import NamedArrays
from xaug.data.dataset import Dataset
from xaug.data.variables import Table, table_of_version_0_1

__all__ = ["IMAGE_SCALINGS", "PIXEL_WARNING", "Range", "Scaler"]

N_SIGMA = 3.0
IMAGE_SCALINGS = ("whole", "pixel")
"""Scalings of images: "whole" leaves them as they are, "pixel" maps the least and the largest value of each pixel over
the training images to 0 and 1. A pixel with one value in all training images, such as an empty one, has no scale: it is
0 in all scaled images."""
PIXEL_WARNING = (
    "Images are scaled pixel by pixel: the relevance of an image, and so its rank, depends on the largest value of "
    "each pixel in the training images. Compare ranks of images only between runs of the same image scaling."
)
"""The caution that goes with the image scaling "pixel"."""


@dataclass(frozen=True)
class Range:
    """Values that map to 0 and to 1, for every column of a block, or for every pixel of an image."""

    names: list[str]
    low: Array  # (n_columns,), or (pixels, pixels, n_columns)
    high: Array  # of the same shape

    def __post_init__(self) -> None:
        for name in self.names:
            if self.names.count(name) > 1:
                raise DatasetError(f"two ranges are of the column {name!r}")
        edges = [values.shape[-1] if values.ndim else 0 for values in (self.low, self.high)]
        if self.low.shape != self.high.shape or edges[0] != len(self.names):
            raise DatasetError(f"{len(self.names)} columns have {edges[0]} lower and {edges[1]} upper edges")

    def only(self, names: Sequence[str]) -> Range:
        """The ranges of some columns, in the order given."""
        places = {name: i for i, name in enumerate(self.names)}
        missing = [name for name in names if name not in places]
        if missing:
            raise DatasetError(f"the scaler has no range for the column {missing[0]!r}; train again")
        index = [places[name] for name in names]
        return Range(list(names), self.low[..., index], self.high[..., index])

    def scale(self, values: Array) -> Array:
        """(values - low) / (high - low), clipped to [0, 1]; a constant column becomes 0. Float32."""
        width = self.high - self.low
        scaled = (values.astype(np.float64) - self.low) / np.where(width > 0, width, 1.0)
        return np.where(width > 0, np.clip(scaled, 0.0, 1.0), 0.0).astype(np.float32)

    def unscale(self, scaled: Array) -> Array:
        """The values again, as far as they were not clipped."""
        values: Array = self.low + scaled.astype(np.float64) * (self.high - self.low)
        return values


class _Extremes:
    """Minimum and maximum of columns, or of the pixels of images, a batch at a time."""

    def __init__(self, names: list[str], shape: tuple[int, ...] = ()):
        self.names = names
        self.low, self.high = np.full((*shape, len(names)), np.inf), np.full((*shape, len(names)), -np.inf)

    def add(self, values: Array, weights: Array) -> None:
        """Take in values (n, ..., n_columns); their weights (n,) do not matter here."""
        if len(values) == 0:
            return
        finite = np.isfinite(values).all(axis=tuple(range(values.ndim - 1)))
        if not finite.all():
            name = self.names[np.argmin(finite)]
            raise DatasetError(f"variable {name} holds NaN or infinity; leave such rows out, or process again")
        self.low, self.high = np.minimum(self.low, values.min(axis=0)), np.maximum(self.high, values.max(axis=0))

    def range(self) -> Range:
        return Range(self.names, self.low, self.high)


class _Moments(_Extremes):
    """Weighted mean and variance of columns as well."""

    def __init__(self, names: list[str], zeros: Mapping[str, float]):
        super().__init__(names)
        self.zeros, self.moments = zeros, Moments(len(names))

    def add(self, values: Array, weights: Array) -> None:
        values = values.astype(np.float64)
        total = weights.sum()
        if total == 0:
            return
        super().add(values, weights)
        mean = weights @ values / total
        self.moments.join(total, mean, weights @ (values - mean) ** 2)

    def range(self) -> Range:
        """From the least to the largest value within three sigma, or from a zero to the largest value of all."""
        mean, width = self.moments.mean, self.moments.width
        low = np.maximum(self.low, mean - N_SIGMA * width)
        high = np.minimum(self.high, mean + N_SIGMA * width)
        for column, name in enumerate(self.names):
            if name in self.zeros:
                low[column], high[column] = self.zeros[name], max(self.high[column], self.zeros[name])
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
        cls,
        dataset: Dataset,
        blocks: Iterable[str],
        max_rows: int | None = None,
        split: str | None = "train",
        *,
        images: str = "whole",
        zeros: Mapping[str, float] | None = None,
    ) -> Scaler:
        """Fit on the training split, a part at a time.

        Parameters
        ----------
        dataset : Dataset
            the dataset
        blocks : iterable of str
            "xaug", "list", "event" or "image"
        max_rows : int, optional
            as for `Dataset.load`: fit on the rows that are trained on, not on more
        split : str or None
            None fits on all rows, those of the test as well, as in the code of arXiv:2011.13466
        images : str
            one of `IMAGE_SCALINGS`
        zeros : dict of float, optional
            columns that are not clipped at three standard deviations, and the value, in the column's unit, that maps
            to 0; their largest value maps to 1

        Returns
        -------
        Scaler
            the fitted scaler

        Raises
        ------
        ConfigurationError
            if the image scaling or a column of `zeros` is unknown
        DatasetError
            if a class is missing, or a variable holds NaN or infinity

        References
        ----------
        arXiv:2011.13466, section 4.2.
        """
        if images not in IMAGE_SCALINGS:
            raise unknown_name("image scaling", images, IMAGE_SCALINGS)
        zeros = zeros or {}
        for name in zeros:
            if name not in dataset.table.labels():
                raise unknown_name("variable", name, dataset.table.labels())
        blocks = [block for block in blocks if block != "image" or images == "pixel"]
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
        moments = {
            block: _Extremes(dataset.names(block), dataset.table.block(block).shape)
            if block == "image"
            else _Moments(dataset.names(block), zeros)
            for block in blocks
        }
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
        own = {name: zero for name, zero in zeros.items() if any(name in r.names for r in ranges.values())}
        fitted |= {"zeros": own} if own else {}
        return cls(dataset.table, ranges, fitted)

    @property
    def kind(self) -> str:
        """Kind of the dataset."""
        return self.table.kind

    @property
    def warnings(self) -> list[str]:
        """Cautions for the comparison of relevances between this scaling and others, as sentences."""
        if "image" not in self.ranges:
            return []
        image = self.ranges["image"]
        constant = int((image.high == image.low).sum())
        empty = f" {constant} of {image.high.size} pixels are the same in all training images, and 0 after scaling."
        return [PIXEL_WARNING + (empty if constant else "")]

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
