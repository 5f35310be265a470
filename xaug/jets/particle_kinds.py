"""Kinds of particles, their charges, and how far from the collision they were produced."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from particle import pdgid

from xaug.core.types import Array, Arrays
from xaug.formats.charges import by_id, charge, charge_of
from xaug.jets.conventions import DEFAULT, Conventions

__all__ = [
    "KINDS",
    "MAX_DXY",
    "MIN_PT_TRACK",
    "charge",
    "charge_of",
    "is_track",
    "log_displacement",
    "longitudinal",
    "transverse",
]

MAX_DXY = 50.0
"""Transverse displacement [mm] from which on a particle cannot come from a heavy-flavour decay: K_S and Lambda decay
at metres."""
MIN_PT_TRACK = 1.0
"""Least pT [GeV] of a charged particle that counts as a displaced track."""


def log_displacement(length: Array, conventions: Conventions = DEFAULT) -> Array:
    """ln(max(|d|, floor) / mm) of a displacement d [mm]."""
    logarithm: Array = np.log(np.maximum(np.abs(length), conventions.displacement_floor))
    return logarithm


KINDS: dict[str, Callable[[Array], Array]] = {
    "is_muon": lambda ids: (np.abs(ids) == 13).astype(float),
    "is_electron": lambda ids: (np.abs(ids) == 11).astype(float),
    "is_photon": lambda ids: (ids == 22).astype(float),
    "is_charged_hadron": by_id(lambda i: bool(pdgid.is_hadron(i)) and pdgid.charge(i) != 0),
    "is_neutral_hadron": by_id(lambda i: bool(pdgid.is_hadron(i)) and pdgid.charge(i) == 0),
}
"""The kinds of particle, by PDG id (scheme of the PDG, as the `particle` package reads it)."""


def transverse(particles: Arrays, conventions: Conventions = DEFAULT) -> Array:
    """Transverse distance dxy of the production vertex from the collision [mm]."""
    if "dxy" in particles:
        size: Array = np.abs(particles["dxy"])
        return size
    distance: Array = np.hypot(particles["vx"], particles["vx" if conventions.dxy_from_x else "vy"])
    return distance


def longitudinal(particles: Arrays, conventions: Conventions = DEFAULT) -> Array:
    """Position dz of the production vertex along the beam, from the collision [mm]."""
    return particles["dz"] if "dz" in particles else particles["vz"]


def is_track(particles: Arrays, conventions: Conventions = DEFAULT) -> Array:
    """Mask (m,) of the candidates for displaced tracks: charged particles with pT > 1 GeV and dxy < 50 mm."""
    charged = charge_of(particles) != 0
    track: Array = charged & (particles["pt"] > MIN_PT_TRACK) & (transverse(particles, conventions) < MAX_DXY)
    return track
