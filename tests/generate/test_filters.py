"""Filters inside Pythia: what they keep, and the cross section of what remains."""

from types import SimpleNamespace

import numpy as np
import pytest

from xaug.core.errors import ConfigurationError
from xaug.generate.filters import EventFilter, Filter
from xaug.generate.pythia import Generator, read_card, subruns
from xaug.generate.vlq import shipped_card

FAST = ["PartonLevel:MPI = off", "HadronLevel:all = off"]
TOP_PAIRS = [*subruns(read_card(shipped_card("tt1l")))[0], *FAST]


class Record(list):
    """An event record: particles (id, final, pT)."""

    def size(self):
        return len(self)

    def __getitem__(self, i):
        identity, final, pt = super().__getitem__(i)
        return SimpleNamespace(id=lambda: identity, isFinal=lambda: final, pT=lambda: pt)


@pytest.mark.parametrize(("least", "dropped"), [(559.0, False), (561.0, True)])
def test_sum_is_that_of_final_partons_above_the_threshold(least, dropped):
    """Tops of 300 and 200, a gluon of 60; not a softer gluon, leptons and neutrinos, nor what is no longer there."""
    record = Record(
        [(6, True, 300.0), (-6, True, 200.0), (21, True, 60.0), (21, True, 29.0), (11, True, 90.0), (-14, True, 80.0),
         (6, False, 500.0)]
    )  # fmt: skip
    kept = EventFilter(Filter(parton_ht=least))
    assert kept.doVetoPT(2, record) == dropped
    assert not kept.doVetoPT(5, record)  # the shower of a decay


class Recording(EventFilter):
    """Keeps all events, and writes down what it would judge by."""

    def __init__(self):
        super().__init__(Filter(leptonic=True, parton_ht=1.0))
        self.tried = []

    def doVetoPT(self, position, event):
        if position < 5:
            self.tried.append(super().doVetoPT(position, event))
        return False


def test_cross_section_is_that_of_the_events_that_remain():
    """The share of events that a filter keeps, counted in an unfiltered sample, times its cross section."""
    least = 300.0
    every = Generator(TOP_PAIRS, 11, Filter(leptonic=True, parton_ht=1e-9))
    recording = Recording()
    recording.kept = Filter(leptonic=True, parton_ht=least)
    every.pythia.setUserHooksPtr(recording)
    every.pythia.init()
    n = len(every.next(600))
    kept = Generator(TOP_PAIRS, 12, Filter(leptonic=True, parton_ht=least))
    batch = kept.next(300)
    assert np.all(batch.weight == 1)
    assert len(recording.tried) == n == 600
    share = 1 - np.mean(recording.tried)
    (whole, whole_error), (part, part_error) = every.cross_section(), kept.cross_section()
    error = np.hypot(part_error, np.hypot(share * whole_error, whole * np.sqrt(share * (1 - share) / n)))
    assert 0.2 < share < 0.8
    assert part == pytest.approx(share * whole, abs=4 * error)
    assert part_error < 0.15 * part


def test_card_settings_of_the_filter_do_not_reach_pythia():
    lines = ["Top:gg2ttbar = on", "xaug:partonHT = 450", "xaug:partonPT = 25.", "xaug:partonScale=80"]
    found, rest = Filter(leptonic=True).with_settings(lines)
    assert found == Filter(True, 450.0, 25.0, 80.0)
    assert rest == ["Top:gg2ttbar = on"]
    assert Filter().with_settings(rest) == (Filter(), rest)
    for word in ("450", "25", "80", "muon"):
        assert word in found.words


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("xaug:partonHt = 5", "did you mean 'xaug:partonHT'"),
        ("xaug:partonHT = much", "number >= 0"),
        ("xaug:partonHT = -1", "number >= 0"),
        ("xaug:partonHT", "number >= 0"),
    ],
)
def test_wrong_settings(line, message):
    with pytest.raises(ConfigurationError, match=message):
        Generator([*TOP_PAIRS, line], 1)
