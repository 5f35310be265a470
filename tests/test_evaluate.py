"""Metrics against counting by hand."""

import numpy as np
import pytest

from xaug.errors import DatasetError
from xaug.evaluate import metrics, roc


def test_auc_is_the_probability_that_signal_scores_higher():
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1], [300, 200])
    score = rng.normal(label, 1.0)
    signal, background = score[label == 1], score[label == 0]
    pairs = (signal[:, None] > background[None]).mean()
    assert metrics(label, score)["auc"] == pytest.approx(pairs, abs=1e-12)


def test_rejection_by_hand():
    """Ten background jets at 0.05 ... 0.95; half of the signal above 0.8, where two background jets are: 1/0.2 = 5."""
    background = np.arange(10) / 10 + 0.05
    signal = np.array([0.9, 0.81, 0.7, 0.6])
    label = np.repeat([0, 1], [10, 4])
    found = metrics(label, np.concatenate([background, signal]))
    assert found["rejection_50"] == pytest.approx(5.0)


def test_rejection_without_background_left_is_a_limit():
    label = np.repeat([0, 1], [50, 50])
    found = metrics(label, label.astype(float))
    assert found["auc"] == 1.0
    assert found["rejection_50"] == 50
    assert "rejection_50" in found["rejection_limits"]


def test_accuracy_weighs_classes_equally():
    """All called background: 90% of these events, yet accuracy one half."""
    label = np.repeat([0, 1], [90, 10])
    assert metrics(label, np.zeros(100))["accuracy"] == 0.5


@pytest.mark.parametrize(("label", "name"), [(np.zeros(5), "signal"), (np.ones(5), "background")])
def test_a_class_without_events_is_named(label, name):
    with pytest.raises(DatasetError, match=f"no {name} events"):
        roc(label, np.linspace(0, 1, 5))
