"""The processor of events: the features of arXiv:2412.13864 of the selected events."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, ClassVar

import hist
import numpy as np

from xaug.core.errors import ConfigurationError
from xaug.core.types import Array, Arrays, JsonObject
from xaug.data.parts import PartSettings, Rows
from xaug.events import table as _event_table  # noqa: F401  (registers the variables)
from xaug.events.cuts import EventSelection
from xaug.events.detector import Detector
from xaug.events.selection import select_events
from xaug.formats.base import Collisions, Format
from xaug.formats.processor import Processor, register_processor

__all__ = ["EventProcessor", "EventSettings"]


@dataclass(frozen=True)
class EventSettings(PartSettings):
    """All settings that decide what a dataset of events holds, beside its input."""

    version: ClassVar[int] = 3  # from 3 on: b jets by rank of pT, dressed leptons, resolution of particles

    kind: str = "events"
    selection: EventSelection = field(default_factory=EventSelection)
    split_fractions: tuple[float, float, float] = (0.5, 0.2, 0.3)  # train, validation, test
    detector: Detector = field(default_factory=Detector)

    def check(self, path: str, metadata: JsonObject) -> None:
        """Refuse a selection that would take events which the generator did not store."""
        stored, cuts = metadata.get("stored"), self.selection
        for name, cut, looser in (
            ("lepton_pt", cuts.lepton_pt, -1),
            ("lepton_eta", cuts.lepton_eta, 1),
            ("ht", cuts.ht_min, -1),
            ("fat_pt", cuts.fat_pt, -1),
        ):
            if stored and name in stored and looser * (cut - stored[name]) > 0:
                raise ConfigurationError(
                    f"selection of {name} at {cut:g}: {path} is meant for events within {stored[name]:g}; "
                    "cut harder, or generate with --preset loose"
                )


class EventProcessor(Processor[EventSettings, Collisions]):
    """Measure, select and describe the events of a chunk; their weights include the probability of a b-tag."""

    row = "event"
    needs = "one isolated lepton that passes the pT cut"
    control = {  # noqa: RUF012 (declared a class variable by the base class)
        "ht": hist.axis.Regular(60, 0, 3000, label=r"$H_T$ [GeV]"),
        "met": hist.axis.Regular(50, 0, 1000, label=r"missing $p_T$ [GeV]"),
        "pt_lep": hist.axis.Regular(50, 0, 1000, label=r"lepton $p_T$ [GeV]"),
        "pt_fat": hist.axis.Regular(50, 0, 1500, label=r"fat jet $p_T$ [GeV]"),
    }
    weighted = True

    @classmethod
    def default_settings(cls, kind: str) -> EventSettings:
        """The loose selection, and the detector with its default resolutions."""
        return EventSettings(kind=kind)

    def columns(self, source: Format, label: int) -> Collection[str]:
        """Columns of particles, leptons and quarks, whatever the class."""
        return source.collision_columns()

    def read(self, source: Format, chunk: Any, label: int, first: int) -> Collisions:
        """Read particles, leptons and heavy quarks."""
        return source.read_collisions(chunk, first)

    def particles(self, content: Collisions) -> Collisions:
        """The visible particles."""
        return content

    def rows(self, content: Collisions, weights: Array, ids: Array) -> Rows:
        """Features of the selected events; control histograms are weighted."""
        objects, tag_weight, flow = select_events(content, ids, self.settings.selection, self.settings.detector)
        table = self.table().variables("event")
        values: Arrays = {variable.name: variable.function(objects) for variable in table}
        features = np.stack([*values.values()], axis=1).astype(np.float32).reshape(len(objects), len(values))
        weight = weights[objects.event] * tag_weight
        control = {name: values[name] for name in self.control}
        return Rows(objects.event, weight, {"event": features}, control, weight, flow)


register_processor("events", EventProcessor)
register_processor("events_met", EventProcessor)
