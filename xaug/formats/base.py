"""The interface of file formats, and the registry of all that are known.

A format is one module that defines one class and registers one object of it. It recognises its files by their
content, says what they hold, and turns a range of their entries into one of the records below, whose units are
fixed: momenta in GeV, lengths in mm. Everything after that is the same for all formats.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, TypeVar

import awkward as ak
import numpy as np

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.types import Array, Arrays, JsonObject
from xaug.data.table import PROPERTIES
from xaug.formats.limits import CODES, LIMITS, refuse, refuse_momenta, refuse_unphysical

__all__ = [
    "CODES",
    "CONFIGURED",
    "FORMATS",
    "LIMITS",
    "PROPERTIES",
    "Collisions",
    "Contents",
    "FinalState",
    "Format",
    "Ranges",
    "Source",
    "UnsuitableFile",
    "Wanted",
    "format_of",
    "joined",
    "recognise",
    "refuse",
    "refuse_momenta",
    "refuse_unphysical",
    "register_format",
]

Opened = TypeVar("Opened")
Ranges = Sequence[tuple[int, int]]
"""Ranges [start, stop) of entries."""


class UnsuitableFile(ValueError):
    """A file cannot be used as it is; the message is the reason and the remedy."""


@dataclass(frozen=True)
class Wanted:
    """Data that a processor needs beside four-momenta, PDG ids and vertices."""

    columns: tuple[str, ...] = ()  # further columns of particles by our name: "status"
    partons: bool = False  # the partons of the hard process
    classes: tuple[str, ...] = ()  # classes by label, for files that tell the class of each entry


@dataclass(frozen=True)
class FinalState:
    """Final-state particles of n events, m in all, and the partons of their hard processes.

    Files of jets have their particles grouped by jet, of which an event has any number.
    """

    particles: Arrays  # (m,) each: pt eta phi mass [GeV]; of id (PDG), charge [e], vx vy vz or dxy dz [mm] those that
    # the file has; status where it is wanted
    counts: Array  # (n,) particles of each event, or (jets,) of each jet
    partons: ak.Array | None = None  # (n, var) records id, status, mother1, eta, phi; None where they are not wanted
    jet_event: Array | None = None  # (jets,) event of each jet, ascending; None where jets are to be clustered
    events: int | None = None  # number of events, where particles are grouped by jet
    label: Array | None = None  # (n,) label of each event, -1 for another class than the wanted ones
    split: Array | None = None  # (n,) split of each event, where the file has one

    def __len__(self) -> int:
        return len(self.counts) if self.events is None else self.events

    def only(self, events: Array) -> FinalState:
        """Some of the events, given by number, ascending."""
        new = np.full(len(self), -1)
        new[events] = np.arange(len(events))
        of_group = np.arange(len(self)) if self.jet_event is None else self.jet_event
        groups = new[of_group] >= 0
        chosen = np.repeat(groups, self.counts)
        return FinalState(
            {name: values[chosen] for name, values in self.particles.items()},
            self.counts[groups],
            None if self.partons is None else self.partons[events],
            None if self.jet_event is None else new[self.jet_event[groups]],
            None if self.events is None else len(events),
            None if self.label is None else self.label[events],
            None if self.split is None else self.split[events],
        )


def joined(parts: Sequence[FinalState]) -> FinalState:
    """The events of several files of one layout, one file behind the other."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    before = np.cumsum([0, *map(len, parts)])[:-1]
    of_jets = [None if own.jet_event is None else own.jet_event + n for own, n in zip(parts, before, strict=True)]

    def together(values: Sequence[Any]) -> Any:
        return None if values[0] is None else np.concatenate(values)

    return FinalState(
        {name: np.concatenate([own.particles[name] for own in parts]) for name in first.particles},
        np.concatenate([own.counts for own in parts]),
        None if first.partons is None else ak.concatenate([own.partons for own in parts]),
        together(of_jets),
        None if first.events is None else sum(map(len, parts)),
        together([own.label for own in parts]),
        together([own.split for own in parts]),
    )


@dataclass(frozen=True)
class Collisions:
    """Visible particles, leptons and heavy quarks of n events. Momenta are in GeV."""

    particles: Arrays  # (m,) each: pt eta phi mass, and lepton: position of the lepton that it is, or -1;
    # generated ones also id (PDG), and radiated: whether it is a photon that does not come from a hadron
    counts: Array  # (n,) particles of each event
    leptons: Arrays  # electrons and muons, (k,) each: pt eta phi mass, id (|PDG id|)
    lepton_event: Array  # (k,) event of each lepton, ascending
    quarks: Arrays  # b and c quarks, (q,) each: pt eta phi, id (|PDG id|)
    quark_counts: Array  # (n,) quarks of each event
    met: Array | None  # (n, 2) px and py of a detector's missing momentum [GeV]; None for generated particles

    def __len__(self) -> int:
        return len(self.counts)


@dataclass(frozen=True)
class Contents:
    """Contents of a file, as far as they are known before its entries are read."""

    tree: str  # name of the table that holds the events; "" where a file has only one
    entries: int
    columns: frozenset[str]
    metadata: JsonObject  # what the file says of itself: label, process, xsec, ...
    kind: str  # kind of dataset that the file is meant for
    fingerprint: str  # tells versions of a remote file apart, whose bytes are not digested


class Source:
    """An input file that several formats look at; it is opened once for all of them.

    Parameters
    ----------
    path
        path or URL
    tree
        name of the table to read, if the user has named it
    """

    def __init__(self, path: str, tree: str | None = None):
        self.path = path
        self.tree = tree
        self.is_local = "://" not in path
        self._opened: dict[Callable[[str], Any], Any] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def first_bytes(self, n: int) -> bytes:
        """The first bytes of a local file; nothing of a remote one."""
        if not self.is_local:
            return b""
        with open(self.path, "rb") as file:
            return file.read(n)

    @property
    def size(self) -> int | None:
        """Size of a local file in bytes; None for a remote one."""
        return Path(self.path).stat().st_size if self.is_local else None

    def opened(self, opener: Callable[[str], AbstractContextManager[Opened]]) -> Opened:
        """The file as a function opens it; formats that share the function share the opened file."""
        if opener not in self._opened:
            self._opened[opener] = self._stack.enter_context(opener(self.path))
        found: Opened = self._opened[opener]
        return found


class Format(ABC):
    """A file format.

    A subclass sets the class attributes and implements the abstract methods. It also implements one or both of
    `read_particles` (for jets) and `read_collisions` (for events), with the columns that each of them needs.
    """

    name: ClassVar[str]
    """Name in filesets and manifests."""
    label: ClassVar[str]
    """Noun that messages use, with its article."""
    suffixes: ClassVar[tuple[str, ...]]
    """Endings of the file names that are taken when a directory is searched."""
    layout: ClassVar[str] = ""
    """Contents of a file and their units, in a line, for lists of all formats."""
    momentum_unit: str = "GeV"
    """Unit of the momenta of files, for messages."""
    gives_jets: bool = False
    """Whether files hold jets, which are not clustered again. They are then selected by no cut unless one is set."""

    @abstractmethod
    def likeness(self, source: Source) -> float:
        """Share of this format's signature that a file shows, from 0 (it is another format) to 1.

        Raises
        ------
        Exception
            of any kind, if the file is damaged
        """

    def mismatch(self, source: Source) -> str:
        """Say why a file is not of this format, as the predicate of a sentence, or nothing; its likeness is 0."""
        return f"is not {self.label}"

    @abstractmethod
    def contents(self, source: Source) -> Contents:
        """Say what a file of this format holds.

        Raises
        ------
        UnsuitableFile
            if it cannot be used
        """

    @abstractmethod
    def open(self, path: str, tree: str, start: int, stop: int) -> AbstractContextManager[Any]:
        """Open the entries from `start` to `stop`; the methods below read from what this yields."""

    def holds(self, columns: Collection[str]) -> frozenset[str]:
        """Properties of particles, of `PROPERTIES`, that a file of these columns has beside momenta; default: all."""
        return PROPERTIES

    def classes(self, source: Source, ranges: Ranges | None = None) -> dict[str, int]:
        """Classes of a file that tells the class of each entry, and their entries; {} for other files.

        Parameters
        ----------
        source
            the file
        ranges
            ranges [start, stop) of the entries that count; None: all

        Raises
        ------
        UnsuitableFile
            if an entry has no class, or several
        """
        return {}

    def with_jets(self, collection: str) -> Format:
        """The same format, of whose files the jets of a collection are taken.

        Raises
        ------
        UnsuitableFile
            if files do not have several collections of jets, or none of this name
        """
        raise UnsuitableFile(f"files of {self.name} do not name collections of jets; leave `jets` out")

    def particle_columns(self, wanted: Wanted) -> Collection[str]:
        """Names of the columns that `read_particles` needs.

        Raises
        ------
        UnsuitableFile
            if files of this format cannot hold what is wanted
        """
        raise UnsuitableFile(f"is {self.label}, which holds no particles to cluster jets of; process it to events")

    def read_particles(self, chunk: Any, wanted: Wanted, first: int) -> FinalState:
        """Read the particles of opened entries; `first` is the number of the first one, for messages.

        Raises
        ------
        BadValues
            if a number is one that no event can have
        """
        raise NotImplementedError

    def collision_columns(self) -> Collection[str]:
        """Names of the columns that `read_collisions` needs.

        Raises
        ------
        UnsuitableFile
            if files of this format hold no events
        """
        raise UnsuitableFile(f"is {self.label}, which holds no leptons and missing momentum; process it to jets")

    def read_collisions(self, chunk: Any, first: int) -> Collisions:
        """Read the events of opened entries; `first` is the number of the first one, for messages.

        Raises
        ------
        BadValues
            if a number is one that no event can have
        """
        raise NotImplementedError

    def weights(self, chunk: Any, first: int) -> Array:
        """Generator weights (n_events,) of opened entries, by default 1 for each entry.

        Raises
        ------
        BadValues
            if a weight is not finite
        """
        return np.ones(len(chunk))


FORMATS: dict[str, Format] = {}
"""All formats by name, each of which recognises its files."""
CONFIGURED: dict[str, Format] = {}
"""Formats that a file of the user describes, by name; they recognise no file by themselves."""


def register_format(added: Format) -> Format:
    """Add a format to the registry.

    Raises
    ------
    ConfigurationError
        if another format has the same name
    """
    if added.name in FORMATS:
        raise ConfigurationError(f"file format {added.name!r} is registered twice; give one of them another name")
    FORMATS[added.name] = added
    return added


def format_of(name: str) -> Format:
    """The format of a name."""
    if name in CONFIGURED:
        return CONFIGURED[name]
    if name not in FORMATS:
        raise unknown_name("file format", name, FORMATS)
    return FORMATS[name]


def recognise(source: Source) -> Format:
    """The format whose signature a file shows best.

    Raises
    ------
    UnsuitableFile
        if the file shows nothing of any known format
    """
    found = {name: known.likeness(source) for name, known in FORMATS.items()}
    best = max(found, key=lambda name: found[name])
    if not found[best]:
        told = dict.fromkeys(filter(None, (known.mismatch(source) for known in FORMATS.values())))
        # that it is not of some format says nothing where another one says what it holds
        reasons = [reason for reason in told if not reason.startswith("is not ")] or told
        labels = ", ".join(known.label for known in FORMATS.values())
        raise UnsuitableFile(f"{' and '.join(reasons)}; xaug reads {labels}")
    return FORMATS[best]
