"""Input formats: which branches a tree must have, and how they become `Events`.

Formats so far: the tree `T` of our generator and of that of arXiv:2011.13466 (branches `constituent_*`
and `gen_*`), read through coffea's BaseSchema.
"""

from __future__ import annotations

import awkward as ak
import numpy as np

from xaug.process.selection import Events

__all__ = ["PARTICLE_BRANCHES", "PARTON_BRANCHES", "BadValues", "read_events", "required_branches"]

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
PARTON_BRANCHES = {
    "id": "gen_id",
    "status": "gen_status",
    "mother1": "gen_mother1",
    "eta": "gen_eta",
    "phi": "gen_phi",
}
"""Our name -> branch, of the generator's partons; read for signal, to match its b quarks."""


class BadValues(ValueError):
    """A branch holds numbers that no event can have."""


def required_branches(label: int) -> list[str]:
    """Branches that a file of this class must have."""
    return [*PARTICLE_BRANCHES.values(), *(PARTON_BRANCHES.values() if label == 1 else ())]


def read_events(chunk, label: int, first: int) -> Events:
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
    jagged = {name: chunk[branch] for name, branch in PARTICLE_BRANCHES.items()}
    counts = ak.to_numpy(ak.num(jagged["pt"], axis=1))
    columns = {}
    for name, array in jagged.items():
        values = ak.to_numpy(ak.flatten(array, axis=1))
        if len(values) != counts.sum():
            raise BadValues(f"{PARTICLE_BRANCHES[name]} has not as many entries as {PARTICLE_BRANCHES['pt']}")
        bad = ~np.isfinite(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)
        if name == "pt":
            bad |= values < 0
        if bad.any():
            particle = int(np.flatnonzero(bad)[0])
            entry = first + int(np.searchsorted(np.cumsum(counts), particle, side="right"))
            raise BadValues(f"{PARTICLE_BRANCHES[name]} is {values[particle]} in entry {entry}")
        columns[name] = values
    partons = None
    if label == 1:
        partons = ak.zip({name: chunk[branch] for name, branch in PARTON_BRANCHES.items()})
    return Events(columns, counts, ak.to_packed(partons) if partons is not None else None)


def event_weights(chunk) -> np.ndarray:
    """Generator weights (n_events,); 1 where the file has none."""
    if "weight" in chunk.fields:
        return ak.to_numpy(chunk["weight"]).astype(np.float64)
    return np.ones(len(chunk))
