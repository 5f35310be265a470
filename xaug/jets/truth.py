"""Match jets to the generator's partons."""

from __future__ import annotations

import awkward as ak

from xaug.core.types import Array
from xaug.formats.momenta import delta_phi

__all__ = ["match_b_quarks"]

OUTGOING = 23
"""Status of Pythia for particles that leave the hard process, among them the products of a decaying Z."""


def match_b_quarks(partons: ak.Array, event: Array, eta: Array, phi: Array, radius: float) -> Array:
    """Find the jets that contain both b quarks of one decaying boson.

    Parameters
    ----------
    partons
        (n_events, var) records with id, status, mother1, eta, phi
    event, eta, phi
        event and axis of each jet, (n_jets,)
    radius
        largest distance in (eta, phi) of a quark from the axis

    Returns
    -------
    (n_jets,) bool
        whether both quarks of a pair, siblings of opposite charge, are within the radius
    """
    b = partons[(abs(partons.id) == 5) & (abs(partons.status) == OUTGOING)][event]
    near = b[(b.eta - eta) ** 2 + delta_phi(b.phi, phi) ** 2 < radius**2]
    pairs = ak.combinations(near, 2, fields=["one", "two"])
    siblings = (pairs.one.mother1 == pairs.two.mother1) & (pairs.one.id == -pairs.two.id)
    matched: Array = ak.to_numpy(ak.any(siblings, axis=1))
    return matched
