"""Masks of padded steps: each layer passes, joins, consumes or destroys them as Keras does, for every padded event."""

import keras
import numpy as np
import pytest
from keras import layers

import xaug
from xaug.explain.propagation.composites import choose
from xaug.explain.propagation.engine import Propagator
from xaug.networks.keras_versions import call_of, is_keras_3

STEPS, FEATURES = 5, 3
LENGTHS = np.array([5, 3, 1, 4, 2, 5, 1])
PADDED_FIRST = np.array([2, 8, 6, 0, 4, 1, 7, 3, 5])
"""An order of the events: first a padded one, and others of both kinds after it; reversed, first a full one."""


def padded_events(order=slice(None), seed=0):
    """Seven events of 1 to 5 real steps, and two with a hole among them, in an order of one's own."""
    lengths = np.array([*LENGTHS, 5, 4])
    x = np.random.default_rng(seed).normal(size=(len(lengths), STEPS, FEATURES)).astype(np.float32)
    x[np.arange(STEPS) >= lengths[:, None]] = 0.0
    x[-2:, 2] = 0.0
    return x[order]


def behind(*steps):
    """A function of a tensor: layers, one after the other."""

    def call(x):
        for step in steps:
            x = step(x)
        return x

    return call


def two(merge, *mask):
    """Two branches, each masked or not, merged."""
    return lambda x: merge([layers.Masking(0.0)(x) if one else layers.Dense(FEATURES)(x) for one in mask])


BEHIND = {
    "GRU": lambda: layers.GRU(4),
    "mean": lambda: layers.GlobalAveragePooling1D(),
    "states": lambda: behind(layers.GRU(4, return_sequences=True), layers.Flatten()),
}
"""Layers that consume a mask: what they compute tells whether it came through."""
MIDDLE = {
    "nothing": lambda: layers.Masking(0.0),
    "dense": lambda: behind(layers.Masking(0.0), layers.Dense(4, "relu")),
    "time distributed": lambda: behind(layers.Masking(0.0), layers.TimeDistributed(layers.Dense(4))),
    "activation": lambda: behind(layers.Masking(0.0), layers.Dense(4), layers.Activation("tanh"), layers.ReLU()),
    "identities": lambda: behind(
        layers.Masking(0.0), layers.Dropout(0.1), layers.GaussianNoise(0.1), layers.SpatialDropout1D(0.1)
    ),
    "normalisation": lambda: behind(layers.Masking(0.0), layers.BatchNormalization(), layers.ReLU()),
    "GRU": lambda: behind(layers.Masking(0.0), layers.GRU(4, return_sequences=True), layers.Dense(4)),
    "two GRUs": lambda: behind(layers.Masking(0.0), *(layers.GRU(4, return_sequences=True) for _ in range(2))),
    "sum of masked": lambda: two(layers.Add(), True, True),
    "sum with an unmasked one": lambda: two(layers.Add(), False, True),
    "product of masked": lambda: two(layers.Multiply(), True, True),
    "maximum with an unmasked one": lambda: two(layers.Maximum(), False, True),
    "features of masked side by side": lambda: two(layers.Concatenate(), True, True),
    "features beside unmasked ones": lambda: two(layers.Concatenate(), False, True),
    "steps of masked one after another": lambda: two(layers.Concatenate(axis=1), True, True),
    "convolution": lambda: behind(layers.Masking(0.0), layers.Conv1D(4, 2)),
    "pooling": lambda: behind(layers.Masking(0.0), layers.MaxPooling1D(2)),
    "mean pooling": lambda: behind(layers.Masking(0.0), layers.AveragePooling1D(2)),
    "permuted": lambda: behind(layers.Masking(0.0), layers.Permute((2, 1))),
    "reshaped": lambda: behind(layers.Masking(0.0), layers.Reshape((3, 5))),
    "another mask": lambda: behind(layers.Masking(0.0), layers.Dense(4), layers.Masking(0.0)),
}


RECURRENT = ("nothing", "dense", "GRU")
"""What stands in front of a GRU whose states are all read."""


def network(middle, end, randomised):
    inputs = keras.Input((STEPS, FEATURES), name="x")
    x = BEHIND[end]()(MIDDLE[middle]()(inputs))
    return randomised(keras.Model(inputs, layers.Dense(2, "softmax", name="out")(x)), seed=3, bias=0.3)


def keras_logits(model, x):
    """Logits of the Keras model itself, from its own layers."""
    before = keras.Model(model.inputs, model.layers[-1].input)
    kernel, bias = model.layers[-1].get_weights()
    return before(x).numpy() @ kernel + bias


@pytest.mark.parametrize(
    ("middle", "end"), [(middle, end) for middle in MIDDLE for end in BEHIND if end != "states" or middle in RECURRENT]
)
def test_logits_of_padded_events_are_those_of_keras(randomised, graph_of, middle, end):
    """In every position of the batch: padded events first, last and between."""
    model = network(middle, end, randomised)
    engine = Propagator(graph_of(model), choose("epsilon"), dtype="float64")
    for order in (PADDED_FIRST, PADDED_FIRST[::-1]):
        x = padded_events(order)
        np.testing.assert_allclose(engine.logits({"x": x}), keras_logits(model, x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("middle", ["nothing", "dense", "sum with an unmasked one", "features beside unmasked ones"])
def test_masks_change_the_function(randomised, middle):
    """The comparison above means something: without the mask the logits are others."""
    model, x = network(middle, "mean", randomised), padded_events()[:7]
    inputs = keras.Input((STEPS, FEATURES), name="x")
    unmasked = model.layers[-2].__class__(name="unmasked")
    hidden = keras.Model(model.inputs, call_of(model.layers[-2].output).inputs[0])
    without = layers.Reshape(hidden.output_shape[1:])(hidden(inputs))  # which hands no mask on
    plain = keras.Model(inputs, model.layers[-1](unmasked(without)))
    padded = LENGTHS < STEPS
    changes = np.abs(plain.predict(x, verbose=0) - model.predict(x, verbose=0))[padded].max() > 1e-3
    assert changes == (middle in RECURRENT or not is_keras_3())  # Keras 3 keeps no mask beside an unmasked input


def test_padded_steps_get_exactly_nothing(chain):
    """Through a Masking layer, as Keras masks: same outputs, no relevance on padding."""
    model = chain((6, 3), layers.Masking(0.0), layers.GRU(5, return_sequences=True), layers.GRU(4))
    x = np.random.default_rng(6).normal(size=(7, 6, 3)).astype(np.float32)
    length = np.array([6, 5, 4, 3, 2, 1, 1])
    x[np.arange(6) >= length[:, None]] = 0.0
    found = xaug.explain.lrp(model, x)  # which compares the outputs with Keras first
    assert found.settings["engine"] == "native"
    assert (found.relevance["x"][x == 0] == 0).all()
    assert (np.abs(found.relevance["x"]).sum(axis=(1, 2)) > 0).all()


def test_a_masked_mean_shares_among_real_steps_only(randomised):
    """By hand: R_t = x_t w / (number of real steps); no part goes to padding, to which a dense layer gives values."""
    inputs = keras.Input((STEPS, FEATURES), name="x")
    x = layers.GlobalAveragePooling1D()(layers.Dense(4, name="d")(layers.Masking(0.0)(inputs)))
    model = randomised(keras.Model(inputs, layers.Dense(2, "softmax", name="out")(x)), bias=0.0)
    events = padded_events()[:7]
    found = xaug.explain.lrp(model, events, "z", target=1, dtype="float64").relevance["x"]
    w = model.get_layer("d").get_weights()[0] @ model.get_layer("out").get_weights()[0][:, 1]
    expected = events * w / LENGTHS[:, None, None]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("kind", ["GRU", "LSTM", "SimpleRNN", "RNN", "Bidirectional"])
@pytest.mark.parametrize("sequences", [False, True])
def test_masks_of_recurrent_layers_with_initial_states(kind, sequences, given):
    """Keras 3 hands no mask to a call with several tensors, unless by name; its output carries the mask anyway."""
    rng = np.random.default_rng(3)
    x = {"list": rng.normal(size=(7, 5, 4)).astype(np.float32), "x": rng.normal(size=(7, 3)).astype(np.float32)}
    x["list"][3:, 3:] = 0
    steps, vector = keras.Input((5, 4), name="list"), keras.Input((3,), name="x")
    states = [layers.Dense(2)(vector) for _ in range({"LSTM": 2, "Bidirectional": 2}.get(kind, 1))]
    masking = layers.Masking()
    masked = masking(steps)
    options = {"mask": masking.compute_mask(steps)} if given else {}
    if kind == "RNN":
        layer = layers.RNN(layers.GRUCell(2), return_sequences=sequences)
    elif kind == "Bidirectional":
        layer = layers.Bidirectional(layers.GRU(2, return_sequences=sequences))
    else:
        layer = getattr(layers, kind)(2, return_sequences=sequences)
    h = layer(masked, initial_state=states, **options)
    h = layers.GlobalAveragePooling1D()(h) if sequences else h
    model = keras.Model([steps, vector], layers.Dense(2, activation="softmax")(h))
    found = xaug.explain.lrp(model, x, "epsilon", "signal", "native")  # the logits of all events are those of Keras
    assert np.isfinite(found.relevance["list"]).all()
