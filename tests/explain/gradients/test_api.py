"""Integrated Gradients against closed forms, against a plain GradientTape on the user's model, and its axioms."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from xaug.explain import integrated_gradients


def set_head(model, name, kernel, bias):
    model.get_layer(name).set_weights([np.array(kernel, float), np.array(bias, float)])


def by_tape(model, x, baselines, sign=1, nodes=24, output="logit"):
    """Average over baselines by a GradientTape on the model itself: log-odds of its probability, float64 averages."""
    alphas, weights = np.polynomial.legendre.leggauss(nodes)
    names = [t.name for t in model.inputs]
    n, m = len(x[names[0]]), len(baselines[names[0]])
    ends = [np.repeat(x[name], m, axis=0) for name in names]
    starts = [np.concatenate([baselines[name]] * n) for name in names]
    found = [np.zeros(end.shape) for end in ends]
    for alpha, weight in zip((alphas + 1) / 2, weights / 2, strict=True):
        points = [tf.constant(b + alpha * (a - b), tf.float32) for a, b in zip(ends, starts, strict=True)]
        with tf.GradientTape() as tape:
            tape.watch(points)
            p = model(points, training=False)[:, -1]
            value = p if output == "probability" else tf.math.log(p) - tf.math.log(1 - p)
        for sums, a, b, gradient in zip(found, ends, starts, tape.gradient(value, points), strict=True):
            sums += weight * (a - b) * gradient.numpy()
    return {name: sign * v.reshape(n, m, *v.shape[1:]).mean(axis=1) for name, v in zip(names, found, strict=True)}


def tabular_stem():
    """Inputs that reach a Dense layer through BatchNormalization, Flatten, Reshape, Permute and Concatenate."""
    a, b = keras.Input((3, 2), name="a"), keras.Input((4,), name="b")
    moved = layers.Flatten()(layers.Permute((2, 1))(a))
    scaled = layers.BatchNormalization()(b)
    x = layers.Concatenate()([moved, scaled, layers.Flatten()(layers.Reshape((2, 2))(b))])
    x = layers.Dense(8, activation="tanh")(x)
    x = layers.Concatenate()([x, layers.Dense(3, activation="swish")(scaled)])
    return keras.Model([a, b], layers.Dense(2, activation="softmax")(x))


def xaug_branch():
    """A small CNN with XAUGs joined before the dense layers, all smooth."""
    image, xaugs = keras.Input((6, 6, 1), name="image"), keras.Input((5,), name="xaug")
    x = layers.Flatten()(layers.Conv2D(3, 3, activation="tanh")(image))
    x = layers.Dense(7, activation="swish")(layers.Concatenate()([x, layers.BatchNormalization()(xaugs)]))
    return keras.Model([image, xaugs], layers.Dense(2, activation="softmax")(x))


def skip_connection():
    x = keras.Input((4,), name="x")
    y = layers.Dense(4, activation="tanh")(x)
    y = layers.Add()([y, layers.Activation("tanh")(x)])
    return keras.Model(x, layers.Dense(1, activation="sigmoid")(y))


def recurrent():
    x, xaugs = keras.Input((5, 3), name="list"), keras.Input((4,), name="xaug")
    y = layers.Dense(6, activation="swish")(layers.Flatten()(layers.GRU(4, return_sequences=True)(x)))
    y = layers.Concatenate()([y, layers.Dense(3, activation="tanh")(xaugs)])
    return keras.Model([x, xaugs], layers.Dense(2, activation="softmax")(y))


NETWORKS = {
    "event": ("sigmoid", ("event",), ()),
    "softmax": ("softmax", ("event",), ()),
    "stem": (tabular_stem, ("a", "b"), ()),
    "xaug branch": (xaug_branch, ("xaug",), ("image",)),
    "skip": (skip_connection, ("x",), ("x",)),
    "recurrent": (recurrent, (), ("list", "xaug")),  # all of it is unrolled
}
"""Maker, or head of an event DNN; inputs that reach it by a linear stem; inputs that reach it otherwise."""


def largest_error(found, expected):
    scale = max(np.abs(values).max() for values in expected.values())
    return max(np.abs(found[name] - values).max() for name, values in expected.items()) / scale


# Closed forms ---------------------------------------------------------------------------------------------


def test_linear_model_by_hand():
    """f = w x + b: attributions are w (x - x'), with one node."""
    x = keras.Input((3,), name="x")
    model = keras.Model(x, layers.Dense(1, activation="sigmoid", name="out")(x))
    set_head(model, "out", [[2.0], [-1.0], [0.5]], [0.3])
    events, baseline = np.array([[1.0, 2, 3], [0, 1, -1]]), np.array([0.5, 0.5, 0.5])
    found = integrated_gradients(model, [events], {"x": baseline})
    np.testing.assert_allclose(found.relevance["x"], [[1, -1.5, 1.25], [-1, -0.5, -0.75]], atol=1e-6)
    np.testing.assert_allclose(found.logit, [1.8, -1.2], rtol=1e-6)
    np.testing.assert_allclose(found.reference, 1.05, rtol=1e-6)
    np.testing.assert_allclose(found.residual, 0, atol=1e-6)
    assert set(found.settings["nodes"]) == {"1"}


def product_model():
    """f = x0 x1 + x1^2, as a custom layer."""

    @keras.saving.register_keras_serializable("xaug_tests")
    class Quadratic(layers.Layer):
        def call(self, x):
            return x[:, :1] * x[:, 1:2] + x[:, 1:2] ** 2

    x = keras.Input((3,), name="x")
    y = layers.Dense(1, activation="sigmoid", name="out")(Quadratic(name="quadratic")(x))
    model = keras.Model(x, y)
    set_head(model, "out", [[1.0]], [0.0])
    return model


def test_quadratic_model_by_hand():
    """From 0, x0 x1 is shared equally and x1^2 belongs to x1; from x', x0 x1 gives (x0 - x0')(x1 + x1') / 2."""
    model = product_model()
    x = np.array([[1.0, 2.0, 5.0], [-3.0, 0.5, 1.0]])
    found = integrated_gradients(model, [x], {"x": np.zeros(3)}).relevance["x"]
    np.testing.assert_allclose(found, [[1, 1 + 4, 0], [-0.75, -0.75 + 0.25, 0]], atol=1e-5)
    start = np.array([0.5, -1.0, 2.0])
    found = integrated_gradients(model, [x], {"x": start}).relevance["x"]
    d = x - start
    expected = np.stack([d[:, 0] * (x[:, 1] - 1) / 2, d[:, 1] * (x[:, 0] + 0.5) / 2 + x[:, 1] ** 2 - 1, 0 * d[:, 0]], 1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_piecewise_linear_model_by_hand():
    """f = max(x0 + x1 - 1, 0) from 0 to (1, 1): the slope is 1 on the second half, so each gets 1/2."""
    x = keras.Input((2,), name="x")
    y = layers.Dense(1, activation="relu", name="kink")(x)
    model = keras.Model(x, layers.Dense(1, activation="sigmoid", name="out")(y))
    set_head(model, "kink", [[1.0], [1.0]], [-1.0])
    set_head(model, "out", [[1.0]], [0.0])
    found = integrated_gradients(model, [np.array([[1.0, 1.0], [3.0, 1.0]])], {"x": np.zeros(2)}, tolerance=1e-2)
    np.testing.assert_allclose(found.relevance["x"][0], [0.5, 0.5], atol=5e-3)
    np.testing.assert_allclose(found.relevance["x"][1], [3 * 0.75, 0.75], atol=1e-2)  # the kink is at alpha = 1/4


# Against a plain tape ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_linear_stem_equals_gradient_tape(event_dnn, widely_randomised, random_inputs, kept_integrator, name):
    make, linear, others = NETWORKS[name]
    model = event_dnn(head=make) if isinstance(make, str) else widely_randomised(make())
    x, b = random_inputs(model, 12, 1), random_inputs(model, 5, 2)
    found = integrated_gradients(model, x, b, tolerance=1e-5)
    general = integrated_gradients(model, x, b, tolerance=1e-5, fast=False)
    path = kept_integrator(model)
    assert path.stem.linear == linear
    assert path.stem.others == others
    assert general.settings["linear_stem"] == []
    expected = by_tape(model, x, b)
    assert largest_error(general.relevance, expected) < 1e-4  # its log-odds come from the probability
    assert largest_error(found.relevance, general.relevance) < 2e-6
    assert np.abs(found.residual).max() < 1e-4


def test_linear_stem_equals_tape_in_double_precision(event_dnn, random_inputs):
    """To 1e-6 of the largest attribution, against a float64 tape on the formula of the network."""
    model = event_dnn()
    x, b = random_inputs(model, 20, 1), random_inputs(model, 7, 2)
    found = integrated_gradients(model, x, b, tolerance=1e-6)

    def logit(v):
        for i in range(2):
            kernel, bias, gamma, beta, mean, variance = _event_weights(model, i)
            v = gamma * (v @ kernel + bias - mean) / np.sqrt(variance + 1e-3) + beta
            v = v * tf.sigmoid(v)
        return v @ model.layers[-1].get_weights()[0].astype(np.float64)

    expected = np.zeros(x["event"].shape)
    alphas, quadrature = np.polynomial.legendre.leggauss(40)
    for start in b["event"].astype(np.float64):
        for alpha, w in zip((alphas + 1) / 2, quadrature / 2, strict=True):
            v = tf.constant(start + alpha * (x["event"] - start))
            with tf.GradientTape() as tape:
                tape.watch(v)
                value = logit(v)
            expected += w / 7 * (x["event"] - start) * tape.gradient(value, v).numpy()
    assert largest_error(found.relevance, {"event": expected}) < 1e-6


def _event_weights(model, i):
    dense, norm = model.layers[1 + 4 * i], model.layers[2 + 4 * i]
    return [w.astype(np.float64) for w in (*dense.get_weights(), *norm.get_weights())]


@pytest.mark.parametrize("output", ["logit", "probability"])
@pytest.mark.parametrize(("target", "sign"), [("signal", 1), ("background", -1), ("predicted", None)])
@pytest.mark.parametrize("head", ["sigmoid", "softmax"])
def test_targets_and_outputs(event_dnn, random_inputs, head, target, sign, output):
    model = event_dnn(head=head, seed=3)
    x, b = random_inputs(model, 10, 3), random_inputs(model, 4, 4)
    x["event"] *= 3  # so that both classes are predicted
    found = integrated_gradients(model, x, b, target, output, tolerance=1e-5)
    p = model.predict(x, verbose=0)
    p = p[:, -1].astype(np.float64)
    signs = np.full(10, sign) if sign else np.where(p > 0.5, 1, -1)
    assert len(set(signs)) == (1 if sign else 2)
    expected = by_tape(model, x, b, signs[:, None], output=output)
    assert largest_error(found.relevance, expected) < 1e-4
    of_target = np.where(signs > 0, p, 1 - p)
    value = of_target if output == "probability" else np.log(of_target / (1 - of_target))
    np.testing.assert_allclose(found.logit, value, rtol=1e-4, atol=1e-5)


def test_log_odds_of_one_of_three_classes(widely_randomised, random_inputs):
    x = keras.Input((4,), name="x")
    y = layers.Dense(3, activation="softmax")(layers.Dense(6, activation="tanh")(x))
    model = widely_randomised(keras.Model(x, y))
    events, baseline = random_inputs(model, 6, 1), random_inputs(model, 1, 2)
    p, q = (model.predict(v, verbose=0).astype(np.float64) for v in (events, baseline))
    found = integrated_gradients(model, events, baseline, target=2, tolerance=1e-5)
    np.testing.assert_allclose(found.logit, np.log(p[:, 2] / (1 - p[:, 2])), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.reference, np.log(q[0, 2] / (1 - q[0, 2])), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.residual, 0, atol=1e-5)


# Axioms and properties ------------------------------------------------------------------------------------


@settings(max_examples=6, deadline=None)
@given(
    features=st.integers(1, 6), widths=st.lists(st.integers(1, 8), min_size=0, max_size=3), norm=st.booleans(),
    activation=st.sampled_from(["swish", "tanh", "sigmoid"]), seed=st.integers(0, 10**6), m=st.integers(1, 4),
)  # fmt: skip
def test_completeness(widely_randomised, random_inputs, features, widths, norm, activation, seed, m):
    x = inputs = keras.Input((features,), name="x")
    for width in widths:
        x = layers.Dense(width)(x)
        x = layers.Activation(activation)(layers.BatchNormalization()(x) if norm else x)
    model = widely_randomised(keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x)), seed)
    events, baselines = random_inputs(model, 5, seed), random_inputs(model, m, seed + 1)
    found = integrated_gradients(model, events, baselines, tolerance=1e-4)
    p, q = (model.predict_on_batch(v["x"]).astype(np.float64)[:, 0] for v in (events, baselines))
    difference = np.log(p / (1 - p)) - np.log(q / (1 - q)).mean()
    np.testing.assert_allclose(found.relevance["x"].sum(axis=1), difference, atol=2e-4, rtol=1e-4)
    assert found.settings["pairs_within_tolerance"] >= 0.95
    keras.backend.clear_session()


def test_dummy_and_symmetry(event_dnn, random_inputs):
    """A variable that the network ignores gets nothing; two that it treats alike get the same."""
    model = event_dnn(4)
    kernel, bias = model.layers[1].get_weights()
    kernel[3] = 0
    kernel[1] = kernel[0]
    model.layers[1].set_weights([kernel, bias])
    x, b = random_inputs(model, 10, 1), random_inputs(model, 3, 2)
    x["event"][:, 1], b["event"][:, 1] = x["event"][:, 0], b["event"][:, 0]
    found = integrated_gradients(model, x, b).relevance["event"]
    assert np.all(found[:, 3] == 0)
    np.testing.assert_allclose(found[:, 0], found[:, 1], rtol=1e-5, atol=1e-7)
    assert np.abs(found[:, 0]).min() > 1e-4


def test_implementation_invariance(widely_randomised, random_inputs):
    """The same function, with its hidden units permuted and one split in two, has the same attributions."""
    x = inputs = keras.Input((5,), name="x")
    x = layers.Dense(6, activation="swish", name="hidden")(x)
    one = widely_randomised(keras.Model(inputs, layers.Dense(1, activation="sigmoid", name="out")(x)))
    x = inputs = keras.Input((5,), name="x")
    x = layers.Dense(7, activation="swish", name="hidden")(x)
    other = keras.Model(inputs, layers.Dense(1, activation="sigmoid", name="out")(x))
    (w, b), (v, c) = one.get_layer("hidden").get_weights(), one.get_layer("out").get_weights()
    order = [4, 0, 5, 1, 2, 3, 3]
    share = np.array([1, 1, 1, 1, 1, 0.3, 0.7])[:, None]
    set_head(other, "hidden", w[:, order], b[order])
    set_head(other, "out", v[order] * share, c)
    events, baselines = random_inputs(one, 8, 1), random_inputs(one, 3, 2)
    found = [integrated_gradients(m, events, baselines, tolerance=1e-5).relevance["x"] for m in (one, other)]
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)
