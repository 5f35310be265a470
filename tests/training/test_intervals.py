"""Intervals of the test sample, against SciPy's exact test, pairs counted one by one, and pseudo-experiments."""

import numpy as np
import pytest
from scipy.stats import binomtest

from xaug.training.intervals import auc_interval, efficiency_interval, efficiency_limit


@pytest.mark.parametrize(("passed", "events"), [(0, 10), (1, 10), (10, 10), (37, 1000), (999, 1000)])
@pytest.mark.parametrize("level", [0.6827, 0.95])
def test_efficiencies_are_those_of_the_exact_test(passed, events, level):
    exact = binomtest(passed, events).proportion_ci(level, method="exact")
    assert efficiency_interval(passed / events, events, level) == pytest.approx((exact.low, exact.high), rel=1e-9)


def test_limit_without_events_is_the_rule_of_three():
    assert efficiency_limit(0.0, 100) == pytest.approx(1 - 0.05 ** (1 / 100))
    one_sided = binomtest(3, 50, alternative="less").proportion_ci(0.95, method="exact").high
    assert efficiency_limit(3 / 50, 50) == pytest.approx(one_sided)


def test_efficiencies_beyond_their_range_are_brought_back():
    assert efficiency_interval(-0.1, 20) == efficiency_interval(0.0, 20)
    assert efficiency_interval(1.1, 20) == efficiency_interval(1.0, 20)


def sample(n, seed=3):
    rng = np.random.default_rng(seed)
    label = np.repeat([0, 1], n)
    return label, np.round(rng.normal(1.2 * label, 1.0), 1)  # with ties


def test_auc_interval_is_that_of_pairs_counted_one_by_one():
    label, score = sample(150)
    signal, background = score[label == 1], score[label == 0]
    pairs = (signal[:, None] > background) + 0.5 * (signal[:, None] == background)
    variance = pairs.mean(axis=1).var(ddof=1) / len(signal) + pairs.mean(axis=0).var(ddof=1) / len(background)
    found = auc_interval(label, score)
    assert np.mean(found) == pytest.approx(pairs.mean())
    assert np.diff(found)[0] / 2 == pytest.approx(np.sqrt(variance), rel=1e-3)
    assert auc_interval(label, score, np.full(300, 7.0)) == pytest.approx(found)


def test_auc_interval_covers_the_true_area_as_often_as_it_says():
    from scipy.stats import norm

    true = norm.cdf(1.2 / np.sqrt(2))
    hits = [low <= true <= high for low, high in (auc_interval(*sample(100, seed)) for seed in range(400))]
    assert np.mean(hits) == pytest.approx(0.6827, abs=3.5 * np.sqrt(0.68 * 0.32 / 400))


def test_a_perfect_separation_is_not_certain():
    low, high = auc_interval(np.array([0] * 40 + [1] * 25), np.arange(65.0))
    assert high == 1.0
    assert low == pytest.approx(((1 - 0.6827) / 2) ** (1 / 25))
