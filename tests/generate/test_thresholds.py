"""Thresholds of generation sculpt nothing: halve them all, and little of the selected weight fails the nominal ones."""

from dataclasses import replace

import awkward as ak
import numpy as np
import pytest

from xaug.data.splits import event_ids
from xaug.events.detector import Detector
from xaug.events.presets import PRESETS
from xaug.events.selection import select_events
from xaug.formats.xaug_tree import XAUG_TREE
from xaug.generate.filters import EventFilter, Filter
from xaug.generate.pythia import Generator, read_card, subruns
from xaug.generate.regimes import REGIMES
from xaug.generate.vlq import shipped_card, stored_events

SEED, BATCH = 12, 50
EVENTS = {"loose": 2000, "tight": 6000}
"""Generated events: most pass the halved thresholds and not the selection."""
LOST, SURE = 0.02, 2.0
"""Largest share of the selected weight that may fail the nominal thresholds, within so many standard deviations."""
DISTINCT = [
    (preset, name, own)
    for preset in EVENTS
    for own, name in {own: name for name, own in reversed(REGIMES[preset].thresholds.items())}.items()
]
"""One process for each set of thresholds."""


class Judged(EventFilter):
    """Keeps events as its filter asks, and writes down what they were judged by."""

    def __init__(self, kept):
        super().__init__(kept)
        self.seen = []

    def doVetoPT(self, position, event):
        if position >= 5:
            return False
        judged = self.judged(event)
        dropped = judged.fails(self.kept)
        if not dropped:
            self.seen.append(judged)
        return dropped


def selected(batch, preset, first):
    """Positions of the selected events of a batch, and the probability of their tags."""
    stored, collections = stored_events(batch, REGIMES[preset].stored)
    branches = {
        f"{name}_{column}": ak.unflatten(values, own.counts)
        for name, own in collections.items()
        for column, values in own.columns.items()
    }
    collisions, ids = XAUG_TREE.read_collisions(branches, 0), event_ids("halved", first + stored)
    objects, tag, _ = select_events(collisions, ids, PRESETS[preset], Detector())
    return stored[objects.event], tag


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("preset", "name", "nominal"), DISTINCT, ids=[f"{preset}-{name}" for preset, name, _ in DISTINCT]
)
def test_halved_thresholds_add_about_a_percent(preset, name, nominal):
    """HT and the lepton's pT are not sculpted: little of the selected weight fails the nominal thresholds."""
    halved = replace(
        nominal, pthat=nominal.pthat / 2, parton_ht=nominal.parton_ht / 2, lepton_pt=nominal.lepton_pt / 2,
        partons=nominal.partons // 2,
    )  # fmt: skip
    generator = Generator([*halved.card, *subruns(read_card(shipped_card(name)))[0]], SEED, Filter(leptonic=True))
    judge = Judged(generator.kept)
    generator.pythia.setUserHooksPtr(judge)
    assert generator.pythia.init()
    weights, why = [], []
    for first in range(0, EVENTS[preset], BATCH):
        judge.seen.clear()
        batch = generator.next(BATCH)
        if not len(judge.seen) == len(batch) == BATCH:
            continue  # Pythia failed somewhere and tried an event again: which one is not known
        for event, tag in zip(*selected(batch, preset, first), strict=True):
            weights.append(batch.weight[event] * tag)
            found = {**judge.seen[event]._asdict(), "pthat": batch.pthat[event]}
            why.append({key: float(value) for key, value in found.items() if value < getattr(nominal, key)})
    weight, fails = np.array(weights), np.array([bool(own) for own in why])
    share, error = (weight @ fails) / weight.sum(), np.sqrt(weight**2 @ fails) / weight.sum()
    print(f"{preset} {name}: {len(weight)} selected, {share:.4f} ± {error:.4f} of the weight fails", *filter(None, why))
    assert len(weight) > 10
    assert share - SURE * error < LOST
