"""Run Pythia 8 with a card of settings, and get its events in batches of flat numpy arrays.

`nextBatch` is the only fast way to get events of Pythia in Python: it returns an awkward array for each batch.
`readString` returns False for unknown settings, and `nextBatch` leaves out events that failed, both without a
message; so all of this is checked here.

Reference: C. Bierlich et al., A comprehensive guide to the physics and usage of PYTHIA 8.3,
SciPost Phys. Codebases 8 (2022).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import awkward as ak
import numpy as np
import pythia8mc

from xaug.core.errors import ConfigurationError, XaugError
from xaug.core.types import Array, Arrays
from xaug.formats.momenta import FourVectors
from xaug.generate.filters import EventFilter, Filter

__all__ = ["MAX_SEED", "Batch", "Generator", "read_card", "seed_of", "subruns"]

MAX_SEED = 900_000_000
"""Largest seed that Pythia takes."""
EVERYTHING = Filter()
BATCH = 500
"""Events per call of nextBatch: large enough to hide its overhead, small enough for memory and progress."""


def read_card(path: str | Path) -> list[str]:
    """Read the settings of a card: one on each line, without comments (`!` or `#`)."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"card {path} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"card {path} cannot be read (it is not text)") from None
    lines = [line.split("!")[0].split("#")[0].strip() for line in text.splitlines()]
    return [line for line in lines if line]


def subruns(card: list[str]) -> list[list[str]]:
    """Divide a card into subruns.

    Settings before the first `Main:subrun = N` are common to all subruns; those after each belong to that one. A card
    without that line is a single subrun.
    """
    runs: list[list[str]] = [[]]
    for line in card:
        if re.fullmatch(r"Main:subrun\s*=?\s*\d+", line, re.IGNORECASE):
            runs.append(runs[0].copy())
        else:
            runs[-1].append(line)
    return runs[1:] or runs


def seed_of(seed: int, stream: int, block: int) -> int:
    """The seed of Pythia for one block of one process.

    Seeds count up from a hash of the seed of the run, so that no two blocks of a run can share one (for up to 100,000
    blocks in each stream).
    """
    start = int.from_bytes(hashlib.blake2b(str(seed).encode(), digest_size=8).digest(), "big")
    return 1 + (start + 100_000 * stream + block) % MAX_SEED


@dataclass(frozen=True)
class Batch:
    """Generated events, with all m particles of their records."""

    counts: Array  # (n_events,) particles of each event
    particles: Arrays  # (m,) each: id status mother1 mother2 daughter1 daughter2 col px py pz e m tau
    vertices: ak.Array  # (m,) optional four-vectors [mm], None where Pythia set no vertex
    weight: Array  # (n_events,)
    pthat: Array  # (n_events,) transverse momentum of the hard process [GeV]

    def __len__(self) -> int:
        return len(self.counts)

    def vertex(self, index: Array) -> tuple[Array, Array, Array]:
        """Production vertices x, y, z [mm] of particles at flat positions; 0 where Pythia set none."""
        chosen = self.vertices[index]
        x, y, z = (ak.to_numpy(ak.fill_none(chosen[c], 0.0)) for c in ("px", "py", "pz"))
        return x, y, z

    def momenta(self, index: Array, counts: Array) -> FourVectors:
        """Four-momenta of particles at flat positions, in groups of given sizes."""
        px, py, pz, e = (self.particles[c][index] for c in ("px", "py", "pz", "e"))
        return FourVectors(px, py, pz, e, counts)


class Generator:
    """Pythia, initialised with settings and a seed.

    Parameters
    ----------
    settings
        lines of a card
    seed
        from 1 to MAX_SEED
    kept
        the events to keep; by default all

    Raises
    ------
    ConfigurationError
        if Pythia does not take a line of the card, or cannot start with it
    """

    def __init__(self, settings: list[str], seed: int, kept: Filter = EVERYTHING):
        self.pythia = pythia8mc.Pythia("", False)
        self.kept, settings = kept.with_settings(settings)
        for line in ["Print:quiet = on", *settings, "Random:setSeed = on", f"Random:seed = {seed}"]:
            if not self.pythia.readString(line):
                raise ConfigurationError(f"Pythia does not accept the setting {line!r}; correct the card")
        if self.kept:
            self.filter = EventFilter(self.kept)  # Pythia does not keep it alive
            self.pythia.setUserHooksPtr(self.filter)
        if not self.pythia.init():
            raise ConfigurationError("Pythia could not start with this card; does it switch on a process?")
        self.failed = 0

    def next(self, n: int = BATCH) -> Batch:
        """Generate n events; those on which Pythia fails are missing, and counted in `failed`."""
        events = self.pythia.nextBatch(n)
        self.failed += n - len(events)
        if len(events) == 0:
            raise XaugError(f"Pythia failed on all of {n} events; correct the settings of the card")
        record = events.prt
        flat = ak.flatten(record, axis=1)
        names = ("id", "status", "mother1", "mother2", "daughter1", "daughter2", "col", "m", "tau")
        particles = {name: ak.to_numpy(flat[name]) for name in names}
        particles |= {name: ak.to_numpy(flat.p[name]) for name in ("px", "py", "pz", "e")}
        weight = ak.to_numpy(events.info.weights[:, 0])
        pthat = np.sqrt(ak.to_numpy(events.info.pT2Hat))
        return Batch(ak.to_numpy(ak.num(record, axis=1)), particles, flat.vProd, weight, pthat)

    def cross_section(self) -> tuple[float, float]:
        """Generated cross section and its error [mb], from the events so far."""
        info = self.pythia.infoPython()
        return float(info.sigmaGen()), float(info.sigmaErr())
