"""Spreads have n - 1 degrees of freedom in the whole package: the formula, and a search for calls that bypass it."""

import ast
from pathlib import Path

import numpy as np
import pytest

import xaug
from xaug.core.statistics import Moments, sample_deviation, standard_error

PACKAGE = Path(xaug.__file__).parent
CALLS = {"std", "var", "nanstd", "nanvar", "tstd", "sem", "pstdev", "stdev"}
NOT_A_SPREAD = {
    "core/statistics.py": "the owner of the formula",
    "explain/analysis/relevance.py": "`rms` of `summary`, which has ddof 0 by contract, beside `spread`",
    "explain/analysis/class_sample.py": "width of the distribution of the output, the unit of a share",
    "explain/faithfulness/scoring.py": "width of the distribution of the output, the unit of a tolerance",
    "explain/faithfulness/replacements.py": "width of the background, the unit of a distance",
    "explain/gradients/jumps.py": "width of the outputs near the ends of paths, the unit of a tolerance",
    "report/judgement/of_network.py": "width of the distribution of the output, the unit of a residual",
}
"""Modules that may call std or var, once each, and what it is for: none of these is a spread or an error."""


def calls(text: str) -> int:
    """How often a module calls a standard deviation or a variance."""
    nodes = [node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    return sum(getattr(func, "attr", getattr(func, "id", "")) in CALLS for func in nodes)


def test_the_formula():
    values = np.array([[1.0, 5.0], [2.0, 5.0], [6.0, 8.0]])
    expected = [np.sqrt((2**2 + 1**2 + 3**2) / 2), np.sqrt((1 + 1 + 4) / 2)]
    np.testing.assert_allclose(sample_deviation(values), expected)
    np.testing.assert_allclose(sample_deviation(values.T, axis=1), expected)
    np.testing.assert_allclose(standard_error(values), np.array(expected) / np.sqrt(3))
    assert float(sample_deviation([1.0, 3.0])) == pytest.approx(np.sqrt(2))


def test_one_value_has_no_spread():
    assert np.isnan(sample_deviation([0.7]))
    assert np.isnan(standard_error(np.ones((1, 4)))).all()
    assert sample_deviation(np.ones((3, 1, 4)), axis=1).shape == (3, 4)


def test_moments_of_groups_are_those_of_all_events():
    values = np.random.default_rng(2).normal(1000.0, [0.1, 30.0], size=(500, 2))
    moments = Moments(2)
    for group in np.split(values, [1, 200, 203]):
        moments.join(len(group), group.mean(axis=0), ((group - group.mean(axis=0)) ** 2).sum(axis=0))
    assert moments.weight == 500
    np.testing.assert_allclose(moments.mean, values.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.width, values.std(axis=0), rtol=1e-9)


def test_the_spread_of_small_samples_is_not_too_small():
    """The mean of the squared deviation of two values is their variance; with ddof 0 it would be half of it."""
    drawn = np.random.default_rng(1).normal(scale=2.0, size=(2, 200_000))
    assert (sample_deviation(drawn) ** 2).mean() == pytest.approx(4.0, rel=0.02)


def test_nothing_else_computes_a_spread():
    found = {str(path.relative_to(PACKAGE)): calls(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")}
    assert {name for name, n in found.items() if n} == set(NOT_A_SPREAD)
    assert {name for name, n in found.items() if n > 1} == set()
