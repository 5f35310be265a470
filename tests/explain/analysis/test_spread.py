"""Agreement of trainings, by hand and against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from xaug.core.errors import ConfigurationError
from xaug.explain import Attribution, stability, uncertainty
from xaug.explain.analysis.spread import operating_points


def attribution(xaug, label=None):
    xaug = np.atleast_2d(np.asarray(xaug, float))
    names = [f"v{i}" for i in range(xaug.shape[1])]
    return Attribution({"xaug": xaug}, np.ones(len(xaug)), {"xaug": names}, {}, None, label)


def test_stability_by_hand():
    """v0 leads always; v1 and v2 change places; v3 is last and apart."""
    found = stability([attribution([1, 0.50, 0.60, 0.1]), attribution([1, 0.62, 0.52, 0.1])])
    assert found["rank"].tolist() == [1, 2, 3, 4]
    assert found.index.tolist() == ["v0", "v1", "v2", "v3"]  # of equal means the first column
    assert found["stable"].tolist() == [True, False, False, True]
    assert found.loc["v1", ["highest", "lowest", "from", "to"]].tolist() == [2, 3, 2, 3]
    assert found.loc["v0", ["highest", "lowest", "from", "to"]].tolist() == [1, 1, 1, 1]


def test_same_rank_but_not_told_apart_is_not_stable():
    """0.5 +- 0.1 and 0.38 +- 0.1 keep their order in each training; their difference is less than sqrt(2) 0.1."""
    found = stability([attribution([1, 0.6, 0.48]), attribution([1, 0.4, 0.28])])
    assert (found["highest"] == found["lowest"]).all()
    assert found["stable"].tolist() == [True, False, False]
    assert found.loc["v1", ["from", "to"]].tolist() == [2, 3]


def test_constant_features_tie():
    found = stability([attribution([1, 0, 0]), attribution([1, 0, 0])])
    assert found["stable"].tolist() == [True, False, False]
    assert found["lowest"].tolist() == [1, 2, 2]


def test_events_and_features():
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1], 40).astype(np.int8)
    relevance = rng.normal(size=(3, 80, 4))
    scores = rng.random((3, 80))
    found = uncertainty([attribution(r, label) for r in relevance], scores)
    np.testing.assert_allclose(found.score_mean, scores.mean(axis=0))
    np.testing.assert_allclose(found.score_rms, np.sqrt(((scores - scores.mean(axis=0)) ** 2).sum(axis=0) / 2))
    shares = relevance / np.abs(relevance).max(axis=2, keepdims=True)
    np.testing.assert_allclose(found.relevance_mean, shares.mean(axis=0))
    np.testing.assert_allclose(found.relevance_rms, shares.std(axis=0, ddof=1), atol=1e-14)
    assert found.features.loc["v2", "mean"] == pytest.approx(np.abs(shares[..., 2]).mean())
    assert found.performance.loc["auc", "mean"] == pytest.approx(np.mean([roc_auc_score(label, s) for s in scores]))
    assert found.performance.loc["auc", "mean_score"] == pytest.approx(roc_auc_score(label, scores.mean(axis=0)))


def test_signal_efficiencies_by_counting():
    """The loosest cut that lets at most the given share of background pass."""
    rng = np.random.default_rng(1)
    label = np.repeat([0, 1], 5000)
    scores = [rng.normal(2.0 * label), rng.normal(1.0 * label)]
    found = operating_points(label, scores)
    for at in (0.001, 0.01, 0.1):
        passing = []
        for score in scores:
            cut = np.sort(score[label == 0])[::-1][round(at * 5000)]  # so many background events lie above it
            passing.append((score[label == 1] > cut).mean())
        assert found.loc[at, "mean"] == pytest.approx(np.mean(passing), abs=2e-4)
        assert found.loc[at, "rms"] == pytest.approx(np.std(passing, ddof=1), abs=2e-4)


def test_bad_input():
    with pytest.raises(ConfigurationError, match="at least two"):
        stability([attribution([1, 0])])
    two = [attribution([1, 0]), attribution([1, 0])]
    with pytest.raises(ConfigurationError, match=r"scores have the shape \(2, 3\); .* need \(2, 1\)"):
        uncertainty(two, np.zeros((2, 3)))
    with pytest.raises(ConfigurationError, match="give `label`"):
        uncertainty(two, np.zeros((2, 1)))
