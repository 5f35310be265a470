"""The top-tagging reference set (A. Butter et al., SciPost Phys. 7 (2019) 014; Zenodo 2603256)."""

from __future__ import annotations

import re
from collections.abc import Collection

import numpy as np

from xaug.core.errors import BadValues
from xaug.core.types import Array
from xaug.formats.base import FinalState, Ranges, Source, Wanted, register_format
from xaug.formats.jet_files import Entries, Jagged, JetFormat, cartesian, jets_of
from xaug.formats.labels import by_number, count_classes

__all__ = ["TOPTAGGING"]

COMPONENTS = {"energy": "E", "px": "PX", "py": "PY", "pz": "PZ"}
LABEL, SPLIT = "is_signal_new", "ttv"
CLASSES = {0: "QCD", 1: "top"}
SPLITS = {0: 0, 1: 2, 2: 1}
"""`ttv` (0 training, 1 test, 2 validation) -> number of our split."""


class TopTagging(JetFormat):
    """Jets of the 200 hardest particles, padded with 0: E_0, PX_0, PY_0, PZ_0, E_1, ... in GeV."""

    name = "toptagging"
    label = "a file of the top-tagging reference set (HDF5)"
    suffixes = (".h5", ".hdf5")
    layout = "table of pandas: E_i, PX_i, PY_i, PZ_i [GeV] padded with 0, is_signal_new, ttv (taken as the split)"
    containers = ("HDF5", "parquet")
    signature = ("E_0", "PX_0", "PY_0", "PZ_0", LABEL)

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
        numbers = sorted(int(found[1]) for name in chunk.columns if (found := re.fullmatch(r"E_(\d+)", name)))
        names = [f"{prefix}_{i}" for prefix in COMPONENTS.values() for i in numbers]
        missing = [name for name in names if name not in chunk.columns]
        if missing:
            raise BadValues(f"has no column {missing[0]!r}, although it has E_{missing[0].partition('_')[2]}")
        arrays = chunk.read([*names, LABEL])
        components = {
            own: np.stack([np.asarray(arrays[f"{prefix}_{i}"]) for i in numbers], axis=1)
            for own, prefix in COMPONENTS.items()
        }
        jagged = Jagged(components, {own: f"{prefix}_i" for own, prefix in COMPONENTS.items()}, COMPONENTS)
        jagged.refuse_not_finite(first)
        particles = cartesian(*(jagged[own] for own in ("px", "py", "pz", "energy")))
        label = by_number(LABEL, arrays[LABEL], CLASSES, wanted.classes, first)
        split = None
        if SPLIT in chunk.columns:
            split = by_number(SPLIT, chunk.numbers(SPLIT), {i: str(i) for i in SPLITS}, [str(i) for i in SPLITS], first)
            split = np.array(list(SPLITS.values()), np.int8)[split]
        return jets_of(jagged, particles, first, label, split)


TOPTAGGING = register_format(TopTagging())
