"""Base of all formats whose entries are jets with constituents, in any container of columns."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, ClassVar

import awkward as ak
import numpy as np

from xaug.core.errors import BadValues
from xaug.core.types import Array, Arrays
from xaug.formats.base import (
    CODES,
    Contents,
    FinalState,
    Format,
    Source,
    UnsuitableFile,
    Wanted,
    refuse,
    refuse_unphysical,
)
from xaug.formats.containers import Container, Tree, container_of, open_container
from xaug.formats.limits import momentum_of
from xaug.formats.root import is_root, opened

__all__ = ["Jagged", "JetFormat", "cartesian", "jets_of", "kinds_to_ids", "massive"]


class Jagged:
    """Columns of the constituents of jets, without padding.

    Arrays may be padded, whether their rows have one length or several: where each column of a momentum is 0, NaN or a
    negative code such as -999, there is no particle.

    Parameters
    ----------
    columns
        our name -> array (jets, var) or (jets, largest number of particles)
    names
        our name -> name in the file
    momentum
        our names of the columns of the momentum
    codes
        further values of a momentum where there is no particle
    """

    def __init__(
        self,
        columns: Mapping[str, Any],
        names: Mapping[str, str],
        momentum: Collection[str],
        codes: Collection[float] = (),
    ):
        self.names = dict(names)
        counts: Array = np.zeros(0, int)
        flat: Arrays = {}
        first = next(iter(columns))
        for name, values in columns.items():
            if values.ndim != 2:
                raise BadValues(f"{names[name]} has {values.ndim} axes, not 2 (one number for each particle)")
            own: Array = ak.to_numpy(ak.num(values, axis=1))
            if not flat:
                counts = own
            elif not np.array_equal(own, counts):
                raise BadValues(f"{names[name]} has not as many values as {names[first]}")
            flat[name] = values.ravel() if isinstance(values, np.ndarray) else ak.to_numpy(ak.flatten(values, axis=1))
        empty = np.ones(len(flat[first]), bool)
        for name in momentum:
            empty &= np.isnan(flat[name]) | np.isin(flat[name], (0.0, *CODES, *codes))
        self.counts = np.bincount(np.repeat(np.arange(len(counts)), counts)[~empty], minlength=len(counts))
        self.flat: Arrays = {name: values[~empty] for name, values in flat.items()} if empty.any() else flat

    def __getitem__(self, name: str) -> Array:
        return self.flat[name].astype(np.float64)

    @property
    def jet(self) -> Array:
        """Jet of each particle."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def refuse_not_finite(self, first: int, but: Collection[str] = ()) -> None:
        """BadValues where a number is NaN or infinite; `first` is the number of the first entry.

        Columns `but` are looked at later: neutral particles have no displacement.
        """
        for name, values in self.flat.items():
            if values.dtype.kind == "f" and name not in but:
                refuse(self.names[name], values, ~np.isfinite(values), self.jet, first)


def refuse_no_numbers(name: str, values: Any, first: int) -> None:
    """BadValues where a column has no value (null in parquet), or text, which would be taken for a number."""
    kind = str(ak.type(values)) if isinstance(values, ak.Array) else ""
    if "string" in kind or "bytes" in kind or (isinstance(values, np.ndarray) and values.dtype.kind in "USO"):
        raise BadValues(f"{name} holds text, not numbers")
    for axis in range(values.ndim if "?" in kind or "option" in kind else 0):
        missing = ak.is_none(values, axis=axis)
        while missing.ndim > 1:
            missing = ak.any(missing, axis=-1)
        if ak.any(missing):
            raise BadValues(f"{name} has no value (null) in entry {first + int(ak.argmax(missing))}")


def cartesian(px: Array, py: Array, pz: Array, energy: Array) -> Arrays:
    """Columns pt, eta, phi, mass of Cartesian momenta [GeV]; a rounded mass below 0 is 0."""
    pt = np.hypot(px, py)
    with np.errstate(divide="ignore", invalid="ignore"):  # along the beam, which a later check refuses
        eta = np.where(pt > 0, np.arcsinh(pz / np.where(pt > 0, pt, 1.0)), np.inf)
    refuse_slow_energies(energy, np.hypot(pt, pz))
    square = energy**2 - pt**2 - pz**2
    return {"pt": pt, "eta": eta, "phi": np.arctan2(py, px), "mass": np.sqrt(np.maximum(square, 0.0))}


def refuse_slow_energies(energy: Array, momentum: Array) -> None:
    """BadValues if more than one particle in a hundred has an energy of less than 98% of its momentum [GeV]."""
    bad = energy < 0.98 * momentum
    if bad.mean() > 0.01 if len(bad) else False:
        where = int(np.argmax(bad))
        raise BadValues(
            f"{100 * bad.mean():.0f}% of the particles have energies below their momenta (one has {energy[where]:.6g} "
            f"and {momentum[where]:.6g} GeV): the columns do not belong together, or are in different units"
        )


def massive(pt: Array, eta: Array, phi: Array, energy: Array) -> Arrays:
    """Columns pt, eta, phi, mass of momenta with a given energy [GeV]."""
    momentum = momentum_of({"pt": pt, "eta": eta})
    refuse_slow_energies(energy, momentum)
    square = energy**2 - momentum**2
    return {"pt": pt, "eta": eta, "phi": phi, "mass": np.sqrt(np.maximum(square, 0.0))}


def kinds_to_ids(charge: Array, electron: Array, muon: Array, photon: Array, neutral: Array) -> Array:
    """PDG ids of particles of which only the kind is known: all charged hadrons are pions, neutral ones K_L."""
    sign = np.sign(charge).astype(int)
    chosen = [electron > 0, muon > 0, photon > 0, neutral > 0]
    return np.select(chosen, [-11 * sign, -13 * sign, 22, 130], 211 * sign)


def jets_of(
    jagged: Jagged, particles: Arrays, first: int, label: Array | None = None, split: Array | None = None
) -> FinalState:
    """Jets, one for each entry, of the columns of their constituents, which are checked."""
    refuse_unphysical(particles, jagged.names, jagged.jet, first)
    n = len(jagged.counts)
    return FinalState(particles, jagged.counts, None, np.arange(n), n, label, split)


class JetFormat(Format):
    """A format whose entries are jets with constituents. A subclass names its columns and reads them."""

    gives_jets = True
    signature: ClassVar[tuple[str, ...]]
    """Columns that tell this format from others."""
    tree: ClassVar[str | None] = None
    """Tree of a ROOT file, or group of an HDF5 file; None: its only one."""
    containers: ClassVar[tuple[str, ...]]
    """Kinds of files (`containers.KINDS`) that it has."""

    def likeness(self, source: Source) -> float:
        """1 for a file that has all columns of the signature; where one lacks, a bit less than their share."""
        container = self._opened(source)
        if container is None:
            return 0.0
        shared = len(set(self.signature) & container.columns) / len(self.signature)
        return shared if shared == 1.0 or shared >= 0.5 else 0.0

    def mismatch(self, source: Source) -> str:
        if source.is_local and container_of(source.first_bytes(8)) in ("ROOT", None):
            return ""  # the formats of ROOT say what it holds
        try:
            container = self.container(source)
        except UnsuitableFile as error:
            return str(error)
        shown = ", ".join(sorted(container.columns)[:8]) or "nothing"
        return f"holds {shown}, which is no known layout (describe it in a YAML of the format `columns`)"

    def container(self, source: Source) -> Container:
        """The columns of a file, of the tree that the user named or of this format's; formats share what is opened.

        Raises
        ------
        UnsuitableFile
            if the file is of no known kind, or has no such tree
        """
        tree = source.tree or self.tree
        found: Container = source.opened(Opener(source, tree) if is_root(source) else Opener(None, tree))
        return found

    def _opened(self, source: Source) -> Container | None:
        if source.is_local and container_of(source.first_bytes(8)) not in self.containers:
            return None
        try:
            return self.container(source)
        except UnsuitableFile:
            return None

    def contents(self, source: Source) -> Contents:
        container = self.container(source)
        return Contents(
            container.tree, container.entries, container.columns, {}, kind="jets", fingerprint=container.fingerprint
        )

    @contextmanager
    def open(self, path: str, tree: str, start: int, stop: int) -> Iterator[Any]:
        """Columns of a range of entries, read at once."""
        with open_container(path, tree or self.tree) as container:
            yield Entries(container, start, stop)

    @abstractmethod
    def needed(self, columns: Collection[str]) -> tuple[str, ...]:
        """Columns that a file of these columns must have, to be read."""

    @abstractmethod
    def read_jets(self, chunk: Entries, wanted: Wanted, first: int) -> FinalState:
        """Read the jets of opened entries, in GeV and mm."""

    def particle_columns(self, wanted: Wanted) -> Collection[str]:
        if wanted.partons:
            raise UnsuitableFile(f"is {self.label}, which holds no partons to match jets with; set truth=none")
        if wanted.columns:
            raise UnsuitableFile(f"is {self.label}, which has no {wanted.columns[0]} of particles")
        return self.needed(())

    def read_particles(self, chunk: Any, wanted: Wanted, first: int) -> FinalState:
        return self.read_jets(chunk, wanted, first)


class Opener:
    """Opens a container with a tree; equal for equal trees, so that formats share the opened file.

    Trees are read of the ROOT file `root` that the formats of ROOT have opened, where one is given.
    """

    def __init__(self, root: Source | None, tree: str | None):
        self.root, self.tree = root, tree

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Opener) and other.tree == self.tree

    def __hash__(self) -> int:
        return hash(("container", self.tree))

    def __call__(self, path: str) -> Any:
        return open_container(path, self.tree) if self.root is None else nullcontext(Tree(opened(self.root), self.tree))


class Entries:
    """A range of entries of a container, whose columns are read when they are asked for."""

    def __init__(self, container: Container, start: int, stop: int):
        self.container, self.start, self.stop = container, start, stop

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def columns(self) -> frozenset[str]:
        """Names of all columns of the file."""
        return self.container.columns

    @property
    def fields(self) -> list[str]:
        """The same in order, as NanoEvents of coffea have them."""
        return sorted(self.columns)

    def __getitem__(self, name: str) -> Any:
        return self.read([name])[name]

    def read(self, names: Collection[str]) -> dict[str, Any]:
        """Some columns at once; BadValues where a value is missing (null), or is text."""
        found = self.container.read(names, self.start, self.stop)
        for name, values in found.items():
            refuse_no_numbers(name, values, self.start)
        return found

    def numbers(self, name: str) -> Array:
        """A column with one number for each entry (n,)."""
        values: Array = np.asarray(ak.to_numpy(self[name]))
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        if values.ndim != 1:
            raise BadValues(f"{name} has {values.shape[1:]} values for each entry; name one of them")
        return values
