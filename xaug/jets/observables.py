"""Expert variables of jets (XAUGs, "explainable augmentations"): functions from `Jets` to an array (n_jets,).

References
----------
[LRP] G. Agarwal et al., Explainable AI for ML jet taggers using expert variables and layerwise
      relevance propagation, JHEP 05 (2021) 208, arXiv:2011.13466, section 4.1.
[TvT] J. Thaler, K. Van Tilburg, Identifying boosted objects with N-subjettiness, JHEP 03 (2011) 015.
[DLN] K. Datta, A. Larkoski, B. Nachman, Automating the construction of jet observables with machine
      learning, Phys. Rev. D 100 (2019) 095016.
[GS]  J. Gallicchio, M. Schwartz, Seeing in color: jet superstructure, Phys. Rev. Lett. 105 (2010) 022001.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from xaug.core.types import Array
from xaug.formats.momenta import delta_phi
from xaug.jets.jets import BETAS, Jets, leading
from xaug.jets.particle_kinds import KINDS, is_track, log_displacement, longitudinal, transverse

TAU_FLOOR = 1e-6
"""Least N-subjettiness in a ratio or a logarithm: groomed jets of N particles have tau_N = 0."""


def pt(jets: Jets) -> Array:
    """Transverse momentum of the ungroomed jet [GeV]."""
    return jets.pt


def eta(jets: Jets) -> Array:
    """Pseudorapidity of the ungroomed jet."""
    return jets.eta


def phi(jets: Jets) -> Array:
    """Azimuth of the ungroomed jet, in (-pi, pi]."""
    return jets.phi


def mass(jets: Jets) -> Array:
    """Mass of the ungroomed jet [GeV]."""
    return jets.mass


def softdrop_mass(jets: Jets) -> Array:
    """Mass after mMDT grooming (soft drop with beta = 0, z_cut = 0.1) [GeV]."""
    return jets.softdrop_mass


def delta_r_subjets(jets: Jets) -> Array:
    """Distance of the two subjets in rapidity and azimuth."""
    y, azimuth = jets.subjet_rapidity, jets.subjet_phi
    distance: Array = np.hypot(y[:, 0] - y[:, 1], delta_phi(azimuth[:, 0], azimuth[:, 1]))
    return distance


def z(jets: Jets) -> Array:
    """Fraction of the subjets' scalar pT sum that the leading one carries, in [0.5, 1].

    With the convention `z_from_momentum` it is the fraction of their sum of |p|, in [0, 1].
    """
    momentum = jets.subjet_pt
    if jets.conventions.z_from_momentum:
        momentum = momentum * np.cosh(jets.subjet_eta)
    fraction: Array = momentum[:, 0] / momentum.sum(axis=1)
    return fraction


def tau(axes: int, beta: float, groomed: bool) -> Callable[[Jets], Array]:
    """N-subjettiness tau_N^(beta) = sum_i pT_i min_k (Delta R_ik)^beta / pT(ungroomed jet) [TvT].

    The axes are one-pass winner-take-all kT axes.
    """
    where = (slice(None), int(groomed), BETAS.index(beta), axes - 1)

    def compute(jets: Jets) -> Array:
        return jets.tau[where]

    return compute


def floored_tau(jets: Jets, axes: int, beta: float, groomed: bool) -> Array:
    """N-subjettiness, at least TAU_FLOOR."""
    return np.maximum(tau(axes, beta, groomed)(jets), TAU_FLOOR)


def beta3(jets: Jets) -> Array:
    """ln[(tau_1^(0.5))^2 (tau_2^(1))^(1/2) / tau_2^(2)] of the ungroomed jet [DLN]."""
    t1, t2, t3 = (floored_tau(jets, n, b, False) for n, b in ((1, 0.5), (2, 1.0), (2, 2.0)))
    logarithm: Array = np.log(t1**2 * np.sqrt(t2) / t3)
    return logarithm


def beta3_sd(jets: Jets) -> Array:
    """ln[tau_2^(2) / (tau_1^(0.5) tau_2^(1))] of the groomed jet [DLN]."""
    t1, t2, t3 = (floored_tau(jets, n, b, True) for n, b in ((1, 0.5), (2, 1.0), (2, 2.0)))
    return np.log(t3 / (t1 * t2))


def tau21(jets: Jets) -> Array:
    """tau_2^(1) / tau_1^(1) of the ungroomed jet; small for two prongs [TvT]."""
    return floored_tau(jets, 2, 1.0, False) / floored_tau(jets, 1, 1.0, False)


def pull_angle(jets: Jets) -> Array:
    """Angle in [0, pi] between the leading subjet's pull and the direction of the subleading subjet.

    The pull is sum_i pT_i |r_i| r_i / pT over the constituents of the leading subjet, where r_i is the vector in
    (rapidity, phi) from its axis to the constituent [GS]. A subjet of one particle has no pull; its angle is set to
    pi/2, the mean over all directions.
    """
    n, jet_index, leading_subjet = len(jets), jets.leading_subjet_jet_index, jets.leading_subjet
    y = leading_subjet["rapidity"] - jets.subjet_rapidity[jet_index, 0]
    azimuth = delta_phi(leading_subjet["phi"], jets.subjet_phi[jet_index, 0])
    weight = leading_subjet["pt"] * np.hypot(y, azimuth) / jets.subjet_pt[jet_index, 0]
    pull = np.bincount(jet_index, weight * y, n), np.bincount(jet_index, weight * azimuth, n)
    way = (
        jets.subjet_rapidity[:, 1] - jets.subjet_rapidity[:, 0],
        delta_phi(jets.subjet_phi[:, 1], jets.subjet_phi[:, 0]),
    )
    cross = pull[0] * way[1] - pull[1] * way[0]
    dot = pull[0] * way[0] + pull[1] * way[1]
    angle = np.abs(np.arctan2(cross, dot))
    none = np.hypot(*pull) < 1e-12  # rounding of a single particle against its own axis
    return np.where(none, np.pi / 2, angle)


def multiplicity(kind: str) -> Callable[[Jets], Array]:
    """Number of constituents of one kind (`is_photon`, ...)."""

    def compute(jets: Jets) -> Array:
        return np.bincount(jets.jet_index, KINDS[kind](jets.constituents["id"]), len(jets))

    return compute


def displaced(length: Callable[..., Array]) -> Callable[[Jets], Array]:
    """Largest displacement among charged constituents with pT > 1 GeV and dxy < 50 mm, as ln(d / mm).

    It is the floor (1 um) where no constituent qualifies. With the convention `displaced_in_list` the maximum runs
    over all particles of the list, as in the authors' code; it then measures decays of K_S and Lambda at metres
    rather than those of b hadrons.
    """

    def compute(jets: Jets) -> Array:
        conventions, particles = jets.conventions, jets.constituents
        chosen = leading(jets)[0] if conventions.displaced_in_list else is_track(particles, conventions)
        largest = np.zeros(len(jets))
        np.maximum.at(largest, jets.jet_index[chosen], np.abs(length(particles, conventions))[chosen])
        return log_displacement(largest, conventions)

    return compute


dxy_max = displaced(transverse)
dz_max = displaced(longitudinal)
