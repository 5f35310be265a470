"""LRP from a reference equals LRP of a network whose first biases hold the shift, and does not see shifts of inputs."""

import keras
import numpy as np
import pytest
from keras import layers

import xaug
from xaug.core.errors import ConfigurationError, ModelError
from xaug.explain.propagation.composites import COMPOSITES
from xaug.explain.propagation.rules import ZBoxRule

RULES = ["epsilon", "z", "alpha1_beta0", "alpha2_beta1", "preset_a"]


def randomised(model, seed=0):
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(0, 0.5, w.shape) for w in model.get_weights()])
    return model


def dense(seed=0):
    x = keras.Input((5,), name="xaug")
    h = layers.Dense(7, activation="relu", name="first")(x)
    return randomised(
        keras.Model(x, layers.Dense(2, activation="softmax")(layers.Dense(6, activation="relu")(h))), seed
    )


def image_and_vector(padding="same", seed=0):
    """The form of the paper's networks: expert variables join behind the convolutions."""
    image, xaug = keras.Input((6, 6, 1), name="image"), keras.Input((3,), name="xaug")
    h = layers.Conv2D(4, 3, padding=padding, activation="relu", name="convolution")(image)
    h = layers.Flatten()(layers.MaxPool2D(2)(h))
    h = layers.Dense(6, activation="relu", name="joined")(layers.Concatenate()([h, xaug]))
    return randomised(keras.Model([image, xaug], layers.Dense(2, activation="softmax")(h)), seed)


def events(model, n=6, seed=1):
    rng = np.random.default_rng(seed)
    return {t.name: rng.uniform(0, 1, (n, *t.shape[1:])) for t in model.inputs}


def folded(model, name, extra):
    """A copy of a model with `extra` added to the bias of a layer."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    kernel, bias = copy.get_layer(name).get_weights()
    copy.get_layer(name).set_weights([kernel, bias + extra])
    return copy


def explain(model, x, rule, **options):
    return xaug.explain.lrp(model, x, rule, "signal", "native", dtype="float64", **options)


@pytest.mark.parametrize("bias", ["innvestigate", "split", "ignore"])
@pytest.mark.parametrize("rule", RULES)
def test_a_dense_network_is_that_of_a_folded_bias(rule, bias):
    model = dense()
    x = events(model)["xaug"]
    reference = np.array([0.5, -1.0, 0.2, 0.0, 3.0])
    kernel = model.get_layer("first").get_weights()[0]
    found = explain(model, {"xaug": x}, rule, bias=bias, reference={"xaug": reference})
    expected = explain(folded(model, "first", reference @ kernel), {"xaug": x - reference}, rule, bias=bias)
    np.testing.assert_allclose(found.relevance["xaug"], expected.relevance["xaug"], rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(found.logit, expected.logit, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rule", RULES)
def test_vectors_that_join_hidden_features_are_shifted_alone(rule):
    model = image_and_vector()
    x = events(model)
    reference = {"image": np.zeros((6, 6, 1)), "xaug": np.array([0.5, -1.0, 0.2])}
    kernel = model.get_layer("joined").get_weights()[0][-3:]
    other = folded(model, "joined", reference["xaug"] @ kernel)
    found = explain(model, x, rule, reference=reference)
    expected = explain(other, {**x, "xaug": x["xaug"] - reference["xaug"]}, rule)
    for name in x:
        np.testing.assert_allclose(found.relevance[name], expected.relevance[name], rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_images_are_shifted_pixel_by_pixel(padding):
    """z_k = (x - x') w_k + b'_k with b' of every place apart, written out with a matrix of the convolution."""
    image = keras.Input((4, 4, 1), name="image")
    h = layers.Conv2D(2, 3, padding=padding, name="convolution")(image)
    model = randomised(keras.Model(image, layers.Dense(2, activation="softmax", name="head")(layers.Flatten()(h))))
    x, reference = events(model)["image"], np.random.default_rng(4).uniform(0, 1, (4, 4, 1))
    found = explain(model, x, "epsilon", reference={"image": reference})
    hidden = keras.Model(image, layers.Flatten()(h))
    bias = hidden.predict(np.zeros((1, 4, 4, 1)), verbose=0)
    matrix = hidden.predict(np.eye(16).reshape(16, 4, 4, 1), verbose=0) - bias  # (pixels, outputs)
    w, b = (
        values[:, 1].astype(np.float64) if values.ndim == 2 else values[1] for values in model.layers[-1].get_weights()
    )
    z = x.reshape(len(x), 16) @ matrix + bias
    f = z @ w + b
    passed = z * w * (f / (f + 1e-7 * np.sign(f)))[:, None]
    share = passed / (z + 1e-7 * np.sign(z))
    expected = (x.reshape(len(x), 16) - reference.reshape(16)) * (share @ matrix.T)
    np.testing.assert_allclose(found.relevance["image"].reshape(len(x), 16), expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("rule", RULES)
def test_a_shift_of_the_inputs_is_not_seen(rule):
    """Kindermans et al.: model(x) = other(x + c). From references that move along, the relevance is the same."""
    model, c = dense(3), np.array([1.0, -2.0, 0.3, 0.7, -0.1])
    x, reference = events(model)["xaug"], np.full(5, 0.4)
    other = folded(model, "first", -c @ model.get_layer("first").get_weights()[0])
    found = explain(model, {"xaug": x}, rule, reference={"xaug": reference})
    moved = explain(other, {"xaug": x + c}, rule, reference={"xaug": reference + c})
    np.testing.assert_allclose(moved.relevance["xaug"], found.relevance["xaug"], rtol=1e-4, atol=1e-5)
    zero, zero_moved = explain(model, {"xaug": x}, rule), explain(other, {"xaug": x + c}, rule)
    assert np.abs(zero.relevance["xaug"] - zero_moved.relevance["xaug"]).max() > 0.05


def test_the_reference_itself_has_no_relevance_and_zero_changes_nothing():
    model = image_and_vector()
    x = events(model)
    one = {name: values[:1] for name, values in x.items()}
    at = explain(model, one, "epsilon", reference={name: values[0] for name, values in x.items()})
    assert all(not values.any() for values in at.relevance.values())
    zero = explain(model, x, "preset_a", reference={name: 0 * values[0] for name, values in x.items()})
    plain = explain(model, x, "preset_a")
    for name in x:
        np.testing.assert_array_equal(zero.relevance[name], plain.relevance[name])
    assert "reference_digest" not in zero.settings


def test_several_events_are_averaged_and_the_settings_tell_references_apart():
    model = dense()
    x, some = events(model), events(model, 20, seed=8)
    mean = {"xaug": some["xaug"].mean(axis=0)}
    a, b = explain(model, x, "epsilon", reference=some), explain(model, x, "epsilon", reference=mean)
    np.testing.assert_allclose(a.relevance["xaug"], b.relevance["xaug"], rtol=1e-6)
    other = explain(model, x, "epsilon", reference={"xaug": mean["xaug"] + 0.1})
    assert a.settings["reference_digest"] != other.settings["reference_digest"]
    assert a.settings["engine"] == "native"


def test_auto_takes_the_native_engine_and_says_why():
    model = dense()
    found = xaug.explain.lrp(model, events(model), "epsilon", "signal", reference={"xaug": np.full(5, 0.5)})
    assert found.settings["engine"] == "native"
    assert "from the zero of the inputs only" in found.settings["engine_reason"]
    with pytest.raises(ConfigurationError, match="use engine='native'"):
        xaug.explain.lrp(model, events(model), "epsilon", "signal", "innvestigate", reference={"xaug": np.full(5, 0.5)})


@pytest.mark.parametrize(
    "reference, message",
    [
        ({}, "the inputs are xaug; given are none"),
        ({"xaug": np.zeros(5), "list": np.zeros(3)}, "given are xaug, list"),
        ({"xaug": np.zeros(4)}, r"'xaug' has the shape \(4,\); one event has \(5,\)"),
        ({"xaug": np.full(5, np.nan)}, "holds NaN or infinity"),
    ],
)
def test_bad_references(reference, message):
    model = dense()
    with pytest.raises(ConfigurationError, match=message):
        explain(model, events(model), "epsilon", reference=reference)


def test_rules_that_do_not_read_inputs_are_refused():
    model = dense()
    for rule in ("flat", "w_square", COMPOSITES["epsilon"].with_first(ZBoxRule(-1, 2))):
        with pytest.raises(ConfigurationError, match=r"'first' \(Dense\): the rule .* a reference has no meaning"):
            explain(model, events(model), rule, reference={"xaug": np.full(5, 0.5)})


@pytest.mark.parametrize("kind", ["GRU", "LSTM", "SimpleRNN"])
def test_recurrent_stems_are_those_of_folded_biases(kind):
    """A reference that is the same at all steps joins the bias of every step."""
    x = keras.Input((4, 3), name="list")
    own = {"reset_after": False} if kind == "GRU" else {}
    memory = getattr(layers, kind)(5, name="memory", **own)
    model = randomised(keras.Model(x, layers.Dense(2, activation="softmax")(memory(x))))
    reference = np.array([0.5, -1.0, 0.2])
    kernel, recurrent, bias = model.get_layer("memory").get_weights()
    other = keras.models.clone_model(model)
    other.set_weights(model.get_weights())
    other.get_layer("memory").set_weights([kernel, recurrent, bias + reference @ kernel])
    values = events(model)["list"]
    found = explain(model, {"list": values}, "epsilon", reference={"list": np.tile(reference, (4, 1))})
    expected = explain(other, {"list": values - reference}, "epsilon")
    np.testing.assert_allclose(found.relevance["list"], expected.relevance["list"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rule", ["epsilon", "z", "alpha1_beta0"])
def test_affine_stems_are_those_of_other_shifts(rule):
    """BatchNormalization in front of a convolution that pads cannot be folded, and is a layer of its own."""
    x = keras.Input((4, 4, 2), name="image")
    h = layers.Conv2D(3, 3, padding="same", activation="relu")(layers.BatchNormalization(name="norm")(x))
    model = keras.Model(x, layers.Dense(2, activation="softmax")(layers.Flatten()(h)))
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.5, 1.5, w.shape) * (1 if w.ndim == 1 else 0.3) for w in model.get_weights()])
    reference = np.array([0.5, -1.0])
    gamma, beta, mean, variance = model.get_layer("norm").get_weights()
    other = keras.models.clone_model(model)
    other.set_weights(model.get_weights())
    other.get_layer("norm").set_weights([gamma, beta, mean - reference, variance])
    values = events(model)["image"]
    found = explain(model, {"image": values}, rule, reference={"image": np.broadcast_to(reference, (4, 4, 2))})
    expected = explain(other, {"image": values - reference}, rule)
    np.testing.assert_allclose(found.relevance["image"], expected.relevance["image"], rtol=1e-4, atol=1e-5)


def test_padded_steps_have_no_relevance_from_any_reference():
    x = keras.Input((4, 3), name="list")
    h = layers.GRU(5)(layers.Masking()(x))
    model = randomised(keras.Model(x, layers.Dense(2, activation="softmax")(h)))
    values = events(model)["list"]
    values[:, 2:] = 0
    found = explain(model, {"list": values}, "epsilon", reference={"list": np.full((4, 3), 0.5)})
    assert not found.relevance["list"][:, 2:].any() and found.relevance["list"][:, :2].all()


def test_layers_that_are_not_linear_in_an_input_are_refused():
    x = keras.Input((4, 3), name="list")
    h = layers.MaxPooling1D(2, name="largest")(x)
    model = randomised(keras.Model(x, layers.Dense(2, activation="softmax")(layers.Flatten()(h))))
    with pytest.raises(ModelError, match=r"'largest' \(MaxPooling1D\) reads an input.*xaug.explain.rescale"):
        explain(model, events(model), "epsilon", reference={"list": np.full((4, 3), 0.5)})
    explain(model, events(model), "epsilon", reference={"list": np.zeros((4, 3))})
