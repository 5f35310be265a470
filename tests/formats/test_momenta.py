"""Four-momenta in groups, against formulas written out and against `vector` objects."""

from __future__ import annotations

import numpy as np
import pytest
import vector
from numpy.testing import assert_allclose, assert_array_equal

from xaug.formats.momenta import FourVectors, delta_phi, kinematics, pairs


@pytest.fixture
def by_hand():
    """Three particles in groups of one and two."""
    return FourVectors([1.0, 2.0, 4.0], [0.0, 1.0, 0.0], [3.0, 0.0, -3.0], [5.0, 3.0, 6.0], [1, 2])


def test_sums_by_hand(by_hand):
    assert_array_equal(by_hand.group, [0, 1, 1])
    assert_array_equal(by_hand.sums(by_hand.group, 2), [[1, 0, 3, 5], [6, 1, -3, 9]])
    assert_array_equal(by_hand.totals(), [[1, 0, 3, 5], [6, 1, -3, 9]])


def test_scaled_and_taken(by_hand):
    assert_array_equal(by_hand.scaled(np.array([2.0, 1.0, 0.5])).totals(), [[2, 0, 6, 10], [4, 1, -1.5, 6]])
    taken = by_hand.take(np.array([2, 0]), np.array([0, 2]))
    assert_array_equal(taken.components, [[4, 0, -3, 6], [1, 0, 3, 5]])
    assert_array_equal(taken.totals(), [[0, 0, 0, 0], [5, 0, 0, 11]])


def test_empty_groups_stay(by_hand):
    empty = FourVectors([], [], [], [], [0, 0])
    assert len(empty) == 2
    assert_array_equal(empty.totals(), np.zeros((2, 4)))
    assert by_hand.packed().to_list()[0] == [{"px": 1.0, "py": 0.0, "pz": 3.0, "E": 5.0}]


def test_there_and_back():
    """From pT, eta, phi, mass to components and back, and each number against a `vector` object."""
    rng = np.random.default_rng(3)
    given = {
        "pt": rng.exponential(50, 100) + 0.1,
        "eta": rng.normal(0, 2, 100),
        "phi": rng.uniform(-np.pi, np.pi, 100),
        "mass": rng.exponential(1, 100),
    }
    momenta = FourVectors.of_particles(given, [100])
    found = kinematics(momenta.components)
    for name in ("pt", "eta", "phi"):
        assert_allclose(found[name], given[name], rtol=1e-9, atol=1e-12)
    assert_allclose(found["mass"], given["mass"], atol=1e-4)
    for k in (0, 17, 99):
        one = vector.obj(**{name: values[k] for name, values in given.items()})
        assert_allclose(momenta.components[k], [one.px, one.py, one.pz, one.E], rtol=1e-12)
        assert_allclose([found["rapidity"][k], found["energy"][k]], [one.rapidity, one.E], rtol=1e-9)


def test_masses_are_not_negative():
    """Rounding makes the square of a massless particle's mass negative."""
    assert_array_equal(kinematics(np.array([[3.0, 4.0, 0.0, 5.0 * (1 - 1e-15)]]))["mass"], [0.0])


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [(3.0, -3.0, 6.0 - 2 * np.pi), (-3.0, 3.0, 2 * np.pi - 6.0), (1.0, 0.5, 0.5), (0.0, 7.0, -0.7168146928)],
)
def test_delta_phi_is_wrapped(a, b, expected):
    assert_allclose(delta_phi(np.array(a), np.array(b)), expected, atol=1e-9)


def test_pairs_are_those_of_two_loops():
    rng = np.random.default_rng(5)
    counts = rng.integers(0, 4, 12)
    event = np.sort(rng.integers(0, 12, 9))
    event_of_member = np.repeat(np.arange(12), counts)
    expected = [(k, m) for k, e in enumerate(event) for m, own in enumerate(event_of_member) if own == e]
    left, right = pairs(event, counts)
    assert list(zip(left.tolist(), right.tolist(), strict=True)) == expected
