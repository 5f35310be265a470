"""The tree `T` of xaug's generator and of that of arXiv:2011.13466, one entry an event.

Samples of jets have jagged branches `constituent_*` and `gen_*` (float32, int32), as the generator of that paper
writes them. Substructure is not stored: processing computes it from the constituents. Samples of events have
`particle_*`, all final particles, and `gen_*`. A string in the file holds its metadata as JSON.
"""

from __future__ import annotations

import json
from typing import Any

import awkward as ak
import numpy as np
import uproot

from xaug.core.types import Array, Arrays, JsonObject
from xaug.formats.base import (
    Collisions,
    FinalState,
    UnsuitableFile,
    Wanted,
    refuse,
    refuse_momenta,
    refuse_unphysical,
    register_format,
)
from xaug.formats.momenta import LEPTON_MASS, NEUTRINOS
from xaug.formats.root import RootFormat, flat_columns

__all__ = ["METADATA", "TREE", "XAUG_TREE", "heavy_quarks", "radiated_photons", "read_metadata"]

TREE = "T"
METADATA = "xaug"
"""Name of the string in the file that holds process, label, cross section, seed and settings as JSON."""

CONSTITUENTS = {
    "pt": "constituent_pt",
    "eta": "constituent_eta",
    "phi": "constituent_phi",
    "mass": "constituent_m",
    "id": "constituent_id",
    "vx": "constituent_vxx",
    "vy": "constituent_vyy",
    "vz": "constituent_vzz",
}
"""Our name -> branch of the particles that jets are made of. GeV, mm."""
OPTIONAL = {"status": "constituent_status"}
"""Columns that are read only where they are wanted: files of other generators may lack them."""
PARTONS = {name: f"gen_{name}" for name in ("id", "status", "mother1", "eta", "phi")}
"""Our name -> branch of the generator's partons."""
PARTICLES = {name: f"particle_{name}" for name in ("pt", "eta", "phi", "id", "status")} | {"mass": "particle_m"}
"""Our name -> branch of all final particles of an event. GeV."""
QUARKS = {name: f"gen_{name}" for name in ("pt", "eta", "phi", "id")}
"""Our name -> branch of the partons whose b and c quarks are read."""


def read_metadata(root: uproot.ReadOnlyDirectory) -> JsonObject:
    """The metadata of a file; empty for files that xaug did not write.

    Raises
    ------
    UnsuitableFile
        if the metadata is no JSON object
    """
    if METADATA not in root.keys(recursive=False, cycle=False):
        return {}
    try:
        content = json.loads(str(root[METADATA]))
    except (ValueError, uproot.DeserializationError) as error:
        raise UnsuitableFile(f"has damaged {METADATA!r} metadata ({error}); copy or generate it again") from None
    if not isinstance(content, dict):
        raise UnsuitableFile(f"has damaged {METADATA!r} metadata (no JSON object); copy or generate it again")
    return content


class XaugTree(RootFormat):
    """Trees with `constituent_*` branches (jets) or `particle_*` branches (events)."""

    name = "xaug_tree"
    label = "a tree of xaug (ROOT)"
    layout = "tree T: constituent_pt, _eta, _phi, _m [GeV], _id, _vxx, _vyy, _vzz [mm], gen_*; or particle_* of events"
    tree = TREE
    signature = (*CONSTITUENTS.values(), *PARTICLES.values())

    def metadata(self, root: Any) -> JsonObject:
        """The metadata that the generator wrote beside the tree."""
        return read_metadata(root)

    def kind(self, metadata: JsonObject) -> str:
        """The kind that the generator named; files of other generators hold jets."""
        return str(metadata.get("kind", "jets"))

    def particle_columns(self, wanted: Wanted) -> list[str]:
        """Branches of constituents and, where they are wanted, of partons."""
        return [*self._constituents(wanted).values(), *(PARTONS.values() if wanted.partons else ())]

    def read_particles(self, chunk: Any, wanted: Wanted, first: int) -> FinalState:
        """Read the constituents and, where they are wanted, the partons."""
        branches = self._constituents(wanted)
        particles, counts = flat_columns(chunk, branches)
        refuse_momenta(particles, branches, counts, first)
        partons = None
        if wanted.partons:
            columns, of_event = flat_columns(chunk, PARTONS)
            event = np.repeat(np.arange(len(of_event)), of_event)
            # only outgoing partons are ever used; incoming ones have an infinite pseudorapidity
            outgoing = np.abs(columns["status"]) == 23
            for name in ("eta", "phi"):
                refuse(PARTONS[name], columns[name], outgoing & ~np.isfinite(columns[name]), event, first)
            partons = ak.unflatten(ak.zip(columns), of_event)
        return FinalState(particles, counts, partons)

    def collision_columns(self) -> list[str]:
        """Branches of final particles and of partons."""
        return [*PARTICLES.values(), *QUARKS.values()]

    def read_collisions(self, chunk: Any, first: int) -> Collisions:
        """Read events as they were generated: nothing is measured yet, and neutrinos are left out."""
        columns, counts = flat_columns(chunk, PARTICLES)
        refuse_momenta(columns, PARTICLES, counts, first)
        visible = ~np.isin(np.abs(columns["id"]), NEUTRINOS) & (columns["pt"] > 0)
        event = np.repeat(np.arange(len(counts)), counts)[visible]
        particles = {name: values[visible] for name, values in columns.items()}
        ids = np.abs(particles["id"])
        particles["radiated"] = radiated_photons(particles["id"], particles.pop("status"))
        is_lepton = np.isin(ids, tuple(LEPTON_MASS))
        four_momentum = ("pt", "eta", "phi", "mass")
        leptons = {name: particles[name][is_lepton] for name in four_momentum} | {"id": ids[is_lepton]}
        particles["lepton"] = np.where(is_lepton, np.cumsum(is_lepton) - 1, -1)
        of_event = np.bincount(event, minlength=len(counts))
        return Collisions(particles, of_event, leptons, event[is_lepton], *heavy_quarks(chunk, QUARKS, first), met=None)

    def weights(self, chunk: Any, first: int) -> Array:
        """The branch `weight`."""
        if "weight" not in chunk.fields:
            return np.ones(len(chunk))
        weights: Array = ak.to_numpy(chunk["weight"]).astype(np.float64)
        refuse("weight", weights, ~np.isfinite(weights), np.arange(len(weights)), first)
        return weights

    @staticmethod
    def _constituents(wanted: Wanted) -> dict[str, str]:
        for name in wanted.columns:
            if name not in OPTIONAL and name not in CONSTITUENTS:
                raise UnsuitableFile(f"cannot hold the column {name!r} of particles, which these settings need")
        return CONSTITUENTS | {name: OPTIONAL[name] for name in wanted.columns if name in OPTIONAL}


def radiated_photons(ids: Array, status: Array) -> Array:
    """Whether particles (n,) are photons that leptons or quarks radiated: no hadron and no decay made them.

    Pythia gives the status codes 81 to 99 to products of hadronisation and of decays.
    """
    radiated: Array = (ids == 22) & (np.abs(status) < 81)
    return radiated


def heavy_quarks(chunk: Any, branches: dict[str, str], first: int) -> tuple[Arrays, Array]:
    """The b and c quarks of events: flat columns pt, eta, phi, id (|PDG id|), and how many each event has."""
    columns, counts = flat_columns(chunk, branches)
    event = np.repeat(np.arange(len(counts)), counts)
    # partons along the beam have an infinite pseudorapidity, and no jet
    heavy = np.isin(np.abs(columns["id"]), (4, 5)) & (columns["pt"] > 0)
    quarks = {name: values[heavy] for name, values in columns.items()}
    refuse_unphysical({name: quarks[name] for name in ("pt", "phi")}, branches, event[heavy], first)
    # partons within the beams have any pseudorapidity
    refuse(branches["eta"], quarks["eta"], ~np.isfinite(quarks["eta"]), event[heavy], first)
    return quarks | {"id": np.abs(quarks["id"])}, np.bincount(event[heavy], minlength=len(counts))


XAUG_TREE = register_format(XaugTree())
