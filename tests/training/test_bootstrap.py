"""Replicas of metrics: against the metrics themselves, and against many independent samples."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from xaug.training import bootstrap
from xaug.training.bootstrap import poisson_counts, replica_metrics, replica_significances
from xaug.training.metrics import SearchSample, significance_error


def sample(rng, n, shift=1.0):
    label = rng.integers(0, 2, n)
    score = np.round(1 / (1 + np.exp(-rng.normal(shift * (label - 0.5), 1.0))), 2)  # with ties
    return label, score, rng.uniform(0.5, 2.0, n)


def test_each_replica_is_a_weighted_sample(monkeypatch):
    """The counts of a replica are weights of events; small pieces give the same replicas as large ones."""
    label, score, weight = sample(np.random.default_rng(0), 300)
    found = replica_metrics(label, score, weight, replicas=20, seed=4)
    counts = np.concatenate(list(poisson_counts(300, 20, 4)))
    for i, own in enumerate(counts * weight):
        assert found["auc"][i] == pytest.approx(roc_auc_score(label, score, sample_weight=own))
        right = (score >= 0.5) == label
        shares = [np.average(right[label == c], weights=own[label == c]) for c in (0, 1)]
        assert found["accuracy"][i] == pytest.approx(np.mean(shares))
    monkeypatch.setattr(bootstrap, "AT_ONCE", 900)
    again = replica_metrics(label, score, weight, replicas=20, seed=4)
    np.testing.assert_array_equal(again["auc"], found["auc"])


def test_spread_is_that_of_many_samples():
    rng = np.random.default_rng(1)
    many = [roc_auc_score(*sample(rng, 400)[:2]) for _ in range(600)]
    label, score, _ = sample(rng, 400)
    found = replica_metrics(label, score, np.ones(400), replicas=600)["auc"]
    assert np.std(found) == pytest.approx(np.std(many), rel=0.15)


def test_difference_of_similar_networks_has_the_smaller_paired_error():
    rng = np.random.default_rng(2)
    label, score, weight = sample(rng, 500)
    other = score + rng.normal(0, 0.01, 500)
    one, two = (replica_metrics(label, own, weight)["auc"] for own in (score, other))
    assert np.std(one - two) < 0.2 * np.hypot(np.std(one), np.std(two))


def test_replicas_of_three_classes_are_weighted_samples():
    rng = np.random.default_rng(3)
    label, weight = rng.integers(0, 3, 240), rng.uniform(0.5, 2.0, 240)
    logits = np.round(rng.normal(np.eye(3)[label], 1.0), 1)
    score = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = replica_metrics(label, score, weight, replicas=10, seed=4)
    for i, counts in enumerate(np.concatenate(list(poisson_counts(240, 10, 4)))):
        own = counts * weight
        areas = [roc_auc_score(label == c, score[:, c], sample_weight=own) for c in range(3)]
        right = score.argmax(axis=1) == label
        assert found["auc"][i] == pytest.approx(np.mean(areas))
        shares = [np.average(right[label == c], weights=own[label == c]) for c in range(3)]
        assert found["accuracy"][i] == pytest.approx(np.mean(shares))


def test_replicas_of_the_significance_are_weighted_samples():
    """Z by the formula of Asimov for each replica; where no background passes there is none."""
    label, score, weight = sample(np.random.default_rng(5), 300)
    found = replica_significances(SearchSample(label, score, weight), 0.7, replicas=20, seed=4)
    passing = score >= 0.7
    for z, own in zip(found, np.concatenate(list(poisson_counts(300, 20, 4))) * weight, strict=True):
        s, b = own[passing & (label == 1)].sum(), own[passing & (label == 0)].sum()
        assert z == pytest.approx(np.sqrt(2 * ((s + b) * np.log(1 + s / b) - s)))
    assert np.isnan(replica_significances(SearchSample(label, score, weight), 0.7 + label.max(), replicas=3)).all()


def test_spread_of_the_significance_is_its_error():
    """The bootstrap agrees with the propagation of the errors of S and B, which is another way to the same number."""
    label, score, weight = sample(np.random.default_rng(6), 4000)
    found = replica_significances(SearchSample(label, score, weight), 0.6, replicas=1000)
    passing = score >= 0.6
    error = significance_error(*(weight[passing & (label == c)] for c in (1, 0)))
    assert np.std(found, ddof=1) == pytest.approx(error, rel=0.1)
