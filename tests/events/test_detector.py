"""The light detector: resolutions, and that nothing but the event itself decides what is measured."""

import numpy as np
import pytest
import scipy.stats
from numpy.testing import assert_allclose, assert_array_equal

from xaug.core.errors import ConfigurationError
from xaug.data.splits import event_ids
from xaug.events.detector import Detector, normals
from xaug.events.measurement import rest_of_resolution
from xaug.formats.momenta import FourVectors

IDS = event_ids("detector", np.arange(100_000))


def test_normals_are_normal():
    assert scipy.stats.kstest(normals(IDS, "jet"), "norm").pvalue > 0.01


@pytest.mark.parametrize(("purpose", "index"), [("jet", 1), ("lepton", 0), ("soft x", 0)])
def test_numbers_for_different_purposes_are_independent(purpose, index):
    correlation = np.corrcoef(normals(IDS, "jet"), normals(IDS, purpose, index))[0, 1]
    assert abs(correlation) < 4 / np.sqrt(len(IDS))


@pytest.mark.parametrize("pt", [15.0, 50.0, 400.0])
@pytest.mark.parametrize("kind", ["jet", "electron", "muon"])
def test_mean_and_width(kind, pt):
    """The mean is 1 and the relative width that of the documented formula, written out here."""
    detector = Detector()
    expected = {
        "jet": np.sqrt((3 / pt) ** 2 + 0.8**2 / pt + 0.04**2),
        "electron": np.sqrt(0.1**2 / pt + 0.01**2),
        "muon": np.sqrt(0.01**2 + (1e-4 * pt) ** 2),
    }[kind]
    pts = np.full(len(IDS), pt)
    resolution = detector.jet_resolution(pts) if kind == "jet" else detector.lepton_resolution(pts, kind == "electron")
    factors = detector.factors(resolution, IDS, kind, 0)
    assert factors.min() > 0
    assert factors.mean() == pytest.approx(1, abs=4 * expected / np.sqrt(len(IDS)))
    assert factors.std() == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(
    ("pdg", "width", "angle"),
    [
        (-211, lambda pt, e: np.hypot(0.01, 1.5e-4 * pt), 0.001),
        (11, lambda pt, e: np.hypot(0.01, 1.5e-4 * pt), 0.001),
        (22, lambda pt, e: np.hypot(0.03 / np.sqrt(e), 0.005), 0.005),
        (130, lambda pt, e: np.hypot(1.1 / np.sqrt(e), 0.09), 0.025),
        (2112, lambda pt, e: np.hypot(1.1 / np.sqrt(e), 0.09), 0.025),
    ],
)
def test_particles_are_measured_with_the_documented_widths(pdg, width, angle):
    pt, eta, phi = 20.0, 1.2, 3.1
    n = len(IDS)
    values = {"pt": pt, "eta": eta, "phi": phi, "mass": 0.1, "id": pdg}
    found, resolution = Detector().measured({k: np.full(n, v) for k, v in values.items()}, IDS, np.full(n, 3))
    expected = width(pt, pt * np.cosh(eta))
    assert_allclose(resolution, expected)
    assert found["pt"].std() / pt == pytest.approx(expected, rel=0.02)
    assert found["pt"].mean() / pt == pytest.approx(1, abs=4 * expected / np.sqrt(n))
    for name, true in (("eta", eta), ("phi", phi)):
        assert found[name].std() == pytest.approx(angle, rel=0.02)
        assert found[name].mean() == pytest.approx(true, abs=4 * angle / np.sqrt(n))
    assert_allclose(found["mass"], 0.1)
    assert abs(np.corrcoef(found["eta"], found["phi"])[0, 1]) < 4 / np.sqrt(n)


def test_particles_of_an_event_are_measured_apart():
    values = {k: np.full(1000, v) for k, v in {"pt": 5.0, "eta": 0.0, "phi": 0.0, "mass": 0.0, "id": 211}.items()}
    found, _ = Detector().measured(values, np.repeat(IDS[:1], 1000), np.arange(1000))
    assert len(np.unique(found["pt"])) == len(np.unique(found["eta"])) == 1000


def test_rest_of_the_resolution_of_a_jet():
    """Two jets: particles of 3 and 4 GeV with widths of 0.1 and 0.2, and a single one that is measured too badly."""
    pt, width = np.array([3.0, 4.0, 50.0]), np.array([0.1, 0.2, 0.9])
    zero = np.zeros(3)
    jets = FourVectors.from_pt_eta_phi_mass(pt, zero, zero, zero, [2, 1])
    detector = Detector(jet_noise=0.0, jet_stochastic=0.0, jet_constant=0.5)
    of_particles = np.hypot(0.3, 0.8) / 7
    assert_allclose(rest_of_resolution(jets, pt, width, detector), [np.sqrt(0.25 - of_particles**2), 0.0])


def test_jet_has_the_documented_resolution_as_a_whole(tools):
    """A jet of tracks, photons and neutral hadrons, all along one line: its pT spreads by the formula of jets."""
    pts = [60.0, 40.0, 50.0, 30.0, 20.0]
    jet = [[pt, 0.3, 1.0, 0.0] for pt in pts]
    others = [[100, -1, 2, 0.0], [90, 1, 3, 0.0], [80, 0, 4.5, 0.0]]
    event = tools.Event(np.array([[150, 0.2, 0.0, 0.0], *jet, *others]), ids=[211, 22, 130, 211, 22, 211, 211, 211])
    ids = event_ids("whole", np.arange(4000))
    angles = {"track_angle": 0.0, "photon_angle": 0.0, "neutral_angle": 0.0}
    cuts = {"met_min": 0.0, "ht_min": 0.0, "fat_pt": 20.0, "jet_pt": 5.0}
    objects, _, _ = tools.run(*[event] * 4000, ids=ids, detector=Detector(**angles), **cuts)
    assert len(objects) == 4000
    pt, expected = tools.features(objects)["pt_fat"], np.sqrt((3 / 200) ** 2 + 0.8**2 / 200 + 0.04**2)
    assert pt.mean() == pytest.approx(200, rel=4 * expected / np.sqrt(4000))
    assert pt.std() / 200 == pytest.approx(expected, rel=0.05)


def test_substructure_is_measured_too(tools):
    """The mass over pT of a fat jet of two neutral hadrons changes; a factor on all of it would keep that."""
    two = [[150, 0.0, 1.0, 0.0], [150, 0.5, 1.0, 0.0]]
    others = [[100, -1, 2, 0.0], [90, 1, 3, 0.0], [80, 0, 4.5, 0.0]]
    ids = event_ids("mass", np.arange(500))
    spread = {}
    for pdg in (211, 130):
        event = tools.Event(np.array([[150, 0.2, 4.0, 0.0], *two, *others]), ids=[pdg, pdg, 211, 211, 211])
        objects, _, _ = tools.run(*[event] * 500, ids=ids, detector=Detector())
        found = tools.features(objects)
        spread[pdg] = np.std(found["mass_fat"] / found["pt_fat"])
    assert 1e-4 < spread[211] < spread[130] / 3


def test_soft_shift():
    shift = Detector(soft=0.5).soft_shift(np.full(len(IDS), 100.0), IDS)
    assert_allclose(shift.std(axis=0), [5.0, 5.0], rtol=0.02)
    assert abs(np.corrcoef(shift.T)[0, 1]) < 4 / np.sqrt(len(IDS))


def test_smear_off_leaves_all_as_it_is(tools, events):
    off, on = (tools.features(tools.run(*events, smear=smear)[0]) for smear in (0, 1))
    assert_allclose(off["pt_lep"], [event.particles[0, 0] for event in events], rtol=1e-12)
    # on events that pass both: measured leptons differ from generated ones by about a percent
    assert len(on["pt_lep"]) > 0.8 * len(events)
    assert not np.isin(on["pt_lep"], off["pt_lep"]).any()


def test_event_is_measured_alike_in_any_company(tools, events):
    """Alone, in another order, in another chunk: bit by bit."""
    ids = event_ids("company", np.arange(len(events)))
    objects, weight, _ = tools.run(*events, smear=1, ids=ids)
    whole = tools.features(objects)
    for i in (0, 7, 8):
        row = objects.event[i]
        alone, own_weight, _ = tools.run(events[row], smear=1, ids=ids[row : row + 1])
        assert own_weight[0] == weight[i]
        for name, values in tools.features(alone).items():
            limit = {"rtol": 1e-4} if name.startswith("tau") else {"rtol": 1e-9, "atol": 1e-6}
            assert_allclose(values[0], whole[name][i], err_msg=name, **limit)
    backward, _, _ = tools.run(*events[::-1], smear=1, ids=ids[::-1])
    assert_array_equal(backward.ht[::-1], objects.ht)


def test_other_ids_give_other_measurements(tools, events):
    one, two = (tools.run(*events, smear=1, ids=event_ids(name, np.arange(len(events))))[0] for name in "ab")
    assert not np.isin(one.ht, two.ht).any()


def test_missing_momentum_balances_what_is_measured(tools):
    """Four jets and nothing else: the sum of lepton, jets and missing momentum vanishes when they are smeared."""
    rng = np.random.default_rng(5)
    axes = [(300, 0.3, 1), (100, -1, 2), (90, 1, 3), (80, 0, 4.5)]
    particles = np.concatenate([[[150, 0.2, 0.0, 0.0]], *(tools.spray(rng, *axis, width=0.02) for axis in axes)])
    particles[:, 3] = 0  # soft massive ones would have another rapidity, and be in no jet
    event = tools.Event(particles)
    quiet = Detector(soft=0.0)
    ids = event_ids("balance", np.arange(50))
    objects, _, flow = tools.run(*[event] * 50, detector=quiet, ids=ids, met_min=0.0)
    assert flow["fat jet"] > 40
    assert len(np.unique(objects.ht)) == len(objects)
    total = objects.momentum[:, [0, 1, 2, 3, 4, 6], :2].sum(axis=1)
    assert_allclose(total, 0, atol=1e-9)
    # the fat jet is one of the four here, and so measured like it
    assert_allclose(objects.momentum[:, 5], objects.momentum[:, 1:5][np.arange(len(objects)), leading(objects)])


def leading(objects):
    return np.hypot(objects.momentum[:, 1:5, 0], objects.momentum[:, 1:5, 1]).argmax(axis=1)


@pytest.mark.parametrize("wrong", [{"smear": 2}, {"soft": -1.0}, {"jet_noise": float("nan")}])
def test_bad_values(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Detector(**wrong)
