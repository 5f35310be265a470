"""Quark and gluon jets (P. Komiske, E. Metodiev, J. Thaler, JHEP 01 (2019) 121; Zenodo 3164691)."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from xaug.core.errors import BadValues
from xaug.core.types import Array
from xaug.formats.base import FinalState, Ranges, Source, Wanted, register_format
from xaug.formats.charges import known_particle
from xaug.formats.jet_files import Entries, Jagged, JetFormat, jets_of
from xaug.formats.labels import by_number, count_classes

__all__ = ["QG"]

COLUMNS = ("pt", "rapidity", "phi", "id")
CLASSES = {0: "gluon", 1: "quark"}


class QuarkGluon(JetFormat):
    """NumPy archives of X (jets, particles, 4), padded with 0, and y, which is 1 for quarks."""

    name = "qg"
    label = "a NumPy archive of quark and gluon jets"
    suffixes = (".npz",)
    layout = "X (jets, particles, 4): pT [GeV], rapidity, phi, PDG id, padded with 0; y (1: quark)"
    containers = ("npz",)
    signature = ("X", "y")

    def holds(self, columns: Collection[str]) -> frozenset[str]:
        return frozenset(("id", "charge", "phi"))

    def needed(self, columns: Collection[str]) -> tuple[str, ...]:
        return self.signature

    def classes(self, source: Source, ranges: Ranges | None = None) -> dict[str, int]:
        container = self.container(source)

        def read(start: int, stop: int) -> Array:
            values = Entries(container, start, stop).numbers("y")
            return by_number("y", values, CLASSES, list(CLASSES.values()), start)

        return count_classes(list(CLASSES.values()), ranges or ((0, container.entries),), read)

    def read_jets(self, chunk: Entries, wanted: Wanted, first: int) -> FinalState:
        x = np.asarray(chunk["X"])
        if x.ndim != 3 or x.shape[2] != len(COLUMNS):
            raise BadValues(f"X has the shape {x.shape}; it must be (jets, particles, 4)")
        columns = {own: x[:, :, i] for i, own in enumerate(COLUMNS)}
        jagged = Jagged(columns, {own: f"X ({own})" for own in COLUMNS}, COLUMNS)
        jagged.refuse_not_finite(first)
        ids = jagged["id"].astype(int)
        pt, mass = jagged["pt"], masses(ids)
        pz = np.sqrt(pt**2 + mass**2) * np.sinh(jagged["rapidity"])
        eta = np.arcsinh(pz / np.where(pt > 0, pt, 1.0))
        particles = {"pt": pt, "eta": eta, "phi": jagged["phi"], "mass": mass, "id": ids}
        return jets_of(jagged, particles, first, by_number("y", chunk.numbers("y"), CLASSES, wanted.classes, first))


def masses(ids: Array) -> Array:
    """Masses (m,) [GeV] by PDG id, of the tables of the PDG; BadValues for an id that is no particle."""
    distinct, inverse = np.unique(ids, return_inverse=True)
    found = []
    for i in distinct.tolist():
        particle = known_particle(i)
        if particle is None:
            raise BadValues(f"X (id) is {i}, which is no PDG id of a particle")
        found.append((particle.mass or 0.0) / 1000.0)
    chosen: Array = np.array(found)[inverse] if len(ids) else np.zeros(0)
    return chosen


QG = register_format(QuarkGluon())
