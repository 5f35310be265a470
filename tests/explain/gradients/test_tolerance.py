"""The stopping rule: every feature is right, not only the sum, and errors are relative to what is explained."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from xaug.explain import integrated_gradients


def trapezoid(model, x, start, steps=4000, of=lambda p: np.log(p[:, -1] / (1 - p[:, -1]))):
    """Attributions of one pair by 4000 steps in float64, with finite differences of nothing but the model's copy."""
    copy = keras.models.clone_model(model, clone_function=lambda layer: type(layer).from_config(
        {**layer.get_config(), "dtype": "float64"}
    ))  # fmt: skip
    copy.set_weights([w.astype(np.float64) for w in model.get_weights()])
    linear = keras.Model(copy.inputs, copy.layers[-1].input)
    w, b = (v.astype(np.float64) for v in copy.layers[-1].get_weights())
    alpha = np.linspace(0, 1, steps + 1)[:, None]
    points = tf.constant(start + alpha * (x - start), tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(points)
        z = linear(points) @ w + b
        value = z[:, -1] - (z[:, 0] if z.shape[1] == 2 else 0)
    gradient = tape.gradient(value, points).numpy()
    return (x - start) * ((gradient[1:] + gradient[:-1]) / 2).mean(axis=0)


def antisymmetric(width):
    """f = s(x0) - s(x1), s a smooth step of the given width at 0.5 and of height 3: at x = (1, 1), f = 0, +-3 each."""
    x = keras.Input((2,), name="x")
    h = layers.Dense(2, "sigmoid", name="steps")(x)
    model = keras.Model(x, layers.Dense(1, "sigmoid", name="out")(h))
    model.get_layer("steps").set_weights([np.eye(2) / width, np.full(2, -0.5 / width)])
    model.get_layer("out").set_weights([np.array([[3.0], [-3.0]]), np.zeros(1)])
    return model


@pytest.mark.parametrize("width", [0.3, 0.1, 0.05, 0.02])
@pytest.mark.parametrize("fast", [True, False])
def test_errors_that_cancel_in_the_sum_are_seen(width, fast):
    """The midpoint rule gives +-0.75 / width, and a sum of zero."""
    found = integrated_gradients(antisymmetric(width), [np.ones((4, 2))], {"x": np.zeros(2)}, fast=fast)
    height = 3 * np.tanh(0.25 / width)
    np.testing.assert_allclose(found.relevance["x"], np.tile([height, -height], (4, 1)), atol=2e-3)
    assert found.settings["tolerance_reached"] is True


def test_errors_that_cancel_in_the_sum_are_seen_in_a_sample_of_many_pairs():
    rng = np.random.default_rng(0)
    x = np.repeat(rng.uniform(0.8, 1, (300, 1)), 2, axis=1)
    found = integrated_gradients(antisymmetric(0.05), [x], {"x": np.repeat(rng.uniform(0, 0.2, (5, 1)), 2, axis=1)})
    assert np.abs(np.abs(found.relevance["x"]) - 3).max() < 0.02
    assert found.settings["sample_within_tolerance"] >= 0.95


def test_too_few_nodes_for_the_features_are_told():
    with pytest.warns(UserWarning, match="only 0.0% of the"):
        found = integrated_gradients(antisymmetric(0.02), [np.ones((4, 2))], {"x": np.zeros(2)}, max_nodes=4)
    assert found.settings["tolerance_reached"] is False
    np.testing.assert_array_equal(found.within_tolerance, 0)
    np.testing.assert_allclose(found.residual, 0, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e5])
def test_a_value_has_no_unit(scale):
    """The same network in other units gives the same attributions in those units, by as many nodes."""
    keras.utils.set_random_seed(2)
    x = keras.Input((3,), name="x")
    model = keras.Model(x, layers.Dense(1, name="out")(layers.Dense(8, "tanh")(x)))
    out = model.get_layer("out")
    events, baseline = np.random.default_rng(1).normal(size=(20, 3)), {"x": np.zeros(3)}
    expected = integrated_gradients(model, [events], baseline, output="value", tolerance=1e-4)
    out.set_weights([w * scale for w in out.get_weights()])
    found = integrated_gradients(model, [events], baseline, output="value", tolerance=1e-4)
    np.testing.assert_allclose(found.relevance["x"], scale * expected.relevance["x"], atol=1e-5 * scale)
    assert found.settings["nodes"] == expected.settings["nodes"]


@pytest.mark.parametrize("seed", range(6))
def test_generated_networks_against_many_steps(seed):
    rng = np.random.default_rng(seed)
    activation = ["tanh", "swish", "sigmoid", "elu", "gelu", "softplus"][seed]
    x = h = keras.Input((5,), name="x")
    for width in rng.integers(3, 12, rng.integers(1, 4)):
        h = layers.Dense(int(width), activation)(h)
    out = layers.Dense(2, "softmax") if seed % 2 else layers.Dense(1, "sigmoid")
    model = keras.Model(x, out(h))
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    events, baseline = rng.normal(size=(8, 5)), rng.normal(size=(1, 5))
    found = integrated_gradients(model, [events], {"x": baseline}, max_nodes=1024)
    for event, relevance, f, reference in zip(events, found.relevance["x"], found.logit, found.reference, strict=True):
        allowed = 1e-3 * max(1, abs(f - reference))
        error = np.abs(relevance - trapezoid(model, event, baseline[0])).max()
        assert error < 2 * allowed
