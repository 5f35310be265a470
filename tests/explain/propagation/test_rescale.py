"""The rescale rule against its definition, Integrated Gradients, and Shapley values where these must agree."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import xaug
from xaug.core.errors import ConfigurationError, ModelError
from xaug.explain import Sample


def functional(inputs, output, randomised, **options):
    return randomised(keras.Model(inputs, output), **{"bias": 0.5, "scale": 1.5, **options})


def explain(model, x, reference, **options):
    return xaug.explain.rescale(model, x, reference, **{"output": "value", "dtype": "float64", **options})


def total(found):
    return sum(r.reshape(len(r), -1).sum(axis=1) for r in found.relevance.values())


# Definitions ------------------------------------------------------------------------------------------------


def test_a_dense_network_by_its_formula(mlp, random_inputs):
    """A. Shrikumar et al., equations 4, 5 and 11, written out for two hidden layers of ReLU."""
    model = mlp(bias=0.5)
    x, b = (random_inputs(model, 5, seed)["xaug"].astype(np.float64) for seed in (1, 2))
    weights = [layer.get_weights() for layer in model.layers if layer.get_weights()]
    found = xaug.explain.rescale(model, x, {"xaug": b}, dtype="float64")
    expected = np.zeros_like(x)
    for reference in b:
        ends, slopes = [x, np.broadcast_to(reference, x.shape)], []
        for kernel, bias in weights[:-1]:
            z = [end @ kernel + bias for end in ends]
            ends = [np.maximum(one, 0) for one in z]
            slopes.append((ends[0] - ends[1]) / (z[0] - z[1]))
        multiplier = np.broadcast_to(weights[-1][0][:, 1] - weights[-1][0][:, 0], ends[0].shape)
        for (kernel, _), slope in zip(weights[-2::-1], slopes[::-1], strict=True):
            multiplier = (multiplier * slope) @ kernel.T
        expected += multiplier * (x - reference) / len(b)
    np.testing.assert_allclose(found.relevance["xaug"], expected, atol=1e-6)
    np.testing.assert_allclose(found.residual, 0, atol=1e-6)


def test_linear_networks_have_the_attributions_of_integrated_gradients(randomised, random_inputs):
    """Convolution, mean, BatchNormalization, dense, all linear: both are x - x' times one gradient."""
    image, vector = keras.Input((5, 5, 1), name="image"), keras.Input((3,), name="xaug")
    h = layers.AveragePooling2D(2)(layers.BatchNormalization()(layers.Conv2D(3, 2)(image)))
    h = layers.Concatenate()([layers.Flatten()(h), layers.Dense(4)(vector)])
    model = functional([image, vector], layers.Dense(2, "softmax")(h), randomised)
    x, b = random_inputs(model, 4, 1), random_inputs(model, 3, 2)
    found = xaug.explain.rescale(model, x, b, dtype="float64")
    expected = xaug.explain.integrated_gradients(model, x, b)
    for name in x:
        np.testing.assert_allclose(found.relevance[name], expected.relevance[name], atol=2e-5)
    np.testing.assert_allclose(found.reference, expected.reference, atol=1e-5)


def test_sums_have_their_terms_as_shapley_values(randomised, random_inputs):
    """f = sum of g_i(x_i): the rescale rule finds each term, and Shapley values are these."""
    one, two = keras.Input((1,), name="one"), keras.Input((1,), name="two")
    terms = [layers.Dense(1)(layers.Dense(6, kind)(x)) for x, kind in ((one, "tanh"), (two, "relu"))]
    model = functional([one, two], layers.Add()(terms), randomised)
    x, b = random_inputs(model, 5, 1), random_inputs(model, 4, 2)
    found = explain(model, x, b)
    expected = xaug.explain.shapley_values(model, x, Sample(b), output="value")
    for name in x:
        np.testing.assert_allclose(found.relevance[name], expected.relevance[name], atol=1e-5)


def test_products_and_maxima_of_two_have_their_shapley_values(random_inputs):
    one, two = keras.Input((1,), name="one"), keras.Input((1,), name="two")
    x = {"one": np.array([[2.0], [1.0], [-1.0]]), "two": np.array([[3.0], [-2.0], [0.5]])}
    b = {"one": np.array([[0.5], [0.0]]), "two": np.array([[1.0], [-1.0]])}
    product = keras.Model([one, two], layers.Multiply()([one, two]))
    found = explain(product, x, b)
    expected = xaug.explain.shapley_values(product, x, Sample(b), output="value")
    for name in x:
        np.testing.assert_allclose(found.relevance[name], expected.relevance[name], atol=1e-6)
    # max(2, 3) - max(0.5, 1) = 2 is the rise of the second, which is the largest of both
    maximum = keras.Model([one, two], layers.Maximum()([one, two]))
    first = {name: values[:1] for name, values in x.items()}
    single = explain(maximum, first, {name: values[:1] for name, values in b.items()})
    np.testing.assert_allclose([single.relevance[name][0, 0] for name in x], [0.0, 2.0], atol=1e-6)


def test_a_gru_by_the_chain_rule_written_out(randomised, random_inputs):
    """One unit, two steps, the multipliers of each sum, product and activation in NumPy."""
    inputs = keras.Input((2, 2), name="list")
    model = functional(inputs, layers.GRU(1, reset_after=False, name="memory")(inputs), randomised)
    kernel, recurrent, bias = (w.astype(np.float64) for w in model.get_layer("memory").get_weights())
    x, b = (random_inputs(model, 1, seed)["list"][0].astype(np.float64) for seed in (1, 2))

    def sigmoid(u):
        return 1 / (1 + np.exp(-u))

    def run(steps):
        h, known = 0.0, []
        for step in steps:
            az, ar = (step @ kernel[:, i] + h * recurrent[0, i] + bias[i] for i in (0, 1))
            z, r = sigmoid(az), sigmoid(ar)
            ac = step @ kernel[:, 2] + r * h * recurrent[0, 2] + bias[2]
            c = np.tanh(ac)
            known.append({"h": h, "az": az, "ar": ar, "z": z, "r": r, "ac": ac, "c": c})
            h = z * h + (1 - z) * c
        return h, known

    (f, at), (f0, of) = run(x), run(b)
    m, expected = 1.0, np.zeros((2, 2))
    for t in (1, 0):
        mean = {key: (at[t][key] + of[t][key]) / 2 for key in at[t]}
        slope = {
            out: (at[t][out] - of[t][out]) / (at[t][a] - of[t][a]) for out, a in (("z", "az"), ("r", "ar"), ("c", "ac"))
        }
        of_z, of_c, of_h = m * (mean["h"] - mean["c"]), m * (1 - mean["z"]), m * mean["z"]
        ac, az = of_c * slope["c"], of_z * slope["z"]
        of_rh = ac * recurrent[0, 2]
        ar, of_h = of_rh * mean["h"] * slope["r"], of_h + of_rh * mean["r"]
        expected[t] = (x[t] - b[t]) * (az * kernel[:, 0] + ar * kernel[:, 1] + ac * kernel[:, 2])
        m = of_h + az * recurrent[0, 0] + ar * recurrent[0, 1]
    found = explain(model, x[None], b[None])
    np.testing.assert_allclose(found.relevance["list"][0], expected, atol=1e-6)
    np.testing.assert_allclose(expected.sum(), f - f0, atol=1e-9)


# Completeness through the zoo of layers -----------------------------------------------------------------


def of_image(h):
    return layers.Flatten()(h)


BODIES = {
    "cnn": ((6, 6, 2), lambda x: of_image(layers.MaxPooling2D(2)(layers.Conv2D(3, 3, activation="relu")(x)))),
    "strided": ((6, 6, 2), lambda x: of_image(layers.Conv2D(3, 3, 2, "same", activation="elu")(x))),
    "separable": ((6, 6, 2), lambda x: of_image(layers.SeparableConv2D(3, 3, activation="swish")(x))),
    "norm": ((6, 3), lambda x: layers.Flatten()(layers.LayerNormalization()(layers.Dense(4)(x)))),
    "towers": ((6, 3), lambda x: layers.GlobalMaxPooling1D()(layers.Conv1D(4, 1, activation="relu")(x))),
    "gru": ((5, 3), lambda x: layers.GRU(4)(layers.GRU(3, return_sequences=True, go_backwards=True)(x))),
    "lstm": ((5, 3), lambda x: layers.LSTM(4)(x)),
    "simple": ((5, 3), lambda x: layers.SimpleRNN(4)(x)),
    "both ways": ((5, 3), lambda x: layers.Bidirectional(layers.GRU(3))(x)),
    "attention": ((5, 4), lambda x: layers.GlobalAveragePooling1D()(layers.MultiHeadAttention(2, 3)(x, x))),
    "distributed": ((5, 3), lambda x: layers.Flatten()(layers.TimeDistributed(layers.Dense(2, "tanh"))(x))),
    "operations": ((5, 3), lambda x: tf.reduce_max(x, 1) * tf.nn.sigmoid(x[:, 0]) + tf.clip_by_value(x[:, 1], -1, 1)),
    "quotient": ((5, 3), lambda x: x[:, 0] / (1.0 + tf.square(x[:, 1]))),
}


@pytest.mark.parametrize("body", BODIES)
def test_shares_add_up_to_the_difference(body, randomised, random_inputs):
    shape, make = BODIES[body]
    inputs = keras.Input(shape, name="x")
    model = functional(inputs, layers.Dense(3, "softmax")(make(inputs)), randomised)
    x, b = random_inputs(model, 4, 1), random_inputs(model, 3, 2)
    found = xaug.explain.rescale(model, x, b, 2, classes=("a", "b", "c"), dtype="float64")
    p = [model(values["x"]).numpy().astype(np.float64)[:, 2] for values in (x, b)]
    odds = [np.log(one / (1 - one)) for one in p]
    np.testing.assert_allclose(found.logit, odds[0], atol=1e-4)
    np.testing.assert_allclose(found.reference, odds[1].mean(), atol=1e-4)
    np.testing.assert_allclose(total(found), found.logit - found.reference, atol=2e-3)


def test_masked_steps_are_those_of_the_event(randomised, random_inputs):
    """A particle that only the reference has is left out; the others get all of f(x) - f(x')."""
    inputs = keras.Input((4, 2), name="list")
    model = functional(inputs, layers.Dense(2, "softmax")(layers.GRU(3)(layers.Masking()(inputs))), randomised)
    x, b = random_inputs(model, 3, 1), random_inputs(model, 2, 2)
    x["list"][:, 2:] = 0
    found = xaug.explain.rescale(model, x, b)
    assert not found.relevance["list"][:, 2:].any()
    short = {"list": np.where(np.arange(4)[:, None] < 2, b["list"], 0)}
    p = model(short["list"]).numpy().astype(np.float64)
    np.testing.assert_allclose(found.reference, np.log(p[:, 1] / p[:, 0]).mean(), atol=1e-4)
    np.testing.assert_allclose(found.residual, 0, atol=1e-4)


def test_frozen_columns_get_nothing_and_weights_count(mlp, random_inputs):
    model = mlp()
    x, b = random_inputs(model, 4, 1), random_inputs(model, 3, 2)
    found = xaug.explain.rescale(model, x, Sample(b, [1.0, 0.0, 0.0]), frozen=["xaug[2]"])
    only = xaug.explain.rescale(model, x, {"xaug": b["xaug"][0]}, frozen=["xaug[2]"])
    assert not found.relevance["xaug"][:, 2].any()
    np.testing.assert_allclose(found.relevance["xaug"], only.relevance["xaug"], atol=1e-6)
    np.testing.assert_allclose(found.residual, 0, atol=1e-5)


@pytest.mark.parametrize("output", ["logit", "probability"])
def test_other_outputs_add_up_too(mlp, random_inputs, output):
    for outputs, target in ((4, 2), (2, "predicted"), (2, "signal-background")):
        model = mlp(outputs=outputs)
        names = tuple("abcd") if outputs == 4 else ("background", "signal")
        x, b = random_inputs(model, 4, 1), random_inputs(model, 3, 2)
        found = xaug.explain.rescale(model, x, b, target, output, classes=names)
        np.testing.assert_allclose(found.residual, 0, atol=1e-4)


def test_more_references_than_fit_in_one_block(mlp, random_inputs):
    model = mlp()
    x, b = random_inputs(model, 2, 1), random_inputs(model, 2500, 2)
    found = xaug.explain.rescale(model, x, b)
    parts = [xaug.explain.rescale(model, x, {"xaug": b["xaug"][i::2]}).relevance["xaug"] for i in (0, 1)]
    np.testing.assert_allclose(found.relevance["xaug"], np.mean(parts, axis=0), atol=1e-5)


def test_the_error_is_that_of_the_choice_of_references(randomised, random_inputs):
    """w_i (x_i - x'_i) of a linear network: the standard error of its mean is w_i times that of x'_i."""
    inputs = keras.Input((4,), name="xaug")
    model = functional(inputs, layers.Dense(1)(inputs), randomised)
    x, b = random_inputs(model, 6, 1), random_inputs(model, 50, 2)
    w = model.get_weights()[0][:, 0]
    found = explain(model, x, b)
    expected = np.abs(w) * b["xaug"].std(axis=0, ddof=1) / np.sqrt(50)
    np.testing.assert_allclose(found.standard_error["xaug"], np.tile(expected, (6, 1)), rtol=1e-5)
    doubled = Sample({"xaug": np.repeat(b["xaug"], 2, axis=0)}, np.tile([1.0, 0.0], 50))  # weights of zero add nothing
    again = explain(model, x, doubled)
    np.testing.assert_allclose(again.standard_error["xaug"], found.standard_error["xaug"], rtol=1e-5)
    assert explain(model, x, {"xaug": b["xaug"][:1]}).standard_error is None


def test_what_is_refused(mlp, random_inputs):
    model = mlp()
    x = random_inputs(model, 2, 1)
    with pytest.raises(ConfigurationError, match="unknown dtype 'float16'"):
        xaug.explain.rescale(model, x, x, dtype="float16")
    tokens = keras.Input((3,), dtype="int32", name="tokens")
    other = keras.Model(tokens, layers.Dense(2, "softmax")(layers.Flatten()(layers.Embedding(5, 2)(tokens))))
    with pytest.raises(ConfigurationError, match=r"input 'tokens' is of type int32.*freeze it, with frozen"):
        xaug.explain.rescale(other, np.ones((2, 3), int), np.zeros((1, 3), int))
    inputs = keras.Input((3,), name="x")
    jumps = keras.Model(inputs, layers.Dense(2, "softmax")(tf.cast(inputs > 0.0, tf.float32)))
    with pytest.raises(ModelError, match=r"do not add up to f\(x\) - f\(x'\).*Remedy: freeze"):
        xaug.explain.rescale(jumps, np.ones((2, 3)), -np.ones((1, 3)))
