"""Four-momenta as flat arrays, and how particles are grouped by event or by jet.

Importing this module is fast: the table of variables imports it, and with it training and explaining.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from xaug.core.types import Array, Arrays

__all__ = ["LEPTON_MASS", "NEUTRINOS", "FourVectors", "delta_phi", "kinematics", "pairs"]

NEUTRINOS = (12, 14, 16, 18)
"""|PDG id| of the particles that no detector sees."""
LEPTON_MASS = {11: 0.000511, 13: 0.10566}
"""Masses of electrons and muons [GeV], by |PDG id|."""


class FourVectors:
    """Four-momenta of particles that are grouped by event or by jet.

    Parameters
    ----------
    px, py, pz, e
        components [GeV], (m,) each, group after group
    counts
        number of particles in each group, (n,)
    """

    def __init__(self, px: Array, py: Array, pz: Array, e: Array, counts: Array | Sequence[int]):
        self.px, self.py, self.pz, self.e = (np.asarray(c, dtype=np.float64) for c in (px, py, pz, e))
        self.counts: Array = np.asarray(counts, dtype=np.int64)

    @classmethod
    def from_pt_eta_phi_mass(
        cls, pt: Array, eta: Array, phi: Array, mass: Array, counts: Array | Sequence[int]
    ) -> FourVectors:
        """Make four-momenta of flat pT [GeV], pseudorapidity, azimuth and mass [GeV]."""
        pt, eta, phi, mass = (np.asarray(c, dtype=np.float64) for c in (pt, eta, phi, mass))
        pz = pt * np.sinh(eta)
        return cls(pt * np.cos(phi), pt * np.sin(phi), pz, np.sqrt(pt**2 + pz**2 + mass**2), counts)

    @classmethod
    def of_particles(cls, particles: Arrays, counts: Array | Sequence[int]) -> FourVectors:
        """Make four-momenta of flat columns `pt`, `eta`, `phi` and `mass`."""
        pt, eta, phi, mass = (particles[name] for name in ("pt", "eta", "phi", "mass"))
        return cls.from_pt_eta_phi_mass(pt, eta, phi, mass, counts)

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def group(self) -> Array:
        """Event or jet of each particle, (m,)."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    @property
    def components(self) -> Array:
        """The four-momenta as one array (m, 4) of px, py, pz, E [GeV]."""
        return np.stack([self.px, self.py, self.pz, self.e], axis=1)

    def take(self, index: Array, counts: Array) -> FourVectors:
        """The particles at flat positions `index`, in new groups."""
        return FourVectors(self.px[index], self.py[index], self.pz[index], self.e[index], counts)

    def scaled(self, factor: Array) -> FourVectors:
        """Multiply momentum and energy of each particle by a factor (m,)."""
        return FourVectors(factor * self.px, factor * self.py, factor * self.pz, factor * self.e, self.counts)

    def packed(self) -> Any:
        """The awkward array (groups, var) of records px, py, pz, E that fastjet reads."""
        import awkward as ak

        records = ak.zip({"px": self.px, "py": self.py, "pz": self.pz, "E": self.e})
        return ak.unflatten(records, self.counts)

    def sums(self, group: Array, n: int) -> Array:
        """Four-momenta (n, 4) as px, py, pz, E, summed over particles of equal `group`."""
        return np.stack([np.bincount(group, c, n) for c in (self.px, self.py, self.pz, self.e)], axis=1)

    def totals(self) -> Array:
        """Four-momenta (n, 4) of the groups, as px, py, pz, E."""
        return self.sums(self.group, len(self))


def kinematics(p: Array) -> Arrays:
    """pt, eta, rapidity, phi, mass, energy of four-momenta (..., 4) given as px, py, pz, E [GeV]."""
    import vector

    four = vector.arr({"px": p[..., 0], "py": p[..., 1], "pz": p[..., 2], "E": p[..., 3]})
    return {
        "pt": four.pt,
        "eta": four.eta,
        "rapidity": four.rapidity,
        "phi": four.phi,
        "mass": np.maximum(four.mass, 0.0),  # rounding makes massless particles slightly spacelike
        "energy": four.E,
    }


def delta_phi(a: Array, b: Array) -> Array:
    """Azimuthal difference a - b, wrapped to [-pi, pi)."""
    difference: Array = np.remainder(a - b + np.pi, 2 * np.pi) - np.pi
    return difference


def pairs(event: Array, counts: Array) -> tuple[Array, Array]:
    """All pairs of an object and a member of the same event.

    Parameters
    ----------
    event
        event of each object, (k,)
    counts
        members of each event, (n,); members are flat, event after event

    Returns
    -------
    left, right : (p,) each
        positions of the objects and of the members
    """
    starts = np.cumsum(counts) - counts
    sizes = counts[event]
    left = np.repeat(np.arange(len(event)), sizes)
    first = np.cumsum(sizes) - sizes
    return left, np.arange(len(left)) - np.repeat(first - starts[event], sizes)
