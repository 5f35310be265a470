"""CMS NanoAOD with particle-flow candidates of large jets (PFNano; coffea's PFNanoAODSchema)."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from typing import Any

import awkward as ak
import numpy as np
from coffea.nanoevents import PFNanoAODSchema

from xaug.core.errors import BadValues, unknown_name
from xaug.core.types import Array
from xaug.formats.base import FinalState, Source, UnsuitableFile, Wanted, refuse, refuse_unphysical, register_format
from xaug.formats.charges import impact_parameters
from xaug.formats.root import RootFormat, flat_columns

__all__ = ["PFNANO", "are_weighted"]

CM = 10.0
"""Millimetres in a centimetre: NanoAOD has displacements in cm."""
CANDIDATES = {"pt": "pt", "eta": "eta", "phi": "phi", "mass": "mass", "id": "pdgId", "charge": "charge"}
CANDIDATES |= {"dxy": "d0", "dz": "dz"}
NO_TRACK = -1.0
"""d0 and dz of candidates without details of a track: neutral ones, and charged ones of low momentum."""
LARGE = "FatJet"
COLLECTIONS = (LARGE, "Jet")
"""Collections of jets, each with its links to candidates: FatJetPFCands, JetPFCands."""
LINKS = {"candidate": "pFCandsIdx", "jet": "jetIdx"}


class Schema(PFNanoAODSchema):  # type: ignore[misc]  # coffea has no types
    """The schema of coffea, without its warnings about collections that are not read here."""

    warn_missing_crossrefs = False

    def __init__(self, base_form: Any, *arguments: Any, **options: Any):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            super().__init__(base_form, *arguments, **options)


class PFNano(RootFormat):
    """Large or small jets (`FatJet`, `Jet`) and their candidates, with PUPPI weights if jets were made with them."""

    name = "pfnano"
    label = "a CMS NanoAOD file with particle-flow candidates (ROOT)"
    layout = "FatJet, FatJetPFCands (or Jet, JetPFCands), PFCands (pt ... mass [GeV], pdgId, charge, d0, dz [cm])"
    tree = "Events"
    schema = Schema
    gives_jets = True

    def __init__(self, jets: str = LARGE):
        self.jets, self.links = jets, f"{jets}PFCands"
        if jets != LARGE:
            self.name = f"{type(self).name}:{jets}"  # type: ignore[misc]  # each has its own

    @property
    def signature(self) -> tuple[str, ...]:
        """Jets, the numbers of their candidates, and the candidates."""
        return (
            f"{self.jets}_pt",
            *(f"{self.links}_{name}" for name in LINKS.values()),
            *(f"PFCands_{name}" for name in CANDIDATES.values()),
        )

    def with_jets(self, collection: str) -> PFNano:
        """Jets of a collection whose candidates the file tells: FatJet or Jet."""
        if collection not in COLLECTIONS:
            raise UnsuitableFile(str(unknown_name("collection of jets", collection, COLLECTIONS)))
        return PFNano(collection)

    def likeness(self, source: Source) -> float:
        """0 for other trees `Events`, as of NanoAOD without candidates."""
        found = super().likeness(source)
        return found if found > 0.1 else 0.0

    def holds(self, columns: Collection[str]) -> frozenset[str]:
        return frozenset(("id", "charge", "dxy", "dz", "phi"))

    def particle_columns(self, wanted: Wanted) -> tuple[str, ...]:
        if wanted.partons or wanted.columns:
            what = "partons of the hard process" if wanted.partons else wanted.columns[0]
            raise UnsuitableFile(f"is {self.label}, of which no {what} is read; leave that option out")
        return self.signature

    def read_particles(self, chunk: Any, wanted: Wanted, first: int) -> FinalState:
        names = {own: f"PFCands.{branch}" for own, branch in CANDIDATES.items()}
        particles, counts = flat_columns(chunk, names)
        links, link_counts = flat_columns(chunk, {own: f"{self.links}.{name}" for own, name in LINKS.items()})
        jets = ak.to_numpy(ak.num(chunk[self.jets]["pt"], axis=1))
        event = np.repeat(np.arange(len(link_counts)), link_counts)
        for own, sizes in (("candidate", counts), ("jet", jets)):
            bad = (links[own] < 0) | (links[own] >= sizes[event])
            refuse(f"{self.links}.{LINKS[own]}", links[own], bad, event, first)
        jet = (np.cumsum(jets) - jets)[event] + links["jet"]
        order = np.argsort(jet, kind="stable")
        place = ((np.cumsum(counts) - counts)[event] + links["candidate"])[order]
        chosen: dict[str, Array] = {own: values[place].astype(np.float64) for own, values in particles.items()}
        if "puppiWeight" in chunk["PFCands"].fields:
            weight = ak.to_numpy(ak.flatten(chunk["PFCands"]["puppiWeight"], axis=1))[place]
            bad = ~np.isfinite(weight) | (weight < 0)
            refuse("PFCands.puppiWeight", weight, bad, event[order], first)
            if self.jets == LARGE or are_weighted(chunk[self.jets], chosen, weight, jet[order]):
                chosen |= {"pt": chosen["pt"] * weight, "mass": chosen["mass"] * weight}
        chosen |= impact_parameters({own: chosen[own] for own in ("dxy", "dz")}, chosen, CM, NO_TRACK)
        chosen["mass"] = np.maximum(chosen["mass"], 0.0)
        chosen["id"] = chosen["id"].astype(int)
        refuse_unphysical(chosen, names, event[order], first)
        number = np.bincount(jet, minlength=int(jets.sum()))
        return FinalState(chosen, number, None, np.repeat(np.arange(len(jets)), jets), len(jets))

    def weights(self, chunk: Any, first: int) -> Array:
        """The branch `genWeight` of simulation; 1 for data."""
        if "genWeight" not in chunk.fields:
            return np.ones(len(chunk))
        weights: Array = ak.to_numpy(chunk["genWeight"]).astype(np.float64)
        if weights.ndim != 1:
            raise BadValues("genWeight has several values for each event")
        refuse("genWeight", weights, ~np.isfinite(weights), np.arange(len(weights)), first)
        return weights


def are_weighted(jets: Any, particles: dict[str, Array], weight: Array, jet: Array) -> bool:
    """Whether jets were clustered of candidates with PUPPI weights, as in Run 3, or of all charged ones of the vertex.

    It is told by which of the two gives their uncorrected momentum. Where this is not stored, weights count.

    Parameters
    ----------
    jets
        jets with `pt` and, where it is stored, `rawFactor`
    particles, weight, jet
        columns pt and phi of their candidates, the weight and the jet of each, (m,)
    """
    if "rawFactor" not in jets.fields or not len(jet):
        return True
    raw = ak.to_numpy(ak.flatten(jets["pt"] * (1 - jets["rawFactor"]))).astype(np.float64)
    apart = []
    for factor in (weight, np.ones(len(weight))):
        px, py = (np.bincount(jet, factor * particles["pt"] * f(particles["phi"]), len(raw)) for f in (np.cos, np.sin))
        apart.append(np.median(np.abs(np.hypot(px, py) - raw) / raw))
    return bool(apart[0] <= apart[1])


PFNANO = register_format(PFNano())
