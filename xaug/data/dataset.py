"""Datasets on disk: parts in HDF5, listed by a manifest, read as plain arrays.

A part holds the rows of one chunk of one input file. The manifest lists the parts by (file, start), so that their order
never depends on who wrote them first. Arrays are unscaled, float32; padded particles are 0.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from xaug.core import provenance
from xaug.core.errors import DatasetError, unknown_name
from xaug.core.types import Array, ArrayLike, JsonObject
from xaug.data.columns import NamedArrays
from xaug.data.own_arrays import AxisNames, OwnArrays, write_arrays
from xaug.data.part_files import open_part, read_column
from xaug.data.records import DatasetRecord, PartRecord
from xaug.data.splits import SPLITS
from xaug.data.table import Table

__all__ = ["Dataset"]

_ROW_FIELDS = ("label", "weight", "process", "event_id")


class Dataset:
    """A finished dataset.

    Parameters
    ----------
    path : Path
        its directory
    content : dict
        its manifest

    Attributes
    ----------
    path : Path
        its directory
    manifest : dict
        the manifest as it is on disk
    record : DatasetRecord
        what the manifest says, typed
    """

    def __init__(self, path: Path, content: JsonObject):
        self.path = path
        self.manifest = content
        self.record = DatasetRecord.from_json(content)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Dataset:
        """Open a dataset directory.

        Parameters
        ----------
        path : path-like
            directory that `python -m xaug.process`, `python -m xaug.generate toy` or `write` wrote

        Returns
        -------
        Dataset
            the dataset

        Raises
        ------
        DatasetError
            if it is not finished, or parts are missing or damaged
        """
        path = Path(path)
        content = provenance.read(path, "process")
        try:
            found = cls(path, content)
        except DatasetError as error:
            raise DatasetError(f"{path / provenance.NAME} is damaged ({error}). Delete it and process again") from None
        for part in found.parts:
            if not (path / part.part).exists():  # of version 0.1, whose manifests list no files
                raise DatasetError(
                    f"{path} lacks its part {part.part} (from {part.file}). Delete its manifest.json and run "
                    "`python -m xaug.process` again: only missing parts are made"
                )
        return found

    @classmethod
    def write(
        cls,
        path: str | os.PathLike[str],
        *,
        label: ArrayLike,
        image: ArrayLike | None = None,
        list: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        xaug: ArrayLike | None = None,
        event: ArrayLike | None = None,
        weight: ArrayLike | None = None,
        process: ArrayLike | None = None,
        classes: Sequence[str] | None = None,
        variables: AxisNames | None = None,
        split: object = None,
    ) -> Dataset:
        """Write arrays of your own as a dataset, with which all stages work.

        Parameters
        ----------
        path : path-like
            Directory to write.
        label : (n,) array
            Class of each event, 0 to K - 1 or a name of `classes`.
        image : (n, height, width) or (n, height, width, channels) array, optional
            Images; networks read them as they are, so their pixels should be of order 1.
        list : (n, particles, columns) array, optional
            Particles.
        mask : (n, particles) array, optional
            1 where the list has a particle, 0 where it is padded; the list is set to 0 there.
        xaug, event : (n, columns) array, optional
            One vector of features for each jet, or for each event.
        weight : (n,) array, optional
            Weights; default: 1.
        process : (n,) array of str, optional
            Process of each event; default: the name of its class.
        classes : sequence of str, optional
            Names of the classes by label; default: "background" and "signal", or "class_0", "class_1", ...
        variables : dict, optional
            Block -> its columns in order, each a name or an `xaug.Variable` with label and unit.
        split : (n,) array or tuple of three floats, optional
            "train", "validation" or "test" (or 0, 1, 2) for each event, or their fractions; default: 0.6, 0.2, 0.2.

        Returns
        -------
        Dataset
            The dataset, whose rows keep the order of the arrays.

        Raises
        ------
        ConfigurationError
            If arrays differ in length, hold NaN, infinities or unknown labels, or names occur twice.
        """
        own = {"image": image, "list": list, "xaug": xaug, "event": event}
        arrays = OwnArrays.checked(own, mask, label, weight, process, classes, variables)
        write_arrays(Path(path), arrays, split)
        return cls.open(path)

    @property
    def kind(self) -> str:
        """Kind of the dataset: "jets", "toy", "events", "events_met", or "own" for arrays of the user."""
        return self.record.kind

    @property
    def table(self) -> Table:
        """Variables of the dataset, as they were when it was made."""
        return self.record.table

    @property
    def parts(self) -> tuple[PartRecord, ...]:
        """Parts of the dataset, in order."""
        return self.record.parts

    @property
    def digest(self) -> str:
        """Digest of its inputs, settings, variables and versions."""
        return self.record.digest

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes by label, such as ("background", "signal")."""
        return self.record.classes

    def __len__(self) -> int:
        return sum(part.rows for part in self.parts)

    def __repr__(self) -> str:
        return f"<Dataset {self.path}: {len(self)} rows of kind {self.kind} in {len(self.parts)} parts>"

    @property
    def processes(self) -> dict[str, int]:
        """Label of each process."""
        return {own.process: own.label for part in self.parts for own in part.contents}

    @property
    def counts(self) -> dict[str, int]:
        """Rows of each process."""
        contents = [own for part in self.parts for own in part.contents]
        names = dict.fromkeys(own.process for own in contents)
        return {name: sum(own.rows for own in contents if own.process == name) for name in names}

    @property
    def weight_scales(self) -> dict[str, float]:
        """Cross section [pb] over sum of generated weights, of each process where both are known."""
        scales = {name: process.weight_scale for name, process in self.record.processes.items()}
        return {name: scale for name, scale in scales.items() if scale is not None}

    def names(self, block: str) -> list[str]:
        """Column names of a block, in order.

        Parameters
        ----------
        block : str
            "image", "list", "xaug" or "event".

        Returns
        -------
        list of str
            Names by which columns are chosen and matched.
        """
        return self.table.names(block)

    @property
    def fields(self) -> list[str]:
        """Names of the fields that `load` can read."""
        return [*self.table.fields(), *_ROW_FIELDS]

    def load(
        self, fields: Iterable[str] | None = None, split: str | None = None, max_rows: int | None = None
    ) -> NamedArrays:
        """Arrays of the whole dataset or of one split, unscaled, in the order of the manifest.

        Parameters
        ----------
        fields : list of str, optional
            some of the blocks, for jets "image" (n, 16, 16, 1), "list" (n, 20, 17), "mask" (n, 20) and "xaug" (n, 36),
            for events "event" (n, 87), float32; "label" (n,) int8 (int16 for more than 127 classes), "weight" (n,)
            float64, "process" (n,) str, "event_id" (n,) uint64; default: all
        split : {"train", "validation", "test"}, optional
            the split; default: all rows
        max_rows : int, optional
            read a subset of this many rows (if there are more), the same share of every part

        Returns
        -------
        NamedArrays
            dict of arrays by field, which knows the names of their columns

        Raises
        ------
        ConfigurationError
            if a field or the split is unknown
        DatasetError
            if a part is damaged
        """
        names = self._check(self.fields if fields is None else fields, split)
        found = list(self._iterate(names, split, max_rows))
        return NamedArrays({name: np.concatenate([part[name] for part in found]) for name in names}, self.table)

    def iterate(
        self, fields: Iterable[str], split: str | None = None, max_rows: int | None = None
    ) -> Iterator[NamedArrays]:
        """Read the same arrays as `load`, a part at a time, so that memory stays flat.

        Parameters
        ----------
        fields : iterable of str
            Names in `fields` of the dataset.
        split : str, optional
            "train", "validation" or "test"; default: all rows.
        max_rows : int, optional
            Number of rows to read at most, the same share of every part.

        Returns
        -------
        iterator of dict of arrays
            Unscaled arrays by field, for one part after the other.
        """
        return self._iterate(self._check(fields, split), split, max_rows)

    def rows(self, split: str | None = None, max_rows: int | None = None) -> Array:
        """Tell which rows `load` reads for the same arguments.

        Parameters
        ----------
        split : str, optional
            As for `load`.
        max_rows : int, optional
            As for `load`.

        Returns
        -------
        (n,) array of int
            Rows of the whole dataset, or of the split.
        """
        sizes = self._sizes(split)
        starts, taken = np.cumsum(sizes) - sizes, self._taken(split, max_rows)
        return np.concatenate([start + np.arange(n) for start, n in zip(starts, taken, strict=True)])

    def rows_by_part(self, split: str, rows: Array) -> list[Array]:
        """Divide rows of a split among the parts of the dataset.

        Parameters
        ----------
        split : str
            The split.
        rows : (n,) array of int
            Rows of the split, in ascending order.

        Returns
        -------
        list of arrays of int
            Rows of the split that lie in each part.
        """
        ends = np.cumsum(self._sizes(split))
        return np.split(rows, np.searchsorted(rows, ends[:-1]))

    def iterate_rows(self, fields: Iterable[str], split: str, rows: Array) -> Iterator[tuple[NamedArrays, Array]]:
        """Read some rows of a split, a part at a time; parts without any are skipped.

        Parameters
        ----------
        fields : iterable of str
            Names in `fields` of the dataset.
        split : str
            "train", "validation" or "test".
        rows : (n,) array of int
            Rows of the split, in ascending order.

        Yields
        ------
        arrays : dict of arrays
            Unscaled arrays by field.
        rows : (n,) array of int
            Rows of the split that they hold.
        """
        names = self._check(fields, split)
        start = 0
        for part, own in zip(self.parts, self.rows_by_part(split, rows), strict=True):
            if len(own):
                with open_part(self.path / part.part) as file:
                    of_split = np.flatnonzero(file["split"][()] == SPLITS.index(split))
                    arrays = {name: read_column(file, part, name, of_split[own - start]) for name in names}
                    yield NamedArrays(arrays, self.table), own
            start += part.splits[split]

    def load_rows(self, fields: Iterable[str], split: str, rows: Array) -> NamedArrays:
        """Read some rows of a split.

        Parameters
        ----------
        fields : iterable of str
            Names in `fields` of the dataset.
        split : str
            "train", "validation" or "test".
        rows : (n,) array of int
            Rows of the split, in ascending order.

        Returns
        -------
        dict of arrays
            Unscaled arrays by field, each (n, ...).
        """
        found = [arrays for arrays, _ in self.iterate_rows(fields, split, rows)]
        joined = {name: np.concatenate([arrays[name] for arrays in found]) for name in found[0]}
        return NamedArrays(joined, self.table)

    def _sizes(self, split: str | None) -> Array:
        """Rows of each part, or of those in a split."""
        self._check([], split)
        return np.array([part.rows if split is None else part.splits[split] for part in self.parts], int)

    def _taken(self, split: str | None, max_rows: int | None) -> Array:
        """Rows of each part that are read: the same share of all parts, `max_rows` together."""
        sizes = self._sizes(split)
        if max_rows is None or max_rows >= sizes.sum():
            return sizes
        # of sums, not of each part, or many small parts would all round to nothing
        return np.diff(np.rint(np.cumsum(sizes) * (max_rows / sizes.sum())).astype(int), prepend=0)

    def _iterate(self, fields: list[str], split: str | None, max_rows: int | None) -> Iterator[NamedArrays]:
        for part, taken in zip(self.parts, self._taken(split, max_rows), strict=True):
            with open_part(self.path / part.part) as file:
                rows: slice | Array = slice(0, taken)
                if split is not None:
                    rows = np.flatnonzero(file["split"][()] == SPLITS.index(split))[:taken]
                yield NamedArrays({name: read_column(file, part, name, rows) for name in fields}, self.table)

    def size(self, split: str | None = None) -> int:
        """Count the rows.

        Parameters
        ----------
        split : str, optional
            "train", "validation" or "test"; default: all rows.

        Returns
        -------
        int
            Rows of the whole dataset, or of the split.
        """
        return int(self._sizes(split).sum())

    def _check(self, fields: Iterable[str], split: str | None) -> list[str]:
        names = [fields] if isinstance(fields, str) else list(fields)
        for name in names:
            if name not in self.fields:
                raise unknown_name("field", name, self.fields)
        if split is not None and split not in SPLITS:
            raise unknown_name("split", split, SPLITS)
        return names
