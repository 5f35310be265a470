"""JetNet (R. Kansal et al., NeurIPS 2021, arXiv:2106.11535; Zenodo 6975118): one file for each kind of jet."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from xaug.core.errors import BadValues
from xaug.formats.base import FinalState, Wanted, register_format
from xaug.formats.jet_files import Entries, Jagged, JetFormat, jets_of

__all__ = ["JETNET"]

PARTICLES, JETS = "particle_features", "jet_features"
COLUMNS = ("eta_rel", "phi_rel", "pt_rel", "mask")


class JetNet(JetFormat):
    """Particles relative to the axis and the pT of their jet, whose azimuth is not known; particles have no mass."""

    name = "jetnet"
    label = "a file of JetNet (HDF5)"
    suffixes = (".hdf5", ".h5")
    layout = "particle_features (jets, particles, 4): eta_rel, phi_rel, pt_rel, mask; jet_features: pt [GeV], eta, mass"
    containers = ("HDF5",)
    signature = (PARTICLES, JETS)

    def holds(self, columns: Collection[str]) -> frozenset[str]:
        return frozenset()

    def needed(self, columns: Collection[str]) -> tuple[str, ...]:
        return self.signature

    def read_jets(self, chunk: Entries, wanted: Wanted, first: int) -> FinalState:
        features, jets = np.asarray(chunk[PARTICLES]), np.asarray(chunk[JETS]).astype(np.float64)
        if features.ndim != 3 or features.shape[2] != len(COLUMNS) or jets.ndim != 2 or jets.shape[1] < 2:
            raise BadValues(
                f"{PARTICLES} and {JETS} have the shapes {features.shape} and {jets.shape}; they must be "
                "(jets, particles, 4) and (jets, 4)"
            )
        mask = features[:, :, COLUMNS.index("mask")]
        if not np.isin(mask, (0, 1)).all():
            raise BadValues(f"{PARTICLES} (mask) holds other numbers than 0 and 1")
        columns = {own: np.where(mask > 0, features[:, :, i], 0.0) for i, own in enumerate(COLUMNS[:3])}
        columns["mask"] = mask
        jagged = Jagged(columns, {own: f"{PARTICLES} ({own})" for own in COLUMNS}, COLUMNS)
        jagged.refuse_not_finite(first)
        pt, eta = jets[jagged.jet, 0], jets[jagged.jet, 1]
        particles = {
            "pt": jagged["pt_rel"] * pt,
            "eta": jagged["eta_rel"] + eta,
            "phi": jagged["phi_rel"],
            "mass": np.zeros(len(pt)),
        }
        return jets_of(jagged, particles, first)


JETNET = register_format(JetNet())
