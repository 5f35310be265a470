"""Find the b jet and the leading jets j1, j2, j3 among the small jets of events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from xaug.core.types import Array, Arrays
from xaug.events.cuts import JETS, EventSelection
from xaug.events.measurement import rank_of
from xaug.events.tagging import draw_tagged
from xaug.formats.momenta import delta_phi

__all__ = ["Assignment", "assign_jets"]


@dataclass(frozen=True)
class Assignment:
    """The four small jets of the m events that remain, of n.

    Attributes
    ----------
    events
        their positions among the n, (m,), ascending
    jets
        positions of j1, j2, j3 and the b jet among the small jets, (m, 4)
    weight
        probability that a jet is tagged, (m,)
    flow
        how many events remain after each cut
    """

    events: Array
    jets: Array
    weight: Array
    flow: Mapping[str, int]


def assign_jets(jets: Arrays, event: Array, fat: Arrays, uniform: Array, cuts: EventSelection) -> Assignment:
    """Draw the b jet, take the three leading others, and apply the cuts on them.

    Parameters
    ----------
    jets
        pt [GeV], eta, phi and tag efficiency of the small jets, (k,) each; by event, then by falling pT
    event
        event of each of them, (k,); each of the n events has at least four
    fat
        eta and phi of the fat jet of each event, (n,) each
    uniform
        a number in [0, 1] for each event, (n,), by which the b jet is drawn
    cuts
        the selection
    """
    able = np.flatnonzero(jets["pt"] > cuts.b_pt)
    kept = np.unique(event[able])
    flow = {"b jet": len(kept)}
    drawn, weight = draw_tagged(jets["efficiency"][able], np.searchsorted(kept, event[able]), len(kept), uniform[kept])
    tagged = able[drawn]
    other = np.setdiff1d(np.flatnonzero(np.isin(event, kept)), tagged)
    leading = other[rank_of(event[other]) < JETS - 1].reshape(-1, JETS - 1)
    keep = (jets["pt"][leading] > cuts.leading_pt).all(axis=1)
    flow["leading jets"] = int(keep.sum())
    distance = np.hypot(jets["eta"][tagged] - fat["eta"][kept], delta_phi(jets["phi"][tagged], fat["phi"][kept]))
    keep &= distance >= cuts.b_fat_distance
    flow["b and fat jet apart"] = int(keep.sum())
    four = np.concatenate([leading, tagged[:, None]], axis=1)
    return Assignment(kept[keep], four[keep], weight[keep], flow)
