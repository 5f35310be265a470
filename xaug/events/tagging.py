"""Tagging of b jets by the generated quarks near them."""

from __future__ import annotations

import numpy as np

from xaug.core.types import Array, Arrays
from xaug.events.cuts import EventSelection
from xaug.formats.base import Collisions
from xaug.formats.momenta import delta_phi, pairs

__all__ = ["draw_tagged", "tag_efficiencies"]


def draw_tagged(efficiency: Array, event: Array, n: int, uniform: Array) -> tuple[Array, Array]:
    """Choose the b jet of each event, without losing events to tagging.

    An analysis takes the hardest tagged jet. With tag efficiencies e that jet is number i, in order of falling pT, with
    the probability e_i prod_(j harder than i) (1 - e_j). A jet is drawn by these, given that there is a tag, and the
    event is weighted by the probability 1 - prod(1 - e) that there is one.

    Parameters
    ----------
    efficiency, event
        tag efficiency and event of each jet, (m,); ordered by event, then by falling pT; every event has a jet
    n
        number of events
    uniform
        a number in [0, 1] for each event, (n,)

    Returns
    -------
    chosen : (n,)
        position of the b jet of each event
    weight : (n,)
        probability of a tag
    """
    missed = np.log1p(-np.minimum(efficiency, 1 - 1e-15))
    first = np.searchsorted(event, np.arange(n))
    upto = np.cumsum(missed)
    none_so_far = upto - (upto[first] - missed[first])[event]  # ln of the probability that no jet up to here is tagged
    weight: Array = -np.expm1(np.bincount(event, missed, n))
    drawn = (np.minimum(uniform, 1 - 1e-12) * weight)[event]  # below the sum of all probabilities, despite rounding
    passed = np.bincount(event, -np.expm1(none_so_far) <= drawn, n).astype(np.int64)
    chosen = first + np.minimum(passed, np.bincount(event, minlength=n) - 1)  # rounding may pass the last one
    return chosen, weight


def tag_efficiencies(jet_event: Array, jets: Arrays, collisions: Collisions, cuts: EventSelection) -> Array:
    """Tag efficiency of each jet (m,), which depends on its pT and on the heaviest quark near it.

    Parameters
    ----------
    jet_event
        event of each jet, (m,)
    jets
        their pt [GeV], eta and phi, (m,) each
    collisions
        the events, with their quarks
    cuts
        the efficiencies, and which quarks count
    """
    eta, phi, quarks = jets["eta"], jets["phi"], collisions.quarks
    left, right = pairs(jet_event, collisions.quark_counts)
    near = np.hypot(eta[left] - quarks["eta"][right], delta_phi(phi[left], quarks["phi"][right])) < cuts.flavour_radius
    near &= quarks["pt"][right] > cuts.flavour_pt
    flavour = np.zeros(len(jet_event), dtype=np.int64)
    np.maximum.at(flavour, left[near], quarks["id"][right[near]].astype(np.int64))
    b, c, light = (efficiency(jets["pt"]) for efficiency in cuts.efficiencies)
    return np.select([flavour == 5, flavour == 4], [b, c], light)
