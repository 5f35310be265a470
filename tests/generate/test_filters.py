"""Filters inside Pythia: what they keep, and the cross section of what remains."""

from types import SimpleNamespace

import numpy as np
import pytest
from pythia8mc import Vec4

from xaug.core.errors import ConfigurationError
from xaug.generate.filters import EventFilter, Filter
from xaug.generate.pythia import Generator, read_card, subruns
from xaug.generate.vlq import shipped_card

FAST = ["PartonLevel:MPI = off", "HadronLevel:all = off"]
TOP_PAIRS = [*subruns(read_card(shipped_card("tt1l")))[0], *FAST]


class Record(list):
    """An event record: particles (id, status, pT or four-momentum, mother)."""

    def size(self):
        return len(self)

    def __getitem__(self, i):
        identity, status, momentum, *mother = super().__getitem__(i)
        p = momentum if isinstance(momentum, Vec4) else Vec4(momentum, 0.0, 0.0, momentum)
        return SimpleNamespace(
            id=lambda: identity, status=lambda: status, isFinal=lambda: status > 0, pT=p.pT, p=lambda: p, m=p.mCalc,
            mother1=lambda: mother[0] if mother else 0,
        )  # fmt: skip


@pytest.mark.parametrize(("least", "dropped"), [(559.0, False), (561.0, True)])
def test_sum_is_that_of_final_partons_above_the_threshold(least, dropped):
    """Quarks of 300 and 200, a gluon of 60; not a softer gluon, leptons and neutrinos, nor what is no longer there."""
    event = Record(
        [(1, 23, 300.0), (-5, 23, 200.0), (21, 43, 60.0), (21, 43, 29.0), (11, 23, 90.0), (-14, 23, 80.0),
         (1, -23, 500.0)]
    )  # fmt: skip
    kept = EventFilter(Filter(parton_ht=least))
    assert kept.doVetoPT(2, event) == dropped
    assert not kept.doVetoPT(5, event)  # the shower of a decay


@pytest.mark.parametrize(("least", "dropped"), [(3, False), (4, True)])
def test_number_of_partons_decides(least, dropped):
    event = Record([(1, 23, 300.0), (21, 43, 60.0), (21, 43, 29.0), (11, 23, 90.0), (-5, 43, 31.0)])
    assert EventFilter(Filter(partons=least)).doVetoPT(2, event) == dropped


@pytest.mark.parametrize(("least", "dropped"), [(89.0, False), (91.0, True)])
def test_hardest_charged_lepton_decides(least, dropped):
    event = Record([(1, 23, 300.0), (11, 23, 90.0), (-15, 23, 60.0), (-14, 23, 400.0), (13, -23, 500.0)])
    assert EventFilter(Filter(lepton_pt=least)).doVetoPT(2, event) == dropped


def pair(mass, pt):
    """A boson of this pT along x, and two massless products at right angles to x in its rest frame."""
    energy = np.hypot(mass, pt)
    one, two = (Vec4(pt / 2, sign * 0.3 * mass, sign * 0.4 * mass, energy / 2) for sign in (1, -1))
    return Vec4(pt, 0.0, 0.0, energy), one, two


def test_resonances_count_by_their_products_after_the_recoil():
    """Z -> e e and Z -> b b: the shower turns their momenta from 300 GeV along x to 400 GeV along y."""
    (leptonic, e, p), (hadronic, b, c) = pair(91.0, 300.0), pair(92.0, 300.0)
    process = Record(
        [(90, -11, 0.0), (2212, -12, 0.0), (2212, -12, 0.0), (1, -21, 0.0, 1), (-1, -21, 0.0, 2),
         (23, -22, leptonic, 3), (23, -22, hadronic, 3), (11, 23, e, 5), (-11, 23, p, 5), (5, 23, b, 6), (-5, 23, c, 6)]
    )  # fmt: skip
    later = [Vec4(0.0, 400.0, 0.0, np.hypot(mass, 400.0)) for mass in (91.0, 92.0)]
    event = Record([(23, 44, later[0]), (23, 44, later[1]), (21, 43, 100.0), (23, -44, leptonic)])
    judge = EventFilter(Filter(leptonic=True, parton_ht=1.0))
    assert not judge.doVetoProcessLevel(process)
    parton_ht, lepton_pt, partons = judge.judged(event)

    def boosted(own, boson, to):
        """The product of a boson that first comes to rest and then moves along y."""
        gamma, beta = boson.e() / boson.mCalc(), boson.px() / boson.e()
        x, y, t = gamma * (own.px() - beta * own.e()), own.py(), gamma * (own.e() - beta * own.px())
        gamma, beta = to.e() / to.mCalc(), to.py() / to.e()
        return np.hypot(x, gamma * (y + beta * t))

    assert parton_ht == pytest.approx(100 + sum(boosted(own, hadronic, later[1]) for own in (b, c)))
    assert lepton_pt == pytest.approx(max(boosted(own, leptonic, later[0]) for own in (e, p)))
    assert partons == 3


def test_products_are_those_that_pythia_adds_later():
    """Without a shower: quarks and leptons of top pairs as they are in the finished event, found without its decays."""
    lines = [*TOP_PAIRS, "PartonLevel:ISR = off", "PartonLevel:FSR = off", "BeamRemnants:primordialKT = off"]
    found = []

    class Judge(EventFilter):
        def doVetoPT(self, position, event):
            if position < 5:
                found.append(self.judged(event))
            return False

    generator = Generator(lines, 7, Filter(leptonic=True, parton_ht=1.0))
    judge = Judge(generator.kept)
    generator.pythia.setUserHooksPtr(judge)
    assert generator.pythia.init()
    batch = generator.next(20)
    event = np.repeat(np.arange(len(batch)), batch.counts)
    p = np.hypot(batch.particles["px"], batch.particles["py"])
    identity, status = np.abs(batch.particles["id"]), batch.particles["status"]
    assert len(found) == len(batch)
    for i, (parton_ht, lepton_pt, partons) in enumerate(found):
        own = (event == i) & (np.abs(status) == 23)
        quarks, leptons = own & (identity < 6), own & np.isin(identity, (11, 13, 15))
        assert quarks.sum() == 4 and leptons.sum() == 1
        assert parton_ht == pytest.approx(p[quarks & (p > 30)].sum())
        assert lepton_pt == pytest.approx(p[leptons].max())
        assert partons == (quarks & (p > 30)).sum()


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
    lines = [
        "Top:gg2ttbar = on",
        "xaug:partonHT = 450",
        "xaug:partonPT = 25.",
        "xaug:partonScale=80",
        "xaug:leptonPT = 75",
        "xaug:partons=3",
    ]
    found, rest = Filter(leptonic=True).with_settings(lines)
    assert found == Filter(True, 450.0, 25.0, 80.0, 75.0, 3.0)
    assert rest == ["Top:gg2ttbar = on"]
    assert Filter().with_settings(rest) == (Filter(), rest)
    for word in ("450", "25", "80", "tau of pT > 75", "least 3 quarks and gluons"):
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
