"""Every activation that the Keras at hand knows by name: explained by its values, or refused by name."""

import math

import keras
import numpy as np
import pytest
from keras import layers

import xaug
from xaug.core.errors import ModelError
from xaug.explain.propagation.layers.activation import POINTWISE
from xaug.networks.keras_versions import is_keras_3

NO_FUNCTIONS = ("get", "serialize", "deserialize")
NAMES = sorted(
    name for name, own in vars(keras.activations).items() if callable(own) and not name.startswith("_")
    and name not in NO_FUNCTIONS
)  # fmt: skip
MIXING = ("glu", "log_softmax", "sparsemax")
"""Activations that mix the outputs of a layer, and are refused."""
NEEDS_NUMBERS = ("threshold",)
"""Functions that need more than their input, so that a layer cannot have them by name."""


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def hard_sigmoid(z):
    return np.clip(z / 6 + 0.5, 0, 1) if is_keras_3() else np.clip(0.2 * z + 0.5, 0, 1)


def gelu(z):
    return z * (1 + np.vectorize(math.erf)(z / np.sqrt(2))) / 2


FORMULAS = {
    "celu": lambda z: np.where(z > 0, z, np.expm1(z)),
    "elu": lambda z: np.where(z > 0, z, np.expm1(z)),
    "exponential": np.exp,
    "gelu": gelu,
    "hard_shrink": lambda z: np.where(np.abs(z) > 0.5, z, 0),
    "hard_sigmoid": hard_sigmoid,
    "hard_silu": lambda z: z * hard_sigmoid(z),
    "hard_swish": lambda z: z * hard_sigmoid(z),
    "hard_tanh": lambda z: np.clip(z, -1, 1),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.2 * z),
    "linear": lambda z: z,
    "log_sigmoid": lambda z: -np.log1p(np.exp(-z)),
    "mish": lambda z: z * np.tanh(np.log1p(np.exp(z))),
    "relu": lambda z: np.maximum(z, 0),
    "relu6": lambda z: np.clip(z, 0, 6),
    "selu": lambda z: 1.05070098 * np.where(z > 0, z, 1.67326324 * np.expm1(z)),
    "sigmoid": sigmoid,
    "silu": lambda z: z * sigmoid(z),
    "soft_shrink": lambda z: np.sign(z) * np.maximum(np.abs(z) - 0.5, 0),
    "softmax": lambda z: np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True),
    "softplus": lambda z: np.log1p(np.exp(z)),
    "softsign": lambda z: z / (1 + np.abs(z)),
    "sparse_plus": lambda z: np.where(z <= -1, 0, np.where(z >= 1, z, (z + 1) ** 2 / 4)),
    "sparse_sigmoid": lambda z: np.clip((z + 1) / 2, 0, 1),
    "squareplus": lambda z: (z + np.sqrt(z**2 + 4)) / 2,
    "swish": lambda z: z * sigmoid(z),
    "tanh": np.tanh,
    "tanh_shrink": lambda z: z - np.tanh(z),
}
"""Activations as their papers write them."""


def test_every_name_is_explained_or_refused():
    assert set(NAMES) == set(NAMES) & (set(FORMULAS) | set(MIXING) | set(NEEDS_NUMBERS))
    assert set(NAMES) - set(MIXING) - set(NEEDS_NUMBERS) - {"softmax"} <= set(POINTWISE)


def network(randomised, name):
    """A network with the activation in its middle, its first weights, and those behind it."""
    inputs = keras.Input((4,), name="x")
    h = layers.Dense(6, name, use_bias=False, name="bent")(inputs)
    width = h.shape[-1]
    model = randomised(keras.Model(inputs, layers.Dense(1, use_bias=False, name="out")(h)), seed=5)
    v, w = (model.get_layer(one).get_weights()[0].astype(np.float64) for one in ("bent", "out"))
    assert w.shape == (width, 1)
    return model, v, w[:, 0]


X = np.random.default_rng(8).normal(size=(5, 4)).astype(np.float32)


@pytest.mark.parametrize("name", sorted(set(NAMES) & set(FORMULAS) - {"softmax"}))
def test_relevance_passes_an_activation_unchanged(randomised, name):
    model, v, w = network(randomised, name)
    found = xaug.explain.lrp(model, X, "epsilon", "signal", "native", 1e-12, dtype="float64")
    z = X.astype(np.float64) @ v
    a = FORMULAS[name](z)
    np.testing.assert_allclose(found.logit, a @ w, rtol=1e-6, atol=1e-7)
    expected = X * ((a * w / z) @ v.T)
    np.testing.assert_allclose(found.relevance["x"], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", MIXING)
@pytest.mark.skipif(not is_keras_3(), reason="Keras 2 has no activation that mixes outputs but the softmax")
def test_an_activation_that_mixes_outputs_is_refused_by_name(name):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(2)(layers.Dense(6, name, name="bent")(inputs)))
    words = f"layer 'bent' .Dense. has activation '{name}', which has no rule.*Remedy: .*integrated_gradients"
    with pytest.raises(ModelError, match=words if name != "glu" else "cannot be evaluated"):  # not even by Keras
        xaug.explain.lrp(model, X, "epsilon", "signal", "native")


@pytest.mark.skipif(not is_keras_3(), reason="Keras 2 has no other activations than the networks of other tests")
def test_attributions_add_up_behind_activations_of_keras_3(randomised):
    inputs = keras.Input((4,), name="x")
    smooth = ("celu", "hard_silu", "log_sigmoid", "sparse_plus", "squareplus", "tanh_shrink")
    parts = [layers.Dense(1, name, use_bias=False, name=name)(inputs) for name in smooth]
    out = layers.Dense(1, use_bias=False, name="out")(layers.Concatenate()(parts))
    model = randomised(keras.Model(inputs, out), seed=5)
    found = xaug.explain.integrated_gradients(model, X, xaug.explain.Blank(), "signal")

    def hidden(x):
        own = [FORMULAS[name](x @ model.get_layer(name).get_weights()[0].astype(np.float64)) for name in smooth]
        return np.concatenate(own, axis=1)

    change = (hidden(X.astype(np.float64)) - hidden(np.zeros((5, 4)))) @ model.get_layer("out").get_weights()[0]
    np.testing.assert_allclose(found.relevance["x"].sum(axis=1), change[:, 0], atol=2e-3)


@pytest.mark.skipif(not is_keras_3(), reason="Keras 2 has no activation that jumps")
def test_an_activation_that_jumps_is_told(randomised):
    model, _, _ = network(randomised, "hard_shrink")
    with pytest.warns(UserWarning, match="jumps"):
        xaug.explain.integrated_gradients(model, X, xaug.explain.Blank(), "signal")
