"""The selection cut by cut, overlap of leptons and jets, and flavour and efficiency of jets that are tagged."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from xaug.core.errors import ConfigurationError
from xaug.events.cuts import EventSelection

CUTS = ["events", "one lepton", "missing pT", "jets", "HT", "fat jet", "b jet", "leading jets", "b and fat jet apart"]


@pytest.fixture
def plain(tools):
    """plain(lepton=..., jets=...): an event of a lepton and jets of one massless particle each."""

    def make(lepton=(50.0, 0.2, 0.0), jets=((300, 0.3, 1), (100, -1, 2), (90, 1, 3), (80, 0, 4.5)), more=(), **kw):
        rows = [[*lepton, 0.0], *([*jet, 0.0] for jet in jets), *([*particle, 0.0] for particle in more)]
        return tools.Event(np.array(rows, float), **kw)

    return make


def last(flow) -> str:
    """The first cut that nothing passes."""
    return next((cut for cut in CUTS if not flow[cut]), "")


class TestCuts:
    def test_flow_is_in_order_and_falls(self, tools, events):
        _, _, flow = tools.run(*events, smear=1)
        assert list(flow.counts) == CUTS
        assert list(flow.counts.values()) == sorted(flow.counts.values(), reverse=True)
        assert flow["events"] == len(events)

    @pytest.mark.parametrize(
        ("change", "cut"),
        [
            ({}, ""),
            ({"lepton": (30.01, 0.2, 0.0)}, ""),
            ({"lepton": (29.99, 0.2, 0.0)}, "one lepton"),
            ({"lepton": (50.0, -2.51, 0.0)}, "one lepton"),
            ({"lepton": (50.0, 2.49, 0.0)}, ""),
            ({"more": [(4.9, 0.2, 0.25)]}, ""),  # isolation: 10% of 50 GeV within 0.3
            ({"more": [(5.1, 0.2, 0.25)]}, "one lepton"),
            ({"more": [(5.1, 0.2, 0.35)]}, ""),
            ({"jets": ((300, 0.3, 1), (100, -1, 2), (90, 1, 3))}, "jets"),
            ({"jets": ((300, 0.3, 1), (100, -1, 2), (90, 1, 3), (29.9, 0, 4.5))}, "jets"),
            ({"jets": ((300, 0.3, 1), (100, -1, 2), (90, 1, 3), (80, 2.6, 4.5))}, "jets"),
            ({"jets": ((300, 0.3, 1), (35, -1, 2), (34, 1, 3), (31.1, 0, 4.5))}, ""),  # HT 400.1
            ({"jets": ((300, 0.3, 1), (35, -1, 2), (34, 1, 3), (30.9, 0, 4.5))}, "HT"),
            ({"jets": ((199, 0.3, 1), (100, -1, 2), (90, 1, 3), (80, 0, 4.5))}, "fat jet"),
            ({"jets": ((300, 2.6, 1), (190, -1, 2), (150, 1, 3), (80, 0, 4.5), (90, 1, 5.5))}, "fat jet"),
        ],
    )  # fmt: skip
    def test_edges(self, tools, plain, change, cut):
        _, _, flow = tools.run(plain(**change))
        assert last(flow) == cut

    def test_missing_momentum(self, tools, plain):
        """Two back-to-back pairs and a lepton of 50 GeV against a fifth jet: little is missing."""
        jets = [(250, 0.3, 1.0), (250, 0, 1.0 - np.pi), (100, -1, 2), (100, 1, 2 - np.pi)]
        for extra, cut in (((19.0, 0.0, np.pi), ""), ((21.0, 0.0, np.pi), "missing pT")):
            _, _, flow = tools.run(plain(jets=jets, more=[extra]))
            assert last(flow) == cut

    def test_second_lepton(self, tools, plain):
        """One more isolated lepton, and the event is out; a lepton in a jet does not count."""
        collisions = tools.collisions_of(plain(more=[(40.0, -0.5, 5.5)]))
        from xaug.events.detector import Detector
        from xaug.events.selection import select_events

        particles = collisions.particles
        particles["lepton"][np.flatnonzero(particles["pt"] == 40.0)] = 1
        own = {"pt": 40.0, "eta": -0.5, "phi": 5.5, "mass": 0.0, "id": 11}
        for where, expected in ((-0.5, 0), (0.25, 1)):
            leptons = {k: np.append(v, own[k]) for k, v in collisions.leptons.items()}
            particles["eta"][particles["pt"] == 40.0] = where
            leptons["eta"][1] = where
            if expected:  # into the leading jet
                particles["phi"][particles["pt"] == 40.0] = leptons["phi"][1] = 1.0
            both = type(collisions)(
                particles,
                collisions.counts,
                leptons,
                np.array([0, 0]),
                collisions.quarks,
                collisions.quark_counts,
                None,
            )
            _, _, flow = select_events(both, np.array([1], np.uint64), EventSelection(), Detector(smear=0))
            assert flow["one lepton"] == expected

    def test_lepton_is_in_no_jet(self, tools, plain):
        """A lepton of 50 GeV would be a jet itself, and a fat jet of 230 GeV with its neighbour at 0.7."""
        jets = [(185, 0.2, 0.7), (210, 0, 3.0), (90, 1, 4), (80, 0, 5.0)]
        objects, _, _ = tools.run(plain(jets=jets))
        assert_allclose(objects.ht, [565.0])
        assert_allclose(tools.features(objects)["pt_fat"], [210.0])

    def test_every_number_is_an_option(self, tools, plain):
        for name, value in (("ht_min", 600), ("lepton_pt", 60), ("met_min", 500), ("fat_pt", 310), ("jet_pt", 85)):
            assert tools.run(plain())[2]["fat jet"] == 1
            assert tools.run(plain(), **{name: value})[2]["fat jet"] == 0, name
            assert EventSelection().changed({name: str(value)}) == EventSelection(**{name: float(value)})

    @pytest.mark.parametrize(
        "wrong",
        [{"tag_b": 0.0}, {"tag_light": 1.2}, {"tag_c": ()}, {"tag_b": "50:0.5,20:0.6"}, {"tau_axes": "kt"},
         {"ht_min": -1.0}, {"jet_radius": 0.0}, {"dress_radius": -0.1}],
    )  # fmt: skip
    def test_bad_values(self, wrong):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            EventSelection(**wrong)

    def test_no_event_at_all(self, tools, plain):
        objects, weight, _ = tools.run(plain(lepton=(5.0, 0.0, 0.0)))
        assert len(objects) == len(weight) == 0
        assert all(values.shape == (0,) for values in tools.features(objects).values())


class TestTag:
    @pytest.mark.parametrize(
        ("quarks", "weight"),
        [
            ([], 1 - 0.99**4),
            ([(0.3, 1, 5)], 1 - 0.3 * 0.99**3),
            ([(0.3, 1, 4)], 1 - 0.85 * 0.99**3),
            ([(0.3, 1, 4), (0.4, 1.1, 5)], 1 - 0.3 * 0.99**3),  # a b quark counts before a c quark
            ([(0.3, 1.29, 5)], 1 - 0.3 * 0.99**3),
            ([(0.3, 1.31, 5)], 1 - 0.99**4),  # outside of 0.3
            ([(0.3, 1, 5), (-1, 2, 5)], 1 - 0.3**2 * 0.99**2),
        ],
    )
    def test_flavour_of_jets(self, tools, plain, quarks, weight):
        quarks = np.array(quarks, float).reshape(-1, 3)
        _, found, _ = tools.run(plain(quarks=quarks), tag_b=0.7, tag_c=0.15, tag_light=0.01)
        assert_allclose(found, [weight], rtol=1e-12)

    def test_efficiency_is_that_at_the_pt_of_the_jet(self, tools, plain):
        """The b jet has 300 GeV, half way between the points."""
        quarks = np.array([(0.3, 1, 5)], float)
        _, found, _ = tools.run(plain(quarks=quarks), tag_b="200:0.8,400:0.4", tag_light=0.01)
        assert_allclose(found, [1 - 0.4 * 0.99**3], rtol=1e-12)

    def test_b_jet_is_no_other_jet(self, tools, events):
        objects, _, _ = tools.run(*events)
        pt = np.hypot(objects.momentum[:, 1:5, 0], objects.momentum[:, 1:5, 1])
        assert all(len(set(row)) == 4 for row in pt)
        assert np.all(np.diff(pt[:, :3], axis=1) < 0)
        features = tools.features(objects)
        for name in ("j1_b", "j2_b", "j3_b"):
            assert features[f"delta_r_{name}"].min() > 0.3


def test_one_pass_of_minimisation_lowers_tau(tools, events):
    """N-subjettiness is what the pass minimises: for beta = 2 by means, which is exact, for beta = 1 by iterations."""
    one_pass, plain = (tools.run(*events, tau_axes=axes)[0].tau for axes in ("onepass_wta", "wta"))
    assert (one_pass[:, 1] < plain[:, 1]).all()
    assert (one_pass[:, 0] <= plain[:, 0] * (1 + 1e-3)).all()
    assert np.median(one_pass[:, 0] / plain[:, 0]) < 0.99
