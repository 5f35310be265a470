"""What kind a particle is, and how far from the collision it was born."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from particle import pdgid

from xaug.jets.conventions import DEFAULT, Conventions

__all__ = [
    "KINDS",
    "MAX_DXY",
    "MIN_PT_TRACK",
    "NEUTRINOS",
    "charge",
    "is_track",
    "log_displacement",
    "longitudinal",
    "transverse",
]

NEUTRINOS = (12, 14, 16, 18)
"""|PDG id| of the particles that no detector sees."""
MAX_DXY = 50.0
"""Transverse displacement [mm] above which a particle is no candidate for a heavy-flavour decay: K_S and
Lambda decay at metres."""
MIN_PT_TRACK = 1.0
"""Least pT [GeV] of a charged particle that counts as a displaced track."""


def log_displacement(length: np.ndarray, conventions: Conventions = DEFAULT) -> np.ndarray:
    """ln(max(|d|, floor) / mm) of a displacement d [mm]."""
    return np.log(np.maximum(np.abs(length), conventions.displacement_floor))


def _by_id(rule: Callable[[int], float]) -> Callable[[np.ndarray], np.ndarray]:
    """A function of PDG ids (m,), from a function of one id: a jet holds a dozen different ones."""

    def look_up(ids: np.ndarray) -> np.ndarray:
        distinct, inverse = np.unique(ids, return_inverse=True)
        return np.array([rule(int(i)) for i in distinct], dtype=float)[inverse]

    return look_up


charge = _by_id(lambda i: pdgid.charge(i) or 0.0)
"""Electric charge in units of e, by PDG id."""

KINDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "is_muon": lambda ids: (np.abs(ids) == 13).astype(float),
    "is_electron": lambda ids: (np.abs(ids) == 11).astype(float),
    "is_photon": lambda ids: (ids == 22).astype(float),
    "is_charged_hadron": _by_id(lambda i: bool(pdgid.is_hadron(i)) and pdgid.charge(i) != 0),
    "is_neutral_hadron": _by_id(lambda i: bool(pdgid.is_hadron(i)) and pdgid.charge(i) == 0),
}
"""The kinds of particle, by PDG id (scheme of the PDG, as the `particle` package reads it)."""


def transverse(particles: dict, conventions: Conventions = DEFAULT) -> np.ndarray:
    """dxy: transverse distance of the production vertex from the collision [mm]."""
    return np.hypot(particles["vx"], particles["vx" if conventions.dxy_from_x else "vy"])


def longitudinal(particles: dict, conventions: Conventions = DEFAULT) -> np.ndarray:
    """dz: distance of the production vertex from the collision along the beam [mm]."""
    return particles["vz"]


def is_track(particles: dict, conventions: Conventions = DEFAULT) -> np.ndarray:
    """Whether a particle counts as a displaced-track candidate: charged, pT > 1 GeV, dxy < 50 mm."""
    charged = charge(particles["id"]) != 0
    return charged & (particles["pt"] > MIN_PT_TRACK) & (transverse(particles, conventions) < MAX_DXY)
