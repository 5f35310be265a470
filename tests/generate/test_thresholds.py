"""Thresholds of generation sculpt nothing: of the selected weight, little lies below them when they are halved."""

import re
from dataclasses import replace

import awkward as ak
import numpy as np
import pytest
from coffea.nanoevents import BaseSchema, NanoEventsFactory

from xaug.data.splits import event_ids
from xaug.events.detector import Detector
from xaug.events.presets import PRESETS
from xaug.events.selection import select_events
from xaug.formats.xaug_tree import XAUG_TREE
from xaug.generate.filters import EventFilter, Filter
from xaug.generate.pythia import Generator, read_card, subruns
from xaug.generate.regimes import REGIMES
from xaug.generate.vlq import card_of, generate, shipped_card, stored_events

SEED = 5


def stored_collisions(batch, cuts):
    """Positions of the stored events of a batch, and what is read of them."""
    events, collections = stored_events(batch, cuts)
    branches = {
        f"{name}_{column}": ak.unflatten(values, own.counts)
        for name, own in collections.items()
        for column, values in own.columns.items()
    }
    return events, XAUG_TREE.read_collisions(branches, 0)


def selected(path, preset):
    """Weights and pTHat of the events of a file that pass a selection."""
    chunk = NanoEventsFactory.from_root({str(path): "T"}, schemaclass=BaseSchema, mode="eager").events()
    objects, tag, _ = select_events(
        XAUG_TREE.read_collisions(chunk, 0), event_ids("x", np.arange(len(chunk))), PRESETS[preset], Detector()
    )
    return np.asarray(chunk.weight)[objects.event] * tag, np.asarray(chunk.pthat)[objects.event]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "name"),
    [(preset, name) for preset in ("loose", "tight") for name, own in REGIMES[preset].thresholds.items() if own.pthat],
)
def test_halved_threshold_adds_about_a_percent(preset, name, tmp_path):
    """HT is not sculpted: little of the selected weight is below the threshold on pTHat."""
    threshold = REGIMES[preset].thresholds[name].pthat
    halved = tmp_path / "halved.cmnd"
    lines = "\n".join(card_of(name, REGIMES[preset]))
    halved.write_text(re.sub(r"pTHatMin = [\d.]+", f"pTHatMin = {threshold / 2}", lines))
    generate(tmp_path / "out", events=3000, seed=SEED, processes=[name], cards={name: str(halved)}, preset=preset)
    (path,) = (tmp_path / "out").glob("*.root")
    weight, pthat = selected(path, preset)
    assert len(weight) > 10
    assert weight[pthat < threshold].sum() < 0.02 * weight.sum()


class Judged(EventFilter):
    """Keeps events as its filter asks, and writes down whether a filter twice as hard would."""

    def __init__(self, kept):
        super().__init__(kept)
        self.hard = EventFilter(replace(kept, parton_ht=2 * kept.parton_ht))
        self.would_drop = []

    def doVetoPT(self, position, event):
        dropped = super().doVetoPT(position, event)
        if position < 5 and not dropped:
            self.would_drop.append(self.hard.doVetoPT(position, event))
        return dropped


@pytest.mark.slow
@pytest.mark.parametrize(("preset", "events"), [("loose", 1500), ("tight", 4000)])
def test_halved_parton_filter_adds_about_a_percent(preset, events):
    """Of the selected weight of top pairs, little has fewer partons than the filter asks for."""
    nominal = REGIMES[preset].thresholds["tt1l"].parton_ht
    lines = subruns([f"xaug:partonHT = {nominal / 2}", *read_card(shipped_card("tt1l"))])[0]
    generator = Generator(lines, 12, Filter(leptonic=True))
    judge = Judged(generator.kept)
    generator.pythia.setUserHooksPtr(judge)
    assert generator.pythia.init()
    weight = {True: 0.0, False: 0.0}
    found = 0
    for first in range(0, events, 50):
        judge.would_drop.clear()
        batch = generator.next(50)
        if not len(judge.would_drop) == len(batch) == 50:
            continue  # Pythia failed somewhere and tried an event again: which one is not known
        stored, content = stored_collisions(batch, REGIMES[preset].stored)
        ids = event_ids("halved", first + stored)
        objects, tag, _ = select_events(content, ids, PRESETS[preset], Detector())
        for event, own in zip(stored[objects.event], tag, strict=True):
            weight[judge.would_drop[event]] += own
            found += 1
    assert found > 4
    assert weight[True] < 0.02 * (weight[True] + weight[False])
