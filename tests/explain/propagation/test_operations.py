"""Operations between tensors whose shares have a closed form, beside those of `test_formulas.py`."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from xaug.explain.propagation.composites import choose
from xaug.explain.propagation.engine import Propagator
from xaug.explain.propagation.layers.tensor_operations import SHARES
from xaug.networks.keras_versions import is_keras_3
from xaug.networks.model_config import TENSOR_OPS

STEPS, FEATURES = 4, 3
RNG = np.random.default_rng(5)
X = RNG.normal(size=(6, STEPS, FEATURES))
W = RNG.normal(size=(STEPS * FEATURES * 3, 2))

ops = keras.ops if is_keras_3() else tf


def explained(graph_of, make, x=None, dtype="float64", units=None, kernel=None):
    """Relevance in float64 of the first logit of a dense layer, the relevance of what it reads, and that lost."""
    x = X if x is None else x
    inputs = keras.Input(x.shape[1:], name="x", dtype="float32" if x.dtype.kind == "f" else "int32")
    h = layers.Flatten()(make(inputs))
    out = layers.Dense(2, use_bias=False, name="out")
    model = keras.Model(inputs, out(h))
    out.set_weights([W[: h.shape[1]]])
    engine = Propagator(graph_of(model), choose("epsilon", 1e-12), dtype=dtype)
    found, _, lost = engine({"x": x}, np.array([1.0, 0.0]))
    values = np.asarray(keras.Model(inputs, h)(x.astype("float32" if x.dtype.kind == "f" else "int32")), float)
    return found["x"], values * W[: h.shape[1], 0], lost


def total(name):
    """A reduction of TensorFlow, or that of Keras 3."""
    return getattr(ops, name) if is_keras_3() else getattr(tf, f"reduce_{name}")


def test_factors_of_a_product_of_many_have_equal_parts(graph_of):
    found, relevance, _ = explained(graph_of, lambda x: total("prod")(x, axis=1))
    np.testing.assert_allclose(found, np.repeat(relevance[:, None] / STEPS, STEPS, 1), rtol=1e-5)


def test_a_soft_maximum_shares_by_its_weights(graph_of):
    found, relevance, lost = explained(graph_of, lambda x: total("logsumexp")(x, axis=1))
    weights = np.exp(X) / np.exp(X).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, weights * relevance[:, None], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(lost, 0, atol=1e-9)


def test_an_angle_has_equal_parts_of_both_components(graph_of):
    angle = ops.arctan2 if is_keras_3() else tf.math.atan2
    found, relevance, _ = explained(graph_of, lambda x: angle(x[..., 0], x[..., 1]))
    np.testing.assert_allclose(found[..., 0], relevance / 2, rtol=1e-4)
    np.testing.assert_allclose(found[..., 1], relevance / 2, rtol=1e-4)
    np.testing.assert_allclose(found[..., 2], 0, atol=1e-12)


BROADCAST = {
    "maximum with numbers": lambda x: ops.maximum(x[..., None], np.array([-1.0, 0.0, 1.0], np.float32)),
    "numbers over a signal": lambda x: ops.divide(
        np.array([1.0, 2.0, 3.0], np.float32), x[..., None] * x[..., None] + 1.0
    ),
    "powers": lambda x: (ops.power if is_keras_3() else tf.pow)(ops.abs(x[..., None]), np.array([1, 2, 3], np.float32)),
}


@pytest.mark.parametrize("name", BROADCAST)
def test_an_element_that_is_repeated_gets_the_sum(graph_of, name):
    """One element of x gives three of y, whose relevance it gets."""
    found, relevance, lost = explained(graph_of, BROADCAST[name])
    if name != "numbers over a signal":  # there the one is a constant, and takes a part
        np.testing.assert_allclose(found, relevance.reshape(*X.shape, 3).sum(axis=-1), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(lost, 0, atol=1e-9)
    assert found.shape == X.shape


def test_a_token_gets_the_relevance_of_its_one_hot_vector(graph_of):
    tokens = RNG.integers(0, 3, (6, STEPS))
    found, relevance, lost = explained(graph_of, lambda x: ops.one_hot(x, 3), tokens)
    np.testing.assert_allclose(found, relevance.reshape(6, STEPS, 3).sum(axis=-1), rtol=1e-5)
    np.testing.assert_allclose(lost, 0, atol=1e-9)


def test_a_token_in_a_column_of_numbers_gets_the_relevance_of_its_vector(graph_of):
    x = np.concatenate([X, RNG.integers(0, 5, (6, STEPS, 1))], axis=-1)
    table = layers.Embedding(5, 2)
    cast = ops.cast

    def make(inputs):
        return layers.Concatenate()([inputs[..., :3], table(cast(ops.round(inputs[..., 3]), "int32"))])

    found, relevance, lost = explained(graph_of, make, x)
    by_step = relevance.reshape(6, STEPS, 5)
    np.testing.assert_allclose(found[..., 3], by_step[..., 3:].sum(axis=-1), rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(found[..., :3], by_step[..., :3], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(lost, 0, atol=1e-9)


def test_padded_queries_are_alike_in_both_precisions(graph_of, randomised):
    """Keras lowers the scores of padded places in float32, in which nothing of them is left."""
    inputs = keras.Input((STEPS, FEATURES), name="x")
    h = layers.Dense(4)(layers.Masking()(inputs))
    h = (ops.max if is_keras_3() else tf.reduce_max)(h + layers.MultiHeadAttention(2, 2)(h, h), axis=1)
    model = randomised(keras.Model(inputs, layers.Dense(2)(h)), seed=2, bias=0.5)
    x = X.copy()
    x[1, 2:], x[2, 1:], x[3, :] = 0.0, 0.0, 0.0
    expected = np.asarray(model(x.astype(np.float32)))
    for dtype in ("float32", "float64"):
        found = Propagator(graph_of(model), choose("epsilon", 1e-9), dtype=dtype).logits({"x": x})
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_operations_with_a_rule_open_from_files():
    """They only compute, so that a file which names them runs no code that came with it."""
    names = {name for names in SHARES.values() for name in names if not name.startswith("ops.")}
    assert [name for name in sorted(names) if not TENSOR_OPS.match(name)] == []
    for form in ("tf.math.add", "compat.v1.transpose", "keras.backend.sum", "backend.sum"):
        assert TENSOR_OPS.match(form)
    for other in (
        "io.write_file",
        "compat.v1.py_func",
        "keras.activations.get",
        "keras.backend.eval",
        "math.x.y",
        "map_fn",
    ):
        assert not TENSOR_OPS.match(other)


@pytest.mark.parametrize(
    ("make", "share"),
    [(lambda x: x + 1, 1.0), (lambda x: 2 * x, 1.0), (lambda x: x + x[:, ::-1], 0.0)],
    ids=["shifted", "doubled", "of two"],
)
def test_tokens_made_of_tokens_hand_relevance_on_if_each_is_made_of_one(graph_of, make, share):
    """Arithmetic of integers has no gradient, and no quotient: it failed."""
    x = RNG.integers(0, 4, (6, STEPS)).astype(float)

    def embedded(inputs):
        return layers.Embedding(9, FEATURES)(make(ops.cast(inputs, "int32")))

    found, relevance, lost = explained(graph_of, embedded, x)
    of_tokens = relevance.reshape(6, STEPS, FEATURES).sum(axis=2)
    np.testing.assert_allclose(found, share * of_tokens, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(lost, (1 - share) * of_tokens.sum(axis=1), rtol=1e-5, atol=1e-6)
