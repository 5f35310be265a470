"""Generated events in HepMC text (A. Buckley et al., Comput. Phys. Commun. 260 (2021) 107310), read by pyhepmc."""

from __future__ import annotations

import functools
import gzip
import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np

from xaug.core.errors import BadValues
from xaug.core.types import Array, Arrays
from xaug.formats.base import Contents, FinalState, Format, Source, UnsuitableFile, Wanted, register_format
from xaug.formats.jet_files import cartesian
from xaug.formats.limits import refuse_unphysical

__all__ = ["HEPMC"]

BEAM = 4
"""Status code of beam particles."""
READERS = {b"HepMC::Asciiv3": "hepmc3", b"HepMC::IO_GenEvent": "hepmc2"}


class HepMC(Format):
    """Final particles and the vertices where they are made; of several weights of an event, the first."""

    name = "hepmc"
    label = "a HepMC file"
    suffixes = (".hepmc", ".hepmc2", ".hepmc3", ".hepmc.gz", ".hepmc2.gz", ".hepmc3.gz")
    layout = "HepMC3 or HepMC2 text, also .gz: particles of status 1 with their vertices, units as told (needs pyhepmc)"

    def likeness(self, source: Source) -> float:
        return float(source.is_local and reader_of(source.path) is not None)

    def contents(self, source: Source) -> Contents:
        return Contents("", len(starts(source.path, os.stat(source.path).st_mtime_ns)), frozenset(), {}, "jets", "")

    @contextmanager
    def open(self, path: str, tree: str, start: int, stop: int) -> Iterator[tuple[FinalState, Array]]:
        with text(path) as file:
            file.seek(starts(path, os.stat(path).st_mtime_ns)[start])
            events = islice(pyhepmc().open(file, format=reader_of(path)), stop - start)
            read = [final_state(own) if own.particles else None for own in events]
        found = [own for own in read if own]
        if len(found) < stop - start:
            raise BadValues(f"the text of an entry between {start} and {stop} is damaged or ends too early")
        particles = {name: np.concatenate([columns[name] for columns, _ in found]) for name in found[0][0]}
        counts = np.array([len(columns["pt"]) for columns, _ in found])
        refuse_unphysical(particles, {}, np.repeat(np.arange(len(counts)), counts), start)
        yield FinalState(particles, counts), np.array([weight for _, weight in found])

    def particle_columns(self, wanted: Wanted) -> Collection[str]:
        if wanted.partons or wanted.columns:
            raise UnsuitableFile("is a HepMC file, which has no common record of partons; set truth=none")
        return ()

    def read_particles(self, chunk: tuple[FinalState, Array], wanted: Wanted, first: int) -> FinalState:
        return chunk[0]

    def weights(self, chunk: tuple[FinalState, Array], first: int) -> Array:
        return chunk[1]


def pyhepmc() -> Any:
    """The library; UnsuitableFile where it is not installed."""
    try:
        import pyhepmc
    except ImportError:
        raise UnsuitableFile("is a HepMC file, which needs pyhepmc: pip install 'xaug[hepmc]'") from None
    return pyhepmc


def text(path: str) -> Any:
    """The text of a file, uncompressed."""
    return gzip.open(path) if path.endswith(".gz") else open(path, "rb")


def reader_of(path: str) -> str | None:
    """Name of the reader of a file, by its first bytes; None for other files."""
    with open(path, "rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    with text(path) if zipped == path.endswith(".gz") else open(path, "rb") as file:
        head = file.read(256)
    return next((name for magic, name in READERS.items() if magic in head), None)


@functools.lru_cache(maxsize=16)
def starts(path: str, changed: int) -> Array:
    """Place (n,) of each event in the text."""
    pyhepmc()
    found, done, tail = [], 0, b"\n"
    with text(path) as file:
        while block := file.read(1 << 24):
            found += [done - len(tail) + line.start() + 1 for line in re.finditer(rb"\nE ", tail + block)]
            done, tail = done + len(block), (tail + block)[-2:]
    return np.array(found, int)


def origin(event: Any, starts: Array, ends: Array) -> Array:
    """Place (3,) of the collision: the position of the event or, where a file leaves that at 0, where the beams meet.

    `starts` and `ends` are the links of the record, from particles (above 0) to vertices (below 0) and back.
    """
    own = event.event_pos()
    place: Array = np.array([own.x, own.y, own.z])
    beams = 1 + np.flatnonzero(event.numpy.particles.status == BEAM)
    met = -ends[np.isin(starts, beams)] - 1
    if not place.any() and len(met):
        vertices = event.numpy.vertices
        place = np.array([getattr(vertices, x)[met[0]] for x in "xyz"])
    return place


def final_state(event: Any) -> tuple[Arrays, float]:
    """Columns of the final particles of an event [GeV, mm], and its weight."""
    units = pyhepmc().Units
    event.set_units(units.GEV, units.MM)
    own, vertices, record = event.numpy.particles, event.numpy.vertices, pyhepmc().GenEventData()
    event.write_data(record)
    made = np.zeros(len(own.pid), int)  # vertex where each is made
    leads = record.links1 < 0
    made[record.links2[leads] - 1] = -record.links1[leads] - 1
    chosen = own.status == 1
    columns = cartesian(*(getattr(own, name)[chosen] for name in ("px", "py", "pz", "e")))
    columns |= {"id": own.pid[chosen]}
    centre = origin(event, record.links1, record.links2)
    columns |= {f"v{x}": getattr(vertices, x)[made[chosen]] - at for x, at in zip("xyz", centre, strict=True)}
    return columns, float(event.weights[0]) if event.weights else 1.0


HEPMC = register_format(HepMC())
