"""Layers without a plain weight matrix, by formulas written in NumPy event by event, which share no code with xaug."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from xaug.explain.propagation.composites import choose
from xaug.explain.propagation.engine import Propagator

EPSILON = 1e-9
STEPS, FEATURES, UNITS = 5, 3, 4


@pytest.fixture(autouse=True)
def _without_tracing():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def safe(z):
    return z + np.where(z < 0, -EPSILON, EPSILON)


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def dense(x, w, b, relevance):
    """LRP-epsilon through x w + b for one vector."""
    return x * (w @ (relevance / safe(x @ w + b)))


def explained(model, x, graph_of, binary=()):
    """Relevance in float64 of the first logit, and what went elsewhere."""
    engine = Propagator(graph_of(model), choose("epsilon", EPSILON), dtype="float64", binary=frozenset(binary))
    found, logit, elsewhere = engine(x, np.eye(model.output_shape[-1])[0])
    return found, logit, elsewhere


def weights(layer):
    return [w.astype(np.float64) for w in layer.get_weights()]


def events(n=5, seed=1, holes=True):
    x = np.random.default_rng(seed).normal(size=(n, STEPS, FEATURES))
    if holes:
        x[1, 3:], x[2, :2], x[3, 2] = 0.0, 0.0, 0.0
    return x


def lstm(x, real, w, u, b):
    """States of an LSTM for one event, and a function from the relevance of each state to that of x."""
    h = c = np.zeros(UNITS)
    steps = []
    for t in range(len(x)):
        if real[t]:
            i, f, a, o = np.split(x[t] @ w + h @ u + b, 4)
            new = sigmoid(f) * c + sigmoid(i) * np.tanh(a)
            steps.append((h, c, new, sigmoid(f) * c, sigmoid(i) * np.tanh(a), a))
            c, h = new, sigmoid(o) * np.tanh(new)
        else:
            steps.append(None)
    return h, steps


@pytest.mark.parametrize("backwards", [False, True])
def test_lstm_by_hand(randomised, graph_of, backwards):
    inputs = keras.Input((STEPS, FEATURES), name="x")
    own = layers.LSTM(UNITS, go_backwards=backwards, name="memory")
    model = keras.Model(inputs, layers.Dense(2, "softmax", name="out")(own(layers.Masking()(inputs))))
    randomised(model, seed=3, bias=0.3)
    (w, u, b), (v, d) = weights(own), weights(model.get_layer("out"))
    x = events()
    found, logit, _ = explained(model, {"x": x}, graph_of)
    for n in range(len(x)):
        order = slice(None, None, -1) if backwards else slice(None)
        one, real = x[n][order].copy(), (x[n] != 0).any(axis=1)[order]
        state, steps = lstm(one, real, w, u, b)
        z = state @ v + d
        assert logit[n] == pytest.approx(z[0], rel=1e-9)
        of_state, of_cell = dense(state, v, d, np.array([z[0], 0.0])), np.zeros(UNITS)
        expected = np.zeros_like(one)
        for t in reversed(range(STEPS)):
            if steps[t] is None:
                continue
            before, _, cell, kept, added, a = steps[t]
            ratio = (of_state + of_cell) / safe(cell)
            s = added * ratio / safe(a)
            expected[t] = one[t] * (w[:, 2 * UNITS : 3 * UNITS] @ s)
            of_state, of_cell = before * (u[:, 2 * UNITS : 3 * UNITS] @ s), kept * ratio
        np.testing.assert_allclose(found["x"][n], expected[order], rtol=1e-6, atol=1e-10)


def test_simple_rnn_by_hand(randomised, graph_of):
    inputs = keras.Input((STEPS, FEATURES), name="x")
    own = layers.SimpleRNN(UNITS, name="memory")
    model = keras.Model(inputs, layers.Dense(2, "softmax", name="out")(own(layers.Masking()(inputs))))
    randomised(model, seed=4, bias=0.3)
    (w, u, b), (v, d) = weights(own), weights(model.get_layer("out"))
    x = events()
    found, logit, _ = explained(model, {"x": x}, graph_of)
    for n in range(len(x)):
        real, states, sums = (x[n] != 0).any(axis=1), [np.zeros(UNITS)], []
        for t in range(STEPS):
            sums.append(x[n, t] @ w + states[-1] @ u + b)
            states.append(np.tanh(sums[-1]) if real[t] else states[-1])
        z = states[-1] @ v + d
        assert logit[n] == pytest.approx(z[0], rel=1e-9)
        relevance, expected = dense(states[-1], v, d, np.array([z[0], 0.0])), np.zeros_like(x[n])
        for t in reversed(range(STEPS)):
            if real[t]:
                s = relevance / safe(sums[t])
                expected[t], relevance = x[n, t] * (w @ s), states[t] * (u @ s)
        np.testing.assert_allclose(found["x"][n], expected, rtol=1e-6, atol=1e-10)


def test_attention_by_hand(randomised, graph_of):
    """AttnLRP (arXiv:2402.05602): halves at products, Taylor expansion of the softmax, epsilon at projections."""
    inputs = keras.Input((STEPS, FEATURES), name="x")
    own = layers.MultiHeadAttention(2, UNITS, name="attend")
    h = layers.Flatten()(own(inputs, inputs))
    model = randomised(keras.Model(inputs, layers.Dense(2, "softmax", name="out")(h)), seed=5, bias=0.2)
    wq, bq, wk, bk, wv, bv, wo, bo = weights(own)
    v, d = weights(model.get_layer("out"))
    x = events(holes=False)
    found, logit, elsewhere = explained(model, {"x": x}, graph_of)
    for n, one in enumerate(x):
        q, k, val = (np.einsum("pf,fhd->phd", one, w) + b for w, b in ((wq, bq), (wk, bk), (wv, bv)))
        scores = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(UNITS)
        a = np.exp(scores - scores.max(axis=-1, keepdims=True))
        a /= a.sum(axis=-1, keepdims=True)
        mixed = np.einsum("hqk,khd->qhd", a, val)
        y = np.einsum("qhd,hdf->qf", mixed, wo) + bo
        z = y.ravel() @ v + d
        assert logit[n] == pytest.approx(z[0], rel=1e-9)
        r_y = dense(y.ravel(), v, d, np.array([z[0], 0.0])).reshape(y.shape)
        r_mixed = mixed * np.einsum("hdf,qf->qhd", wo, r_y / safe(y))
        s = r_mixed / mixed
        r_val, r_a = (val * np.einsum("hqk,qhd->khd", a, s) / 2, a * np.einsum("khd,qhd->hqk", val, s) / 2)
        r_scores = scores * (r_a - a * r_a.sum(axis=-1, keepdims=True))
        t = r_scores / scores / np.sqrt(UNITS)
        r_q, r_k = q * np.einsum("hqk,khd->qhd", t, k) / 2, k * np.einsum("hqk,qhd->khd", t, q) / 2
        expected = sum(
            one * np.einsum("fhd,phd->pf", w, r / safe(part))
            for w, r, part in ((wq, r_q, q), (wk, r_k, k), (wv, r_val, val))
        )
        np.testing.assert_allclose(found["x"][n], expected, rtol=1e-5, atol=1e-9)
        assert elsewhere[n] == pytest.approx((r_a - r_scores).sum(), rel=1e-5, abs=1e-9)


def test_a_masked_mean_written_in_operations_is_that_of_the_real_steps(randomised, graph_of):
    """Deep sets: the mask and the number of particles are gates, so that R_t = x_t w / (number of real steps)."""
    inputs = keras.Input((STEPS, FEATURES), name="x")
    mask = tf.cast(tf.reduce_any(tf.not_equal(inputs, 0.0), axis=-1, keepdims=True), tf.float32)
    h = layers.Dense(UNITS, use_bias=False, name="d")(inputs) * mask
    h = tf.reduce_sum(h, axis=1) / tf.reduce_sum(mask, axis=1)
    model = randomised(keras.Model(inputs, layers.Dense(2, "softmax", use_bias=False, name="out")(h)), seed=6)
    x = events()
    found, _, _ = explained(model, {"x": x}, graph_of)
    w = weights(model.get_layer("d"))[0] @ weights(model.get_layer("out"))[0][:, 0]
    real = (x != 0).any(axis=2).sum(axis=1)
    np.testing.assert_allclose(found["x"], x * w / real[:, None, None], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("merge", ["Dot", "Multiply", "operation", "Lambda"])
def test_a_mask_that_is_an_input_gets_no_relevance(randomised, graph_of, merge):
    """An input that holds nothing but 0 and 1 is a mask, in whatever way it multiplies."""
    inputs, mask = keras.Input((STEPS, FEATURES), name="x"), keras.Input((STEPS,), name="mask")
    h = layers.Dense(UNITS, use_bias=False, name="d")(inputs)
    column = layers.Reshape((STEPS, 1))(mask)
    if merge == "Dot":
        h = layers.Dot(1)([mask, h])
    elif merge == "Multiply":
        h = layers.GlobalAveragePooling1D()(layers.Multiply()([h, column]))
    elif merge == "operation":
        h = tf.reduce_sum(h * column, axis=1)
    else:
        h = layers.Lambda(lambda two: tf.reduce_sum(two[0] * two[1], axis=1))([column, h])
    model = keras.Model([inputs, mask], layers.Dense(2, "softmax", use_bias=False, name="out")(h))
    randomised(model, seed=7)
    x = events()
    real = (x != 0).any(axis=2).astype(float)
    found, logit, _ = explained(model, {"x": x, "mask": real}, graph_of, binary=["mask"])
    w = weights(model.get_layer("d"))[0] @ weights(model.get_layer("out"))[0][:, 0]
    number = STEPS if merge == "Multiply" else 1
    np.testing.assert_allclose(found["x"], x * real[..., None] * w / number, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(found["mask"], 0)
    np.testing.assert_allclose(found["x"].sum(axis=(1, 2)), logit, rtol=1e-6, atol=1e-9)


def test_a_product_of_signals_is_shared_equally(randomised, graph_of):
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    model = keras.Model([a, b], layers.Dense(2, "softmax", use_bias=False, name="out")(layers.Multiply()([a, b])))
    randomised(model, seed=8)
    rng = np.random.default_rng(2)
    x = {"a": rng.normal(size=(4, 3)), "b": rng.normal(size=(4, 3))}
    found, _, _ = explained(model, x, graph_of)
    half = x["a"] * x["b"] * weights(model.get_layer("out"))[0][:, 0] / 2
    np.testing.assert_allclose(found["a"], half, rtol=1e-6)
    np.testing.assert_allclose(found["b"], half, rtol=1e-6)


def test_a_token_gets_the_relevance_of_its_vector(randomised, graph_of):
    inputs = keras.Input((STEPS,), name="x", dtype="int32")
    h = layers.Flatten()(layers.Embedding(6, FEATURES, name="vectors")(inputs))
    model = keras.Model(inputs, layers.Dense(2, "softmax", use_bias=False, name="out")(h))
    randomised(model, seed=9)
    x = np.random.default_rng(3).integers(0, 6, (4, STEPS))
    found, _, _ = explained(model, {"x": x}, graph_of)
    vectors, w = weights(model.get_layer("vectors"))[0], weights(model.get_layer("out"))[0][:, 0]
    expected = (vectors[x] * w.reshape(STEPS, FEATURES)).sum(axis=2)
    np.testing.assert_allclose(found["x"], expected, rtol=1e-6, atol=1e-9)


def test_layer_normalisation_passes_relevance_unchanged(randomised, graph_of):
    inputs = keras.Input((FEATURES,), name="x")
    h = layers.LayerNormalization(name="norm")(inputs)
    model = randomised(keras.Model(inputs, layers.Dense(2, "softmax", name="out")(h)), seed=10, bias=0.3)
    x = events()[:, 0] + 0.1
    found, _, _ = explained(model, {"x": x}, graph_of)
    gamma, beta = weights(model.get_layer("norm"))
    y = gamma * (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-3) + beta
    w, b = weights(model.get_layer("out"))
    expected = [dense(one, w, b, np.array([(one @ w + b)[0], 0.0])) for one in y]
    np.testing.assert_allclose(found["x"], expected, rtol=1e-6, atol=1e-9)


def shared_encoder(apart):
    """Two jets by one encoder, nested or by its layers; the same numbers if `apart`, with layers of their own."""
    hidden, code = layers.Dense(6, "relu", name="hidden"), layers.Dense(4, name="code")
    e = keras.Input((FEATURES,))
    encoder = keras.Model(e, code(hidden(e)), name="encoder")
    jets = [keras.Input((FEATURES,), name=name) for name in ("jet1", "jet2")]
    if apart:
        codes = [
            layers.Dense(4, name=f"c{i}")(layers.Dense(6, "relu", name=f"h{i}")(jet)) for i, jet in enumerate(jets)
        ]
    else:
        codes = [encoder(jet) for jet in jets]
    out = layers.Dense(2, "softmax", name="out")(layers.Concatenate()([*codes, codes[0]]))
    return keras.Model(jets, out)


def test_a_shared_nested_model_is_its_layers_once_for_each_call(randomised, graph_of):
    """Also where the output of one call stands twice in a Concatenate."""
    nested, apart = shared_encoder(False), shared_encoder(True)
    randomised(nested.get_layer("encoder"), seed=11)
    w = nested.get_layer("encoder").get_weights()
    for i in (0, 1):
        apart.get_layer(f"h{i}").set_weights(w[:2])
        apart.get_layer(f"c{i}").set_weights(w[2:])
    apart.get_layer("out").set_weights(nested.get_layer("out").get_weights())
    rng = np.random.default_rng(4)
    x = {name: rng.normal(size=(6, FEATURES)) for name in ("jet1", "jet2")}
    (found, logit, _), (expected, same, _) = (explained(model, x, graph_of) for model in (nested, apart))
    np.testing.assert_allclose(logit, same, rtol=1e-12)
    for name in x:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-9, atol=1e-12)
