"""The native engine: every rule on every layer against matrix formulas in NumPy, recurrent layers by hand."""

import keras
import numpy as np
import pytest
from keras import layers

import xaug
from xaug.core.errors import ConfigurationError, ModelError
from xaug.explain.propagation.batches import output_shape
from xaug.explain.propagation.engine import Propagator
from xaug.explain.propagation.graph import make_graph
from xaug.explain.propagation.rules import BIAS, COMPOSITES, Composite, Rule, choose
from xaug.explain.targets import logits_of

EPSILON_COMPOSITE = choose("epsilon")


def graph_of(model):
    return make_graph(logits_of(model), {layer.name: output_shape(layer) for layer in model.layers})


@pytest.fixture
def chain(randomised):
    """chain(shape, layer, ...): a model of one input, the given layers, and a softmax over a dense layer."""

    def make(shape, *steps, outputs=2, seed=0, bias=0.1):
        x = inputs = keras.Input(shape, name="x")
        for step in steps:
            x = step(x)
        if len(x.shape) > 2:
            x = layers.Flatten()(x)
        x = layers.Dense(outputs, "softmax", name="out")(x)
        return randomised(keras.Model(inputs, x, name="chain"), seed, bias)

    return make


# --- independent formulas: each linear layer as one explicit matrix, taken from Keras by its action on unit vectors ---


def matrix_of(layer, shape):
    """Matrix (inputs, outputs) and bias (outputs,) of a linear layer, flattened; from the Keras layer itself."""
    twin = type(layer).from_config({**layer.get_config(), "activation": "linear", "name": "twin", "dtype": "float64"})
    size = int(np.prod(shape))
    twin.build((None, *shape))
    twin.set_weights(layer.get_weights())
    zero = twin(np.zeros((1, *shape))).numpy().reshape(-1)
    units = twin(np.eye(size).reshape(size, *shape)).numpy().reshape(size, -1)
    return units - zero, zero


def numpy_rule(rule, x, w, b, relevance, convention):
    """Shares R_j of one event: all products x_j w_jk written out. Float64."""
    z = x @ w + b
    if rule.kind == "epsilon":
        z = x @ w if convention == "ignore" else z
        if rule.epsilon:
            z = z + np.where(z >= 0, rule.epsilon, -rule.epsilon)
        else:
            z = np.where(z == 0, 1e-7, z)
        return (x[:, None] * w * (relevance / z)).sum(axis=1)
    if rule.kind in ("flat", "w_square"):
        # connections that a convolution does not have are no shares; those of weight zero would be
        share = (w != 0).astype(float) if rule.kind == "flat" else w**2
        return (share / share.sum(axis=0) * relevance).sum(axis=1)
    products = x[:, None] * w
    total = np.zeros(len(x))
    for weight, part, own in (
        (rule.alpha, np.maximum(products, 0), np.maximum(b, 0)),
        (-rule.beta, np.minimum(products, 0), np.minimum(b, 0)),
    ):
        denominator = part.sum(axis=0) + {"innvestigate": b, "split": own, "ignore": 0 * b}[convention]
        total += weight * (part * (relevance / np.where(denominator == 0, 1e-7, denominator))).sum(axis=1)
    return total


def numpy_lrp(model, x, composite, convention):
    """Relevance of events through a chain of linear layers with ReLU, for the predicted class."""
    steps, a = [], x.astype(np.float64)
    for layer in model.layers[1:]:
        shape = a.shape[1:]
        if isinstance(layer, (layers.Flatten, layers.Reshape)):
            a = a.reshape(len(a), *output_shape(layer))
            continue
        w, b = matrix_of(layer, shape)
        flat = a.reshape(len(a), -1)
        steps.append((layer, flat, w, b))
        z = flat @ w + b
        a = (np.maximum(z, 0) if layer is not model.layers[-1] else z).reshape(len(a), *output_shape(layer))
    found = []
    for n, logits in enumerate(a):
        relevance = np.where(np.arange(len(logits)) == logits.argmax(), logits, 0.0)
        for layer, flat, w, b in reversed(steps):
            rule = composite.convolution if "Conv" in type(layer).__name__ else composite.dense
            relevance = numpy_rule(rule, flat[n], w, b, relevance, convention)
        found.append(relevance.reshape(x.shape[1:]))
    return np.array(found)


LINEAR = {
    "dense": ((6,), lambda: [layers.Dense(5, "relu")]),
    "dense on a list": ((4, 3), lambda: [layers.Dense(5, "relu")]),
    "conv1d": ((7, 2), lambda: [layers.Conv1D(3, 3, activation="relu", padding="valid")]),
    "conv1d same, strides": ((7, 2), lambda: [layers.Conv1D(3, 2, strides=2, padding="same", activation="relu")]),
    "conv2d": ((5, 4, 2), lambda: [layers.Conv2D(3, 2, activation="relu", padding="valid")]),
    "conv2d same, strides": ((5, 4, 1), lambda: [layers.Conv2D(3, 3, strides=2, padding="same", activation="relu")]),
    "two convolutions": (
        (5, 5, 1),
        lambda: [layers.Conv2D(3, 3, padding="same", activation="relu"), layers.Conv2D(2, 2, activation="relu")],
    ),
    "no bias": ((6,), lambda: [layers.Dense(5, "relu", use_bias=False)]),
}


@pytest.mark.parametrize("sign", ["positive inputs", "inputs of both signs"])
@pytest.mark.parametrize("kind", LINEAR)
@pytest.mark.parametrize("name", COMPOSITES)
def test_every_rule_on_every_linear_layer(chain, name, kind, sign):
    shape, make = LINEAR[kind]
    model = chain(shape, *make())
    rng = np.random.default_rng(1)
    x = rng.random((6, *shape)) if sign == "positive inputs" else rng.normal(size=(6, *shape))
    nonnegative = frozenset({"x"}) if sign == "positive inputs" else frozenset()
    for convention in BIAS:
        engine = Propagator(graph_of(model), COMPOSITES[name], convention, "float64", nonnegative)
        found, _, _ = engine({"x": x})
        expected = numpy_lrp(model, x, COMPOSITES[name], convention)
        # the twin layers are float64, their weights were float32 in both: rounding of float64 only
        np.testing.assert_allclose(found["x"], expected, rtol=1e-6, atol=1e-9 * np.abs(expected).max())


def test_any_alpha_and_beta(chain):
    model = chain((6,), layers.Dense(5, "relu"))
    rule = Rule("alpha_beta", alpha=3.5, beta=2.5)
    composite = Composite("own", rule, rule)
    x = np.random.default_rng(2).normal(size=(4, 6))
    found, _, _ = Propagator(graph_of(model), composite, "split", "float64")({"x": x})
    expected = numpy_lrp(model, x, composite, "split")
    np.testing.assert_allclose(found["x"], expected, rtol=1e-6, atol=1e-9 * np.abs(expected).max())
    with pytest.raises(ConfigurationError, match="must be 1"):
        Rule("alpha_beta", alpha=2.0, beta=0.5)


WEIGHTLESS = {
    "max pooling": ((6, 6, 2), lambda: [layers.Conv2D(3, 2, activation="relu"), layers.MaxPooling2D(2)]),
    "max pooling 1d": ((9, 2), lambda: [layers.Conv1D(3, 2, activation="relu"), layers.MaxPooling1D(2)]),
    "average pooling": ((6, 6, 2), lambda: [layers.Conv2D(3, 2, activation="relu"), layers.AveragePooling2D(2)]),
    "average pooling 1d": ((9, 2), lambda: [layers.Conv1D(3, 2, activation="relu"), layers.AveragePooling1D(2)]),
    "global max": ((6, 6, 2), lambda: [layers.Conv2D(3, 2, activation="relu"), layers.GlobalMaxPooling2D()]),
    "global max 1d": ((6, 2), lambda: [layers.Conv1D(3, 2, activation="relu"), layers.GlobalMaxPooling1D()]),
    "global mean": ((6, 6, 2), lambda: [layers.Conv2D(3, 2, activation="relu"), layers.GlobalAveragePooling2D()]),
    "global mean 1d": ((6, 2), lambda: [layers.Conv1D(3, 2, activation="relu"), layers.GlobalAveragePooling1D()]),
    "permute": ((4, 3), lambda: [layers.Dense(5, "relu"), layers.Permute((2, 1)), layers.Conv1D(2, 2)]),
    "reshape": ((12,), lambda: [layers.Reshape((4, 3)), layers.Dense(5), layers.ReLU()]),
    "activation": ((6,), lambda: [layers.Dense(5), layers.Activation("relu"), layers.Dropout(0.5)]),
}


@pytest.mark.parametrize("kind", WEIGHTLESS)
def test_without_biases_epsilon_is_gradient_times_input(chain, kind):
    """For ReLU networks without biases LRP-z is gradient x input, whatever is pooled; by automatic differentiation."""
    import tensorflow as tf

    shape, make = WEIGHTLESS[kind]
    model = chain(shape, *make(), bias=0.0)
    x = np.random.default_rng(3).normal(size=(5, *shape))
    found, explained, _ = Propagator(graph_of(model), choose("epsilon", 1e-12), dtype="float64")({"x": x})
    logits = keras.Model(model.inputs, model.layers[-1].output)
    model.layers[-1].activation = keras.activations.linear
    logits = keras.models.clone_model(model)
    logits.set_weights(model.get_weights())
    with tf.GradientTape() as tape:
        inputs = tf.constant(x, tf.float32)
        tape.watch(inputs)
        value = tf.reduce_max(logits(inputs), axis=1)
    expected = x * tape.gradient(value, inputs).numpy()
    np.testing.assert_allclose(found["x"], expected, rtol=1e-3, atol=2e-5 * np.abs(expected).max())
    np.testing.assert_allclose(found["x"].reshape(5, -1).sum(axis=1), explained, rtol=1e-8, atol=1e-10)


# --- recurrent layers ------------------------------------------------------------------------------------------------


@pytest.fixture
def rnn(chain):
    """rnn(reset_after, bias): three stacked GRUs with BatchNormalization, as the network of arXiv:2011.13466."""

    def make(reset_after, bias, sequences=True):
        return chain(
            (6, 3),
            layers.GRU(5, return_sequences=True, reset_after=reset_after),
            layers.GRU(4, return_sequences=True, reset_after=reset_after),
            layers.BatchNormalization(),
            layers.GRU(3, return_sequences=sequences, reset_after=reset_after),
            layers.Flatten() if sequences else layers.Activation("linear"),
            layers.Dense(7, "relu"),
            bias=bias,
        )

    return make


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("sequences", [True, False])
def test_stacked_grus_conserve_without_biases(rnn, reset_after, sequences):
    model = rnn(reset_after, 0.0, sequences)
    x = np.random.default_rng(4).normal(size=(8, 6, 3))
    for dtype, tolerance in (("float64", 1e-5), ("float32", 1e-4)):
        engine = Propagator(graph_of(model), choose("epsilon", 1e-9), dtype=dtype)
        found, explained, initial = engine({"x": x})
        total = found["x"].reshape(8, -1).sum(axis=1) + initial
        assert np.abs(initial).max() == 0  # h_0 = 0 can carry none
        np.testing.assert_allclose(total, explained, rtol=tolerance, atol=tolerance * np.abs(explained).max())


@pytest.mark.parametrize("reset_after", [True, False])
def test_graph_of_recurrent_network_gives_the_outputs_of_keras(rnn, reset_after):
    model = rnn(reset_after, 0.3)
    graph = graph_of(model)
    assert any("folded into" in step for step in graph.steps)
    x = np.random.default_rng(5).normal(size=(8, 6, 3))
    logits = Propagator(graph, EPSILON_COMPOSITE, dtype="float64").logits({"x": x})
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(p, model.predict(x, verbose=0), atol=2e-6)


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("with_initial", [True, False])
def test_two_steps_of_one_unit_by_hand(reset_after, with_initial):
    """A GRU of one unit and one feature, written out: signal-take-all (arXiv:1706.07206)."""
    import tensorflow as tf

    from xaug.explain.propagation.recurrent import gru_forward, gru_relevance

    kernel, recurrent = np.array([[0.7, -0.4, 1.1]]), np.array([[0.3, 0.6, -0.8]])
    bias = np.array([[0.1, 0.2, -0.3], [0.05, -0.1, 0.15]])
    x, h0 = np.array([[[0.9], [-0.5]]]), 0.4 if with_initial else 0.0

    def sigmoid(v):
        return 1 / (1 + np.exp(-v))

    h, steps = h0, []
    for xt in x[0, :, 0]:
        z = sigmoid(0.7 * xt + 0.3 * h + 0.15)
        r = sigmoid(-0.4 * xt + 0.6 * h + 0.1)
        inner = r * (-0.8 * h + 0.15) if reset_after else -0.8 * r * h + 0.15
        g = 1.1 * xt - 0.3 + inner
        new = z * h + (1 - z) * np.tanh(g)
        steps.append((xt, h, z, r, g, new))
        h = new
    expected, carried = [], 2.0  # relevance that the last state received
    for xt, before, z, r, g, new in reversed(steps):
        ratio = carried / new
        to_candidate = (1 - z) * np.tanh(g) * ratio
        expected.append(1.1 * xt * to_candidate / g)
        carried = z * before * ratio - 0.8 * r * before * to_candidate / g
    record = gru_forward(
        tf.constant(x), *map(tf.constant, (kernel, recurrent, bias)), reset_after, tf.constant([[h0]], tf.float64)
    )
    assert float(record.states[-1][0, 0]) == pytest.approx(h, rel=1e-12)
    share, initial = gru_relevance(
        tf.constant(x), tf.constant(kernel), tf.constant(recurrent), record,
        [None, tf.constant([[2.0]], tf.float64)], reset_after, 1e-12,
    )  # fmt: skip
    np.testing.assert_allclose(share[0, :, 0], expected[::-1], rtol=1e-6)
    assert float(initial[0, 0]) == pytest.approx(carried, rel=1e-6, abs=1e-12)


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


def test_hidden_units_in_another_order_change_nothing(mlp):
    model, x = mlp(), np.random.default_rng(7).random((9, 7)).astype(np.float32)
    before = xaug.explain.lrp(model, x, engine="native").relevance["xaug"]
    order = np.random.default_rng(8).permutation(12)
    (w1, b1), (w2, b2) = (model.get_layer(name).get_weights() for name in ("d1", "d2"))
    model.get_layer("d1").set_weights([w1[:, order], b1[order]])
    model.get_layer("d2").set_weights([w2[order], b2])
    after = xaug.explain.lrp(model, x, engine="native").relevance["xaug"]
    np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-4 * np.abs(before).max())


# --- canonical form --------------------------------------------------------------------------------------------------

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
def test_batch_normalization_keeps_the_outputs(chain, kind):
    shape, make, folds = FOLDS[kind]
    model = chain(shape, *make(), bias=0.4)
    graph = graph_of(model)
    assert any("folded" in step for step in graph.steps) == folds
    assert any(node.kind == "Affine" for node in graph.nodes) != folds
    x = np.random.default_rng(9).normal(size=(20, *shape)).astype(np.float32)
    logits = Propagator(graph, EPSILON_COMPOSITE, dtype="float64").logits({"x": x})
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(p, model.predict(x, verbose=0), atol=2e-6)
    found = xaug.explain.lrp(model, x)
    assert found.settings["engine"] == "native"
    assert np.isfinite(found.relevance["x"]).all()


def test_add_and_several_inputs(randomised):
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    total = layers.Add()([layers.Dense(5, name="da")(a), layers.Dense(5, name="db")(b)])
    both = layers.Concatenate()([layers.ReLU()(total), a])
    model = randomised(keras.Model([a, b], layers.Dense(2, "softmax")(both)), bias=0.0)
    rng = np.random.default_rng(10)
    x = {"a": rng.normal(size=(9, 4)), "b": rng.normal(size=(9, 4))}
    found, explained, _ = Propagator(graph_of(model), choose("epsilon", 1e-12), dtype="float64")(x)
    np.testing.assert_allclose(sum(r.sum(axis=1) for r in found.values()), explained, rtol=1e-6, atol=1e-9)


def test_innvestigate_is_refused_where_it_is_wrong_unless_forced(chain):
    model = chain((5,), layers.Dense(4), layers.BatchNormalization(name="norm"), layers.ReLU())
    x = np.random.default_rng(11).random((3, 5)).astype(np.float32)
    with pytest.raises(ModelError, match=r"'norm'.*wrong formula"):
        xaug.explain.lrp(model, x, engine="innvestigate")
    assert xaug.explain.lrp(model, x, engine="auto").settings["engine"] == "native"
    forced = xaug.explain.lrp(model, x, engine="innvestigate", rule="preset_a", force=True)
    assert forced.settings["engine"] == "innvestigate"
    with pytest.raises(ConfigurationError, match="bias 'split'"):
        xaug.explain.lrp(model, x, engine="innvestigate", bias="split")
    with pytest.raises(ConfigurationError, match="did you mean 'split'"):
        xaug.explain.lrp(model, x, bias="splitt")
