"""Datasets on disk: parts in HDF5, listed by a manifest, read as plain arrays.

A part holds the jets of one chunk of one input file; the manifest lists the parts by (file, start), so
their order never depends on who wrote them first. Arrays are unscaled, float32; padded particles are 0.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from xaug.core import provenance
from xaug.core.errors import ConfigurationError, DatasetError, unknown_name
from xaug.core.files import new_hdf5, read_json_array, write_array, write_json_array
from xaug.core.integrity import verified
from xaug.core.types import JsonObject
from xaug.data.columns import NamedArrays
from xaug.data.splits import SPLITS
from xaug.data.variables import Table, table_of_version_0_1

__all__ = [
    "Dataset",
    "read_part_summary",
    "refuse_stale",
    "write_part",
]

CHUNK = 1024
"""Rows per HDF5 chunk: what random access reads at least."""
_ROW_FIELDS = ("label", "weight", "process", "event_id")


def write_part(
    path: Path,
    columns: dict[str, np.ndarray],
    counts: dict[str, np.ndarray],
    summary: dict,
    filters: dict[str, dict] | None = None,
    table: Table | None = None,
) -> None:
    """Write one part: row columns, control histogram counts, its summary and its table; whole or not at all.

    `filters` are HDF5 filters of columns for which lzf + shuffle is not the best.
    """
    filters = filters or {}
    with new_hdf5(path) as file:
        for name, values in columns.items():
            values = np.asarray(values)
            rows = min(CHUNK, len(values))
            # a part without jets has nothing to chunk or compress
            packing = filters.get(name, {"compression": "lzf", "shuffle": True})
            packed = {"chunks": (rows, *values.shape[1:]), **packing} if rows else {}
            write_array(file, name, values, **packed)
        file.create_group("control")
        for name, values in counts.items():
            write_array(file, f"control/{name}", values)
        write_json_array(file, "summary", summary)
        if table is not None:
            write_json_array(file, "table", table.to_json())


def refuse_stale(directory: Path, manifest: JsonObject, table: Table) -> None:
    """Raise ConfigurationError if a finished dataset holds other variables than today's code computes.

    The dataset stays good for all that reads it: it is what its own table says.
    """
    stored = manifest.get("table")
    changes = [] if stored is None else Table.from_json(stored).changes(table)
    if changes:
        raise ConfigurationError(
            f"{directory} was made by other code ({'; '.join(changes)}). Delete its {provenance.NAME} and run "
            f"`{manifest.get('command', 'the same command')}` again to make its parts anew, or choose another -o"
        )


def read_part_summary(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """Summary that a part holds, and its control histogram counts; DatasetError if it is damaged."""
    try:
        with h5py.File(path) as file:
            control = {name: values[()] for name, values in file["control"].items()}
            return read_json_array(file, "summary"), control
    except (OSError, KeyError, ValueError) as error:
        raise DatasetError(
            f"{path}: damaged part ({error}). Delete it and run `python -m xaug.process` again"
        ) from None


class Dataset:
    """A finished dataset, as `Dataset.open` reads it.

    Parameters
    ----------
    path : path
        Directory of the dataset.
    content : dict
        Content of its manifest.

    Attributes
    ----------
    path : Path
    manifest : dict
    kind : str
        "jets", "toy", "events" or "events_met"
    table : Table
        its variables, as they were when it was made
    digest : str
        of the contents' provenance: input digests, settings and versions of the parts
    """

    def __init__(self, path: Path, content: dict):
        self.path = path
        self.manifest = content
        self.kind: str = content["config"]["kind"]
        self.parts: list[dict] = content["parts"]
        self.digest: str = content["digest"]
        stored = content.get("table")
        self.table = table_of_version_0_1(self.kind) if stored is None else Table.from_json(stored)

    @classmethod
    def open(cls, path: str | os.PathLike) -> Dataset:
        """Open a dataset directory.

        Parameters
        ----------
        path : path
            Directory that `python -m xaug.process` or `xaug.generate toy` has written.

        Returns
        -------
        Dataset
            The dataset; its arrays are not read yet.

        Raises
        ------
        DatasetError
            if it is not a finished dataset, or parts are missing
        """
        path = Path(path)
        content = provenance.read(path, "process")
        for key in ("config", "parts", "digest"):
            if key not in content:
                raise DatasetError(f"{path / provenance.NAME} is damaged (no {key!r}). Delete it and process again")
        for part in content["parts"]:
            if not (path / part["part"]).exists():
                raise DatasetError(
                    f"{path} lacks its part {part['part']} (from {part['file']}). "
                    "Delete its manifest.json and run `python -m xaug.process` again: only what lacks is made"
                )
        return cls(path, content)

    def __len__(self) -> int:
        return sum(part["rows"] for part in self.parts)

    def __repr__(self) -> str:
        return f"<Dataset {self.path}: {len(self)} {self.kind} in {len(self.parts)} parts>"

    @property
    def processes(self) -> dict[str, int]:
        """Label of each process."""
        return {part["process"]: part["label"] for part in self.parts}

    @property
    def counts(self) -> dict[str, int]:
        """Rows of each process."""
        names = dict.fromkeys(part["process"] for part in self.parts)
        return {name: sum(part["rows"] for part in self.parts if part["process"] == name) for name in names}

    @property
    def weight_scales(self) -> dict[str, float]:
        """Cross section [pb] over sum of generated weights, of each process where both are known."""
        known, needed = self.manifest.get("processes", {}), {"xsec", "sum_weights_generated"}
        return {name: p["xsec"] / p["sum_weights_generated"] for name, p in known.items() if needed <= p.keys()}

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
    ) -> dict[str, np.ndarray]:
        """Arrays of the whole dataset or of one split, unscaled, in the order of the manifest.

        Parameters
        ----------
        fields : iterable of str, optional
            of "image" (n, 16, 16, 1), "list" (n, 20, 17), "mask" (n, 20), "xaug" (n, 36), float32;
            "label" (n,) int8, "weight" (n,) float64, "process" (n,) str, "event_id" (n,) uint64;
            default: all
        split : str, optional
            "train", "validation", "test" or None for all
        max_rows : int, optional
            a subset of this many rows (if there are more), the same share of every part

        Returns
        -------
        dict of arrays
            Unscaled arrays by field, each (n, ...).
        """
        fields = self._check(self.fields if fields is None else fields, split)
        blocks = list(self.iterate(fields, split, max_rows))
        return NamedArrays({name: np.concatenate([block[name] for block in blocks]) for name in fields}, self.table)

    def iterate(
        self, fields: Iterable[str], split: str | None = None, max_rows: int | None = None
    ) -> Iterator[dict[str, np.ndarray]]:
        """Read the same arrays as `load`, a part at a time, so that memory does not grow with the dataset.

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

    def rows(self, split: str | None = None, max_rows: int | None = None) -> np.ndarray:
        """Tell which rows `load` reads for the same arguments.

        Parameters
        ----------
        split : str, optional
            "train", "validation" or "test"; default: all rows.
        max_rows : int, optional
            Number of rows to read at most, the same share of every part.

        Returns
        -------
        (n,) array of int
            Rows of the whole dataset, or of the split.
        """
        sizes = self._sizes(split)
        starts, taken = np.cumsum(sizes) - sizes, self._taken(split, max_rows)
        return np.concatenate([start + np.arange(n) for start, n in zip(starts, taken, strict=True)])

    def rows_by_part(self, split: str, rows: np.ndarray) -> list[np.ndarray]:
        """Divide rows of a split among the parts of the dataset.

        Parameters
        ----------
        split : str
            "train", "validation" or "test".
        rows : (n,) array of int
            Rows of the split, in ascending order.

        Returns
        -------
        list of arrays of int
            Rows of the split that lie in each part.
        """
        ends = np.cumsum(self._sizes(split))
        return np.split(rows, np.searchsorted(rows, ends[:-1]))

    def iterate_rows(
        self, fields: Iterable[str], split: str, rows: np.ndarray
    ) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
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
        fields = self._check(fields, split)
        start = 0
        for part, own in zip(self.parts, self.rows_by_part(split, rows), strict=True):
            if len(own):
                with self._read(part) as file:
                    of_split = np.flatnonzero(file["split"][()] == SPLITS.index(split))
                    arrays = {name: self._column(file, part, name, of_split[own - start]) for name in fields}
                    yield NamedArrays(arrays, self.table), own
            start += part["splits"][split]

    def load_rows(self, fields: Iterable[str], split: str, rows: np.ndarray) -> dict[str, np.ndarray]:
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

    def _sizes(self, split: str | None) -> np.ndarray:
        """Rows of each part, or of those in a split."""
        self._check([], split)
        return np.array([part["rows"] if split is None else part["splits"][split] for part in self.parts], int)

    def _taken(self, split: str | None, max_rows: int | None) -> np.ndarray:
        """How many rows of each part are read: the same share of all, `max_rows` together."""
        sizes = self._sizes(split)
        if max_rows is None or max_rows >= sizes.sum():
            return sizes
        # of sums, not of each part, or many small parts would all round to nothing
        return np.diff(np.rint(np.cumsum(sizes) * (max_rows / sizes.sum())).astype(int), prepend=0)

    def _iterate(self, fields: list[str], split: str | None, max_rows: int | None) -> Iterator[dict[str, np.ndarray]]:
        for part, taken in zip(self.parts, self._taken(split, max_rows), strict=True):
            with self._read(part) as file:
                rows = slice(0, taken)
                if split is not None:
                    rows = np.flatnonzero(file["split"][()] == SPLITS.index(split))[:taken]
                yield NamedArrays({name: self._column(file, part, name, rows) for name in fields}, self.table)

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
        fields = [fields] if isinstance(fields, str) else list(fields)
        for name in fields:
            if name not in self.fields:
                raise unknown_name("field", name, self.fields)
        if split is not None and split not in SPLITS:
            raise unknown_name("split", split, SPLITS)
        return fields

    @contextmanager
    def _read(self, part: dict) -> Iterator[h5py.File]:
        try:
            with h5py.File(verified(self.path / part["part"])) as file:
                yield file
        except OSError as error:  # where it is opened, or where a damaged chunk is read
            raise DatasetError(
                f"{self.path / part['part']} is damaged ({error}). Delete it and {provenance.NAME}, then run "
                "`python -m xaug.process` again"
            ) from None

    @staticmethod
    def _column(file: h5py.File, part: dict, name: str, rows) -> np.ndarray:
        if name == "process":
            n = len(file["label"][()][rows])
            return np.full(n, part["process"])
        if name not in file:
            raise DatasetError(
                f"{file.filename} has no column {name!r}: it was made by another version. Process into a new directory"
            )
        return file[name][()][rows]
