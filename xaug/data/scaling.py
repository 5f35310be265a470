"""Scaling of inputs to [0, 1]: clip at three standard deviations, then min-max (arXiv:2011.13466, section 4.2).

Fitted on the training split only, with both classes at equal weight. Images are left as they are: their
pixels are fractions of the jet pT, in [0, 1] already.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from xaug.core.errors import DatasetError
from xaug.core.files import read_json, write_json
from xaug.data.dataset import Dataset
from xaug.data.variables import Table, table_of_version_0_1

__all__ = ["Range", "Scaler"]

N_SIGMA = 3.0


@dataclass(frozen=True)
class Range:
    """What maps to 0 and to 1, for every column of a block."""

    names: list[str]
    low: np.ndarray  # (n_columns,)
    high: np.ndarray  # (n_columns,)

    def scale(self, values: np.ndarray) -> np.ndarray:
        """(values - low) / (high - low), clipped to [0, 1]; a constant column becomes 0. Float32."""
        width = self.high - self.low
        scaled = (values.astype(np.float64) - self.low) / np.where(width > 0, width, 1.0)
        return np.where(width > 0, np.clip(scaled, 0.0, 1.0), 0.0).astype(np.float32)

    def unscale(self, scaled: np.ndarray) -> np.ndarray:
        """The values again, as far as they were not clipped."""
        return self.low + scaled.astype(np.float64) * (self.high - self.low)


class _Moments:
    """Weighted mean and variance, minimum and maximum of columns, a batch at a time (Chan et al. 1979)."""

    def __init__(self, names: list[str]):
        columns = len(names)
        self.names, self.weight = names, 0.0
        self.mean, self.square = np.zeros(columns), np.zeros(columns)
        self.low, self.high = np.full(columns, np.inf), np.full(columns, -np.inf)

    def add(self, values: np.ndarray, weights: np.ndarray) -> None:
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
    """Maps the unscaled arrays of a dataset to what networks eat, and back.

    Padded particles (mask 0) are 0 after scaling, as before it.
    """

    def __init__(self, table: Table, ranges: dict[str, Range], fitted_on: dict):
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
        blocks
            "xaug" and/or "list"; others need no scaling
        max_rows
            as for `Dataset.load`: fit on the jets that are trained on, not on more
        split
            None fits on all rows, those of the test as well, as in the code of arXiv:2011.13466
        """
        blocks = [block for block in blocks if block != "image"]
        sizes = np.zeros(2)
        for part in dataset.iterate(["label"], split, max_rows):
            sizes += np.bincount(part["label"], minlength=2)
        if sizes.min() == 0:
            where = "the training split" if split else "the dataset"
            raise DatasetError(
                f"{dataset.path}: {where} has {int(sizes[1])} signal and {int(sizes[0])} background rows; "
                "both classes are needed. Process more files"
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
        fitted = {"dataset": dataset.digest, "split": split or "all"}
        fitted |= {"background": int(sizes[0]), "signal": int(sizes[1])}
        return cls(dataset.table, ranges, fitted)

    @property
    def kind(self) -> str:
        """Kind of the dataset."""
        return self.table.kind

    def scale(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Scaled copies of the blocks in `arrays` (for a padded "list", with "mask"); the rest as it is."""
        scaled = dict(arrays)
        for block, ranges in self.ranges.items():
            if block in arrays:
                scaled[block] = ranges.scale(arrays[block])
        if "list" in self.ranges and "list" in arrays and self.table.is_padded:
            scaled["list"] *= arrays["mask"][..., None]
        return scaled

    def unscale(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The inverse of `scale`, up to the clipping; padded particles are 0 again."""
        values = dict(arrays)
        for block, ranges in self.ranges.items():
            if block in arrays:
                values[block] = ranges.unscale(arrays[block])
        if "list" in self.ranges and "list" in arrays and self.table.is_padded:
            values["list"] *= arrays["mask"][..., None]
        return values

    def save(self, path: str | os.PathLike) -> None:
        """Write as JSON."""
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
    def load(cls, path: str | os.PathLike) -> Scaler:
        """Read what `save` wrote."""
        content = read_json(path)
        ranges = {
            block: Range(r["names"], np.array(r["low"]), np.array(r["high"])) for block, r in content["ranges"].items()
        }
        stored = content.get("table")
        table = table_of_version_0_1(content["kind"]) if stored is None else Table.from_json(stored)
        return cls(table, ranges, content["fitted_on"])
