"""Places that are drawn to a precision, against the full product of events and baselines."""

import re

import keras
import numpy as np
import pytest
from keras import layers

from xaug.core.errors import ConfigurationError
from xaug.explain import Sample, integrated_gradients
from xaug.explain.gradients import drawn, pairs
from xaug.explain.gradients.api import attribute_drawn
from xaug.explain.gradients.drawn_class import DrawnClass
from xaug.explain.gradients.integration import IntegrationJob
from xaug.explain.gradients.method import IntegratedGradients


@pytest.fixture
def always(monkeypatch):
    """Drawn places also where the full product is little work."""
    monkeypatch.setattr(drawn, "WORK", 0)


@pytest.fixture(scope="module")
def model():
    """An image, a list and a vector."""
    keras.utils.set_random_seed(3)
    image, steps, vector = (keras.Input(s, name=n) for s, n in (((4, 4, 1), "image"), ((5, 2), "list"), ((3,), "xaug")))
    a = layers.Conv2D(4, 2, activation="relu", bias_initializer="random_normal")(image)
    b = layers.Conv1D(4, 2, activation="tanh")(steps)
    x = layers.Concatenate()([layers.Flatten()(a), layers.Flatten()(b), vector])
    x = layers.Dense(12, activation="relu")(x)
    return keras.Model([image, steps, vector], layers.Dense(2, "softmax")(layers.Dense(8, "swish")(x)))


def sample(model, n, seed):
    rng = np.random.default_rng(seed)
    return {t.name.split(":")[0]: rng.normal(size=(n, *t.shape[1:])).astype(np.float32) for t in model.inputs}


@pytest.fixture(scope="module")
def arrays(model):
    x, b = (sample(model, n, seed) for n, seed in ((24, 1), (40, 2)))
    return x, Sample(b, np.random.default_rng(3).random(40))


@pytest.fixture(scope="module")
def full(model, arrays):
    return integrated_gradients(model, *arrays, tolerance=0.01, precision=None)


def features(relevance):
    """(n, features): columns of the vector, and the sums of image and list."""
    return np.column_stack([relevance["image"].sum((1, 2, 3)), relevance["list"].sum((1, 2)), relevance["xaug"]])


def largest(relevance):
    whole = [np.abs(relevance[name]).reshape(len(relevance[name]), -1).sum(1).mean() for name in ("image", "list")]
    return max(*whole, np.abs(relevance["xaug"]).mean(0).max())


def test_a_hundred_drawings_keep_the_precision_that_they_state(always, model, arrays, full):
    """Of 100 seeds, 95 have each feature within the precision, and pulls of all elements have unit width."""
    unit, kept, pulls, biases = largest(full.relevance), 0, [], []
    for seed in range(100):
        found = integrated_gradients(model, *arrays, precision=0.1, seed=seed)
        assert found.settings["precision_reached"] <= 0.1
        wrong = features(found.relevance) - features(full.relevance)
        kept += np.sqrt((wrong**2).mean(0)).max() <= 0.1 * unit
        means = [np.abs(features(one.relevance)).mean(0) for one in (found, full)]
        biases.append(np.abs(means[0] - means[1]).max() / unit)
        for name, errors in found.standard_error.items():
            pulls.append(((found.relevance[name] - full.relevance[name]) / errors).ravel())
    assert kept >= 95
    assert np.mean(np.array(biases) <= 0.1) >= 0.95
    width = np.median(np.abs(np.concatenate(pulls))) / 0.6745
    assert 0.9 < width < 1.15


def test_the_time_of_the_full_product_is_announced(model, arrays, full, monkeypatch, capsys):
    monkeypatch.setattr(pairs, "LONG", 0.0)
    monkeypatch.setattr(pairs, "TIMED", 1)
    found = integrated_gradients(model, *arrays, tolerance=0.01, precision=None)
    told = r"Integrated Gradients: 24 events x 40 baselines, (\d+ nodes each|from kink to kink), about \d+ s"
    assert re.fullmatch(told, capsys.readouterr().err.strip())
    np.testing.assert_allclose(found.relevance["xaug"], full.relevance["xaug"], atol=1e-6)


def test_every_event_is_complete(always, model, arrays, full):
    found = integrated_gradients(model, *arrays, precision=0.1)
    np.testing.assert_allclose(found.residual, 0, atol=1e-5)
    np.testing.assert_allclose(found.reference, full.reference, atol=1e-5)
    np.testing.assert_allclose(found.logit, full.logit, atol=1e-5)


def test_the_same_seed_gives_the_same_numbers_whatever_the_batches(always, model, arrays, monkeypatch):
    one = integrated_gradients(model, *arrays, precision=0.1, seed=4)
    monkeypatch.setattr(drawn, "MEMORY", 1)  # one event at a time
    other = integrated_gradients(model, *arrays, precision=0.1, seed=4)
    reached = [found.settings.pop("precision_reached") for found in (one, other)]
    assert reached[0] == pytest.approx(reached[1], rel=1e-5)  # sums of float32 are rounded in other orders
    assert one.settings == other.settings
    for name in one.relevance:
        np.testing.assert_allclose(one.relevance[name], other.relevance[name], atol=1e-6)
    assert np.any(
        integrated_gradients(model, *arrays, precision=0.1, seed=5).relevance["xaug"] != one.relevance["xaug"]
    )


def test_a_network_that_is_linear_has_no_error_from_drawing_but_that_of_the_baselines(always):
    """w (x - mean of the baselines), exactly where only the sum is asked."""
    keras.utils.set_random_seed(1)
    steps = keras.Input((6, 1), name="list")
    linear = keras.Model(steps, layers.Dense(1, "sigmoid")(layers.Flatten()(layers.Conv1D(2, 3)(steps))))
    rng = np.random.default_rng(0)
    x, b = ({"list": rng.normal(size=(n, 6, 1)).astype(np.float32)} for n in (30, 20))
    weights = [(linear(np.eye(6, dtype=np.float32)[[i]][..., None]), linear(np.zeros((1, 6, 1)))) for i in range(6)]
    w = np.array([np.log(p / (1 - p)) - np.log(z / (1 - z)) for p, z in weights]).ravel()
    expected = w * (x["list"] - b["list"].mean(0))[..., 0]
    found = integrated_gradients(linear, x, b, precision=0.2)
    pulls = (found.relevance["list"][..., 0] - expected) / found.standard_error["list"][..., 0]
    assert 0.7 < np.sqrt(np.mean(pulls**2)) < 1.4
    np.testing.assert_allclose(found.residual, 0, atol=1e-5)


def test_frozen_inputs_get_nothing(always, model, arrays, full):
    exact = integrated_gradients(model, *arrays, precision=None, frozen=["list"], tolerance=0.01)
    found = integrated_gradients(model, *arrays, precision=0.1, frozen=["list"])
    assert "precision_reached" in found.settings
    assert not found.relevance["list"].any()
    np.testing.assert_allclose(found.reference, exact.reference, atol=1e-4)
    wrong = features(found.relevance) - features(exact.relevance)
    assert np.sqrt((wrong**2).mean(0)).max() <= 0.12 * largest(exact.relevance)


def test_targets_of_each_event_and_probabilities(always, model, arrays):
    target = ["signal", "background"] * 12
    exact = integrated_gradients(model, *arrays, target, "probability", precision=0, tolerance=0.01)
    found = integrated_gradients(model, *arrays, target, "probability", precision=0.1)
    np.testing.assert_allclose(found.reference, exact.reference, atol=1e-5)
    wrong = features(found.relevance) - features(exact.relevance)
    assert np.sqrt((wrong**2).mean(0)).max() <= 0.12 * largest(exact.relevance)


def test_a_jump_on_the_way_is_not_hidden(always):
    """A step function has no gradient: the full product says so."""
    steps = keras.Input((4, 1), name="list")
    seen = layers.Conv1D(1, 1, kernel_initializer="ones")(steps)
    jump = layers.Lambda(lambda t: t + 4 * keras.backend.cast(t > 0.3, "float32"))(seen)
    model = keras.Model(steps, layers.Dense(1, "sigmoid", kernel_initializer="ones")(layers.Flatten()(jump)))
    rng = np.random.default_rng(0)
    x, b = ({"list": rng.normal(size=(n, 4, 1)).astype(np.float32)} for n in (10, 20))
    with pytest.warns(UserWarning, match="f jumps on the way"):
        found = integrated_gradients(model, x, b, tolerance=0.01, max_nodes=16)
    assert found.standard_error is None


def test_few_baselines_and_little_work_are_integrated_in_full(model, mlp, arrays, random_inputs):
    x, b = arrays
    assert integrated_gradients(model, x, b, tolerance=0.1).standard_error is None
    dense = mlp()
    for baselines, pays in ((8, False), (9, False), (200, True)):
        ends = random_inputs(dense, 2000, 1), random_inputs(dense, baselines, 2)
        job = IntegrationJob(dense, *ends, "signal", "logit", 0.1, 8)
        assert drawn.pays(job) == pays, baselines


def test_the_one_of_less_work_is_chosen_by_the_nodes_that_pairs_need(always, model, arrays):
    """600 places for 10 baselines: drawn where a pair needs more than 60 nodes, in full where few are enough."""
    x, b = arrays[0], {name: values[:10] for name, values in arrays[1].arrays.items()}
    found = integrated_gradients(model, x, b, precision=0.1, tolerance=0.3)
    assert found.standard_error is None
    assert max(map(int, found.settings["nodes"])) < 20
    found = integrated_gradients(model, x, b, precision=0.2, tolerance=1e-4)
    assert found.settings["places_per_event"] < 10 * 64


@pytest.mark.parametrize("precision", [-0.1, np.inf, np.nan])
def test_bad_precisions(model, arrays, precision):
    with pytest.raises(ConfigurationError, match=f"precision {precision}"):
        integrated_gradients(model, *arrays, precision=precision)


def test_the_table_of_a_class(always, model, arrays, full, tmp_path):
    """Means of drawn places, and their errors, beside those of the full product."""
    from types import SimpleNamespace

    from xaug.explain import class_attribution
    from xaug.explain.explanation import read_class_tables

    x, b = arrays
    exact = class_attribution(model, x, b, tolerance=0.05, replicas=400).table
    method = IntegratedGradients()
    options = method.options(baseline="background", precision=0.1, tolerance=0.1)
    run = SimpleNamespace(variables={}, classes=("background", "signal"))
    job = SimpleNamespace(options=options, baseline=b, run=run, seed=1, directory=tmp_path)
    events = SimpleNamespace(model=model, x=x, training=0, label=np.ones(24, int), weight=None)
    found = method.explain(job, events, lambda n: None)
    (table,) = read_class_tables(tmp_path, 1)
    table = table.loc[exact.index]
    unit = largest(full.relevance)
    assert "precision_reached" in found.settings
    np.testing.assert_allclose(table["mean"], exact["mean"], atol=0.05 * unit)
    np.testing.assert_allclose(table["mean_absolute"], exact["mean_absolute"], atol=0.1 * unit)
    for name in ("mean", "mean_absolute"):
        np.testing.assert_allclose(table[f"{name}_error_events"], exact[f"{name}_error_events"], rtol=0.3)
        np.testing.assert_allclose(table[f"{name}_error_baselines"], exact[f"{name}_error_baselines"], rtol=0.5)


def test_blocks_without_an_event_of_the_class(always, model, arrays, monkeypatch):
    """The sums of a class are the same however its events are spread over blocks."""
    x, b = arrays
    chosen = np.arange(24) % 5 == 1
    tables = []
    for memory in (drawn.MEMORY, 1):
        monkeypatch.setattr(drawn, "MEMORY", memory)  # 1: a block for each event
        job = IntegrationJob(model, x, b, "signal", "logit", 0.1, 8)
        of_class = DrawnClass(job, chosen)
        found = attribute_drawn(job, 0.2, 1, on_block=of_class.add)
        tables.append(of_class.table(found, 50, np.random.default_rng(1)))
    for column in tables[0]:
        np.testing.assert_allclose(tables[0][column], tables[1].loc[tables[0].index, column], rtol=1e-4, atol=1e-6)
