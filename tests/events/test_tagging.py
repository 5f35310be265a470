"""The choice of the b jet, against an enumeration of all patterns of tags."""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from xaug.core.errors import ConfigurationError
from xaug.events.cuts import EventSelection
from xaug.events.efficiencies import Efficiency
from xaug.events.tagging import draw_tagged


def enumerated(efficiency):
    """P(there is a tag), and P(jet i is the hardest tagged one, given a tag), summed over all patterns of tags."""
    first, tagged = np.zeros(len(efficiency)), 0.0
    for pattern in product((False, True), repeat=len(efficiency)):
        probability = np.prod([e if tag else 1 - e for e, tag in zip(efficiency, pattern, strict=True)])
        if any(pattern):
            tagged += probability
            first[pattern.index(True)] += probability
    return tagged, first / tagged


@pytest.mark.parametrize("seed", range(5))
def test_choice_and_weight_are_those_of_all_patterns(seed):
    """A grid of u in [0, 1) stands for all draws: each jet is chosen for a share of it, to one step of the grid."""
    rng = np.random.default_rng(seed)
    efficiency = rng.choice([0.01, 0.15, 0.35, 0.7, 0.99], size=rng.integers(1, 8))
    grid = (np.arange(20_000) + 0.5) / 20_000
    n, jets = len(grid), len(efficiency)
    chosen, weight = draw_tagged(np.tile(efficiency, n), np.repeat(np.arange(n), jets), n, grid)
    tagged, first = enumerated(efficiency)
    assert_allclose(weight, tagged, rtol=1e-10)
    shares = np.bincount(chosen - jets * np.arange(n), minlength=jets) / n
    assert_allclose(shares, first, atol=1.5 / n)


def test_hardest_of_two_b_jets_is_taken_more_often():
    """With efficiencies of 0.7 the harder one is the b jet in 0.7 / 0.91 of the events, not in half of them."""
    grid = (np.arange(1000) + 0.5) / 1000
    chosen, _ = draw_tagged(np.full(2000, 0.7), np.repeat(np.arange(1000), 2), 1000, grid)
    assert (chosen % 2 == 0).mean() == pytest.approx(0.7 / 0.91, abs=2e-3)


def test_events_of_different_sizes_do_not_mix():
    efficiency, event = np.array([0.3, 1.0, 0.9, 0.01, 1.0, 0.5]), np.array([0, 0, 1, 2, 2, 2])
    for u, expected in ((0.0, [0, 2, 3]), (0.5, [1, 2, 4]), (1.0, [1, 2, 4])):
        chosen, weight = draw_tagged(efficiency, event, 3, np.full(3, u))
        assert_array_equal(chosen, expected)
        assert_allclose(weight, [1, 0.9, 1], rtol=1e-12)


def test_efficiency_is_linear_between_its_points_and_constant_beyond():
    table = Efficiency("50:0.6,150:0.8,400:0.3")
    assert_allclose(table(np.array([20, 50, 100, 150, 275, 400, 2000])), [0.6, 0.6, 0.7, 0.8, 0.55, 0.3, 0.3])
    assert_allclose(Efficiency(0.2)(np.array([1.0, 1e4])), 0.2)
    assert Efficiency(str(table)) == table and Efficiency("0.7") == Efficiency(0.7)


def test_default_efficiency_of_b_jets_falls_at_large_pt():
    b, c, light = (efficiency(np.array([100.0, 300.0, 600.0, 1000.0])) for efficiency in EventSelection().efficiencies)
    assert (np.diff(b) < 0).all()
    assert (b > c).all() and (c > light).all()


@pytest.mark.parametrize("text", ["50:0.5,20:0.6", "20:0.5,20:0.6", "-1:0.5", "20:0", "20:1.5", "20:nan", "nan:0.5"])
def test_bad_tables(text):
    with pytest.raises(ConfigurationError, match="selection tag_b"):
        EventSelection().changed({"tag_b": text})


@pytest.mark.parametrize("text", ["much", "20:", "20:0.5,", "20:0.5:0.6"])
def test_texts_that_are_no_table(text):
    with pytest.raises(ConfigurationError, match="tag_b"):
        EventSelection().changed({"tag_b": text})
