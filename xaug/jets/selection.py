"""Select jets among the particles of events, with a cut flow (arXiv:2011.13466, section 4).

The processor selects the jets of files, and the generator counts those that it has generated.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xaug.core.types import Array, Arrays
from xaug.data.cut_flow import CutFlow
from xaug.formats.base import FinalState
from xaug.formats.momenta import NEUTRINOS, FourVectors, kinematics
from xaug.jets import clustering
from xaug.jets.conventions import DEFAULT, Conventions
from xaug.jets.cuts import Selection
from xaug.jets.jets import BETAS, MAX_AXES, Jets
from xaug.jets.truth import TRUTH, match_partons

__all__ = ["CUTS", "Selection", "select_and_follow", "select_jets"]

KINDS = ("id", "charge", "vx", "vy", "vz", "dxy", "dz")
"""Columns of particles beside their momenta, of which files have some."""

CUTS = ("events", "jet with pT", "|eta|", "soft-drop mass window", "two subjets")
"""Steps of the cut flow. All but the first count jets. A last one counts matched jets, where partons are given. Cuts
that a selection does not make are none of its steps; without one on pT the first is called "jets"."""


def select_jets(
    events: FinalState,
    cuts: Selection,
    substructure: bool = True,
    conventions: Conventions = DEFAULT,
    truth: str = "z_bb",
) -> tuple[Jets, CutFlow]:
    """Cluster, groom and select the jets of a chunk of events.

    Parameters
    ----------
    events
        final-state particles, or jets that the file gives
    cuts
        the selection
    substructure
        False skips N-subjettiness (nan), which is not needed to count jets
    conventions
        which particles are clustered, and which constituents describe the jets
    truth
        name in `xaug.jets.truth.TRUTH` of the partons that jets must contain, where partons are given

    Returns
    -------
    Jets, CutFlow
        the selected jets, and how many remain after each of CUTS
    """
    jets, left = select_and_follow(events, cuts, substructure, conventions, truth)
    return jets, CutFlow({cut: len(own) for cut, own in left.items()})


def select_and_follow(
    events: FinalState, cuts: Selection, substructure: bool, conventions: Conventions, truth: str
) -> tuple[Jets, dict[str, Array]]:
    """Select as `select_jets` does; beside the jets, cut -> event of each jet that is left after it."""
    particles, event, index, jets, p, flow = _found_jets(events, cuts, conventions)
    inside, groomed, subjet = clustering.groom(jets, cuts.z_cut, cuts.soft_drop_beta, cuts.radius)
    subjet = np.stack([subjet, index[inside]], axis=1)  # beside the particle that each constituent is
    softdrop = kinematics(groomed.totals())["mass"]
    window = ((softdrop > cuts.mass_min) | (cuts.mass_min == 0)) & (softdrop < cuts.mass_max)
    if cuts.mass_min or cuts.mass_max < np.inf:
        flow["soft-drop mass window"] = event[window]
    if cuts.subjets == "two":
        window &= groomed.counts >= 2
        flow["two subjets"] = event[window]
    match = TRUTH[truth]
    if events.partons is not None and match is not None:
        window &= match_partons(match, events.partons, event, p["eta"], p["phi"], cuts.radius)
        flow[match.cut] = event[window]

    chosen = np.flatnonzero(window)
    index, jets = clustering.regroup(jets, index, chosen)
    subjet, groomed = clustering.regroup(groomed, subjet, chosen)
    kept = {name: values[chosen] for name, values in p.items()}
    described = _described(particles, conventions)
    kinds = {name: particles[name][index] for name in KINDS if name in particles}
    axes = cuts.tau_axes if substructure else None
    found = _jets(event[chosen], kept, softdrop[chosen], jets, kinds, groomed, subjet[:, 0], axes)
    if not described.all():
        found = _only(found, described[index], described[subjet[subjet[:, 0] == 0, 1]])
    return replace(found, conventions=conventions), flow


def _found_jets(
    events: FinalState, cuts: Selection, conventions: Conventions
) -> tuple[Arrays, Array, Array, FourVectors, Arrays, dict[str, Array]]:
    """The jets that are groomed: clustered or given, above the cut in pT and within that in eta.

    Returns
    -------
    particles
        columns of all particles that enter jets
    event, index, jets, p
        event of each jet, positions of the constituents among the particles, their momenta, and kinematics of the jets
    flow
        cut -> event of each jet that is left after it, so far
    """
    # neutrinos are not seen, and a particle exactly along the beam has no direction in (eta, phi)
    visible = events.particles["pt"] > 0
    if not conventions.neutrinos and "id" in events.particles:
        visible &= ~np.isin(np.abs(events.particles["id"]), NEUTRINOS)
    particles = {name: values[visible] for name, values in events.particles.items()}
    group = np.repeat(np.arange(len(events.counts)), events.counts)[visible]
    momenta = FourVectors.of_particles(particles, np.bincount(group, minlength=len(events.counts)))
    flow: dict[str, Array] = {"events": np.arange(len(events))}
    if events.jet_event is None:
        event, index, jets = clustering.cluster(momenta, cuts.radius, cuts.pt_min, cuts.algorithm)
    else:
        event, index, jets = clustering.given(momenta, events.jet_event, cuts.pt_min)
    chosen = np.arange(len(event))
    if cuts.jets_per_event:
        chosen = np.flatnonzero(chosen - np.searchsorted(event, event) < cuts.jets_per_event)
    flow["jet with pT" if cuts.pt_min else "jets"] = event[chosen]
    p = kinematics(jets.totals())
    chosen = chosen[np.abs(p["eta"][chosen]) < cuts.eta_max]
    if cuts.eta_max < np.inf:
        flow["|eta|"] = event[chosen]
    if cuts.mass_min:
        # grooming can only lower the mass (all momenta are timelike), so light jets need not be groomed
        chosen = chosen[p["mass"][chosen] > cuts.mass_min * (1 - 1e-9)]
    index, jets = clustering.regroup(jets, index, chosen)
    return particles, event[chosen], index, jets, {name: values[chosen] for name, values in p.items()}, flow


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
    axes: str | None,
) -> Jets:
    """Gather what describes n jets: `p` their kinematics, `kinds` other columns of their constituents.

    `axes` are those of N-subjettiness; None leaves it out. A jet that is groomed to one particle has a second subjet
    without momentum in the place of the first.
    """
    n = len(jets)
    with np.errstate(divide="ignore", invalid="ignore"):  # of subjets without particles
        subjets = kinematics(groomed.sums(2 * groomed.group + subjet, 2 * n).reshape(n, 2, 4))
    alone = subjets["pt"][:, 1] == 0
    for name in ("rapidity", "eta", "phi"):
        subjets[name][alone, 1] = subjets[name][alone, 0]
    if n and axes is not None:
        trees = clustering.recluster(jets), clustering.recluster(groomed)
        tau = (
            np.stack([clustering.n_subjettiness(tree, axes=axes) for tree in trees], axis=1)
            / p["pt"][:, None, None, None]
        )
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
