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


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("middle", "culprit"),
    [
        (lambda: [layers.Lambda(lambda v: 2 * v, name="hidden")], r"'hidden' \(Lambda\)"),
        (lambda: [layers.LSTM(3, name="memory")], r"'memory' \(LSTM\)"),
        (lambda: [layers.LayerNormalization(name="norm")], r"'norm' \(LayerNormalization\)"),
        (lambda: [layers.LeakyReLU(name="leaky")], r"'leaky' \(LeakyReLU\)"),
        (lambda: [lambda v: v[:, :4]], r"SlicingOpLambda"),
        (lambda: [keras.Sequential([keras.Input((8, 2)), layers.Dense(2)], name="inner")], r"'inner' \(Sequential\)"),
        (shared, r"'twice' \(Dense\) is used 2 times"),
        (lambda: [layers.Dense(3, "gelu", name="bent")], r"'bent' \(Dense\) has activation 'gelu'"),
    ],
)
def test_layers_without_a_rule_are_named(middle, culprit, engine):
    with pytest.raises(ModelError, match=culprit):
        xaug.explain.lrp(model_with(*middle()), np.zeros((2, 8, 2)), engine=engine)


@pytest.mark.parametrize(
    ("layer", "remedy"),
    [
        (layers.LSTM(3), "of the recurrent layers GRU has one.*integrated_gradients"),
        (layers.LayerNormalization(), "train with BatchNormalization"),
        (layers.PReLU(), "train with ReLU or swish"),
        (layers.TimeDistributed(layers.LeakyReLU()), "only Dense has a rule there"),
        (layers.Conv1D(2, 2, dilation_rate=2), "dilated"),
        (layers.Conv1D(2, 2, padding="causal"), "causal padding"),
        (layers.GRU(2, go_backwards=True), "go_backwards=True"),
    ],
)
def test_what_would_do_is_said(layer, remedy):
    with pytest.raises(ModelError, match=remedy):
        xaug.explain.lrp(model_with(layer), np.zeros((2, 8, 2)), engine="native")


def test_a_relu_that_is_cut_off_is_no_relu_for_either_engine():
    for engine in ("auto", *ENGINES):
        with pytest.raises(ModelError, match=r"'cut' \(ReLU\) is not the plain max\(x, 0\)"):
            xaug.explain.lrp(model_with(layers.ReLU(max_value=6, name="cut")), np.zeros((2, 8, 2)), engine=engine)


@pytest.mark.parametrize("activation", ["linear", "relu", "tanh"])
def test_a_model_whose_softmax_is_gone(activation):
    with pytest.raises(ModelError, match=rf"'out' \(Dense, activation '{activation}'\).*append keras.layers.Softmax"):
        xaug.explain.lrp(model_with(activation=activation), np.zeros((2, 8, 2)))


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
    with pytest.raises(ModelError, match="2 outputs; exactly one"):
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
    with pytest.raises(ModelError, match="'out' has weights that are not finite"):
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
