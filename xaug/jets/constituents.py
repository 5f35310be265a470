"""The particle list: the 20 hardest constituents in pT, 17 columns each (table 2 of arXiv:2011.13466).

Padding: where a jet has fewer particles, every column is 0 and the mask is 0. The scaler maps real particles to
[0, 1] and keeps padding at exactly 0, so that a padded particle activates nothing in the network, gets no relevance,
and equals the blank baseline.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from xaug.core.types import Array
from xaug.formats.momenta import delta_phi
from xaug.jets.jets import LIST_LENGTH, Jets, leading
from xaug.jets.particle_kinds import KINDS, charge_of, log_displacement, longitudinal, transverse

__all__ = ["LIST_LENGTH", "make_list"]


class Constituents:
    """Constituents (m,) and the jet that each belongs to, from which columns of the list are computed."""

    def __init__(self, jets: Jets, chosen: Array):
        self.jet = jets.jet_index[chosen]
        self.jets = jets
        self.values = {name: values[chosen] for name, values in jets.constituents.items()}

    def __getitem__(self, name: str) -> Array:
        return self.values[name]

    def __len__(self) -> int:
        return len(self.jet)

    def delta(self, eta: Array, phi: Array) -> tuple[Array, Array]:
        """Differences in pseudorapidity and azimuth from an axis per jet, given as (n_jets,) arrays."""
        return self.values["eta"] - eta[self.jet], delta_phi(self.values["phi"], phi[self.jet])


def log_pt(c: Constituents) -> Array:
    """ln(pT / GeV)."""
    return np.log(c["pt"])


def log_pt_rel(c: Constituents) -> Array:
    """ln(pT / jet pT)."""
    logarithm: Array = np.log(c["pt"] / c.jets.pt[c.jet])
    return logarithm


def log_energy(c: Constituents) -> Array:
    """ln(E / GeV)."""
    return np.log(c["energy"])


def abs_eta(c: Constituents) -> Array:
    """|pseudorapidity| of the particle."""
    return np.abs(c["eta"])


def delta_phi_jet(c: Constituents) -> Array:
    """phi - phi(jet), wrapped."""
    return c.delta(c.jets.eta, c.jets.phi)[1]


def delta_eta_jet(c: Constituents) -> Array:
    """eta - eta(jet)."""
    return c.delta(c.jets.eta, c.jets.phi)[0]


def delta_r_jet(c: Constituents) -> Array:
    """Distance to the jet axis in (eta, phi)."""
    return np.hypot(*c.delta(c.jets.eta, c.jets.phi))


def delta_r_subjet(which: int) -> Callable[[Constituents], Array]:
    """Distance to the axis of a subjet (0: leading) in (eta, phi)."""

    def compute(c: Constituents) -> Array:
        return np.hypot(*c.delta(c.jets.subjet_eta[:, which], c.jets.subjet_phi[:, which]))

    return compute


def charge_column(c: Constituents) -> Array:
    """Electric charge in units of e."""
    return charge_of(c.values)


def is_kind(kind: str) -> Callable[[Constituents], Array]:
    """1 for particles of a kind, else 0."""
    return lambda c: KINDS[kind](c["id"])


def dxy(c: Constituents) -> Array:
    """ln(max(dxy, floor) / mm); the floor is 1 um by default."""
    return log_displacement(transverse(c.values, c.jets.conventions), c.jets.conventions)


def dz(c: Constituents) -> Array:
    """ln(max(|dz|, floor) / mm); the floor is 1 um by default."""
    return log_displacement(longitudinal(c.values), c.jets.conventions)


def make_list(jets: Jets, columns: list[Callable[[Constituents], Array]]) -> tuple[Array, Array]:
    """Make the particle lists of jets.

    Parameters
    ----------
    jets
        n_jets jets
    columns
        one function for each column

    Returns
    -------
    (n_jets, 20, n_columns) float32, (n_jets, 20) float32
        the lists, ordered by descending pT, and their mask (1 particle, 0 padding)
    """
    n = len(jets)
    chosen, row = leading(jets)
    c = Constituents(jets, chosen)
    lists = np.zeros((n, LIST_LENGTH, len(columns)), np.float32)
    mask = np.zeros((n, LIST_LENGTH), np.float32)
    mask[c.jet, row] = 1.0
    for i, column in enumerate(columns):
        lists[c.jet, row, i] = column(c)
    return lists, mask
