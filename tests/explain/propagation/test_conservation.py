"""Without biases relevance adds up to the explained output, for every network of the package, in both precisions."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import xaug
from xaug import variables
from xaug.explain.propagation.layers.recurrent import Gru, gru_forward, gru_relevance
from xaug.networks.choice import choose_inputs
from xaug.networks.registry import build, networks

TOLERANCE = {"float64": 1e-5, "float32": 1e-4}
"""Of |sum of relevance - output| over the output, for every event."""


def events_of(model, n=30):
    """Inputs in the range of scaled ones; a list with padding."""
    rng = np.random.default_rng(2)
    x = {t.name: rng.random((n, *t.shape[1:])) for t in model.inputs}
    if "list" in x:
        x["list"][np.arange(x["list"].shape[1]) >= rng.integers(3, 21, n)[:, None]] = 0
    return x


def network_of(network, randomised, bias):
    """A network of the package; of a list few columns, and few steps of several particles."""
    columns = {"cnn1d": "log_pt,charge"}.get(network)
    steps = 5 if network == "rnn" else 1
    if network == "event":
        inputs = choose_inputs(variables.table_of("events"), network)
    else:
        inputs = choose_inputs(variables.table_of("jets"), network, "all", columns, steps)
    return randomised(build(inputs), bias=bias, scale=1.4)


@pytest.mark.parametrize("network", networks())
def test_relevance_adds_up_without_biases(randomised, network):
    """Every architecture, epsilon at most 1e-7; at a logit near zero, to the same part of a tenth of the largest."""
    model = network_of(network, randomised, bias=0.0)
    for dtype, epsilon in (("float64", 1e-9), ("float32", 1e-7)):
        found = xaug.explain.lrp(model, events_of(model), "epsilon", epsilon=epsilon, engine="native", dtype=dtype)
        scale = np.maximum(np.abs(found.logit), 0.1 * np.abs(found.logit).max())
        assert np.median(scale) > 0.01
        assert (np.abs(found.residual) < TOLERANCE[dtype] * scale).all(), (dtype, np.abs(found.residual / scale).max())


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("start", ["zero", "not zero"])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_three_grus_and_their_initial_states(randomised, graph_of, reset_after, start, dtype):
    """Three stacked GRUs with BatchNormalization between them; the share of each initial state is counted."""
    steps, widths, n = 6, (5, 4, 3), 12
    x = inputs = keras.Input((steps, 3))
    for i, width in enumerate(widths):
        x = keras.layers.GRU(width, return_sequences=True, reset_after=reset_after, name=f"gru_{i}")(x)
        if i == 1:
            x = keras.layers.BatchNormalization(name="norm")(x)
    outputs = keras.layers.Dense(2, "softmax")(keras.layers.Flatten()(x))
    graph = graph_of(randomised(keras.Model(inputs, outputs), bias=0.0, scale=1.5))
    grus = [node.layer for node in graph.nodes if isinstance(node.layer, Gru)]  # the last with the norm folded into it
    rng = np.random.default_rng(3)
    first = value = tf.constant(rng.normal(size=(n, steps, 3)), dtype)
    records, read = [], []
    for gru, width in zip(grus, widths, strict=True):
        weights = [tf.constant(w, dtype) for w in (gru.kernel, gru.recurrent, gru.bias)]
        h0 = tf.constant(rng.normal(size=(n, width)) if start == "not zero" else np.zeros((n, width)), dtype)
        records.append(gru_forward(value, *weights, reset_after, h0))
        read.append((value, weights))
        value = tf.stack(records[-1].states[1:], axis=1)
    relevance, initial = value, 0.0  # the output explained is the sum of all states
    for (x_in, (kernel, recurrent, _)), record in zip(reversed(read), reversed(records), strict=True):
        share, state = gru_relevance(x_in, kernel, recurrent, record, tf.unstack(relevance, axis=1), reset_after, 1e-9)
        relevance, initial = share, initial + tf.reduce_sum(state, axis=1).numpy()
    assert relevance.shape == first.shape
    explained = value.numpy().sum(axis=(1, 2))
    assert (np.abs(initial).max() > 1e-3) == (start == "not zero")
    total = relevance.numpy().sum(axis=(1, 2)) + initial
    scale = np.maximum(np.abs(explained), 0.1 * np.abs(explained).max())
    assert (np.abs(total - explained) < TOLERANCE[dtype] * scale).all(), np.abs(total - explained) / scale


@pytest.mark.parametrize("network", ["cnn2d", "rnn"])
def test_float32_is_near_float64(randomised, network):
    """What single precision costs: 1e-4 of the largest relevance for the median event, biases on."""
    model = network_of(network, randomised, bias=0.1)
    x = events_of(model)
    one, two = (xaug.explain.lrp(model, x, engine="native", dtype=dtype) for dtype in ("float32", "float64"))
    assert two.relevance["xaug"].dtype == np.float64
    largest = np.max([np.abs(r).reshape(len(r), -1).max(axis=1) for r in two.relevance.values()], axis=0)
    for name, exact in two.relevance.items():
        error = np.abs(one.relevance[name] - exact).reshape(len(exact), -1).max(axis=1) / largest
        assert 0 < np.median(error) < 1e-4, (name, error)


def test_permuted_hidden_units_of_a_gru_change_nothing(randomised):
    """The order of hidden units is a convention: the GRU's gates, recurrent weights and the next layer permuted."""
    inputs = keras.Input((6, 3), name="input")
    x = keras.layers.GRU(5, return_sequences=True, name="gru")(inputs)
    x = keras.layers.Flatten()(keras.layers.Dense(4, "relu", name="next")(x))
    model = randomised(keras.Model(inputs, keras.layers.Dense(2, "softmax")(x)))
    events = np.random.default_rng(4).normal(size=(9, 6, 3))

    def explain():
        return xaug.explain.lrp(model, events, "epsilon", target="signal", dtype="float64").relevance["input"]

    before = explain()
    order = np.random.default_rng(5).permutation(5)
    gates = np.concatenate([order, 5 + order, 10 + order])
    kernel, recurrent, bias = model.get_layer("gru").get_weights()
    model.get_layer("gru").set_weights([kernel[:, gates], recurrent[order][:, gates], bias[:, gates]])
    following, shift = model.get_layer("next").get_weights()
    model.get_layer("next").set_weights([following[order], shift])
    np.testing.assert_allclose(explain(), before, rtol=1e-6, atol=1e-9 * np.abs(before).max())
