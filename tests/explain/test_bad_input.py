"""What cannot be explained is named, with what would do: layers, models, inputs; by both engines."""

import keras
import numpy as np
import pytest
from keras import layers

import xaug
from xaug.core.errors import ConfigurationError, ModelError

ENGINES = ("native", "innvestigate")


def model_with(*middle, shape=(8, 2), outputs=2, activation="softmax"):
    x = inputs = keras.Input(shape, name="list")
    for layer in middle:
        x = layer(x)
    if len(x.shape) > 2:
        x = layers.Flatten()(x)
    return keras.Model(inputs, layers.Dense(outputs, activation, name="out")(x), name="odd")


def shared():
    return [layers.Dense(2, name="twice")] * 2


@pytest.mark.parametrize(
    ("middle", "culprit"),
    [
        (lambda: [layers.Lambda(lambda v: 2 * v, name="hidden")], r"'hidden' \(Lambda\)"),
        (lambda: [layers.LSTM(3, name="memory")], r"'memory' \(LSTM\)"),
        (lambda: [layers.LayerNormalization(name="norm")], r"'norm' \(LayerNormalization\)"),
        (lambda: [layers.LeakyReLU(name="leaky")], r"'leaky' \(LeakyReLU\)"),
        (lambda: [lambda v: v[:, :4]], r"SlicingOpLambda"),
        (lambda: [keras.Sequential([keras.Input((8, 2)), layers.Dense(2)], name="inner")], r"'inner' \(Sequential\)"),
        (shared, r"'twice' \(Dense\) cannot be explained: it is used 2 times"),
        (lambda: [lambda v: layers.Concatenate(name="double")([v, v])], r"'double' \(Concatenate\).*one tensor twice"),
        (lambda: [layers.Dense(3, "gelu", name="bent")], r"'bent' \(Dense\) has activation 'gelu'"),
        (lambda: [layers.ReLU(max_value=6, name="cut")], r"'cut' \(ReLU\).*not the plain max\(x, 0\)"),
        (lambda: [layers.Conv1D(2, 2, dilation_rate=2, name="wide")], r"'wide' \(Conv1D\).*dilated"),
        (lambda: [layers.Conv1D(2, 2, padding="causal", name="late")], r"'late' \(Conv1D\).*causal"),
        (lambda: [layers.Conv1D(2, 2, groups=2, name="parts")], r"'parts' \(Conv1D\).*groups"),
    ],
)
def test_innvestigate_is_taken_for_what_it_explains_rightly_alone(middle, culprit):
    """It refuses the rest by name; the native engine explains all of it, and the settings say why it was taken."""
    model, x = model_with(*middle()), np.random.default_rng(0).normal(size=(2, 8, 2))
    with pytest.raises(ModelError, match=culprit):
        xaug.explain.lrp(model, x, engine="innvestigate")
    found = xaug.explain.lrp(model, x, engine="auto")
    assert np.isfinite(found.relevance["list"]).all()
    assert found.settings["engine"] == "native"
    assert "iNNvestigate is not used" in found.settings["engine_reason"]


def test_a_model_without_softmax_gives_logits():
    model, x = model_with(activation="linear"), np.ones((2, 8, 2))
    found = xaug.explain.lrp(model, x, target=1)
    np.testing.assert_allclose(found.logit, model(x)[:, 1], rtol=1e-5)
    assert found.settings["engine"] == "native"


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_an_output_of_another_kind_is_explained_as_it_is(activation):
    model, x = model_with(activation=activation), np.random.default_rng(0).normal(size=(4, 8, 2)).astype(np.float32)
    with pytest.raises(ModelError, match=rf"'out' \(Dense, activation '{activation}'\).*output='value'"):
        xaug.explain.lrp(model, x)
    found = xaug.explain.lrp(model, x, output="value", target=0)
    np.testing.assert_allclose(found.logit, model.predict(x, verbose=0)[:, 0], atol=1e-6)


def test_models_that_are_not_functional():
    with pytest.raises(ModelError, match="functional model is needed, not function"):
        xaug.explain.lrp(lambda x: x, np.zeros((2, 3)))

    class Own(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ModelError, match=r"\(Own\) is no functional model"):
        xaug.explain.lrp(Own(), np.zeros((2, 3)))
    with pytest.raises(ModelError, match="known input shapes"):
        xaug.explain.lrp(keras.Sequential([layers.Dense(2, "softmax")]), np.zeros((2, 3)))
    x = inputs = keras.Input((3,))
    with pytest.raises(ConfigurationError, match=r"2 outputs.*Name one"):
        xaug.explain.lrp(keras.Model(inputs, [layers.Dense(2, "softmax")(x) for _ in range(2)]), np.zeros((2, 3)))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_sequential_model_is_explained_as_the_functional_one(engine):
    chain = keras.Sequential([keras.Input((5,), name="x"), layers.Dense(4, "relu"), layers.Dense(2, "softmax")])
    same = keras.Model(chain.inputs, chain.outputs)
    x = np.random.default_rng(0).random((6, 5))
    found, expected = (xaug.explain.lrp(m, x, engine=engine).relevance["x"] for m in (chain, same))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(value):
    model, x = model_with(), np.zeros((5, 8, 2))
    x[[2, 4], 0, 1] = value
    with pytest.raises(ConfigurationError, match="'list' is not finite in 2 of 5 events, the first of them event 2"):
        xaug.explain.lrp(model, x)
    weights = model.get_layer("out").get_weights()
    weights[1][0] = value
    model.get_layer("out").set_weights(weights)
    with pytest.raises(ModelError, match=r"'out' .*weights that are not finite"):
        xaug.explain.lrp(model, np.zeros((5, 8, 2)))


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros((5, 8)), r"shape \(5, 8\); the model takes \(n events, 8, 2\)"),
        (np.zeros((8, 2)), r"shape \(8, 2\)"),  # one event without its axis
        (1.0, r"shape \(\)"),
        ({"image": np.zeros((5, 8, 2))}, "unknown input 'image'. Known: list"),
        ({}, "'list' is missing; the model takes list, given: none"),
        ([np.zeros((5, 8, 2))] * 2, "2 input arrays given; the model takes 1: list"),
        ([[[1.0, 2.0], [3.0]]], "'list' is no array of numbers"),
        (np.full((5, 8, 2), "a"), "'list' is no array of numbers"),
        (None, "'list' "),
    ],
)
def test_inputs_that_do_not_fit(x, words):
    with pytest.raises(ConfigurationError, match=words):
        xaug.explain.lrp(model_with(), x)


def test_inputs_of_different_lengths():
    a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
    model = keras.Model([a, b], layers.Dense(2, "softmax")(layers.Concatenate()([a, b])))
    with pytest.raises(ConfigurationError, match=r"different numbers of events: \{'a': 4, 'b': 5\}"):
        xaug.explain.lrp(model, {"a": np.zeros((4, 3)), "b": np.zeros((5, 2))})


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("target", ["predicted", "signal-background", []])
def test_zero_events(engine, target):
    found = xaug.explain.lrp(model_with(), np.zeros((0, 8, 2)), target=target, engine=engine)
    assert len(found) == 0
    assert found.relevance["list"].shape == (0, 8, 2)
    assert found.residual.shape == found.conserved.shape == (0,)


def test_float64_is_of_the_native_engine():
    with pytest.raises(ConfigurationError, match="float32, not float64"):
        xaug.explain.lrp(model_with(), np.zeros((1, 8, 2)), dtype="float64", engine="innvestigate")
    with pytest.raises(ConfigurationError, match="did you mean 'float64'"):
        xaug.explain.lrp(model_with(), np.zeros((1, 8, 2)), dtype="float6")
    assert xaug.explain.lrp(model_with(), np.zeros((1, 8, 2)), dtype="float64").settings["engine"] == "native"


@pytest.mark.slow  # iNNvestigate differentiates the steps of the GRU one by one
def test_forced_innvestigate_gives_no_lrp_for_a_gru():
    """Its number is the plain gradient times what the layer behind hands on: it has no share for the input."""
    model = model_with(layers.GRU(4, name="memory"))
    x = np.random.default_rng(1).normal(size=(5, 8, 2))
    with pytest.raises(ModelError, match=r"'memory' \(GRU\).*recurrent"):
        xaug.explain.lrp(model, x, engine="innvestigate")
    found = xaug.explain.lrp(model, x, engine="innvestigate", force=True)
    assert np.isfinite(found.relevance["list"]).all()
    ours = xaug.explain.lrp(model, x, engine="native")
    largest = np.abs(ours.relevance["list"]).max(axis=(1, 2))
    assert np.median(np.abs(found.relevance["list"] - ours.relevance["list"]).max(axis=(1, 2)) / largest) > 0.1
