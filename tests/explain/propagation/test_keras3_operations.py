"""Operations of `keras.ops` between Keras tensors, which LRP follows as it does those of TensorFlow."""

import keras
import numpy as np
import pytest
from keras import layers

import xaug
from xaug.core.errors import ModelError
from xaug.networks.keras_versions import is_keras_3

pytestmark = pytest.mark.skipif(not is_keras_3(), reason="keras.ops came with Keras 3")
STEPS, FEATURES = 5, 3


def dense(units, activation=None):
    return layers.Dense(units, activation, use_bias=False)


def residual(x):
    """Sums, differences and slices by operators."""
    h = dense(FEATURES, "relu")(x) + x
    return keras.ops.concatenate([h[:, 0] - 0.5 * x[:, 1], keras.ops.sum(h, axis=1)], axis=-1)


def masked_mean(x):
    """The mean of real particles, with a mask that the model computes itself."""
    real = keras.ops.cast(keras.ops.not_equal(x[..., :1], 0.0), "float32")
    return keras.ops.sum(dense(4, "relu")(x) * real, axis=1) / keras.ops.maximum(keras.ops.sum(real, axis=1), 1.0)


def attention(x):
    """Attention by hand."""
    scores = keras.ops.softmax(keras.ops.matmul(dense(4)(x), keras.ops.transpose(dense(4)(x), (0, 2, 1))), axis=-1)
    return keras.ops.max(keras.ops.matmul(scores, dense(4, "relu")(x)), axis=1)


@pytest.mark.parametrize(("build", "conserves"), [(residual, True), (masked_mean, True), (attention, False)])
def test_operations_are_followed(randomised, build, conserves):
    """The guard compares the logits with Keras; without bias, relevance adds up to the logit."""
    inputs = keras.Input((STEPS, FEATURES), name="list")
    model = randomised(keras.Model(inputs, layers.Dense(2, "softmax", use_bias=False)(build(inputs))), seed=1)
    x = np.random.default_rng(0).normal(size=(9, STEPS, FEATURES)).astype(np.float32)
    x[::2, 3:] = 0
    found = xaug.explain.lrp(model, x, "epsilon", "signal", "native", 1e-10, dtype="float64")
    if conserves:
        np.testing.assert_allclose(found.residual, 0, atol=1e-5 * np.abs(found.logit).max())
    ig = xaug.explain.integrated_gradients(model, x, xaug.explain.Blank(), "signal")
    if build is residual:
        np.testing.assert_allclose(ig.residual, 0, atol=2e-3)


def test_an_operation_without_a_rule_is_named():
    inputs = keras.Input((STEPS, FEATURES), name="list")
    model = keras.Model(inputs, dense(2)(layers.Flatten()(keras.ops.cumprod(inputs, axis=1))))
    with pytest.raises(ModelError, match=r"is the operation ops\.cumprod, which has no rule"):
        xaug.explain.lrp(model, np.ones((2, STEPS, FEATURES), np.float32), "epsilon", 0, "native")
