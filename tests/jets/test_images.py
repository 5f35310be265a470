"""Jet images: pixels by hand, the frame of the subjets, and what must leave an image as it is."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from xaug.jets.images import image_coordinates, make_images

SINGLE = 1e-6  # relative: float32 pixels, summed in another order
TURNS = np.radians([0, 30, 90, 135, 180, 200, 270, 315])


def jet_pt(event) -> float:
    return float(np.hypot((event["pt"] * np.cos(event["phi"])).sum(), (event["pt"] * np.sin(event["phi"])).sum()))


@pytest.fixture
def framed(particles, wrapped):
    """framed(points, turn=0, distance=0.2, eta=0.3, phi=3.1): a jet of 300 GeV at (0, 0) and 200 GeV at (0, -1).

    `points` are further particles (x, y, pT) in the frame of the subjets, soft and at least one unit from
    both, so that mMDT removes them and the two prongs keep one particle each. In (eta, phi) all is scaled
    by `distance` and turned anticlockwise by `turn`; without a turn x is along eta and y along phi.
    """

    def make(points=(), turn=0.0, distance=0.2, eta=0.3, phi=3.1):
        x, y, pt = np.array([(0.0, 0.0, 300.0), (0.0, -1.0, 200.0), *points], float).T
        deta = distance * (x * np.cos(turn) - y * np.sin(turn))
        dphi = distance * (x * np.sin(turn) + y * np.cos(turn))
        return particles(pt, eta + deta, wrapped(phi + dphi))

    return make


def pixels(image) -> dict[tuple[int, int], float]:
    """The filled pixels {(row along axis 1, column along axis 2): intensity} of one image."""
    return {(int(r), int(c)): float(image[r, c, 0]) for r, c in np.argwhere(image[..., 0])}


# --- the frame of the subjets


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("distance", [0.1, 0.35, 0.6])
def test_subleading_subjet_is_at_0_minus_1(framed, jets_of, turn, distance):
    jets = jets_of(framed(turn=turn, distance=distance))
    x, y = image_coordinates(jets)
    hard = jets.constituents["pt"] > 250
    assert_allclose([x[hard], y[hard]], 0.0, atol=1e-12)
    assert_allclose(x[~hard], 0.0, atol=1e-12)
    assert_allclose(y[~hard], -1.0, atol=1e-12)


@pytest.mark.parametrize("turn", TURNS)
def test_coordinates_by_hand(framed, jets_of, turn):
    """A turn by any angle and the scale are undone; nothing is reflected."""
    jets = jets_of(framed([(1.3, 0.4, 10.0), (-0.7, -1.9, 5.0)], turn=turn))
    assert len(jets.leading_subjet_jet_index) == 1
    x, y = image_coordinates(jets)
    order = np.argsort(-jets.constituents["pt"])
    assert_allclose(x[order], [0.0, 0.0, 1.3, -0.7], atol=1e-11)
    assert_allclose(y[order], [0.0, -1.0, 0.4, -1.9], atol=1e-11)


def test_subleading_subjet_of_real_jets_is_at_0_minus_1(sample_jets, classic_jets, wrapped):
    """The pT-weighted centre of the subjets' four-momenta, put through the frame of the coordinates by hand."""
    x, y = image_coordinates(sample_jets)
    c = sample_jets.constituents
    for j, found in enumerate(classic_jets):
        (y1, phi1), (y2, phi2) = ((s.rap(), s.phi()) for s in found.subjets)
        way = np.array([y2 - y1, wrapped(phi2 - phi1)])
        distance = np.hypot(*way)
        down, right = way / distance, np.array([-way[1], way[0]]) / distance
        mine = sample_jets.jet_index == j
        offset = np.stack([c["rapidity"][mine] - y1, wrapped(c["phi"][mine] - phi1)], axis=1) / distance
        assert_allclose(y[mine], -offset @ down, atol=1e-9)
        assert_allclose(x[mine], offset @ right, atol=1e-9)


# --- pixels by hand


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("side", [1, -1])
def test_three_particles_pixel_by_pixel(framed, jets_of, turn, side):
    """(0, 0) opens pixel (8, 8); (0, -1) is four pixels below; (1.325, 0.13) is 5.3 to the right, 0.52 up."""
    event = framed([(side * 1.325, 0.13, 10.0)], turn=turn)
    image = make_images(jets_of(event))[0]
    total = jet_pt(event)
    expected = {(8, 8): 300.0 / total, (4, 8): 200.0 / total, (8, 13): 10.0 / total}
    assert pixels(image) == pytest.approx(expected, rel=SINGLE)


def test_pixels_above_and_below(framed, jets_of):
    """Axis 1 increases with phi and axis 2 with eta, where the subleading subjet has the smaller phi."""
    event = framed([(1.4, 0.6, 9.0), (1.2, 1.7, 6.0), (-1.1, -1.6, 4.0)])
    image = make_images(jets_of(event))[0]
    total = jet_pt(event)
    expected = {(8, 8): 300, (4, 8): 200, (10, 13): 9, (14, 12): 6, (1, 3): 4}
    assert pixels(image) == pytest.approx({pixel: pt / total for pixel, pt in expected.items()}, rel=SINGLE)


def test_particles_in_one_pixel_add(framed, jets_of):
    event = framed([(1.35, 0.1, 9.0), (1.4, 0.2, 6.0)])
    image = make_images(jets_of(event))[0]
    assert image[8, 13, 0] == pytest.approx(15.0 / jet_pt(event), rel=SINGLE)


@pytest.mark.parametrize(
    ("point", "inside"),
    [
        ((1.99, 0.1), True),
        ((2.01, 0.1), False),
        ((-1.99, -0.3), True),
        ((-2.01, -0.3), False),
        ((0.3, 1.99), True),
        ((0.3, 2.01), False),
        ((0.8, -1.99), True),
        ((0.8, -2.01), False),
        ((2.2, 2.2), False),
    ],
)
@pytest.mark.parametrize("turn", TURNS[:3])
def test_window_is_two_subjet_distances_wide(framed, jets_of, point, inside, turn):
    event = framed([(*point, 10.0)], turn=turn)
    jets = jets_of(event)
    assert len(jets.jet_index) == 3
    image = make_images(jets)[0]
    assert len(pixels(image)) == (3 if inside else 2)
    assert image.sum() == pytest.approx((510.0 if inside else 500.0) / jet_pt(event), rel=SINGLE)


def test_corner_pixels(framed, jets_of):
    """The outermost pixels of all four corners can be filled, at one orientation."""
    event = framed([(1.9, 1.9, 5.0), (1.9, -1.9, 4.0), (-1.9, 1.9, 3.0), (-1.9, -1.9, 2.0)])
    total = jet_pt(event)
    expected = {(8, 8): 300, (4, 8): 200, (15, 15): 5, (0, 15): 4, (15, 0): 3, (0, 0): 2}
    image = make_images(jets_of(event))[0]
    assert pixels(image) == pytest.approx({pixel: pt / total for pixel, pt in expected.items()}, rel=SINGLE)


# --- sums, shapes, the heavier half


def test_sum_is_the_pt_within_the_window(sample_jets):
    x, y = image_coordinates(sample_jets)
    inside = (np.abs(x) < 2) & (np.abs(y) < 2)
    expected = np.bincount(sample_jets.jet_index[inside], sample_jets.constituents["pt"][inside]) / sample_jets.pt
    found = make_images(sample_jets).sum(axis=(1, 2, 3), dtype=np.float64)
    assert_allclose(found, expected, rtol=SINGLE)
    assert not inside.all()


def test_right_half_is_the_heavier(sample_jets):
    images = make_images(sample_jets).astype(np.float64)
    left, right = images[:, :, :8].sum(axis=(1, 2, 3)), images[:, :, 8:].sum(axis=(1, 2, 3))
    assert np.all(right >= left)
    assert np.mean(right > 1.1 * left) > 0.5


@pytest.mark.parametrize("on_edge", [5.0, 2.0])
@pytest.mark.parametrize("side", [1, -1])
def test_right_half_is_the_heavier_with_a_particle_on_the_edge(framed, jets_of, side, on_edge):
    """A particle at |x| = 2 exactly, where the window ends, must not turn the image the wrong way."""
    event = framed([(side * 2.0, 0.3, on_edge), (-side * 1.2, 0.3, 3.0)])
    image = make_images(jets_of(event))[0, :, :, 0]
    left, right = image[:, :8].sum(), image[:, 8:].sum() - image[[8, 4], 8].sum()
    assert right >= left


def test_subjets_on_the_axis_do_not_decide_the_flip(framed, jets_of):
    """Both prongs are at x = 0; rounding must not put them on the left."""
    for turn in np.linspace(0, 2 * np.pi, 50):
        for side in (-1, 1):
            image = make_images(jets_of(framed([(side * 1.3, 0.1, 2.0)], turn=turn)))[0]
            assert set(pixels(image)) == {(8, 8), (4, 8), (8, 13)}, turn


def test_shape_and_type(sample_jets):
    images = make_images(sample_jets)
    assert images.shape == (len(sample_jets), 16, 16, 1)
    assert images.dtype == np.float32
    assert images.min() >= 0
    assert np.isfinite(images).all()


def test_no_jets(jets_of, sample):
    images = make_images(jets_of(sample[0][:0]))
    assert images.shape == (0, 16, 16, 1)
    assert images.dtype == np.float32


def test_each_jet_has_its_own_image(sample, sample_jets, jets_of):
    together = make_images(sample_jets)
    for j, event in enumerate(sample_jets.event[:20]):
        assert_array_equal(make_images(jets_of(sample[event]))[0], together[j])


# --- invariances


@pytest.fixture(scope="module", params=["massless", "massive"])
def showers(request, sample):
    """Events whose images must not change; rapidity makes that hold for massive constituents too."""
    events = [event.copy() for event in sample]
    if request.param == "massless":
        for event in events:
            event["mass"] = 0.0
    return events


def with_column(event, name, values):
    """A copy of the event with one column replaced."""
    changed = event.copy()
    changed[name] = values
    return changed


def assert_same_images(jets_of, events, transformed):
    """Images agree to the rounding of float32."""
    expected, found = make_images(jets_of(*events)), make_images(jets_of(*transformed))
    assert len(expected) > 50
    assert_allclose(found, expected, rtol=SINGLE, atol=1e-12)


@pytest.mark.parametrize("angle", [0.1, 1.0, np.pi, -2.5])
def test_invariance_under_rotation_in_phi(showers, jets_of, wrapped, angle):
    rotated = [with_column(event, "phi", wrapped(event["phi"] + angle)) for event in showers]
    assert_same_images(jets_of, showers, rotated)


@pytest.mark.parametrize("dy", [0.3, -1.1, 2.0])
def test_invariance_under_boosts_along_the_beam(showers, jets_of, boosted, dy):
    assert_same_images(jets_of, showers, [boosted(event, dy) for event in showers])


def test_a_boost_of_massless_particles_shifts_eta(showers, boosted):
    """The boost of the tests, checked for the case in which it is known."""
    massless = with_column(showers[0], "mass", 0.0)
    assert_allclose(boosted(massless, 0.7)["eta"], massless["eta"] + 0.7, atol=1e-12)


def test_invariance_under_the_order_of_constituents(showers, jets_of):
    rng = np.random.default_rng(7)
    assert_same_images(jets_of, showers, [rng.permutation(event) for event in showers])


def test_invariance_under_exchange_of_the_beams(showers, jets_of):
    """eta -> -eta mirrors the jet; the flip to the heavier half undoes it."""
    assert_same_images(jets_of, showers, [with_column(event, "eta", -event["eta"]) for event in showers])


def test_invariance_under_reflection_of_phi(showers, jets_of):
    assert_same_images(jets_of, showers, [with_column(event, "phi", -event["phi"]) for event in showers])


def test_invariance_under_a_common_factor_of_all_momenta(showers, jets_of):
    scaled = [with_column(with_column(e, "pt", 1.7 * e["pt"]), "mass", 1.7 * e["mass"]) for e in showers]
    assert_same_images(jets_of, showers, scaled)
