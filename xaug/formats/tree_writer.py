"""Write the ROOT files of the generator, in the layout that `xaug.formats.xaug_tree` reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

from xaug.core.types import Array, Arrays, JsonObject
from xaug.formats.xaug_tree import METADATA, TREE

__all__ = ["EVENT_LAYOUT", "JET_LAYOUT", "Collection", "Columns", "Layout", "TreeWriter"]

BASKET = 1000
"""Events per basket: one huge basket would make every chunk read all of it again."""


@dataclass(frozen=True)
class Columns:
    """Columns of a jagged collection."""

    floats: tuple[str, ...]
    integers: tuple[str, ...]

    @property
    def types(self) -> dict[str, str]:
        """Column -> type."""
        return dict.fromkeys(self.floats, "float32") | dict.fromkeys(self.integers, "int32")


@dataclass(frozen=True)
class Layout:
    """Branches of a tree."""

    scalars: Mapping[str, type[np.generic]]  # one number an event: name -> type
    collections: Mapping[str, Columns]  # jagged: branch `collection_column`, counted by `nCollection`


@dataclass(frozen=True)
class Collection:
    """Members of a jagged collection in n events, m in all."""

    columns: Arrays  # (m,) each
    counts: Array  # (n,)

    def first(self, events: int) -> Collection:
        """The members in the first events."""
        stop = self.counts[:events].sum()
        return Collection({name: values[:stop] for name, values in self.columns.items()}, self.counts[:events])


PARTICLE = Columns(
    floats=("pt", "eta", "phi", "m", "vxx", "vyy", "vzz", "tau"),
    integers=("id", "status", "mother1", "mother2", "daughter1", "daughter2", "col"),
)
JET_LAYOUT = Layout(
    scalars={"eventNum": np.int64, "weight": np.float64},
    collections={
        "jet": Columns(("pt", "eta", "phi", "m"), ("nc",)),
        "gen": PARTICLE,
        "constituent": Columns(PARTICLE.floats, (*PARTICLE.integers, "jetndx")),
    },
)
"""Branches of a sample of jets, as the generator of arXiv:2011.13466 writes them, without substructure."""
EVENT_LAYOUT = Layout(
    scalars={**JET_LAYOUT.scalars, "pthat": np.float32},
    collections={
        "particle": Columns(("pt", "eta", "phi", "m"), ("id", "status")),
        "gen": Columns(("pt", "eta", "phi", "m"), ("id", "status", "mother1", "mother2")),
    },
)
"""Branches of a sample of events; `pthat` is the transverse momentum of the hard process [GeV]."""


def counter(collection: str) -> str:
    """The branch that counts a collection: nJet, nGen, ..."""
    return "n" + collection.capitalize()


def branch(collection: str, column: str) -> str:
    """The branch of a column."""
    return f"{collection}_{column}" if column else collection


class TreeWriter:
    """Write events into a tree, a basket at a time, and the metadata at the end.

    Parameters
    ----------
    path
        file to write
    layout
        branches of the tree
    """

    def __init__(self, path: str | Path, layout: Layout = JET_LAYOUT):
        self.layout = layout
        self.file = uproot.recreate(path, compression=uproot.ZLIB(1))
        jagged = {
            name: f"var * {{{', '.join(f'{column}: {dtype}' for column, dtype in columns.types.items())}}}"
            for name, columns in layout.collections.items()
        }
        self.tree = self.file.mktree(TREE, {**layout.scalars, **jagged}, counter_name=counter, field_name=branch)
        self.waiting: list[tuple[Arrays, Mapping[str, Collection]]] = []
        self.events = 0

    def add(self, scalars: Arrays, collections: Mapping[str, Collection]) -> None:
        """Add n events: scalars (n,) and collections by name."""
        self.waiting.append((scalars, collections))
        if sum(len(waiting["eventNum"]) for waiting, _ in self.waiting) >= BASKET:
            self.flush()

    def flush(self) -> None:
        """Write the events that wait as one basket."""
        if not self.waiting:
            return
        scalars = {name: np.concatenate([own[name] for own, _ in self.waiting]) for name in self.waiting[0][0]}
        self.events += len(scalars["eventNum"])
        jagged: dict[str, Any] = {}
        for name, columns in self.layout.collections.items():
            parts = [collections[name] for _, collections in self.waiting]
            flat = {
                column: np.concatenate([part.columns[column] for part in parts]).astype(dtype)
                for column, dtype in columns.types.items()
            }
            jagged[name] = ak.unflatten(ak.zip(flat), np.concatenate([part.counts for part in parts]))
        self.tree.extend({**scalars, **jagged})
        self.waiting = []

    def close(self, metadata: JsonObject) -> None:
        """Write the rest and the metadata, and close the file."""
        self.flush()
        self.file[METADATA] = json.dumps(metadata)
        self.file.close()
