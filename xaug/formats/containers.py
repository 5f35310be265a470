"""Files of named columns: ROOT trees, parquet, HDF5 and NumPy archives, all read in the same way.

The kind of a file is told by its first bytes. A column has one value, or one row of values, for each entry. The table
that pandas writes into HDF5 (as for the top-tagging reference set) has its named columns too.
"""

from __future__ import annotations

import pickletools
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import awkward as ak
import h5py
import numpy as np
import pyarrow.parquet as pq
import uproot

from xaug.formats.base import UnsuitableFile

__all__ = ["KINDS", "Container", "Tree", "container_of", "open_container"]

KINDS = {"ROOT": b"root", "parquet": b"PAR1", "HDF5": b"\x89HDF\r\n\x1a\n", "npz": b"PK\x03\x04"}
"""Kinds of files, by their first bytes."""


class Container(ABC):
    """The columns of an opened file."""

    tree: str = ""  # name of the table
    fingerprint: str = ""

    @property
    @abstractmethod
    def columns(self) -> frozenset[str]:
        """Names of the columns."""

    @property
    @abstractmethod
    def entries(self) -> int:
        """Number of entries."""

    @abstractmethod
    def read(self, names: Iterable[str], start: int, stop: int) -> dict[str, Any]:
        """Read a range of entries of some columns, as NumPy or awkward arrays."""


class Tree(Container):
    """A tree of a ROOT file."""

    def __init__(self, root: Any, tree: str | None):
        trees = root.keys(filter_classname=["TTree", "ROOT::RNTuple"], cycle=False)
        trees = list(dict.fromkeys(trees))
        if tree is None and len(trees) != 1:
            raise UnsuitableFile(f"holds the trees {', '.join(trees) or '(none)'}; name one as FILE.root:TREE")
        self.tree = tree or trees[0]
        if self.tree not in trees and self.tree not in root.keys():  # noqa: SIM118 (keys with their cycles)
            raise UnsuitableFile(f"has no tree {self.tree!r}; it holds {', '.join(trees) or 'none'}")
        self._tree = root[self.tree]
        self.fingerprint = root.file.fUUID.hex()

    @property
    def columns(self) -> frozenset[str]:
        return frozenset(self._tree.keys())

    @property
    def entries(self) -> int:
        return int(self._tree.num_entries)

    def read(self, names: Iterable[str], start: int, stop: int) -> dict[str, Any]:
        found = self._tree.arrays(list(names), entry_start=start, entry_stop=stop)
        return {name: found[name] for name in names}


class _Parquet(Container):
    def __init__(self, path: str):
        self._path, self._file = path, pq.ParquetFile(path)

    @property
    def columns(self) -> frozenset[str]:
        return frozenset(self._file.schema_arrow.names)

    @property
    def entries(self) -> int:
        return int(self._file.metadata.num_rows)

    def read(self, names: Iterable[str], start: int, stop: int) -> dict[str, Any]:
        ends = np.cumsum([self._file.metadata.row_group(i).num_rows for i in range(self._file.num_row_groups)])
        first, last = np.searchsorted(ends, start, side="right"), np.searchsorted(ends, stop, side="left")
        groups = list(range(int(first), min(int(last) + 1, len(ends))))
        skipped = int(ends[first - 1]) if first else 0
        table = self._file.read_row_groups(groups, columns=list(names)).slice(start - skipped, stop - start)
        return {name: ak.from_arrow(table.column(name).combine_chunks()) for name in names}


class _Arrays(Container):
    """Columns that are arrays of one length: those of a NumPy archive, or the datasets of an HDF5 file.

    The fields of an array of records are columns of their own, as "consts.px".
    """

    def __init__(self, given: dict[str, Any]):
        arrays: dict[str, Any] = {}
        for name, own in given.items():
            for field in own.dtype.names or ():
                arrays[f"{name}.{field}"] = own.fields(field) if isinstance(own, h5py.Dataset) else own[field]
            if not own.dtype.names:
                arrays[name] = own
        lengths = {name: len(values) for name, values in arrays.items()}
        if len(set(lengths.values())) > 1:
            raise UnsuitableFile(f"has arrays of different lengths: {lengths}")
        self._arrays = arrays

    @property
    def columns(self) -> frozenset[str]:
        return frozenset(self._arrays)

    @property
    def entries(self) -> int:
        return len(next(iter(self._arrays.values()))) if self._arrays else 0

    def read(self, names: Iterable[str], start: int, stop: int) -> dict[str, Any]:
        return {name: np.asarray(self._arrays[name][start:stop]) for name in names}


class _PandasTable(Container):
    """A table that pandas wrote into HDF5: blocks of columns of one type, whose names are attributes.

    pandas pickles the names. They are read without running the pickle, which could run any code.
    """

    def __init__(self, table: h5py.Dataset):
        self._table = table
        self._place: dict[str, tuple[str, int]] = {}
        for block in table.dtype.names[1:]:
            kind = table.attrs.get(f"{block}_kind", b"")
            raw = kind.tobytes() if isinstance(kind, np.ndarray) else bytes(kind)
            names = [value for _, value, _ in pickletools.genops(raw) if isinstance(value, str) and value != ""]
            if len(names) != int(np.prod(table.dtype[block].shape)):
                raise UnsuitableFile(f"has a block {block!r} whose columns have no names; write it again with pandas")
            self._place |= {name: (block, i) for i, name in enumerate(names)}

    @property
    def columns(self) -> frozenset[str]:
        return frozenset(self._place)

    @property
    def entries(self) -> int:
        return len(self._table)

    def read(self, names: Iterable[str], start: int, stop: int) -> dict[str, Any]:
        rows = self._table[start:stop]
        return {name: rows[block][:, i] for name in names for block, i in [self._place[name]]}


def container_of(head: bytes) -> str | None:
    """The kind of a file that begins with these bytes; None for other files."""
    return next((kind for kind, magic in KINDS.items() if head.startswith(magic)), None)


def _hdf5(file: h5py.File, tree: str | None) -> Container:
    """The table or the datasets of a group of an HDF5 file."""
    if tree and not isinstance(file.get(tree), h5py.Group):
        raise UnsuitableFile(f"has no group {tree!r}; it holds {', '.join(file) or 'nothing'}")
    group = file[tree] if tree else file
    inside = {name: own for name, own in group.items() if isinstance(own, h5py.Group)}
    tables = {name: own["table"] for name, own in {"": group, **inside}.items() if _is_pandas_table(own.get("table"))}
    if len(tables) > 1:
        where = f"{tree}/" if tree else ""
        known = ", ".join(f"{where}{name}" for name in tables)
        raise UnsuitableFile(f"holds the tables {known}; name one of them as FILE:{where}{next(iter(tables))}")
    found: Container
    if tables:
        found = _PandasTable(next(iter(tables.values())))
    else:
        found = _Arrays({name: own for name, own in group.items() if isinstance(own, h5py.Dataset) and own.ndim})
        if not found.columns and inside:
            raise UnsuitableFile(f"holds only the groups {', '.join(inside)}; name one as FILE:{next(iter(inside))}")
    found.tree = tree or ""
    return found


def _is_pandas_table(own: Any) -> bool:
    """Whether an HDF5 object is a table of pandas: a dataset of blocks, whose names are attributes."""
    return isinstance(own, h5py.Dataset) and bool(own.dtype.names) and own.dtype.names[0] == "index"


def _members(archive: Any) -> dict[str, Any]:
    """The arrays of a NumPy archive; other zip archives, as those of Keras models, have none."""
    found = {name: archive[name] for name in archive.files if f"{name}.npy" in archive.zip.namelist()}
    if not found:
        shown = ", ".join(archive.files[:3]) or "nothing"
        raise UnsuitableFile(f"is a zip archive without NumPy arrays (it holds {shown})")
    return {name: values for name, values in found.items() if values.ndim}


@contextmanager
def open_container(path: str, tree: str | None = None) -> Iterator[Container]:
    """Open a file of named columns.

    Parameters
    ----------
    path
        path or URL; a URL is that of a ROOT file
    tree
        tree of a ROOT file, or group of an HDF5 file; None: its only tree, or its top

    Raises
    ------
    UnsuitableFile
        if the file is of no known kind, or has no such tree
    """
    kind: str | None = "ROOT"
    if "://" not in path:
        with open(path, "rb") as stream:
            kind = container_of(stream.read(8))
    if kind == "ROOT":
        with uproot.open({path: None}) as root:
            yield Tree(root, tree or None)
    elif tree and kind in ("parquet", "npz"):
        raise UnsuitableFile(f"is a {kind} file, which has no tree {tree!r}; leave the name of the tree out")
    elif kind == "parquet":
        yield _Parquet(path)
    elif kind == "HDF5":
        with h5py.File(path) as file:
            yield _hdf5(file, tree or None)
    elif kind == "npz":
        with np.load(path, allow_pickle=False) as archive:
            yield _Arrays(_members(archive))
    else:
        raise UnsuitableFile(f"is none of {', '.join(KINDS)}")
