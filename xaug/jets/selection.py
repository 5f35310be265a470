"""From the particles of events to the selected jets, with a cut flow (arXiv:2011.13466, section 4).

Used by the processor on files, and by the generator to count the jets that it has.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import awkward as ak
import numpy as np

from xaug.core.errors import ConfigurationError
from xaug.core.options import Options
from xaug.jets import clustering
from xaug.jets.clustering import FourVectors, kinematics
from xaug.jets.conventions import DEFAULT, Conventions
from xaug.jets.jets import BETAS, MAX_AXES, Jets, delta_phi
from xaug.jets.particle_kinds import NEUTRINOS

__all__ = ["CUTS", "Events", "Selection", "select_jets"]

CUTS = ("events", "jet with pT", "|eta|", "soft-drop mass window", "two subjets", "b quarks matched")
"""Steps of the cut flow. All count jets, but for the first."""


@dataclass(frozen=True)
class Selection(Options):
    """Which jets are taken. Defaults are those of arXiv:2011.13466, section 4."""

    noun: ClassVar[str] = "selection"

    radius: float = 0.8  # anti-kT R, also the distance in which the b quarks must be
    pt_min: float = 200.0  # [GeV]
    eta_max: float = 2.4
    mass_min: float = 50.0  # soft-drop mass [GeV]
    mass_max: float = 150.0
    z_cut: float = 0.1  # mMDT
    jets_per_event: int = 1  # 1: the leading jet; 2: both leading jets

    def __post_init__(self):
        self.require_positive()
        if not self.radius or self.z_cut >= 0.5:
            raise ConfigurationError(f"selection radius = {self.radius}, z_cut = {self.z_cut}: no jet could pass")
        if self.jets_per_event not in (1, 2):
            raise ConfigurationError(f"selection jets_per_event = {self.jets_per_event}: must be 1 or 2")
        if self.mass_min >= self.mass_max:
            raise ConfigurationError(f"selection mass window ({self.mass_min}, {self.mass_max}) is empty")


@dataclass(frozen=True)
class Events:
    """Particles of a chunk of events: flat constituents and generator partons, with counts per event."""

    constituents: dict[str, np.ndarray]  # name -> (m,): pt eta phi mass id vx vy vz, or status as well
    counts: np.ndarray  # (n_events,) constituents
    partons: ak.Array | None  # (n_events, var) records id, status, mother1, eta, phi; None for background

    def __len__(self) -> int:
        return len(self.counts)


def is_decay_b(ids, status):
    """Whether partons are b quarks out of the hard process, as those of a Z decay (Pythia status 23)."""
    return (abs(ids) == 5) & (abs(status) == 23)


def matched(partons: ak.Array, event: np.ndarray, eta: np.ndarray, phi: np.ndarray, radius: float) -> np.ndarray:
    """Whether both b quarks of one decaying boson are within `radius` of each jet axis, (n_jets,)."""
    b = partons[is_decay_b(partons.id, partons.status)][event]
    near = b[(b.eta - eta) ** 2 + delta_phi(b.phi, phi) ** 2 < radius**2]
    pairs = ak.combinations(near, 2, fields=["one", "two"])
    siblings = (pairs.one.mother1 == pairs.two.mother1) & (pairs.one.id == -pairs.two.id)
    return ak.to_numpy(ak.any(siblings, axis=1))


def select_jets(
    events: Events, cuts: Selection, substructure: bool = True, conventions: Conventions = DEFAULT
) -> tuple[Jets, dict[str, int]]:
    """The selected jets of a chunk, and how many remained after each cut.

    Parameters
    ----------
    substructure
        False leaves N-subjettiness out (nan): all that counting jets does not need
    conventions
        which particles are clustered, and which constituents the jets are described by

    Returns
    -------
    Jets, {cut: count}
    """
    # neutrinos are not seen, and a particle exactly along the beam has no direction in (eta, phi)
    visible = events.constituents["pt"] > 0
    if not conventions.neutrinos:
        visible &= ~np.isin(np.abs(events.constituents["id"]), NEUTRINOS)
    particles = {name: values[visible] for name, values in events.constituents.items()}
    event_of = np.repeat(np.arange(len(events)), events.counts)[visible]
    counts = np.bincount(event_of, minlength=len(events))
    momenta = FourVectors.from_pt_eta_phi_mass(*(particles[c] for c in ("pt", "eta", "phi", "mass")), counts)
    flow = dict.fromkeys(CUTS, 0)
    flow["events"] = len(events)

    event, index, jets = clustering.cluster(momenta, cuts.radius, cuts.pt_min)
    rank = np.arange(len(event)) - np.searchsorted(event, event)
    chosen = np.flatnonzero(rank < cuts.jets_per_event)
    flow["jet with pT"] = len(chosen)
    p = kinematics(jets.sums(jets.jet_index, len(jets)))
    chosen = chosen[np.abs(p["eta"][chosen]) < cuts.eta_max]
    flow["|eta|"] = len(chosen)
    # grooming only ever lowers the mass (all momenta are timelike): light jets need not be groomed
    chosen = chosen[p["mass"][chosen] > cuts.mass_min * (1 - 1e-9)]

    event, p = event[chosen], {name: values[chosen] for name, values in p.items()}
    index, jets = clustering.regroup(jets, index, chosen)
    inside, groomed, subjet = clustering.groom(jets, cuts.z_cut)
    subjet = np.stack([subjet, index[inside]], axis=1)  # beside the particle that each constituent is
    softdrop = kinematics(groomed.sums(groomed.jet_index, len(groomed)))["mass"]
    window = (softdrop > cuts.mass_min) & (softdrop < cuts.mass_max)
    flow["soft-drop mass window"] = int(window.sum())
    window &= groomed.counts >= 2
    flow["two subjets"] = int(window.sum())
    if events.partons is not None:
        window &= matched(events.partons, event, p["eta"], p["phi"], cuts.radius)
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
    return replace(found, conventions=conventions), flow


def _described(particles: dict[str, np.ndarray], conventions: Conventions) -> np.ndarray:
    """Which particles (m,) stand for the jet that they are in."""
    chosen = np.ones(len(particles["pt"]), bool)
    if conventions.constituent_pt > 0:
        chosen &= particles["pt"] > conventions.constituent_pt
    if conventions.status is not None:
        chosen &= particles["status"] == conventions.status
    return chosen


def _only(jets: Jets, constituents: np.ndarray, in_leading: np.ndarray) -> Jets:
    """The same jets, with some of their constituents and of those of the leading subjets: masks (m,), (k,)."""
    return replace(
        jets,
        jet_index=jets.jet_index[constituents],
        constituents={name: values[constituents] for name, values in jets.constituents.items()},
        leading_subjet_jet_index=jets.leading_subjet_jet_index[in_leading],
        leading_subjet={name: values[in_leading] for name, values in jets.leading_subjet.items()},
    )


def _jets(event, p, softdrop_mass, jets: FourVectors, kinds, groomed: FourVectors, subjet, substructure: bool) -> Jets:
    n = len(jets)
    subjets = kinematics(groomed.sums(2 * groomed.jet_index + subjet, 2 * n).reshape(n, 2, 4))
    if n and substructure:
        trees = clustering.recluster(jets), clustering.recluster(groomed)
        tau = np.stack([clustering.n_subjettiness(tree) for tree in trees], axis=1) / p["pt"][:, None, None, None]
    else:
        tau = np.full((n, 2, len(BETAS), MAX_AXES), np.nan)
    each = kinematics(np.stack([jets.px, jets.py, jets.pz, jets.e], axis=1))
    leading = subjet == 0
    in_leading = kinematics(np.stack([groomed.px, groomed.py, groomed.pz, groomed.e], axis=1)[leading])
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
        jet_index=jets.jet_index,
        constituents={**{c: each[c] for c in ("pt", "eta", "rapidity", "phi", "energy")}, **kinds},
        leading_subjet_jet_index=groomed.jet_index[leading],
        leading_subjet={c: in_leading[c] for c in ("pt", "rapidity", "phi")},
    )
