"""Filters that drop events inside Pythia, before most of the time is spent on them.

The cross section that Pythia tells, and the sum of weights, are then those of the events that remain: Pythia multiplies
the cross section by accepted over tried events, and its error has the error of that fraction.

Reference: C. Bierlich et al., A comprehensive guide to the physics and usage of PYTHIA 8.3,
SciPost Phys. Codebases 8 (2022), "User hooks".
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import pythia8mc

from xaug.core.errors import ConfigurationError, unknown_name

__all__ = ["EventFilter", "Filter"]

LEPTONS = (11, 13, 15)
FIRST_LEPTON, LAST_LEPTON = 11, 16
"""PDG ids of leptons, charged and neutral, lie between these."""
PREFIX = "xaug:"
SETTINGS = {
    "xaug:partonHT": "parton_ht",
    "xaug:partonPT": "parton_pt",
    "xaug:partonScale": "scale",
    "xaug:leptonPT": "lepton_pt",
    "xaug:partons": "partons",
}
"""Setting of a card -> attribute of Filter."""
BEFORE_DECAYS = 5
"""The shower calls `doVetoPT` with this number, or a larger one, for showers of resonance decays."""
DECAYED = (-22, -23)
"""Status of a particle of the hard process that decays."""
SAME_MASS = 1e-4
"""Resonances whose masses differ by less are the same one: recoils change its momentum, not its mass [GeV]."""


@dataclass(frozen=True)
class Filter:
    """The events to keep.

    Attributes
    ----------
    leptonic
        keep only events with an electron, muon or tau in the hard process
    parton_ht
        least scalar sum [GeV] of the pT of the partons above `parton_pt`, when the shower of the hard process has come
        down to `scale`. Partons are quarks and gluons; the quarks of decays of top quarks, W, Z and Higgs bosons are
        among them. 0 is no such filter
    parton_pt
        least pT of these partons [GeV]
    scale
        pT of the shower at which the event is judged [GeV]; softer emissions, multiple interactions and hadrons are not
        made yet
    lepton_pt
        least pT [GeV] of the hardest electron, muon or tau of the hard process and its decays, at the same moment; 0 is
        no such filter
    partons
        least number of partons above `parton_pt`; 0 is no such filter
    """

    leptonic: bool = False
    parton_ht: float = 0.0
    parton_pt: float = 30.0
    scale: float = 30.0
    lepton_pt: float = 0.0
    partons: float = 0.0

    def __bool__(self) -> bool:
        return self.leptonic or self.judges_showers

    @property
    def judges_showers(self) -> bool:
        """Whether events are judged in their shower, and not by the hard process alone."""
        return self.parton_ht > 0 or self.lepton_pt > 0 or self.partons > 0

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
                raise ConfigurationError(f"card: {line!r} must set a number >= 0")
            changes[SETTINGS[key]] = value
        return replace(self, **changes), rest  # type: ignore[arg-type]  # all of SETTINGS are numbers

    @property
    def words(self) -> str:
        """Properties of the events that remain."""
        words = ["an electron, muon or tau in the hard process"] if self.leptonic else []
        at = f"at a shower scale of {self.scale:g} GeV"
        if self.parton_ht:
            words.append(
                f"quarks and gluons of pT > {self.parton_pt:g} GeV with a scalar sum of at least "
                f"{self.parton_ht:g} GeV {at}"
            )
        if self.partons:
            words.append(f"at least {self.partons:g} quarks and gluons of pT > {self.parton_pt:g} GeV {at}")
        if self.lepton_pt:
            words.append(f"an electron, muon or tau of pT > {self.lepton_pt:g} GeV {at}")
        return "; ".join(words)


@dataclass(frozen=True)
class Resonance:
    """A resonance of the hard process, and what its decays end in.

    Pythia decays resonances together with the hard process, but adds their products to the event after the shower.

    Attributes
    ----------
    identity
        PDG id
    mass
        [GeV]
    momentum
        four-momentum in the hard process, before recoils
    products
        PDG id and four-momentum of each final quark, gluon and lepton that it decays to
    """

    identity: int
    mass: float
    momentum: Any
    products: tuple[tuple[int, Any], ...]

    def recoiled(self, momentum: Any) -> list[tuple[int, float]]:
        """PDG id and pT [GeV] of the products, where recoils have given the resonance this four-momentum."""
        found = []
        for identity, product in self.products:
            own = pythia8mc.Vec4(product)
            own.bstback(self.momentum)
            own.bst(momentum)
            found.append((identity, own.pT()))
        return found


class Judgement(NamedTuple):
    """The numbers by which an event in its shower is judged; the names are those of Filter."""

    parton_ht: float
    lepton_pt: float
    partons: int

    def fails(self, kept: Filter) -> bool:
        """Whether a filter drops the event."""
        return self.parton_ht < kept.parton_ht or self.lepton_pt < kept.lepton_pt or self.partons < kept.partons


class EventFilter(pythia8mc.UserHooks):  # type: ignore[misc]  # pythia8mc has no types
    """Hooks of Pythia that keep the events of a Filter. Pythia does not keep this object alive."""

    def __init__(self, kept: Filter):
        super().__init__()
        self.kept = kept
        self.resonances: list[Resonance] = []

    def canVetoProcessLevel(self) -> bool:
        """Tell Pythia whether to call `doVetoProcessLevel`."""
        return bool(self.kept)

    def doVetoProcessLevel(self, process: Any) -> bool:
        """Drop this event if it has no charged lepton; note its resonances."""
        if self.kept.leptonic and not any(abs(process[i].id()) in LEPTONS for i in range(process.size())):
            return True
        self.resonances = resonances(process) if self.kept.judges_showers else []
        return False

    def canVetoPT(self) -> bool:
        """Tell Pythia whether to call `doVetoPT`."""
        return self.kept.judges_showers

    def scaleVetoPT(self) -> float:
        """Tell Pythia at which pT of the shower to call `doVetoPT` [GeV]."""
        return self.kept.scale

    def doVetoPT(self, position: int, event: Any) -> bool:
        """Drop this event if its partons or leptons have too little pT; showers of decays are not judged again."""
        if position >= BEFORE_DECAYS:
            return False
        return self.judged(event).fails(self.kept)

    def judged(self, event: Any) -> Judgement:
        """The numbers by which an event in its shower is judged."""
        total = hardest = 0.0
        count = 0
        for i in range(event.size()):
            particle = event[i]
            if not particle.isFinal():
                continue
            identity, own = particle.id(), None
            for resonance in self.resonances:
                if resonance.identity == identity and abs(resonance.mass - particle.m()) < SAME_MASS:
                    own = resonance
            for product, pt in own.recoiled(particle.p()) if own else ((identity, particle.pT()),):
                if not FIRST_LEPTON <= abs(product) <= LAST_LEPTON:
                    if pt > self.kept.parton_pt:
                        total += pt
                        count += 1
                elif abs(product) in LEPTONS:
                    hardest = max(hardest, pt)
        return Judgement(total, hardest, count)


def resonances(process: Any) -> list[Resonance]:
    """The resonances of a hard process that decay, without those that come from others."""
    particles = [process[i] for i in range(process.size())]
    daughters: dict[int, list[int]] = {}
    for i, particle in enumerate(particles):
        daughters.setdefault(particle.mother1(), []).append(i)

    def final(i: int) -> list[tuple[int, Any]]:
        particle = particles[i]
        if particle.isFinal():
            return [(particle.id(), particle.p())]
        return [product for daughter in daughters.get(i, []) for product in final(daughter)]

    return [
        Resonance(particle.id(), particle.m(), particle.p(), tuple(final(i)))
        for i, particle in enumerate(particles)
        if particle.status() in DECAYED and particles[particle.mother1()].status() not in DECAYED
    ]
