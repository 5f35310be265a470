"""Features of events: functions from `EventObjects` to an array (n_events,).

References
----------
[IG] J. Bardhan et al., Constructing sensible baselines for integrated gradients, arXiv:2412.13864, appendix B.
[TvT] J. Thaler, K. Van Tilburg, Identifying boosted objects with N-subjettiness, JHEP 03 (2011) 015.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from xaug.core.types import Array
from xaug.events.objects import HADRONIC, MOMENTS, OBJECTS, TAU_BETAS, EventObjects
from xaug.formats.momenta import delta_phi, kinematics
from xaug.jets.jets import MAX_AXES
from xaug.jets.observables import TAU_FLOOR

__all__ = ["delta_r", "ht", "invariant_mass", "moment", "pt", "tau"]


def ht(objects: EventObjects) -> Array:
    """Scalar sum of the pT of all anti-kT 0.4 jets [GeV]."""
    return objects.ht


def pt(name: str) -> Callable[[EventObjects], Array]:
    """Transverse momentum of an object [GeV]."""
    index = OBJECTS.index(name)

    def compute(objects: EventObjects) -> Array:
        return objects.kinematics["pt"][:, index]

    return compute


def tau(axes: int, beta: float) -> Callable[[EventObjects], Array]:
    """Ratio tau_N^(beta) / tau_(N-1)^(beta) of the fat jet, where N is `axes` [TvT]."""
    index = TAU_BETAS.index(beta)
    if not 2 <= axes <= MAX_AXES:
        raise ValueError(f"tau ratio of {axes} axes: must be of 2 to {MAX_AXES}")

    def compute(objects: EventObjects) -> Array:
        floored = np.maximum(objects.tau[:, index], TAU_FLOOR)
        ratio: Array = floored[:, axes - 1] / floored[:, axes - 2]
        return ratio

    return compute


def delta_r(one: str, two: str) -> Callable[[EventObjects], Array]:
    """Distance sqrt(Delta phi^2 + Delta eta^2) of two objects [IG, item 3]; the missing momentum has eta = 0."""
    i, j = OBJECTS.index(one), OBJECTS.index(two)

    def compute(objects: EventObjects) -> Array:
        eta, phi = objects.kinematics["eta"], objects.kinematics["phi"]
        distance: Array = np.hypot(eta[:, i] - eta[:, j], delta_phi(phi[:, i], phi[:, j]))
        return distance

    return compute


def invariant_mass(*names: str) -> Callable[[EventObjects], Array]:
    """Invariant mass of one object or of the sum of several [GeV]."""
    index = [OBJECTS.index(name) for name in names]

    def compute(objects: EventObjects) -> Array:
        return kinematics(objects.momentum[:, index].sum(axis=1))["mass"]

    return compute


def moment(which: str, name: str) -> Callable[[EventObjects], Array]:
    """A moment (of MOMENTS) of the constituents of a hadronic object [IG, item 5]."""
    where = (slice(None), HADRONIC.index(name), MOMENTS.index(which))

    def compute(objects: EventObjects) -> Array:
        return objects.moments[where]

    return compute
