"""Every entry of the registry of layers: as Keras computes it, with relevance conserved, or refused with a remedy.

A new layer or activation is tested by existing: `EXAMPLES` must have a network with it.
"""

import keras
import numpy as np
import pytest
from keras import layers

import xaug
from xaug.core.errors import ModelError
from xaug.explain.propagation.composites import choose
from xaug.explain.propagation.engine import Propagator
from xaug.explain.propagation.layers.activation import POINTWISE
from xaug.explain.propagation.layers.base import entry_of, known_layers

LIST, IMAGE = (6, 3), (6, 6, 2)
EXAMPLES = {
    "Activation": (LIST, lambda: layers.Activation("swish")),
    "ActivityRegularization": (LIST, lambda: layers.ActivityRegularization(l2=0.1)),
    "Add": (LIST, lambda: lambda x: layers.Add()([x, layers.Dense(3)(x)])),
    "AlphaDropout": (LIST, lambda: layers.AlphaDropout(0.3)),
    "AveragePooling1D": (LIST, lambda: layers.AveragePooling1D(2, strides=1, padding="same")),
    "AveragePooling2D": (IMAGE, lambda: layers.AveragePooling2D((3, 2))),
    "BatchNormalization": (LIST, lambda: lambda x: layers.BatchNormalization()(layers.ReLU()(x))),
    "Concatenate": (LIST, lambda: lambda x: layers.Concatenate(axis=1)([x, layers.Dense(3)(x)])),
    "Conv1D": (LIST, lambda: layers.Conv1D(4, 3, padding="same", activation="relu")),
    "Conv2D": (IMAGE, lambda: layers.Conv2D(4, (3, 2), strides=2, activation="relu")),
    "Dense": (LIST, lambda: layers.Dense(4, "relu")),
    "Dropout": (LIST, lambda: layers.Dropout(0.3)),
    "Flatten": (IMAGE, lambda: layers.Flatten()),
    "GRU": (LIST, lambda: layers.GRU(4)),
    "GaussianDropout": (LIST, lambda: layers.GaussianDropout(0.3)),
    "GaussianNoise": (LIST, lambda: layers.GaussianNoise(0.3)),
    "GlobalAveragePooling1D": (LIST, lambda: layers.GlobalAveragePooling1D()),
    "GlobalAveragePooling2D": (IMAGE, lambda: layers.GlobalAveragePooling2D(keepdims=True)),
    "GlobalMaxPooling1D": (LIST, lambda: layers.GlobalMaxPooling1D()),
    "GlobalMaxPooling2D": (IMAGE, lambda: layers.GlobalMaxPooling2D()),
    "InputLayer": (LIST, lambda: lambda x: x),
    "Masking": (LIST, lambda: layers.Masking(0.0)),
    "MaxPooling1D": (LIST, lambda: layers.MaxPooling1D(2, padding="same")),
    "MaxPooling2D": (IMAGE, lambda: layers.MaxPooling2D((2, 3), strides=1)),
    "Permute": (LIST, lambda: layers.Permute((2, 1))),
    "ReLU": (LIST, lambda: layers.ReLU()),
    "Reshape": (LIST, lambda: layers.Reshape((2, 9))),
    "SpatialDropout1D": (LIST, lambda: layers.SpatialDropout1D(0.3)),
    "SpatialDropout2D": (IMAGE, lambda: layers.SpatialDropout2D(0.3)),
    "TimeDistributed": (LIST, lambda: layers.TimeDistributed(layers.Dense(4, "relu"))),
}
"""A shape and a layer (or a function of a tensor) for each Keras class that LRP knows."""


def inner_model():
    return keras.Sequential([keras.Input(LIST), layers.Dense(2)], name="inner")


def functional_model():
    inputs = keras.Input(LIST)
    return keras.Model(inputs, layers.Dense(2)(inputs), name="inner")


REFUSED = {
    "Average": lambda: lambda x: layers.Average()([x, layers.Dense(3)(x)]),
    "Bidirectional": lambda: layers.Bidirectional(layers.GRU(2)),
    "Conv1DTranspose": lambda: layers.Conv1DTranspose(2, 2),
    "Conv2DTranspose": None,
    "Conv3D": None,
    "DepthwiseConv1D": lambda: layers.DepthwiseConv1D(2),
    "DepthwiseConv2D": None,
    "Dot": lambda: lambda x: layers.Dot(1)([x, x]),
    "ELU": lambda: layers.ELU(),
    "Functional": functional_model,
    "LSTM": lambda: layers.LSTM(3),
    "Lambda": lambda: layers.Lambda(lambda v: 2 * v),
    "LayerNormalization": lambda: layers.LayerNormalization(),
    "LeakyReLU": lambda: layers.LeakyReLU(),
    "Maximum": lambda: lambda x: layers.Maximum()([x, layers.Dense(3)(x)]),
    "Minimum": lambda: lambda x: layers.Minimum()([x, layers.Dense(3)(x)]),
    "Multiply": lambda: lambda x: layers.Multiply()([x, layers.Dense(3)(x)]),
    "PReLU": lambda: layers.PReLU(),
    "SeparableConv1D": lambda: layers.SeparableConv1D(2, 2),
    "SeparableConv2D": None,
    "Sequential": inner_model,
    "SimpleRNN": lambda: layers.SimpleRNN(3),
    "SlicingOpLambda": lambda: lambda x: x[:, :4],
    "Softmax": lambda: layers.Softmax(),
    "Subtract": lambda: lambda x: layers.Subtract()([x, layers.Dense(3)(x)]),
    "TFOpLambda": lambda: lambda x: 2.0 * x,
    "ThresholdedReLU": lambda: layers.ThresholdedReLU(0.1),
    "UnitNormalization": lambda: layers.UnitNormalization(),  # in no registry
    "ZeroPadding1D": lambda: layers.ZeroPadding1D(1),
    "ZeroPadding2D": None,
}
"""A layer of lists of each class that is refused; None for one of images, which is refused alike."""


def network(shape, layer, name="culprit"):
    """Dense, the layer, Dense; without biases the activations leave linear pieces."""
    inputs = keras.Input(shape, name="x")
    x = layer(layers.Dense(3, name="before")(inputs))
    x = layers.Flatten(name="flat")(x) if len(x.shape) > 2 else x
    return keras.Model(inputs, layers.Dense(2, "softmax", name="out")(x), name=name)


def probabilities(logits):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def test_every_entry_has_an_example():
    assert set(EXAMPLES) == {kind for kind, entry in known_layers().items() if entry.layer is not None}
    assert set(REFUSED) - {"UnitNormalization"} == {
        kind for kind, entry in known_layers().items() if entry.layer is None
    }


@pytest.mark.parametrize("kind", EXAMPLES)
def test_forward_is_that_of_keras_and_relevance_is_conserved(randomised, graph_of, kind):
    shape, make = EXAMPLES[kind]
    model = network(shape, make())
    assert any(type(layer).__name__ == kind for layer in model.layers), "the example has the layer"
    x = np.random.default_rng(1).normal(size=(7, *shape))
    randomised(model, seed=2, bias=0.3)
    engine = Propagator(graph_of(model), choose("epsilon"), dtype="float64")
    np.testing.assert_allclose(probabilities(engine.logits({"x": x})), model.predict(x, verbose=0), atol=2e-6)
    randomised(model, seed=2, bias=0.0)
    found, explained, elsewhere = Propagator(graph_of(model), choose("epsilon", 1e-10), dtype="float64")({"x": x})
    total = found["x"].reshape(7, -1).sum(axis=1) + elsewhere
    np.testing.assert_allclose(total, explained, rtol=1e-5, atol=1e-6 * np.abs(explained).max())


@pytest.mark.parametrize("name", POINTWISE)
def test_every_activation_inside_and_as_a_layer(randomised, graph_of, name):
    inputs = keras.Input((5,), name="x")
    x = layers.Activation(name)(layers.Dense(4, name)(inputs))
    model = randomised(keras.Model(inputs, layers.Dense(2, "softmax")(x)), bias=0.3)
    x = np.random.default_rng(3).normal(size=(7, 5))
    engine = Propagator(graph_of(model), choose("alpha1_beta0"), dtype="float64")
    np.testing.assert_allclose(probabilities(engine.logits({"x": x})), model.predict(x, verbose=0), atol=2e-6)
    values = POINTWISE[name].function(np.linspace(-5, 5, 101)).numpy() if name != "linear" else np.array([-1.0])
    assert POINTWISE[name].never_negative == (values.min() >= 0)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_what_is_never_negative_is_not(randomised, graph_of, kind):
    """What a layer says about signs holds for its outputs, on inputs that are not negative."""
    shape, make = EXAMPLES[kind]
    inputs = keras.Input(shape, name="x")
    x = make()(inputs)
    x = layers.Flatten()(x) if len(x.shape) > 2 else x
    model = randomised(keras.Model(inputs, layers.Dense(2, "softmax")(x)), bias=0.3)
    engine = Propagator(graph_of(model), choose("epsilon"), dtype="float64", nonnegative=frozenset({"x"}))
    values, _ = engine._forward({"x": np.random.default_rng(4).random((9, *shape))})
    for node in engine.graph.nodes:
        for name in node.inputs[:1]:
            assert not engine._how[node.name].never_negative or np.min(values[name]) >= 0


@pytest.mark.parametrize("kind", [kind for kind, make in REFUSED.items() if make is not None])
def test_a_refusal_names_layer_reason_and_a_remedy_that_works(randomised, kind):
    """On the trained model as it is: Integrated Gradients, or the calls that the message names."""
    model = randomised(network(LIST, REFUSED[kind]()))
    culprit = next(layer for layer in model.layers if type(layer).__name__ == kind)
    x = np.random.default_rng(5).normal(size=(3, *LIST)).astype(np.float32)
    with pytest.raises(ModelError) as error:
        xaug.explain.lrp(model, x, engine="native")
    entry = entry_of(kind)
    assert str(error.value) == f"layer {culprit.name!r} ({kind}) {entry.reason}. Remedy: {entry.remedy}"
    with pytest.raises(ModelError, match=rf"{culprit.name!r} \({kind}\) cannot be explained: iNNvestigate"):
        xaug.explain.lrp(model, x, engine="innvestigate")
    if "layer by layer" in entry.remedy or "one by one" in entry.remedy:
        h = inputs = keras.Input(LIST, name="x")
        for layer in [model.get_layer("before"), *culprit.layers, *model.layers[model.layers.index(culprit) + 1 :]]:
            h = h if isinstance(layer, layers.InputLayer) else layer(h)
        flat = keras.Model(inputs, h)
        np.testing.assert_allclose(flat.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-6)
        assert np.isfinite(xaug.explain.lrp(flat, x, engine="native").relevance["x"]).all()
    else:
        assert "xaug.explain.integrated_gradients" in entry.remedy
        found = xaug.explain.integrated_gradients(model, x, xaug.explain.Blank(), tolerance=0.1)
        assert np.isfinite(found.relevance["x"]).all()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: layers.Conv1D(2, 2, dilation_rate=2, name="bad"), "is dilated"),
        (lambda: layers.Conv1D(2, 2, padding="causal", name="bad"), "causal padding"),
        (lambda: layers.Conv1D(3, 2, groups=3, name="bad"), "3 groups"),
        (lambda: layers.Dense(2, "gelu", name="bad"), "activation 'gelu'.*linear, relu"),
        (lambda: layers.GRU(2, go_backwards=True, name="bad"), "go_backwards=True"),
        (lambda: layers.GRU(2, activation="relu", name="bad"), "activation 'relu'"),
        (lambda: layers.GRU(2, recurrent_activation="hard_sigmoid", name="bad"), "recurrent activation"),
        (
            lambda: lambda x: layers.GRU(3, name="bad")(x, initial_state=layers.Dense(3)(x[:, 0])),
            "initial state|SlicingOp",
        ),
        (lambda: layers.ReLU(max_value=6, name="bad"), r"not the plain max\(x, 0\)"),
        (lambda: layers.ReLU(negative_slope=0.1, name="bad"), r"not the plain max\(x, 0\)"),
        (lambda: layers.BatchNormalization(axis=1, name="bad"), r"axis \[1\]"),
        (lambda: layers.TimeDistributed(layers.LeakyReLU(name="bad")), r"wraps a layer 'bad' \(LeakyReLU\)"),
        (lambda: lambda x: layers.Add(name="bad")([x, layers.Dense(1)(x)]), r"different shapes \(6, 3\), \(6, 1\)"),
    ],
)
def test_ways_in_which_a_known_layer_is_refused(make, words):
    with pytest.raises(ModelError, match=rf"layer '.*{words}.*Remedy: .*integrated_gradients"):
        xaug.explain.lrp(network(LIST, make()), np.zeros((2, *LIST)), engine="native")
