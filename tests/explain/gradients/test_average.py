"""Averages of Integrated Gradients over baselines: in blocks, of drawn ones, to a tolerance; and what is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import xaug
from xaug.core.errors import ConfigurationError, ModelError
from xaug.explain import Sample, integrated_gradients
from xaug.explain.gradients.blocks import node_numbers


def test_average_is_the_weighted_mean_of_single_baselines(event_dnn, random_inputs):
    model = event_dnn()
    x, b = random_inputs(model, 6, 1), random_inputs(model, 3, 2)
    weights = np.array([1.0, 0.0, 3.0])
    averaged = integrated_gradients(model, x, Sample(b, weights), tolerance=1e-6)
    single = [integrated_gradients(model, x, {"event": b["event"][i]}, tolerance=1e-6) for i in range(3)]
    expected = 0.25 * single[0].relevance["event"] + 0.75 * single[2].relevance["event"]
    np.testing.assert_allclose(averaged.relevance["event"], expected, atol=1e-6)
    np.testing.assert_allclose(averaged.reference, 0.25 * single[0].reference + 0.75 * single[2].reference, atol=1e-6)
    assert averaged.settings["effective_baselines"] == pytest.approx(16 / 10)


def test_more_baselines_than_fit_into_a_batch(event_dnn, random_inputs, kept_integrator):
    """Blocks of one event with a share of its baselines, and several tables of events, give the same."""
    model = event_dnn()
    path = kept_integrator(model)
    x, b = random_inputs(model, 40, 1), random_inputs(model, 33, 2)
    whole = integrated_gradients(model, x, b, tolerance=1e-5)
    batch, path.batch = path.batch, 16
    try:
        parts = integrated_gradients(model, x, b, tolerance=1e-5)
    finally:
        path.batch = batch
    np.testing.assert_allclose(whole.relevance["event"], parts.relevance["event"], atol=1e-5)
    np.testing.assert_allclose(whole.reference, parts.reference, atol=1e-6)


def test_same_call_same_numbers(event_dnn, random_inputs):
    model = event_dnn()
    x, b = random_inputs(model, 300, 1), random_inputs(model, 20, 2)
    one, other = (integrated_gradients(model, x, b, baselines_per_event=5) for _ in range(2))
    np.testing.assert_array_equal(one.relevance["event"], other.relevance["event"])
    np.testing.assert_array_equal(one.standard_error["event"], other.standard_error["event"])
    assert one.settings == other.settings


def test_drawn_baselines_come_with_their_standard_error(event_dnn, random_inputs):
    """Pulls of the drawn averages against the full one have unit width."""
    model = event_dnn()
    x, b = random_inputs(model, 400, 1), random_inputs(model, 60, 2)
    weights = np.random.default_rng(0).random(60)
    full = integrated_gradients(model, x, Sample(b, weights), tolerance=1e-4).relevance["event"]
    drawn = integrated_gradients(model, x, Sample(b, weights), tolerance=1e-4, baselines_per_event=30, seed=5)
    pulls = (drawn.relevance["event"] - full) / drawn.standard_error["event"]
    assert np.median(np.abs(pulls)) == pytest.approx(0.6745, abs=0.05)  # of a normal distribution
    assert abs(pulls.mean()) < 0.1


def test_memory_does_not_grow_with_the_number_of_pairs(event_dnn, random_inputs):
    """Ten times the pairs: what the pass keeps at its peak, beyond inputs and result, stays (NumPy and Python)."""
    import tracemalloc

    model = event_dnn()
    x = random_inputs(model, 256, 1)
    peaks = []
    for m in (400, 3200):
        b = random_inputs(model, m, 2)
        integrated_gradients(model, {"event": x["event"][:2]}, b, precision=None)
        tracemalloc.start()
        integrated_gradients(model, x, b, precision=None)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    every_pair = 4 * 9 * 256 * 3200  # bytes of the attributions of all pairs, were they kept
    assert peaks[1] < 0.5 * every_pair
    assert peaks[1] - peaks[0] < 0.1 * every_pair


def test_saved_and_loaded(event_dnn, random_inputs, tmp_path):
    model = event_dnn()
    found = integrated_gradients(
        model, random_inputs(model, 5, 1), random_inputs(model, 9, 2), baselines_per_event=4,
        variables={"event": list("abcdefghi")},
    )  # fmt: skip
    found.save(tmp_path / "a.h5")
    again = xaug.explain.Attribution.load(tmp_path / "a.h5")
    np.testing.assert_array_equal(again.standard_error["event"], found.standard_error["event"])
    np.testing.assert_array_equal(again.residual, found.residual)
    np.testing.assert_array_equal(again.within_tolerance, found.within_tolerance)
    assert again.settings == found.settings


def test_nodes_are_tried_in_growing_steps():
    assert node_numbers(8) == [1, 2, 3, 4, 5, 6, 8]
    assert node_numbers(7) == [1, 2, 3, 4, 5, 6, 7]
    assert node_numbers(1) == [1]
    steps = np.array(node_numbers(1000))
    assert steps[-1] == 1000
    assert np.all(np.diff(steps) > 0)
    assert np.all(steps[6:] / steps[5:-1] < 1.5)


def test_tolerance_that_is_not_reached_is_said_for_each_event(widely_randomised, random_inputs):
    x = keras.Input((2,), name="x")
    y = layers.Dense(20, activation="relu")(x)
    model = widely_randomised(keras.Model(x, layers.Dense(1, activation="sigmoid")(y)), 5)
    events, baseline = random_inputs(model, 30, 1), random_inputs(model, 1, 2)
    events["x"][0] = baseline["x"][0]  # nothing to integrate: always right
    with pytest.warns(UserWarning, match="within the tolerance 1e-06 with at most 4 nodes"):
        found = integrated_gradients(model, events, baseline, tolerance=1e-6, max_nodes=4)
    assert found.settings["tolerance_reached"] is False
    assert found.within_tolerance[0] == 1
    assert found.within_tolerance.mean() == pytest.approx(found.settings["pairs_within_tolerance"], abs=1e-6)
    allowed = 1e-6 * np.maximum(np.abs(found.logit - found.reference), 1)
    assert np.all(found.within_tolerance[np.abs(found.residual) > 1.01 * allowed] == 0)


# Bad input ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("baseline", "message"),
    [
        ({"event": np.zeros((2, 8))}, r"baseline: input 'event' has shape \(2, 8\)"),
        ({"evnt": np.zeros(9)}, "did you mean 'event'"),
        ({}, "no events"),
        ({"event": np.zeros((0, 9))}, "no events"),
        ({"event": np.full(9, np.nan)}, "baseline: input 'event' is not finite"),
        ({"event": np.arange(9) * 100.0}, r"variable 'b' of input 'event' is 100.*scale the baseline"),
        ("blank", "give Blank"),
    ],
)
def test_bad_baselines(event_dnn, random_inputs, baseline, message):
    model = event_dnn()
    with pytest.raises(ConfigurationError, match=message):
        integrated_gradients(model, random_inputs(model, 3, 1), baseline, variables={"event": list("abcdefghi")})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "signl"}, "did you mean 'signal'"),
        ({"target": 1}, "has one output, 0"),
        ({"output": "logits"}, "did you mean 'logit'"),
        ({"tolerance": 0}, "tolerance 0"),
        ({"max_nodes": 0}, "max_nodes 0"),
        ({"baselines_per_event": 1}, "at least 2"),
    ],
)
def test_bad_options(event_dnn, random_inputs, options, message):
    model = event_dnn()
    with pytest.raises(ConfigurationError, match=message):
        integrated_gradients(model, random_inputs(model, 3, 1), {"event": np.zeros(9)}, **options)


@pytest.mark.parametrize(("weights", "message"), [([1, -1], "-1"), ([0, 0], "positive"), ([1, 2, 3], "2 events")])
def test_bad_weights(weights, message):
    with pytest.raises(ConfigurationError, match=message):
        Sample({"event": np.zeros((2, 9))}, weights)


def test_integer_input_is_named():
    x = keras.Input((3,), dtype="int32", name="charge")
    y = layers.Flatten()(layers.Embedding(5, 2)(layers.Reshape((3,))(x)))
    model = keras.Model(x, layers.Dense(1, activation="sigmoid")(y))
    with pytest.raises(ModelError, match="'charge' is of type int32"):
        integrated_gradients(model, [np.zeros((2, 3))], {"charge": np.zeros(3)})


def test_layer_without_gradient_is_named():
    x = keras.Input((3,), name="x")
    y = layers.Lambda(lambda v: tf.cast(v > 0, tf.float32), name="step")(layers.Dense(4)(x))
    model = keras.Model(x, layers.Dense(1, activation="sigmoid")(layers.Concatenate()([y, x])))
    with pytest.raises(ModelError, match=r"'step' \(Lambda\) has no gradient"):
        integrated_gradients(model, [np.zeros((2, 3))], {"x": np.zeros(3)})


def test_no_events(event_dnn):
    model = event_dnn()
    found = integrated_gradients(model, {"event": np.zeros((0, 9))}, {"event": np.zeros(9)})
    assert found.relevance["event"].shape == (0, 9)
    assert len(found) == 0
