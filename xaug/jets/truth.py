"""Match jets to the generator's partons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import awkward as ak
import numpy as np

from xaug.core.types import Array
from xaug.formats.momenta import delta_phi

__all__ = ["TRUTH", "TruthMatch", "match_partons"]

OUTGOING = 23
"""Status of Pythia for particles that leave the hard process, among them the products of a decaying boson."""


@dataclass(frozen=True)
class TruthMatch:
    """Partons that a jet must contain.

    Attributes
    ----------
    cut : str
        name of the requirement in cut flows
    found : callable
        of the outgoing partons (n_jets, var) within the radius, which jets (n_jets,) have what is required
    """

    cut: str
    found: Callable[[ak.Array], ak.Array]


def _siblings(near: ak.Array) -> ak.Array:
    """All pairs of partons of one mother."""
    pairs = ak.combinations(near, 2, fields=["one", "two"])
    return pairs[pairs.one.mother1 == pairs.two.mother1]


def _b_pair(near: ak.Array) -> ak.Array:
    """Both b quarks of one decaying boson: siblings of opposite charge."""
    pairs = _siblings(near[abs(near.id) == 5])
    return ak.any(pairs.one.id == -pairs.two.id, axis=1)


def _w_pair(near: ak.Array) -> ak.Array:
    """Both quarks of a decaying W: siblings, a quark and an antiquark, one of up and one of down type."""
    pairs = _siblings(near[(abs(near.id) >= 1) & (abs(near.id) <= 5)])
    of_w = (pairs.one.id * pairs.two.id < 0) & ((abs(pairs.one.id) + abs(pairs.two.id)) % 2 == 1)
    return ak.any(of_w, axis=1)


def _top(near: ak.Array) -> ak.Array:
    """The b quark and both quarks of the W of a decaying top quark."""
    return _w_pair(near) & ak.any(abs(near.id) == 5, axis=1)


def _parton(near: ak.Array) -> ak.Array:
    """A quark or gluon of the hard process."""
    return ak.any((abs(near.id) <= 5) | (near.id == 21), axis=1)


TRUTH: dict[str, TruthMatch | None] = {
    "none": None,
    "z_bb": TruthMatch("b quarks matched", _b_pair),
    "w_qq": TruthMatch("quarks of W matched", _w_pair),
    "h_bb": TruthMatch("b quarks of H matched", _b_pair),
    "top": TruthMatch("quarks of top matched", _top),
    "parton": TruthMatch("parton matched", _parton),
}
"""Requirements by name; None requires nothing. The files hold no partons but those of the process that was generated,
so that the pair of b quarks is that of its Z or Higgs boson."""


def match_partons(match: TruthMatch, partons: ak.Array, event: Array, eta: Array, phi: Array, radius: float) -> Array:
    """Find the jets that contain the required partons.

    Parameters
    ----------
    match
        the requirement
    partons
        (n_events, var) records with id, status, mother1, eta, phi
    event, eta, phi
        event and axis of each jet, (n_jets,)
    radius
        largest distance in (eta, phi) of a parton from the axis

    Returns
    -------
    (n_jets,) bool
        whether all required partons are within the radius
    """
    outgoing = partons[abs(partons.status) == OUTGOING][event]
    near = outgoing[(outgoing.eta - eta) ** 2 + delta_phi(outgoing.phi, phi) ** 2 < radius**2]
    matched: Array = ak.to_numpy(match.found(near)).astype(np.bool_)
    return matched
