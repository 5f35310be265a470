"""The features of an event: one function each, from `EventObjects` to an array (n_events,).

References
----------
[IG] J. Bardhan et al., Constructing sensible baselines for integrated gradients, arXiv:2412.13864, appendix B.
[TvT] J. Thaler, K. Van Tilburg, Identifying boosted objects with N-subjettiness, JHEP 03 (2011) 015.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from xaug.jets.jets import MAX_AXES, delta_phi
from xaug.jets.observables import TAU_FLOOR

__all__ = ["HADRONIC", "OBJECTS", "TAU_BETAS", "EventObjects", "delta_r", "ht", "invariant_mass", "moment", "pt", "tau"]

OBJECTS = ("lep", "j1", "j2", "j3", "b", "fat", "met")
"""Lepton, the three leading jets but for the b jet, b jet, fat jet, missing transverse momentum."""
HADRONIC = OBJECTS[1:6]
"""Objects made of constituents."""
TAU_BETAS = (1.0, 2.0)
"""Angular exponents of the fat jet's N-subjettiness."""
MOMENTS = ("girth", "girth_var", "girth_skew", "girth_kurt")
SMALLEST_VARIANCE = 1e-12
"""Variance of the distance below which constituents count as equally far: rounding is of this size."""


def _kinematics(momentum: np.ndarray) -> dict[str, np.ndarray]:
    from xaug.jets.clustering import kinematics  # here: the variables table does without fastjet

    return kinematics(momentum)


@dataclass(frozen=True)
class EventObjects:
    """Objects of n selected events, with m constituents in all. Momenta in GeV."""

    event: np.ndarray  # (n,) index of the event within the chunk
    momentum: np.ndarray  # (n, 7, 4) px py pz E of OBJECTS; of the missing momentum pz = 0, E = pT
    ht: np.ndarray  # (n,) scalar sum of the pT of all small jets
    tau: np.ndarray  # (n, len(TAU_BETAS), MAX_AXES) N-subjettiness of the fat jet, divided by its pT
    object_index: np.ndarray  # (m,) 5 * row + index in HADRONIC of each constituent's object, ascending
    constituents: dict[str, np.ndarray]  # name -> (m,): pt rapidity phi

    def __len__(self) -> int:
        return len(self.event)

    @cached_property
    def kinematics(self) -> dict[str, np.ndarray]:
        """pt, eta, rapidity, phi, mass, energy of the objects, (n, 7) each."""
        return _kinematics(self.momentum)

    @cached_property
    def moments(self) -> np.ndarray:
        """(n, 5, 4) MOMENTS of the distance r of constituents from the axis of each hadronic object.

        With w_i = pT_i / sum pT: g = sum w r, Var = sum w (r - g)^2, and the standardised third and fourth
        moments sum w (r - g)^k / Var^(k/2), 0 if Var is 0. r is the distance in rapidity and azimuth, so that
        nothing changes under boosts along the beam although jets are massive.
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
        return np.stack([girth, variance, *standardised], axis=1).reshape(-1, len(HADRONIC), len(MOMENTS))


def ht(objects: EventObjects) -> np.ndarray:
    """Scalar sum of the pT of all anti-kT 0.4 jets [GeV]."""
    return objects.ht


def pt(name: str) -> Callable[[EventObjects], np.ndarray]:
    """Transverse momentum of an object [GeV]."""
    index = OBJECTS.index(name)
    return lambda objects: objects.kinematics["pt"][:, index]


def tau(axes: int, beta: float) -> Callable[[EventObjects], np.ndarray]:
    """tau_N^(beta) / tau_(N-1)^(beta) of the fat jet [TvT]."""
    index = TAU_BETAS.index(beta)
    if not 2 <= axes <= MAX_AXES:
        raise ValueError(f"no ratio for {axes} axes")

    def compute(objects: EventObjects) -> np.ndarray:
        floored = np.maximum(objects.tau[:, index], TAU_FLOOR)
        return floored[:, axes - 1] / floored[:, axes - 2]

    return compute


def delta_r(one: str, two: str) -> Callable[[EventObjects], np.ndarray]:
    """sqrt(Delta phi^2 + Delta eta^2) of two objects [IG, item 3]; the missing momentum has eta = 0."""
    i, j = OBJECTS.index(one), OBJECTS.index(two)

    def compute(objects: EventObjects) -> np.ndarray:
        eta, phi = objects.kinematics["eta"], objects.kinematics["phi"]
        return np.hypot(eta[:, i] - eta[:, j], delta_phi(phi[:, i], phi[:, j]))

    return compute


def invariant_mass(*names: str) -> Callable[[EventObjects], np.ndarray]:
    """Invariant mass of one object or of the sum of several [GeV]."""
    index = [OBJECTS.index(name) for name in names]
    return lambda objects: _kinematics(objects.momentum[:, index].sum(axis=1))["mass"]


def moment(which: str, name: str) -> Callable[[EventObjects], np.ndarray]:
    """One of MOMENTS of a hadronic object's constituents [IG, item 5]."""
    where = (slice(None), HADRONIC.index(name), MOMENTS.index(which))
    return lambda objects: objects.moments[where]
