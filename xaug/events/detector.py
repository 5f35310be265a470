"""A light parametrised detector: smeared jets, leptons and missing transverse momentum.

Every random number is a hash of the id of the event and the rank of the object or particle, so that the result does not
depend on how a file is divided into chunks. Relative resolutions s(pT) have the usual forms, with values near those of
CMS (JINST 12 (2017) P02014 for jets, JINST 16 (2021) P05014 for electrons, JINST 13 (2018) P06015 for muons):

- particles, so that substructure is not perfect. Tracks, which are all charged particles: s^2 = C^2 + (A pT)^2; photons
  and neutral hadrons: s^2 = S^2/E + C^2, where S and C of neutral hadrons are those of the hadron calorimeter (JINST 12
  (2017) P10003). Their eta and phi shift by Gaussians; those of photons and neutral hadrons are as wide as a crystal or
  tower of the calorimeters, divided by sqrt(12);
- jets (anti-kT 0.4 above `jet_pt`, of measured particles): s^2 = (N/pT)^2 + S^2/pT + C^2. Their particles carry a part
  of it, the relative width sqrt(sum (s_i pT_i)^2) / sum pT_i. A factor on the four-momenta of all constituents carries
  the rest (in quadrature), so that fat jets and missing momentum of the same particles move together;
- electrons: s^2 = S^2/pT + C^2; muons: s^2 = C^2 + (A pT)^2;
- the remaining visible particles shift each component of the missing momentum by a Gaussian of width
  U sqrt(sum of their pT).

Factors are log-normal with mean 1 and relative width s, and so never negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from xaug.core.errors import ConfigurationError
from xaug.core.options import Options
from xaug.core.types import Array, Arrays
from xaug.data.splits import uniforms
from xaug.jets.particle_kinds import charge

__all__ = ["Detector", "normals"]


def normals(ids: Array, purpose: str, index: Array | int = 0) -> Array:
    """Standard normal numbers (n,) that depend on (id, purpose, index) alone.

    References
    ----------
    G. Box, M. Muller, Ann. Math. Stat. 29 (1958) 610.
    """
    one, two = (uniforms(ids, f"{purpose} {half}", index) for half in ("radius", "angle"))
    numbers: Array = np.sqrt(-2 * np.log(np.maximum(1 - one, 2.0**-60))) * np.cos(2 * np.pi * two)
    return numbers


@dataclass(frozen=True)
class Detector(Options):
    """Resolutions of the detector, as the docstring of this module defines them."""

    noun: ClassVar[str] = "detector"

    smear: int = 1  # 1: smear objects; 0: take them as they were generated
    track_constant: float = 0.01  # C
    track_slope: float = 1.5e-4  # A [1/GeV]
    track_angle: float = 0.001  # width of the shifts of eta and phi
    photon_stochastic: float = 0.03  # S [GeV^1/2]
    photon_constant: float = 0.005  # C
    photon_angle: float = 0.005
    neutral_stochastic: float = 1.1  # S [GeV^1/2]
    neutral_constant: float = 0.09  # C
    neutral_angle: float = 0.025
    jet_pt: float = 10.0  # least pT of a jet that is smeared as a whole [GeV]
    jet_noise: float = 3.0  # N [GeV]
    jet_stochastic: float = 0.8  # S [GeV^1/2]
    jet_constant: float = 0.04  # C
    electron_stochastic: float = 0.1  # S [GeV^1/2]
    electron_constant: float = 0.01  # C
    muon_constant: float = 0.01  # C
    muon_slope: float = 1e-4  # A [1/GeV]
    soft: float = 0.6  # U [GeV^1/2]

    def __post_init__(self) -> None:
        self.require_positive()
        if self.smear not in (0, 1):
            raise ConfigurationError(f"detector smear = {self.smear}: must be 0 or 1")

    def particle_resolution(self, particles: Arrays) -> tuple[Array, Array]:
        """Resolutions of single particles.

        Parameters
        ----------
        particles
            pt [GeV], eta, and id (PDG), (n,) each

        Returns
        -------
        relative pT resolution, and width of the shifts of eta and phi, (n,) each
        """
        pt, energy = particles["pt"], particles["pt"] * np.cosh(particles["eta"])
        kinds = [charge(particles["id"]) != 0, particles["id"] == 22]
        squares = [
            self.track_constant**2 + (self.track_slope * pt) ** 2,
            self.photon_stochastic**2 / energy + self.photon_constant**2,
        ]
        resolution = np.sqrt(np.select(kinds, squares, self.neutral_stochastic**2 / energy + self.neutral_constant**2))
        return resolution, np.select(kinds, [self.track_angle, self.photon_angle], self.neutral_angle)

    def jet_resolution(self, pt: Array) -> Array:
        """Relative pT resolution (n,) of jets of generated pT (n,) [GeV]."""
        resolution: Array = np.sqrt((self.jet_noise / pt) ** 2 + self.jet_stochastic**2 / pt + self.jet_constant**2)
        return resolution

    def lepton_resolution(self, pt: Array, electron: Array) -> Array:
        """Relative pT resolution (n,) of leptons of pT (n,) [GeV]; `electron` tells electrons from muons."""
        of_electrons = self.electron_stochastic**2 / pt + self.electron_constant**2
        of_muons = self.muon_constant**2 + (self.muon_slope * pt) ** 2
        resolution: Array = np.sqrt(np.where(electron, of_electrons, of_muons))
        return resolution

    def factors(self, resolution: Array, ids: Array, purpose: str, rank: Array) -> Array:
        """Log-normal smearing factors (n,) for a relative resolution (n,), by event id and rank in the event."""
        if not self.smear:
            return np.ones(len(resolution))
        width = np.sqrt(np.log1p(resolution**2))
        factors: Array = np.exp(width * normals(ids, purpose, rank) - width**2 / 2)
        return factors

    def measured(self, particles: Arrays, ids: Array, rank: Array) -> tuple[Arrays, Array]:
        """Measure single particles.

        Parameters
        ----------
        particles
            pt [GeV], eta, phi, mass [GeV], and id (PDG), (n,) each
        ids, rank
            id of the event of each particle, and its rank in the event, (n,)

        Returns
        -------
        measured pt, eta, phi, mass, and the relative pT resolution of each
        """
        found = {name: particles[name] for name in ("pt", "eta", "phi", "mass")}
        if not self.smear:
            return found, np.zeros(len(ids))
        resolution, angle = self.particle_resolution(particles)
        found["pt"] = found["pt"] * self.factors(resolution, ids, "particle", rank)
        for name in ("eta", "phi"):
            found[name] = found[name] + angle * normals(ids, f"particle {name}", rank)
        return found, resolution

    def soft_shift(self, soft_pt: Array, ids: Array) -> Array:
        """Shift (n, 2) of the components of the missing momentum [GeV], for a scalar sum (n,) of soft pT [GeV]."""
        if not self.smear:
            return np.zeros((len(ids), 2))
        width = self.soft * np.sqrt(soft_pt)
        return np.stack([width * normals(ids, f"soft {axis}") for axis in "xy"], axis=1)
