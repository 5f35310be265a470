"""The coffea processor of jets."""

from __future__ import annotations

from typing import ClassVar

import hist
import numpy as np

from xaug import variables
from xaug.process.images import make_images
from xaug.process.jets import Jets
from xaug.process.particles import make_list
from xaug.process.parts import PartProcessor, Rows, Settings
from xaug.process.schemas import read_events
from xaug.process.selection import Events, select_jets

__all__ = ["JetProcessor", "Settings"]


def jet_columns(jets: Jets) -> dict[str, np.ndarray]:
    """The input blocks of selected jets, float32, as the variables table lists them."""
    lists, mask = make_list(jets, [row.compute for row in variables.rows("jets", "list")])
    xaugs = [row.compute(jets) for row in variables.rows("jets", "xaug")]
    return {
        "image": make_images(jets),
        "list": lists,
        "mask": mask,
        "xaug": np.stack(xaugs, axis=1).astype(np.float32).reshape(len(jets), len(xaugs)),
    }


class JetProcessor(PartProcessor):
    """Clusters, grooms, selects and describes the jets of a chunk."""

    needs = "a jet that passes the pT cut"
    control: ClassVar = {
        "pt": hist.axis.Regular(50, 0, 1000, label=r"leading jet $p_T$ [GeV]"),
        "eta": hist.axis.Regular(48, -2.4, 2.4, label=r"jet $\eta$"),
        "softdrop_mass": hist.axis.Regular(50, 0, 250, label=r"$m_\mathrm{SD}$ [GeV]"),
        "n_constituents": hist.axis.Regular(50, 0, 200, label="constituents"),
    }

    def read(self, events, file: dict, first: int) -> Events:
        """Constituents and, of signal, partons."""
        return read_events(events, file["label"], first)

    def rows(self, content: Events, weights: np.ndarray, ids: np.ndarray) -> Rows:
        """Images, lists and expert variables of the selected jets, with unit weights in the control histograms."""
        jets, cut_flow = select_jets(content, self.settings.selection)
        control = {
            "pt": jets.pt,
            "eta": jets.eta,
            "softdrop_mass": jets.softdrop_mass,
            "n_constituents": np.bincount(jets.owner, minlength=len(jets)),
        }
        return Rows(jets.event, weights[jets.event], jet_columns(jets), control, None, cut_flow)
