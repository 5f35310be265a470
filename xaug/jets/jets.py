"""The selected jets of a chunk, as flat numpy arrays: what all input variables are computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xaug.jets.conventions import DEFAULT, Conventions

__all__ = ["BETAS", "LIST_LENGTH", "MAX_AXES", "Jets", "delta_phi", "first_of", "leading"]

BETAS = (0.5, 1.0, 2.0)
"""Angular exponents at which N-subjettiness is computed."""
MAX_AXES = 3
"""N-subjettiness is computed for N = 1 .. MAX_AXES."""
LIST_LENGTH = 20
"""Rows of the particle list."""


@dataclass(frozen=True)
class Jets:
    """Selected jets, n of them with m constituents in all.

    Momenta are in GeV, lengths in mm. Angles of jets and subjets among each other use the rapidity y,
    which keeps them invariant under boosts along the beam although jets are massive; `eta` is the
    pseudorapidity.
    """

    event: np.ndarray  # (n,) index of the event within the chunk
    pt: np.ndarray  # (n,) ungroomed jet
    eta: np.ndarray  # (n,)
    rapidity: np.ndarray  # (n,)
    phi: np.ndarray  # (n,) in (-pi, pi]
    mass: np.ndarray  # (n,)
    softdrop_mass: np.ndarray  # (n,) mass after mMDT
    subjet_pt: np.ndarray  # (n, 2), the leading subjet first
    subjet_rapidity: np.ndarray  # (n, 2)
    subjet_eta: np.ndarray  # (n, 2)
    subjet_phi: np.ndarray  # (n, 2)
    tau: np.ndarray  # (n, 2, len(BETAS), MAX_AXES): ungroomed and groomed, divided by ungroomed jet pt
    jet_index: np.ndarray  # (m,) jet of each constituent, ascending
    constituents: dict[str, np.ndarray]  # name -> (m,): pt eta rapidity phi energy id vx vy vz
    leading_subjet_jet_index: np.ndarray  # (k,) jet of each constituent of a leading subjet
    leading_subjet: dict[str, np.ndarray]  # name -> (k,): pt rapidity phi of the leading subjets' constituents
    conventions: Conventions = DEFAULT  # which constituents are given, and how they are described

    def __len__(self) -> int:
        return len(self.pt)


def delta_phi(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Azimuthal difference a - b, wrapped to [-pi, pi)."""
    return np.remainder(a - b + np.pi, 2 * np.pi) - np.pi


def first_of(jet_index: np.ndarray, n: int) -> np.ndarray:
    """Index of the first constituent of each of n jets, given the ascending `jet_index` of each; (n,)."""
    return np.searchsorted(jet_index, np.arange(n))


def leading(jets: Jets) -> tuple[np.ndarray, np.ndarray]:
    """The first 20 constituents of each jet in pT: which they are (k,), and their rank in their jet (k,)."""
    particles = jets.constituents
    # ties in pT are broken by angle, so that the order does not depend on that of the input
    order = np.lexsort((particles["phi"], particles["eta"], -particles["pt"], jets.jet_index))
    rank = (
        np.arange(len(order)) - first_of(jets.jet_index, len(jets))[jets.jet_index]
    )  # jet_index is ascending, order keeps it
    return order[rank < LIST_LENGTH], rank[rank < LIST_LENGTH]
