"""Toys with a closed-form likelihood: densities against histograms of what is drawn."""

import numpy as np
import pytest

from xaug.core.errors import ConfigurationError
from xaug.generate.truth_toys import TRUTH_TOYS, truth_toy


@pytest.mark.parametrize("name", TRUTH_TOYS)
def test_the_log_odds_are_calibrated(name):
    """Among events of one log-odds, the share of the target is its sigmoid: so says only the right likelihood."""
    toy = truth_toy(name)
    x, label = toy.sample(20_000, seed=3)
    for target in range(len(toy.classes)):
        odds = toy.log_odds(x, target)
        edges = np.quantile(odds, np.linspace(0, 1, 16))
        index = np.clip(np.searchsorted(edges, odds, side="right") - 1, 0, 14)
        n = np.bincount(index, minlength=15)
        seen = np.bincount(index, label == target, 15) / n
        expected = np.bincount(index, 1 / (1 + np.exp(-odds)), 15) / n
        pull = (seen - expected) / np.sqrt(np.maximum(expected * (1 - expected) / n, 1e-9))
        assert np.abs(pull).max() < 4.5, (target, pull)


@pytest.mark.parametrize("name", TRUTH_TOYS)
def test_variables_without_information_do_not_change_the_answer(name):
    toy = truth_toy(name, copies=2)
    x, label = toy.sample(50, seed=1)
    assert x.shape == (len(label), len(toy.columns)) and np.isfinite(toy.log_odds(x)).all()
    rng = np.random.default_rng(0)
    for i, column in enumerate(toy.columns):
        changed = x.copy()
        changed[:, i] = rng.permutation(x[:, i])
        same = np.allclose(toy.log_odds(changed), toy.log_odds(x))
        assert same == (column not in toy.informative), column


def test_no_variable_of_xor_says_anything_alone():
    toy = truth_toy("xor")
    x, label = toy.sample(20_000, seed=2)
    for column in (0, 1):
        means = [x[label == k, column].mean() for k in (0, 1)]
        assert abs(means[0] - means[1]) < 0.04
    assert ((toy.log_odds(x) > 0) == (label == 1)).mean() > 0.85


def test_copies_can_be_chosen_and_bad_names_are_refused():
    assert truth_toy("copies", 5).informative == ("copy1", "copy2", "copy3", "copy4", "copy5", "alone")
    with pytest.raises(ConfigurationError, match="xor"):
        truth_toy("xro")
    with pytest.raises(ConfigurationError, match="at least one"):
        truth_toy("copies", 0)
    with pytest.raises(ConfigurationError, match="at least one"):
        truth_toy("xor").sample(0, 1)
