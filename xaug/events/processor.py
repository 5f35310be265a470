"""The coffea processor of events: from particles or Delphes objects to the features of arXiv:2412.13864."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import hist
import numpy as np

from xaug.core.errors import ConfigurationError
from xaug.data.parts import PartProcessor, PartSettings, Rows
from xaug.data.variables import table_of
from xaug.events import table as _event_table  # noqa: F401  (registers the kinds)
from xaug.events.detector import Detector
from xaug.events.selection import EventSelection, select_events
from xaug.formats.event_formats import Collisions, read_delphes, read_tree
from xaug.formats.xaug_tree import event_weights

__all__ = ["EventProcessor", "EventSettings"]


@dataclass(frozen=True)
class EventSettings(PartSettings):
    """Everything but the input that decides what a dataset of events holds."""

    kind: str = "events"
    selection: EventSelection = field(default_factory=EventSelection)
    split_fractions: tuple[float, float, float] = (0.5, 0.2, 0.3)  # train, validation, test
    detector: Detector = field(default_factory=Detector)

    def check(self, path: str, stored: dict | None) -> None:
        """ConfigurationError where this selection would take events that the file does not hold."""
        cuts = self.selection
        for name, cut, looser in (
            ("lepton_pt", cuts.lepton_pt, -1),
            ("lepton_eta", cuts.lepton_eta, 1),
            ("ht", cuts.ht_min, -1),
        ):
            if stored and looser * (cut - stored[name]) > 0:
                raise ConfigurationError(
                    f"selection of {name} at {cut:g}: {path} holds only events within {stored[name]:g}; "
                    "cut harder, or generate with other values of xaug.generate.vlq.STORED"
                )


class EventProcessor(PartProcessor):
    """Measures, selects and describes the events of a chunk; their weights include that of b-tagging."""

    needs = "one isolated lepton that passes the pT cut"
    control: ClassVar = {
        "ht": hist.axis.Regular(60, 0, 3000, label=r"$H_T$ [GeV]"),
        "met": hist.axis.Regular(50, 0, 1000, label=r"missing $p_T$ [GeV]"),
        "pt_lep": hist.axis.Regular(50, 0, 1000, label=r"lepton $p_T$ [GeV]"),
        "pt_fat": hist.axis.Regular(50, 0, 1500, label=r"fat jet $p_T$ [GeV]"),
    }

    def read(self, events, file: dict, first: int) -> Collisions:
        """Particles, leptons and heavy quarks, of our tree or of Delphes."""
        return (read_delphes if file["format"] == "delphes" else read_tree)(events, first)

    def weights(self, events, first: int) -> np.ndarray:
        """Generator weights (n_events,) of a chunk, 1 where the file has none."""
        return event_weights(events, first)

    def rows(self, content: Collisions, weights: np.ndarray, ids: np.ndarray) -> Rows:
        """The features of the selected events; control histograms are weighted."""
        objects, tag_weight, flow = select_events(content, ids, self.settings.selection, self.settings.detector)
        table = table_of(self.settings.kind).variables("event")
        columns = [row.compute(objects) for row in table]
        features = np.stack(columns, axis=1).astype(np.float32).reshape(len(objects), len(table))
        weight = weights[objects.event] * tag_weight
        values = {row.name: column for row, column in zip(table, columns, strict=True)}
        control = {name: values[name] for name in self.control}
        return Rows(objects.event, weight, {"event": features}, control, weight, flow)
