"""Calls of fastjet: clustering, grooming, subjets, N-subjettiness.

Every call is on packed arrays of a whole chunk. Arrays that still carry options or indices would make
fastjet walk the entire underlying buffer for each jet.

References
----------
anti-kT: M. Cacciari, G. Salam, G. Soyez, JHEP 04 (2008) 063. mMDT: M. Dasgupta et al., JHEP 09 (2013) 029.
Soft drop: A. Larkoski et al., JHEP 05 (2014) 146. N-subjettiness: J. Thaler, K. Van Tilburg, JHEP 03 (2011) 015.
"""

from __future__ import annotations

import os
import warnings
from typing import Any

import awkward as ak
import fastjet
import numpy as np

from xaug.core.types import Array
from xaug.formats.momenta import FourVectors, delta_phi, kinematics
from xaug.jets.jets import ALGORITHMS, AXES, BETAS, MAX_AXES

__all__ = [
    "MEASURE",
    "cluster",
    "decluster",
    "given",
    "groom",
    "n_subjettiness",
    "recluster",
    "regroup",
]

MEASURE = "UnnormalizedMeasure"
"""fastjet silently uses another definition if it does not know this name; so it does with the names of axes."""
_ONE_JET = 100.0
"""A Cambridge-Aachen radius that gathers all constituents into one jet."""
_banner_printed = False


def _sequence(particles: FourVectors, definition: Any) -> Any:
    # at the first clustering of a process, fastjet prints its banner on the standard output of C++
    global _banner_printed
    if _banner_printed:
        return fastjet.ClusterSequence(particles.packed(), definition)
    _banner_printed = True
    saved, quiet = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(quiet, 1)
        return fastjet.ClusterSequence(particles.packed(), definition)
    finally:
        os.dup2(saved, 1)
        os.close(saved)
        os.close(quiet)


def cluster(
    particles: FourVectors, radius: float, min_pt: float, algorithm: str = "antikt"
) -> tuple[Array, Array, FourVectors]:
    """Cluster jets in all events.

    Parameters
    ----------
    particles
        grouped by event
    radius
        distance parameter R
    min_pt
        least jet pT [GeV]
    algorithm
        a name in ALGORITHMS: anti-kT by default

    Returns
    -------
    event : (n,)
        event of each jet; jets are ordered by event, then by descending pT
    index : (m,)
        flat positions in `particles` of the jets' constituents, jet after jet
    constituents : FourVectors
        the constituents, grouped by jet
    """
    filled = particles.counts > 0
    if not filled.any():
        none = np.zeros(0, dtype=np.int64)
        return none, none, particles.take(none, none)
    starts = np.cumsum(particles.counts) - particles.counts
    compact = FourVectors(particles.px, particles.py, particles.pz, particles.e, particles.counts[filled])
    sequence = _sequence(compact, fastjet.JetDefinition(getattr(fastjet, ALGORITHMS[algorithm]), radius))
    found = sequence.constituent_index(min_pt=min_pt)
    jets_per_event = ak.to_numpy(ak.num(found, axis=1))
    event = np.repeat(np.flatnonzero(filled), jets_per_event)
    counts = ak.to_numpy(ak.flatten(ak.num(found, axis=2)))
    index = ak.to_numpy(ak.flatten(found, axis=None)) + np.repeat(starts[event], counts)
    momenta = particles.take(index, counts)
    p = momenta.totals()
    order = np.lexsort((-np.hypot(p[:, 0], p[:, 1]), event))
    return event[order], *regroup(momenta, index, order)


def given(particles: FourVectors, event_of: Array, min_pt: float) -> tuple[Array, Array, FourVectors]:
    """Take jets as a file gives them, in the form of `cluster`.

    Parameters
    ----------
    particles
        grouped by jet
    event_of
        event of each jet, (jets,), ascending
    min_pt
        least jet pT [GeV]
    """
    p = particles.totals()
    pt = np.hypot(p[:, 0], p[:, 1])
    kept = np.flatnonzero((particles.counts > 0) & (pt >= min_pt))
    order = kept[np.lexsort((-pt[kept], event_of[kept]))]
    return event_of[order], *regroup(particles, np.arange(len(particles.px)), order)


def regroup(momenta: FourVectors, index: Array, groups: Array) -> tuple[Array, FourVectors]:
    """Take some groups of particles, in the given order.

    Parameters
    ----------
    momenta
        particles in groups
    index
        a number or row for each particle, (m, ...)
    groups
        numbers of the groups to take

    Returns
    -------
    index, momenta
        those of the particles in these groups
    """
    starts = np.cumsum(momenta.counts) - momenta.counts
    counts = momenta.counts[groups]
    ends = np.cumsum(counts)
    within = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)
    flat = np.repeat(starts[groups], counts) + within
    return index[flat], momenta.take(flat, counts)


def recluster(constituents: FourVectors) -> Any:
    """The Cambridge-Aachen sequence (of fastjet) that gathers all constituents of each jet into one jet."""
    return _sequence(constituents, fastjet.JetDefinition(fastjet.cambridge_algorithm, _ONE_JET))


def decluster(jets: FourVectors) -> Array:
    """Undo the last Cambridge-Aachen step of each jet; every jet must have two constituents or more.

    Returns
    -------
    (m,) int
        branch of each constituent: 0 the harder one in pT, 1 the softer one
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fastjet warns about exclusive jets; those of C/A are well defined
        found = recluster(jets).exclusive_jets_constituent_index(njets=2)
    starts = np.cumsum(jets.counts) - jets.counts
    sizes = ak.to_numpy(ak.flatten(ak.num(found, axis=2)))  # two for each jet
    index = ak.to_numpy(ak.flatten(found, axis=None)) + np.repeat(np.repeat(starts, 2), sizes)
    branch = np.empty(len(jets.px), dtype=np.int64)
    branch[index] = np.repeat(np.tile([0, 1], len(jets)), sizes)
    pt = branch_pt(jets, branch)
    return np.where((pt[:, 0] < pt[:, 1])[jets.group], 1 - branch, branch)


def branch_pt(jets: FourVectors, branch: Array) -> Array:
    """Transverse momenta (n, 2) of the two branches of each jet [GeV]."""
    p = jets.sums(2 * jets.group + branch, 2 * len(jets))
    return np.hypot(p[:, 0], p[:, 1]).reshape(-1, 2)


def branch_distance(jets: FourVectors, branch: Array) -> Array:
    """Distance (n,) in rapidity and azimuth of the two branches of each jet."""
    p = kinematics(jets.sums(2 * jets.group + branch, 2 * len(jets)).reshape(-1, 2, 4))
    distance: Array = np.hypot(p["rapidity"][:, 0] - p["rapidity"][:, 1], delta_phi(p["phi"][:, 0], p["phi"][:, 1]))
    return distance


def groom(jets: FourVectors, z_cut: float, beta: float = 0.0, radius: float = 0.8) -> tuple[Array, FourVectors, Array]:
    """Groom jets with soft drop, and find their two subjets.

    Each jet is declustered with Cambridge-Aachen, always along the harder branch, until the softer branch carries
    more than `z_cut` (Delta R / radius)^beta of the scalar pT sum of both, where Delta R is their distance in rapidity
    and azimuth. With beta = 0 this is the modified mass-drop tagger; z_cut = 0 keeps all constituents.

    Dropped particles never change the tree of the remaining ones,
    so each step reclusters the remaining constituents of all unfinished jets at once. The soft drop of fastjet
    gives the same jets, but its Python interface takes a time quadratic in the number of constituents to return
    them: ten times as long for 60 constituents.

    Returns
    -------
    index : (m,)
        flat positions in `jets` of the remaining constituents, jet after jet
    groomed : FourVectors
    subjet : (m,)
        0 leading, 1 subleading in pT; all 0 where a single particle is left
    """
    number = np.arange(len(jets))  # the jets that are not finished
    index, rest = np.arange(len(jets.px)), jets
    done: list[tuple[Array, Array, Array]] = []  # jet, position and subjet of each constituent
    while len(number):
        single = rest.counts < 2
        if single.any():
            kept, _ = regroup(rest, index, np.flatnonzero(single))
            done.append((number[single], kept, np.zeros(len(kept), dtype=np.int64)))
            index, rest = regroup(rest, index, np.flatnonzero(~single))
            number = number[~single]
            continue
        branch = decluster(rest)
        pt = branch_pt(rest, branch)
        threshold = z_cut * pt.sum(axis=1)
        if beta:
            threshold *= (branch_distance(rest, branch) / radius) ** beta
        passed = pt[:, 1] > threshold
        ends = passed[rest.group]
        done.append((number[rest.group][ends], index[ends], branch[ends]))
        goes_on = ~ends & (branch == 0)
        counts = np.bincount(rest.group[goes_on], minlength=len(number))[~passed]
        index, rest, number = index[goes_on], rest.take(np.flatnonzero(goes_on), counts), number[~passed]
    jet_index, index, subjet = (np.concatenate(parts) for parts in zip(*done, strict=True)) if done else [index] * 3
    order = np.lexsort((index, jet_index))
    counts = np.bincount(jet_index, minlength=len(jets))
    return index[order], jets.take(index[order], counts), subjet[order]


def n_subjettiness(sequence: Any, betas: tuple[float, ...] = BETAS, axes: str = "onepass_wta") -> Array:
    """N-subjettiness sum_i pT_i min_k (Delta R_ik)^beta [GeV] for N = 1 .. MAX_AXES, not divided by any pT.

    Parameters
    ----------
    sequence
        the jets, see `recluster`
    betas
        angular exponents
    axes
        a name in AXES

    Returns
    -------
    (n_jets, len(betas), MAX_AXES) float64
    """
    taus = [
        sequence.njettiness(
            measure_definition=MEASURE, axes_definition=AXES[axes], njets=list(range(1, MAX_AXES + 1)), beta=beta
        )
        for beta in betas
    ]
    return np.stack([ak.to_numpy(tau).reshape(-1, MAX_AXES) for tau in taus], axis=1)
