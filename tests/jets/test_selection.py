"""The selection of jets: cut flow, matching of b quarks, settings."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from xaug.core.errors import ConfigurationError
from xaug.data.variables import table_of
from xaug.jets.cuts import Selection
from xaug.jets.processor import jet_columns
from xaug.jets.selection import CUTS, select_jets

Z0 = 5  # position of a first Z boson in the generator's record, and of a second one
Z1 = 6


@pytest.fixture
def jet(particles):
    """jet(pt=500, eta=0, phi=0, angle=0.4): two massless particles with 60% and 40% of pt, `angle` apart in phi.

    m = sqrt(0.48 pt^2 (1 - cos angle)): 97.6 GeV by default, 12.2 GeV at an angle of 0.05.
    """

    def make(pt=500.0, eta=0.0, phi=0.0, angle=0.4):
        return particles([0.6 * pt, 0.4 * pt], eta, [phi, phi + angle])

    return make


def b_pair(eta, phi, mother=Z0, status=-23, ids=(5, -5)) -> list[dict]:
    """Two b quarks at the given eta and phi (pairs)."""
    return [
        {"id": i, "status": status, "mother1": mother, "eta": float(e), "phi": float(f)}
        for i, e, f in zip(ids, np.broadcast_to(eta, 2), np.broadcast_to(phi, 2), strict=True)
    ]


def parton_array(*events: list[dict]) -> ak.Array:
    """Generator partons of events, also where there are none at all."""
    template = [[{"id": 0, "status": 0, "mother1": 0, "eta": 0.0, "phi": 0.0}]]
    return ak.Array([*template, *events])[1:]


# --- cut flow


@pytest.fixture
def nine(particles, jet):
    """Events that fail one cut each, in the order of the cuts, and a good one."""
    return [
        particles([], 0.0, 0.0),  # nothing
        particles([300.0, 200.0], 0.0, [0.0, 0.4], id=[14, -14]),  # neutrinos
        jet(pt=190.0, angle=0.7),  # too soft
        jet(eta=2.5),  # too far forward
        jet(angle=0.05),  # m = 12 GeV
        jet(pt=900.0, angle=0.7),  # m = 302 GeV
        particles(400.0, 0.0, 0.0, mass=90.0),  # one particle
        jet(),  # good, its b quarks elsewhere
        jet(),  # good
    ]


def test_cut_flow_by_hand_background(events_of, nine):
    jets, flow = select_jets(events_of(*nine), Selection())
    assert list(flow.counts) == list(CUTS)
    assert list(flow.counts.values()) == [9, 6, 5, 3, 2]
    assert all(type(count) is int for count in flow.counts.values())
    assert_array_equal(jets.event, [7, 8])


def test_cut_flow_by_hand_signal(events_of, nine):
    partons = parton_array(*[b_pair(0.0, [0.1, 0.3])] * 7, b_pair(0.0, [2.0, 2.4]), b_pair(0.0, [0.1, 0.3]))
    jets, flow = select_jets(events_of(*nine, partons=partons), Selection())
    assert list(flow.counts) == [*CUTS, "b quarks matched"]
    assert list(flow.counts.values()) == [9, 6, 5, 3, 2, 1]
    assert_array_equal(jets.event, [8])


def test_cut_flow_of_an_empty_chunk(events_of):
    for partons in (None, parton_array()):
        jets, flow = select_jets(events_of(partons=partons), Selection())
        assert len(jets) == 0
        assert list(flow.counts.values()) == [0] * (len(CUTS) + (partons is not None))


@pytest.mark.parametrize("signal", [False, True])
@pytest.mark.parametrize("content", ["nothing", "neutrinos"])
def test_chunk_without_any_visible_particle(events_of, particles, content, signal):
    event = particles([300.0, 200.0], 0.0, [0.0, 0.4], id=16)
    chunk = [event if content == "neutrinos" else event[:0]] * 3
    partons = parton_array(*[b_pair(0.0, 0.0)] * 3) if signal else None
    jets, flow = select_jets(events_of(*chunk, partons=partons), Selection())
    assert list(flow.counts.values()) == [3, 0, 0, 0, 0, *([0] if signal else [])]
    assert len(jets) == len(jets.jet_index) == len(jets.leading_subjet_jet_index) == 0
    assert jets.tau.shape == (0, 2, 3, 3)
    assert jets.subjet_pt.shape == (0, 2)


@pytest.mark.parametrize(
    ("cuts", "survives"),
    [
        ({}, True),
        ({"pt_min": 491.0}, False),  # |sum| = 500 sqrt(0.52 + 0.48 cos 0.4) = 490.4 GeV
        ({"pt_min": 490.0}, True),
        ({"mass_min": 97.0}, True),
        ({"mass_min": 98.0}, False),  # m = 97.6 GeV
        ({"mass_max": 97.0}, False),
        ({"mass_max": 98.0}, True),
        ({"eta_max": 0.9}, False),
        ({"eta_max": 1.1}, True),
        ({"radius": 0.3}, False),  # 300 GeV alone, without two subjets
        ({"z_cut": 0.39}, True),
        ({"z_cut": 0.41}, False),
    ],
)
def test_every_cut_can_be_moved(events_of, jet, cuts, survives):
    jets, _ = select_jets(events_of(jet(eta=1.0)), Selection(**cuts))
    assert len(jets) == survives


def test_leading_jet_only_by_default(events_of, jet):
    """The leading jet decides: if it lies forward, the event is lost although the second jet is good."""
    event = np.concatenate([jet(pt=600.0, eta=2.6, phi=2.5), jet(pt=500.0)])
    jets, flow = select_jets(events_of(event), Selection())
    assert len(jets) == 0
    assert (flow["jet with pT"], flow["|eta|"]) == (1, 0)
    jets, flow = select_jets(events_of(event), Selection(jets_per_event=2))
    assert (flow["jet with pT"], flow["|eta|"]) == (2, 1)
    assert_allclose(jets.phi, np.arctan2(0.4 * np.sin(0.4), 0.6 + 0.4 * np.cos(0.4)), rtol=1e-12)


def test_two_jets_per_event_by_descending_pt(events_of, jet):
    """Both leading jets, the third never; the input has the softest first."""
    event = np.concatenate([jet(pt=400.0, phi=-2.0), jet(pt=450.0, phi=2.0), jet(pt=500.0)])
    one = jet(pt=470.0, phi=1.0)
    chunk = events_of(event, event[:0], one)
    jets, flow = select_jets(chunk, Selection(jets_per_event=2))
    scale = np.sqrt(0.52 + 0.48 * np.cos(0.4))
    assert_array_equal(jets.event, [0, 0, 2])
    assert_allclose(jets.pt, np.array([500.0, 450.0, 470.0]) * scale, rtol=1e-13)
    assert flow["jet with pT"] == 3
    jets, _ = select_jets(chunk, Selection(jets_per_event=1))
    assert_allclose(jets.pt, np.array([500.0, 470.0]) * scale, rtol=1e-13)


def test_jets_do_not_depend_on_their_chunk(sample, sample_jets, jets_of):
    """Chunk by chunk or all at once: the same bits."""
    for first in (0, 7, 50):
        chunk = jets_of(*sample[first : first + 5])
        same = (sample_jets.event >= first) & (sample_jets.event < first + 5)
        for name in ("pt", "eta", "phi", "mass", "softdrop_mass", "tau", "subjet_pt"):
            assert_array_equal(getattr(chunk, name), getattr(sample_jets, name)[same])


def test_counting_without_substructure_selects_the_same(sample, sample_jets, events_of):
    jets, _ = select_jets(
        events_of(*sample), Selection(pt_min=20.0, eta_max=10.0, mass_min=0.0, mass_max=1e6), substructure=False
    )
    assert_array_equal(jets.event, sample_jets.event)
    assert_array_equal(jets.softdrop_mass, sample_jets.softdrop_mass)
    assert np.isnan(jets.tau).all()


# --- matching of the b quarks (jet axis: eta 0, phi 0.1582)

AXIS = float(np.arctan2(0.4 * np.sin(0.4), 0.6 + 0.4 * np.cos(0.4)))


@pytest.mark.parametrize(
    ("partons", "matched"),
    [
        pytest.param(b_pair(0.0, [0.0, 0.4]), True, id="both inside"),
        pytest.param(b_pair([0.5, -0.5], [0.5, -0.2]), True, id="both inside, off axis"),
        pytest.param(b_pair(0.0, [AXIS + 0.79, AXIS - 0.79]), True, id="both just inside"),
        pytest.param(b_pair(0.0, [AXIS + 0.81, AXIS]), False, id="one just outside in phi"),
        pytest.param(b_pair([0.81, 0.0], AXIS), False, id="one just outside in eta"),
        pytest.param(b_pair([0.6, 0.0], [AXIS + 0.6, AXIS]), False, id="one outside on the diagonal"),
        pytest.param(b_pair(0.0, [2.0, 2.5]), False, id="both outside"),
        pytest.param(b_pair(0.0, [0.0, 0.4], ids=(5, 5)), False, id="two b and no anti-b"),
        pytest.param(b_pair(0.0, [0.0, 0.4], ids=(4, -4)), False, id="charm"),
        pytest.param(b_pair(0.0, [0.0, 0.4], status=-33), False, id="from multiparton interactions"),
        pytest.param(b_pair(0.0, [0.0, 0.4], status=23), True, id="undecayed"),
        pytest.param([], False, id="no partons"),
        pytest.param(b_pair(0.0, [0.0, 0.4])[:1], False, id="one b"),
        pytest.param(
            b_pair(0.0, [0.0, 2.5]) + b_pair(0.0, [2.8, 0.4], mother=Z1), False, id="b and anti-b of different Z"
        ),
        pytest.param(
            b_pair(0.0, [2.0, 2.5]) + b_pair(0.0, [0.0, 0.4], mother=Z1), True, id="the second Z lies in the jet"
        ),
        pytest.param(
            b_pair(0.0, [0.0, 0.4])[:1] + b_pair(0.0, 0.2, mother=Z1)[:1] + b_pair(0.0, [0.0, 0.4])[1:],
            True,
            id="a stranger between them",
        ),
    ],
)
def test_b_matching(events_of, jet, partons, matched):
    jets, flow = select_jets(events_of(jet(), partons=parton_array(partons)), Selection())
    assert flow["two subjets"] == 1
    assert flow["b quarks matched"] == len(jets) == matched


@pytest.mark.parametrize("turn", [0.0, np.pi - AXIS, np.pi - AXIS + 1e-9, -np.pi, 3.0])
def test_b_matching_across_the_end_of_phi(events_of, jet, turn):
    """The b quarks' azimuths lie in [-pi, pi], whatever the jet's."""
    near = np.arctan2(*[f(turn + np.array([-0.3, 0.6])) for f in (np.sin, np.cos)])
    partons = parton_array(b_pair(0.0, near))
    jets, _ = select_jets(events_of(jet(phi=turn), partons=partons), Selection())
    assert len(jets) == 1


def test_b_matching_uses_the_radius(events_of, jet):
    events = events_of(jet(), partons=parton_array(b_pair(0.0, [AXIS + 0.5, AXIS])))
    assert len(select_jets(events, Selection(radius=0.6))[0]) == 1
    assert len(select_jets(events, Selection(radius=0.45))[0]) == 0


def test_each_of_two_jets_is_matched_with_its_own_pair(events_of, jet):
    """ZZ -> b bbar b bbar with both Z in jets; then with one Z's quarks split between the jets."""
    event = np.concatenate([jet(pt=500.0, phi=0.0), jet(pt=450.0, phi=2.5)])
    both = b_pair(0.0, [0.0, 0.4]) + b_pair(0.0, [2.5, 2.9], mother=Z1)
    crossed = b_pair(0.0, [0.0, 2.5]) + b_pair(0.0, [0.4, 2.9], mother=Z1)
    second = b_pair(0.0, [-1.5, -1.9]) + b_pair(0.0, [2.5, 2.9], mother=Z1)
    events = events_of(event, event, event, partons=parton_array(both, crossed, second))
    jets, flow = select_jets(events, Selection(jets_per_event=2))
    assert (flow["two subjets"], flow["b quarks matched"]) == (6, 3)
    assert_array_equal(jets.event, [0, 0, 2])
    scale = np.sqrt(0.52 + 0.48 * np.cos(0.4))
    assert_allclose(jets.pt, np.array([500.0, 450.0, 450.0]) * scale, rtol=1e-13)
    jets, _ = select_jets(events, Selection(jets_per_event=1))
    assert_array_equal(jets.event, [0])


# --- settings


def test_defaults_are_those_of_the_paper():
    cuts = Selection()
    assert (cuts.radius, cuts.pt_min, cuts.eta_max) == (0.8, 200.0, 2.4)
    assert (cuts.mass_min, cuts.mass_max, cuts.z_cut, cuts.jets_per_event) == (50.0, 150.0, 0.1, 1)


@pytest.mark.parametrize("name", ["radius", "pt_min", "eta_max", "mass_min", "mass_max", "z_cut"])
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_impossible_values_are_refused_by_name(name, value):
    if value == np.inf and name in ("eta_max", "mass_max"):
        assert getattr(Selection(**{name: value}), name) == np.inf  # there is no cut
        return
    with pytest.raises(ConfigurationError, match=name):
        Selection(**{name: value})


@pytest.mark.parametrize("number", [-1, 1.5])
def test_jets_per_event_is_a_number_of_jets(number):
    with pytest.raises(ConfigurationError, match="jets_per_event"):
        Selection(jets_per_event=number)


@pytest.mark.parametrize(("low", "high"), [(150.0, 50.0), (100.0, 100.0)])
def test_empty_mass_window_is_refused(low, high):
    with pytest.raises(ConfigurationError, match="window"):
        Selection(mass_min=low, mass_max=high)


def test_changed_replaces_only_what_is_named():
    cuts = Selection().changed({"pt_min": "250", "jets_per_event": "2"})
    assert cuts == Selection(pt_min=250.0, jets_per_event=2)
    assert type(cuts.pt_min) is float
    assert type(cuts.jets_per_event) is int
    assert Selection(z_cut=0.2).changed({}) == Selection(z_cut=0.2)


@pytest.mark.parametrize(
    ("wrong", "nearest"), [("pt_mim", "pt_min"), ("eta", "eta_max"), ("massmax", "mass_max"), ("zcut", "z_cut")]
)
def test_unknown_setting_suggests_the_nearest(wrong, nearest):
    with pytest.raises(ConfigurationError, match=f"{wrong!r}.*did you mean '{nearest}'"):
        Selection().changed({wrong: "1"})


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("pt_min", "high", "pt_min = 'high': must be a number"),
        ("jets_per_event", "two", "jets_per_event = 'two': must be a whole number"),
        ("jets_per_event", "-3", "must be a number >= 0"),
        ("mass_min", "160", "window"),
        ("eta_max", "nan", "eta_max"),
    ],
)
def test_changed_refuses_bad_values(name, text, reason):
    with pytest.raises(ConfigurationError, match=reason):
        Selection().changed({name: text})


def test_no_window_no_cut_on_subjets_and_all_jets(events_of, jet, particles):
    """A jet of one particle is kept with a second subjet without momentum in the place of the first."""
    one = particles(400.0, 0.5, 1.0, mass=0.0)
    event = np.concatenate([jet(pt=600.0, phi=-2.0), one, jet(pt=300.0, phi=2.5)])
    free = Selection(mass_min=0.0, mass_max=np.inf, eta_max=np.inf, subjets="any", jets_per_event=0)
    jets, flow = select_jets(events_of(event), free)
    assert list(flow.counts) == ["events", "jet with pT"]  # cuts that are not made have no place in the cut flow
    assert len(jets) == 3 and list(flow.counts.values()) == [1, 3]
    alone = int(np.argmin(np.abs(jets.pt - 400)))
    assert jets.subjet_pt[alone].tolist() == [pytest.approx(400.0), 0.0]
    assert jets.subjet_phi[alone, 0] == jets.subjet_phi[alone, 1] == pytest.approx(1.0)
    columns = jet_columns(jets, table_of("jets"))
    assert all(np.isfinite(values).all() for values in columns.values())
    image = columns["image"][alone, :, :, 0]
    assert image[8, 8] == pytest.approx(1.0) and image.sum() == pytest.approx(1.0)


def test_no_grooming_keeps_the_whole_jet(events_of, jet):
    jets, _ = select_jets(events_of(jet()), Selection(z_cut=0.0))
    assert_allclose(jets.softdrop_mass, jets.mass, rtol=1e-12)


def test_soft_drop_by_hand(events_of, jet):
    """The softer of two particles has 0.4 of the pT at a distance of 0.4: it stays if 0.4 > z_cut (0.4 / 0.8)^beta."""
    for z_cut, beta, kept in ((0.45, 0.0, False), (0.45, 1.0, True), (0.3, -0.5, False), (0.3, 0.0, True)):
        cuts = {"z_cut": z_cut, "mass_min": 0.0, "mass_max": np.inf, "subjets": "any"}
        if beta < 0:
            with pytest.raises(ConfigurationError, match=r"beta = -0\.5"):
                Selection(**cuts, soft_drop_beta=beta)
            continue
        jets, _ = select_jets(events_of(jet()), Selection(**cuts, soft_drop_beta=beta))
        assert (jets.subjet_pt[0, 1] > 0) == kept, (z_cut, beta)


@pytest.mark.parametrize("algorithm", ["antikt", "ca", "kt"])
def test_algorithms_against_fastjet(events_of, algorithm):
    import fastjet

    from xaug.formats.momenta import FourVectors
    from xaug.jets.clustering import cluster

    rng = np.random.default_rng(4)
    pt, eta, phi = rng.exponential(20, 200), rng.uniform(-1, 1, 200), rng.uniform(-2, 2, 200)
    momenta = FourVectors.from_pt_eta_phi_mass(pt, eta, phi, np.zeros(200), [200])
    _, _, found = cluster(momenta, 0.6, 30.0, algorithm)
    name = {"antikt": "antikt", "ca": "cambridge", "kt": "kt"}[algorithm]
    definition = fastjet.JetDefinition(getattr(fastjet, f"{name}_algorithm"), 0.6)
    p = momenta.components
    plain = fastjet._swig.ClusterSequence([fastjet.PseudoJet(*map(float, one)) for one in p], definition)
    expected = sorted((one.pt() for one in plain.inclusive_jets(30.0)), reverse=True)
    assert_allclose(np.hypot(*found.totals().T[:2]), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"algorithm": "antikT"}, "algorithm 'antikT'; did you mean 'antikt'"),
        ({"truth": "zbb"}, "truth 'zbb'; did you mean 'z_bb'"),
        ({"subjets": "one"}, "subjets 'one'"),
        ({"mass_max": "nan"}, "mass_max = nan"),
        ({"pt_min": "inf"}, "pt_min = inf"),
        ({"mass_min": "200"}, "window .* is empty"),
    ],
)
def test_impossible_options_are_named(settings, words):
    with pytest.raises(ConfigurationError, match=words):
        Selection().changed(settings)
    assert Selection().changed({"mass_max": "inf", "eta_max": "inf", "mass_min": "0"}).mass_max == np.inf


def test_settings_of_version_0_1_are_recorded_as_they_were():
    """New options are part of a dataset's settings where they are not the default, so that old datasets are found."""
    assert list(Selection().config) == [
        "radius", "pt_min", "eta_max", "mass_min", "mass_max", "z_cut", "jets_per_event",
    ]  # fmt: skip
    assert Selection(algorithm="ca").config["algorithm"] == "ca"
