"""Select events and gather their objects, with a cut flow (arXiv:2412.13864).

The paper refers to the selection of another one; these cuts are ours, and every number is an option.
"""

from __future__ import annotations

import numpy as np

from xaug.core.types import Array
from xaug.data.cut_flow import CutFlow
from xaug.data.splits import uniforms
from xaug.events.assignment import assign_jets
from xaug.events.cuts import CUTS, JETS, EventSelection
from xaug.events.detector import Detector
from xaug.events.dressing import dressed
from xaug.events.measurement import measure, rank_of
from xaug.events.objects import TAU_BETAS, EventObjects
from xaug.events.tagging import tag_efficiencies
from xaug.formats.base import Collisions
from xaug.formats.momenta import FourVectors, delta_phi, kinematics, pairs
from xaug.jets import clustering
from xaug.jets.clustering import regroup
from xaug.jets.jets import MAX_AXES

__all__ = ["select_events"]


def isolated_leptons(collisions: Collisions, pt: Array, cuts: EventSelection) -> Array:
    """Positions of the isolated leptons, where `pt` (k,) is the measured pT of all leptons [GeV]."""
    leptons, particles = collisions.leptons, collisions.particles
    good = np.flatnonzero((pt > cuts.lepton_pt) & (np.abs(leptons["eta"]) < cuts.lepton_eta))
    left, right = pairs(collisions.lepton_event[good], collisions.counts)
    distance = np.hypot(
        leptons["eta"][good][left] - particles["eta"][right],
        delta_phi(leptons["phi"][good][left], particles["phi"][right]),
    )
    around = (distance < cuts.isolation_radius) & (particles["lepton"][right] != good[left])
    cone = np.bincount(left[around], particles["pt"][right[around]], len(good))
    isolated: Array = good[cone < cuts.isolation_max * pt[good]]
    return isolated


def select_events(
    collisions: Collisions, ids: Array, cuts: EventSelection, detector: Detector
) -> tuple[EventObjects, Array, CutFlow]:
    """Measure and select the events of a chunk. The isolated lepton is not part of any jet.

    Parameters
    ----------
    collisions
        n events
    ids
        their ids, (n,), which decide all random numbers
    cuts
        the selection
    detector
        resolutions

    Returns
    -------
    EventObjects
        objects of the selected events
    weight : (n_selected,)
        probability of a b-tag
    CutFlow
        how many events remain after each of CUTS
    """
    collisions = dressed(collisions, cuts.dress_radius)
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

    jet = kinematics(seen.jets.totals())
    good = np.flatnonzero((jet["pt"] > cuts.jet_pt) & (np.abs(jet["eta"]) < cuts.jet_eta))
    good = good[np.lexsort((-jet["pt"][good], seen.jet_event[good]))]
    keep &= np.bincount(seen.jet_event[good], minlength=len(events)) >= JETS
    flow["jets"] = int(keep.sum())
    ht = np.bincount(seen.jet_event[good], jet["pt"][good], len(events))
    keep &= ht > cuts.ht_min
    flow["HT"] = int(keep.sum())

    kept, fat = leading_fat_jets(seen.particles, keep, cuts)
    flow["fat jet"] = len(kept)

    good = good[np.isin(seen.jet_event[good], kept)]
    small = {name: jet[name][good] for name in ("pt", "eta", "phi")}
    small["efficiency"] = tag_efficiencies(events[seen.jet_event[good]], small, collisions, cuts)
    row = np.searchsorted(kept, seen.jet_event[good])
    found = assign_jets(small, row, kinematics(fat.totals()), uniforms(ids[events[kept]], "tag"), cuts)
    flow |= found.flow
    _, four = regroup(seen.jets, np.arange(len(seen.jets.px)), good[found.jets].reshape(-1))
    _, fat = regroup(fat, np.arange(len(fat.px)), found.events)
    kept, tau = kept[found.events], _tau(fat, cuts.tau_axes)
    objects = _objects(events[kept], seen.lepton[kept], seen.met[kept], ht[kept], four, fat, tau)
    return objects, found.weight, CutFlow(flow)


def leading_fat_jets(momenta: FourVectors, keep: Array, cuts: EventSelection) -> tuple[Array, FourVectors]:
    """Find the events (of those to keep) with a fat jet, ascending, and the constituents of their leading one."""
    kept = np.flatnonzero(keep)
    _, compact = regroup(momenta, np.arange(len(momenta.px)), kept)
    row, _, jets = clustering.cluster(compact, cuts.fat_radius, cuts.fat_pt)
    p = kinematics(jets.totals())
    central = np.flatnonzero((np.abs(p["eta"]) < cuts.fat_eta) & (p["mass"] >= cuts.fat_mass))
    leading = central[rank_of(row[central]) == 0]
    _, fat = regroup(jets, np.arange(len(jets.px)), leading)
    return kept[row[leading]], fat


def _tau(fat: FourVectors, axes: str) -> Array:
    """N-subjettiness (n, len(TAU_BETAS), MAX_AXES) of n fat jets, divided by their pT."""
    if not len(fat):
        return np.zeros((0, len(TAU_BETAS), MAX_AXES))
    p = fat.totals()
    tau: Array = clustering.n_subjettiness(clustering.recluster(fat), TAU_BETAS, axes)
    tau /= np.hypot(p[:, 0], p[:, 1])[:, None, None]
    return tau


def _objects(
    event: Array, lepton: Array, met: Array, ht: Array, small: FourVectors, fat: FourVectors, tau: Array
) -> EventObjects:
    """Gather the objects of n events: `small` holds four jets (j1, j2, j3, b) for each event, `fat` holds one."""
    n = len(event)
    met_pt = np.hypot(met[:, 0], met[:, 1])
    momentum = np.concatenate(
        [
            lepton[:, None],
            small.totals().reshape(n, JETS, 4),
            fat.totals()[:, None],
            np.stack([met[:, 0], met[:, 1], np.zeros(n), met_pt], axis=1)[:, None],
        ],
        axis=1,
    )
    object_index = np.concatenate(
        [small.group // JETS * (JETS + 1) + small.group % JETS, fat.group * (JETS + 1) + JETS]
    )
    order = np.argsort(object_index, kind="stable")
    p = kinematics(np.concatenate([small.components, fat.components])[order])
    return EventObjects(event, momentum, ht, tau, object_index[order], {c: p[c] for c in ("pt", "rapidity", "phi")})
