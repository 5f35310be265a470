"""From the particles of events to the objects of the selected ones, with a cut flow (arXiv:2412.13864).

The paper defers its selection to another one; these cuts are ours, and every number is an option.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from xaug.core.errors import ConfigurationError
from xaug.core.options import Options
from xaug.data.dataset import uniforms
from xaug.events.detector import Detector
from xaug.events.observables import TAU_BETAS, EventObjects
from xaug.formats.event_formats import Collisions, pairs
from xaug.jets import clustering
from xaug.jets.clustering import FourVectors, kinematics, regroup
from xaug.jets.jets import MAX_AXES, delta_phi

__all__ = ["CUTS", "EventSelection", "draw_tagged", "select_events"]

CUTS = ("events", "one lepton", "missing pT", "jets", "HT", "fat jet")
"""Steps of the cut flow."""
JETS = 4
"""Least number of small jets: the b jet and j1, j2, j3."""


@dataclass(frozen=True)
class EventSelection(Options):
    """Which events are taken, and how jets are tagged. Momenta in GeV."""

    noun: ClassVar[str] = "selection"

    lepton_pt: float = 30.0  # exactly one isolated electron or muon
    lepton_eta: float = 2.5
    isolation_radius: float = 0.3
    isolation_max: float = 0.1  # sum of the pT of particles in this radius over that of the lepton
    met_min: float = 30.0
    jet_radius: float = 0.4  # anti-kT; at least three of these beside the b jet
    jet_pt: float = 30.0
    jet_eta: float = 2.5
    ht_min: float = 400.0  # scalar sum of the pT of these jets
    fat_radius: float = 0.8  # anti-kT; at least one of these, the leading one is taken
    fat_pt: float = 200.0
    fat_eta: float = 2.5
    flavour_radius: float = 0.3  # a jet with a b quark in this distance is a b jet, else with a c quark a c jet
    flavour_pt: float = 5.0  # of these quarks
    tag_b: float = 0.7  # tag efficiencies
    tag_c: float = 0.15
    tag_light: float = 0.01

    def __post_init__(self):
        self.require_positive()
        if not self.jet_radius or not self.fat_radius:
            raise ConfigurationError(f"{self.noun} jet_radius, fat_radius: must be above 0")
        for name in ("tag_b", "tag_c", "tag_light"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigurationError(f"{self.noun} {name} = {getattr(self, name)}: must be above 0 and at most 1")


def draw_tagged(
    efficiency: np.ndarray, event: np.ndarray, n: int, uniform: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The jet of each event that is taken for its b jet, and the probability that any jet is tagged.

    No event is lost to tagging: a jet is drawn with a probability proportional to its tag efficiency e, and the
    event weighs 1 - prod(1 - e).

    Parameters
    ----------
    efficiency, event
        of each jet, (m,), events ascending; every event has a jet
    uniform
        a number in [0, 1] for each event, (n,)

    Returns
    -------
    chosen : (n,)
        index of the jet
    weight : (n,)
    """
    total = np.bincount(event, efficiency, n)
    first = np.searchsorted(event, np.arange(n))
    upto = np.cumsum(efficiency)
    below = upto - (upto[first] - efficiency[first])[event]  # running sum within the event
    passed = np.bincount(event, below < (uniform * total)[event], n).astype(np.int64)
    chosen = first + np.minimum(passed, np.bincount(event, minlength=n) - 1)  # rounding may pass the last one
    return chosen, -np.expm1(np.bincount(event, np.log1p(-np.minimum(efficiency, 1 - 1e-15)), n))


def isolated_leptons(collisions: Collisions, pt: np.ndarray, cuts: EventSelection) -> np.ndarray:
    """Positions of the isolated leptons, given their measured pT (k,)."""
    leptons, particles = collisions.leptons, collisions.particles
    good = np.flatnonzero((pt > cuts.lepton_pt) & (np.abs(leptons["eta"]) < cuts.lepton_eta))
    left, right = pairs(collisions.lepton_event[good], collisions.counts)
    distance = np.hypot(
        leptons["eta"][good][left] - particles["eta"][right],
        delta_phi(leptons["phi"][good][left], particles["phi"][right]),
    )
    around = (distance < cuts.isolation_radius) & (particles["lepton"][right] != good[left])
    cone = np.bincount(left[around], particles["pt"][right[around]], len(good))
    return good[cone < cuts.isolation_max * pt[good]]


def tag_efficiencies(
    jet_event: np.ndarray, eta: np.ndarray, phi: np.ndarray, collisions: Collisions, cuts: EventSelection
) -> np.ndarray:
    """Tag efficiency of each jet (m,), by the heaviest quark near it."""
    quarks = collisions.quarks
    left, right = pairs(jet_event, collisions.quark_counts)
    near = np.hypot(eta[left] - quarks["eta"][right], delta_phi(phi[left], quarks["phi"][right])) < cuts.flavour_radius
    near &= quarks["pt"][right] > cuts.flavour_pt
    flavour = np.zeros(len(jet_event), dtype=np.int64)
    np.maximum.at(flavour, left[near], quarks["id"][right[near]].astype(np.int64))
    return np.select([flavour == 5, flavour == 4], [cuts.tag_b, cuts.tag_c], cuts.tag_light)


def rank_of(event: np.ndarray) -> np.ndarray:
    """Rank of each entry among those of its event, events ascending."""
    return np.arange(len(event)) - np.searchsorted(event, event)


@dataclass(frozen=True)
class Measured:
    """Events of one lepton as the detector sees them. Momenta in GeV."""

    lepton: np.ndarray  # (n, 4) px py pz E
    particles: FourVectors  # all but the lepton, grouped by event
    jet_event: np.ndarray  # (k,) event of each small jet, ascending
    jets: FourVectors  # their constituents, grouped by jet
    met: np.ndarray  # (n, 2)


def scaled(momenta: FourVectors, factor: np.ndarray) -> FourVectors:
    """Momenta times a factor each."""
    return FourVectors(*(factor * c for c in (momenta.px, momenta.py, momenta.pz, momenta.e)), momenta.counts)


def measure(
    collisions: Collisions, lepton: np.ndarray, lepton_pt: np.ndarray, ids: np.ndarray, cuts: EventSelection,
    detector: Detector,
) -> Measured:  # fmt: skip
    """What the detector makes of the events of the given leptons (n,), whose measured pT and event ids are (n,).

    A particle takes the factor of the small jet that it is in; so jets, fat jets and missing momentum agree.
    Events that come with the missing momentum of a detector are measured already.
    """
    n, events = len(lepton), collisions.lepton_event[lepton]
    eta, phi, mass = (collisions.leptons[c][lepton] for c in ("eta", "phi", "mass"))
    own = FourVectors.from_pt_eta_phi_mass(lepton_pt, eta, phi, mass, np.ones(n, dtype=int))
    own = own.sums(own.jet_index, n)

    row, index = pairs(events, collisions.counts)
    jetty = collisions.particles["lepton"][index] != lepton[row]
    row, index = row[jetty], index[jetty]
    columns = (collisions.particles[c][index] for c in ("pt", "eta", "phi", "mass"))
    particles = FourVectors.from_pt_eta_phi_mass(*columns, np.bincount(row, minlength=n))
    if collisions.met is not None:
        jet_event, _, jets = clustering.cluster(particles, cuts.jet_radius, cuts.jet_pt)
        return Measured(own, particles, jet_event, jets, collisions.met[events])

    jet_event, inside, jets = clustering.cluster(particles, cuts.jet_radius, min(detector.jet_pt, cuts.jet_pt))
    p = jets.sums(jets.jet_index, len(jets))
    resolution = detector.jet_resolution(np.hypot(p[:, 0], p[:, 1]))
    factor = detector.factors(resolution, ids[jet_event], "jet", rank_of(jet_event))[jets.jet_index]
    each = np.ones(len(row))
    each[inside] = factor
    particles = scaled(particles, each)
    soft = np.ones(len(row), dtype=bool)
    soft[inside] = False
    soft_pt = np.bincount(row[soft], np.hypot(particles.px, particles.py)[soft], n)
    met = -particles.sums(row, n)[:, :2] - own[:, :2] + detector.soft_shift(soft_pt, ids)
    return Measured(own, particles, jet_event, scaled(jets, factor), met)


def select_events(
    collisions: Collisions, ids: np.ndarray, cuts: EventSelection, detector: Detector
) -> tuple[EventObjects, np.ndarray, dict[str, int]]:
    """The objects of the selected events of a chunk. The isolated lepton is no part of any jet.

    Parameters
    ----------
    ids
        event ids (n,), which decide all that is random

    Returns
    -------
    EventObjects, weight (n_selected,) by tagging, {cut: events that remain}
    """
    n, flow = len(collisions), dict.fromkeys(CUTS, 0)
    flow["events"] = n

    lepton_event, leptons = collisions.lepton_event, collisions.leptons
    lepton_pt = leptons["pt"].astype(np.float64)
    if collisions.met is None:
        resolution = detector.lepton_resolution(lepton_pt, leptons["id"] == 11)
        lepton_pt *= detector.factors(resolution, ids[lepton_event], "lepton", rank_of(lepton_event))
    isolated = isolated_leptons(collisions, lepton_pt, cuts)
    single = np.bincount(lepton_event[isolated], minlength=n) == 1
    lepton = isolated[single[lepton_event[isolated]]]  # one for each event that remains, in order
    events = lepton_event[lepton]
    flow["one lepton"] = len(events)

    seen = measure(collisions, lepton, lepton_pt[lepton], ids[events], cuts, detector)
    keep = np.hypot(seen.met[:, 0], seen.met[:, 1]) > cuts.met_min
    flow["missing pT"] = int(keep.sum())

    jet = kinematics(seen.jets.sums(seen.jets.jet_index, len(seen.jets)))
    good = np.flatnonzero((jet["pt"] > cuts.jet_pt) & (np.abs(jet["eta"]) < cuts.jet_eta))
    good = good[np.lexsort((-jet["pt"][good], seen.jet_event[good]))]
    keep &= np.bincount(seen.jet_event[good], minlength=len(events)) >= JETS
    flow["jets"] = int(keep.sum())
    ht = np.bincount(seen.jet_event[good], jet["pt"][good], len(events))
    keep &= ht > cuts.ht_min
    flow["HT"] = int(keep.sum())

    kept, fat = leading_fat_jets(seen.particles, keep, cuts)
    keep = np.isin(np.arange(len(events)), kept)
    flow["fat jet"] = len(kept)

    good = good[keep[seen.jet_event[good]]]
    number = (np.cumsum(keep) - 1)[seen.jet_event[good]]  # of the selected event
    eta, phi = jet["eta"][good], jet["phi"][good]
    efficiency = tag_efficiencies(events[seen.jet_event[good]], eta, phi, collisions, cuts)
    tagged, weight = draw_tagged(efficiency, number, len(kept), uniforms(ids[events[kept]], "tag"))
    other = np.delete(np.arange(len(good)), tagged)
    leading = other[rank_of(number[other]) < JETS - 1].reshape(-1, JETS - 1)
    four = good[np.concatenate([leading, tagged[:, None]], axis=1).reshape(-1)]  # j1 j2 j3 b of each event
    _, small = regroup(seen.jets, np.arange(len(seen.jets.px)), four)
    return _objects(events[kept], seen.lepton[kept], seen.met[kept], ht[kept], small, fat), weight, flow


def leading_fat_jets(momenta: FourVectors, keep: np.ndarray, cuts: EventSelection) -> tuple[np.ndarray, FourVectors]:
    """Events (of those to keep) with a fat jet, ascending, and the constituents of the leading one of each."""
    kept = np.flatnonzero(keep)
    _, compact = regroup(momenta, np.arange(len(momenta.px)), kept)
    row, _, jets = clustering.cluster(compact, cuts.fat_radius, cuts.fat_pt)
    central = np.flatnonzero(np.abs(kinematics(jets.sums(jets.jet_index, len(jets)))["eta"]) < cuts.fat_eta)
    leading = central[rank_of(row[central]) == 0]
    _, fat = regroup(jets, np.arange(len(jets.px)), leading)
    return kept[row[leading]], fat


def _objects(event, lepton, met, ht, small: FourVectors, fat: FourVectors) -> EventObjects:
    """Gather objects: `small` are four jets an event, `fat` one."""
    n = len(event)
    met_pt = np.hypot(met[:, 0], met[:, 1])
    momentum = np.concatenate(
        [
            lepton[:, None],
            small.sums(small.jet_index, JETS * n).reshape(n, JETS, 4),
            fat.sums(fat.jet_index, n)[:, None],
            np.stack([met[:, 0], met[:, 1], np.zeros(n), met_pt], axis=1)[:, None],
        ],
        axis=1,
    )
    if n:
        fat_pt = np.hypot(momentum[:, 5, 0], momentum[:, 5, 1])
        tau = clustering.n_subjettiness(clustering.recluster(fat), TAU_BETAS) / fat_pt[:, None, None]
    else:
        tau = np.zeros((0, len(TAU_BETAS), MAX_AXES))
    object_index = np.concatenate(
        [small.jet_index // JETS * (JETS + 1) + small.jet_index % JETS, fat.jet_index * (JETS + 1) + JETS]
    )
    order = np.argsort(object_index, kind="stable")
    each = np.concatenate([np.stack([g.px, g.py, g.pz, g.e], axis=1) for g in (small, fat)])[order]
    p = kinematics(each)
    return EventObjects(event, momentum, ht, tau, object_index[order], {c: p[c] for c in ("pt", "rapidity", "phi")})
