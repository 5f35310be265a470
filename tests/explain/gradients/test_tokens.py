"""Integrated Gradients of tokens, against the vectors of the embedding by hand."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import xaug

STEPS, TOKENS, WIDTH = 4, 6, 3
X = np.random.default_rng(1).integers(0, TOKENS, (5, STEPS))


def explained(model, x, baseline=None, **options):
    start = xaug.explain.Blank() if baseline is None else baseline
    return xaug.explain.integrated_gradients(model, x, start, "signal", **options)


def test_a_linear_network_by_hand(randomised):
    kinds, momenta = keras.Input((STEPS,), name="kinds", dtype="int32"), keras.Input((STEPS, 2), name="momenta")
    h = layers.Concatenate()([layers.Embedding(TOKENS, WIDTH, name="vectors")(kinds), momenta])
    model = keras.Model([kinds, momenta], layers.Dense(1, "sigmoid", name="out")(layers.Flatten()(h)))
    randomised(model, seed=1, bias=0.2)
    vectors = model.get_layer("vectors").get_weights()[0].astype(np.float64)
    w = model.get_layer("out").get_weights()[0].reshape(STEPS, WIDTH + 2)
    p, start = np.random.default_rng(2).normal(size=(5, STEPS, 2)), np.array([1, 2, 3, 4])
    found = explained(model, {"kinds": X, "momenta": p}, {"kinds": start, "momenta": np.zeros((STEPS, 2))})
    expected = ((vectors[X] - vectors[start]) * w[:, :WIDTH]).sum(axis=-1)
    np.testing.assert_allclose(found.relevance["kinds"], expected, atol=1e-5)
    np.testing.assert_allclose(found.relevance["momenta"], p * w[:, WIDTH:], atol=1e-5)
    frozen = explained(model, {"kinds": X, "momenta": p}, frozen=["kinds"])
    assert not frozen.relevance["kinds"].any()


def test_padded_tokens_get_nothing_and_the_rest_adds_up(randomised):
    kinds = keras.Input((STEPS,), name="kinds", dtype="int32")
    h = layers.GRU(3)(layers.Embedding(TOKENS, WIDTH, mask_zero=True)(kinds))
    model = randomised(keras.Model(kinds, layers.Dense(2, "softmax")(h)), seed=2, bias=0.2)
    before = model.get_weights()
    found = explained(model, {"kinds": X})
    assert not found.relevance["kinds"][X == 0].any()
    assert np.abs(found.residual).max() < 2e-3
    p = np.asarray(model(X), np.float64)
    np.testing.assert_allclose(found.logit, np.log(p[:, 1] / p[:, 0]), atol=1e-4)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert len(model.layers[1]._inbound_nodes) == 1, "the model of the user was not called"


def test_tokens_of_type_float32_are_tokens_as_well(randomised):
    """`keras.Input((STEPS,))` without a type is what the examples of Keras write in front of an Embedding."""
    found = []
    for dtype in ("int32", "float32"):
        kinds = keras.Input((STEPS,), name="kinds", dtype=dtype)
        h = layers.Flatten()(layers.Embedding(TOKENS, WIDTH)(kinds))
        model = randomised(keras.Model(kinds, layers.Dense(2, "softmax")(h)), seed=2, bias=0.2)
        found.append(explained(model, {"kinds": X}).relevance["kinds"])
    assert np.abs(found[0]).max() > 0.1
    np.testing.assert_allclose(found[1], found[0], atol=1e-6)


class Positions(layers.Layer):
    """Vectors of tokens and of positions, as a user writes them."""

    def __init__(self):
        super().__init__(name="positions")
        self.tokens, self.places = layers.Embedding(TOKENS, WIDTH), layers.Embedding(STEPS, WIDTH)

    def call(self, x):
        return self.tokens(x) + self.places(tf.range(tf.shape(x)[-1]))


def test_a_layer_of_the_users_own_gives_the_vectors(randomised):
    kinds = keras.Input((STEPS,), name="kinds", dtype="int32")
    h = layers.Flatten()(Positions()(kinds))
    model = randomised(keras.Model(kinds, layers.Dense(1, "sigmoid")(h)), seed=3, bias=0.0)
    found = explained(model, {"kinds": X})
    w = model.layers[-1].get_weights()[0].reshape(STEPS, WIDTH)
    vectors = model.get_layer("positions").tokens.get_weights()[0]
    np.testing.assert_allclose(found.relevance["kinds"], ((vectors[X] - vectors[0]) * w).sum(-1), atol=1e-5)
