"""Pythia 8 in bulk: a card of settings in, batches of flat numpy arrays out.

`nextBatch` is the one fast way out of Pythia from Python: it returns an awkward array a batch.
`readString` answers False for what it does not know, `nextBatch` leaves failed events out, and both
do so in silence: everything is checked here.

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

__all__ = ["MAX_SEED", "Batch", "Generator", "read_card", "seed_of", "subruns"]

MAX_SEED = 900_000_000
"""Pythia refuses larger seeds."""
BATCH = 500
"""Events per call of nextBatch: large enough to hide its overhead, small enough for memory and progress."""


def read_card(path: str | Path) -> list[str]:
    """The settings of a card, one a line, without comments (`!` or `#`)."""
    try:
        text = Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ConfigurationError(f"card {path} cannot be read ({reason})") from None
    lines = [line.split("!")[0].split("#")[0].strip() for line in text.splitlines()]
    return [line for line in lines if line]


def subruns(card: list[str]) -> list[list[str]]:
    """The settings of each subrun of a card: those before the first `Main:subrun = N`, and those after each.

    A card without subruns is one of its own.
    """
    runs: list[list[str]] = [[]]
    for line in card:
        if re.fullmatch(r"Main:subrun\s*=?\s*\d+", line, re.IGNORECASE):
            runs.append(runs[0].copy())
        else:
            runs[-1].append(line)
    return runs[1:] or runs


def seed_of(seed: int, stream: int, block: int) -> int:
    """Pythia's seed for one block of one process: different for every (stream, block) of a run.

    A hash of the run's seed gives the start, stream and block count up from there, so that no two blocks
    of a run (up to 100,000 a stream) can share one.
    """
    start = int.from_bytes(hashlib.blake2b(str(seed).encode(), digest_size=8).digest(), "big")
    return 1 + (start + 100_000 * stream + block) % MAX_SEED


@dataclass(frozen=True)
class Batch:
    """Generated events: particles of the whole record, flat, with counts per event."""

    counts: np.ndarray  # (n_events,) particles in the record
    particles: dict[str, np.ndarray]  # id status mother1 mother2 daughter1 daughter2 col px py pz e m tau
    vertices: ak.Array  # (m,) optional four-vectors [mm], None where Pythia set no vertex
    weight: np.ndarray  # (n_events,)
    pthat: np.ndarray  # (n_events,) transverse momentum of the hard process [GeV]

    def __len__(self) -> int:
        return len(self.counts)

    def vertex(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Production vertices x, y, z [mm] of particles at flat positions; 0 where Pythia set none."""
        chosen = self.vertices[index]
        return tuple(ak.to_numpy(ak.fill_none(chosen[c], 0.0)) for c in ("px", "py", "pz"))


class LeptonFilter(pythia8mc.UserHooks):
    """Drops events without an electron, muon or tau in the hard process, before any shower.

    The cross section and the sum of weights are then those of the events that remain.
    """

    def canVetoProcessLevel(self) -> bool:
        """Pythia asks whether to call `doVetoProcessLevel`."""
        return True

    def doVetoProcessLevel(self, process) -> bool:
        """Whether to drop this event."""
        return not any(abs(process[i].id()) in (11, 13, 15) for i in range(process.size()))


class Generator:
    """Pythia, initialised from a card and a seed.

    Parameters
    ----------
    leptonic
        keep events with a charged lepton in the hard process only

    Raises
    ------
    ConfigurationError
        if Pythia does not take a line of the card, or cannot start with it
    """

    def __init__(self, settings: list[str], seed: int, leptonic: bool = False):
        self.pythia = pythia8mc.Pythia("", False)
        for line in ["Print:quiet = on", *settings, "Random:setSeed = on", f"Random:seed = {seed}"]:
            if not self.pythia.readString(line):
                raise ConfigurationError(f"Pythia does not accept the setting {line!r}: see the card")
        if leptonic:
            self.filter = LeptonFilter()  # Pythia does not keep it alive
            self.pythia.setUserHooksPtr(self.filter)
        if not self.pythia.init():
            raise ConfigurationError("Pythia could not start with this card: is any process switched on?")
        self.failed = 0

    def next(self, n: int = BATCH) -> Batch:
        """The next n events, fewer where Pythia failed on some (counted in `failed`)."""
        events = self.pythia.nextBatch(n)
        self.failed += n - len(events)
        if len(events) == 0:
            raise XaugError(f"Pythia generated none of {n} events: the settings of the card make it fail")
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
