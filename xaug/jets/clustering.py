"""The calls to fastjet: clustering, grooming, subjets, N-subjettiness.

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

import awkward as ak
import fastjet
import numpy as np
import vector

from xaug.jets.jets import BETAS, MAX_AXES

__all__ = [
    "AXES",
    "MEASURE",
    "FourVectors",
    "cluster",
    "groom",
    "kinematics",
    "n_subjettiness",
    "recluster",
    "regroup",
    "split",
]

MEASURE = "UnnormalizedMeasure"
AXES = "OnePass_WTA_KT_Axes"
"""fastjet falls back to other definitions without a word where it does not know these strings."""
_ONE_JET = 100.0
"""A Cambridge-Aachen radius that gathers all constituents into one jet."""
_greeted = False


class FourVectors:
    """Momenta of jagged particles: flat (m,) components [GeV] and how many belong to each event or jet."""

    def __init__(self, px, py, pz, e, counts):
        self.px, self.py, self.pz, self.e = (np.asarray(c, dtype=np.float64) for c in (px, py, pz, e))
        self.counts = np.asarray(counts, dtype=np.int64)

    @classmethod
    def from_pt_eta_phi_mass(cls, pt, eta, phi, mass, counts) -> FourVectors:
        """From flat pT [GeV], pseudorapidity, azimuth and mass [GeV]."""
        pt, eta, phi, mass = (np.asarray(c, dtype=np.float64) for c in (pt, eta, phi, mass))
        pz = pt * np.sinh(eta)
        return cls(pt * np.cos(phi), pt * np.sin(phi), pz, np.sqrt(pt**2 + pz**2 + mass**2), counts)

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def jet_index(self) -> np.ndarray:
        """Event or jet of each particle, (m,)."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def take(self, index: np.ndarray, counts: np.ndarray) -> FourVectors:
        """The particles at flat positions `index`, in new groups."""
        return FourVectors(self.px[index], self.py[index], self.pz[index], self.e[index], counts)

    def packed(self) -> ak.Array:
        """As fastjet wants them: (groups, var) records of px, py, pz, E."""
        records = ak.zip({"px": self.px, "py": self.py, "pz": self.pz, "E": self.e})
        return ak.unflatten(records, self.counts)

    def sums(self, group: np.ndarray, n: int) -> np.ndarray:
        """Four-momenta (n, 4) as px, py, pz, E, summed over particles of equal `group`."""
        return np.stack([np.bincount(group, c, n) for c in (self.px, self.py, self.pz, self.e)], axis=1)


def kinematics(p: np.ndarray) -> dict[str, np.ndarray]:
    """pt, eta, rapidity, phi, mass, energy of four-momenta (..., 4) given as px, py, pz, E [GeV]."""
    four = vector.arr({"px": p[..., 0], "py": p[..., 1], "pz": p[..., 2], "E": p[..., 3]})
    return {
        "pt": four.pt,
        "eta": four.eta,
        "rapidity": four.rapidity,
        "phi": four.phi,
        "mass": np.maximum(four.mass, 0.0),  # rounding makes massless particles slightly spacelike
        "energy": four.E,
    }


def _sequence(particles: FourVectors, definition) -> fastjet.ClusterSequence:
    # fastjet greets on the C++ standard output at its first clustering, once a process
    global _greeted
    if _greeted:
        return fastjet.ClusterSequence(particles.packed(), definition)
    _greeted = True
    saved, quiet = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(quiet, 1)
        return fastjet.ClusterSequence(particles.packed(), definition)
    finally:
        os.dup2(saved, 1)
        os.close(saved)
        os.close(quiet)


def cluster(particles: FourVectors, radius: float, min_pt: float) -> tuple[np.ndarray, np.ndarray, FourVectors]:
    """anti-kT jets of all events.

    Parameters
    ----------
    particles
        grouped by event
    radius
        distance parameter R
    min_pt
        least jet pT [GeV]

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
    sequence = _sequence(compact, fastjet.JetDefinition(fastjet.antikt_algorithm, radius))
    found = sequence.constituent_index(min_pt=min_pt)
    jets_per_event = ak.to_numpy(ak.num(found, axis=1))
    event = np.repeat(np.flatnonzero(filled), jets_per_event)
    counts = ak.to_numpy(ak.flatten(ak.num(found, axis=2)))
    index = ak.to_numpy(ak.flatten(found, axis=None)) + np.repeat(starts[event], counts)
    momenta = particles.take(index, counts)
    p = momenta.sums(momenta.jet_index, len(counts))
    order = np.lexsort((-np.hypot(p[:, 0], p[:, 1]), event))
    return event[order], *regroup(momenta, index, order)


def regroup(momenta: FourVectors, index: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, FourVectors]:
    """`index` and `momenta` of the given groups only, in the given order."""
    starts = np.cumsum(momenta.counts) - momenta.counts
    counts = momenta.counts[groups]
    ends = np.cumsum(counts)
    within = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)
    flat = np.repeat(starts[groups], counts) + within
    return index[flat], momenta.take(flat, counts)


def recluster(constituents: FourVectors) -> fastjet.ClusterSequence:
    """The Cambridge-Aachen sequence of each jet's constituents, all in one jet."""
    return _sequence(constituents, fastjet.JetDefinition(fastjet.cambridge_algorithm, _ONE_JET))


def split(jets: FourVectors) -> np.ndarray:
    """Branch (0 the harder in pT, 1 the softer) of each constituent, (m,), at the last Cambridge-Aachen step.

    Every jet must have two constituents or more.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fastjet warns of exclusive jets in general; this is C/A
        found = recluster(jets).exclusive_jets_constituent_index(njets=2)
    starts = np.cumsum(jets.counts) - jets.counts
    sizes = ak.to_numpy(ak.flatten(ak.num(found, axis=2)))  # two a jet
    index = ak.to_numpy(ak.flatten(found, axis=None)) + np.repeat(np.repeat(starts, 2), sizes)
    branch = np.empty(len(jets.px), dtype=np.int64)
    branch[index] = np.repeat(np.tile([0, 1], len(jets)), sizes)
    pt = branch_pt(jets, branch)
    return np.where((pt[:, 0] < pt[:, 1])[jets.jet_index], 1 - branch, branch)


def branch_pt(jets: FourVectors, branch: np.ndarray) -> np.ndarray:
    """pT (n, 2) of the two branches of each jet [GeV]."""
    p = jets.sums(2 * jets.jet_index + branch, 2 * len(jets))
    return np.hypot(p[:, 0], p[:, 1]).reshape(-1, 2)


def groom(jets: FourVectors, z_cut: float) -> tuple[np.ndarray, FourVectors, np.ndarray]:
    """Jets after the modified mass-drop tagger (soft drop with beta = 0), and the two subjets it found.

    The jet is declustered with Cambridge-Aachen, always along the harder branch, until the softer one
    carries more than `z_cut` of the two branches' scalar pT sum. What is dropped never changes the tree of
    what remains, so each step reclusters the remaining constituents of all jets that go on, at once.
    fastjet's own soft drop gives the same jets; its Python interface takes a time quadratic in the number
    of constituents to return them, ten times as long for 60.

    Returns
    -------
    index : (m,)
        flat positions in `jets` of the remaining constituents, jet after jet
    groomed : FourVectors
    subjet : (m,)
        0 leading, 1 subleading in pT; all 0 where a single particle is left
    """
    number = np.arange(len(jets))  # of the jets that go on
    index, rest = np.arange(len(jets.px)), jets
    done: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []  # jet, position, subjet of each constituent
    while len(number):
        single = rest.counts < 2
        if single.any():
            kept, _ = regroup(rest, index, np.flatnonzero(single))
            done.append((number[single], kept, np.zeros(len(kept), dtype=np.int64)))
            index, rest = regroup(rest, index, np.flatnonzero(~single))
            number = number[~single]
            continue
        branch = split(rest)
        pt = branch_pt(rest, branch)
        passed = pt[:, 1] > z_cut * pt.sum(axis=1)
        ends = passed[rest.jet_index]
        done.append((number[rest.jet_index][ends], index[ends], branch[ends]))
        goes_on = ~ends & (branch == 0)
        counts = np.bincount(rest.jet_index[goes_on], minlength=len(number))[~passed]
        index, rest, number = index[goes_on], rest.take(np.flatnonzero(goes_on), counts), number[~passed]
    jet_index, index, subjet = (np.concatenate(parts) for parts in zip(*done, strict=True)) if done else [index] * 3
    order = np.lexsort((index, jet_index))
    counts = np.bincount(jet_index, minlength=len(jets))
    return index[order], jets.take(index[order], counts), subjet[order]


def n_subjettiness(sequence: fastjet.ClusterSequence, betas: tuple[float, ...] = BETAS) -> np.ndarray:
    """sum_i pT_i min_k (Delta R_ik)^beta [GeV] for all N and beta, not divided by any pT.

    Returns
    -------
    (n_jets, len(betas), MAX_AXES) float64
    """
    taus = [
        sequence.njettiness(
            measure_definition=MEASURE, axes_definition=AXES, njets=list(range(1, MAX_AXES + 1)), beta=beta
        )
        for beta in betas
    ]
    return np.stack([ak.to_numpy(tau).reshape(-1, MAX_AXES) for tau in taus], axis=1)
