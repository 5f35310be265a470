"""Selected jets as flat numpy arrays, from which all input variables are computed."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from xaug.core.types import Array, Arrays
from xaug.jets.conventions import DEFAULT, Conventions

__all__ = ["ALGORITHMS", "AXES", "BETAS", "LIST_LENGTH", "MAX_AXES", "OPEN", "Jets", "first_of", "leading"]

BETAS = (0.5, 1.0, 2.0)
"""Angular exponents at which N-subjettiness is computed."""
ALGORITHMS = {"antikt": "antikt_algorithm", "ca": "cambridge_algorithm", "kt": "kt_algorithm"}
"""Algorithms of clustering by name, and what fastjet calls them."""
MAX_AXES = 3
"""N-subjettiness is computed for N = 1 .. MAX_AXES."""
AXES = {"onepass_wta": "OnePass_WTA_KT_Axes", "wta": "WTA_KT_Axes"}
"""Axes of N-subjettiness -> name in fastjet: winner-take-all kT axes, improved by one pass of minimisation or not."""
OPEN: dict[str, Any] = {
    "pt_min": 0.0, "eta_max": inf, "mass_min": 0.0, "mass_max": inf, "jets_per_event": 0, "subjets": "any",
}  # fmt: skip
"""Options of the selection that keep all jets: the default for files that give jets."""
LIST_LENGTH = 20
"""Rows of the particle list."""


@dataclass(frozen=True)
class Jets:
    """Selected jets, n of them with m constituents in all.

    Momenta are in GeV, lengths in mm. Angles of jets and subjets among each other use the rapidity y,
    which keeps them invariant under boosts along the beam although jets are massive; `eta` is the
    pseudorapidity.
    """

    event: Array  # (n,) index of the event within the chunk
    pt: Array  # (n,) ungroomed jet
    eta: Array  # (n,)
    rapidity: Array  # (n,)
    phi: Array  # (n,) in (-pi, pi]
    mass: Array  # (n,)
    softdrop_mass: Array  # (n,) mass after mMDT
    subjet_pt: Array  # (n, 2), the leading subjet first
    subjet_rapidity: Array  # (n, 2)
    subjet_eta: Array  # (n, 2)
    subjet_phi: Array  # (n, 2)
    tau: Array  # (n, 2, len(BETAS), MAX_AXES): ungroomed and groomed, divided by ungroomed jet pt
    jet_index: Array  # (m,) jet of each constituent, ascending
    constituents: Arrays  # name -> (m,): pt eta rapidity phi energy id vx vy vz
    leading_subjet_jet_index: Array  # (k,) jet of each constituent of a leading subjet
    leading_subjet: Arrays  # name -> (k,): pt rapidity phi of the leading subjets' constituents
    conventions: Conventions = DEFAULT  # which constituents describe the jets, and how

    def __len__(self) -> int:
        return len(self.pt)


def first_of(jet_index: Array, n: int) -> Array:
    """Position (n,) of the first constituent of each of n jets, given the ascending jets of all constituents."""
    return np.searchsorted(jet_index, np.arange(n))


def leading(jets: Jets) -> tuple[Array, Array]:
    """The 20 hardest constituents of each jet.

    Returns
    -------
    chosen, rank : (k,) each
        their positions among all constituents, and their rank in pT within their jet
    """
    particles = jets.constituents
    # ties in pT are broken by angle, so that the order does not depend on that of the input
    order = np.lexsort((particles["phi"], particles["eta"], -particles["pt"], jets.jet_index))
    # jet_index is ascending, and the order keeps it so
    rank = np.arange(len(order)) - first_of(jets.jet_index, len(jets))[jets.jet_index]
    return order[rank < LIST_LENGTH], rank[rank < LIST_LENGTH]
