"""How the sample of events is generated for each selection: thresholds, bias, and which events are stored.

The paper ranks HT first, and this must not be an artefact of where generation starts. Thresholds therefore lie so far
below the selection that halving one adds about a percent to what is selected, or less. That holds for a sum of the pT
of partons that is close to the cut on HT: both count quarks and gluons, and leptons and neutrinos of decays in neither.

Effective numbers of events (sum w)^2 / sum w^2 suffer where events of low pTHat, which are weighted most, pass the
selection. Many top pairs that pass a hard selection have a pTHat below 100 GeV and recoil against hard jets; they are
filtered by the partons and leptons that the event has, and their weights are one. Processes of one hard recoil have the
same filters, a threshold on pTHat, and a weak bias.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xaug.core.errors import unknown_name

__all__ = ["NAMED", "REGIMES", "Regime", "Stored", "Thresholds", "regime"]


@dataclass(frozen=True)
class Thresholds:
    """Thresholds with which a process is generated.

    Attributes
    ----------
    pthat
        least pT of the hard process [GeV]; 0 is none
    bias
        power p of pTHat by which events are drawn more often, and weighted back
    parton_ht, lepton_pt, partons
        least scalar sum of the pT of partons [GeV], pT of the hardest lepton [GeV], and number of partons, see
        `xaug.generate.filters.Filter`; 0 is none
    """

    pthat: float = 0.0
    bias: float = 0.0
    parton_ht: float = 0.0
    lepton_pt: float = 0.0
    partons: int = 0

    @property
    def card(self) -> list[str]:
        """The lines of a card that set these thresholds."""
        lines = [f"PhaseSpace:pTHatMin = {self.pthat:g}"] if self.pthat else []
        if self.bias:
            lines += [
                "PhaseSpace:bias2Selection = on",
                f"PhaseSpace:bias2SelectionPow = {self.bias:g}",
                "PhaseSpace:bias2SelectionRef = 100",
            ]
        filters = {"partonHT": self.parton_ht, "leptonPT": self.lepton_pt, "partons": self.partons}
        return [*lines, *(f"xaug:{name} = {least:g}" for name, least in filters.items() if least)]


@dataclass(frozen=True)
class Stored:
    """Cuts that an event must pass to be stored; looser than every selection that it is meant for."""

    lepton_pt: float = 20.0  # one electron or muon, with all photons within `dress_radius` [GeV]
    dress_radius: float = 0.1
    lepton_eta: float = 2.7
    ht: float = 250.0  # scalar sum of the pT of anti-kT jets, leptons among their constituents [GeV]
    jet_radius: float = 0.4
    jet_pt: float = 20.0  # [GeV]
    jet_eta: float = 2.7
    fat_pt: float = (
        0.0  # no cut on stored events: thresholds are meant for selections of fat jets at least this hard [GeV]
    )


@dataclass(frozen=True)
class Regime:
    """How the processes are generated for a selection.

    Attributes
    ----------
    name
        its name, the same for all selections that share its files
    stored
        cuts that stored events pass
    thresholds
        thresholds by process; a process that is not named has none
    """

    name: str
    stored: Stored
    thresholds: Mapping[str, Thresholds]


LOOSE = Regime(
    "loose",
    Stored(),
    {
        **dict.fromkeys(("tt1l", "tt2l", "tth"), Thresholds(parton_ht=200)),
        "wjets": Thresholds(pthat=100, bias=2, parton_ht=200),
        **dict.fromkeys(("singletop_t", "singletop_s"), Thresholds(pthat=25, bias=2, parton_ht=200)),
        **dict.fromkeys(("ww", "wz", "zz", "wh"), Thresholds(pthat=20, bias=2, parton_ht=200)),
    },
)
HARD = Regime(
    "hard",
    Stored(lepton_pt=80.0, ht=700.0, fat_pt=450.0),
    {
        **dict.fromkeys(("tt1l", "tt2l", "tth"), Thresholds(parton_ht=750, lepton_pt=70)),
        "wjets": Thresholds(pthat=300, bias=2, parton_ht=750, lepton_pt=70, partons=3),
        **dict.fromkeys(
            ("singletop_t", "singletop_s"), Thresholds(pthat=150, bias=2, parton_ht=750, lepton_pt=70, partons=3)
        ),
        **dict.fromkeys(
            ("ww", "wz", "zz", "wh"), Thresholds(pthat=225, bias=2, parton_ht=750, lepton_pt=70, partons=3)
        ),
    },
)
REGIMES = {"loose": LOOSE, "search": HARD, "tight": HARD}
"""By the name of the selection, see `xaug.events.presets`."""
NAMED = {own.name: own for own in REGIMES.values()}
"""By their own name, which files record."""


def regime(preset: str) -> Regime:
    """The regime of a selection.

    Raises
    ------
    ConfigurationError
        for an unknown selection; the message suggests the nearest one
    """
    if preset not in REGIMES:
        raise unknown_name("preset", preset, REGIMES)
    return REGIMES[preset]
