"""Scores where the truth is known: chance, oracle, and Shapley values of functions that are worked out by hand."""

import numpy as np
import pytest

from xaug.core.errors import ConfigurationError
from xaug.explain.faithfulness.truth import shapley_of_truth, truth_score
from xaug.generate.truth_toys import TRUTH_TOYS, truth_toy


@pytest.mark.parametrize("name", TRUTH_TOYS)
def test_the_oracle_is_best_and_a_random_attribution_is_at_chance(name):
    toy = truth_toy(name)
    x, label = toy.sample(60, seed=5)
    background = x[label == 0][:40]
    matters = [toy.columns.index(column) for column in toy.informative]
    truth = shapley_of_truth(toy.log_odds, x, background, matters)
    np.testing.assert_allclose(truth.sum(axis=1), toy.log_odds(x) - toy.log_odds(background).mean(), atol=1e-9)
    oracle = truth_score(truth, truth, toy.columns, toy.informative)
    assert (oracle.found, oracle.found_error) == (1.0, 0.0)
    assert oracle.likeness == pytest.approx(1.0)
    random = [
        truth_score(np.random.default_rng(seed).normal(size=x.shape), truth, toy.columns, toy.informative)
        for seed in range(30)
    ]
    found, likeness = (np.array([getattr(one, key) for one in random]) for key in ("found", "likeness"))
    assert abs(found.mean() - 0.5) < 4 * found.std(ddof=1) / np.sqrt(30)
    assert abs(likeness.mean()) < 4 * likeness.std(ddof=1) / np.sqrt(30)
    assert likeness.max() < 0.5


def test_shapley_values_of_a_product_and_of_a_sum():
    """x y shares equally from zero; a sum gives each its own term."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 3))
    zero = np.zeros((1, 3))
    product = shapley_of_truth(lambda v: v[:, 0] * v[:, 1], x, zero, [0, 1])
    np.testing.assert_allclose(product, np.column_stack([x[:, 0] * x[:, 1] / 2] * 2 + [0 * x[:, 0]]))
    background = rng.normal(size=(15, 3))
    terms = shapley_of_truth(lambda v: v @ [1.0, -2.0, 3.0], x, background, [0, 1, 2])
    np.testing.assert_allclose(terms, (x - background.mean(axis=0)) * [1.0, -2.0, 3.0])


def test_bad_input_is_refused():
    a = np.ones((4, 3))
    for arguments, message in (
        ((a, a[:, :2], "abc", "a"), "must be"),
        ((a, a, "abc", "abc"), "some must not"),
        ((a, a, "abc", ["d"]), "carries information"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            truth_score(*arguments)
    with pytest.raises(ConfigurationError, match="too many coalitions"):
        shapley_of_truth(lambda v: v[:, 0], np.ones((2, 20)), np.ones((2, 20)), list(range(20)))
