"""SmoothGrad and expected gradients against closed formulas, and against Integrated Gradients."""

import keras
import numpy as np
import pytest
from keras import layers

import xaug
from xaug.core.errors import ConfigurationError
from xaug.explain import Sample


def test_the_smoothed_gradient_of_a_cube():
    """d/dx of the mean of (x + s e)^3 is 3 x^2 + 3 s^2."""
    inputs = keras.Input((2,), name="x")
    cube = keras.Model(inputs, layers.Lambda(lambda t: keras.backend.sum(t * t * t, axis=1, keepdims=True))(inputs))
    x = np.array([[0.5, -1.0], [2.0, 0.0]])
    found = xaug.explain.smooth_gradient(cube, x, output="value", noise=0.5, samples=20_000)
    expected = x * (3 * x**2 + 3 * 0.5**2)
    assert (np.abs(found.relevance["x"] - expected) <= 5 * found.standard_error["x"] + 1e-6).all()
    assert found.standard_error["x"].max() < 0.1


def test_expected_gradients_are_integrated_gradients_within_their_errors(mlp, random_inputs):
    model = mlp(bias=0.5)
    x, b = random_inputs(model, 6, 1), random_inputs(model, 4, 2)
    sample = Sample(b, np.array([0.4, 0.3, 0.2, 0.1]))
    exact = xaug.explain.integrated_gradients(model, x, sample)
    found = xaug.explain.expected_gradients(model, x, sample, samples=3000)
    pull = (found.relevance["xaug"] - exact.relevance["xaug"]) / found.standard_error["xaug"]
    assert 0.6 < np.sqrt(np.mean(pull**2)) < 1.5  # 42 pulls
    assert np.abs(found.residual).max() < 0.3
    linear = keras.Input((7,), name="xaug")
    flat = keras.Model(linear, layers.Dense(2, "softmax")(linear))
    one = {"xaug": b["xaug"][:1]}
    np.testing.assert_allclose(
        xaug.explain.expected_gradients(flat, x, one, samples=2).relevance["xaug"],
        xaug.explain.integrated_gradients(flat, x, one).relevance["xaug"],
        atol=1e-5,
    )


def test_frozen_columns_get_nothing(mlp, random_inputs):
    model = mlp()
    x = random_inputs(model, 3, 1)
    found = xaug.explain.expected_gradients(model, x, random_inputs(model, 2, 2), samples=10, frozen=["xaug[2]"])
    assert not found.relevance["xaug"][:, 2].any()
    assert found.relevance["xaug"][:, 3].all()


@pytest.mark.parametrize(
    "options, message", [({"noise": 0}, "noise 0: must be positive"), ({"samples": 1}, "samples 1")]
)
def test_bad_options(mlp, random_inputs, options, message):
    model = mlp()
    with pytest.raises(ConfigurationError, match=message):
        xaug.explain.smooth_gradient(model, random_inputs(model, 2, 1), **options)
