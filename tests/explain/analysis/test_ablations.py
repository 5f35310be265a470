"""Ablation, on networks whose answer is known without them."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers
from scipy.stats import rankdata

import xaug
from xaug.core.errors import ConfigurationError
from xaug.explain import ablation
from xaug.explain.analysis.ablations import ablate_run, replaced
from xaug.training.metrics import compute_metrics

NAMES = {"event": ["a", "b", "c", "d"]}
W = np.array([2.0, -1.0, 0.5, 0.0])


@pytest.fixture(scope="module")
def model():
    """Log-odds W x: the two logits are (0, W x)."""
    x = keras.Input((4,), name="event")
    found = keras.Model(x, layers.Dense(2, activation="softmax", use_bias=False)(x))
    found.layers[-1].set_weights([np.stack([0 * W, W], axis=1)])
    return found


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1], [300, 250])
    return rng.normal(label[:, None] * np.array([0.5, -0.8, 0.4, 1.0]), 1.0).astype(np.float32), label


def auc(score, label):
    """Mann and Whitney's statistic by ranks."""
    n1, n0 = (label == 1).sum(), (label == 0).sum()
    return (rankdata(score)[label == 1].sum() - n1 * (n1 + 1) / 2) / (n1 * n0)


def test_a_linear_network_without_its_first_features(model, sample):
    """Without a feature its term in W x is a constant, that of the baseline, which the accuracy sees."""
    x, label = sample
    baseline = {"event": np.array([[0.3, 0.2, -5.0, 0.1]], np.float32)}
    found = ablation(model, {"event": x}, ["b", "c", "a", "d"], baseline, [0, 1, 2, 3, 4], label, variables=NAMES)
    assert found["k"].tolist() == [0, 1, 2, 3, 4]
    kept = [[0, 1, 2, 3], [0, 2, 3], [0, 3], [3], []]
    for row, columns in zip(found.itertuples(), kept, strict=True):
        gone = [i for i in range(4) if i not in columns]
        logit = x[:, columns] @ W[columns] + baseline["event"][0, gone] @ W[gone]
        right = (logit >= 0) == (label == 1)
        assert row.accuracy == pytest.approx(np.mean([right[label == 0].mean(), right[label == 1].mean()]), abs=1e-6)
        assert row.auc == pytest.approx(auc(np.round(logit, 5), label), abs=1e-4)
    assert found["auc"].tolist()[3:] == [0.5, 0.5]  # d does not matter


def test_weights_count(model, sample):
    """An event of weight 3 is three events."""
    x, label = sample
    weight = np.where(np.arange(len(x)) % 2, 3, 1)
    baseline = {"event": np.zeros((1, 4), np.float32)}
    options = {"order": ["a", "b", "c", "d"], "baseline": baseline, "sizes": [1], "variables": NAMES}
    one = ablation(model, {"event": x}, label=label, weight=weight.astype(float), **options)
    many = ablation(model, {"event": np.repeat(x, weight, axis=0)}, label=np.repeat(label, weight), **options)
    pd.testing.assert_frame_equal(one, many)


def test_only_the_named_features_are_replaced():
    """A column of a vector, and a whole image; the inputs stay as they are."""
    rng = np.random.default_rng(1)
    x = {"image": rng.random((3, 4, 4, 1)), "xaug": rng.random((3, 2))}
    before = {name: values.copy() for name, values in x.items()}
    baseline = {"image": np.full((1, 4, 4, 1), 7.0), "xaug": np.array([[8.0, 9.0]])}
    found = replaced(x, ["pt", "image"], baseline, {"image": ["image"], "xaug": ["mass", "pt"]})
    assert (found["image"] == 7).all()
    np.testing.assert_array_equal(found["xaug"], np.stack([before["xaug"][:, 0], np.full(3, 9.0)], axis=1))
    for name, values in before.items():
        np.testing.assert_array_equal(x[name], values)


@pytest.mark.parametrize(("order", "sizes"), [(["a", "pt"], [2]), (["a"], [2]), (["a"], [-1])])
def test_impossible_ablations(model, sample, order, sizes):
    x, label = sample
    with pytest.raises(ConfigurationError, match="feature"):
        ablation(model, {"event": x}, order, {"event": x[:1]}, sizes, label, variables=NAMES)


def test_ablation_of_a_run(event_run, event_dataset, tmp_path):
    """From the saved models and plain arrays again: features 1 to k are the mean of background, each process alike."""
    names = event_dataset.names("event")
    orders = {"up": names, "down": names[::-1]}
    result = ablate_run(event_run, tmp_path / "out", orders, [1, 87])
    found = pd.read_csv(tmp_path / "out" / "ablation.csv").set_index(["ranking", "k", "training"])
    assert len(found) == 2 * 3 * 2  # none is left out of the sizes
    run = xaug.load_run(event_run)
    arrays = event_dataset.load(split="validation")
    scaled = run.inputs(arrays)["event"].astype(float)
    means = [
        np.average(scaled[own], axis=0, weights=arrays["weight"][own])
        for own in (arrays["process"] == name for name in ("tt1l", "wjets", "zz"))
    ]
    test = event_dataset.load(split="test")
    x, weight = run.inputs(test)["event"], run.scores(0)["weight"]
    x[:, names.index("ht")] = np.mean(means, axis=0)[names.index("ht")]
    for i in range(2):
        score = run.model(i).predict(x, verbose=0)[:, 1]
        expected = compute_metrics(test["label"], score, weight).to_json()
        assert found.loc[("up", 1, i), "auc"] == pytest.approx(expected["auc"], abs=1e-6)
        assert found.loc[("up", 1, i), "auc"] < run.metrics[i]["auc"] - 0.05  # HT is what tells these events apart
        for name in orders:
            assert found.loc[(name, 0, i), "auc"] == pytest.approx(run.metrics[i]["auc"], abs=1e-6)
            assert found.loc[(name, 87, i), "auc"] == 0.5
    assert ablate_run(event_run, tmp_path / "out", orders, [1, 87]) == result
    assert result == json.loads((tmp_path / "out" / "manifest.json").read_text())
    with pytest.raises(ConfigurationError, match="sizes"):
        ablate_run(event_run, tmp_path / "out", orders, [2])


def test_features_are_replaced_by_one_value(event_run, event_dataset, tmp_path):
    with pytest.raises(ConfigurationError, match="'background' has 60 events"):
        ablate_run(event_run, tmp_path / "out", {"up": event_dataset.names("event")}, [1], baseline="background")
