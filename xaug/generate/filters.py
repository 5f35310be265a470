"""Filters that drop events inside Pythia, before most of the time is spent on them.

The cross section that Pythia tells, and the sum of weights, are then those of the events that remain: Pythia multiplies
the cross section by accepted over tried events, and its error has the error of that fraction.

Reference: C. Bierlich et al., A comprehensive guide to the physics and usage of PYTHIA 8.3,
SciPost Phys. Codebases 8 (2022), "User hooks".
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import pythia8mc

from xaug.core.errors import ConfigurationError, unknown_name

__all__ = ["EventFilter", "Filter"]

LEPTONS = (11, 13, 15)
FIRST_LEPTON, LAST_LEPTON = 11, 16
"""PDG ids of leptons, charged and neutral, lie between these."""
PREFIX = "xaug:"
SETTINGS = {"xaug:partonHT": "parton_ht", "xaug:partonPT": "parton_pt", "xaug:partonScale": "scale"}
"""Setting of a card [GeV] -> attribute of Filter."""
BEFORE_DECAYS = 5
"""The shower calls `doVetoPT` with this number, or a larger one, for showers of resonance decays."""


@dataclass(frozen=True)
class Filter:
    """The events to keep.

    Attributes
    ----------
    leptonic
        keep only events with an electron, muon or tau in the hard process
    parton_ht
        least scalar sum [GeV] of the pT of the partons above `parton_pt`, when the shower of the hard process has come
        down to `scale`; top quarks, W, Z and Higgs bosons count as partons, since they have not decayed yet, leptons do
        not. 0 is no such filter
    parton_pt
        least pT of these partons [GeV]
    scale
        pT of the shower at which the event is judged [GeV]; softer emissions, multiple interactions and hadrons are not
        made yet
    """

    leptonic: bool = False
    parton_ht: float = 0.0
    parton_pt: float = 30.0
    scale: float = 60.0

    def __bool__(self) -> bool:
        return self.leptonic or self.parton_ht > 0

    def with_settings(self, lines: list[str]) -> tuple[Filter, list[str]]:
        """Apply the settings of a card that are ours and not Pythia's.

        Parameters
        ----------
        lines
            settings of a card; those named in SETTINGS change this filter

        Returns
        -------
        the changed filter, and the lines that are left for Pythia

        Raises
        ------
        ConfigurationError
            if a setting `xaug:...` is unknown, or its value is not a number >= 0
        """
        changes: dict[str, float] = {}
        rest: list[str] = []
        for line in lines:
            key, _, text = (part.strip() for part in line.partition("="))
            if not key.lower().startswith(PREFIX):
                rest.append(line)
                continue
            if key not in SETTINGS:
                raise unknown_name("setting of a card", key, SETTINGS)
            try:
                value = float(text)
            except ValueError:
                value = math.nan
            if not 0 <= value < math.inf:
                raise ConfigurationError(f"card: {line!r} must set a number >= 0 [GeV]")
            changes[SETTINGS[key]] = value
        return replace(self, **changes), rest  # type: ignore[arg-type]  # all of SETTINGS are numbers

    @property
    def words(self) -> str:
        """Properties of the events that remain."""
        words = ["an electron, muon or tau in the hard process"] if self.leptonic else []
        if self.parton_ht:
            words.append(
                f"partons of pT > {self.parton_pt:g} GeV with a scalar sum of at least {self.parton_ht:g} GeV "
                f"at a shower scale of {self.scale:g} GeV"
            )
        return "; ".join(words)


class EventFilter(pythia8mc.UserHooks):  # type: ignore[misc]  # pythia8mc has no types
    """Hooks of Pythia that keep the events of a Filter. Pythia does not keep this object alive."""

    def __init__(self, kept: Filter):
        super().__init__()
        self.kept = kept

    def canVetoProcessLevel(self) -> bool:
        """Tell Pythia whether to call `doVetoProcessLevel`."""
        return self.kept.leptonic

    def doVetoProcessLevel(self, process: Any) -> bool:
        """Drop this event if it has no charged lepton."""
        return not any(abs(process[i].id()) in LEPTONS for i in range(process.size()))

    def canVetoPT(self) -> bool:
        """Tell Pythia whether to call `doVetoPT`."""
        return self.kept.parton_ht > 0

    def scaleVetoPT(self) -> float:
        """Tell Pythia at which pT of the shower to call `doVetoPT` [GeV]."""
        return self.kept.scale

    def doVetoPT(self, position: int, event: Any) -> bool:
        """Drop this event if its partons have too little pT; showers of decays are not judged again."""
        if position >= BEFORE_DECAYS:
            return False
        total = 0.0
        for i in range(event.size()):
            particle = event[i]
            if particle.isFinal() and not FIRST_LEPTON <= abs(particle.id()) <= LAST_LEPTON:
                pt = particle.pT()
                total += pt if pt > self.kept.parton_pt else 0.0
        return total < self.kept.parton_ht
