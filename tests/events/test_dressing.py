"""Dressing of leptons with photons, on events made by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from xaug.events.dressing import dressed
from xaug.formats.xaug_tree import radiated_photons

JETS = [(300, 0.3, 1.0), (100, -1.0, 2.0), (90, 1.0, 3.0), (80, 0.0, 4.5)]


def event_of(tools, *photons, lepton=(50.0, 0.2, 0.0)):
    """A muon, four jets of one pion each, and photons (pt, eta, phi)."""
    rows = [(*row, 0.0) for row in (lepton, *JETS, *photons)]
    return tools.Event(np.array(rows), ids=[211] * len(JETS) + [22] * len(photons))


def test_photons_within_the_radius_are_added_as_four_vectors(tools):
    near, far = (10.0, 0.25, 0.05), (20.0, 0.2, 0.12)
    found = dressed(tools.collisions_of(event_of(tools, near, far)), 0.1)
    px = 50 + 10 * np.cos(0.05)
    py = 10 * np.sin(0.05)
    pz = 50 * np.sinh(0.2) + 10 * np.sinh(0.25)
    assert_allclose(found.leptons["pt"], [np.hypot(px, py)])
    assert_allclose(found.leptons["phi"], [np.arctan2(py, px)])
    assert_allclose(found.leptons["eta"], [np.arcsinh(pz / np.hypot(px, py))])
    assert_array_equal(found.particles["lepton"], [0, -1, -1, -1, -1, 0, -1])


def test_photons_of_hadrons_and_other_particles_are_left_alone(tools):
    collisions = tools.collisions_of(event_of(tools, (10.0, 0.2, 0.05)))
    collisions.particles["radiated"][:] = False
    found = dressed(collisions, 0.1)
    assert_array_equal(found.leptons["pt"], [50.0])
    assert_array_equal(found.particles["lepton"], [0, -1, -1, -1, -1, -1])
    pion = tools.Event(event_of(tools, (10.0, 0.2, 0.05)).particles, ids=[211] * 5)
    assert_array_equal(dressed(tools.collisions_of(pion), 0.1).leptons["pt"], [50.0])


def test_photon_goes_to_the_nearest_lepton_of_its_own_event(tools):
    """Two events, of which the first one has no photon; and two leptons about one photon."""
    pair = tools.collisions_of(event_of(tools), event_of(tools, (10.0, 0.2, -0.05)))
    assert_allclose(dressed(pair, 0.1).leptons["pt"][0], 50.0)
    assert dressed(pair, 0.1).leptons["pt"][1] > 59

    photon, (one, two) = (10.0, 0.2, 0.05), ((50.0, 0.2, 0.0), (40.0, 0.2, 0.08))
    both = tools.collisions_of(event_of(tools, photon, lepton=one))
    leptons = {k: np.append(v, dict(zip(("pt", "eta", "phi"), two, strict=True)).get(k, v[0]))
               for k, v in both.leptons.items()}  # fmt: skip
    found = dressed(type(both)(both.particles, both.counts, leptons, np.array([0, 0]), both.quarks, both.quark_counts,
                               None), 0.1)  # fmt: skip
    assert found.leptons["pt"][0] == 50.0
    assert found.leptons["pt"][1] == pytest.approx(50, abs=0.1)


def test_dressing_saves_events_whose_lepton_radiated(tools):
    """A muon of 28 GeV and a photon of 6: bare it is too soft, and it is not isolated from its own photon."""
    event = event_of(tools, (6.0, 0.2, 0.05), lepton=(28.0, 0.2, 0.0))
    assert tools.run(event)[2]["fat jet"] == 1
    assert tools.run(event, dress_radius=0.0)[2]["one lepton"] == 0
    objects, _, _ = tools.run(event)
    assert tools.features(objects)["pt_lep"][0] == pytest.approx(34, abs=0.01)


def test_measured_leptons_stay_as_they_are(tools):
    event = event_of(tools, (10.0, 0.2, 0.05))
    measured = tools.collisions_of(event, met=np.array([[50.0, 0.0]]))
    assert dressed(measured, 0.1) is measured


def test_products_of_hadrons_and_decays_are_not_radiated():
    """Status codes of Pythia: 23 hard process, 51 and 62 showers, 81 to 89 hadronisation, 91 and more decays."""
    status = np.array([23, 51, 62, 83, 91, 99, 51])
    ids = np.array([22, 22, 22, 22, 22, 22, 211])
    assert_array_equal(radiated_photons(ids, status), [True, True, True, False, False, False, False])
