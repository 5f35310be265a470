"""Dress leptons with the photons that they radiated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xaug.core.types import Array, Arrays
from xaug.formats.base import Collisions
from xaug.formats.momenta import FourVectors, delta_phi, kinematics, pairs

__all__ = ["dressed", "nearest_lepton"]


def nearest_lepton(
    leptons: Arrays, lepton_event: Array, photons: Arrays, photon_counts: Array, radius: float
) -> tuple[Array, Array]:
    """Find the photons near a lepton of their event.

    Parameters
    ----------
    leptons, lepton_event
        eta and phi, and event of each lepton, (k,) each
    photons, photon_counts
        eta and phi of the photons, (m,) each, event after event; and how many each event has, (n,)
    radius
        distance in (eta, phi) below which a photon belongs to a lepton

    Returns
    -------
    photon, lepton : (p,) each
        positions of such photons, ascending, and of the lepton that is nearest to each
    """
    lepton, photon = pairs(lepton_event, photon_counts)
    distance = np.hypot(
        leptons["eta"][lepton] - photons["eta"][photon], delta_phi(leptons["phi"][lepton], photons["phi"][photon])
    )
    near = np.flatnonzero(distance < radius)
    near = near[np.lexsort((distance[near], photon[near]))]
    _, first = np.unique(photon[near], return_index=True)
    return photon[near][first], lepton[near][first]


def dressed(collisions: Collisions, radius: float) -> Collisions:
    """Add photons to the lepton that they are nearest to, and take them out of jets and isolation.

    Photons of the decays of hadrons do not count: a lepton within a jet would gather those of neutral pions. Leptons
    that a detector measured stay as they are.

    Parameters
    ----------
    collisions
        generated events
    radius
        largest distance of lepton and photon in (eta, phi)
    """
    if collisions.met is not None or not radius:
        return collisions
    particles, event = collisions.particles, np.repeat(np.arange(len(collisions)), collisions.counts)
    radiated = np.flatnonzero(particles["radiated"])
    photons = {name: particles[name][radiated] for name in ("pt", "eta", "phi", "mass")}
    counts = np.bincount(event[radiated], minlength=len(collisions))
    photon, lepton = nearest_lepton(collisions.leptons, collisions.lepton_event, photons, counts, radius)

    n = len(collisions.lepton_event)
    bare = FourVectors.of_particles(collisions.leptons, np.ones(n, dtype=int)).totals()
    close = {name: values[photon] for name, values in photons.items()}
    p = kinematics(bare + FourVectors.of_particles(close, np.ones(len(photon), dtype=int)).sums(lepton, n))
    changed = np.bincount(lepton, minlength=n) > 0  # others keep their numbers to the last digit
    leptons = collisions.leptons | {
        name: np.where(changed, p[name], collisions.leptons[name]) for name in ("pt", "eta", "phi", "mass")
    }
    of_lepton = particles["lepton"].copy()
    of_lepton[radiated[photon]] = lepton
    return replace(collisions, particles=particles | {"lepton": of_lepton}, leptons=leptons)
