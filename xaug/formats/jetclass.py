"""JetClass (H. Qu, C. Li, S. Qian, arXiv:2202.03772; ROOT) and JetClass-II (arXiv:2405.12972; parquet)."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from xaug.core.types import Array
from xaug.formats.base import FinalState, Ranges, Source, UnsuitableFile, Wanted, register_format
from xaug.formats.charges import impact_parameters
from xaug.formats.jet_files import Entries, Jagged, JetFormat, cartesian, jets_of, kinds_to_ids
from xaug.formats.labels import by_number, count_classes, label_of_flags

__all__ = ["JETCLASS"]

MOMENTUM = {"px": "part_px", "py": "part_py", "pz": "part_pz", "energy": "part_energy"}
KINDS = {
    "charge": "part_charge",
    "electron": "part_isElectron",
    "muon": "part_isMuon",
    "photon": "part_isPhoton",
    "neutral": "part_isNeutralHadron",
}
LENGTHS = {"dxy": "part_d0val", "dz": "part_dzval"}
"""Impact parameters of tracks, as Delphes gives them [mm]."""
FLAGS = tuple(f"label_{name}" for name in ("QCD", "Hbb", "Hcc", "Hgg", "H4q", "Hqql", "Zqq", "Wqq", "Tbqq", "Tbl"))
NUMBER = "jet_label"
CLASSES_II = {i: f"label_{i}" for i in range(188)}
"""Classes of JetClass-II by number."""


class JetClass(JetFormat):
    """Jets of Delphes with all properties of their particles; classes by flags, or by a number in JetClass-II."""

    name = "jetclass"
    label = "a file of JetClass (ROOT or parquet)"
    suffixes = (".root", ".parquet")
    layout = "part_px ... part_energy [GeV], part_charge, part_is*, part_d0val, part_dzval [mm]; label_* or jet_label"
    containers = ("ROOT", "parquet")
    signature = (*MOMENTUM.values(), *KINDS.values(), *LENGTHS.values())

    def holds(self, columns: Collection[str]) -> frozenset[str]:
        return frozenset(("id", "charge", "dxy", "dz", "phi"))

    def needed(self, columns: Collection[str]) -> tuple[str, ...]:
        return self.signature

    def classes(self, source: Source, ranges: Ranges | None = None) -> dict[str, int]:
        container = self.container(source)
        refuse_both(container.columns)
        names = class_names(container.columns)
        if not names:
            return {}

        def read(start: int, stop: int) -> Array:
            return labels(Entries(container, start, stop), names, start)

        return count_classes(names, ranges or ((0, container.entries),), read)

    def read_jets(self, chunk: Entries, wanted: Wanted, first: int) -> FinalState:
        names = MOMENTUM | KINDS | LENGTHS
        arrays = chunk.read(list(names.values()))
        jagged = Jagged({own: arrays[column] for own, column in names.items()}, names, MOMENTUM)
        jagged.refuse_not_finite(first, but=LENGTHS)
        particles = cartesian(*(jagged[own] for own in MOMENTUM))
        particles["id"] = kinds_to_ids(*(jagged[own] for own in KINDS))
        particles["charge"] = jagged["charge"]
        particles |= impact_parameters({own: jagged[own] for own in LENGTHS}, particles)
        label = labels(chunk, wanted.classes, first) if class_names(chunk.columns) else None
        return jets_of(jagged, particles, first, label)


def class_names(columns: Collection[str]) -> tuple[str, ...]:
    """Names of the classes that a file of these columns tells: "QCD", "Hbb", ..."""
    if NUMBER in columns:
        return tuple(CLASSES_II.values())
    return tuple(name.removeprefix("label_") for name in FLAGS if name in columns)


def refuse_both(columns: Collection[str]) -> None:
    """UnsuitableFile if classes are told by flags and by a number, which may contradict each other."""
    flags = [name for name in FLAGS if name in columns]
    if NUMBER in columns and flags:
        raise UnsuitableFile(
            f"tells classes twice, by {NUMBER} and by {', '.join(flags)}; leave one of them out, or describe the file "
            "by a YAML of the format `columns` (see notebooks/formats.md)"
        )


def labels(chunk: Entries, classes: Collection[str], first: int) -> Array:
    """Label (n,) of each jet."""
    if NUMBER in chunk.columns:
        return by_number(NUMBER, chunk.numbers(NUMBER), CLASSES_II, list(classes), first)
    flags = {name: np.asarray(chunk.numbers(name)) for name in FLAGS if name in chunk.columns}
    wanted = [f"label_{name}" for name in classes]
    return label_of_flags(flags, wanted, first)


JETCLASS = register_format(JetClass())
