"""Gradient times input against central differences, and against LRP-z where the two are the same."""

import keras
import numpy as np
import pytest
from keras import layers

import xaug
from xaug.core.errors import ModelError


def log_odds(model, target, x):
    p = np.clip(model(x).numpy().astype(np.float64), 1e-12, 1)[:, target]
    return np.log(p / (1 - p))


@pytest.mark.parametrize("outputs, target", [(2, 1), (2, 0), (4, 2)])
def test_the_gradient_is_that_of_the_log_odds(mlp, random_inputs, outputs, target):
    model = mlp(outputs=outputs)
    x = random_inputs(model, 5, 1)["xaug"]
    found = xaug.explain.gradient_times_input(model, x, target)
    step = 1e-2
    slopes = [
        (log_odds(model, target, x + step * e) - log_odds(model, target, x - step * e)) / (2 * step)
        for e in np.eye(x.shape[1], dtype=np.float32)
    ]
    close = np.isclose(found.relevance["xaug"], x * np.array(slopes).T, atol=2e-2, rtol=2e-2)
    assert close.mean() > 0.9  # a kink of a ReLU within the step is none of the gradient's
    np.testing.assert_allclose(found.logit, log_odds(model, target, x), atol=1e-4)


def test_without_biases_it_is_lrp_z(cnn, cnn_inputs):
    """A. Shrikumar et al., arXiv:1605.01713: both are the same for ReLU and maxima."""
    model = cnn(bias=0.0)
    found = xaug.explain.gradient_times_input(model, cnn_inputs, "signal-background")
    lrp = xaug.explain.lrp(model, cnn_inputs, "z", "signal-background", "native", dtype="float64")
    for name, relevance in found.relevance.items():
        np.testing.assert_allclose(relevance, lrp.relevance[name], atol=1e-4 * np.abs(relevance).max())
    np.testing.assert_allclose(found.residual, 0, atol=1e-3)


def test_predicted_and_events_of_their_own_target(mlp, random_inputs):
    model = mlp(outputs=3, activation="softmax")
    x = random_inputs(model, 6, 2)
    predicted = model(x["xaug"]).numpy().argmax(axis=1)
    names = ("a", "b", "c")
    one = xaug.explain.gradient_times_input(model, x, "predicted", classes=names)
    each = xaug.explain.gradient_times_input(model, x, predicted, classes=names)
    np.testing.assert_array_equal(one.relevance["xaug"], each.relevance["xaug"])


def test_whole_numbers_have_no_gradient():
    tokens = keras.Input((3,), dtype="int32", name="tokens")
    model = keras.Model(tokens, layers.Dense(2, "softmax")(layers.Flatten()(layers.Embedding(5, 2)(tokens))))
    with pytest.raises(ModelError, match="input 'tokens' is of type int32: f has no gradient there"):
        xaug.explain.gradient_times_input(model, np.ones((2, 3), int))
