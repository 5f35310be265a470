"""The selection of events, as options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xaug.core.errors import ConfigurationError
from xaug.core.options import Options

__all__ = ["CUTS", "JETS", "EventSelection"]

CUTS = ("events", "one lepton", "missing pT", "jets", "HT", "fat jet")
"""Steps of the cut flow."""
JETS = 4
"""Least number of small jets: the b jet and j1, j2, j3."""


@dataclass(frozen=True)
class EventSelection(Options):
    """Cuts that select events, and efficiencies of b-tagging. Momenta are in GeV, distances in (eta, phi)."""

    noun: ClassVar[str] = "selection"

    lepton_pt: float = 30.0  # exactly one isolated electron or muon
    lepton_eta: float = 2.5
    isolation_radius: float = 0.3
    isolation_max: float = 0.1  # largest pT sum of the particles within that radius, over the pT of the lepton
    met_min: float = 30.0
    jet_radius: float = 0.4  # anti-kT; at least three such jets are needed beside the b jet
    jet_pt: float = 30.0
    jet_eta: float = 2.5
    ht_min: float = 400.0  # scalar sum of the pT of the small jets
    fat_radius: float = 0.8  # anti-kT; the leading one of at least one such jet is the fat jet
    fat_pt: float = 200.0
    fat_eta: float = 2.5
    flavour_radius: float = 0.3  # jets with a b quark in this distance are b jets, others with a c quark c jets
    flavour_pt: float = 5.0  # least pT of these quarks
    tag_b: float = 0.7  # efficiency for b jets
    tag_c: float = 0.15
    tag_light: float = 0.01

    def __post_init__(self) -> None:
        self.require_positive()
        if not self.jet_radius or not self.fat_radius:
            raise ConfigurationError(f"{self.noun} jet_radius, fat_radius: must be above 0")
        for name, efficiency in (("tag_b", self.tag_b), ("tag_c", self.tag_c), ("tag_light", self.tag_light)):
            if not 0 < efficiency <= 1:
                raise ConfigurationError(f"{self.noun} {name} = {efficiency}: must be above 0 and at most 1")
