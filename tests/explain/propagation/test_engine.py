"""The native engine: layers without weights by automatic differentiation, and its invariants."""

import keras
import numpy as np
import pytest
from keras import layers

import xaug
from xaug.core.errors import ConfigurationError, ModelError
from xaug.explain.propagation.composites import choose
from xaug.explain.propagation.engine import Propagator

WEIGHTLESS = {
    "max pooling": ((6, 6, 2), lambda: [layers.Conv2D(3, 2, activation="relu"), layers.MaxPooling2D(2)]),
    "max pooling 1d": ((9, 2), lambda: [layers.Conv1D(3, 2, activation="relu"), layers.MaxPooling1D(2)]),
    "average pooling": ((6, 6, 2), lambda: [layers.Conv2D(3, 2, activation="relu"), layers.AveragePooling2D(2)]),
    "average pooling 1d": ((9, 2), lambda: [layers.Conv1D(3, 2, activation="relu"), layers.AveragePooling1D(2)]),
    "global max": ((6, 6, 2), lambda: [layers.Conv2D(3, 2, activation="relu"), layers.GlobalMaxPooling2D()]),
    "global max 1d": ((6, 2), lambda: [layers.Conv1D(3, 2, activation="relu"), layers.GlobalMaxPooling1D()]),
    "global mean": ((6, 6, 2), lambda: [layers.Conv2D(3, 2, activation="relu"), layers.GlobalAveragePooling2D()]),
    "global mean 1d": ((6, 2), lambda: [layers.Conv1D(3, 2, activation="relu"), layers.GlobalAveragePooling1D()]),
    "permute": ((4, 3), lambda: [layers.Dense(5, "relu"), layers.Permute((2, 1)), layers.Conv1D(2, 2)]),
    "reshape": ((12,), lambda: [layers.Reshape((4, 3)), layers.Dense(5), layers.ReLU()]),
    "activation": ((6,), lambda: [layers.Dense(5), layers.Activation("relu"), layers.Dropout(0.5)]),
}


@pytest.mark.parametrize("kind", WEIGHTLESS)
def test_without_biases_epsilon_is_gradient_times_input(chain, graph_of, kind):
    """For ReLU networks without biases LRP-z is gradient x input, whatever is pooled; by automatic differentiation."""
    import tensorflow as tf

    shape, make = WEIGHTLESS[kind]
    model = chain(shape, *make(), bias=0.0)
    x = np.random.default_rng(3).normal(size=(5, *shape))
    found, explained, _ = Propagator(graph_of(model), choose("epsilon", 1e-12), dtype="float64")({"x": x})
    logits = keras.Model(model.inputs, model.layers[-1].output)
    model.layers[-1].activation = keras.activations.linear
    logits = keras.models.clone_model(model)
    logits.set_weights(model.get_weights())
    with tf.GradientTape() as tape:
        inputs = tf.constant(x, tf.float32)
        tape.watch(inputs)
        value = tf.reduce_max(logits(inputs), axis=1)
    expected = x * tape.gradient(value, inputs).numpy()
    np.testing.assert_allclose(found["x"], expected, rtol=1e-3, atol=2e-5 * np.abs(expected).max())
    np.testing.assert_allclose(found["x"].reshape(5, -1).sum(axis=1), explained, rtol=1e-8, atol=1e-10)


def test_hidden_units_in_another_order_change_nothing(mlp):
    model, x = mlp(), np.random.default_rng(7).random((9, 7)).astype(np.float32)
    before = xaug.explain.lrp(model, x, engine="native").relevance["xaug"]
    order = np.random.default_rng(8).permutation(12)
    (w1, b1), (w2, b2) = (model.get_layer(name).get_weights() for name in ("d1", "d2"))
    model.get_layer("d1").set_weights([w1[:, order], b1[order]])
    model.get_layer("d2").set_weights([w2[order], b2])
    after = xaug.explain.lrp(model, x, engine="native").relevance["xaug"]
    np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-4 * np.abs(before).max())


def test_innvestigate_is_refused_where_it_is_wrong_unless_forced(chain):
    model = chain((5,), layers.Dense(4), layers.BatchNormalization(name="norm"), layers.ReLU())
    x = np.random.default_rng(11).random((3, 5)).astype(np.float32)
    with pytest.raises(ModelError, match=r"'norm'.*wrong formula"):
        xaug.explain.lrp(model, x, engine="innvestigate")
    assert xaug.explain.lrp(model, x, engine="auto").settings["engine"] == "native"
    forced = xaug.explain.lrp(model, x, engine="innvestigate", rule="preset_a", force=True)
    assert forced.settings["engine"] == "innvestigate"
    with pytest.raises(ConfigurationError, match="bias 'split'"):
        xaug.explain.lrp(model, x, engine="innvestigate", bias="split")
    with pytest.raises(ConfigurationError, match="did you mean 'split'"):
        xaug.explain.lrp(model, x, bias="splitt")
