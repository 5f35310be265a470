"""Extrapolated learning curves: a known power law, its error, and what cannot be extrapolated."""

import numpy as np
import pytest

from xaug.core.errors import DatasetError
from xaug.training.learning_curve import CurvePoint, auc_error, extrapolate

SIZES = np.array([7_500, 15_000, 30_000, 60_000, 120_000])


def points(auc, error):
    return [CurvePoint(size, value, error) for size, value in zip(SIZES, auc, strict=True)]


@pytest.mark.parametrize(("a", "b", "c"), [(0.02, 3.0, 0.5), (0.0, 0.5, 0.2), (0.06, 40.0, 0.8), (0.1, 0.0, 1.0)])
def test_a_known_power_law_is_found(a, b, c):
    """Without noise, at sixteen times the largest size and in between."""
    auc = 1 - a - b * SIZES**-c
    found = extrapolate(points(auc, 1e-6), 2e6)
    assert found.auc == pytest.approx(1 - a - b * 2e6**-c, abs=2e-4)
    np.testing.assert_allclose(found.curve(SIZES), auc, atol=2e-5)
    if a and b:
        assert found.floor == pytest.approx(a, abs=5e-4)
        assert found.exponent == pytest.approx(c, rel=0.03)


def test_the_error_covers_the_truth():
    """Over 200 noisy curves the truth lies within one error in about two thirds of the cases, never far outside."""
    a, b, c, error = 0.02, 3.0, 0.5, 5e-4
    truth, rng = 1 - a - b * 2e6**-c, np.random.default_rng(7)
    pulls = []
    for _ in range(200):
        noisy = 1 - a - b * SIZES**-c + rng.normal(0, error, len(SIZES))
        found = extrapolate(points(noisy, error), 2e6, samples=100)
        pulls.append((found.auc - truth) / found.error)
    assert 0.5 < np.mean(np.abs(pulls) < 1) < 0.9
    assert np.mean(np.abs(pulls) < 3) > 0.97


def test_the_error_grows_with_that_of_the_points_and_with_the_distance():
    auc = 1 - 0.02 - 3.0 * SIZES**-0.5
    near, far = (extrapolate(points(auc, 1e-3), at).error for at in (2e5, 2e7))
    assert far > near > 0
    assert extrapolate(points(auc, 1e-4), 2e5).error < near / 3
    assert extrapolate(points(auc, 1e-3), 2e5).error == near, "a seed repeats it"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ([CurvePoint(10, 0.8, 0.01), CurvePoint(20, 0.9, 0.01)], "2 sizes cannot be extrapolated"),
        ([CurvePoint(10, 0.8, 0.01)] * 4, "1 sizes cannot be extrapolated"),
        ([CurvePoint(n, 0.8, 0.0) for n in (1, 2, 3)], "error 0; it must be positive"),
        ([CurvePoint(n, 0.8, 0.1) for n in (0, 2, 3)], "size 0; it must be positive"),
    ],
)
def test_curves_that_cannot_be_extrapolated(wrong, words):
    with pytest.raises(DatasetError, match=words):
        extrapolate(wrong, 100)


@pytest.mark.parametrize(("shift", "n_signal", "n_background"), [(1.0, 200, 300), (2.0, 150, 150)])
def test_error_of_an_auc_is_that_of_repeated_samples(shift, n_signal, n_background):
    """Exponential scores, for which the formula is exact: AUC of 400 samples scatters by it."""
    rng = np.random.default_rng(3)
    auc = []
    for _ in range(400):
        signal, background = rng.exponential(shift + 1, n_signal), rng.exponential(1.0, n_background)
        auc.append((signal[:, None] > background).mean())
    truth = (shift + 1) / (shift + 2)
    assert np.std(auc) == pytest.approx(auc_error(truth, n_signal, n_background), rel=0.12)
