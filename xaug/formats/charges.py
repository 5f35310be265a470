"""Electric charges of particles, and the displacements of their tracks, which neutral particles do not have."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

import numpy as np
from particle import Particle, pdgid

from xaug.core.errors import BadValues
from xaug.core.types import Array, Arrays
from xaug.formats.limits import CODES, refuse

__all__ = ["by_id", "charge", "charge_of", "impact_parameters", "known_particle", "refuse_unknown_ids"]

UNKNOWN = 0.01
"""Share of particles whose id may be unknown to the tables of the PDG: generators have codes of their own."""


def by_id(rule: Callable[[int], float]) -> Callable[[Array], Array]:
    """Make a function of PDG ids (m,) of a function of one id, and call that once for each distinct id."""

    def look_up(ids: Array) -> Array:
        distinct, inverse = np.unique(ids, return_inverse=True)
        values: Array = np.array([rule(int(i)) for i in distinct], dtype=float)[inverse]
        return values

    return look_up


charge = by_id(lambda i: pdgid.charge(i) or 0.0)
"""Electric charge in units of e, by PDG id."""


def charge_of(particles: Arrays) -> Array:
    """Electric charge (m,) in units of e, as the file has it, or by PDG id."""
    return particles["charge"] if "charge" in particles else charge(particles["id"])


@functools.lru_cache(maxsize=4096)
def known_particle(i: int) -> Particle | None:
    """The particle of a PDG id; None for an id that is none in the tables of the PDG."""
    try:
        return Particle.from_pdgid(i)
    except Exception:  # of several classes of `particle`
        return None


def refuse_unknown_ids(ids: Array, called: str, event: Array, first: int) -> None:
    """BadValues for an id that is no whole number, or if more than one in a hundred, but 0, is none of the PDG.

    Parameters
    ----------
    ids, event
        id of each particle and its event within the chunk, (m,)
    called
        name of the column in the file
    first
        number of the chunk's first entry in the file
    """
    refuse(called, ids, ids != np.round(ids), event, first)
    distinct, inverse, counts = np.unique(ids, return_inverse=True, return_counts=True)
    unknown = np.array([i != 0 and known_particle(int(i)) is None for i in distinct.tolist()], bool)
    if counts[unknown].sum() > UNKNOWN * len(ids):
        where = int(np.argmax(unknown[inverse]))
        raise BadValues(
            f"{called} is {ids[where]:g} in entry {first + int(event[where])}, which is no PDG id of a particle "
            f"({100 * counts[unknown].sum() / len(ids):.0f}% are none); leave `id` out, or give kinds and charge"
        )


def impact_parameters(
    columns: Mapping[str, Array], particles: Arrays, unit: float = 1.0, code: float | None = None
) -> Arrays:
    """Displacements [mm] of the tracks of particles; 0 for particles without a track.

    Neutral particles have none, whatever a file writes for them: 0, NaN, -1 or -999. Neither have charged particles,
    nor any others of unknown charge, whose displacement is one of `limits.CODES`.

    Parameters
    ----------
    columns
        `dxy`, `dz` or both as a file has them, (m,) each
    particles
        `charge` or `id` of the particles, where the file tells one of them
    unit
        unit of the file [mm]
    code
        a further code of the format, which stands in all columns of a particle without a track
    """
    known = "charge" in particles or "id" in particles
    values = {name: own.astype(np.float64) for name, own in columns.items()}
    none = charge_of(particles) == 0 if known else np.zeros(len(next(iter(values.values()), [])), bool)
    if code is not None and values:
        none = none | np.all([own == code for own in values.values()], axis=0)
    return {name: np.where(none | np.isin(own, CODES), 0.0, own * unit) for name, own in values.items()}
