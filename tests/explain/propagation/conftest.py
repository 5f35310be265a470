"""Formulas of LRP written out in NumPy, which share no code with xaug, and small models to compare them with."""

import keras
import numpy as np
import pytest
from keras import layers

from xaug.explain.propagation.graph import make_graph

SAFE = 1e-7
"""Stands for a denominator of exactly zero: all shares of it are zero."""


def _safe(z):
    return np.where(z == 0, SAFE, z)


def _epsilon(rule, x, w, exists, b, relevance, convention):
    z = x @ w + (0 if convention == "ignore" else b)
    return (x[:, None] * w) @ (relevance / (z + rule.epsilon * np.where(z < 0, -1, 1)))


def _z(rule, x, w, exists, b, relevance, convention):
    return (x[:, None] * w) @ (relevance / _safe(x @ w + (0 if convention == "ignore" else b)))


def _alpha_beta(rule, x, w, exists, b, relevance, convention):
    products, total = x[:, None] * w, np.zeros(len(x))
    for factor, part, own in (
        (rule.alpha, np.maximum(products, 0), np.maximum(b, 0)),
        (-rule.beta, np.minimum(products, 0), np.minimum(b, 0)),
    ):
        shift = {"innvestigate": b, "split": own, "ignore": 0 * b}[convention]
        total += factor * (part @ (relevance / _safe(part.sum(axis=0) + shift)))
    return total


def _by_weight(v, relevance):
    return v @ (relevance / _safe(v.sum(axis=0)))


def _z_box(rule, x, w, exists, b, relevance, convention):
    products = x[:, None] * w - rule.low * np.maximum(w, 0) - rule.high * np.minimum(w, 0)
    return products @ (relevance / _safe(products.sum(axis=0)))


FORMULAS = {
    "epsilon": _epsilon,
    "z": _z,
    "alpha_beta": _alpha_beta,
    "flat": lambda rule, x, w, exists, b, relevance, convention: _by_weight(exists, relevance),
    "w_square": lambda rule, x, w, exists, b, relevance, convention: _by_weight(w**2, relevance),
    "z_box": _z_box,
}
"""Shares R_j of one event, all products x_j w_jk written out, by the name of the rule.

x (inputs,), w (inputs, outputs), exists (which entries of w are connections), b (outputs,), relevance (outputs,).
"""


@pytest.fixture(scope="session")
def formulas():
    """Formula of every rule, by name."""
    return FORMULAS


@pytest.fixture(scope="session")
def share():
    """share(rule, x, w, exists, b, relevance, convention): R_j of a linear layer of one event, by NumPy."""
    return lambda rule, *arguments: FORMULAS[rule.name](rule, *arguments)


@pytest.fixture(scope="session")
def graph_of():
    """Canonical graph of a model."""
    return make_graph


@pytest.fixture
def chain(randomised):
    """chain(shape, layer, ...): a model of one input, the given layers, and a softmax over a dense layer."""

    def make(shape, *steps, outputs=2, seed=0, bias=0.1):
        x = inputs = keras.Input(shape, name="x")
        for step in steps:
            x = step(x)
        if len(x.shape) > 2:
            x = layers.Flatten()(x)
        x = layers.Dense(outputs, "softmax", name="out")(x)
        return randomised(keras.Model(inputs, x, name="chain"), seed, bias)

    return make


def _matrix_of(layer, shape):
    size = int(np.prod(shape))

    def matrix(weights):
        config = {**layer.get_config(), "activation": "linear", "name": "twin", "dtype": "float64"}
        twin = type(layer).from_config(config)
        twin.build((None, *shape))
        twin.set_weights(weights)
        zero = twin(np.zeros((1, *shape))).numpy().reshape(-1)
        return twin(np.eye(size).reshape(size, *shape)).numpy().reshape(size, -1) - zero, zero

    weights = layer.get_weights()
    kernels = weights[: 2 if "Separable" in type(layer).__name__ else 1]
    exists, _ = matrix([np.ones_like(v) for v in kernels] + [np.zeros_like(v) for v in weights[len(kernels) :]])
    w, b = matrix(weights)
    return w, exists, b


@pytest.fixture(scope="session")
def matrix_of():
    """matrix_of(layer, shape): w and which of its entries exist (inputs, outputs), and the bias (outputs,), flattened.

    They are read off the Keras layer by its action on unit vectors.
    """
    return _matrix_of
