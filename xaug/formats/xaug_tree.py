"""Input formats of jets: which branches a tree must have, and how they become `Events`.

Formats so far: the tree `T` of our generator and of that of arXiv:2011.13466 (branches `constituent_*`
and `gen_*`), read through coffea's BaseSchema.
"""

from __future__ import annotations

import functools
import operator

import awkward as ak
import numpy as np

from xaug.core.errors import BadValues
from xaug.jets.conventions import DEFAULT, Conventions
from xaug.jets.selection import Events, is_decay_b

__all__ = [
    "PARTICLE_BRANCHES",
    "PARTON_BRANCHES",
    "event_weights",
    "flat_columns",
    "read_events",
    "refuse",
    "required_branches",
]

PARTICLE_BRANCHES = {
    "pt": "constituent_pt",
    "eta": "constituent_eta",
    "phi": "constituent_phi",
    "mass": "constituent_m",
    "id": "constituent_id",
    "vx": "constituent_vxx",
    "vy": "constituent_vyy",
    "vz": "constituent_vzz",
}
"""Our name -> branch, of the particles that jets are made of. GeV, mm."""
STATUS_BRANCH = {"status": "constituent_status"}
"""Read where a convention asks for it: files of other generators need not have it."""
PARTON_BRANCHES = {
    "id": "gen_id",
    "status": "gen_status",
    "mother1": "gen_mother1",
    "eta": "gen_eta",
    "phi": "gen_phi",
}
"""Our name -> branch, of the generator's partons; read for signal, to match its b quarks."""


def _particle_branches(conventions: Conventions) -> dict[str, str]:
    return PARTICLE_BRANCHES if conventions.status is None else PARTICLE_BRANCHES | STATUS_BRANCH


def required_branches(label: int, conventions: Conventions = DEFAULT) -> list[str]:
    """Branches that a file of this class must have."""
    return [*_particle_branches(conventions).values(), *(PARTON_BRANCHES.values() if label == 1 else ())]


def read_events(chunk, label: int, first: int, conventions: Conventions = DEFAULT) -> Events:
    """The events of a chunk.

    Parameters
    ----------
    chunk
        coffea NanoEvents in BaseSchema
    label
        1 signal, 0 background
    first
        entry of the chunk's first event in its tree, for messages

    Raises
    ------
    BadValues
        naming branch and entry, where a momentum or vertex is not finite or a pT is negative
    """
    branches = _particle_branches(conventions)
    columns, counts = flat_columns(chunk, branches)
    event = np.repeat(np.arange(len(counts)), counts)
    for name, values in columns.items():
        bad = ~np.isfinite(values) | (values < 0 if name == "pt" else False)
        refuse(branches[name], values, bad, event, first)
    partons = None
    if label == 1:
        own, counts_of_partons = flat_columns(chunk, PARTON_BRANCHES)
        # only the b quarks of a decay are ever used; incoming partons have an infinite pseudorapidity
        b = is_decay_b(own["id"], own["status"])
        event = np.repeat(np.arange(len(counts_of_partons)), counts_of_partons)
        for name in ("eta", "phi"):
            refuse(PARTON_BRANCHES[name], own[name], b & ~np.isfinite(own[name]), event, first)
        partons = ak.unflatten(ak.zip(own), counts_of_partons)
    return Events(columns, counts, partons)


def flat_columns(chunk, branches: dict[str, str]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Flat columns of jagged branches by our names, and how many entries each event has.

    `A.B` is field B of the collection A.
    """
    columns, counts = {}, None
    for name, branch in branches.items():
        array = functools.reduce(operator.getitem, branch.split("."), chunk)
        own = ak.to_numpy(ak.num(array, axis=1))
        counts = own if counts is None else counts
        if not np.array_equal(own, counts):
            raise BadValues(f"{branch} has not as many values as {next(iter(branches.values()))}")
        columns[name] = ak.to_numpy(ak.flatten(array, axis=1))
    return columns, counts


def refuse(branch: str, values: np.ndarray, bad: np.ndarray, event: np.ndarray, first: int) -> None:
    """Raise BadValues for the first bad value, naming branch, value and entry."""
    if bad.any():
        where = int(np.flatnonzero(bad)[0])
        raise BadValues(f"{branch} is {values[where]} in entry {first + int(event[where])}")


def event_weights(chunk, first: int) -> np.ndarray:
    """Generator weights (n_events,); 1 where the file has none."""
    if "weight" in chunk.fields:
        weights = ak.to_numpy(chunk["weight"]).astype(np.float64)
    elif "Event" in chunk.fields:  # of Delphes
        weights = ak.to_numpy(ak.flatten(chunk["Event"]["Weight"], axis=None)).astype(np.float64)
    else:
        return np.ones(len(chunk))
    refuse("weight", weights, ~np.isfinite(weights), np.arange(len(weights)), first)
    return weights
