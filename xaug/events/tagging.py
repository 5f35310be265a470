"""Tagging of b jets by the generated quarks near them."""

from __future__ import annotations

import numpy as np

from xaug.core.types import Array
from xaug.events.cuts import EventSelection
from xaug.formats.base import Collisions
from xaug.formats.momenta import delta_phi, pairs

__all__ = ["draw_tagged", "tag_efficiencies"]


def draw_tagged(efficiency: Array, event: Array, n: int, uniform: Array) -> tuple[Array, Array]:
    """Choose the b jet of each event, without losing events to tagging.

    A jet is drawn with a probability proportional to its tag efficiency e. The event is weighted by the probability
    1 - prod(1 - e) that any of its jets is tagged.

    Parameters
    ----------
    efficiency, event
        tag efficiency and event of each jet, (m,); events are ascending, and every event has a jet
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
    total = np.bincount(event, efficiency, n)
    first = np.searchsorted(event, np.arange(n))
    upto = np.cumsum(efficiency)
    below = upto - (upto[first] - efficiency[first])[event]  # running sum within the event
    passed = np.bincount(event, below < (uniform * total)[event], n).astype(np.int64)
    chosen = first + np.minimum(passed, np.bincount(event, minlength=n) - 1)  # rounding may pass the last one
    return chosen, -np.expm1(np.bincount(event, np.log1p(-np.minimum(efficiency, 1 - 1e-15)), n))


def tag_efficiencies(jet_event: Array, eta: Array, phi: Array, collisions: Collisions, cuts: EventSelection) -> Array:
    """Tag efficiency of each jet (m,), which depends on the heaviest quark near it."""
    quarks = collisions.quarks
    left, right = pairs(jet_event, collisions.quark_counts)
    near = np.hypot(eta[left] - quarks["eta"][right], delta_phi(phi[left], quarks["phi"][right])) < cuts.flavour_radius
    near &= quarks["pt"][right] > cuts.flavour_pt
    flavour = np.zeros(len(jet_event), dtype=np.int64)
    np.maximum.at(flavour, left[near], quarks["id"][right[near]].astype(np.int64))
    return np.select([flavour == 5, flavour == 4], [cuts.tag_b, cuts.tag_c], cuts.tag_light)
