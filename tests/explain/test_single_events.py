"""Networks whose number of an event is random, or depends on the events beside it: no method explains them."""

import keras
import numpy as np
import pytest
from keras import layers

import xaug
from xaug.core.errors import ModelError
from xaug.explain import Blank
from xaug.networks.keras_versions import is_keras_3

X = np.random.default_rng(5).normal(size=(9, 6, 3)).astype(np.float32)


@keras.saving.register_keras_serializable("tests")
class InTraining(layers.Layer):
    """A layer that always behaves as in training, whatever it is told."""

    def __init__(self, inner, **options):
        super().__init__(**options)
        self.inner = inner

    def call(self, x):
        return self.inner(x, training=True)


class LessTheMean(layers.Layer):
    def __init__(self, axis, **options):
        super().__init__(**options)
        self.axis = axis

    def call(self, x):
        mean = keras.ops.mean if is_keras_3() else __import__("tensorflow").reduce_mean
        return x - mean(x, self.axis, keepdims=True)


class OverTheLargest(layers.Layer):
    def call(self, x):
        largest = keras.ops.max if is_keras_3() else __import__("tensorflow").reduce_max
        return x / largest(x)


def network(*inside):
    x = keras.Input((6, 3), name="list")
    h = x
    for layer in inside:
        h = layer(h)
    return keras.Model(x, layers.Dense(2)(layers.Flatten()(h)))


METHODS = {
    "lrp": lambda model, x: xaug.explain.lrp(model, x, "epsilon", 0, "native"),
    "ig": lambda model, x: xaug.explain.integrated_gradients(model, x, Blank(), 0),
    "rescale": lambda model, x: xaug.explain.rescale(model, x, Blank(), target=0),
    "gradient": lambda model, x: xaug.explain.gradient_times_input(model, x, target=0),
    "occlusion": lambda model, x: xaug.explain.occlusion(model, x, Blank(), target=0),
}
RANDOM = {
    "dropout": lambda: InTraining(layers.Dropout(0.1)),
    "noise": lambda: InTraining(layers.GaussianNoise(0.1)),
}
OF_THE_BATCH = {
    "batch": lambda: InTraining(layers.BatchNormalization()),
    "mean": lambda: LessTheMean(0),
    "largest": lambda: OverTheLargest(),
}


@pytest.mark.parametrize("method", METHODS)
def test_no_method_explains_a_random_network(method):
    for layer in RANDOM.values():
        model = network(layer())
        with pytest.raises(ModelError, match=r"is random: .*Remedy: make the same model without it"):
            METHODS[method](model, X)
        with pytest.raises(ModelError, match=r"layer .*\(InTraining\) is random"):
            METHODS[method](model, X[:1])


@pytest.mark.parametrize("method", METHODS)
def test_no_method_explains_a_network_that_reads_other_events(method):
    for layer in OF_THE_BATCH.values():
        model = network(layer())
        for x in (X, X[:1]):
            with pytest.raises(ModelError, match=r"reads across events.*Remedy: make the same model with an axis"):
                METHODS[method](model, x)


def test_a_mean_over_steps_is_one_of_the_event():
    model = network(LessTheMean(1))
    for explain in METHODS.values():
        assert len(explain(model, X)) == len(X)


def test_a_model_is_checked_again_when_its_weights_change():
    """With weights of zero behind it, a random layer changes nothing, and there is nothing to refuse."""
    model = network(RANDOM["dropout"]())
    weights = model.get_weights()
    model.set_weights([0 * w for w in weights])
    METHODS["gradient"](model, X)
    model.set_weights(weights)
    with pytest.raises(ModelError, match="is random"):
        METHODS["gradient"](model, X)


def test_a_large_constant_is_no_difference():
    """In float32 the sum of an event is rounded in other ways in another company."""
    model = network(layers.Dense(8, "tanh"))
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([kernel, bias + 1e6])
    assert len(METHODS["lrp"](model, X)) == len(X)


def test_an_event_without_particles_is_lost_alone():
    """Keras divides by no particles: 0 / 0."""
    x = keras.Input((6, 3), name="list")
    h = layers.Dense(4, "relu")(layers.Masking()(x))
    model = keras.Model(x, layers.Dense(2)(layers.GlobalAveragePooling1D()(h)))
    padded = X.copy()
    padded[7] = 0
    if np.isfinite(model(padded).numpy()).all():
        pytest.skip("this Keras gives a number for no particles")
    with pytest.warns(UserWarning, match="1 of 9 events are lost"):
        found = METHODS["lrp"](model, padded)
    assert found.is_lost.tolist() == [row == 7 for row in range(9)]
    expected = METHODS["lrp"](model, np.delete(padded, 7, 0))
    np.testing.assert_allclose(
        np.delete(found.relevance["list"], 7, 0), expected.relevance["list"], rtol=1e-4, atol=1e-6
    )


def test_a_network_that_gives_rounding_alone_is_told():
    """The mean of numbers that were normalised to a mean of zero."""
    x = keras.Input((6, 3), name="list")
    h = layers.LayerNormalization(axis=2)(x)
    model = keras.Model(x, layers.Dense(2, use_bias=False)(layers.Flatten()(LessTheMean(2)(h) - h)))
    with pytest.raises(ModelError, match="rounding and nothing else"):
        METHODS["lrp"](model, X)
