"""Select jets among the particles of events, with a cut flow (arXiv:2011.13466, section 4).

The processor selects the jets of files, and the generator counts those that it has generated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from xaug.core.errors import ConfigurationError
from xaug.core.options import Options
from xaug.core.types import Array, Arrays
from xaug.data.cut_flow import CutFlow
from xaug.formats.base import FinalState
from xaug.formats.momenta import NEUTRINOS, FourVectors, kinematics
from xaug.jets import clustering
from xaug.jets.conventions import DEFAULT, Conventions
from xaug.jets.jets import BETAS, MAX_AXES, Jets
from xaug.jets.truth import match_b_quarks

__all__ = ["CUTS", "Selection", "select_jets"]

CUTS = ("events", "jet with pT", "|eta|", "soft-drop mass window", "two subjets", "b quarks matched")
"""Steps of the cut flow. All but the first count jets."""


@dataclass(frozen=True)
class Selection(Options):
    """Cuts that select jets. Defaults are those of arXiv:2011.13466, section 4."""

    noun: ClassVar[str] = "selection"

    radius: float = 0.8  # of anti-kT, and the largest distance of the b quarks from the jet axis
    pt_min: float = 200.0  # [GeV]
    eta_max: float = 2.4
    mass_min: float = 50.0  # soft-drop mass [GeV]
    mass_max: float = 150.0
    z_cut: float = 0.1  # least pT fraction of the softer subjet, in the modified mass-drop tagger
    jets_per_event: int = 1  # 1: the leading jet; 2: both leading jets

    def __post_init__(self) -> None:
        self.require_positive()
        if not self.radius or self.z_cut >= 0.5:
            raise ConfigurationError(
                f"selection radius = {self.radius}, z_cut = {self.z_cut}: no jet can pass; the radius must be above 0 "
                "and z_cut below 0.5"
            )
        if self.jets_per_event not in (1, 2):
            raise ConfigurationError(f"selection jets_per_event = {self.jets_per_event}: must be 1 or 2")
        if self.mass_min >= self.mass_max:
            raise ConfigurationError(f"selection mass window ({self.mass_min}, {self.mass_max}) is empty")


def select_jets(
    events: FinalState, cuts: Selection, substructure: bool = True, conventions: Conventions = DEFAULT
) -> tuple[Jets, CutFlow]:
    """Cluster, groom and select the jets of a chunk of events.

    Parameters
    ----------
    events
        final-state particles; jets are matched to b quarks where partons are given
    cuts
        the selection
    substructure
        False skips N-subjettiness (nan), which is not needed to count jets
    conventions
        which particles are clustered, and which constituents describe the jets

    Returns
    -------
    Jets, CutFlow
        the selected jets, and how many remain after each of CUTS
    """
    # neutrinos are not seen, and a particle exactly along the beam has no direction in (eta, phi)
    visible = events.particles["pt"] > 0
    if not conventions.neutrinos:
        visible &= ~np.isin(np.abs(events.particles["id"]), NEUTRINOS)
    particles = {name: values[visible] for name, values in events.particles.items()}
    event_of = np.repeat(np.arange(len(events)), events.counts)[visible]
    counts = np.bincount(event_of, minlength=len(events))
    momenta = FourVectors.of_particles(particles, counts)
    flow = dict.fromkeys(CUTS, 0)
    flow["events"] = len(events)

    event, index, jets = clustering.cluster(momenta, cuts.radius, cuts.pt_min)
    rank = np.arange(len(event)) - np.searchsorted(event, event)
    chosen = np.flatnonzero(rank < cuts.jets_per_event)
    flow["jet with pT"] = len(chosen)
    p = kinematics(jets.totals())
    chosen = chosen[np.abs(p["eta"][chosen]) < cuts.eta_max]
    flow["|eta|"] = len(chosen)
    # grooming can only lower the mass (all momenta are timelike), so light jets need not be groomed
    chosen = chosen[p["mass"][chosen] > cuts.mass_min * (1 - 1e-9)]

    event, p = event[chosen], {name: values[chosen] for name, values in p.items()}
    index, jets = clustering.regroup(jets, index, chosen)
    inside, groomed, subjet = clustering.groom(jets, cuts.z_cut)
    subjet = np.stack([subjet, index[inside]], axis=1)  # beside the particle that each constituent is
    softdrop = kinematics(groomed.totals())["mass"]
    window = (softdrop > cuts.mass_min) & (softdrop < cuts.mass_max)
    flow["soft-drop mass window"] = int(window.sum())
    window &= groomed.counts >= 2
    flow["two subjets"] = int(window.sum())
    if events.partons is not None:
        window &= match_b_quarks(events.partons, event, p["eta"], p["phi"], cuts.radius)
    flow["b quarks matched"] = int(window.sum())

    chosen = np.flatnonzero(window)
    index, jets = clustering.regroup(jets, index, chosen)
    subjet, groomed = clustering.regroup(groomed, subjet, chosen)
    kept = {name: values[chosen] for name, values in p.items()}
    described = _described(particles, conventions)
    kinds = {name: particles[name][index] for name in ("id", "vx", "vy", "vz")}
    found = _jets(event[chosen], kept, softdrop[chosen], jets, kinds, groomed, subjet[:, 0], substructure)
    if not described.all():
        found = _only(found, described[index], described[subjet[subjet[:, 0] == 0, 1]])
    return replace(found, conventions=conventions), CutFlow(flow)


def _described(particles: Arrays, conventions: Conventions) -> Array:
    """Mask (m,) of the particles that enter the description of their jets, by the conventions."""
    chosen = np.ones(len(particles["pt"]), bool)
    if conventions.constituent_pt > 0:
        chosen &= particles["pt"] > conventions.constituent_pt
    if conventions.status is not None:
        chosen &= particles["status"] == conventions.status
    return chosen


def _only(jets: Jets, constituents: Array, in_leading: Array) -> Jets:
    """Keep some of the constituents of jets (mask (m,)) and of their leading subjets (mask (k,))."""
    return replace(
        jets,
        jet_index=jets.jet_index[constituents],
        constituents={name: values[constituents] for name, values in jets.constituents.items()},
        leading_subjet_jet_index=jets.leading_subjet_jet_index[in_leading],
        leading_subjet={name: values[in_leading] for name, values in jets.leading_subjet.items()},
    )


def _jets(
    event: Array,
    p: Arrays,
    softdrop_mass: Array,
    jets: FourVectors,
    kinds: Arrays,
    groomed: FourVectors,
    subjet: Array,
    substructure: bool,
) -> Jets:
    """Gather what describes n jets: `p` their kinematics, `kinds` ids and vertices of their constituents."""
    n = len(jets)
    subjets = kinematics(groomed.sums(2 * groomed.group + subjet, 2 * n).reshape(n, 2, 4))
    if n and substructure:
        trees = clustering.recluster(jets), clustering.recluster(groomed)
        tau = np.stack([clustering.n_subjettiness(tree) for tree in trees], axis=1) / p["pt"][:, None, None, None]
    else:
        tau = np.full((n, 2, len(BETAS), MAX_AXES), np.nan)
    each = kinematics(jets.components)
    leading = subjet == 0
    in_leading = kinematics(groomed.components[leading])
    return Jets(
        event=event,
        pt=p["pt"],
        eta=p["eta"],
        rapidity=p["rapidity"],
        phi=p["phi"],
        mass=p["mass"],
        softdrop_mass=softdrop_mass,
        subjet_pt=subjets["pt"],
        subjet_rapidity=subjets["rapidity"],
        subjet_eta=subjets["eta"],
        subjet_phi=subjets["phi"],
        tau=tau,
        jet_index=jets.group,
        constituents={**{c: each[c] for c in ("pt", "eta", "rapidity", "phi", "energy")}, **kinds},
        leading_subjet_jet_index=groomed.group[leading],
        leading_subjet={c: in_leading[c] for c in ("pt", "rapidity", "phi")},
    )
