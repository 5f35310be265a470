"""Piecewise linear networks, exact from kink to kink, against 20,000 midpoints in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from xaug.explain import integrated_gradients


def relu_network(widths, features, seed, outputs=2):
    """x -> ReLU layers -> softmax, with random weights and biases."""
    rng = np.random.default_rng(seed)
    x = h = keras.Input((features,), name="x")
    for width in widths:
        h = layers.Dense(width, "relu")(h)
    model = keras.Model(x, layers.Dense(outputs, "softmax" if outputs > 1 else "sigmoid")(h))
    model.set_weights([1.4 * rng.normal(size=w.shape) / np.sqrt(w.shape[0]) for w in model.get_weights()])
    return model


def by_midpoints(model, x, start, steps=20_000):
    """Attributions of one pair to the log-odds: the gradient of each midpoint from the weights, by hand."""
    *hidden, (w, _) = [[v.astype(float) for v in layer.get_weights()] for layer in model.layers if layer.get_weights()]
    h = start + ((np.arange(steps) + 0.5) / steps)[:, None] * (x - start)
    active = []
    for kernel, bias in hidden:
        h = h @ kernel + bias
        active.append(h > 0)
        h = np.maximum(h, 0)
    gradient = np.broadcast_to(w[:, -1] - (w[:, 0] if w.shape[1] == 2 else 0), h.shape)
    for (kernel, _), on in zip(reversed(hidden), reversed(active), strict=True):
        gradient = (gradient * on) @ kernel.T
    return (x - start) * gradient.mean(axis=0)


@pytest.mark.parametrize(
    ("widths", "features", "outputs", "fast"),
    [((6, 5), 4, 2, True), ((12,), 3, 1, False), ((20, 10), 8, 2, True), ((32, 32, 32), 10, 1, True)],
)
def test_relu_networks_are_exact(widths, features, outputs, fast):
    model, rng = relu_network(widths, features, len(widths), outputs), np.random.default_rng(3)
    x, b = rng.normal(size=(12, features)).astype(np.float32), rng.normal(size=(2, features)).astype(np.float32)
    found = integrated_gradients(model, [x], {"x": b}, fast=fast)
    assert found.settings["tolerance_reached"] is True
    for event, relevance in list(zip(x, found.relevance["x"], strict=True))[:4]:
        expected = np.mean([by_midpoints(model, event, start) for start in b], axis=0)
        np.testing.assert_allclose(relevance, expected, atol=1e-3)
    np.testing.assert_allclose(found.residual, 0, atol=1e-3)


def test_a_blank_baseline_sits_on_kinks():
    """Without biases, all hidden units are zero at the blank event: f is one straight piece from there."""
    model = relu_network((16, 8), 5, 1)
    model.set_weights([w if w.ndim > 1 else 0 * w for w in model.get_weights()])
    x = np.random.default_rng(3).normal(size=(10, 5)).astype(np.float32)
    found = integrated_gradients(model, [x], {"x": np.zeros(5)}, tolerance=1e-5)
    for event, relevance in zip(x, found.relevance["x"], strict=True):
        np.testing.assert_allclose(relevance, by_midpoints(model, event, np.zeros(5), 10), atol=1e-4)


def test_kinks_that_the_sum_does_not_see():
    """f = max(x0 - 0.3, 0) - max(x1 - 0.3, 0) is zero on the path from 0 to (1, 1): +-0.7 each."""
    x = keras.Input((2,), name="x")
    h = layers.Dense(2, "relu", name="kinks")(x)
    model = keras.Model(x, layers.Dense(1, "sigmoid", name="out")(h))
    model.get_layer("kinks").set_weights([np.eye(2), np.full(2, -0.3)])
    model.get_layer("out").set_weights([np.array([[1.0], [-1.0]]), np.zeros(1)])
    found = integrated_gradients(model, [np.ones((3, 2))], {"x": np.zeros(2)}, tolerance=1e-4)
    np.testing.assert_allclose(found.relevance["x"], [[0.7, -0.7]] * 3, atol=2e-4)


def test_pieces_of_other_layers():
    """Maxima and leaky ReLUs have kinks as well, and images have no linear stem."""
    rng = np.random.default_rng(1)
    i = keras.Input((6, 2), name="list")
    h = layers.MaxPooling1D(2)(layers.LeakyReLU()(layers.Conv1D(4, 2, padding="same")(i)))
    model = keras.Model(i, layers.Dense(2, "softmax")(layers.Flatten()(h)))
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    x, b = rng.normal(size=(4, 6, 2)), rng.normal(size=(6, 2))
    found = integrated_gradients(model, [x], {"list": b}, tolerance=1e-4)
    assert found.settings["tolerance_reached"] is True
    np.testing.assert_allclose(found.residual, 0, atol=3e-4)
    alpha = ((np.arange(20_000) + 0.5) / 20_000)[:, None, None]
    for event, relevance in list(zip(x, found.relevance["list"], strict=True))[:2]:
        points = tf.constant(b + alpha * (event - b), tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(points)
            p = model(points, training=False)
            f = tf.math.log(p[:, 1]) - tf.math.log(p[:, 0])
        expected = (event - b) * tape.gradient(f, points).numpy().mean(axis=0)
        np.testing.assert_allclose(relevance, expected, atol=2e-3)
