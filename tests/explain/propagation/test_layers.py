"""Every entry of the registry of layers: as Keras computes it, with relevance conserved, or refused with a remedy.

A new layer or activation is tested by existing: `EXAMPLES` must have a network with it.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import xaug
from xaug.core.errors import ModelError
from xaug.explain.propagation.composites import choose
from xaug.explain.propagation.engine import Propagator
from xaug.explain.propagation.expansions import EXPANSIONS
from xaug.explain.propagation.layers.activation import POINTWISE
from xaug.explain.propagation.layers.base import entry_of, known_layers
from xaug.explain.propagation.unroll import OWN
from xaug.networks.keras_versions import is_keras_3

LIST, IMAGE, CUBE, TOKENS = (6, 3), (6, 6, 2), (4, 4, 4, 2), (6,)


def beside(merge, other=lambda x: layers.Dense(3)(x)):
    """A layer that reads its input and something made of it."""
    return lambda x: merge([x, other(x)])


def normalization():
    layer = layers.Normalization(axis=-1)
    layer.adapt(np.random.default_rng(0).normal(1.0, 3.0, size=(50, *LIST)))
    return layer


EXAMPLES = {
    "Activation": (LIST, lambda: layers.Activation("swish")),
    "ActivityRegularization": (LIST, lambda: layers.ActivityRegularization(l2=0.1)),
    "Add": (LIST, lambda: beside(layers.Add())),
    "AdditiveAttention": (LIST, lambda: beside(layers.AdditiveAttention())),
    "AlphaDropout": (LIST, lambda: layers.AlphaDropout(0.3)),
    "Attention": (LIST, lambda: beside(layers.Attention(use_scale=True))),
    "Average": (LIST, lambda: beside(layers.Average())),
    "AveragePooling1D": (LIST, lambda: layers.AveragePooling1D(2, strides=1, padding="same")),
    "AveragePooling2D": (IMAGE, lambda: layers.AveragePooling2D((3, 2))),
    "AveragePooling3D": (CUBE, lambda: layers.AveragePooling3D(2)),
    "BatchNormalization": (LIST, lambda: lambda x: layers.BatchNormalization()(layers.ReLU()(x))),
    "Bidirectional": (LIST, lambda: layers.Bidirectional(layers.LSTM(3))),
    "CategoryEncoding": (
        TOKENS,
        lambda: lambda x: layers.CategoryEncoding(5, output_mode="count")(tf.cast(x, tf.int32)),
    ),
    "CenterCrop": (IMAGE, lambda: layers.CenterCrop(3, 2)),
    "Concatenate": (LIST, lambda: beside(layers.Concatenate(axis=1))),
    "Conv1D": (LIST, lambda: layers.Conv1D(4, 3, padding="same", activation="relu")),
    "Conv1DTranspose": (LIST, lambda: layers.Conv1DTranspose(4, 3, strides=2, padding="same")),
    "Conv2D": (IMAGE, lambda: layers.Conv2D(4, (3, 2), strides=2, activation="relu")),
    "Conv2DTranspose": (IMAGE, lambda: layers.Conv2DTranspose(3, (3, 2), strides=2)),
    "Conv3D": (CUBE, lambda: layers.Conv3D(3, 2, activation="relu")),
    "Conv3DTranspose": (CUBE, lambda: layers.Conv3DTranspose(2, 2)),
    "Cropping1D": (LIST, lambda: layers.Cropping1D((1, 2))),
    "Cropping2D": (IMAGE, lambda: layers.Cropping2D(((1, 0), (2, 1)))),
    "Cropping3D": (CUBE, lambda: layers.Cropping3D(1)),
    "Dense": (LIST, lambda: layers.Dense(4, "relu")),
    "DepthwiseConv1D": (LIST, lambda: layers.DepthwiseConv1D(3, depth_multiplier=2, padding="same")),
    "DepthwiseConv2D": (IMAGE, lambda: layers.DepthwiseConv2D((3, 2), strides=2, depth_multiplier=2)),
    "Dot": (LIST, lambda: beside(layers.Dot(1))),
    "Dropout": (LIST, lambda: layers.Dropout(0.3)),
    "ELU": (LIST, lambda: layers.ELU(0.7)),
    "EinsumDense": (LIST, lambda: layers.EinsumDense("abc,cde->abde", (None, 2, 4), bias_axes="de")),
    "Embedding": (TOKENS, lambda: layers.Embedding(5, 4)),
    "Flatten": (IMAGE, lambda: layers.Flatten()),
    "GRU": (LIST, lambda: layers.GRU(4)),
    "GaussianDropout": (LIST, lambda: layers.GaussianDropout(0.3)),
    "GaussianNoise": (LIST, lambda: layers.GaussianNoise(0.3)),
    "GlobalAveragePooling1D": (LIST, lambda: layers.GlobalAveragePooling1D()),
    "GlobalAveragePooling2D": (IMAGE, lambda: layers.GlobalAveragePooling2D(keepdims=True)),
    "GlobalAveragePooling3D": (CUBE, lambda: layers.GlobalAveragePooling3D()),
    "GlobalMaxPooling1D": (LIST, lambda: layers.GlobalMaxPooling1D()),
    "GlobalMaxPooling2D": (IMAGE, lambda: layers.GlobalMaxPooling2D()),
    "GlobalMaxPooling3D": (CUBE, lambda: layers.GlobalMaxPooling3D()),
    "GroupNormalization": (LIST, lambda: layers.GroupNormalization(2, axis=1)),
    "InputLayer": (LIST, lambda: lambda x: x),
    "LSTM": (LIST, lambda: layers.LSTM(4, return_sequences=True)),
    "Lambda": (LIST, lambda: layers.Lambda(lambda v: 2 * v[:, 1:])),
    "LayerNormalization": (LIST, lambda: layers.LayerNormalization()),
    "LeakyReLU": (LIST, lambda: layers.LeakyReLU(0.2)),
    "Masking": (LIST, lambda: layers.Masking(0.0)),
    "LocallyConnected1D": (LIST, lambda: layers.LocallyConnected1D(4, 2, activation="relu")),
    "LocallyConnected2D": (IMAGE, lambda: layers.LocallyConnected2D(3, (3, 2), strides=2, activation="relu")),
    "MaxPooling1D": (LIST, lambda: layers.MaxPooling1D(2, padding="same")),
    "MaxPooling2D": (IMAGE, lambda: layers.MaxPooling2D((2, 3), strides=1)),
    "MaxPooling3D": (CUBE, lambda: layers.MaxPooling3D(2)),
    "Maximum": (LIST, lambda: beside(layers.Maximum())),
    "Minimum": (LIST, lambda: beside(layers.Minimum())),
    "MultiHeadAttention": (LIST, lambda: lambda x: layers.MultiHeadAttention(2, 3)(x, x)),
    "Multiply": (LIST, lambda: beside(layers.Multiply(), lambda x: layers.Dense(3, "sigmoid")(x))),
    "Normalization": (LIST, normalization),
    "PReLU": (LIST, lambda: layers.PReLU(shared_axes=[1])),
    "Permute": (LIST, lambda: layers.Permute((2, 1))),
    "RNN": (LIST, lambda: layers.RNN([layers.LSTMCell(4), layers.GRUCell(3)], return_sequences=True)),
    "RandomBrightness": (IMAGE, lambda: layers.RandomBrightness(0.3)),
    "RandomContrast": (IMAGE, lambda: layers.RandomContrast(0.3)),
    "RandomFlip": (IMAGE, lambda: layers.RandomFlip()),
    "RandomRotation": (IMAGE, lambda: layers.RandomRotation(0.1)),
    "RandomTranslation": (IMAGE, lambda: layers.RandomTranslation(0.1, 0.1)),
    "RandomZoom": (IMAGE, lambda: layers.RandomZoom(0.1)),
    "ReLU": (LIST, lambda: layers.ReLU(max_value=2.0, negative_slope=0.1, threshold=0.05)),
    "RepeatVector": (TOKENS, lambda: layers.RepeatVector(3)),
    "Rescaling": (LIST, lambda: layers.Rescaling(3.0, 0.0)),
    "Reshape": (LIST, lambda: layers.Reshape((2, 9))),
    "Resizing": (IMAGE, lambda: layers.Resizing(4, 3)),
    "SeparableConv1D": (LIST, lambda: layers.SeparableConv1D(4, 2, depth_multiplier=2)),
    "SeparableConv2D": (IMAGE, lambda: layers.SeparableConv2D(3, (2, 3), padding="same")),
    "SimpleRNN": (LIST, lambda: layers.SimpleRNN(4)),
    "SlicingOpLambda": (LIST, lambda: lambda x: x[:, :4]),
    "Softmax": (LIST, lambda: layers.Softmax()),
    "SpatialDropout1D": (LIST, lambda: layers.SpatialDropout1D(0.3)),
    "SpatialDropout2D": (IMAGE, lambda: layers.SpatialDropout2D(0.3)),
    "SpatialDropout3D": (CUBE, lambda: layers.SpatialDropout3D(0.3)),
    "SpectralNormalization": (LIST, lambda: layers.SpectralNormalization(layers.Dense(4, "relu"))),
    "Subtract": (LIST, lambda: beside(layers.Subtract())),
    "TFOpLambda": (LIST, lambda: lambda x: tf.nn.relu(2.0 * x) - x),
    "ThresholdedReLU": (LIST, lambda: layers.ThresholdedReLU(0.1)),
    "TimeDistributed": (LIST, lambda: layers.TimeDistributed(layers.Dense(4, "relu"))),
    "UpSampling1D": (LIST, lambda: layers.UpSampling1D(2)),
    "UpSampling2D": (IMAGE, lambda: layers.UpSampling2D((2, 1), interpolation="bilinear")),
    "UpSampling3D": (CUBE, lambda: layers.UpSampling3D(2)),
    "ZeroPadding1D": (LIST, lambda: layers.ZeroPadding1D(1)),
    "ZeroPadding2D": (IMAGE, lambda: layers.ZeroPadding2D(((1, 0), (0, 2)))),
    "ZeroPadding3D": (CUBE, lambda: layers.ZeroPadding3D(1)),
}
"""A shape and a layer (or a function of a tensor) for each Keras class that LRP knows."""
OTHER_VERSION = {"ClassMethod", "Operation", "GetItem"} if not is_keras_3() else {
    "ClassMethod", "LocallyConnected1D", "LocallyConnected2D", "SlicingOpLambda", "TFOpLambda",
    "ThresholdedReLU"}  # fmt: skip
"""Entries of classes that models of this version of Keras do not have, or seldom."""
INNER = {"AttentionMean", "AttentionScores", "AttentionSoftmax", "Constant", "EventsToSteps", "MaskOf",
         "ReversedSteps", "StepsMask", "StepsToEvents", "WithMask", "WithoutMask"}  # fmt: skip
"""Entries that no Keras class has: parts of layers that are taken apart."""
REFUSED = {
    "ConvLSTM1D": lambda: lambda x: layers.ConvLSTM1D(2, 2)(layers.Reshape((6, 3, 1))(x)),
}
"""A layer of lists of classes that are refused."""


def network(shape, layer, name="culprit"):
    """Dense, the layer, Dense; without biases the activations leave linear pieces."""
    inputs = keras.Input(shape, name="x")
    x = layer(inputs if shape == TOKENS else layers.Dense(3, name="before")(inputs))
    x = layers.Flatten(name="flat")(x) if len(x.shape) > 2 else x
    return keras.Model(inputs, layers.Dense(2, "softmax", name="out")(x), name=name)


def probabilities(logits):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def events(shape, n=7):
    """Normal numbers, or tokens from 0 to 4."""
    rng = np.random.default_rng(1)
    return rng.integers(0, 5, (n, *shape)).astype(float) if shape == TOKENS else rng.normal(size=(n, *shape))


def test_every_entry_has_an_example():
    known = {kind for kind, entry in known_layers().items() if entry.layer is not None}
    if is_keras_3():  # its operations have tests of their own
        known -= {"Operation", "GetItem"}
    made = set(EXAMPLES) - OTHER_VERSION
    assert made == (known - INNER - OTHER_VERSION) | (set(EXPANSIONS) - {OWN})


@pytest.mark.parametrize("kind", EXAMPLES)
def test_forward_is_that_of_keras_and_relevance_is_conserved(randomised, graph_of, kind):
    shape, make = EXAMPLES[kind]
    model = network(shape, make())
    assert any(type(layer).__name__ == kind for layer in model.layers), "the example has the layer"
    x = events(shape)
    if kind != "Normalization":
        randomised(model, seed=2, bias=0.3)
    engine = Propagator(graph_of(model), choose("epsilon"), dtype="float64")
    np.testing.assert_allclose(probabilities(engine.logits({"x": x})), model.predict(x, verbose=0), atol=2e-6)
    if kind in ("Normalization", "Rescaling"):
        return  # their shifts take part, see test_norm
    randomised(model, seed=2, bias=0.0)
    found, explained, elsewhere = Propagator(graph_of(model), choose("epsilon", 1e-10), dtype="float64")({"x": x})
    total = found["x"].reshape(7, -1).sum(axis=1) + elsewhere
    np.testing.assert_allclose(total, explained, rtol=1e-5, atol=1e-6 * np.abs(explained).max())


NO_MASKS = ("Softmax", *(() if is_keras_3() else ("GroupNormalization",)))
"""Layers that fail in Keras itself behind a mask of steps."""


@pytest.mark.parametrize("kind", [k for k, (shape, _) in EXAMPLES.items() if shape == LIST and k not in NO_MASKS])
def test_every_layer_hands_on_masks_as_keras_does(randomised, graph_of, kind):
    """A mean behind the layer is one of the real steps, if the mask came through."""
    inputs = keras.Input(LIST, name="x")
    x = EXAMPLES[kind][1]()(layers.Masking(0.0)(inputs))
    x = layers.GlobalAveragePooling1D()(x) if len(x.shape) == 3 else layers.Flatten()(x)
    model = keras.Model(inputs, layers.Dense(2)(x))
    if kind != "Normalization":
        randomised(model, seed=3, bias=0.3)
    x = events(LIST, 9).astype(np.float32)
    x[np.arange(6) >= np.array([6, 2, 1, 4, 5, 6, 3, 6, 6])[:, None]] = 0.0
    found = Propagator(graph_of(model), choose("epsilon"), dtype="float64").logits({"x": x})
    np.testing.assert_allclose(found, model(x), rtol=1e-3, atol=1e-4)


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
    model = keras.Model(inputs, layers.Dense(2, "softmax")(x))
    if kind != "Normalization":
        randomised(model, bias=0.3)
    engine = Propagator(graph_of(model), choose("epsilon"), dtype="float64", nonnegative=frozenset({"x"}))
    values = engine.values({"x": np.abs(events(shape, 9))})
    for node in engine.graph.nodes:
        for name in node.inputs[:1]:
            assert not engine.treatments[node.name].never_negative or np.min(values[name]) >= 0


@pytest.mark.parametrize("kind", REFUSED)
def test_a_refusal_names_layer_reason_and_a_remedy_that_works(randomised, kind):
    """On the trained model as it is: Integrated Gradients."""
    model = randomised(network(LIST, REFUSED[kind]()))
    culprit = next(layer for layer in model.layers if type(layer).__name__ == kind)
    x = np.random.default_rng(5).normal(size=(3, *LIST)).astype(np.float32)
    with pytest.raises(ModelError) as error:
        xaug.explain.lrp(model, x, engine="native")
    entry = entry_of(kind)
    assert str(error.value) == f"layer {culprit.name!r} ({kind}) {entry.reason}. Remedy: {entry.remedy}"
    with pytest.raises(ModelError, match=rf"{culprit.name!r} \({kind}\) cannot be explained: iNNvestigate"):
        xaug.explain.lrp(model, x, engine="innvestigate")
    assert "xaug.explain.integrated_gradients" in entry.remedy
    found = xaug.explain.integrated_gradients(model, x, xaug.explain.Blank(), tolerance=0.1)
    assert np.isfinite(found.relevance["x"]).all()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: layers.GRU(2, tf.math.sin, name="bad"), "activation.*linear, relu"),
        (lambda: layers.GRU(2, zero_output_for_mask=True, name="bad"), "zero_output_for_mask=True"),
        (lambda: layers.GRU(2, recurrent_activation="tanh", name="bad"), "recurrent activation 'tanh'"),
        (lambda: lambda x: tf.math.cumprod(x), "is the operation math.cumprod, which has no rule"),
        (lambda: lambda x: layers.Dropout(0.1, name="bad")(x, training=True), "training=True"),
        (
            lambda: layers.Lambda(lambda x: tf.map_fn(tf.sin, x), name="bad"),
            "bad.*(cannot be followed|map_fn)",
        ),
    ],
)
def test_ways_in_which_a_known_layer_is_refused(make, words):
    with pytest.raises(ModelError, match=rf"layer '.*{words}.*Remedy: .*integrated_gradients"):
        xaug.explain.lrp(network(LIST, make()), np.zeros((2, *LIST)), engine="native")
