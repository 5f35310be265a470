"""The canonical form of a model: folded normalisations, identities left out, several inputs."""

import keras
import numpy as np
import pytest
from keras import layers

import xaug
from xaug.explain.propagation.composites import choose
from xaug.explain.propagation.engine import Propagator
from xaug.explain.propagation.layers.norm import Affine

FOLDS = {
    "behind dense": ((5,), lambda: [layers.Dense(4), layers.BatchNormalization(), layers.Activation("swish")], True),
    "in front of dense": ((5,), lambda: [layers.Dense(4, "relu"), layers.BatchNormalization(), layers.Dense(3)], True),
    "behind conv": ((6, 2), lambda: [layers.Conv1D(4, 2), layers.BatchNormalization(), layers.ReLU()], True),
    "in front of valid conv": ((6, 2), lambda: [layers.BatchNormalization(), layers.Conv1D(4, 2)], True),
    "in front of same conv": (
        (6, 2), lambda: [layers.BatchNormalization(), layers.Conv1D(4, 3, padding="same")], False,
    ),
    "in front of conv2d": ((5, 5, 2), lambda: [layers.BatchNormalization(), layers.Conv2D(3, 2)], True),
    "between activations": (
        (5,), lambda: [layers.Dense(4, "relu"), layers.BatchNormalization(), layers.Activation("swish")], False,
    ),
    "no scale, no center": (
        (5,), lambda: [layers.Dense(4), layers.BatchNormalization(scale=False, center=False), layers.ReLU()], True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", FOLDS)
def test_batch_normalization_keeps_the_outputs(chain, graph_of, kind):
    shape, make, folds = FOLDS[kind]
    model = chain(shape, *make(), bias=0.4)
    graph = graph_of(model)
    assert any("folded" in step for step in graph.steps) == folds
    assert any(isinstance(node.layer, Affine) for node in graph.nodes) != folds
    x = np.random.default_rng(9).normal(size=(20, *shape)).astype(np.float32)
    logits = Propagator(graph, choose("epsilon"), dtype="float64").logits({"x": x})
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(p, model.predict(x, verbose=0), atol=2e-6)
    found = xaug.explain.lrp(model, x)
    assert found.settings["engine"] == "native"
    assert np.isfinite(found.relevance["x"]).all()


def test_add_and_several_inputs(randomised, graph_of):
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    total = layers.Add()([layers.Dense(5, name="da")(a), layers.Dense(5, name="db")(b)])
    both = layers.Concatenate()([layers.ReLU()(total), a])
    model = randomised(keras.Model([a, b], layers.Dense(2, "softmax")(both)), bias=0.0)
    rng = np.random.default_rng(10)
    x = {"a": rng.normal(size=(9, 4)), "b": rng.normal(size=(9, 4))}
    found, explained, _ = Propagator(graph_of(model), choose("epsilon", 1e-12), dtype="float64")(x)
    np.testing.assert_allclose(sum(r.sum(axis=1) for r in found.values()), explained, rtol=1e-6, atol=1e-9)


def test_identities_in_a_row_are_left_out(chain, graph_of):
    """Dropout behind noise behind dropout, and at both ends of the network."""
    idle = [layers.Dropout(0.1), layers.GaussianNoise(0.2), layers.ActivityRegularization(l2=0.1)]
    model = chain((5,), *idle, layers.Dense(4, "relu"), layers.Dropout(0.1), layers.AlphaDropout(0.1))
    graph = graph_of(model)
    assert [node.layer.source.kind for node in graph.nodes] == ["InputLayer", "Dense", "Dense"]
    assert sum("does nothing" in step for step in graph.steps) == 5
    x = np.random.default_rng(12).normal(size=(6, 5))
    assert np.isfinite(xaug.explain.lrp(model, x, engine="native").relevance["x"]).all()


def test_first_layers_are_those_that_read_nothing_but_inputs(randomised, graph_of):
    """Moved inputs count; a dense layer that reads features beside an input does not."""
    image, expert = keras.Input((6, 6, 1), name="image"), keras.Input((3,), name="expert")
    moved = layers.Permute((2, 1, 3))(image)
    features = layers.Flatten()(layers.Conv2D(2, 3, name="conv")(moved))
    both = layers.Concatenate()([layers.Flatten()(image), expert])
    x = layers.Concatenate()([features, expert, layers.Dense(2, name="side")(both)])
    model = randomised(keras.Model([image, expert], layers.Dense(2, "softmax", name="out")(x)))
    engine = Propagator(graph_of(model), choose("epsilon"))
    assert engine._first == {"conv": {"image"}, "side": {"image", "expert"}}
