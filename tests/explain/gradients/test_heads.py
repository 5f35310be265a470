"""Every head, target and kind of output against an integral that NumPy computes, and what is refused."""

import keras
import numpy as np
import pytest
from keras import layers

from xaug.core.errors import ConfigurationError, ModelError
from xaug.explain import class_attribution, integrated_gradients

CLASSES = ("light", "c-jet", "b-jet")
FEATURES, STEPS = 4, 4000


def dense(units, activation="linear", **options):
    """x (4) -> dense, with fixed weights; returns the model, W and b."""
    rng = np.random.default_rng(units)
    w, b = rng.normal(size=(FEATURES, units)), rng.normal(size=units)
    x = keras.Input((FEATURES,), name="x")
    model = keras.Model(x, layers.Dense(units, activation, name="out", **options)(x))
    model.get_layer("out").set_weights([w, b])
    return model, w, b


def softmax(z):
    p = np.exp(z - z.max(axis=-1, keepdims=True))
    return p / p.sum(axis=-1, keepdims=True)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def log_odds(p):
    return np.log(p / (1 - p))


def trapezoid(f, x, start, w, b):
    """Attributions by 4000 steps in float64; df/dz by central differences."""
    alpha = np.linspace(0, 1, STEPS + 1)[:, None, None]
    z = (start + alpha * (x - start)) @ w + b
    slopes = []
    for k in range(w.shape[1]):
        step = 1e-5 * np.eye(w.shape[1])[k]
        slopes.append((f(z + step) - f(z - step)) / 2e-5)
    slope = np.stack(slopes, axis=-1)
    mean = ((slope[1:] + slope[:-1]) / 2).mean(axis=0)
    return (x - start) * (mean @ w.T)


# f(z) by hand: head, units, target, output -> function of the numbers before the head
CASES = {
    ("softmax", 3, "c-jet", "logit"): lambda z: log_odds(softmax(z)[..., 1]),
    ("softmax", 3, "b-jet-light", "logit"): lambda z: z[..., 2] - z[..., 0],
    ("softmax", 3, 2, "probability"): lambda z: softmax(z)[..., 2],
    ("softmax", 3, "0-1", "probability"): lambda z: softmax(z)[..., 0] - softmax(z)[..., 1],
    ("softmax", 3, 1, "value"): lambda z: softmax(z)[..., 1],
    ("softmax", 2, "signal", "logit"): lambda z: z[..., 1] - z[..., 0],
    ("softmax", 2, "background-signal", "logit"): lambda z: z[..., 0] - z[..., 1],
    ("softmax", 2, "signal-background", "probability"): lambda z: softmax(z)[..., 1] - softmax(z)[..., 0],
    ("sigmoid", 3, "light", "logit"): lambda z: z[..., 0],
    ("sigmoid", 3, "b-jet-c-jet", "logit"): lambda z: z[..., 2] - z[..., 1],
    ("sigmoid", 3, 0, "probability"): lambda z: sigmoid(z)[..., 0],
    ("sigmoid", 3, "2-0", "probability"): lambda z: sigmoid(z)[..., 2] - sigmoid(z)[..., 0],
    ("sigmoid", 2, 1, "logit"): lambda z: z[..., 1],
    ("sigmoid", 1, "signal", "logit"): lambda z: z[..., 0],
    ("sigmoid", 1, "background", "logit"): lambda z: -z[..., 0],
    ("sigmoid", 1, "background-signal", "logit"): lambda z: -z[..., 0],
    ("sigmoid", 1, "background", "probability"): lambda z: sigmoid(-z)[..., 0],
    ("sigmoid", 1, "signal-background", "probability"): lambda z: 2 * sigmoid(z)[..., 0] - 1,
    ("linear", 3, "c-jet", "logit"): lambda z: z[..., 1],
    ("linear", 3, "c-jet-light", "value"): lambda z: z[..., 1] - z[..., 0],
    ("linear", 1, "signal", "logit"): lambda z: z[..., 0],
    ("linear", 1, 0, "value"): lambda z: z[..., 0],
}


@pytest.mark.parametrize(("head", "units", "target", "output"), CASES)
def test_every_head_and_target(head, units, target, output):
    model, w, b = dense(units, head)
    f, rng = CASES[head, units, target, output], np.random.default_rng(5)
    x, start = (rng.normal(size=(n, FEATURES)).astype(np.float32) for n in (5, 1))
    classes = {1: ("background", "signal"), 2: ("background", "signal"), 3: CLASSES}[units]
    found = integrated_gradients(model, {"x": x}, {"x": start}, target, output, 1e-4, classes=classes)
    np.testing.assert_allclose(found.relevance["x"], trapezoid(f, x, start, w, b), atol=2e-4)
    np.testing.assert_allclose(found.logit, f(x @ w + b), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.reference, f(start @ w + b)[0], rtol=1e-4, atol=1e-5)
    table = class_attribution(model, {"x": x}, {"x": start}, target, output, 1e-4, classes=classes).table
    expected = trapezoid(f, x, start, w, b).mean(axis=0)
    np.testing.assert_allclose(table.loc[[f"x[{i}]" for i in range(FEATURES)], "mean"], expected, atol=2e-4)


def test_predicted_and_one_target_for_each_event():
    model, w, b = dense(3, "softmax")
    x = np.random.default_rng(5).normal(size=(40, FEATURES)).astype(np.float32)
    z = x @ w + b
    each = {name: integrated_gradients(model, [x], {"x": np.zeros(FEATURES)}, i) for i, name in enumerate(CLASSES)}
    predicted = integrated_gradients(model, [x], {"x": np.zeros(FEATURES)}, "predicted")
    given = np.array(CLASSES)[np.random.default_rng(6).integers(0, 3, 40)]
    by_event = integrated_gradients(model, [x], {"x": np.zeros(FEATURES)}, given, classes=CLASSES)
    for i, event in enumerate(z.argmax(axis=1)):
        np.testing.assert_allclose(predicted.relevance["x"][i], each[CLASSES[event]].relevance["x"][i], atol=1e-3)
        np.testing.assert_allclose(by_event.relevance["x"][i], each[given[i]].relevance["x"][i], atol=1e-3)


ENDS = {
    "a layer of its own": lambda x: layers.Softmax()(layers.Dense(3)(x)),
    "an activation": lambda x: layers.Activation("softmax")(layers.Dense(3)(x)),
    "another layer before": lambda x: layers.Softmax()(layers.Reshape((3,))(layers.Dense(3)(x))),
    "nothing behind": lambda x: layers.Activation("linear")(layers.Dense(3, "softmax")(x)),
    "an operation": lambda x: keras.backend.softmax(layers.Dense(3)(x)),
    "a model": lambda x: keras.Sequential([keras.Input((FEATURES,)), layers.Dense(3), layers.Softmax()])(x),
    "two models": lambda x: _inside(_inside(layers.Dense(3, "softmax")))(x),
    "a batch normalisation": lambda x: layers.Softmax()(layers.BatchNormalization()(layers.Dense(3)(x))),
}


def _inside(layer):
    x = keras.Input((FEATURES,))
    return keras.Model(x, layer(x))


@pytest.mark.parametrize("end", ENDS)
def test_ends_that_are_a_softmax(end):
    x = keras.Input((FEATURES,), name="x")
    model = keras.Model(x, ENDS[end](layers.Dense(FEATURES, "tanh")(x)))
    events = np.random.default_rng(5).normal(size=(6, FEATURES))
    p = model.predict(events, verbose=0).astype(float)
    found = integrated_gradients(model, [events], {"x": np.zeros(FEATURES)}, "2-0", classes=CLASSES)
    np.testing.assert_allclose(found.logit, np.log(p[:, 2] / p[:, 0]), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found.residual, 0, atol=2e-3)


def test_one_of_several_outputs():
    x = keras.Input((FEATURES,), name="x")
    h = layers.Dense(5, "tanh")(x)
    tag, energy = layers.Dense(3, "softmax", name="tag")(h), layers.Dense(1, name="energy")(h)
    events = np.random.default_rng(5).normal(size=(6, FEATURES))
    for outputs in ([tag, energy], {"flavour": tag, "jes": energy}):
        model = keras.Model(x, outputs)
        names = ("flavour", "jes") if isinstance(outputs, dict) else ("tag", "energy")
        p, e = keras.Model(x, tag).predict(events, verbose=0), keras.Model(x, energy).predict(events, verbose=0)
        for output, target, expected in (
            (names[0], "0-1", np.log(p[:, 0] / p[:, 1])),
            (f"{names[0]}:probability", 1, p[:, 1]),
            (names[1], 0, e[:, 0]),
            (f"{names[1]}:value", 0, e[:, 0]),
            ("tag", 2, np.log(p[:, 2] / (1 - p[:, 2]))),
        ):
            found = integrated_gradients(model, [events], {"x": np.zeros(FEATURES)}, target, output)
            np.testing.assert_allclose(found.logit, expected, rtol=1e-3, atol=1e-5)
        with pytest.raises(ConfigurationError, match=f"2 outputs: {names[0]}, {names[1]}. Name one"):
            integrated_gradients(model, [events], {"x": np.zeros(FEATURES)})
        with pytest.raises(ConfigurationError, match=f"did you mean '{names[1]}'"):
            integrated_gradients(model, [events], {"x": np.zeros(FEATURES)}, 0, names[1] + "s")


@pytest.mark.parametrize(
    ("activation", "units", "options", "error", "words"),
    [
        ("softmax", 1, {}, ModelError, "softmax of one number, which is 1"),
        ("relu", 1, {}, ModelError, r"'out' \(Dense, activation 'relu'\).*output='value'"),
        (
            "linear",
            2,
            {"output": "probability"},
            ConfigurationError,
            "without softmax or sigmoid.*keras.layers.Softmax",
        ),
        ("linear", 1, {"output": "value", "target": "background"}, ConfigurationError, "no probability of two classes"),
        ("softmax", 3, {}, ConfigurationError, "3 outputs.*classes="),
        ("softmax", 3, {"target": "c-jet-b-jet"}, ConfigurationError, "c-jet-b-jet"),
        ("softmax", 3, {"target": "0-3"}, ConfigurationError, "outputs 0 to 2"),
        ("sigmoid", 3, {"target": "1-1"}, ConfigurationError, "with itself is zero"),
        ("softmax", 3, {"target": [0, 1]}, ConfigurationError, r"shape \(2,\).*\(3,\)"),
        ("softmax", 2, {"output": "logits"}, ConfigurationError, "did you mean 'logit'"),
    ],
)
def test_heads_and_targets_that_are_refused(activation, units, options, error, words):
    model, _, _ = dense(units, activation)
    with pytest.raises(error, match=words):
        integrated_gradients(model, [np.zeros((3, FEATURES))], {"x": np.ones(FEATURES)}, **options)


def test_a_regression_as_it_is():
    model, w, b = dense(1, "relu")
    x = np.random.default_rng(5).normal(size=(6, FEATURES))
    found = integrated_gradients(model, [x], {"x": np.zeros(FEATURES)}, 0, "value", max_nodes=1024)
    np.testing.assert_allclose(found.logit, np.maximum(x @ w + b, 0)[:, 0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.residual, 0, atol=5e-3)


def test_arrays_of_outputs_are_refused():
    x = keras.Input((5, 2), name="x")
    model = keras.Model(x, layers.Dense(3, "softmax")(x))
    with pytest.raises(ModelError, match=r"shape \(None, 5, 3\)"):
        integrated_gradients(model, [np.zeros((2, 5, 2))], {"x": np.zeros((5, 2))}, 0)
