"""Metrics against counting by hand."""

import numpy as np
import pytest

from xaug.core.errors import DatasetError
from xaug.data.weights import effective_number
from xaug.training.metrics import (
    SearchSample,
    background_efficiency,
    best_threshold,
    compute_metrics,
    roc,
    search,
    signal_efficiency,
    significance,
    significance_error,
)


def test_auc_is_the_probability_that_signal_scores_higher():
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1], [300, 200])
    score = rng.normal(label, 1.0)
    signal, background = score[label == 1], score[label == 0]
    pairs = (signal[:, None] > background[None]).mean()
    assert compute_metrics(label, score).auc == pytest.approx(pairs, abs=1e-12)


def test_rejection_by_hand():
    """Ten background jets at 0.05 ... 0.95; half of the signal above 0.8, where two background jets are: 1/0.2 = 5."""
    background = np.arange(10) / 10 + 0.05
    signal = np.array([0.9, 0.81, 0.7, 0.6])
    label = np.repeat([0, 1], [10, 4])
    found = compute_metrics(label, np.concatenate([background, signal]))
    assert found.rejections["rejection_50"] == pytest.approx(5.0)


def test_rejection_without_background_left_is_a_limit():
    label = np.repeat([0, 1], [50, 50])
    found = compute_metrics(label, label.astype(float))
    assert found.auc == 1.0
    assert found.rejections["rejection_50"] == 50
    assert "rejection_50" in found.rejection_limits


def test_accuracy_weighs_classes_equally():
    """All called background: 90% of these events, yet accuracy one half."""
    label = np.repeat([0, 1], [90, 10])
    assert compute_metrics(label, np.zeros(100)).accuracy == 0.5


@pytest.mark.parametrize(("label", "name"), [(np.zeros(5), "signal"), (np.ones(5), "background")])
def test_a_class_without_events_is_named(label, name):
    with pytest.raises(DatasetError, match=f"no {name} events"):
        roc(label, np.linspace(0, 1, 5))


def test_weights_are_repetitions():
    """An event of weight k counts as k events of weight one."""
    rng = np.random.default_rng(2)
    label = np.repeat([0, 1], [80, 60])
    score = rng.normal(label, 1.0)
    times = rng.integers(1, 5, len(label))
    one = compute_metrics(label, score, times.astype(float)).to_json()
    many = compute_metrics(np.repeat(label, times), np.repeat(score, times)).to_json()
    for name in ("auc", "accuracy", "rejection_70"):
        assert one[name] == pytest.approx(many[name], rel=1e-9), name


def test_effective_number():
    assert effective_number(np.ones(7)) == 7
    assert effective_number(np.array([3.0, 1.0])) == pytest.approx(16 / 10)


def test_significance_by_hand():
    """For S << B it is S / sqrt(B); for S = B = 1 it is sqrt(2 (2 ln 2 - 1))."""
    assert significance(1.0, 1.0) == pytest.approx(np.sqrt(2 * (2 * np.log(2) - 1)))
    assert significance(10.0, 1e6) == pytest.approx(10 / 1e3, rel=1e-4)
    assert significance(0.0, 5.0) == 0.0


def test_significance_is_the_gaussian_equivalent_of_the_poisson_probability():
    """For many events: the upper tail probability of B + S counts where B are expected."""
    from scipy.stats import norm, poisson

    tail = poisson.sf(1000 + 150 - 1, 1000)
    assert significance(150.0, 1000.0) == pytest.approx(norm.isf(tail), rel=0.01)


def test_best_threshold_by_trying_all():
    rng = np.random.default_rng(3)
    label = np.repeat([0, 1], [400, 300])
    score = np.round(rng.normal(1.5 * label, 1.0), 1)  # with ties
    weight = np.where(label == 1, 0.05, rng.uniform(0.5, 2.0, len(label)))
    best, found = -1.0, None
    for threshold in np.unique(score):
        b, s = weight[(label == 0) & (score >= threshold)], weight[(label == 1) & (score >= threshold)].sum()
        if b.sum() > 0 and b.sum() ** 2 / (b**2).sum() >= 20:
            z = np.sqrt(2 * ((s + b.sum()) * np.log(1 + s / b.sum()) - s))
            if z > best:
                best, found = z, threshold
    assert best_threshold(SearchSample(label, score, weight), least=20) == found


def test_threshold_needs_background():
    label = np.repeat([0, 1], [5, 5])
    with pytest.raises(DatasetError, match=r"5\.0 effective events, fewer than the 20"):
        best_threshold(SearchSample(label, np.linspace(0, 1, 10), np.ones(10)))


class TestNegativeWeights:
    """Weights of generators at next-to-leading order count with their sign."""

    def sample(self):
        rng = np.random.default_rng(5)
        label = np.repeat([0, 1], [400, 300])
        score = np.round(rng.normal(label, 1.0), 1)  # with ties
        return label, score, rng.choice([1.0, 1.0, 1.0, -1.0], len(label)) * rng.uniform(0.5, 1.5, len(label))

    def test_auc_counts_pairs_by_weight(self):
        label, score, weight = self.sample()
        s, b = score[label == 1], score[label == 0]
        pairs = (s[:, None] > b[None]) + 0.5 * (s[:, None] == b[None])
        ws, wb = weight[label == 1], weight[label == 0]
        expected = ws @ pairs @ wb / (ws.sum() * wb.sum())
        assert compute_metrics(label, score, weight).auc == pytest.approx(expected, abs=1e-12)

    def test_cancelling_events_change_nothing(self):
        """An event of weight w and one of weight -w with the same score are as if they were not there."""
        label, score, _ = self.sample()
        more = (np.append(label, [0, 0, 1, 1]), np.append(score, [2.05, 2.05, -3.0, -3.0]))
        weight = np.append(np.ones(len(label)), [5, -5, 7, -7])
        one, other = compute_metrics(label, score), compute_metrics(*more, weight)
        assert other.auc == pytest.approx(one.auc, abs=1e-12)
        assert other.accuracy == pytest.approx(one.accuracy, abs=1e-12)
        assert other.rejections["rejection_50"] == pytest.approx(one.rejections["rejection_50"])

    def test_efficiencies_by_hand(self):
        """Efficiencies of signal that go 0.5, 1.0, 0.5, 1.0 reach 0.75 first at the second threshold."""
        background, signal = np.array([0, 0.1, 0.2, 0.3, 1.0]), np.array([0, 0.5, 1.0, 0.5, 1.0])
        assert background_efficiency(background, signal, 0.75) == 0.2
        background, signal = np.array([0, 0.2, 0.1, 0.3, 1.0]), np.array([0, 0.3, 0.5, 0.8, 1.0])
        assert signal_efficiency(background, signal, 0.25) == 0.5
        assert signal_efficiency(background, signal, 0.15) == 0.0  # before the threshold where 0.2 was exceeded

    def test_an_area_above_one_is_told(self):
        """Signal at 1 and 3 against background at 0, 2 and 4 with weights 2, 0.5 and -1: 2 + 2.5 of 2 * 1.5 pairs."""
        label, score = np.array([1, 1, 0, 0, 0]), np.array([1.0, 3.0, 0.0, 2.0, 4.0])
        with pytest.warns(UserWarning, match=r"AUC 1\.5 is not between 0 and 1: the 1 negative weights among 5"):
            found = compute_metrics(label, score, np.array([1.0, 1.0, 2.0, 0.5, -1.0]))
        assert found.auc == pytest.approx(1.5)

    def test_a_class_that_cancels_is_refused(self):
        label = np.array([0, 0, 1, 1])
        with pytest.raises(DatasetError, match="weights of background events add up to 0"):
            roc(label, label * 0.5, np.array([1.0, -1.0, 1.0, 1.0]))

    def test_no_threshold_keeps_negative_background(self):
        """The hundred highest background events have weight -1: no threshold there keeps background."""
        score = np.linspace(1, 0, 1000)
        label = np.tile([0, 1], 500)
        weight = np.where((label == 0) & (score > 0.8), -1.0, 2.0)
        assert best_threshold(SearchSample(label, score, weight)) < 0.8
        assert significance(-3.0, 10.0) == 0.0


def test_error_of_the_significance_is_that_of_many_samples():
    """Poisson numbers of weighted events: the spread of Z over replicas."""
    rng = np.random.default_rng(8)
    signal, background = np.full(300, 0.05), rng.uniform(0.02, 0.2, 200)
    replicas = [significance(rng.poisson(1, 300) @ signal, rng.poisson(1, 200) @ background) for _ in range(4000)]
    assert significance_error(signal, background) == pytest.approx(np.std(replicas), rel=0.05)
    assert significance_error(np.zeros(3), background) == 0


def test_significance_needs_background_on_the_test_split():
    label, score = np.repeat([0, 1], [100, 50]), np.r_[np.linspace(0, 1, 100), np.linspace(0.5, 1, 50)]
    sample = SearchSample(label, score, np.ones(150))
    found = search(sample, sample)
    assert found.effective_background >= 20 and found.significance_error > 0
    few = SearchSample(label[50:], score[50:] - 0.35, np.ones(100))
    with pytest.raises(
        DatasetError, match=r"test split is .* effective events behind the threshold, fewer than the 20"
    ):
        search(sample, few)
