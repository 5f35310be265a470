"""From the particles of events to the objects of the selected ones, with a cut flow (arXiv:2412.13864).

The paper defers its selection to another one; these cuts are ours, and every number is an option.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from xaug.dataset import uniforms
from xaug.errors import ConfigurationError
from xaug.process import clustering
from xaug.process.clustering import FourVectors, kinematics, regroup
from xaug.process.detector import Detector
from xaug.process.event_schemas import Collisions, pairs
from xaug.process.jets import MAX_AXES, delta_phi
from xaug.process.kinematics import TAU_BETAS, EventObjects
from xaug.process.options import Options

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


def draw_tagged(efficiency: np.ndarray, event: np.ndarray, n: int, uniform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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


def select_events(
    collisions: Collisions, ids: np.ndarray, cuts: EventSelection, detector: Detector
) -> tuple[EventObjects, np.ndarray, dict[str, int]]:
    """The objects of the selected events of a chunk.

    Isolated leptons are no part of jets. Events that come with a detector's missing momentum are measured
    already, and not smeared again.

    Parameters
    ----------
    ids
        event ids (n,), which decide all that is random

    Returns
    -------
    EventObjects, weight (n_selected,) by tagging, {cut: events that remain}
    """
    measured = collisions.met is not None
    n, flow = len(collisions), dict.fromkeys(CUTS, 0)
    flow["events"] = n

    lepton_event, leptons = collisions.lepton_event, collisions.leptons
    lepton_pt = leptons["pt"].astype(np.float64)
    if not measured:
        width = detector.lepton_resolution(np.maximum(lepton_pt, 1.0), leptons["id"] == 11)
        lepton_pt = lepton_pt * detector.factors(width, ids[lepton_event], "lepton", rank_of(lepton_event))
    isolated = isolated_leptons(collisions, lepton_pt, cuts)
    single = np.bincount(lepton_event[isolated], minlength=n) == 1
    lepton = isolated[single[lepton_event[isolated]]]  # one for each event that remains, in order
    events = lepton_event[lepton]
    flow["one lepton"] = len(events)
    own = FourVectors.from_pt_eta_phi_mass(
        lepton_pt[lepton], *(leptons[c][lepton] for c in ("eta", "phi", "mass")), np.ones(len(lepton), dtype=int)
    )
    own = np.stack([own.px, own.py, own.pz, own.e], axis=1)

    _, flat = pairs(events, collisions.counts)
    row = np.repeat(np.arange(len(events)), collisions.counts[events])
    jetty = collisions.particles["lepton"][flat] != lepton[row]
    flat, row = flat[jetty], row[jetty]
    momenta = FourVectors.from_pt_eta_phi_mass(
        *(collisions.particles[c][flat] for c in ("pt", "eta", "phi", "mass")), np.bincount(row, minlength=len(events))
    )
    least = cuts.jet_pt if measured else min(detector.jet_pt, cuts.jet_pt)
    jet_row, index, jets = clustering.cluster(momenta, cuts.jet_radius, least)
    p = jets.sums(jets.owner, len(jets))
    scale = np.ones(len(row))
    if not measured:
        width = detector.jet_resolution(np.hypot(p[:, 0], p[:, 1]))
        factor = detector.factors(width, ids[events][jet_row], "jet", rank_of(jet_row))
        p = p * factor[:, None]
        soft = np.ones(len(row), dtype=bool)
        soft[index], scale[index] = False, factor[jets.owner]
        momenta = FourVectors(*(scale * c for c in (momenta.px, momenta.py, momenta.pz, momenta.e)), momenta.counts)
        soft_pt = np.bincount(row[soft], np.hypot(momenta.px, momenta.py)[soft], len(events))
        met = -momenta.sums(row, len(events))[:, :2] - own[:, :2] + detector.soft_shift(soft_pt, ids[events])
        jets = jets.take(np.arange(len(index)), jets.counts)
        jets = FourVectors(*(factor[jets.owner] * c for c in (jets.px, jets.py, jets.pz, jets.e)), jets.counts)
    else:
        met = collisions.met[events]
    met_pt = np.hypot(met[:, 0], met[:, 1])
    keep = met_pt > cuts.met_min
    flow["missing pT"] = int(keep.sum())

    jet = kinematics(p)
    good = np.flatnonzero((jet["pt"] > cuts.jet_pt) & (np.abs(jet["eta"]) < cuts.jet_eta))
    good = good[np.lexsort((-jet["pt"][good], jet_row[good]))]
    keep &= np.bincount(jet_row[good], minlength=len(events)) >= JETS
    flow["jets"] = int(keep.sum())
    ht = np.bincount(jet_row[good], jet["pt"][good], len(events))
    keep &= ht > cuts.ht_min
    flow["HT"] = int(keep.sum())

    fat_index, fat = leading_fat_jets(momenta, keep, cuts)
    keep = np.zeros(len(events), dtype=bool)
    keep[fat_index] = True
    flow["fat jet"] = len(fat_index)

    good = good[keep[jet_row[good]]]
    number = np.cumsum(keep) - 1  # of a selected event
    selected = number[jet_row[good]]
    k = len(fat_index)
    efficiency = tag_efficiencies(events[jet_row[good]], jet["eta"][good], jet["phi"][good], collisions, cuts)
    tagged, weight = draw_tagged(efficiency, selected, k, uniforms(ids[events[keep]], "tag"))
    other = np.delete(np.arange(len(good)), tagged)
    leading = other[rank_of(selected[other]) < JETS - 1].reshape(k, JETS - 1)
    chosen = good[np.concatenate([leading, tagged[:, None]], axis=1)].reshape(-1)  # j1 j2 j3 b of each event
    _, small = regroup(jets, np.arange(len(jets.px)), chosen)
    return _objects(events[keep], own[keep], met[keep], ht[keep], small, fat), weight, flow


def leading_fat_jets(momenta: FourVectors, keep: np.ndarray, cuts: EventSelection) -> tuple[np.ndarray, FourVectors]:
    """Events (of those to keep) with a fat jet, ascending, and the constituents of the leading one of each."""
    kept = np.flatnonzero(keep)
    flat, compact = regroup(momenta, np.arange(len(momenta.px)), kept)
    row, _, jets = clustering.cluster(compact, cuts.fat_radius, cuts.fat_pt)
    central = np.flatnonzero(np.abs(kinematics(jets.sums(jets.owner, len(jets)))["eta"]) < cuts.fat_eta)
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
            small.sums(small.owner, JETS * n).reshape(n, JETS, 4),
            fat.sums(fat.owner, n)[:, None],
            np.stack([met[:, 0], met[:, 1], np.zeros(n), met_pt], axis=1)[:, None],
        ],
        axis=1,
    )
    if n:
        fat_pt = np.hypot(momentum[:, 5, 0], momentum[:, 5, 1])
        tau = clustering.n_subjettiness(clustering.recluster(fat), TAU_BETAS) / fat_pt[:, None, None]
    else:
        tau = np.zeros((0, len(TAU_BETAS), MAX_AXES))
    owner = np.concatenate([small.owner // JETS * (JETS + 1) + small.owner % JETS, fat.owner * (JETS + 1) + JETS])
    order = np.argsort(owner, kind="stable")
    each = np.concatenate([np.stack([g.px, g.py, g.pz, g.e], axis=1) for g in (small, fat)])[order]
    p = kinematics(each)
    return EventObjects(event, momentum, ht, tau, owner[order], {c: p[c] for c in ("pt", "rapidity", "phi")})
