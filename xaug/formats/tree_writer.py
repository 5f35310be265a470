"""The ROOT file that the generator writes: tree `T`, and a JSON string of what the file is.

For jets, the layout is that of the generator of arXiv:2011.13466: one entry an event, with jagged `jet_*`,
`gen_*` and `constituent_*` branches (float32, int32) counted by `nJet`, `nGen`, `nConstituent`. Substructure
is not stored; processing computes it from the constituents. For events, `particle_*` are all final particles.
"""

from __future__ import annotations

import json
from pathlib import Path

import awkward as ak
import numpy as np
import uproot

from xaug.core.errors import InputFileError

__all__ = ["EVENT_COLLECTIONS", "EVENT_SCALARS", "METADATA", "TREE", "TreeWriter", "read_metadata"]

TREE = "T"
METADATA = "xaug"
"""Name of the string in the file that holds process, label, cross section, seed and settings as JSON."""
BASKET = 1000
"""Events per basket: one huge basket would make every chunk read all of it again."""

PARTICLE = {
    "float32": ("pt", "eta", "phi", "m", "vxx", "vyy", "vzz", "tau"),
    "int32": ("id", "status", "mother1", "mother2", "daughter1", "daughter2", "col"),
}
COLLECTIONS = {
    "jet": {"float32": ("pt", "eta", "phi", "m"), "int32": ("nc",)},
    "gen": PARTICLE,
    "constituent": {**PARTICLE, "int32": (*PARTICLE["int32"], "jetndx")},
}
"""Branches of a sample of jets: collection -> type -> columns."""
EVENT_COLLECTIONS = {
    "particle": {"float32": ("pt", "eta", "phi", "m"), "int32": ("id", "status")},
    "gen": {"float32": ("pt", "eta", "phi", "m"), "int32": ("id", "status", "mother1", "mother2")},
}
"""Branches of a sample of events."""
SCALARS = {"eventNum": np.int64, "weight": np.float64}
EVENT_SCALARS = {**SCALARS, "pthat": np.float32}
"""One number an event; `pthat` is the transverse momentum of the hard process [GeV]."""


def counter(collection: str) -> str:
    """The branch that counts a collection: nJet, nGen, ..."""
    return "n" + collection.capitalize()


def collection_type(columns: dict[str, tuple[str, ...]]) -> str:
    """The awkward type of a jagged collection, as uproot's mktree takes it."""
    fields = [f"{name}: {dtype}" for dtype, names in columns.items() for name in names]
    return f"var * {{{', '.join(fields)}}}"


class TreeWriter:
    """Writes events into the tree, a basket at a time, and the metadata at the end."""

    def __init__(self, path: str | Path, collections: dict = COLLECTIONS, scalars: dict = SCALARS):
        self.collections = collections
        self.file = uproot.recreate(path, compression=uproot.ZLIB(1))
        self.tree = self.file.mktree(
            TREE,
            {
                **scalars,
                **{name: collection_type(columns) for name, columns in collections.items()},
            },
            counter_name=counter,
            field_name=lambda outer, inner: f"{outer}_{inner}" if inner else outer,
        )
        self.waiting: list[tuple[dict, dict]] = []
        self.events = 0

    def add(self, scalars: dict[str, np.ndarray], collections: dict[str, tuple[dict, np.ndarray]]) -> None:
        """Add events: scalars (n,) by name, and collections as (flat columns, counts (n,))."""
        self.waiting.append((scalars, collections))
        if sum(len(waiting["eventNum"]) for waiting, _ in self.waiting) >= BASKET:
            self.flush()

    def flush(self) -> None:
        """Write what waits as one basket."""
        if not self.waiting:
            return
        scalars = {name: np.concatenate([w[name] for w, _ in self.waiting]) for name in self.waiting[0][0]}
        self.events += len(scalars["eventNum"])
        columns = {}
        for name, kinds in self.collections.items():
            parts = [collections[name] for _, collections in self.waiting]
            flat = {
                column: np.concatenate([part[column] for part, _ in parts]).astype(dtype)
                for dtype, inner in kinds.items()
                for column in inner
            }
            counts = np.concatenate([counts for _, counts in parts])
            columns[name] = ak.unflatten(ak.zip(flat), counts)
        self.tree.extend({**scalars, **columns})
        self.waiting = []

    def close(self, metadata: dict) -> None:
        """Write the rest and the metadata, and close the file."""
        self.flush()
        self.file[METADATA] = json.dumps(metadata)
        self.file.close()


def read_metadata(file: uproot.ReadOnlyDirectory) -> dict:
    """What a file says of itself; empty for files that xaug did not write."""
    if METADATA not in file.keys(recursive=False, cycle=False):
        return {}
    try:
        content = json.loads(str(file[METADATA]))
    except (ValueError, uproot.DeserializationError) as error:
        raise InputFileError(file.file_path, f"its {METADATA!r} metadata is damaged ({error})") from None
    if not isinstance(content, dict):
        raise InputFileError(file.file_path, f"its {METADATA!r} metadata is damaged (no JSON object)")
    return content
