"""Measure the leptons, jets and missing momentum of events with the parametrised detector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xaug.core.types import Array
from xaug.events.cuts import EventSelection
from xaug.events.detector import Detector
from xaug.formats.base import Collisions
from xaug.formats.momenta import FourVectors, pairs
from xaug.jets import clustering

__all__ = ["Measured", "measure", "rank_of", "rest_of_resolution"]


def rank_of(event: Array) -> Array:
    """Rank of each object among those of its event; events are ascending."""
    return np.arange(len(event)) - np.searchsorted(event, event)


@dataclass(frozen=True)
class Measured:
    """Events of one lepton as the detector measures them. Momenta are in GeV."""

    lepton: Array  # (n, 4) px py pz E
    particles: FourVectors  # all but the lepton, grouped by event
    jet_event: Array  # (k,) event of each small jet, ascending
    jets: FourVectors  # their constituents, grouped by jet
    met: Array  # (n, 2)


def measure(
    collisions: Collisions, lepton: Array, lepton_pt: Array, ids: Array, cuts: EventSelection, detector: Detector
) -> Measured:
    """Measure events of one lepton: smear particles, jets, and the missing momentum.

    Each particle is measured on its own. Then all particles of a small jet are scaled by the same factor, so that jets,
    fat jets and missing momentum of the same particles move together. Events that come with the missing momentum of a
    detector are measured already.

    Parameters
    ----------
    collisions
        the events
    lepton, lepton_pt
        position of the lepton of each event that is measured, and its measured pT [GeV], (n,)
    ids
        ids of these events, (n,), which decide all random numbers
    cuts
        definitions of the jets
    detector
        resolutions
    """
    n, events = len(lepton), collisions.lepton_event[lepton]
    eta, phi, mass = (collisions.leptons[c][lepton] for c in ("eta", "phi", "mass"))
    own = FourVectors.from_pt_eta_phi_mass(lepton_pt, eta, phi, mass, np.ones(n, dtype=int)).totals()

    row, index = pairs(events, collisions.counts)
    others = collisions.particles["lepton"][index] != lepton[row]
    row, index = row[others], index[others]
    seen = {name: values[index] for name, values in collisions.particles.items()}
    counts = np.bincount(row, minlength=n)
    if collisions.met is not None:
        particles = FourVectors.of_particles(seen, counts)
        jet_event, _, jets = clustering.cluster(particles, cuts.jet_radius, cuts.jet_pt)
        return Measured(own, particles, jet_event, jets, collisions.met[events])

    first = np.cumsum(collisions.counts) - collisions.counts
    seen, width = detector.measured(seen, ids[row], index - first[events][row])
    particles = FourVectors.of_particles(seen, counts)
    jet_event, inside, jets = clustering.cluster(particles, cuts.jet_radius, min(detector.jet_pt, cuts.jet_pt))
    rest = rest_of_resolution(jets, seen["pt"][inside], width[inside], detector)
    factor = detector.factors(rest, ids[jet_event], "jet", rank_of(jet_event))[jets.group]
    each = np.ones(len(row))
    each[inside] = factor
    particles = particles.scaled(each)
    soft = np.ones(len(row), dtype=bool)
    soft[inside] = False
    soft_pt = np.bincount(row[soft], np.hypot(particles.px, particles.py)[soft], n)
    met = -particles.sums(row, n)[:, :2] - own[:, :2] + detector.soft_shift(soft_pt, ids)
    return Measured(own, particles, jet_event, jets.scaled(factor), met)


def rest_of_resolution(jets: FourVectors, pt: Array, width: Array, detector: Detector) -> Array:
    """Relative resolution (n,) of jets that remains beside that of their particles, whose pT and widths are (m,)."""
    p, group, n = jets.totals(), jets.group, len(jets)
    of_particles = np.bincount(group, (width * pt) ** 2, n) / np.bincount(group, pt, n) ** 2
    rest: Array = np.sqrt(np.maximum(detector.jet_resolution(np.hypot(p[:, 0], p[:, 1])) ** 2 - of_particles, 0.0))
    return rest
