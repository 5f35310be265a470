"""Layers that Keras 3 computes otherwise than Keras 2, or keeps otherwise, against formulas in NumPy."""

import keras
import numpy as np
import pytest
from keras import layers

import xaug
from xaug.networks.keras_versions import is_keras_3

EVENTS, STEPS, FEATURES = 6, 5, 4
ONLY_KERAS_3 = pytest.mark.skipif(not is_keras_3(), reason="Keras 2 merges padded steps as they are")


def explained(model, *x):
    """Relevance of the output by the bare contributions, and the output, in float64."""
    named = dict(zip([tensor.name for tensor in model.inputs], x, strict=True))
    found = xaug.explain.lrp(model, named, "epsilon", "signal", "native", 1e-12, dtype="float64")
    return [found.relevance[name] for name in named], found.logit


def steps(lengths, seed):
    """Events whose steps behind their length are padded with zeros."""
    x = np.random.default_rng(seed).normal(size=(EVENTS, STEPS, FEATURES)).astype(np.float32)
    x[np.arange(STEPS) >= np.array(lengths)[:, None]] = 0.0
    return x


def merged(kind, values, real):
    """What Keras 3 makes of inputs with padded steps, and the part of each input in it."""
    values, real = np.stack(values), np.stack(real)
    if kind == "Multiply":
        y = np.where(real, values, 1).prod(axis=0)
        y = np.where(real.any(axis=0), y, 0)
        return y, real / np.maximum(real.sum(axis=0), 1)
    sign = 1 if kind == "Maximum" else -1
    best = np.where(real, sign * values, -np.inf)
    part = (np.arange(len(values))[:, None, None, None] == best.argmax(axis=0)).astype(float)
    return sign * np.where(real.any(axis=0), best.max(axis=0), sign * values[0]), part


@ONLY_KERAS_3
@pytest.mark.parametrize("masked", [(True, False), (True, True)])
@pytest.mark.parametrize("kind", ["Multiply", "Maximum", "Minimum"])
def test_padded_steps_are_left_out_of_what_is_merged(randomised, kind, masked):
    inputs = [keras.Input((STEPS, FEATURES), name=name) for name in "ab"]
    parts = [layers.Masking(0.0)(x) if own else x for x, own in zip(inputs, masked, strict=True)]
    y = layers.Permute((2, 1))(getattr(layers, kind)()(parts))  # without a mask
    model = randomised(keras.Model(inputs, layers.Dense(1, use_bias=False, name="out")(layers.Flatten()(y))), seed=1)
    x = [steps([5, 3, 1, 4, 2, 5], 1), steps([5, 4, 1, 2, 3, 4], 2)]
    real = [
        np.broadcast_to((one != 0).any(axis=-1, keepdims=True) | (not own), one.shape)
        for one, own in zip(x, masked, strict=True)
    ]
    w = model.get_layer("out").get_weights()[0].reshape(FEATURES, STEPS).T.astype(np.float64)
    found, logit = explained(model, *x)
    y, part = merged(kind, [one.astype(np.float64) for one in x], real)
    np.testing.assert_allclose(logit, (y * w).sum(axis=(1, 2)), rtol=1e-6)
    for own, expected in zip(found, part * y * w, strict=True):
        np.testing.assert_allclose(own, expected, rtol=1e-6, atol=1e-9)


@ONLY_KERAS_3
def test_a_gate_gets_nothing_unless_it_is_all_that_is_real(randomised):
    """Of a signal times a sigmoid: where the signal is padded, the number is that of the sigmoid."""
    inputs = [keras.Input((STEPS, FEATURES), name=name) for name in "ab"]
    gate = layers.Dense(FEATURES, "sigmoid", use_bias=False, name="gate")(inputs[1])
    y = layers.Permute((2, 1))(layers.Multiply()([layers.Masking(0.0)(inputs[0]), gate]))
    model = randomised(keras.Model(inputs, layers.Dense(1, use_bias=False, name="out")(layers.Flatten()(y))), seed=1)
    a, b = steps([5, 3, 1, 4, 2, 5], 1), steps([5] * EVENTS, 2)
    (of_a, of_b), _ = explained(model, a, b)
    w = model.get_layer("out").get_weights()[0].reshape(FEATURES, STEPS).T.astype(np.float64)
    sums = b.astype(np.float64) @ model.get_layer("gate").get_weights()[0]
    passing, real = 1 / (1 + np.exp(-sums)), a != 0
    np.testing.assert_allclose(of_a, a * passing * w, rtol=1e-6, atol=1e-9)
    arrived = np.where(real, 0, passing * w)
    expected = b * ((arrived / sums) @ model.get_layer("gate").get_weights()[0].T)
    np.testing.assert_allclose(of_b, expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(("axis", "groups"), [(-1, 2), (2, 4), (1, 5), (-2, 1)])
def test_groups_of_channels_are_normalised_by_themselves(randomised, axis, groups):
    inputs = keras.Input((STEPS, FEATURES), name="x")
    h = layers.GroupNormalization(groups, axis=axis, name="groups")(inputs)
    model = keras.Model(inputs, layers.Dense(1, use_bias=False, name="out")(layers.Flatten()(h)))
    randomised(model, seed=4, bias=0.3)
    x = steps([5] * EVENTS, 3)
    v = np.moveaxis(x.astype(np.float64), axis, 1)
    grouped = v.reshape(EVENTS, groups, -1)
    spread = np.sqrt(grouped.var(axis=2, keepdims=True) + 1e-3)
    gamma, beta = model.get_layer("groups").get_weights()
    y = ((grouped - grouped.mean(axis=2, keepdims=True)) / spread).reshape(v.shape)
    y = np.moveaxis(y * gamma[:, None] + beta[:, None], 1, axis)
    w = model.get_layer("out").get_weights()[0].reshape(STEPS, FEATURES)
    (found,), logit = explained(model, x)
    np.testing.assert_allclose(logit, (y * w).sum(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_allclose(found, y * w, rtol=1e-5, atol=1e-7)


class Scaled(layers.Layer):
    """Weights on the left of what they multiply, as Keras writes them in AdditiveAttention."""

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1],), initializer="ones", name="w")
        super().build(shape)

    def call(self, x):
        return self.w * x - (self.w / 2) * x


def test_weights_may_stand_on_the_left(randomised):
    inputs = keras.Input((FEATURES,), name="x")
    model = keras.Model(inputs, layers.Dense(1, use_bias=False, name="out")(Scaled(name="own")(inputs)))
    randomised(model, seed=2)
    x = np.random.default_rng(1).normal(size=(EVENTS, FEATURES)).astype(np.float32)
    (found,), _ = explained(model, x)
    (w,), (out,) = model.get_layer("own").get_weights(), model.get_layer("out").get_weights()
    np.testing.assert_allclose(found, x * w / 2 * out[:, 0], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(model.get_layer("own").w * 2.0, 2 * w)


def test_additive_attention_with_weights(randomised):
    """Scores are sums of scaled tanh; the softmax by its Taylor expansion, the mean by equal parts for both factors."""
    inputs = [keras.Input((STEPS, FEATURES), name=name) for name in ("q", "v")]
    h = layers.AdditiveAttention(name="attention")(inputs)
    model = keras.Model(inputs, layers.Dense(1, use_bias=False, name="out")(layers.Flatten()(h)))
    randomised(model, seed=6)
    q, v = (steps([5] * EVENTS, seed) for seed in (4, 5))
    (of_q, of_v), logit = explained(model, q, v)
    (scale,) = model.get_layer("attention").get_weights()
    w = model.get_layer("out").get_weights()[0].reshape(STEPS, FEATURES).astype(np.float64)
    for n in range(EVENTS):
        sums = q[n].astype(np.float64)[:, None] + v[n].astype(np.float64)[None]  # queries, keys, features
        bent = scale * np.tanh(sums)
        scores = bent.sum(axis=2)
        p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(logit[n], ((p @ v[n]) * w).sum(), rtol=1e-5)
        parts = p[:, :, None] * v[n][None] * w[:, None]  # of each query, key and feature
        arrived = parts.sum(axis=2) / 2
        of_scores = scores * (arrived - p * arrived.sum(axis=1, keepdims=True))
        back = bent / scores[:, :, None] * of_scores[:, :, None] / sums
        np.testing.assert_allclose(of_q[n], (back * q[n][:, None]).sum(axis=1), rtol=1e-4, atol=1e-6)
        expected = (back * v[n][None]).sum(axis=0) + parts.sum(axis=0) / 2
        np.testing.assert_allclose(of_v[n], expected, rtol=1e-4, atol=1e-6)
