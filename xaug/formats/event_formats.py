"""Formats of whole events: the tree `T` of `xaug.generate vlq`, and Delphes; both become `Collisions`."""

from __future__ import annotations

from dataclasses import dataclass

import awkward as ak
import numpy as np

from xaug.formats.xaug_tree import flat_columns, refuse
from xaug.jets.jets import delta_phi
from xaug.jets.particle_kinds import NEUTRINOS

__all__ = ["DELPHES_BRANCHES", "TREE_BRANCHES", "Collisions", "pairs", "read_delphes", "read_tree"]

LEPTON_MASS = {11: 0.000511, 13: 0.10566}
"""Masses of electrons and muons [GeV]."""
SAME_DIRECTION = 0.01
"""Distance in (eta, phi) below which a Delphes track is that of a lepton."""

PARTICLES = {c: f"particle_{c}" for c in ("pt", "eta", "phi", "id")} | {"mass": "particle_m"}
QUARKS = {c: f"gen_{c}" for c in ("pt", "eta", "phi", "id")}
TREE_BRANCHES = (*PARTICLES.values(), *QUARKS.values())
"""Branches that a tree of `xaug.generate vlq` must have."""

DELPHES_FLOW = {
    "EFlowTrack": {"pt": "PT", "eta": "Eta", "phi": "Phi", "mass": "Mass"},
    "EFlowPhoton": {"pt": "ET", "eta": "Eta", "phi": "Phi"},
    "EFlowNeutralHadron": {"pt": "ET", "eta": "Eta", "phi": "Phi"},
}
DELPHES_LEPTONS = {11: "Electron", 13: "Muon"}
DELPHES_LEPTON = {"pt": "PT", "eta": "Eta", "phi": "Phi"}
DELPHES_QUARKS = {"pt": "PT", "eta": "Eta", "phi": "Phi", "id": "PID"}
DELPHES_BRANCHES = tuple(
    f"{name}/{name}.{branch}"
    for name, branches in {
        **DELPHES_FLOW,
        **dict.fromkeys(DELPHES_LEPTONS.values(), DELPHES_LEPTON),
        "Particle": DELPHES_QUARKS,
        "MissingET": {"met": "MET", "phi": "Phi"},
        "Event": {"weight": "Weight"},
    }.items()
    for branch in branches.values()
)
"""Branches that a Delphes file must have."""


@dataclass(frozen=True)
class Collisions:
    """What is known of a chunk of n events: visible particles, leptons, heavy quarks. Momenta in GeV."""

    particles: dict[str, np.ndarray]  # (m,) each: pt eta phi mass, and lepton: the lepton it is, or -1
    counts: np.ndarray  # (n,) particles
    leptons: dict[str, np.ndarray]  # electrons and muons, (k,) each: pt eta phi id mass
    lepton_event: np.ndarray  # (k,) ascending
    quarks: dict[str, np.ndarray]  # b and c quarks, (q,) each: pt eta phi id
    quark_counts: np.ndarray  # (n,)
    met: np.ndarray | None  # (n, 2) px and py of a detector's missing momentum [GeV]; None: there was no detector

    def __len__(self) -> int:
        return len(self.counts)


def pairs(event: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All pairs (left, right) of things in given events, and members of these events (`counts` in each)."""
    starts = np.cumsum(counts) - counts
    sizes = counts[event]
    left = np.repeat(np.arange(len(event)), sizes)
    first = np.cumsum(sizes) - sizes
    return left, np.arange(len(left)) - np.repeat(first - starts[event], sizes)


def read_tree(chunk, first: int) -> Collisions:
    """Events of the tree T: particles as generated. `first` is the chunk's first entry, for messages.

    Raises
    ------
    BadValues
        naming branch and entry, where a momentum is not finite or a pT is negative
    """
    columns, counts = _momenta(chunk, PARTICLES, first)
    visible = ~np.isin(np.abs(columns["id"]), NEUTRINOS) & (columns["pt"] > 0)
    event = np.repeat(np.arange(len(counts)), counts)[visible]
    particles = {name: values[visible] for name, values in columns.items()}
    ids = np.abs(particles.pop("id"))
    is_lepton = np.isin(ids, tuple(LEPTON_MASS))
    leptons = {name: values[is_lepton] for name, values in particles.items()} | {"id": ids[is_lepton]}
    particles["lepton"] = np.where(is_lepton, np.cumsum(is_lepton) - 1, -1)
    counts = np.bincount(event, minlength=len(counts))
    return Collisions(particles, counts, leptons, event[is_lepton], *_quarks(chunk, QUARKS, first), None)


def read_delphes(chunk, first: int) -> Collisions:
    """Events of a Delphes file: particle-flow objects, leptons and missing momentum of its detector."""
    flows = [
        _momenta(chunk, {name: f"{collection}.{branch}" for name, branch in branches.items()}, first)
        for collection, branches in DELPHES_FLOW.items()
    ]
    n = len(flows[0][1])
    event, order = _merged([counts for _, counts in flows])
    particles = {
        name: np.concatenate([f[name] if name in f else np.zeros(len(f["pt"])) for f, _ in flows])[order]
        for name in ("pt", "eta", "phi", "mass")
    }
    counts = np.bincount(event, minlength=n)

    found = [
        _momenta(chunk, {name: f"{collection}.{branch}" for name, branch in DELPHES_LEPTON.items()}, first)
        for collection in DELPHES_LEPTONS.values()
    ]
    lepton_event, order = _merged([own for _, own in found])
    leptons = {name: np.concatenate([f[name] for f, _ in found])[order] for name in DELPHES_LEPTON}
    kinds = np.repeat(list(DELPHES_LEPTONS), [len(f["pt"]) for f, _ in found])[order]
    leptons |= {"id": kinds, "mass": np.array([LEPTON_MASS[kind] for kind in kinds.tolist()])}

    left, right = pairs(lepton_event, counts)
    distance = np.hypot(
        leptons["eta"][left] - particles["eta"][right], delta_phi(leptons["phi"][left], particles["phi"][right])
    )
    same = distance < SAME_DIRECTION
    particles["lepton"] = np.full(len(event), -1)
    particles["lepton"][right[same]] = left[same]

    missing, phi = (ak.to_numpy(ak.flatten(chunk["MissingET"][c], axis=None)) for c in ("MET", "Phi"))
    for name, values in (("MissingET.MET", missing), ("MissingET.Phi", phi)):
        refuse(name, values, ~np.isfinite(values), np.arange(len(values)), first)
    met = np.stack([missing * np.cos(phi), missing * np.sin(phi)], axis=1)
    branches = {name: f"Particle.{branch}" for name, branch in DELPHES_QUARKS.items()}
    return Collisions(particles, counts, leptons, lepton_event, *_quarks(chunk, branches, first), met)


def _merged(counts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Event of each member of several collections, ascending, and how to order their concatenation so."""
    event = np.concatenate([np.repeat(np.arange(len(own)), own) for own in counts])
    order = np.argsort(event, kind="stable")
    return event[order], order


def _momenta(chunk, branches: dict[str, str], first: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    columns, counts = flat_columns(chunk, branches)
    event = np.repeat(np.arange(len(counts)), counts)
    for name, values in columns.items():
        bad = ~np.isfinite(values) | (values < 0 if name == "pt" else False)
        refuse(branches[name], values, bad, event, first)
    return columns, counts


def _quarks(chunk, branches: dict[str, str], first: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    columns, counts = flat_columns(chunk, branches)
    event = np.repeat(np.arange(len(counts)), counts)
    # partons along the beam have an infinite pseudorapidity, and no jet
    heavy = np.isin(np.abs(columns["id"]), (4, 5)) & (columns["pt"] > 0)
    for name in ("pt", "eta", "phi"):
        refuse(branches[name], columns[name], heavy & ~np.isfinite(columns[name]), event, first)
    quarks = {name: values[heavy] for name, values in columns.items()}
    return quarks | {"id": np.abs(quarks["id"])}, np.bincount(event[heavy], minlength=len(counts))
