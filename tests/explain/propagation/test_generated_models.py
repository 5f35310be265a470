"""Networks drawn at random, with masks, padding, shared and nested parts: logits of Keras, conserved relevance."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from keras import layers

from xaug.explain.propagation.composites import choose
from xaug.explain.propagation.engine import Propagator

STEPS, WIDTH = 5, 4
LENGTHS = np.array([5, 2, 1, 4, 5, 3])
SETTINGS = {
    "phases": [Phase.explicit, Phase.generate],
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}


@pytest.fixture(autouse=True)
def _without_tracing():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def dense(units=WIDTH, activation=None):
    return layers.Dense(units, activation, use_bias=False)


def inner_model(draw):
    """A small model for one step or for a list."""
    shape = draw(st.sampled_from([(WIDTH,), (STEPS, WIDTH)]))
    inputs = keras.Input(shape)
    return keras.Model(inputs, dense()(layers.LeakyReLU()(dense(3)(inputs)))), len(shape) == 1


def step(draw, h):
    """One more part on a list of WIDTH columns, which hands on the mask or not."""
    what = draw(st.sampled_from(list(STEPS_OF)))
    return STEPS_OF[what](draw, h)


def nested(draw, h):
    model, one_step = inner_model(draw)
    part = layers.TimeDistributed(model) if one_step else model
    return layers.Add()([part(h), part(dense()(h))]) if draw(st.booleans()) else part(h)


def recurrent(draw, h):
    kind = draw(st.sampled_from([layers.GRU, layers.LSTM, layers.SimpleRNN]))
    options = {"return_sequences": True, "use_bias": False}
    if draw(st.booleans()):
        return layers.Bidirectional(kind(WIDTH // 2, **options))(h)
    return kind(WIDTH, go_backwards=draw(st.booleans()), **options)(h)


def convolution(draw, h):
    padding = draw(st.sampled_from(["same", "causal"]))
    kind = draw(st.sampled_from([layers.Conv1D, layers.SeparableConv1D]))
    return kind(WIDTH, 2, padding=padding, dilation_rate=draw(st.integers(1, 2)), use_bias=False)(h)


STEPS_OF = {
    "dense": lambda draw, h: dense(activation=draw(st.sampled_from(["relu", "elu", "gelu", "tanh"])))(h),
    "distributed": lambda draw, h: layers.TimeDistributed(dense())(h),
    "residual": lambda draw, h: layers.Add()([h, dense(activation="relu")(h)]),
    "operators": lambda draw, h: 0.5 * h + dense(activation="relu")(h),
    "gate": lambda draw, h: layers.Multiply()([h, dense(activation="sigmoid")(h)]),
    "twice": lambda draw, h: dense()(layers.Concatenate()([h, h])),
    "idle": lambda draw, h: layers.GaussianNoise(0.1)(layers.Dropout(0.1)(h)),
    "average": lambda draw, h: layers.Average()([h, dense()(h)]),
    "nested": nested,
    "recurrent": recurrent,
    "convolution": convolution,
}
POOLS = {
    "mean": lambda h: layers.GlobalAveragePooling1D()(h),
    "flat": lambda h: layers.Flatten()(h),
    "first": lambda h: h[:, 0],
    "sum": lambda h: tf.reduce_sum(h, axis=1),
    "GRU": lambda h: layers.GRU(3, use_bias=False)(h),
}


def draw_model(draw):
    inputs = keras.Input((STEPS, WIDTH), name="list")
    h = layers.Masking()(inputs) if draw(st.booleans()) else dense(activation="relu")(inputs)
    for _ in range(draw(st.integers(1, 3))):
        h = step(draw, h)
    pools = [POOLS[draw(st.sampled_from(list(POOLS)))](h) for _ in range(draw(st.integers(1, 2)))]
    h = layers.Concatenate()(pools) if len(pools) > 1 else pools[0]
    return keras.Model(inputs, layers.Dense(draw(st.integers(2, 3)), use_bias=False)(h))


def compare(data, graph_of):
    keras.backend.clear_session()
    keras.utils.set_random_seed(data.draw(st.integers(0, 2**16)))
    model = draw_model(data.draw)
    x = np.random.default_rng(1).normal(size=(len(LENGTHS), STEPS, WIDTH)).astype(np.float32)
    x[np.arange(STEPS) >= LENGTHS[:, None]] = 0.0
    x = x[data.draw(st.permutations(range(len(x))))]
    engine = Propagator(graph_of(model), choose("epsilon", 1e-11), dtype="float64")
    expected = model(x).numpy()
    np.testing.assert_allclose(engine.logits({"list": x}), expected, rtol=1e-3, atol=2e-5 * np.abs(expected).max())
    found, explained, elsewhere = engine({"list": x})
    total = found["list"].sum(axis=(1, 2)) + elsewhere
    np.testing.assert_allclose(total, explained, rtol=1e-5, atol=1e-5 * np.abs(explained).max())
    alone, _, _ = engine({"list": x[2:3]})
    largest = np.abs(alone["list"]).max()
    np.testing.assert_allclose(alone["list"][0], found["list"][2], rtol=1e-6, atol=1e-8 * largest)


@settings(max_examples=10, **SETTINGS)
@given(data=st.data())
def test_generated_models(data, graph_of):
    compare(data, graph_of)


@pytest.mark.slow
@settings(max_examples=300, **SETTINGS)
@given(data=st.data())
def test_many_generated_models(data, graph_of):
    compare(data, graph_of)
