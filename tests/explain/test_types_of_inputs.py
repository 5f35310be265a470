"""Inputs of every type: true and false, whole numbers, tokens, half precision; numbers that float32 does not hold."""

import keras
import numpy as np
import pytest
from keras import layers

import xaug
from xaug.core.errors import ModelError
from xaug.explain import Blank
from xaug.networks.keras_versions import is_keras_3

RNG = np.random.default_rng(6)
LENGTHS = np.array([6, 2, 1, 4, 5, 6, 3, 6, 1])
MASK = np.arange(6) < LENGTHS[:, None]
X = RNG.normal(size=(9, 6, 3)).astype(np.float32) * MASK[..., None]


def of_tensorflow(name, keras_3_name=None):
    if is_keras_3():
        return getattr(keras.ops, keras_3_name or name)
    import tensorflow as tf

    return getattr(tf, name)


def where(mask, x):
    return of_tensorflow("where")(mask[..., None], x, 0.0)


def cast(mask, x):
    return of_tensorflow("cast")(mask, "float32")[..., None] * x


@pytest.mark.parametrize("read", [where, cast])
def test_a_mask_of_true_and_false(read):
    """LRP with small epsilon is gradient times input, for a network that is linear between kinks; IG adds up."""
    import tensorflow as tf

    particles, mask = keras.Input((6, 3), name="list"), keras.Input((6,), dtype="bool", name="mask")
    kept = read(mask, layers.Dense(4, "relu", use_bias=False)(particles))
    total = of_tensorflow("reduce_sum", "sum")(kept, axis=1)
    model = keras.Model([particles, mask], layers.Dense(2, use_bias=False)(total))
    x = {"list": X, "mask": MASK}
    found = xaug.explain.lrp(model, x, "epsilon", 0, "native", 1e-10)
    with tf.GradientTape() as tape:
        tape.watch(values := tf.constant(X))
        y = model([values, tf.constant(MASK)])[:, 0]
    np.testing.assert_allclose(found.relevance["list"], X * tape.gradient(y, values).numpy(), rtol=1e-3, atol=1e-5)
    with pytest.raises(ModelError, match=r"no path between true and false. Remedy: freeze it, with frozen=\['mask'\]"):
        xaug.explain.integrated_gradients(model, x, Blank(), 0)
    for baseline in (Blank(), xaug.explain.Sample({"list": X[:2], "mask": MASK[:2]})):
        found = xaug.explain.integrated_gradients(model, x, baseline, 0, frozen=["mask"])
        moved = np.maximum(1, np.abs(found.logit - found.reference))
        np.testing.assert_allclose(found.residual / moved, 0, atol=1e-3)
        assert not found.relevance["mask"].any()


def test_whole_numbers_that_are_measurements_are_explained_by_the_remedy():
    pixels = keras.Input((4, 4, 1), dtype="uint8", name="pixels")
    hidden = layers.Flatten()(layers.Rescaling(1 / 255.0)(pixels))
    model = keras.Model(pixels, layers.Dense(2)(layers.Dense(3, "relu")(hidden)))
    x = RNG.integers(0, 255, (5, 4, 4, 1))
    with pytest.raises(ModelError, match=r"clone_model\(model, keras.Input\(shape, name='pixels'\)\)"):
        xaug.explain.integrated_gradients(model, x, Blank(), 0)
    copy = keras.models.clone_model(model, keras.Input((4, 4, 1), name="pixels"))
    copy.set_weights(model.get_weights())
    found = xaug.explain.integrated_gradients(copy, x, Blank(), 0)
    np.testing.assert_allclose(found.logit, model(x).numpy()[:, 0], rtol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_padding_that_float32_does_not_hold(dtype):
    """The model compares with float32(0.1), whatever the type in which it is explained."""
    particles = keras.Input((6, 3), name="list")
    model = keras.Model(particles, layers.Dense(2)(layers.GRU(3)(layers.Masking(0.1)(particles))))
    x = np.where(MASK[..., None], X, 0.1)
    found = xaug.explain.lrp(model, x, "epsilon", 0, "native", dtype=dtype)
    np.testing.assert_allclose(found.logit, model(x.astype(np.float32)).numpy()[:, 0], rtol=1e-3, atol=1e-5)
    assert not found.relevance["list"][~MASK].any()


@pytest.mark.parametrize("token", [-1, 12])
def test_tokens_out_of_range_are_named(token):
    if is_keras_3() and token < 0:
        pytest.skip("Keras 3 counts them from the end")
    tokens = keras.Input((6,), dtype="int32", name="tokens")
    model = keras.Model(tokens, layers.Dense(2)(layers.GRU(3)(layers.Embedding(10, 4)(tokens))))
    x = np.full((9, 6), 3)
    x[0], x[1], x[4, 2] = 9, 0, token
    for explain in (
        lambda: xaug.explain.lrp(model, x, "epsilon", 0),
        lambda: xaug.explain.integrated_gradients(model, x, Blank(), 0),
        lambda: xaug.explain.occlusion(model, x, Blank(), 0),
    ):
        with pytest.raises(ModelError, match=rf"= {token} is not in \[0, 10\)"):
            explain()


def test_a_network_of_half_precision():
    keras.backend.set_floatx("float16")
    try:
        x = keras.Input((5,), name="x")
        model = keras.Model(x, layers.Dense(3)(layers.Dense(6, "relu")(x)))
    finally:
        keras.backend.set_floatx("float32")
    values = RNG.normal(size=(7, 5)).astype(np.float32)
    expected = model(values).numpy()[:, 1].astype(float)
    for found in (
        xaug.explain.lrp(model, values, "epsilon", 1, "native"),
        xaug.explain.integrated_gradients(model, values, Blank(), 1),
    ):
        np.testing.assert_allclose(found.logit, expected, atol=5e-3)
