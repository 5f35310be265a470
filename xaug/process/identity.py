"""Tell events apart by their momenta, whatever the bytes of their files, so that the same events count once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from xaug.core.errors import DatasetError
from xaug.core.types import Array
from xaug.formats.base import Collisions, FinalState

__all__ = ["COLUMN", "Copies", "event_identities", "event_of_particles", "find_copies"]

COLUMN = "identity"
"""Column of parts with the identity of the event of each row."""
TOLERATED = 0.01
"""Share of repeated events up to which a file is kept: public samples hold a few events twice."""


def event_identities(content: FinalState | Collisions) -> Array:
    """Numbers (n,) that are the same for events of the same particles, in any order; 0 for fewer than two particles.

    Weights, vertices and kinds of particles do not enter.

    Parameters
    ----------
    content
        what a format reads: `particles` with pt, eta and phi (m,), and `counts` (n,)
    """
    event, n = event_of_particles(content)
    mixed = np.zeros(len(event), np.uint64)
    for name in ("pt", "eta", "phi"):
        mixed = _scrambled(mixed ^ content.particles[name].astype(np.float32).view(np.uint32).astype(np.uint64))
    sums = np.zeros(n, np.uint64)
    np.add.at(sums, event, mixed)  # modulo 2^64, in any order
    count = np.bincount(event, minlength=n)
    return np.where(count < 2, np.uint64(0), _scrambled(sums + count.astype(np.uint64)))


def event_of_particles(content: FinalState | Collisions) -> tuple[Array, int]:
    """The event of each particle, and the number of events; particles may be grouped by jet first."""
    group = np.repeat(np.arange(len(content.counts)), content.counts)
    of_group = content.jet_event if isinstance(content, FinalState) else None
    return (group if of_group is None else of_group[group]), len(content)


def _scrambled(x: Array) -> Array:
    """The mixing function of SplitMix64, a bijection of 64-bit numbers.

    References
    ----------
    G. L. Steele, D. Lea and C. H. Flood, OOPSLA (2014) 453.
    """
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@dataclass(frozen=True)
class Copies:
    """Files whose events stand in other files too.

    Attributes
    ----------
    left_out : dict of str
        file -> why it is left out, as the predicate of a sentence
    warnings : list of str
        files that are kept although a few of their events are repeated
    """

    left_out: Mapping[str, str]
    warnings: Sequence[str]


def find_copies(parts: Mapping[str, Sequence[Path]], rows: str) -> Copies:
    """Find the files that repeat events of other files, or of themselves.

    Of files that share events, the one with the most is kept. Files of which at most 1% is repeated are kept as well.

    Parameters
    ----------
    parts
        input file -> the parts of the dataset that were made of it
    rows
        noun for rows of the dataset, in the plural
    """
    known = {file: _identities(own) for file, own in parts.items()}
    left_out: dict[str, str] = {}
    warnings: list[str] = []
    taken, owner = np.zeros(0, np.uint64), np.zeros(0, np.int64)
    files: list[str] = []
    for file in sorted(known, key=lambda file: (-len(known[file]), file)):
        events = np.unique(known[file])
        place = np.minimum(np.searchsorted(taken, events), max(len(taken) - 1, 0))
        shared = taken[place] == events if len(taken) else np.zeros(len(events), bool)
        repeated, within = int(shared.sum()), len(known[file]) - len(events)
        reason = ""
        if repeated:
            other = files[np.bincount(owner[place[shared]]).argmax()]
            all_of = repeated == len(events)
            reason = (
                f"holds the same events as {other} in other bytes"
                if all_of
                else f"shares {repeated} of its {len(events)} selected events with {other}"
            )
        elif within:
            reason = f"holds {within} of its {len(known[file])} selected events again"
        if max(repeated, within) > TOLERATED * len(known[file]):
            left_out[file] = f"{reason}: their {rows} would count twice; remove one, or split it"
            continue
        if reason:
            warnings.append(f"{file} {reason}: few enough to keep it")
        files.append(file)
        taken, owner = np.concatenate([taken, events]), np.append(owner, np.full(len(events), len(files) - 1))
        order = np.argsort(taken, kind="stable")
        taken, owner = taken[order], owner[order]
    return Copies(left_out, warnings)


def _identities(parts: Sequence[Path]) -> Array:
    """Identities of the selected events in the parts of a file; several rows of one event count once."""
    ids, events = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)]
    for part in parts:
        try:
            with h5py.File(part) as file:
                if COLUMN in file:  # older parts know nothing of it
                    events.append(file[COLUMN][()])
                    ids.append(file["event_id"][()])
        except (OSError, KeyError) as error:
            raise DatasetError(
                f"{part}: damaged part ({error}). Delete it and run `python -m xaug.process` again"
            ) from None
    both = np.stack([np.concatenate(ids), np.concatenate(events)], axis=1)
    found: Array = np.unique(both[both[:, 1] != 0], axis=0)[:, 1]
    return found
