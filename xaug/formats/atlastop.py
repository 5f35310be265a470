"""The ATLAS top-tagging open data (ATLAS Collaboration, JINST 19 (2024) P08018; CERN Open Data 80030)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from xaug.core.types import Array
from xaug.formats.base import FinalState, Ranges, Source, Wanted, refuse, register_format
from xaug.formats.jet_files import Entries, Jagged, JetFormat, jets_of, massive
from xaug.formats.labels import by_number, count_classes

__all__ = ["ATLASTOP"]

MOMENTUM = {name: f"fjet_clus_{own}" for name, own in (("pt", "pt"), ("eta", "eta"), ("phi", "phi"), ("energy", "E"))}
LABEL = "labels"
WEIGHTS = ("training_weights", "weights")
CLASSES = {0: "QCD", 1: "top"}
MEV = 1e-3
"""Files are in MeV."""


class AtlasTop(JetFormat):
    """Jets of up to 200 clusters, padded with 0, in MeV, with weights."""

    name = "atlastop"
    label = "a file of the ATLAS top-tagging open data (HDF5)"
    suffixes = (".h5", ".hdf5")
    layout = "fjet_clus_pt, _E [MeV], _eta, _phi (jets, 200) padded with 0; labels (1: top); weights"
    containers = ("HDF5",)
    momentum_unit = "MeV"
    signature = (*MOMENTUM.values(), LABEL)

    def holds(self, columns: Collection[str]) -> frozenset[str]:
        return frozenset(("phi",))

    def needed(self, columns: Collection[str]) -> tuple[str, ...]:
        return self.signature

    def classes(self, source: Source, ranges: Ranges | None = None) -> dict[str, int]:
        container = self.container(source)

        def read(start: int, stop: int) -> Array:
            values = Entries(container, start, stop).numbers(LABEL)
            return by_number(LABEL, values, CLASSES, list(CLASSES.values()), start)

        return count_classes(list(CLASSES.values()), ranges or ((0, container.entries),), read)

    def read_jets(self, chunk: Entries, wanted: Wanted, first: int) -> FinalState:
        arrays = chunk.read(list(MOMENTUM.values()))
        jagged = Jagged({own: arrays[column] for own, column in MOMENTUM.items()}, MOMENTUM, ("pt", "energy"))
        jagged.refuse_not_finite(first)
        particles = massive(jagged["pt"] * MEV, jagged["eta"], jagged["phi"], jagged["energy"] * MEV)
        label = by_number(LABEL, chunk.numbers(LABEL), CLASSES, wanted.classes, first)
        return jets_of(jagged, particles, first, label)

    def weights(self, chunk: Any, first: int) -> Array:
        for name in WEIGHTS:
            if name in chunk.columns:
                weights: Array = chunk.numbers(name).astype(np.float64)
                refuse(name, weights, ~np.isfinite(weights), np.arange(len(weights)), first)
                return weights
        return np.ones(len(chunk))


ATLASTOP = register_format(AtlasTop())
