"""The expert variables but N-subjettiness against classic fastjet, numpy by hand and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

FLOOR = np.log(1e-3)  # of displacements: 1 um


# --- kinematics, subjets


def test_kinematics_against_classic_fastjet(xaug, sample_jets, classic_jets):
    for name, method in (("pt", "pt"), ("eta", "eta"), ("phi", "phi_std")):
        expected = [getattr(found.jet, method)() for found in classic_jets]
        assert_allclose(xaug(sample_jets, name), expected, rtol=1e-12, atol=1e-12)
    for name, part in (("mass", "jet"), ("softdrop_mass", "groomed")):
        pseudojets = [getattr(found, part) for found in classic_jets]
        rounding = 1e-13 * np.array([pj.E() for pj in pseudojets]) ** 2
        assert np.all(np.abs(xaug(sample_jets, name) ** 2 - [pj.m2() for pj in pseudojets]) <= rounding)


def test_z_and_delta_r_from_the_subjets_of_classic_fastjet(xaug, wrapped, sample_jets, classic_jets):
    subjets = np.array([[[s.pt(), s.rap(), s.phi()] for s in found.subjets] for found in classic_jets])
    hard, soft = subjets[:, 0], subjets[:, 1]
    assert_allclose(xaug(sample_jets, "z"), hard[:, 0] / (hard[:, 0] + soft[:, 0]), rtol=1e-13)
    distance = np.sqrt((hard[:, 1] - soft[:, 1]) ** 2 + wrapped(hard[:, 2] - soft[:, 2]) ** 2)
    assert_allclose(xaug(sample_jets, "delta_r_subjets"), distance, rtol=1e-11)
    assert xaug(sample_jets, "z").min() >= 0.5
    assert xaug(sample_jets, "z").max() < 0.9  # z_cut = 0.1


@pytest.mark.parametrize("phi", [0.0, 3.0, -3.1])
def test_z_and_delta_r_by_hand(xaug, particles, jets_of, phi):
    jets = jets_of(particles([160.0, 240.0], [0.5, 0.2], [phi, phi + 0.4]))
    assert_allclose(xaug(jets, "z"), 0.6, rtol=1e-13)
    assert_allclose(xaug(jets, "delta_r_subjets"), 0.5, rtol=1e-12)


# --- pull angle


@pytest.fixture
def pull_by_hand(wrapped, vector_sum):
    """Pull angle of a leading subjet of two massless particles, by the definition, with arccos."""

    def angle(pair, other) -> float:
        pt, y, phi = vector_sum(pair)
        _, y_other, phi_other = vector_sum(other)
        r = np.stack([pair["eta"] - y, wrapped(pair["phi"] - phi)], axis=1)
        pull = (pair["pt"][:, None] * np.linalg.norm(r, axis=1, keepdims=True) * r).sum(axis=0) / pt
        way = np.array([y_other - y, wrapped(phi_other - phi)])
        return float(np.arccos(pull @ way / np.linalg.norm(pull) / np.linalg.norm(way)))

    return angle


@pytest.mark.parametrize(
    ("softer", "other"),
    [
        pytest.param((0.1, 0.1), (0.1, -0.4), id="towards larger eta and phi"),
        pytest.param((-0.1, 0.05), (0.3, 0.2), id="away"),
        pytest.param((0.0, 0.12), (-0.4, 0.1), id="across"),
        pytest.param((-0.02, -0.1), (-0.45, -0.1), id="oblique"),
        pytest.param((0.12, -0.03), (0.5, 0.0), id="nearly along"),
    ],
)
@pytest.mark.parametrize("phi", [0.3, 3.1, -3.05], ids=["middle", "across pi", "across -pi"])
@pytest.mark.parametrize("eta", [0.0, 1.2])
def test_pull_angle_of_a_two_particle_subjet(xaug, wrapped, pull_by_hand, particles, jets_of, softer, other, phi, eta):
    pair = particles([250.0, 90.0], [eta, eta + softer[0]], [phi, phi + softer[1]])
    second = particles(120.0, eta + other[0], phi + other[1])
    event = np.concatenate([pair, second])
    event["phi"] = wrapped(event["phi"])
    expected = pull_by_hand(event[:2], event[2:])
    assert 0.05 < expected < np.pi - 0.05  # where arccos is accurate
    for rows in (event, event[::-1]):
        jets = jets_of(rows)
        assert_array_equal(np.bincount(jets.leading_subjet_jet_index), [2])
        assert_allclose(xaug(jets, "pull_angle"), expected, rtol=1e-10)


@pytest.mark.parametrize(("side", "expected"), [(1, 0.0), (-1, np.pi)])
@pytest.mark.parametrize("phi", [0.5, 3.1])
def test_pull_points_to_the_softer_particle(xaug, particles, jets_of, side, expected, phi):
    """All on a line in phi: the softer particle of the pair, farther from the axis, wins the pull."""
    event = particles([250.0, 90.0, 120.0], 0.0, [phi, phi + side * 0.1, phi + 0.5])
    assert_allclose(xaug(jets_of(event), "pull_angle"), expected, atol=1e-12)


def test_pull_angle_of_a_one_particle_subjet_is_a_right_angle(xaug, particles, jets_of):
    event = particles([300.0, 100.0, 80.0], [0.7, 0.3, 0.35], [3.1, 2.9, 2.95])
    jets = jets_of(event)
    assert_array_equal(np.bincount(jets.leading_subjet_jet_index), [1])
    assert_array_equal(xaug(jets, "pull_angle"), np.pi / 2)


def test_pull_angle_range(xaug, sample_jets):
    angle = xaug(sample_jets, "pull_angle")
    assert angle.min() >= 0
    assert angle.max() <= np.pi
    assert angle.std() > 0.5


@pytest.mark.parametrize("name", ["pull_angle", "delta_r_subjets", "z", "softdrop_mass", "mass", "pt"])
def test_invariance_under_rotation_boost_and_reflection(xaug, sample, sample_jets, jets_of, boosted, name):
    """Also for massive constituents: all distances are in rapidity."""
    expected = xaug(sample_jets, name)
    for transform in (
        lambda event: boosted(event, 0.7),
        lambda event: _with(event, "phi", event["phi"] + 2.0),
        lambda event: _with(event, "eta", -event["eta"]),
        lambda event: event[::-1],
    ):
        assert_allclose(xaug(jets_of(*map(transform, sample)), name), expected, rtol=1e-9, atol=1e-9)


def _with(event, name, values):
    changed = event.copy()
    changed[name] = values
    return changed


# --- flavour

IDS = {
    "n_charged_hadrons": {211, -211, 321, -321, 2212},
    "n_neutral_hadrons": {130, -2112, 3122},
    "n_photons": {22},
    "n_electrons": {11},
    "n_muons": {-13},
}
"""The species of the synthetic sample, by kind."""


@pytest.mark.parametrize("name", IDS)
def test_multiplicities_by_explicit_ids(xaug, sample, sample_jets, classic_jets, name):
    expected = [
        sum(int(sample[found.event]["id"][c.user_index()]) in IDS[name] for c in found.constituents)
        for found in classic_jets
    ]
    assert_array_equal(xaug(sample_jets, name), expected)
    assert max(expected) > 0


def test_multiplicities_cover_all_constituents(xaug, sample_jets):
    total = sum(xaug(sample_jets, name) for name in IDS)
    assert_array_equal(total, np.bincount(sample_jets.jet_index))


@pytest.fixture
def displaced(particles, jets_of):
    """displaced(id, pt, vx, vy, vz): a jet of two prompt photons and of a few soft particles as given."""

    def make(**columns):
        soft = particles(**{"eta": 0.05, "phi": 0.1, "pt": 5.0, **columns})
        return jets_of(np.concatenate([particles([300.0, 200.0], 0.0, [0.0, 0.4], id=22), soft]))

    return make


@pytest.mark.parametrize(
    ("columns", "dxy", "dz"),
    [
        pytest.param({"vx": 0.3, "vy": 0.4, "vz": 2.0}, np.log(0.5), np.log(2.0), id="pion"),
        pytest.param({"vx": -0.3, "vy": -0.4, "vz": -2.0}, np.log(0.5), np.log(2.0), id="absolute values"),
        pytest.param({"id": -11, "vx": 1.5}, np.log(1.5), FLOOR, id="electron"),
        pytest.param({"id": 13, "vy": 1.5}, np.log(1.5), FLOOR, id="muon"),
        pytest.param({"id": 22, "vx": 0.3, "vz": 2.0}, FLOOR, FLOOR, id="photon does not count"),
        pytest.param({"id": 130, "vx": 0.3, "vz": 2.0}, FLOOR, FLOOR, id="neutral hadron does not count"),
        pytest.param({"pt": 0.99, "vx": 0.3, "vz": 2.0}, FLOOR, FLOOR, id="pT too low"),
        pytest.param({"pt": 1.01, "vx": 0.3, "vz": 2.0}, np.log(0.3), np.log(2.0), id="pT just enough"),
        pytest.param({"vx": 49.9, "vz": 2.0}, np.log(49.9), np.log(2.0), id="dxy just inside"),
        pytest.param({"vx": 30.0, "vy": 40.1, "vz": 2.0}, FLOOR, FLOOR, id="dxy beyond 50 mm, dz neither"),
        pytest.param({"vx": 0.3, "vz": 500.0}, np.log(0.3), np.log(500.0), id="dz has no limit"),
        pytest.param(
            {"vx": [0.2, 0.7, 0.1], "vz": [3.0, 1.0, -4.0]}, np.log(0.7), np.log(4.0), id="maxima of different tracks"
        ),
        pytest.param(
            {"id": [211, 22, -211], "vx": [0.2, 7.0, 60.0], "vz": [0.1, 8.0, 9.0]},
            np.log(0.2),
            np.log(0.1),
            id="the one that qualifies",
        ),
        pytest.param({"vx": 5e-4, "vz": 9e-4}, FLOOR, FLOOR, id="below the floor"),
        pytest.param({"vx": 2e-3, "vz": 1.1e-3}, np.log(2e-3), np.log(1.1e-3), id="above the floor"),
    ],
)
def test_largest_displacement_by_hand(xaug, displaced, columns, dxy, dz):
    jets = displaced(**columns)
    assert_allclose(xaug(jets, "dxy_max"), dxy, rtol=1e-12)
    assert_allclose(xaug(jets, "dz_max"), dz, rtol=1e-12)


def test_largest_displacements_of_the_sample(xaug, sample, sample_jets, classic_jets):
    """Every jet gets its own maximum, by a plain loop."""
    charged = IDS["n_charged_hadrons"] | IDS["n_electrons"] | IDS["n_muons"]
    dxy, dz = np.full((2, len(classic_jets)), 1e-3)
    for j, found in enumerate(classic_jets):
        for c in found.constituents:
            p = sample[found.event][c.user_index()]
            length = np.sqrt(p["vx"] ** 2 + p["vy"] ** 2)
            if p["id"] in charged and p["pt"] > 1 and length < 50:
                dxy[j], dz[j] = max(dxy[j], length), max(dz[j], abs(p["vz"]))
    assert_allclose(xaug(sample_jets, "dxy_max"), np.log(dxy), rtol=1e-12)
    assert_allclose(xaug(sample_jets, "dz_max"), np.log(dz), rtol=1e-12)
    assert len(set(dxy)) > 20
