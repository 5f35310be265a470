"""Attributions of a class, on a linear model whose attributions of every pair are w (x - x')."""

import keras
import numpy as np
import pytest
from keras import layers

from xaug.core.errors import ConfigurationError, ModelError
from xaug.explain import Sample, class_attribution, integrated_gradients

W = np.array([2.0, -1.0, 0.5, 0.0])
NAMES = {"x": ["a", "b", "c", "d"]}


@pytest.fixture(scope="module")
def model():
    x = keras.Input((4,), name="x")
    model = keras.Model(x, layers.Dense(1, activation="sigmoid")(x))
    model.layers[1].set_weights([W[:, None], np.zeros(1)])
    return model


@pytest.fixture(scope="module")
def events():
    return np.random.default_rng(1).normal(0.5, 1, (300, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(2)
    process = np.repeat(["tt", "wjets"], [30, 20])
    x = rng.normal(np.where(process == "tt", 0, 4)[:, None], 1, (50, 4)).astype(np.float32)
    return Sample({"x": x}, np.where(process == "tt", 0.9 / 30, 0.1 / 20), process)


def test_means_and_ranks(model, events, sample):
    found = class_attribution(model, [events], sample, variables=NAMES)
    pairs = W * (events[:, None] - sample.arrays["x"])
    of_event = np.einsum("b,ebf->ef", sample.weights, pairs)
    table = found.table.loc[NAMES["x"]]
    np.testing.assert_allclose(found.by_event, of_event, atol=1e-5)
    np.testing.assert_allclose(found.by_baseline, pairs.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(table["mean"], of_event.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(table["mean_absolute"], np.abs(of_event).mean(axis=0), atol=1e-5)
    np.testing.assert_array_equal(table["rank_absolute"], 1 + np.argsort(np.argsort(-np.abs(of_event).mean(axis=0))))
    np.testing.assert_array_equal(table["rank_mean"], 1 + np.argsort(np.argsort(-of_event.mean(axis=0))))
    assert list(found.table["rank_mean"]) == [1, 2, 3, 4]
    assert found.settings["effective_baselines"] == pytest.approx(1 / np.sum(sample.weights**2), abs=1e-3)


def test_errors_against_their_formulas(model, events, sample):
    """Events: std / sqrt(n). Baselines: sqrt of the sum over processes of share^2 variance / n. 2000 replicas: 2%."""
    table = class_attribution(model, [events], sample, variables=NAMES, replicas=2000).table.loc[NAMES["x"]]
    expected = np.abs(W) * events.std(axis=0) / np.sqrt(300)
    np.testing.assert_allclose(table["mean_error_events"], expected, rtol=0.1, atol=1e-7)
    variance = sum(
        share**2 * sample.arrays["x"][sample.process == name].var(axis=0) / (sample.process == name).sum()
        for name, share in (("tt", 0.9), ("wjets", 0.1))
    )
    np.testing.assert_allclose(table["mean_error_baselines"], np.abs(W) * np.sqrt(variance), rtol=0.1, atol=1e-7)
    assert table.loc["d", "mean_absolute"] == 0


def test_slices_of_baselines_give_the_same(model, events, sample, kept_integrator):
    """An event whose baselines come in several blocks is averaged before its absolute value is taken."""
    whole = class_attribution(model, [events], sample, variables=NAMES).table
    path = kept_integrator(model)
    batch, path.batch = path.batch, 16
    try:
        parts = class_attribution(model, [events], sample, variables=NAMES).table
    finally:
        path.batch = batch
    np.testing.assert_allclose(whole.to_numpy(), parts.to_numpy(), rtol=1e-4, atol=1e-5)


def test_sampling_to_a_precision(model, events, sample):
    full = class_attribution(model, [events], sample, variables=NAMES).table
    found = class_attribution(model, [events], sample, variables=NAMES, precision=0.3)
    table = found.table.loc[full.index]
    assert found.settings["baselines_per_event"] < 50
    assert table["mean_error_pairs"].max() < 1.3 * 0.3 * full["mean"].abs().max()
    pulls = (table["mean"] - full["mean"])[:3] / table["mean_error_pairs"][:3]
    assert np.abs(pulls).max() < 4
    excess = table["mean_absolute"] - full["mean_absolute"]
    assert np.all(excess < table["mean_absolute_excess"] + 4 * table["mean_error_pairs"] + 1e-6)
    np.testing.assert_allclose(
        table["mean_error_baselines"][:3], full["mean_error_baselines"][:3], rtol=0.5
    )  # drawing pairs adds to it
    everything = class_attribution(model, [events], sample, variables=NAMES, precision=1e-4)
    assert everything.settings["baselines_per_event"] == 50
    np.testing.assert_allclose(everything.table["mean"], full["mean"], atol=1e-5)


def test_same_seed_same_errors(model, events, sample):
    one, other = (class_attribution(model, [events], sample, seed=3).table for _ in range(2))
    np.testing.assert_array_equal(one.to_numpy(), other.to_numpy())


def test_bad_options(model, events, sample):
    for options, message in (({"replicas": 1}, "replicas 1"), ({"precision": 0}, "precision 0")):
        with pytest.raises(ConfigurationError, match=message):
            class_attribution(model, [events], sample, **options)
    with pytest.raises(ConfigurationError, match="1 events"):
        class_attribution(model, [events[:1]], sample)


def test_inputs_with_equal_column_names():
    inputs = [keras.Input((2,), name=name) for name in ("jet1", "jet2")]
    joined = keras.layers.Concatenate()(inputs)
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(joined))
    model.layers[-1].set_weights([W[:, None], np.zeros(1)])
    x = np.random.default_rng(1).normal(0.5, 1, (50, 4)).astype(np.float32)
    names = {"jet1": ["pt", "eta"], "jet2": ["pt", "eta"]}
    baseline = {"jet1": np.zeros(2), "jet2": np.zeros(2)}
    table = class_attribution(model, [x[:, :2], x[:, 2:]], baseline, variables=names).table
    rows = ["jet1.pt", "jet1.eta", "jet2.pt", "jet2.eta"]
    assert set(table.index) == set(rows)
    np.testing.assert_allclose(table.loc[rows, "mean"], (W * x).mean(axis=0), atol=1e-5)
    with pytest.raises(ConfigurationError, match="variables has 1 names for the 2 columns of input 'jet2'"):
        class_attribution(model, [x[:, :2], x[:, 2:]], baseline, variables={**names, "jet2": ["pt"]})


def test_lost_events_are_left_out(events):
    """f = 1 / x0 + x1 is no number at x0 = 0: the class is that of all other events."""
    x = keras.Input((4,), name="x")
    f = 1 / x[:, :1] + x[:, 1:2]
    model = keras.Model(x, layers.Dense(1, "sigmoid")(f))
    model.layers[-1].set_weights([np.ones((1, 1)), np.zeros(1)])
    some, baseline = np.abs(events[:20]) + 1, {"x": np.full((3, 4), 2.0)}
    some[[3, 7], 0] = 0.0
    with pytest.warns(UserWarning, match="2 of 20 events are lost"):
        found = integrated_gradients(model, [some], baseline)
    assert found.lost == 2
    np.testing.assert_array_equal(np.flatnonzero(found.is_lost), [3, 7])
    kept = np.delete(some, [3, 7], axis=0)
    for precision in (None, 1.0):
        table = class_attribution(model, [some], baseline, precision=precision)
        expected = class_attribution(model, [kept], baseline, precision=precision)
        assert table.settings["lost"] == 2
        np.testing.assert_allclose(table.table["mean"].sort_index(), expected.table["mean"].sort_index(), atol=2e-3)
        assert np.isnan(table.by_event).all(axis=1).sum() == 2
    with pytest.raises(ModelError, match="all events of the class are lost"):
        class_attribution(model, [some[[3, 7]]], baseline)
