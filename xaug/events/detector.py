"""A light parametrised detector: smeared jets, leptons and missing transverse momentum.

Every random number is a hash of the id of the event and the rank of the object, so that the result does not depend on
how a file is divided into chunks. Relative resolutions s(pT) have the usual forms, with values near those of CMS
(JINST 12 (2017) P02014 for jets, JINST 16 (2021) P05014 for electrons, JINST 13 (2018) P06015 for muons):

- jets (anti-kT 0.4 above `jet_pt`): s^2 = (N/pT)^2 + S^2/pT + C^2. The factor multiplies the four-momenta of all
  constituents, so that fat jets and missing momentum of the same particles move together;
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
from xaug.core.types import Array
from xaug.data.splits import uniforms

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
    jet_pt: float = 10.0  # least generated pT of a jet that is smeared as a whole [GeV]
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

    def soft_shift(self, soft_pt: Array, ids: Array) -> Array:
        """Shift (n, 2) of the components of the missing momentum [GeV], for a scalar sum (n,) of soft pT [GeV]."""
        if not self.smear:
            return np.zeros((len(ids), 2))
        width = self.soft * np.sqrt(soft_pt)
        return np.stack([width * normals(ids, f"soft {axis}") for axis in "xy"], axis=1)
