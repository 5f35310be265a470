"""Numbers that no particle can have, and the errors that name them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from xaug.core.errors import BadValues
from xaug.core.types import Array, Arrays

__all__ = ["CODES", "LIMITS", "refuse", "refuse_momenta", "refuse_small_missing", "refuse_unphysical"]

CODES = (-99.0, -999.0, -9999.0)
"""Usual codes of a value that there is not: padding of momenta, displacements of particles without a track."""
VERTEX = ("vx", "vy", "vz")
LIMITS = {
    "pt": (14_000.0, "GeV", "; are momenta in MeV?"),
    "mass": (14_000.0, "GeV", "; are momenta in MeV?"),
    "energy": (50_000.0, "GeV", "; are momenta in MeV?"),
    "met": (14_000.0, "GeV", "; is it in MeV?"),
    "eta": (20.0, "", ""),
    "phi": (4 * math.pi, "", "; is it in degrees?"),
    "charge": (2.0, "e", "; is it in thirds of e?"),
    **dict.fromkeys(("dxy", "dz", *VERTEX), (10_000.0, "mm", "; is it in another unit?")),
}
"""Largest size of properties of particles, with its unit and a remedy: the energy of the LHC, that of a beam of the
largest collider that is planned, the pseudorapidity that Pythia gives to particles along the beam, two turns of the
azimuth, the charge of an alpha particle, and the size of a detector."""
MOMENTUM = ("pt", "px", "py", "pz", "eta", "rapidity", "phi", "energy", "mass", "pt_rel", "eta_rel", "phi_rel")
"""Our names of columns that give momenta."""
HEAVY, OF_MOMENTUM, SHARE, ENOUGH = 10.0, 0.5, 0.1, 10
"""Mass [GeV], and its ratio to the momentum, above which a particle is heavy; the share and the number of particles
that are not heavy in any file: their energies or masses are in another unit than their momenta."""
LIGHTEST, LIGHT = 1e-5, 4e-4
"""Masses [GeV] of no particle: below that of an electron, 0.000511, and above what rounding leaves of 0."""
LEAST_PT = 0.1
"""Median pT [GeV] of particles that a detector sees, at least."""
OF_ALL, OF_SUM = 0.3, 1e-3
"""Share of such masses, and the ratio of the medians of missing and scalar momentum, that show units of TeV."""
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
    """Raise BadValues for a number that nothing can have: not finite, a negative pT, or beyond one of LIMITS.

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
    refuse_heavy(particles, names)
    refuse_light(particles, names)
    refuse_no_vertex(particles, names, event, first)
    for name, values in particles.items():
        called = names.get(name) or (f"{name}{of_columns(names)}" if name in MOMENTUM else name)
        if values.dtype.kind == "f":
            refuse(called, values, ~np.isfinite(values), event, first)
        if name in ("pt", "met"):
            refuse(called, values, values < 0, event, first)
        if name in LIMITS:
            bad = np.abs(values) > LIMITS[name][0]
            if name == "eta" and "pt" in particles:
                bad &= particles["pt"] > 0  # of a particle along the beam, programs write any large number
            if name in VERTEX and bad.sum() <= max(FAR_FLIGHTS * len(bad), min(IN_FEW * len(bad), FEW)):
                bad = np.abs(values) > FARTHEST
            refuse_beyond(name, called, values, bad, event, first)
    if {"pt", "eta", "mass"} <= particles.keys():
        energy = np.hypot(momentum_of(particles), particles["mass"])
        refuse_beyond("energy", f"the energy{of_columns(names)}", energy, energy > LIMITS["energy"][0], event, first)


def refuse_no_vertex(particles: Arrays, names: Mapping[str, str], event: Array, first: int) -> None:
    """BadValues where all components of a vertex are one of the codes, which would be taken for metres."""
    own = [particles[name] for name in VERTEX if name in particles]
    for code in CODES if len(own) == len(VERTEX) else ():
        bad = np.all([values == code for values in own], axis=0)
        if bad.any():
            called = ", ".join(names.get(name, name) for name in VERTEX)
            where = first + int(event[int(np.argmax(bad))])
            raise BadValues(
                f"{called} are all {code:g} in entry {where}, which is no place; write 0 where none is known"
            )


def refuse_beyond(name: str, called: str, values: Array, bad: Array, event: Array, first: int) -> None:
    """Raise BadValues for the first value that is beyond the limit of a name."""
    if bad.any():
        limit, unit, remedy = LIMITS[name]
        where = int(np.argmax(bad))
        raise BadValues(
            f"{called} is {values[where]:.6g} {unit}".rstrip()
            + f" in entry {first + int(event[where])}, beyond {limit:g}{remedy}"
        )


def of_columns(names: Mapping[str, str]) -> str:
    """Names in the file of the columns of which a number is computed: " (of px, py, pz, energy)"."""
    own = ", ".join(names[own] for own in MOMENTUM if own in names)
    return f" (of {own})" if own else ""


def momentum_of(particles: Arrays) -> Array:
    """Momentum (m,) [GeV] of particles; that of a pseudorapidity beyond its limit is that at the limit."""
    eta: Array = np.minimum(np.abs(particles["eta"]).astype(np.float64), LIMITS["eta"][0])
    momentum: Array = particles["pt"] * np.cosh(eta)
    return momentum


def refuse_heavy(particles: Arrays, names: Mapping[str, str]) -> None:
    """BadValues if many particles are heavier than half of their momentum, as where only energies are in MeV."""
    if not {"pt", "eta", "mass"} <= particles.keys():
        return
    momentum, mass = momentum_of(particles), particles["mass"]
    bad = (mass > HEAVY) & (mass > OF_MOMENTUM * momentum)
    if bad.sum() >= ENOUGH and bad.mean() > SHARE:
        where = int(np.argmax(bad))
        culprit = next((names[own] for own in ("energy", "mass") if own in names), "the mass")
        raise BadValues(
            f"{100 * bad.mean():.0f}% of the particles are too heavy for their momenta (one has a mass of "
            f"{mass[where]:.6g} GeV and a momentum of {momentum[where]:.6g} GeV): all momenta seem to be in MeV, or "
            f"{culprit} in another unit than the rest{of_columns(names)}"
        )


def refuse_light(particles: Arrays, names: Mapping[str, str]) -> None:
    """BadValues if many particles are lighter than an electron, as where only masses are in TeV.

    Masses that are computed of energies are not looked at, since rounding makes any small number of 0. Files whose
    momenta are in TeV too are told apart by their sums.
    """
    if "mass" not in particles or "mass" not in names or not len(particles["mass"]):
        return
    if np.median(particles.get("pt", np.inf)) < LEAST_PT:
        return
    mass = particles["mass"]
    charged = particles["charge"] != 0 if "charge" in particles else True  # weights of neutral ones scale masses too
    own = mass[(mass > LIGHTEST) & charged]
    light = own < LIGHT
    if light.sum() >= ENOUGH and light.mean() > OF_ALL:
        raise BadValues(
            f"{100 * light.mean():.0f}% of the masses {names['mass']} are below that of an electron (one is "
            f"{own[light][0]:.3g} GeV), which no particle has: they seem to be in TeV. Convert them to the unit of the "
            "momenta"
        )


def refuse_small_missing(name: str, met: Array, sums: Array) -> None:
    """BadValues if missing momenta (n,) are tiny beside the scalar sums of pT (n,), as where only they are in TeV."""
    seen = met[met > 0]
    typical = float(np.median(seen)) if len(seen) >= ENOUGH else 0.0
    whole = float(np.median(sums)) if len(sums) else 0.0
    if LIGHTEST < typical < OF_SUM * whole:
        raise BadValues(
            f"{name} has a median of {typical:.3g} GeV, but the scalar sum of pT of {whole:.3g} GeV: it seems to be in "
            "TeV. Convert it to GeV"
        )
