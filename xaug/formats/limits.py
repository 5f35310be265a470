"""Numbers that no particle can have, and the errors that name them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from xaug.core.errors import BadValues
from xaug.core.types import Array, Arrays

__all__ = ["LIMITS", "refuse", "refuse_momenta", "refuse_unphysical"]

VERTEX = ("vx", "vy", "vz")
LIMITS = {
    "pt": (14_000.0, "GeV", "; are momenta in MeV?"),
    "eta": (20.0, "", ""),
    "phi": (4 * math.pi, "", "; is it in degrees?"),
    "charge": (2.0, "e", "; is it in thirds of e?"),
    **dict.fromkeys(("dxy", "dz", *VERTEX), (10_000.0, "mm", "; is it in another unit?")),
}
"""Largest size of properties of particles, with its unit and a remedy: the energy of the LHC, the pseudorapidity that
Pythia gives to particles along the beam, two turns of the azimuth, the charge of an alpha particle, and the size of a
detector."""
FAR_FLIGHTS, IN_FEW, FEW, FARTHEST = 0.01, 0.1, 100, 1e6
"""Share of particles that may start beyond the limit, the share and largest number in a small chunk, where the decays
of one jet weigh more, and the distance [mm] within which they start: a strange hadron of 1 TeV flies some 100 m."""


def refuse(column: str, values: Array, bad: Array, event: Array, first: int) -> None:
    """Raise BadValues for the first value that is bad.

    Parameters
    ----------
    column
        name of the column in the file
    values, bad, event
        the values, whether each is bad, and the event of each within the chunk, (m,)
    first
        number of the chunk's first entry in the file
    """
    if bad.any():
        where = int(np.flatnonzero(bad)[0])
        raise BadValues(f"{column} is {values[where]} in entry {first + int(event[where])}")


def refuse_momenta(columns: Arrays, names: dict[str, str], counts: Sequence[int] | Array, first: int) -> None:
    """Raise BadValues where a number is one that no particle can have; `names` are those of the file."""
    refuse_unphysical(columns, names, np.repeat(np.arange(len(counts)), counts), first)


def refuse_unphysical(particles: Arrays, names: Mapping[str, str], event: Array, first: int) -> None:
    """Raise BadValues for a number that no particle can have: not finite, a negative pT, or beyond one of LIMITS.

    Strange hadrons of high momentum fly far in files of generators: a few vertices may lie beyond the limit.

    Parameters
    ----------
    particles
        columns (m,) by our names [GeV, mm], of which some are checked
    names
        our name -> name in the file
    event
        event, or jet, of each particle within the chunk
    first
        number of the chunk's first entry in the file
    """
    for name, values in particles.items():
        called = names.get(name, name)
        if values.dtype.kind == "f":
            refuse(called, values, ~np.isfinite(values), event, first)
        if name == "pt":
            refuse(called, values, values < 0, event, first)
        if name in LIMITS:
            limit, unit, remedy = LIMITS[name]
            bad = np.abs(values) > limit
            if name == "eta" and "pt" in particles:
                bad &= particles["pt"] > 0  # of a particle along the beam, programs write any large number
            if name in VERTEX and bad.sum() <= max(FAR_FLIGHTS * len(bad), min(IN_FEW * len(bad), FEW)):
                bad = np.abs(values) > FARTHEST
            if bad.any():
                where = int(np.argmax(bad))
                raise BadValues(
                    f"{called} is {values[where]:.6g} {unit}".rstrip()
                    + f" in entry {first + int(event[where])}, beyond {limit:g}{remedy}"
                )
