"""Any file of columns: the user says which column is what, in which unit."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import awkward as ak
import numpy as np

from xaug.core.errors import BadValues
from xaug.core.files import digest_json
from xaug.core.types import Array, Arrays
from xaug.formats.base import CONFIGURED, FinalState, Format, Ranges, Source, UnsuitableFile, Wanted, refuse
from xaug.formats.charges import impact_parameters, refuse_unknown_ids
from xaug.formats.containers import KINDS
from xaug.formats.jet_files import (
    Entries,
    Jagged,
    JetFormat,
    cartesian,
    jets_of,
    kinds_to_ids,
    massive,
)
from xaug.formats.labels import by_number, count_classes, label_of_flags

__all__ = [
    "FLAGS",
    "LENGTHS",
    "MOMENTA",
    "MOMENTUM_UNITS",
    "OTHERS",
    "ColumnFiles",
    "ColumnSpec",
    "configure",
    "known_as",
]

MOMENTA = (("px", "py", "pz", "energy"), ("pt", "eta", "phi", "energy"), ("pt", "eta", "phi", "mass"))
"""Sets of columns, one of which gives the momenta of particles."""
FLAGS = ("is_electron", "is_muon", "is_photon", "is_neutral_hadron")
"""Columns of kinds of particles, which need the charge beside them."""
OTHERS = ("id", "charge", "dxy", "dz", "vx", "vy", "vz")
LENGTH_COLUMNS = ("dxy", "dz", "vx", "vy", "vz")
LENGTHS = {"mm": 1.0, "cm": 10.0, "um": 1e-3, "m": 1e3}
"""Units of length, in mm."""
MOMENTUM_UNITS = {"GeV": 1.0, "MeV": 1e-3, "TeV": 1e3}


@dataclass(frozen=True)
class ColumnSpec:
    """Meaning of the columns of a file.

    Attributes
    ----------
    particles : dict
        our name -> column; a column of several numbers for each particle is given with an index, as "X[0]"
    given : bool
        whether entries are jets; else they are events, whose jets are clustered
    weight : str or None
        column of the weights
    flags : dict
        class -> column that is 1 for entries of this class
    label : str or None
        column with the number of each entry's class, whose names are in `numbers`
    numbers : dict
        class -> its numbers in the column `label`
    momentum, length : str
        units of momenta and of lengths
    padding : float or None
        value of columns of the momentum where there is no particle, beside 0, NaN, -99, -999 and -9999
    """

    particles: Mapping[str, str]
    given: bool = True
    weight: str | None = None
    flags: Mapping[str, str] = field(default_factory=dict)
    label: str | None = None
    numbers: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    momentum: str = "GeV"
    length: str = "mm"
    padding: float | None = None

    @property
    def momenta(self) -> tuple[str, ...]:
        """The set of MOMENTA that is given."""
        return next(names for names in MOMENTA if set(names) <= set(self.particles))

    @property
    def all_columns(self) -> tuple[str, ...]:
        """All columns that are read."""
        labels = [*self.flags.values(), *([self.label] if self.label else [])]
        return (*self.particles.values(), *([self.weight] if self.weight else []), *labels)


def split_index(column: str) -> tuple[str, int | None]:
    """Name and index of a column "X[0]"; no index for others."""
    found = re.fullmatch(r"(.+)\[(\d+)\]", column)
    return (found[1], int(found[2])) if found else (column, None)


class ColumnFiles(JetFormat):
    """A layout that the user describes."""

    label = "a file of columns that a YAML describes"
    suffixes = ()
    layout = "any columns of ROOT, parquet, HDF5 or npz, named by a YAML (format: columns)"
    containers = tuple(KINDS)
    signature = ()

    def __init__(self, spec: ColumnSpec):
        self.spec = spec
        self.gives_jets = spec.given
        self.momentum_unit = spec.momentum
        self.name = f"columns:{digest_json(asdict(spec))}"  # type: ignore[misc]  # each has its own

    def likeness(self, source: Source) -> float:
        """0: a file is of this format only where the user says so."""
        return 0.0

    def holds(self, columns: Collection[str]) -> frozenset[str]:
        own = set(self.spec.particles)
        found = {"phi", *own.intersection(("id", "charge", "dxy", "dz"))}
        if "id" in own or own.issuperset((*FLAGS, "charge")):
            found |= {"id", "charge"}
        if own.issuperset(("vx", "vy", "vz")):
            found |= {"vertex", "dxy", "dz"}
        return frozenset(found)

    def needed(self, columns: Collection[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(split_index(name)[0] for name in self.spec.all_columns))

    def classes(self, source: Source, ranges: Ranges | None = None) -> dict[str, int]:
        container = self.container(source)
        names = list(self.spec.flags or self.spec.numbers)
        if not names:
            return {}
        for column in self.needed(()):
            if column not in container.columns:
                return dict.fromkeys(names, 0)  # the check of the columns names the one that is missing

        def read(start: int, stop: int) -> Array:
            return self._labels(Entries(container, start, stop), names, start)

        return count_classes(names, ranges or ((0, container.entries),), read)

    def _labels(self, chunk: Entries, classes: Collection[str], first: int) -> Array:
        if self.spec.label:
            known = {number: name for name, numbers in self.spec.numbers.items() for number in numbers}
            return by_number(self.spec.label, column(chunk, self.spec.label, 1), known, list(classes), first)
        flags = {name: column(chunk, name, 1) for name in self.spec.flags.values()}
        return label_of_flags(flags, [self.spec.flags.get(name, "") for name in classes], first)

    def read_jets(self, chunk: Entries, wanted: Wanted, first: int) -> FinalState:
        spec = self.spec
        arrays = {own: column(chunk, name, 2) for own, name in spec.particles.items()}
        jagged = Jagged(arrays, spec.particles, spec.momenta, () if spec.padding is None else (spec.padding,))
        jagged.refuse_not_finite(first, but=LENGTH_COLUMNS)
        label = self._labels(chunk, wanted.classes, first) if spec.flags or spec.label else None
        found = jets_of(jagged, self._particles(jagged, first), first, label)
        return found if spec.given else replace(found, jet_event=None, events=None)

    def _particles(self, jagged: Jagged, first: int) -> Arrays:
        """Columns of particles in GeV and mm."""
        spec = self.spec
        unit, length = MOMENTUM_UNITS[spec.momentum], LENGTHS[spec.length]
        p = [jagged[own] * (1.0 if own in ("eta", "phi") else unit) for own in spec.momenta]
        if spec.momenta == MOMENTA[0]:
            particles = cartesian(*p)
        elif spec.momenta == MOMENTA[1]:
            particles = massive(*p)
        else:
            particles = dict(zip(MOMENTA[2], p, strict=True))
        own = set(spec.particles)
        particles |= {name: jagged[name] for name in ("id", "charge") if name in own}
        if "id" in own:
            refuse_unknown_ids(particles["id"], spec.particles["id"], jagged.jet, first)
        if own.issuperset((*FLAGS, "charge")) and "id" not in own:
            particles["id"] = kinds_to_ids(jagged["charge"], *(jagged[name] for name in FLAGS))
        lengths: Arrays = {name: jagged[name] for name in LENGTH_COLUMNS if name in own}
        tracks: Arrays = {name: lengths.pop(name) for name in ("dxy", "dz") if name in own}
        particles |= impact_parameters(tracks, particles, length)
        particles |= impact_parameters(lengths, {}, length)  # neutral particles have a vertex
        return particles

    def weights(self, chunk: Any, first: int) -> Array:
        if self.spec.weight is None:
            return np.ones(len(chunk))
        weights: Array = column(chunk, self.spec.weight, 1).astype(np.float64)
        refuse(self.spec.weight, weights, ~np.isfinite(weights), np.arange(len(weights)), first)
        return weights


def column(chunk: Entries, name: str, axes: int) -> Any:
    """A column, or with an index one component of it, with so many axes, that of the entries among them.

    Raises
    ------
    BadValues
        if it has another number of axes
    """
    base, index = (name, None) if name in chunk.columns else split_index(name)
    values = chunk[base]
    if isinstance(values, ak.Array) and values.ndim == axes == 1 and index is None:
        values = ak.to_numpy(values)
    if index is not None:
        if values.ndim != axes + 1:
            raise BadValues(f"{name}: {base} has {values.ndim} axes, of which there must be {axes + 1}")
        if ak.any(ak.num(values, axis=axes) <= index):
            raise BadValues(f"{name}: some of {base} have no component {index}")
        values = values[..., index]
    if values.ndim != axes:
        what = "one number for each entry" if axes == 1 else "one number for each particle"
        raise BadValues(f"{name} has {values.ndim} axes, not {axes} ({what}); name a component as {base}[0]")
    return ak.to_numpy(values) if axes == 1 else values


def configure(spec: ColumnSpec) -> str:
    """Make a layout known, and return its name.

    Raises
    ------
    UnsuitableFile
        if it does not give the momenta of particles
    """
    if not any(set(names) <= set(spec.particles) for names in MOMENTA):
        known = "; ".join(", ".join(names) for names in MOMENTA)
        raise UnsuitableFile(f"particles give {', '.join(spec.particles) or 'nothing'}; momenta need one of {known}")
    names = list(spec.particles.values())
    for own, name in spec.particles.items():
        if names.count(name) > 1:
            others = " and ".join(other for other, column in spec.particles.items() if column == name and other != own)
            raise UnsuitableFile(f"particles: {own} and {others} are the same column {name!r}")
    return known_as(ColumnFiles(spec))


def known_as(form: Format) -> str:
    """Make a format known that a file of the user describes, and return its name."""
    CONFIGURED[form.name] = form
    return form.name
