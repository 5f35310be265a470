"""The coffea processor of jets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import hist
import numpy as np

from xaug.data.parts import PartProcessor, PartSettings, Rows
from xaug.formats.xaug_tree import event_weights, read_events
from xaug.jets.constituents import make_list
from xaug.jets.conventions import DEFAULT, Conventions
from xaug.jets.images import make_images
from xaug.jets.jets import Jets
from xaug.jets.selection import Events, Selection, select_jets
from xaug.jets.table import JET_LIST, JET_XAUGS

__all__ = ["JetProcessor", "Settings"]


@dataclass(frozen=True)
class Settings(PartSettings):
    """Everything but the input that decides what a dataset of jets holds."""

    kind: str = "jets"
    selection: Selection = field(default_factory=Selection)
    conventions: Conventions = DEFAULT

    @property
    def config(self) -> dict:
        """As plain data; of the conventions those that differ."""
        settings = super().config
        del settings["conventions"]
        return settings | ({"conventions": self.conventions.changes} if self.conventions.changes else {})


def jet_columns(jets: Jets) -> dict[str, np.ndarray]:
    """The input blocks of selected jets, float32, as the variables table lists them."""
    lists, mask = make_list(jets, [row.compute for row in JET_LIST])
    xaugs = [row.compute(jets) for row in JET_XAUGS]
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
        return read_events(events, file["label"], first, self.settings.conventions)

    def weights(self, events, first: int) -> np.ndarray:
        """Generator weights (n_events,) of a chunk, 1 where the file has none."""
        return event_weights(events, first)

    def rows(self, content: Events, weights: np.ndarray, ids: np.ndarray) -> Rows:
        """Images, lists and expert variables of the selected jets, with unit weights in the control histograms."""
        jets, cut_flow = select_jets(content, self.settings.selection, conventions=self.settings.conventions)
        control = {
            "pt": jets.pt,
            "eta": jets.eta,
            "softdrop_mass": jets.softdrop_mass,
            "n_constituents": np.bincount(jets.jet_index, minlength=len(jets)),
        }
        return Rows(jets.event, weights[jets.event], jet_columns(jets), control, None, cut_flow)
