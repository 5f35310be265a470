"""Small Keras models for explanations, with random weights and biases, and inputs for them."""

import traceback

import keras
import numpy as np
import pytest
from keras import layers

from xaug.core.errors import ConfigurationError, ModelError
from xaug.networks.keras_versions import is_keras_3


def _needs_keras_2(error):
    """Why a test cannot run with Keras 3, if its own lines ask for what only Keras 2 has; None for other errors."""
    if not is_keras_3():
        return None
    if isinstance(error, ConfigurationError) and str(error).startswith("iNNvestigate needs TensorFlow 2.14"):
        return "needs iNNvestigate in its own environment, and so Keras 2"
    own = not any("/xaug/explain/" in frame.filename for frame in traceback.extract_tb(error.__traceback__))
    in_tensorflow = any("/tensorflow/" in frame.filename for frame in traceback.extract_tb(error.__traceback__))
    if own and in_tensorflow and "KerasTensor" in str(error):
        return "its model has functions of TensorFlow between Keras tensors, which Keras 3 does not take"
    if isinstance(error, ModelError) and "cannot be followed: A KerasTensor cannot be used as input" in str(error):
        return "its layer computes with functions of TensorFlow, which cannot be followed in Keras 3"
    if own and "could not automatically infer the shape of the Lambda" in str(error):
        return "its Lambda layer says no output_shape, which Keras 3 asks for"
    gone = "ThresholdedReLU", "LocallyConnected1D", "LocallyConnected2D"
    if own and isinstance(error, AttributeError) and any(f"no attribute '{name}'" in str(error) for name in gone):
        return f"its layer is not in Keras 3: {error}"
    return None


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """Skip a test where it asks for what Keras 3 does not have."""
    try:
        return (yield)
    except Exception as error:
        reason = _needs_keras_2(error)
        if reason is None:
            raise
        pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef, request):
    """Skip a test whose fixture asks for what Keras 3 does not have."""
    try:
        return (yield)
    except Exception as error:
        reason = _needs_keras_2(error)
        if reason is None:
            raise
        pytest.skip(reason)


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


@pytest.fixture(scope="session")
def widely_randomised():
    """Sets the weights of a model at random, with biases and shifts of unit size.

    Not `randomised` with a larger bias: limits of the tests of Integrated Gradients are set for these numbers.
    """

    def randomise(model, seed=0):
        rng = np.random.default_rng(seed)
        for layer in model.layers:
            weights = [rng.normal(size=w.shape) / np.sqrt(np.prod(w.shape[:-1]) or 1) for w in layer.get_weights()]
            if type(layer).__name__ == "BatchNormalization":
                weights = [rng.uniform(0.5, 1.5, w.shape) if i in (0, 3) else w for i, w in enumerate(weights)]
            layer.set_weights(weights)
        return model

    return randomise


@pytest.fixture(scope="session")
def random_inputs():
    """random_inputs(model, n, seed): normal numbers for each input of a model."""

    def draw(model, n, seed):
        rng = np.random.default_rng(seed)
        return {
            name: rng.normal(size=(n, *tensor.shape[1:])).astype(np.float32)
            for name, tensor in zip([t.name for t in model.inputs], model.inputs, strict=True)
        }

    return draw


@pytest.fixture
def event_dnn(widely_randomised):
    """event (9) -> 16 -> 16 -> sigmoid, with BatchNormalization and swish."""

    def make(features=9, width=16, head="sigmoid", seed=0):
        x = inputs = keras.Input((features,), name="event")
        for _ in range(2):
            x = layers.Dropout(0.2)(layers.Activation("swish")(layers.BatchNormalization()(layers.Dense(width)(x))))
        x = layers.Dense(1 if head == "sigmoid" else 2, activation=head)(x)
        return widely_randomised(keras.Model(inputs, x), seed)

    return make


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
        from xaug import variables
        from xaug.networks.choice import choose_inputs
        from xaug.networks.registry import build

        return randomise(build(choose_inputs(variables.table_of("jets"), "cnn2d", "all")), seed, bias, scale=1.4)

    return make


@pytest.fixture
def cnn_inputs():
    """Sparse images and scaled XAUGs of 20 events."""
    rng = np.random.default_rng(3)
    image = rng.exponential(0.05, (20, 16, 16, 1)) * (rng.random((20, 16, 16, 1)) < 0.1)
    return {"image": image.astype(np.float32), "xaug": rng.random((20, 36)).astype(np.float32)}


@pytest.fixture(scope="module")
def two_classes(tmp_path_factory):
    """A model of three columns with one sigmoid output that knows something, and events of two classes."""
    directory = tmp_path_factory.mktemp("two")
    model = keras.Sequential([keras.Input((3,), name="hlf"), keras.layers.Dense(1, activation="sigmoid")])
    model.set_weights([np.array([[1.0], [-0.5], [0.1]]), np.array([0.2])])
    model.save(directory / "tagger.h5")
    rng = np.random.default_rng(2)
    label = np.arange(400) % 2
    np.savez(directory / "test.npz", hlf=rng.normal(label[:, None] * [1.0, -0.5, 0.0], 1.0, (400, 3)), label=label)
    return directory
