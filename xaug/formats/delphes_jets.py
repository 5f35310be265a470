"""Jets that Delphes has clustered: a collection of them refers to the particles of which each was made."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import awkward as ak
import numpy as np

from xaug.core.errors import BadValues
from xaug.core.types import Array
from xaug.formats.base import Contents, FinalState, Format, Source, Wanted
from xaug.formats.containers import Container, open_container
from xaug.formats.delphes_flow import HELD, Flow, branches, checked_columns, merged, read_flow, weights_of
from xaug.formats.root import RootFormat, flat_columns

__all__ = ["DelphesJets"]

IDENTITY, REFERENCES = "fUniqueID", "Constituents"
"""Branches by which ROOT numbers objects, and by which jets refer to them."""


class Collections:
    """Entries of a tree, as `chunk[COLLECTION][BRANCH]`; branches are read when they are used.

    coffea does not arrange references, so that they are read without it.
    """

    def __init__(self, container: Container, start: int, stop: int):
        self.container, self.start, self.stop = container, start, stop
        self.fields = sorted({name.partition("/")[0] for name in container.columns})

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, collection: str) -> OneCollection:
        return OneCollection(self, collection)


class OneCollection:
    """A collection of `Collections`."""

    def __init__(self, entries: Collections, name: str):
        self.entries, self.name = entries, name

    def __getitem__(self, branch: str) -> Any:
        full = f"{self.name}/{self.name}.{branch}"
        return self.entries.container.read([full], self.entries.start, self.entries.stop)[full]


class DelphesJets(Format):
    """Trees of Delphes whose own jets are taken, of a collection that the user names.

    Parameters
    ----------
    form
        format of the file
    flow
        collections of the particles that jets can refer to, and their branches by our names
    jets
        name of the collection of jets, as "FatJet"
    """

    suffixes = (".root",)
    gives_jets = True

    def __init__(self, form: RootFormat, flow: Flow, jets: str):
        self.form, self.flow, self.jets = form, flow, jets
        self.name = f"{form.name}:{jets}"  # type: ignore[misc]  # each has its own
        self.label = f"{form.label} whose jets {jets} are taken"  # type: ignore[misc]

    def likeness(self, source: Source) -> float:
        """0: a file is of this format only where the user names the jets."""
        return 0.0

    def contents(self, source: Source) -> Contents:
        """Those of the file, meant for jets."""
        return replace(self.form.contents(source), kind="jets")

    @contextmanager
    def open(self, path: str, tree: str, start: int, stop: int) -> Iterator[Any]:
        """Entries of the tree as `Collections`."""
        with open_container(path, tree or self.form.tree) as container:
            yield Collections(container, start, stop)

    def holds(self, columns: Collection[str]) -> frozenset[str]:
        return HELD

    def particle_columns(self, wanted: Wanted) -> tuple[str, ...]:
        """The particles, their numbers, and the references of the jets."""
        numbers = tuple(f"{name}/{name}.{IDENTITY}" for name in self.flow)
        own = (f"{self.jets}/{self.jets}.{REFERENCES}", *branches(self.flow), *numbers)
        return checked_columns(self.form, wanted, own)

    def read_particles(self, chunk: Any, wanted: Wanted, first: int) -> FinalState:
        """The constituents of all jets of the collection."""
        found = read_flow(chunk, first, self.flow)
        numbers = [flat_columns(chunk, {"id": f"{name}.{IDENTITY}"}) for name in self.flow]
        event, order = merged([counts for _, counts in numbers])
        known = _keys(event, np.concatenate([own["id"] for own, _ in numbers])[order])
        references = chunk[self.jets][REFERENCES]["refs"]
        jets: Array = ak.to_numpy(ak.num(references, axis=1))
        jet_event = np.repeat(np.arange(len(jets)), jets)
        counts: Array = ak.to_numpy(ak.flatten(ak.num(references, axis=2), axis=None)).astype(int)
        wanted_keys = _keys(np.repeat(jet_event, counts), ak.to_numpy(ak.flatten(references, axis=None)))
        ascending = np.argsort(known, kind="stable")
        place = np.searchsorted(known[ascending], wanted_keys)
        missing = place == len(known)
        place = ascending[np.where(missing, 0, place)] if len(known) else np.zeros(len(wanted_keys), int)
        missing |= known[place] != wanted_keys if len(known) else True
        if missing.any():
            where = np.repeat(jet_event, counts)[np.argmax(missing)]
            raise BadValues(
                f"a jet of {self.jets} in entry {first + int(where)} refers to a particle that is none of "
                f"{', '.join(self.flow)}; name a collection of jets that were clustered of them"
            )
        particles = {name: values[place] for name, values in found.particles.items()}
        return FinalState(particles, counts, None, jet_event, len(jets))

    def weights(self, chunk: Any, first: int) -> Array:
        """The weight of `Event`; 1 where there is none."""
        return weights_of(chunk, first)


def _keys(event: Array, numbers: Array) -> Array:
    """Keys (m,) of objects: ROOT numbers those of one event in 32 bits."""
    keys: Array = (event.astype(np.int64) << 32) | (numbers.astype(np.int64) & 0xFFFFFFFF)
    return keys
