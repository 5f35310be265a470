"""Events of Delphes (J. de Favereau et al., JHEP 02 (2014) 057): particle flow, leptons and missing momentum."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import awkward as ak
import numpy as np
from coffea.nanoevents import DelphesSchema

from xaug.core.types import Array, JsonObject
from xaug.formats.base import Collisions, FinalState, Format, Wanted, refuse_momenta, register_format
from xaug.formats.delphes_flow import (
    CANDIDATES,
    ENERGY_FLOW,
    HELD,
    branches,
    checked_columns,
    merged,
    read_flow,
    weights_of,
)
from xaug.formats.delphes_jets import DelphesJets
from xaug.formats.limits import refuse_small_missing
from xaug.formats.momenta import LEPTON_MASS, delta_phi, pairs
from xaug.formats.root import RootFormat, flat_columns
from xaug.formats.xaug_tree import heavy_quarks

__all__ = ["DELPHES", "DELPHES_CANDIDATES"]

SAME_DIRECTION = 0.01
"""Distance in (eta, phi) below which a track is that of a lepton."""
FLOW = {
    "EFlowTrack": {"pt": "PT", "eta": "Eta", "phi": "Phi", "mass": "Mass"},
    "EFlowPhoton": {"pt": "ET", "eta": "Eta", "phi": "Phi"},
    "EFlowNeutralHadron": {"pt": "ET", "eta": "Eta", "phi": "Phi"},
}
LEPTONS = {11: "Electron", 13: "Muon"}
"""|PDG id| -> collection."""
LEPTON = {"pt": "PT", "eta": "Eta", "phi": "Phi"}
QUARK = {"pt": "PT", "eta": "Eta", "phi": "Phi", "id": "PID"}
COLUMNS = {
    **FLOW,
    **dict.fromkeys(LEPTONS.values(), LEPTON),
    "Particle": QUARK,
    "MissingET": {"met": "MET", "phi": "Phi"},
    "Event": {"weight": "Weight"},
}
"""Collection -> our name -> branch, of all that is read."""


class Delphes(RootFormat):
    """Trees of Delphes, as the DelphesSchema of coffea arranges them."""

    name = "delphes"
    label = "a file of Delphes (ROOT)"
    layout = "tree Delphes: EFlowTrack, EFlowPhoton, EFlowNeutralHadron [GeV, mm], Electron, Muon, MissingET, Particle"
    tree = "Delphes"
    schema = DelphesSchema
    signature = tuple(
        f"{collection}/{collection}.{branch}" for collection, own in COLUMNS.items() for branch in own.values()
    )

    def kind(self, metadata: JsonObject) -> str:
        """Files of Delphes are read as events."""
        return "events"

    def collision_columns(self) -> tuple[str, ...]:
        """All that is read is needed."""
        return self.signature

    def read_collisions(self, chunk: Any, first: int) -> Collisions:
        """Read what the detector measured: particle-flow objects, leptons and missing momentum."""
        flows = [columns(chunk, collection, own, first) for collection, own in FLOW.items()]
        event, order = merged([counts for _, counts in flows])
        particles = {
            name: np.concatenate([own[name] if name in own else np.zeros(len(own["pt"])) for own, _ in flows])[order]
            for name in ("pt", "eta", "phi", "mass")
        }
        counts = np.bincount(event, minlength=len(flows[0][1]))

        found = [columns(chunk, collection, LEPTON, first) for collection in LEPTONS.values()]
        lepton_event, order = merged([own for _, own in found])
        leptons = {name: np.concatenate([own[name] for own, _ in found])[order] for name in LEPTON}
        ids = np.repeat(list(LEPTONS), [len(own["pt"]) for own, _ in found])[order]
        leptons |= {"id": ids, "mass": np.array([LEPTON_MASS[i] for i in ids.tolist()])}

        left, right = pairs(lepton_event, counts)
        distance = np.hypot(
            leptons["eta"][left] - particles["eta"][right], delta_phi(leptons["phi"][left], particles["phi"][right])
        )
        same = distance < SAME_DIRECTION
        particles["lepton"] = np.full(len(event), -1)
        particles["lepton"][right[same]] = left[same]

        branches = {name: f"Particle.{own}" for name, own in QUARK.items()}
        quarks, quark_counts = heavy_quarks(chunk, branches, first)
        met = missing_momentum(chunk, first)
        sums = np.bincount(event, particles["pt"], len(counts))
        refuse_small_missing("MissingET.MET", np.hypot(*met.T), sums)
        return Collisions(particles, counts, leptons, lepton_event, quarks, quark_counts, met)

    def weights(self, chunk: Any, first: int) -> Array:
        """The weight of `Event`; 1 where there is none."""
        return weights_of(chunk, first)

    def holds(self, columns: Collection[str]) -> frozenset[str]:
        """Ids of towers are those of photons and of K_L, all lengths are impact parameters."""
        return HELD

    def with_jets(self, collection: str) -> Format:
        """Jets of Delphes that were clustered of the energy flow."""
        return DelphesJets(self, ENERGY_FLOW, collection)

    def particle_columns(self, wanted: Wanted) -> tuple[str, ...]:
        """Tracks and towers of the energy flow."""
        return checked_columns(self, wanted, branches(ENERGY_FLOW))

    def read_particles(self, chunk: Any, wanted: Wanted, first: int) -> FinalState:
        """Tracks and towers, of which jets are clustered."""
        return read_flow(chunk, first, ENERGY_FLOW)


class DelphesCandidates(RootFormat):
    """Trees of Delphes with particle-flow candidates, of which jets are clustered."""

    name = "delphes_candidates"
    label = "a file of Delphes with particle-flow candidates (ROOT)"
    layout = "tree Delphes: ParticleFlowCandidate (PT, Eta, Phi, Mass [GeV], PID, Charge, D0, DZ [mm])"
    tree = "Delphes"
    schema = DelphesSchema
    signature = branches(CANDIDATES)

    def holds(self, columns: Collection[str]) -> frozenset[str]:
        """Kinds of particles and their impact parameters."""
        return HELD

    def with_jets(self, collection: str) -> Format:
        """Jets of Delphes that were clustered of the candidates."""
        return DelphesJets(self, CANDIDATES, collection)

    def particle_columns(self, wanted: Wanted) -> tuple[str, ...]:
        """The candidates."""
        return checked_columns(self, wanted, self.signature)

    def read_particles(self, chunk: Any, wanted: Wanted, first: int) -> FinalState:
        """The candidates, of which jets are clustered."""
        return read_flow(chunk, first, CANDIDATES)

    def weights(self, chunk: Any, first: int) -> Array:
        """The weight of `Event`; 1 where there is none."""
        return weights_of(chunk, first)


def columns(chunk: Any, collection: str, branches: dict[str, str], first: int) -> tuple[dict[str, Array], Array]:
    """Flat columns of a collection by our names, and how many members each event has."""
    full = {name: f"{collection}.{branch}" for name, branch in branches.items()}
    found, counts = flat_columns(chunk, full)
    refuse_momenta(found, full, counts, first)
    return found, counts


def missing_momentum(chunk: Any, first: int) -> Array:
    """px and py (n, 2) of the missing momentum [GeV]."""
    names = {"met": "MissingET.MET", "phi": "MissingET.Phi"}
    found = {
        name: ak.to_numpy(ak.flatten(chunk["MissingET"][branch.partition(".")[2]], axis=None))
        for name, branch in names.items()
    }
    refuse_momenta(found, names, np.ones(len(found["met"]), int), first)
    return np.stack([found["met"] * np.cos(found["phi"]), found["met"] * np.sin(found["phi"])], axis=1)


DELPHES = register_format(Delphes())
DELPHES_CANDIDATES = register_format(DelphesCandidates())
