"""The particle lists: order, padding, and all 17 columns by hand."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from xaug import variables
from xaug.core.errors import BadValues
from xaug.formats.base import Wanted
from xaug.formats.momenta import delta_phi
from xaug.formats.xaug_tree import CONSTITUENTS, XAUG_TREE
from xaug.jets.constituents import LIST_LENGTH, make_list
from xaug.jets.jets import first_of
from xaug.jets.selection import Selection, select_jets

COLUMNS = [row.compute for row in variables.rows("jets", "list")]
NAMES = variables.names("jets", "list")
SINGLE = 2e-7  # relative rounding of float32, twice


def lists_of(jets) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The lists by column name, each (n, 20), and the mask."""
    lists, mask = make_list(jets, COLUMNS)
    return dict(zip(NAMES, np.moveaxis(lists, -1, 0), strict=True)), mask


def pseudorapidity_axis(pt, eta, phi) -> tuple[float, float, float]:
    """pT, pseudorapidity and azimuth of summed momenta; masses do not matter to them."""
    px, py, pz = (pt * np.cos(phi)).sum(), (pt * np.sin(phi)).sum(), (pt * np.sinh(eta)).sum()
    return np.hypot(px, py), np.arcsinh(pz / np.hypot(px, py)), np.arctan2(py, px)


# --- small helpers


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (1.0, 0.25, 0.75),
        (0.25, 1.0, -0.75),
        (3.0, -3.0, 6.0 - 2 * np.pi),
        (-3.0, 3.0, 2 * np.pi - 6.0),
        (10.0, -10.0, 20.0 - 6 * np.pi),
        (0.5, 0.5, 0.0),
        (np.pi, -np.pi, 0.0),
    ],
)
def test_delta_phi_by_hand(a, b, expected):
    assert_allclose(delta_phi(np.array([a]), np.array([b])), expected, atol=1e-14)


def test_delta_phi_stays_within_a_half_turn():
    a, b = np.random.default_rng(0).uniform(-20, 20, (2, 10_000))
    found = delta_phi(a, b)
    assert np.abs(found).max() <= np.pi
    assert_allclose(np.exp(1j * found), np.exp(1j * (a - b)), atol=1e-13)


def test_first_of_by_hand():
    assert_array_equal(first_of(np.array([0, 0, 0, 2, 2, 3]), 4), [0, 3, 3, 5])
    assert_array_equal(first_of(np.zeros(0, int), 0), [])


# --- columns

HAND = {
    "pt": np.array([300.0, 150.0, 60.0]),
    "eta": np.array([-0.4, -0.1, -0.45]),
    "phi": np.array([3.1, -3.0, -3.08]),
    "mass": np.array([0.0, 0.13957, 0.93827]),
    "id": np.array([22, -211, 2212]),
    "vx": np.array([0.0, 0.3, -3.0]),
    "vy": np.array([0.0, -0.4, 0.0]),
    "vz": np.array([1e-5, -2.0, 0.5]),
}
"""A jet across phi = pi: the photon and the proton make the leading subjet, the pion the other one."""


@pytest.fixture(scope="module")
def expected_columns(wrapped) -> dict[str, np.ndarray]:
    """Table 2 of arXiv:2011.13466 for HAND, number by number."""
    pt, eta, phi = HAND["pt"], HAND["eta"], HAND["phi"]
    jet_pt, jet_eta, jet_phi = pseudorapidity_axis(pt, eta, phi)
    _, eta1, phi1 = pseudorapidity_axis(pt[[0, 2]], eta[[0, 2]], phi[[0, 2]])
    return {
        "log_pt": np.log([300.0, 150.0, 60.0]),
        "log_pt_rel": np.log(np.array([300.0, 150.0, 60.0]) / jet_pt),
        "log_energy": np.log(np.sqrt((pt * np.cosh(eta)) ** 2 + HAND["mass"] ** 2)),
        "abs_eta": np.array([0.4, 0.1, 0.45]),
        "delta_phi": wrapped(phi - jet_phi),
        "delta_eta": eta - jet_eta,
        "delta_r": np.sqrt((eta - jet_eta) ** 2 + wrapped(phi - jet_phi) ** 2),
        "delta_r_subjet1": np.sqrt((eta - eta1) ** 2 + wrapped(phi - phi1) ** 2),
        "delta_r_subjet2": np.sqrt((eta + 0.1) ** 2 + wrapped(phi + 3.0) ** 2),
        "charge": np.array([0.0, -1.0, 1.0]),
        "is_muon": np.array([0.0, 0.0, 0.0]),
        "is_electron": np.array([0.0, 0.0, 0.0]),
        "is_photon": np.array([1.0, 0.0, 0.0]),
        "is_charged_hadron": np.array([0.0, 1.0, 1.0]),
        "is_neutral_hadron": np.array([0.0, 0.0, 0.0]),
        "dxy": np.log([1e-3, 0.5, 3.0]),
        "dz": np.log([1e-3, 2.0, 0.5]),
    }


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_every_column_by_hand(particles, jets_of, expected_columns, name, order):
    jets = jets_of(particles(**HAND)[list(order)])
    columns, mask = lists_of(jets)
    assert_array_equal(mask[0], [1] * 3 + [0] * 17)
    expected = expected_columns[name]
    assert_allclose(columns[name][0, :3], expected, rtol=SINGLE, atol=1e-9)
    assert_array_equal(columns[name][0, 3:], 0.0)


def test_hand_computation_covers_all_columns(expected_columns):
    assert list(expected_columns) == NAMES
    assert len(NAMES) == 17


@pytest.mark.parametrize(
    ("pdg", "ones"),
    [
        (13, {"is_muon"}),
        (-13, {"is_muon"}),
        (11, {"is_electron"}),
        (-11, {"is_electron"}),
        (22, {"is_photon"}),
        (321, {"is_charged_hadron"}),
        (-2212, {"is_charged_hadron"}),
        (130, {"is_neutral_hadron"}),
        (-2112, {"is_neutral_hadron"}),
    ],
)
def test_kind_columns(particles, jets_of, pdg, ones):
    """The kind is that of the particle in the row, here the second one."""
    columns, _ = lists_of(jets_of(particles([300.0, 200.0], 0.0, [0.0, 0.4], id=[12345 if pdg == 22 else 22, pdg])))
    assert {name for name in NAMES if name.startswith("is_") and columns[name][0, 1] == 1} == ones
    assert sum(columns[name][0, 1] for name in NAMES if name.startswith("is_")) == 1


def test_masses_count_in_the_energy_only(particles, jets_of):
    """A slow heavy particle: E = sqrt(p^2 + m^2)."""
    columns, _ = lists_of(jets_of(particles([300.0, 200.0, 3.0], 0.0, [0.0, 0.4, 0.2], mass=[0, 0, 4.0])))
    assert_allclose(columns["log_energy"][0, 2], np.log(5.0), rtol=SINGLE)
    assert_allclose(columns["log_pt"][0, 2], np.log(3.0), rtol=SINGLE)


# --- order, length, padding


def shower(particles, n: int, seed: int = 0) -> np.ndarray:
    """n particles in two prongs, with pT 1, 2, ..., n GeV in random order."""
    rng = np.random.default_rng(seed)
    prong = np.arange(n) % 2
    return rng.permutation(particles(1.0 + np.arange(n), rng.normal(0, 0.02, n), 0.4 * prong + rng.normal(0, 0.02, n)))


@pytest.mark.parametrize("n", [2, 3, 19, 20, 21, 80])
def test_leading_particles_by_descending_pt(particles, jets_of, n):
    jets = jets_of(shower(particles, n), pt_min=1.0)
    assert len(jets.jet_index) == n
    columns, mask = lists_of(jets)
    kept = min(n, LIST_LENGTH)
    assert_allclose(np.exp(columns["log_pt"][0, :kept]), np.arange(n, n - kept, -1), rtol=1e-6)
    assert_array_equal(mask[0], np.arange(20) < n)
    for name in NAMES:
        assert_array_equal(columns[name][0, kept:], 0.0)


def test_jets_of_different_length_side_by_side(particles, jets_of):
    """Each jet gets its own particles, whatever its neighbours."""
    sizes = (5, 40, 2, 20, 3)
    events = [shower(particles, n, seed) for seed, n in enumerate(sizes)]
    together, mask = make_list(jets_of(*events, pt_min=1.0), COLUMNS)
    assert_array_equal(mask.sum(axis=1), [5, 20, 2, 20, 3])
    for j, event in enumerate(events):
        alone, _ = make_list(jets_of(event, pt_min=1.0), COLUMNS)
        assert_array_equal(together[j], alone[0])


def test_lists_do_not_depend_on_the_order_of_the_input(sample, jets_of):
    rng = np.random.default_rng(6)
    expected, mask = make_list(jets_of(*sample), COLUMNS)
    found, same_mask = make_list(jets_of(*(rng.permutation(event) for event in sample)), COLUMNS)
    assert_array_equal(found[..., NAMES.index("log_pt")], expected[..., NAMES.index("log_pt")])
    assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    assert_array_equal(mask, same_mask)


def test_equal_pt_is_ordered_alike_for_any_input_order(particles, jets_of):
    """Photons and pions of one pT: ties must not be broken by the order of the file."""
    phi = [0.0, 0.01, 0.02, 0.03, 0.4, 0.41, 0.42]  # one subjet of eight particles, one of six
    event = particles(25.0, np.repeat([0.0, 0.05], 7), np.tile(phi, 2), id=[22, 211] * 7)
    expected, _ = make_list(jets_of(event), COLUMNS)
    for seed in range(5):
        found, _ = make_list(jets_of(np.random.default_rng(seed).permutation(event)), COLUMNS)
        assert_allclose(found, expected, rtol=SINGLE, atol=1e-7)


def test_shapes_and_types(sample_jets):
    lists, mask = make_list(sample_jets, COLUMNS)
    n = len(sample_jets)
    assert lists.shape == (n, 20, 17)
    assert mask.shape == (n, 20)
    assert lists.dtype == mask.dtype == np.float32
    assert set(np.unique(mask)) == {0.0, 1.0}
    assert np.isfinite(lists).all()
    assert_array_equal(lists[mask == 0], 0.0)


def test_chosen_columns_in_the_chosen_order(sample_jets):
    """The GRU's list: three columns, as they stand in the full one."""
    order = [NAMES.index(name) for name in ("delta_phi", "log_pt", "delta_eta")]
    full, _ = make_list(sample_jets, COLUMNS)
    few, _ = make_list(sample_jets, [COLUMNS[i] for i in order])
    assert_array_equal(few, full[..., order])


def test_no_jets(sample, jets_of):
    lists, mask = make_list(jets_of(sample[0][:0]), COLUMNS)
    assert lists.shape == (0, 20, 17)
    assert mask.shape == (0, 20)


def test_invariance_under_rotation_and_reflection(sample, jets_of):
    """Rotated in phi nothing changes; with the beams exchanged only delta_eta, which changes its sign."""
    expected, _ = lists_of(jets_of(*sample))
    rotated, mirrored = [event.copy() for event in sample], [event.copy() for event in sample]
    for event in rotated:
        event["phi"] += 2.5
    for event in mirrored:
        event["eta"] *= -1
    turned, reflected = lists_of(jets_of(*rotated))[0], lists_of(jets_of(*mirrored))[0]
    for name in NAMES:
        assert_allclose(turned[name], expected[name], rtol=1e-6, atol=1e-6, err_msg=name)
        sign = -1 if name == "delta_eta" else 1
        assert_allclose(reflected[name], sign * expected[name], rtol=1e-6, atol=1e-6, err_msg=name)


def test_distance_columns_are_consistent(sample_jets):
    columns, _ = lists_of(sample_jets)
    distance = np.hypot(columns["delta_eta"], columns["delta_phi"])
    assert_allclose(columns["delta_r"], distance, rtol=1e-6, atol=1e-7)
    assert columns["delta_r"].max() < 1.6


def test_a_particle_along_the_beam_gives_finite_numbers_or_is_refused(particles):
    """pT = 0 with a mass is a particle at rest transversely; it lies at rapidity 0 and may join a jet there."""
    event = particles([300.0, 200.0, 0.0], [0.1, 0.1, 0.0], [0.0, 0.4, 0.0], mass=[0.0, 0.0, 0.13957])
    chunk = ak.zip({branch: ak.Array(event[name][None]) for name, branch in CONSTITUENTS.items()})
    try:
        events = XAUG_TREE.read_particles(chunk, Wanted(), 0)
    except BadValues:
        return
    lists, _ = make_list(select_jets(events, Selection())[0], COLUMNS)
    assert np.isfinite(lists).all()
