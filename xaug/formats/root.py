"""Base of all ROOT formats: trees with flat or jagged branches, read through a schema of coffea."""

from __future__ import annotations

import functools
import operator
from abc import abstractmethod
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import awkward as ak
import numpy as np
import uproot
from coffea.nanoevents import BaseSchema, NanoEventsFactory

from xaug.core.errors import BadValues
from xaug.core.types import Array, Arrays, JsonObject
from xaug.formats.base import FORMATS, Contents, Format, Source, UnsuitableFile

__all__ = ["RootFormat", "flat_columns"]

MAGIC = b"root"
"""First bytes of every ROOT file."""


class RootFormat(Format):
    """A format whose events are the entries of a tree in a ROOT file."""

    suffixes = (".root",)
    tree: ClassVar[str]
    """Name of the tree, where the user does not name one."""
    schema: ClassVar[Any] = BaseSchema
    """Schema of coffea that arranges the branches."""

    @property
    @abstractmethod
    def signature(self) -> Collection[str]:
        """Branches that tell this format from others."""

    def metadata(self, root: Any) -> JsonObject:
        """Metadata of the file, beside its events; none by default."""
        return {}

    def kind(self, metadata: JsonObject) -> str:
        """Kind of dataset that a file with this metadata is meant for."""
        return "jets"

    def likeness(self, source: Source) -> float:
        """Share of the signature that the named tree, or else this format's, holds."""
        if not is_root(source):
            return 0.0
        root = opened(source)
        name = tree_name(source, self.tree)
        if name not in root.keys(cycle=False) and name not in root:
            return 0.0
        branches = root[name].keys()
        shared = len(set(self.signature).intersection(branches)) / len(self.signature)
        # a tree of the right name is of this format although branches are missing, which will then be named
        return max(shared, 1e-6 if name == self.tree else 0.0)

    def mismatch(self, source: Source) -> str:
        """Name the tree that is missing, and those that are there."""
        if not is_root(source):
            return "is not a ROOT file"
        trees = list(dict.fromkeys(opened(source).keys(cycle=False)))
        if source.tree in trees:
            return f"has no branch of a known format in its tree {source.tree!r}"
        known = list(dict.fromkeys(each.tree for each in FORMATS.values() if isinstance(each, RootFormat)))
        wanted = " or ".join(map(repr, [source.tree] if source.tree else known))
        return f"has no tree {wanted} (it holds: {', '.join(trees) or 'nothing'}); name it as treename in a fileset"

    def contents(self, source: Source) -> Contents:
        """Entries, branches and metadata of the tree."""
        root = opened(source)
        name = tree_name(source, self.tree)
        tree = root[name]
        metadata = self.metadata(root)
        return Contents(
            tree=name,
            entries=int(tree.num_entries),
            columns=frozenset(tree.keys()),
            metadata=metadata,
            kind=self.kind(metadata),
            fingerprint=root.file.fUUID.hex(),
        )

    @contextmanager
    def open(self, path: str, tree: str, start: int, stop: int) -> Iterator[Any]:
        """Entries of the tree as NanoEvents of coffea; branches are read when they are used."""
        with uproot.open({path: None}) as file:
            yield NanoEventsFactory.from_root(
                file=file,
                treepath=tree,
                schemaclass=self.schema,
                mode="virtual",
                entry_start=start,
                entry_stop=stop,
            ).events()


def tree_name(source: Source, default: str) -> str:
    """Name of the tree that the user named, or else the default; with its cycle only if a later one is there too.

    ROOT writes `T;1`, `T;2`, ... where an object was saved several times; the last of them is the one that `T` names.
    """
    name = source.tree or default
    base, _, cycle = name.partition(";")
    cycles = [int(key.rpartition(";")[2]) for key in opened(source) if key.rpartition(";")[0] == base]
    return base if cycle.isdigit() and cycles and int(cycle) == max(cycles) else name


def is_root(source: Source) -> bool:
    """True if a file can be a ROOT file; a remote one always can."""
    return not source.is_local or source.first_bytes(len(MAGIC)) == MAGIC


def opened(source: Source) -> Any:
    """The directory of a ROOT file.

    Raises
    ------
    UnsuitableFile
        if the file is shorter than its header says
    """
    root = source.opened(uproot.open)
    if source.size is not None and root.file._fEND > source.size:
        raise UnsuitableFile(
            f"is truncated or damaged ({source.size} of {root.file._fEND} bytes); copy or generate it again"
        )
    return root


def flat_columns(chunk: Any, branches: dict[str, str]) -> tuple[Arrays, Array]:
    """Flat columns of jagged branches by our names, and how many values each event has.

    Parameters
    ----------
    chunk
        NanoEvents of coffea
    branches
        our name -> branch; `A.B` is field B of the collection A

    Raises
    ------
    BadValues
        if the branches do not have equally many values in each event
    """
    columns: Arrays = {}
    counts: Array | None = None
    for name, branch in branches.items():
        array = functools.reduce(operator.getitem, branch.split("."), chunk)
        own: Array = ak.to_numpy(ak.num(array, axis=1))
        if counts is None:
            counts = own
        elif not np.array_equal(own, counts):
            raise BadValues(f"{branch} has not as many values as {next(iter(branches.values()))}")
        columns[name] = ak.to_numpy(ak.flatten(array, axis=1))
    if counts is None:
        raise ValueError("no branches to read")
    return columns, counts
