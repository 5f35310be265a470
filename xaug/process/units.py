"""Tell whether the numbers of files are in GeV and mm: file by file, and the files of a dataset against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from xaug.core.errors import BadValues, ConfigurationError
from xaug.core.types import Array, JsonObject
from xaug.formats.base import Collisions, FinalState
from xaug.jets.particle_kinds import charge_of
from xaug.process.identity import event_of_particles

__all__ = ["Magnitudes", "check_scales", "scale_of"]

MOST, LEAST = 20_000.0, 2.0
"""Largest and smallest plausible median of the scalar sum of pT [GeV]: the energy of the LHC is 14 TeV, and a jet of
500 GeV has 0.5 TeV."""
APART = 300.0
"""Ratio of the medians of two files above which their momenta are in different units."""
TRACK_PT = 1.0
"""Least pT [GeV] of charged particles whose displacements are looked at."""
ENOUGH = 100
"""Least number of displacements of which a median is taken."""
SEEN = 1e-4
"""Displacement [mm] below which a particle is prompt: no detector sees it; generators have lifetimes of resonances."""
PROMPT = 0.2
"""Share of prompt particles above which displacements were never measured, but are those of a generator."""
SHORTEST, LONGEST = 0.006, 1.0
"""Smallest and largest plausible median of measured displacements [mm]: 0.02 to 0.04 in files of CMS and of Delphes."""
SAME, OTHER = 4.0, 6.0
"""Ratio of the median displacements of two files, of the same processes and of others, above which users are warned."""
LARGER, SMALLER = {"MeV": "GeV", "GeV": "TeV"}, {"TeV": "GeV", "GeV": "MeV"}
"""Units a thousand times larger, and smaller."""
LENGTH_REMEDY = "if it is, convert it to mm, or describe the file by a YAML with `units: {length: cm}`"


@dataclass(frozen=True)
class Magnitudes:
    """Sizes of the numbers of some events.

    Attributes
    ----------
    momentum : float or None
        median scalar sum of pT [GeV] of the jets of a file, or of its events
    length : float or None
        median transverse displacement [mm] of charged particles that are not prompt; None for fewer than 100
    prompt : float
        share of charged particles that are prompt
    particles, without_pt : int
        number of particles, and of those that jets are made without since their pT is 0: they have no direction
    """

    momentum: float | None = None
    length: float | None = None
    prompt: float = 0.0
    particles: int = 0
    without_pt: int = 0

    def to_json(self) -> JsonObject:
        """The sizes as plain data."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, content: JsonObject) -> Magnitudes:
        """The sizes that `to_json` gave; older ones do not tell the numbers of particles."""
        return cls(**{own.name: content[own.name] for own in fields(cls) if own.name in content})


def momentum_remedy(read_as: str, seem: str | None) -> str:
    """Sentences about momenta that are read in one unit and seem to be in another one, with the remedy."""
    told = f"they are read as {read_as}" + (f" and seem to be in {seem}" if seem else "")
    return (
        f"{told}. Convert them to {read_as}, or describe the file by a YAML of the format `columns` with "
        f"`units: {{momentum: {seem or 'MeV'}}}` (see notebooks/formats.md)"
    )


def scale_of(content: FinalState | Collisions, read_as: str = "GeV") -> Magnitudes:
    """Sizes of what a format read, whose files have momenta in the unit `read_as`.

    Raises
    ------
    BadValues
        if momenta cannot be in GeV
    """
    event, n = event_of_particles(content)
    if isinstance(content, FinalState) and content.jet_event is not None:  # jets, whatever their number in an event
        event, n = np.repeat(np.arange(len(content.counts)), content.counts), len(content.counts)
    pt = content.particles["pt"]
    sums = np.bincount(event, pt, n)
    momentum = float(np.median(sums[sums > 0])) if (sums > 0).any() else None
    if momentum is not None and momentum > MOST:
        raise BadValues(
            f"the scalar sum of pT has a median of {momentum:.3g} GeV, more than a collision has: "
            f"{momentum_remedy(read_as, SMALLER.get(read_as))}"
        )
    dropped = np.count_nonzero(pt == 0) if isinstance(content, FinalState) else 0
    return Magnitudes(momentum, *_length(content.particles), len(pt), int(dropped))


def _length(particles: Mapping[str, Array]) -> tuple[float | None, float]:
    """Median of the displacements of charged particles that are not prompt, and the share of those that are."""
    hard = particles["pt"] > TRACK_PT
    known = {name: particles[name][hard] for name in ("dxy", "vx", "vy", "charge", "id") if name in particles}
    if "dxy" in known:
        size = np.abs(known["dxy"])
    elif "vx" in known and "vy" in known:
        size = np.hypot(known["vx"], known["vy"])
    else:
        return None, 0.0
    if "charge" in known or "id" in known:
        size = size[charge_of(known) != 0]
    displaced = size[size > SEEN]
    prompt = 1 - len(displaced) / len(size) if len(size) else 0.0
    return (float(np.median(displaced)) if len(displaced) >= ENOUGH else None), prompt


@dataclass(frozen=True)
class FileMagnitudes:
    """Sizes of the numbers of a file: medians over its parts."""

    file: str
    processes: frozenset[str]
    momentum: float | None
    length: float | None
    measured: bool  # whether displacements are those of a detector


def check_scales(
    found: Mapping[str, Sequence[Magnitudes]],
    processes: Mapping[str, frozenset[str]],
    read_as: Mapping[str, str] | None = None,
) -> list[str]:
    """Compare the files of a dataset with each other, and with what detectors measure.

    Parameters
    ----------
    found
        file -> sizes of its parts
    processes
        file -> names of its processes
    read_as
        file -> unit of its momenta, as its format has it; default: GeV

    Returns
    -------
    list of str
        warnings about displacements

    Raises
    ------
    ConfigurationError
        if the momenta of all files seem to be in TeV, or those of some in other units than those of others
    """
    files, units = [_of_file(file, own, processes[file]) for file, own in found.items()], read_as or {}
    momenta = sorted((one for one in files if one.momentum), key=lambda one: one.momentum or 0.0)
    if momenta:
        low, high = momenta[0], momenta[-1]
        if (high.momentum or 0.0) < LEAST:
            raise ConfigurationError(
                f"{high.file}: the scalar sum of pT has a median of {high.momentum:.3g} GeV, less than a jet has: "
                f"{momentum_remedy(units.get(high.file, 'GeV'), LARGER.get(units.get(high.file, 'GeV')))}"
            )
        if (high.momentum or 0.0) > APART * (low.momentum or 0.0):
            remedy = momentum_remedy(units.get(high.file, "GeV"), None)
            raise ConfigurationError(
                f"{low.file} and {high.file} have momenta in different units: their scalar sums of pT have medians of "
                f"{low.momentum:.3g} and {high.momentum:.3g}, in GeV; {remedy}"
            )
    return [*_implausible(files), *_different(files)]


def _of_file(file: str, parts: Sequence[Magnitudes], processes: frozenset[str]) -> FileMagnitudes:
    momenta = [one.momentum for one in parts if one.momentum is not None]
    lengths = [one.length for one in parts if one.length is not None]
    prompt = [one.prompt for one in parts]
    return FileMagnitudes(
        file,
        processes,
        float(np.median(momenta)) if momenta else None,
        float(np.median(lengths)) if lengths else None,
        bool(prompt) and float(np.mean(prompt)) < PROMPT,
    )


def _implausible(files: Sequence[FileMagnitudes]) -> list[str]:
    """Warnings about files whose displacements no detector has."""
    told = []
    for one in files:
        if one.length is not None and one.measured and not SHORTEST <= one.length <= LONGEST:
            guess = "cm" if one.length < SHORTEST else "another unit"
            told.append(
                f"{one.file}: the median displacement of its charged particles is {one.length:.2g} mm, "
                f"{'less' if one.length < SHORTEST else 'more'} than a detector measures. Is it in {guess}? "
                f"{LENGTH_REMEDY[0].upper()}{LENGTH_REMEDY[1:]}"
            )
    return told


def _different(files: Sequence[FileMagnitudes]) -> list[str]:
    """A warning about the two files whose displacements differ most, if that is too much."""
    worst, told = 1.0, ""
    for low in files:
        for high in files:
            if low.length is None or high.length is None or high.length <= low.length:
                continue
            alike = low.processes == high.processes
            ratio = high.length / low.length
            if (ratio > SAME if alike else ratio > OTHER and low.measured and high.measured) and ratio > worst:
                worst = ratio
                told = (
                    f"the median displacement of charged particles is {low.length:.2g} mm in {low.file} and "
                    f"{high.length:.2g} mm in {high.file}. Is one of them in another unit (cm, mm)? "
                    f"{LENGTH_REMEDY[0].upper()}{LENGTH_REMEDY[1:]}"
                )
    return [told] if told else []
