"""What is explained at the end of a model: IG and LRP take the same head off, whatever stands behind it."""

import keras
import numpy as np
import pytest
from keras import layers

import xaug
from xaug.core.errors import ModelError
from xaug.explain.faithfulness.randomisation import cascading_randomisation
from xaug.networks.keras_versions import is_keras_3

X = np.random.default_rng(4).normal(size=(7, 5)).astype(np.float32)


def logits(units=3):
    inputs = keras.Input((5,), name="x")
    return inputs, layers.Dense(units)(layers.Dense(6, "tanh")(inputs))


def first_class(softmax):
    """ln(p_0 / p_1), which both methods explain for `0-1`."""
    return np.log(softmax[:, 0] / softmax[:, 1])


def tf_or_ops(name, *arguments):
    """A function of keras.ops in Keras 3, and that of TensorFlow of the same name in Keras 2."""
    if is_keras_3():
        return getattr(keras.ops, name)(*arguments)
    import tensorflow as tf

    return getattr(tf.nn if "soft" in name else tf, name)(*arguments)


PROBABILITIES = {
    "Softmax": lambda z: layers.Softmax()(z),
    "Dropout": lambda z: layers.Dropout(0.3)(layers.Softmax()(z)),
    "Reshape": lambda z: layers.Reshape((3,))(layers.Softmax()(z)),
    "Flatten of one step": lambda z: layers.Flatten()(layers.Softmax()(layers.Reshape((1, 3))(z))),
    "noise": lambda z: layers.Activation("linear")(layers.GaussianNoise(0.1)(layers.Softmax()(z))),
}  # fmt: skip


@pytest.mark.parametrize("end", PROBABILITIES)
def test_what_hands_a_softmax_on_is_taken_off_with_it(end):
    inputs, z = logits()
    model = keras.Model(inputs, PROBABILITIES[end](z))
    expected = first_class(model(X).numpy().astype(float))
    lrp = xaug.explain.lrp(model, X, "epsilon", "0-1", "native")
    ig = xaug.explain.integrated_gradients(model, X, xaug.explain.Blank(), "0-1")
    np.testing.assert_allclose(lrp.logit, expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(ig.logit, expected, rtol=1e-3, atol=1e-4)


def unnamed(dtype):
    """A network of two inputs that were given no name."""
    ends = [keras.Input((size,), dtype=dtype) for size in (5, 2)]
    h = layers.Dense(6, "tanh", dtype=dtype)(layers.Concatenate(dtype=dtype)(ends))
    return keras.Model(ends, layers.Dense(2, "softmax", dtype=dtype)(h))


def test_inputs_without_a_name_are_found_in_copies_of_a_model():
    """Copies are made of a network in float64, and of one whose weights are exchanged."""
    model, same = unnamed("float64"), unnamed("float32")
    same.set_weights(model.get_weights())
    x = [X, X[:, :2]]
    for explain in (
        lambda network: xaug.explain.lrp(network, x, "epsilon", 0, "native"),
        lambda network: xaug.explain.integrated_gradients(network, x, xaug.explain.Blank(), 0),
    ):
        found, expected = explain(model), explain(same)
        pairs = zip(found.relevance.values(), expected.relevance.values(), strict=True)
        for one, other in pairs:
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
    names = list(found.relevance)
    table = cascading_randomisation(
        model, lambda network: xaug.explain.lrp(network, dict(zip(names, x, strict=True)), "epsilon", 0, "native")
    )
    assert len(table) == 3


def test_logarithms_of_probabilities_have_the_same_logits():
    inputs, z = logits()
    model = keras.Model(inputs, tf_or_ops("log_softmax", z))
    logs = model(X).numpy().astype(float)
    for found in (
        xaug.explain.lrp(model, X, "epsilon", "0-1", "native"),
        xaug.explain.integrated_gradients(model, X, xaug.explain.Blank(), "0-1"),
    ):
        np.testing.assert_allclose(found.logit, logs[:, 0] - logs[:, 1], rtol=1e-3, atol=1e-4)


LINEAR = {
    "a number": lambda z: z / 2.0,
    "a sign": lambda z: -z,
    "a sum": lambda z: z + 1.0,
    "a Reshape": lambda z: layers.Reshape((3,))(z),
    "another order": lambda z: z[:, ::-1],
    "a Rescaling": lambda z: layers.Rescaling(3.0, 1.0)(z),
}


@pytest.mark.parametrize("end", LINEAR)
def test_what_stands_behind_logits_is_explained_with_them(end):
    """A model without softmax is explained as a whole: a factor at its end is not left out."""
    inputs, z = logits()
    model = keras.Model(inputs, LINEAR[end](z))
    expected = model(X).numpy()[:, 0]
    lrp = xaug.explain.lrp(model, X, "epsilon", 0, "native")
    ig = xaug.explain.integrated_gradients(model, X, xaug.explain.Blank(), 0)
    np.testing.assert_allclose(lrp.logit, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ig.logit, expected, rtol=1e-4, atol=1e-5)
    moved = np.maximum(1, np.abs(ig.logit - ig.reference))  # the default tolerance is relative to it
    np.testing.assert_allclose(ig.residual / moved, 0, atol=1e-3)


class Probabilities(layers.Layer):
    """A softmax inside a layer of the user's own."""

    def call(self, z):
        return tf_or_ops("softmax", z)

    def compute_output_shape(self, shape):
        return shape


def nested(z):
    inside = keras.Input((3,))
    return keras.Model(inside, layers.Dense(3, "softmax")(inside))(z)


def of_steps(z):
    return layers.TimeDistributed(layers.Dense(3, "softmax"))(layers.Reshape((3, 1))(z))


def own_formula(z):
    e = tf_or_ops("exp", z)
    return e / (e[:, :1] + e[:, 1:2] + e[:, 2:])


MADE_OF_PROBABILITIES = {
    "negative": lambda z: -layers.Softmax()(z),
    "scaled": lambda z: 2.0 * layers.Softmax()(z),
    "averaged": lambda z: layers.Average()([layers.Softmax()(z), layers.Softmax()(2.0 * z)]),
    "averaged networks": lambda z: layers.Average()([nested(z), nested(z)]),
    "nested, scaled": lambda z: 0.5 * nested(z),
    "nested, chosen": lambda z: nested(z)[:, :2],
    "nested, one minus": lambda z: 1.0 - nested(z),
    "nested, multiplied": lambda z: layers.Multiply()([nested(z), nested(z)]),
    "nested, normalised": lambda z: layers.BatchNormalization()(nested(z)),
    "nested sigmoids, joined": lambda z: layers.Concatenate()([layers.Dense(1, "sigmoid")(z), nested(z)]),
    "averaged over steps": lambda z: layers.GlobalAveragePooling1D()(of_steps(z)),
    "layers of one's own": lambda z: layers.Average()([Probabilities()(z), Probabilities()(2.0 * z)]),
    "exponentials over their sum": own_formula,
}


@pytest.mark.parametrize("end", MADE_OF_PROBABILITIES)
def test_what_is_made_of_probabilities_is_refused_with_a_remedy_that_works(end):
    inputs, z = logits()
    model = keras.Model(inputs, MADE_OF_PROBABILITIES[end](z))
    for explain in ("lrp", "ig") if end in ("averaged", "averaged networks") else ("lrp",):
        check_refused(model, explain)


def logarithm(x):
    return keras.ops.log(x) if is_keras_3() else __import__("tensorflow").math.log(x)


def looped(z):
    """A nested network with a loop over events, which Keras 2 does not let us take apart."""
    import tensorflow as tf

    inside = keras.Input((3,))
    h = layers.Lambda(lambda x: tf.map_fn(lambda one: 2.0 * one, x), output_shape=(3,))(inside)
    return keras.Model(inside, layers.Dense(3, "softmax", name="inner_head")(h))(z)


def test_probabilities_of_networks_that_cannot_be_taken_apart_are_no_logits():
    inputs, z = logits()
    model = keras.Model(inputs, layers.Average()([looped(z), looped(z)]))
    with pytest.raises(ModelError, match=r"inner_head.*made of probabilities"):
        EXPLAIN["ig"](model, "logit")
    assert np.isfinite(EXPLAIN["ig"](model, "value").logit).all()


SIGNALS = {
    "calibrated by a trained layer": lambda z: layers.Dense(3)(nested(z)),
    "weighted by attention": lambda z: layers.Softmax()(layers.Dense(3)(z)) * z,
    "a gate": lambda z: layers.Dense(3, "sigmoid")(z) * z,
    "a difference of logarithms": lambda z: logarithm(nested(z)) - logarithm(nested(z)[:, :1]),
}


@pytest.mark.parametrize("end", SIGNALS)
def test_signals_that_a_softmax_has_a_part_in_are_no_probabilities(end):
    inputs, z = logits()
    model = keras.Model(inputs, SIGNALS[end](z))
    found = xaug.explain.lrp(model, X, "epsilon", 0, "native")
    np.testing.assert_allclose(found.logit, model(X).numpy()[:, 0], rtol=1e-4, atol=1e-5)


def test_a_softmax_over_events_is_no_head():
    inputs, z = logits()
    softmax = keras.ops.softmax(z, axis=0) if is_keras_3() else __import__("tensorflow").nn.softmax(z, axis=0)
    model = keras.Model(inputs, softmax)
    for explain in ("lrp", "ig"):
        with pytest.raises(ModelError, match="reads across events"):
            EXPLAIN[explain](model, "logit")


EXPLAIN = {
    "lrp": lambda model, output: xaug.explain.lrp(model, X, "epsilon", 0, "native", output=output),
    "ig": lambda model, output: xaug.explain.integrated_gradients(model, X, xaug.explain.Blank(), 0, output=output),
}


def check_refused(model, explain):
    with pytest.raises(ModelError, match=r"made of probabilities.*output='value'"):
        EXPLAIN[explain](model, "logit")
    np.testing.assert_allclose(EXPLAIN[explain](model, "value").logit, model(X).numpy()[:, 0], rtol=1e-3, atol=1e-5)


class Own(keras.Model):
    """A trained classifier of a class of the user's own."""

    def __init__(self):
        super().__init__()
        self.hidden, self.out = layers.Dense(4, "tanh"), layers.Dense(3, "softmax")

    def call(self, x):
        return self.out(self.hidden(x))


def test_a_classifier_of_a_class_of_its_own_is_refused_with_a_remedy_that_works():
    model = Own()
    expected = first_class(np.asarray(model(X), float))
    with pytest.raises(ModelError, match=r"keras\.Model\(x, model\.call\(x\)\)"):
        xaug.explain.lrp(model, X, "epsilon", "0-1", "native")
    x = keras.Input((5,), name="x")
    same = keras.Model(x, model.call(x))
    inside = keras.Model(y := keras.Input((5,), name="y"), model(y))
    for own in (same, inside):
        lrp = xaug.explain.lrp(own, X, "epsilon", "0-1", "native")
        ig = xaug.explain.integrated_gradients(own, X, xaug.explain.Blank(), "0-1")
        np.testing.assert_allclose(lrp.logit, expected, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(ig.logit, expected, rtol=1e-3, atol=1e-4)


def test_a_function_that_was_written_anew_under_its_name_is_not_taken_for_the_old_one():
    """As in a notebook: the same weights, the same names, another function."""
    weights = None
    for factor in (1.0, 2.0):
        inputs = keras.Input((5,), name="x")
        h = layers.Lambda(_times(factor), name="scale")(inputs)
        model = keras.Model(inputs, layers.Dense(2, name="out")(h), name="mine")
        weights = weights or model.get_weights()
        model.set_weights(weights)
        expected = model(X).numpy()[:, 0]
        lrp = xaug.explain.lrp(model, X, "epsilon", 0, "native")
        ig = xaug.explain.integrated_gradients(model, X, xaug.explain.Blank(), 0)
        np.testing.assert_allclose(lrp.logit, expected, rtol=1e-4)
        np.testing.assert_allclose(ig.logit, expected, rtol=1e-4)


def _times(factor):
    table = {"factor": factor}  # no cell of the function, so that no configuration has the number

    def scale(x):
        return x * table["factor"]

    return scale


def test_another_activation_put_into_the_same_model_is_seen():
    inputs, z = logits(2)
    model = keras.Model(inputs, z)
    hidden = model.layers[1]
    for activation in ("tanh", "relu"):
        hidden.activation = keras.activations.get(activation)
        expected = np.asarray(model(X))[:, 0]
        lrp = xaug.explain.lrp(model, X, "epsilon", 0, "native")
        ig = xaug.explain.integrated_gradients(model, X, xaug.explain.Blank(), 0)
        np.testing.assert_allclose(lrp.logit, expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(ig.logit, expected, rtol=1e-4, atol=1e-5)
