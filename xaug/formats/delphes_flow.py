"""Particles of Delphes of which jets are clustered: energy-flow objects, or particle-flow candidates."""

from __future__ import annotations

from typing import Any

import awkward as ak
import numpy as np

from xaug.core.types import Array, Arrays
from xaug.formats.base import FinalState, UnsuitableFile, Wanted, refuse, refuse_momenta, refuse_unphysical
from xaug.formats.charges import impact_parameters
from xaug.formats.root import RootFormat, flat_columns

__all__ = [
    "CANDIDATES", "ENERGY_FLOW", "HELD", "Flow", "branches", "checked_columns", "merged", "read_flow", "weights_of",
]  # fmt: skip

TRACK = {
    "pt": "PT",
    "eta": "Eta",
    "phi": "Phi",
    "mass": "Mass",
    "id": "PID",
    "charge": "Charge",
    "dxy": "D0",
    "dz": "DZ",
}
TOWER = {"pt": "ET", "eta": "Eta", "phi": "Phi"}
Flow = dict[str, dict[str, str]]
ENERGY_FLOW: Flow = {"EFlowTrack": TRACK, "EFlowPhoton": TOWER, "EFlowNeutralHadron": TOWER}
"""Collection -> our name -> branch; D0 and DZ are in mm."""
NEUTRAL = {"EFlowPhoton": 22, "EFlowNeutralHadron": 130}
"""PDG id of towers."""
CANDIDATES: Flow = {"ParticleFlowCandidate": TRACK}
HELD = frozenset(("id", "charge", "dxy", "dz", "phi"))
"""Properties of particles that files of Delphes hold."""
CHARGED_HADRON, NEUTRAL_HADRON = 211, 130


def branches(flow: Flow) -> tuple[str, ...]:
    """Names of the branches of collections."""
    return tuple(f"{name}/{name}.{branch}" for name, own in flow.items() for branch in own.values())


def read_flow(chunk: Any, first: int, flow: Flow) -> FinalState:
    """Read the particles of some collections, event by event, in GeV and mm."""
    found: list[Arrays] = []
    counts: list[Array] = []
    for name, own in flow.items():
        full = {ours: f"{name}.{branch}" for ours, branch in own.items()}
        columns, of_event = flat_columns(chunk, full)
        # displacements of neutral particles, which may be anything, are not looked at
        momenta = {key: values for key, values in columns.items() if key not in ("dxy", "dz")}
        refuse_momenta(momenta, full, of_event, first)
        n = len(columns["pt"])
        rest: Arrays = {"id": np.full(n, NEUTRAL.get(name, 0)), **{key: np.zeros(n) for key in TRACK if key != "id"}}
        found.append({key: columns.get(key, rest[key]) for key in TRACK})
        counts.append(of_event)
    event, order = merged(counts)
    particles = {key: np.concatenate([own[key] for own in found])[order].astype(np.float64) for key in TRACK}
    particles |= impact_parameters({key: particles[key] for key in ("dxy", "dz")}, particles)
    particles["id"] = ids_of(particles["id"].astype(int), particles["charge"])
    refuse_unphysical(particles, {key: f"{next(iter(flow))}.{branch}" for key, branch in TRACK.items()}, event, first)
    return FinalState(particles, np.bincount(event, minlength=len(counts[0])))


def ids_of(ids: Array, charge: Array) -> Array:
    """PDG ids, in which 0 is a hadron of unknown kind: a pion if it is charged, else a K_L."""
    unknown = np.where(charge != 0, CHARGED_HADRON * np.sign(charge), NEUTRAL_HADRON).astype(int)
    chosen: Array = np.where(ids == 0, unknown, ids)
    return chosen


def checked_columns(form: RootFormat, wanted: Wanted, own: tuple[str, ...]) -> tuple[str, ...]:
    """The columns that are read; UnsuitableFile for partons and other columns, which Delphes does not match."""
    if wanted.partons or wanted.columns:
        what = "partons to match jets with; set truth=none" if wanted.partons else f"{wanted.columns[0]} of particles"
        raise UnsuitableFile(f"is {form.label}, of which xaug reads no {what}")
    return own


def merged(counts: list[Array]) -> tuple[Array, Array]:
    """Join collections event by event.

    Parameters
    ----------
    counts
        members of each event, (n,), one array a collection

    Returns
    -------
    event : (m,)
        event of each member, ascending
    order : (m,)
        positions of the members in the concatenation of the collections
    """
    event = np.concatenate([np.repeat(np.arange(len(own)), own) for own in counts])
    order = np.argsort(event, kind="stable")
    return event[order], order


def weights_of(chunk: Any, first: int) -> Array:
    """The weights of `Event`; 1 where there are none."""
    if "Event" not in chunk.fields:
        return np.ones(len(chunk))
    weights: Array = ak.to_numpy(ak.flatten(chunk["Event"]["Weight"], axis=None)).astype(np.float64)
    refuse("weight", weights, ~np.isfinite(weights), np.arange(len(weights)), first)
    return weights
