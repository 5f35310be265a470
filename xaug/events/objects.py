"""Objects of the selected events, from which all features are computed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from xaug.core.types import Array, Arrays
from xaug.formats.momenta import delta_phi, kinematics

__all__ = ["HADRONIC", "MOMENTS", "OBJECTS", "TAU_BETAS", "EventObjects"]

OBJECTS = ("lep", "j1", "j2", "j3", "b", "fat", "met")
"""Lepton, the three leading jets beside the b jet, the b jet, the fat jet, the missing transverse momentum."""
HADRONIC = OBJECTS[1:6]
"""Objects that are made of constituents."""
TAU_BETAS = (1.0, 2.0)
"""Angular exponents of the fat jet's N-subjettiness."""
MOMENTS = ("girth", "girth_var", "girth_skew", "girth_kurt")
"""Mean, variance, skewness and kurtosis of the distance of constituents from the axis of their object."""
SMALLEST_VARIANCE = 1e-12
"""Variance of the distance below which all constituents count as equally far; rounding errors are of this size."""


@dataclass(frozen=True)
class EventObjects:
    """Objects of n selected events, with m constituents in all. Momenta in GeV."""

    event: Array  # (n,) index of the event within the chunk
    momentum: Array  # (n, 7, 4) px py pz E of OBJECTS; the missing momentum has pz = 0 and E = pT
    ht: Array  # (n,) scalar sum of the pT of all small jets
    tau: Array  # (n, len(TAU_BETAS), MAX_AXES) N-subjettiness of the fat jet, divided by its pT
    object_index: Array  # (m,) 5 * row + index in HADRONIC of each constituent's object, ascending
    constituents: Arrays  # name -> (m,): pt rapidity phi

    def __len__(self) -> int:
        return len(self.event)

    @cached_property
    def kinematics(self) -> Arrays:
        """Kinematics of the objects by name: pt, eta, rapidity, phi, mass, energy, (n, 7) each."""
        return kinematics(self.momentum)

    @cached_property
    def moments(self) -> Array:
        """Moments (n, 5, 4) of the distance r of constituents from the axis of each hadronic object.

        With w_i = pT_i / sum pT: g = sum w r, Var = sum w (r - g)^2, and the standardised third and fourth
        moments sum w (r - g)^k / Var^(k/2), which are 0 if Var is 0. The distance r is in rapidity and azimuth, so that
        it does not change under boosts along the beam although jets are massive.
        """
        groups = len(self) * len(HADRONIC)
        axes = {name: self.kinematics[name][:, 1:6].ravel()[self.object_index] for name in ("rapidity", "phi")}
        own = self.constituents
        r = np.hypot(own["rapidity"] - axes["rapidity"], delta_phi(own["phi"], axes["phi"]))
        weight = own["pt"] / np.bincount(self.object_index, own["pt"], groups)[self.object_index]
        girth = np.bincount(self.object_index, weight * r, groups)
        apart = r - girth[self.object_index]
        variance, third, fourth = (np.bincount(self.object_index, weight * apart**k, groups) for k in (2, 3, 4))
        spread = variance > SMALLEST_VARIANCE
        scale = np.where(spread, variance, 1.0)
        standardised = [np.where(spread, third / scale**1.5, 0.0), np.where(spread, fourth / scale**2, 0.0)]
        found: Array = np.stack([girth, variance, *standardised], axis=1)
        return found.reshape(-1, len(HADRONIC), len(MOMENTS))
