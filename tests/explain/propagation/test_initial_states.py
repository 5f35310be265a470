"""Recurrent layers that begin with given states, and whose states are read: relevance by formulas in NumPy."""

import keras
import numpy as np
import pytest
from explain.propagation.test_layer_formulas import at_the_end, gru, lstm, simple
from keras import layers

import xaug
from xaug.core.errors import ModelError
from xaug.explain.propagation.composites import choose
from xaug.explain.propagation.engine import Propagator

STEPS, FEATURES, UNITS, EVENTS = 5, 3, 4, 3
FORMULAS = {"SimpleRNN": simple, "GRU": gru, "LSTM": lstm}


def network(randomised, layer, read):
    """Initial states that are inputs, and a dense layer on the output (`read` 0) or on one of the states."""
    count = 2 if isinstance(layer, layers.LSTM) else 1
    inputs = [keras.Input((STEPS, FEATURES), name="x")]
    inputs += [keras.Input((UNITS,), name=f"state_{i}") for i in range(count)]
    steps = layers.Masking()(inputs[0])
    y = layer(steps, initial_state=inputs[1:])[read]
    y = layers.Flatten()(y) if len(y.shape) > 2 else y
    return randomised(keras.Model(inputs, layers.Dense(2, name="out")(y)), seed=3, bias=0.3)


def events(model):
    rng = np.random.default_rng(8)
    found = {t.name: rng.normal(size=(EVENTS, *t.shape[1:])).astype(np.float32).astype(float) for t in model.inputs}
    found["x"][1, 3:] = 0  # padded steps
    return found


CASES = [(kind, read, sequences) for kind in FORMULAS for read in (0, 1, 2) for sequences in (False, True)]


@pytest.mark.parametrize(
    ("kind", "read", "sequences"), [case for case in CASES if case[1] < 2 or case[0] == "LSTM"]
)  # fmt: skip
def test_relevance_of_steps_and_initial_states_is_that_of_the_formula(randomised, graph_of, kind, read, sequences):
    layer = getattr(layers, kind)(UNITS, return_sequences=sequences, return_state=True, name="memory")
    model = network(randomised, layer, read)
    x = events(model)
    found, logit, elsewhere = Propagator(graph_of(model), choose("epsilon", 1e-10), dtype="float64")(
        x, np.array([1.0, 0.0])
    )
    np.testing.assert_allclose(logit, np.asarray(model(list(x.values())))[:, 0], rtol=1e-4, atol=1e-5)
    assert not elsewhere.any()  # initial states are inputs
    weights = [w.astype(float) for w in layer.get_weights()]
    w = model.get_layer("out").get_weights()[0][:, 0].astype(float)
    values = keras.Model(model.inputs, model.get_layer("memory").output)([one.astype("f4") for one in x.values()])[read]
    for n in range(EVENTS):
        real = 3 if n == 1 else STEPS
        relevance = np.asarray(values, float)[n].ravel() * w
        begin = [x[name][n] for name in x if name != "x"]
        options = {}
        if sequences and read == 0:
            by_step = relevance.reshape(STEPS, UNITS)
            by_step = np.concatenate([by_step[: real - 1], by_step[real - 1 :].sum(axis=0)[None]])  # padding repeats
        elif read == 2:
            by_step, options = np.zeros((real, UNITS)), {"of_cell": relevance}
        else:
            by_step = at_the_end(relevance, real)
        expected = FORMULAS[kind](x["x"][n, :real], weights, by_step, begin, **options)
        largest = max(np.abs(one).max() for one in expected)
        tolerance = {"rtol": 2e-3, "atol": 1e-4 * largest}
        np.testing.assert_allclose(found["x"][n, :real], expected[0], **tolerance)
        assert not found["x"][n, real:].any()
        for i, one in enumerate(expected[1:]):
            np.testing.assert_allclose(found[f"state_{i}"][n], one, err_msg=f"state {i}", **tolerance)


@pytest.mark.parametrize("kind", FORMULAS)
def test_the_rescale_rule_counts_initial_states(randomised, kind):
    model = network(randomised, getattr(layers, kind)(UNITS, return_state=True), 0)
    x = {name: values.astype("f4") for name, values in events(model).items()}
    reference = {name: np.full_like(values[:1], 0.3) for name, values in x.items()}
    for values in reference.values():
        values[..., 0] = -0.2
    found = xaug.explain.rescale(model, x, xaug.explain.Event(reference), target=0, padding="free")
    assert np.abs(found.relevance["state_0"]).max() > 1e-3
    np.testing.assert_allclose(found.residual, 0, atol=1e-4)


def test_a_normalisation_of_the_initial_state_is_not_folded_into_the_weights_of_the_steps(randomised, graph_of):
    x, state = keras.Input((STEPS, FEATURES), name="x"), keras.Input((FEATURES,), name="state")
    begin = layers.BatchNormalization()(state)
    y = layers.GRU(FEATURES)(x, initial_state=begin)
    model = randomised(keras.Model([x, state], layers.Dense(2)(y)), bias=0.3)
    given = {"x": np.ones((2, STEPS, FEATURES)), "state": np.ones((2, FEATURES))}
    found = Propagator(graph_of(model), choose("epsilon"), dtype="float64").logits(given)
    np.testing.assert_allclose(found, model(list(given.values())), rtol=1e-4, atol=1e-5)


def test_a_stateful_network_is_refused_by_all_methods_with_a_remedy_that_works(randomised):
    def build(stateful):
        inputs = keras.Input(batch_shape=(4, STEPS, FEATURES), name="x")
        h = layers.GRU(UNITS, stateful=stateful, name="memory")(inputs)
        return keras.Model(inputs, layers.Dense(2, "softmax")(h))

    model, x = randomised(build(True)), np.ones((4, STEPS, FEATURES), np.float32)
    for explain in (
        lambda own: xaug.explain.lrp(own, x, engine="native"),
        lambda own: xaug.explain.integrated_gradients(own, x, xaug.explain.Blank(), target=0),
    ):
        with pytest.raises(ModelError, match=r"layer 'memory' \(GRU\) has stateful=True.*set_weights\(model"):
            explain(model)
        copy = build(False)
        copy.set_weights(model.get_weights())
        assert np.isfinite(explain(copy).relevance["x"]).all()
