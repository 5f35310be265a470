"""Small Keras models for explanations, with random weights and biases."""

import keras
import numpy as np
import pytest
from keras import layers


def randomise(model, seed=0, bias=0.1, scale=1.0):
    """Set all weights at random: kernels of unit gain, biases and shifts of the given size (0: none)."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        weights = []
        for variable in layer.weights:
            name, shape = variable.name.split("/")[-1].split(":")[0], tuple(variable.shape)
            if name == "moving_variance":
                weights.append(rng.uniform(0.5, 2.0, shape))
            elif name in ("bias", "beta", "moving_mean"):
                weights.append(bias * rng.normal(size=shape))
            elif name == "gamma":
                weights.append(rng.uniform(0.5, 1.5, shape))
            else:
                weights.append(scale * rng.normal(size=shape) / np.sqrt(max(np.prod(shape[:-1]), 1)))
        layer.set_weights(weights)
    return model


@pytest.fixture(name="randomised", scope="session")
def _randomised():
    """Sets the weights of a model at random, see `randomise`."""
    return randomise


@pytest.fixture
def mlp():
    """xaug (7) -> 12 -> 9 -> softmax 2."""

    def make(bias=0.1, outputs=2, activation="softmax", seed=0):
        x = inputs = keras.Input((7,), name="xaug")
        x = layers.Dense(12, activation="relu", name="d1")(x)
        x = layers.Dense(9, activation="relu", name="d2")(x)
        x = layers.Dense(outputs, activation=activation, name="out")(x)
        return randomise(keras.Model(inputs, x, name="small_mlp"), seed, bias)

    return make


@pytest.fixture
def cnn():
    """The 2D CNN of the package with 36 XAUGs."""

    def make(bias=0.1, seed=0):
        from xaug.networks import build, choose_inputs

        return randomise(build(choose_inputs("jets", "cnn2d", "all")), seed, bias, scale=1.4)

    return make


@pytest.fixture
def cnn_inputs():
    """Sparse images and scaled XAUGs of 20 events."""
    rng = np.random.default_rng(3)
    image = rng.exponential(0.05, (20, 16, 16, 1)) * (rng.random((20, 16, 16, 1)) < 0.1)
    return {"image": image.astype(np.float32), "xaug": rng.random((20, 36)).astype(np.float32)}
