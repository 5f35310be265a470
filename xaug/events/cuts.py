"""The selection of events, as options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.options import Options
from xaug.events.efficiencies import Efficiency, EfficiencyLike
from xaug.jets.jets import AXES

__all__ = ["CUTS", "JETS", "EventSelection"]

CUTS = ("events", "one lepton", "missing pT", "jets", "HT", "fat jet", "b jet", "leading jets", "b and fat jet apart")
"""Steps of the cut flow."""
TAG_B = Efficiency("30:0.6,100:0.72,200:0.7,400:0.58,700:0.45,1000:0.35")
TAG_C = Efficiency("30:0.13,100:0.15,400:0.13,1000:0.1")
TAG_LIGHT = Efficiency("0.01")
"""Tag efficiencies, rounded, about as those of the medium working point of CMS (JINST 13 (2018) P05011)."""
JETS = 4
"""Least number of small jets: the b jet and j1, j2, j3."""


@dataclass(frozen=True)
class EventSelection(Options):
    """Cuts that select events, and efficiencies of b-tagging. Momenta are in GeV, distances in (eta, phi)."""

    noun: ClassVar[str] = "selection"

    lepton_pt: float = 30.0  # exactly one isolated electron or muon
    lepton_eta: float = 2.5
    dress_radius: float = 0.1  # photons that are no product of a hadron are added to a lepton within that distance
    isolation_radius: float = 0.3
    isolation_max: float = 0.1  # largest pT sum of the particles within that radius, over the pT of the lepton
    met_min: float = 30.0
    jet_radius: float = 0.4  # anti-kT; at least three such jets are needed beside the b jet
    jet_pt: float = 30.0
    jet_eta: float = 2.5
    leading_pt: float = 30.0  # of each of j1, j2, j3
    b_pt: float = 30.0  # of jets that are tagged
    ht_min: float = 400.0  # scalar sum of the pT of the small jets
    fat_radius: float = 0.8  # anti-kT; the leading one of at least one such jet is the fat jet
    fat_pt: float = 200.0
    fat_eta: float = 2.5
    fat_mass: float = 0.0  # least mass of the fat jet
    b_fat_distance: float = 0.0  # least distance of the b jet and the fat jet
    flavour_radius: float = 0.3  # jets with a b quark in this distance are b jets, others with a c quark c jets
    flavour_pt: float = 5.0  # least pT of these quarks
    tag_b: EfficiencyLike = TAG_B  # tag efficiency of b jets, by pT
    tag_c: EfficiencyLike = TAG_C
    tag_light: EfficiencyLike = TAG_LIGHT
    tau_axes: str = "onepass_wta"  # axes of N-subjettiness of the fat jet

    def __post_init__(self) -> None:
        self.require_positive()
        if not self.jet_radius or not self.fat_radius:
            raise ConfigurationError(f"{self.noun} jet_radius, fat_radius: must be above 0")
        for name in ("tag_b", "tag_c", "tag_light"):
            try:
                object.__setattr__(self, name, Efficiency(getattr(self, name)))
            except ConfigurationError as error:
                raise ConfigurationError(f"{self.noun} {name}: {error}") from None
        if self.tau_axes not in AXES:
            raise unknown_name(f"{self.noun} tau_axes", self.tau_axes, AXES)

    @property
    def efficiencies(self) -> tuple[Efficiency, Efficiency, Efficiency]:
        """Tag efficiencies of b, c and light jets."""
        return Efficiency(self.tag_b), Efficiency(self.tag_c), Efficiency(self.tag_light)
