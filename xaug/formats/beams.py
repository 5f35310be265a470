"""Beams and energy of generated files, in words, from the settings of the generator that the files hold."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

__all__ = ["beams_of"]

BEAMS = {2212: "p", -2212: "p\u0304", 11: "e\u207b", -11: "e\u207a", 13: "\u03bc\u207b", -13: "\u03bc\u207a"}
"""Symbols of beams by PDG code; a setting that a card does not have is that of Pythia: p p at 14 TeV."""
CENTRE_OF_MASS, TWO_ENERGIES = 1, 2
"""Values of Beams:frameType for which the card tells the energy; others read it from a file."""


def beams_of(card: Iterable[str]) -> str:
    """Beams and energy of a card of Pythia, as `pp, \u221as = 13 TeV`; the energy is left out where the card lacks it.

    Parameters
    ----------
    card : iterable of str
        settings, as `Beams:eCM = 13000.`; of a repeated one the last counts; energies are in GeV

    References
    ----------
    C. Bierlich et al., SciPost Phys. Codebases 8 (2022), section on beam parameters
    """
    settings = {}
    for line in card:
        found = re.match(r"\s*beams:(\w+)\s*=?\s*(\S+)", line, re.IGNORECASE)
        if found:
            settings[found[1].lower()] = found[2]
    try:
        numbers = {name: float(value) for name, value in settings.items() if not name.startswith("lhef")}
    except ValueError:
        return ""
    codes = [int(numbers.get(name, 2212)) for name in ("ida", "idb")]
    text = "".join(BEAMS.get(code, f"[{code}]") for code in codes)
    frame = int(numbers.get("frametype", CENTRE_OF_MASS))
    if frame == CENTRE_OF_MASS:
        energy = numbers.get("ecm", 14000.0)
    elif frame == TWO_ENERGIES:  # the masses of the beams are neglected
        energy = 2 * math.sqrt(numbers.get("ea", 7000.0) * numbers.get("eb", 7000.0))
    else:
        return text
    return f"{text}, \u221as = {_energy(energy)}"


def _energy(gev: float) -> str:
    return f"{gev / 1000:g} TeV" if gev >= 1000 else f"{gev:g} GeV"
