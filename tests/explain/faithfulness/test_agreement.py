"""Agreement of rankings of trainings, halves and methods, where it is known."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from xaug.core.errors import ConfigurationError
from xaug.explain.attribution import Attribution
from xaug.explain.faithfulness.agreement import between_halves, between_methods, between_trainings, rank_correlation
from xaug.explain.groups import FeatureGroups

NAMES = [f"v{i}" for i in range(12)]


def made_up(size, noise=0.0, seed=0, events=200):
    """Relevance of a given mean size of each feature, and noise in each event."""
    rng = np.random.default_rng(seed)
    scores = np.asarray(size) + noise * rng.normal(size=(events, len(NAMES)))
    return Attribution({"x": scores}, scores.sum(axis=1), {"x": NAMES}, {"target": "signal"})


SIZES = np.linspace(1, 3, 12)


def test_the_correlation_is_that_of_scipy():
    rng = np.random.default_rng(0)
    for _ in range(5):
        one, other = rng.integers(0, 6, (2, 15))
        assert rank_correlation(one, other) == pytest.approx(spearmanr(one, other).statistic)
    assert np.isnan(rank_correlation(np.ones(4), np.arange(4)))


def test_trainings_that_agree_and_that_do_not():
    same = between_trainings([made_up(SIZES), made_up(2 * SIZES), made_up(SIZES + 1)])
    assert (same.value, same.error, same.pairs) == (1.0, 0.0, 3)
    opposite = between_trainings([made_up(SIZES), made_up(SIZES[::-1])])
    assert opposite.value == pytest.approx(-1.0)
    assert np.isnan(opposite.error) and "two trainings" in opposite.note
    rng = np.random.default_rng(1)
    chance = between_trainings([made_up(rng.permutation(SIZES)) for _ in range(12)])
    assert abs(chance.value) < 4 * 1 / np.sqrt(11 * 66) + 0.02
    assert 0 < chance.error < 0.2


def test_one_training_makes_no_statement():
    found = between_trainings([made_up(SIZES)])
    assert np.isnan(found.value) and found.pairs == 0 and "one training" in found.note


def test_halves_agree_as_well_as_noise_allows():
    assert between_halves([made_up(SIZES)]).value == 1.0
    assert between_halves([made_up(SIZES, noise=0.05)]).value > 0.99
    assert abs(between_halves([made_up(0 * SIZES, noise=1.0)]).value) < 0.5
    with pytest.raises(ConfigurationError, match="no two halves"):
        between_halves([made_up(SIZES, events=1)])


def test_methods_are_compared_training_by_training():
    one = [made_up(SIZES), made_up(SIZES[::-1])]
    assert between_methods(one, one).value == pytest.approx(1.0)
    assert between_methods(one, one[::-1]).value == pytest.approx(-1.0)
    assert np.isnan(between_methods(one[:1], one[:1]).error)
    with pytest.raises(ConfigurationError, match="2 trainings, the other 1"):
        between_methods(one, one[:1])
    other = Attribution({"x": np.ones((5, 2))}, np.ones(5), {"x": ["v0", "new"]}, {})
    with pytest.raises(ConfigurationError, match="different features"):
        between_methods(one[:1], [other])


def image(sizes, seed=0):
    """Relevance of images of 2 x 2 pixels, which are a single feature."""
    rng = np.random.default_rng(seed)
    scores = np.asarray(sizes).reshape(1, 2, 2, 1) * (1 + 0.01 * rng.normal(size=(100, 1, 1, 1)))
    return Attribution({"image": scores}, scores.sum(axis=(1, 2, 3)), {"image": ()}, {"target": "signal"})


def test_a_single_feature_has_no_ranking_and_its_elements_have_one():
    some = [image([1, 2, 3, 4]), image([1, 2, 4, 3])]
    for found in (between_trainings(some), between_halves(some), between_methods(some, some)):
        assert np.isnan(found.value) and found.note == "a single feature has no ranking"
    pixels = FeatureGroups(tuple("abcd"), {"image": np.arange(4).reshape(2, 2, 1)})
    assert between_trainings(some, groups=pixels).value == pytest.approx(0.8)
    assert between_halves(some[:1], groups=pixels).value == pytest.approx(1.0)
    assert between_methods(some[:1], some[1:], groups=pixels).value == pytest.approx(0.8)


def test_two_kinds_of_trainings_have_an_error():
    """Two of four order two features the other way: each training left out leaves the same mean, the pairs scatter."""
    last = np.array([np.r_[12.0:2.0:-1, 2.0, 1.0], np.r_[12.0:2.0:-1, 1.0, 2.0]] * 2)
    found = between_trainings([made_up(one) for one in last])
    swapped = spearmanr(*last[:2]).statistic
    pairs = [1.0, 1.0, *[swapped] * 4]
    assert found.value == pytest.approx(np.mean(pairs))
    assert found.error == pytest.approx(np.std(pairs, ddof=1) / np.sqrt(6))
