"""Every rule on every linear layer against its formula in NumPy; what cannot be a rule is refused where it is made."""

import copy
import pickle

import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import xaug
from xaug.core.errors import ConfigurationError
from xaug.explain.propagation.composites import COMPOSITES, Composite
from xaug.explain.propagation.engine import Propagator
from xaug.explain.propagation.linear_maps import LinearMap, LinearStep
from xaug.explain.propagation.rules import (
    BIAS,
    RULES,
    AlphaBetaRule,
    EpsilonRule,
    FlatRule,
    Role,
    Rule,
    WSquareRule,
    ZBoxRule,
    ZRule,
    make_rule,
)

EXAMPLES = {
    "epsilon": EpsilonRule(0.05),
    "z": ZRule(),
    "alpha_beta": AlphaBetaRule(3.5, 2.5),
    "flat": FlatRule(),
    "w_square": WSquareRule(),
    "z_box": ZBoxRule(-4.5, 6.0),
}
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


OTHERS = {
    "dilated": ((7, 2), lambda: [layers.Conv1D(3, 3, dilation_rate=2, activation="relu")]),
    "causal": ((6, 2), lambda: [layers.Conv1D(3, 2, padding="causal", dilation_rate=2, activation="relu")]),
    "groups": ((5, 4), lambda: [layers.Conv1D(6, 2, groups=2, activation="relu", padding="same")]),
    "dilated images": ((5, 5, 2), lambda: [layers.Conv2D(2, 2, dilation_rate=(2, 1), activation="relu")]),
    "depthwise 1d": ((6, 2), lambda: [layers.DepthwiseConv1D(3, strides=2, depth_multiplier=2, activation="relu")]),
    "depthwise 2d": ((5, 4, 2), lambda: [layers.DepthwiseConv2D(2, padding="same", activation="relu")]),
    "separable 1d": ((6, 3), lambda: [layers.SeparableConv1D(2, 2, depth_multiplier=2, activation="relu")]),
    "separable 2d": ((5, 4, 2), lambda: [layers.SeparableConv2D(3, 2, strides=2, activation="relu")]),
    "separable causal": (
        (6, 3),
        lambda: [layers.SeparableConv1D(2, 2, padding="causal", dilation_rate=2, activation="relu")],
    ),
    "transposed 1d": ((4, 2), lambda: [layers.Conv1DTranspose(3, 3, strides=2, activation="relu")]),
    "transposed 2d": ((3, 3, 2), lambda: [layers.Conv2DTranspose(2, 2, strides=2, padding="same", activation="relu")]),
    "cubes": ((3, 3, 3, 2), lambda: [layers.Conv3D(2, 2, activation="relu")]),
    "named axes": ((4, 3), lambda: [layers.EinsumDense("abc,cde->abde", (None, 2, 3), "relu", bias_axes="de")]),
}
"""Other linear layers, which the engine knows by their action alone."""


@pytest.fixture(autouse=True)
def _without_tracing():
    """The same operations, one by one: to trace and compile them for a few events takes longer than to run them."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def numpy_lrp(share, matrix_of):
    """Relevance of events through a chain of linear layers with ReLU, for the predicted class."""

    def lrp(model, x, composite, convention):
        steps, a = [], x.astype(np.float64)
        for layer in model.layers[1:]:
            shape = a.shape[1:]
            if isinstance(layer, (layers.Flatten, layers.Reshape)):
                a = a.reshape(len(a), *layer.output_shape[1:])
                continue
            w, exists, b = matrix_of(layer, shape)
            role = Role.CONVOLUTION if "Conv" in type(layer).__name__ else Role.DENSE
            flat = a.reshape(len(a), -1)
            steps.append((composite.rule_of(role, not steps), flat, w, exists, b))
            z = flat @ w + b
            a = (np.maximum(z, 0) if layer is not model.layers[-1] else z).reshape(len(a), *layer.output_shape[1:])
        found = []
        for n, logits in enumerate(a):
            relevance = np.where(np.arange(len(logits)) == logits.argmax(), logits, 0.0)
            for rule, flat, w, exists, b in reversed(steps):
                relevance = share(rule, flat[n], w, exists, b, relevance, convention)
            found.append(relevance.reshape(x.shape[1:]))
        return np.array(found)

    return lrp


def assert_equal(found, expected):
    """The layers of the formulas are float64, their weights were float32 in both: rounding of float64 only."""
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9 * np.abs(expected).max())


def test_every_rule_has_a_formula_and_an_example(formulas):
    assert set(formulas) == set(RULES) == set(EXAMPLES)
    for name, rule in EXAMPLES.items():
        assert type(rule) is RULES[name]
        assert rule.name == name
        assert "R_j =" in type(rule).__doc__
        assert copy.deepcopy(rule) == pickle.loads(pickle.dumps(rule)) == rule


@pytest.mark.parametrize("sign", ["positive inputs", "inputs of both signs"])
@pytest.mark.parametrize("kind", LINEAR)
@pytest.mark.parametrize("name", COMPOSITES)
def test_every_composite_on_every_linear_layer(chain, graph_of, numpy_lrp, name, kind, sign):
    shape, make = LINEAR[kind]
    model, x = chain(shape, *make()), np.random.default_rng(1).normal(size=(6, *shape))
    x = np.abs(x) if sign == "positive inputs" else x
    nonnegative = frozenset({"x"}) if sign == "positive inputs" else frozenset()
    for convention in BIAS:
        engine = Propagator(graph_of(model), COMPOSITES[name], convention, "float64", nonnegative)
        assert_equal(engine({"x": x})[0]["x"], numpy_lrp(model, x, COMPOSITES[name], convention))


@pytest.mark.parametrize("kind", [*LINEAR, *OTHERS])
@pytest.mark.parametrize("name", RULES)
def test_every_rule_on_first_layers(chain, graph_of, numpy_lrp, name, kind):
    """A composite with a rule of its own for the layer that reads the inputs."""
    shape, make = {**LINEAR, **OTHERS}[kind]
    model, x = chain(shape, *make()), np.random.default_rng(2).normal(size=(6, *shape))
    composite = COMPOSITES["preset_a"].with_first(EXAMPLES[name])
    engine = Propagator(graph_of(model), composite, "split", "float64")
    assert_equal(engine({"x": x})[0]["x"], numpy_lrp(model, x, composite, "split"))


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("never_negative", [True, False])
def test_a_rule_needs_nothing_but_a_map_and_its_transpose(share, name, never_negative):
    """A linear map that no layer of xaug has: sums over pairs of inputs that lie opposite each other."""

    class Opposite(LinearMap):
        kernel, bias = np.array([0.7, -1.1, 0.4]), np.array([0.2, -0.3, 0.1])

        def apply(self, x, w, bias=None, activate=None):
            z = (x[:, :3] + x[:, :2:-1]) * w
            return z if bias is None else z + bias

        def transpose(self, s, w):
            return tf.concat([s * w, (s * w)[:, ::-1]], axis=1)

    linear, rule = Opposite(), EXAMPLES[name]
    rng = np.random.default_rng(3)
    x, relevance = rng.normal(size=(5, 6)), rng.normal(size=(5, 3))
    x = np.abs(x) if never_negative else x
    connections = np.concatenate([np.eye(3), np.eye(3)[::-1]])
    for convention in BIAS:
        z = linear.apply(x, linear.kernel, linear.bias)
        step = LinearStep(linear, *map(tf.constant, (x, z, relevance)), convention, never_negative)
        w = connections * linear.kernel
        expected = [
            share(rule, a, w, connections, linear.bias, r, convention) for a, r in zip(x, relevance, strict=True)
        ]
        assert_equal(rule.relevance(step), np.array(expected))


@pytest.mark.parametrize("rule", [rule for rule in EXAMPLES.values() if rule.name != "epsilon"], ids=str)
def test_relevance_is_conserved_without_biases(share, rule):
    """By the formulas, hence by the engine: what goes into a layer comes out of it."""
    rng = np.random.default_rng(4)
    x, w, relevance = rng.normal(size=9), rng.normal(size=(9, 5)), rng.normal(size=5)
    assert share(rule, x, w, np.ones_like(w), np.zeros(5), relevance, "ignore").sum() == pytest.approx(relevance.sum())


def test_bounded_inputs_share_positively():
    """z^B: inside of the bounds each connection has the sign of the relevance; outside, the input is refused."""
    inputs = np.random.default_rng(5).random((20, 6))
    positive = tf.constant(np.random.default_rng(6).random((20, 4)))

    class Matrix(LinearMap):
        kernel, bias = np.random.default_rng(7).normal(size=(6, 4)), np.ones(4)

        def apply(self, x, w, bias=None, activate=None):
            return x @ w

        def transpose(self, s, w):
            return s @ w.T

    rule = ZBoxRule(0, 1)
    shares = rule.relevance(LinearStep(Matrix(), tf.constant(inputs), None, positive, "innvestigate")).numpy()
    assert (shares >= 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), positive.numpy().sum(axis=1))
    rule.check_input("image", inputs)
    rule.check_input("image", inputs[:0])
    with pytest.raises(ConfigurationError, match=r"'image' has values from .* to 1\.\d+, outside of the bounds"):
        rule.check_input("image", inputs + 0.5)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Rule("gamma"), "unknown kind of rule 'gamma'.*Known: epsilon"),
        (lambda: Rule("alpha-beta"), "did you mean 'alpha_beta'"),
        (lambda: Rule(kind="flat"), r"FlatRule\(\.\.\.\) or make_rule"),
        (lambda: make_rule("epsilom"), "did you mean 'epsilon'"),
        (lambda: make_rule("epsilon", epsilom=1), "did you mean 'epsilon'"),
        (lambda: make_rule("alpha_beta", alpha=1), "needs the parameters alpha, beta"),
        (lambda: make_rule("flat", epsilon=1), "unknown parameter of the rule flat 'epsilon'"),
        (lambda: EpsilonRule(-0.1), r"epsilon is -0\.1; it must be positive"),
        (lambda: EpsilonRule(0), "it must be positive.*ZRule"),
        (lambda: EpsilonRule(np.nan), "epsilon is nan; a finite number"),
        (lambda: EpsilonRule("0.1"), "epsilon is '0.1'; a finite number"),
        (lambda: AlphaBetaRule(2, 0.5), "must be 1"),
        (lambda: AlphaBetaRule(np.nan, np.nan), "alpha is nan"),
        (lambda: AlphaBetaRule(np.inf, np.inf), "alpha is inf"),
        (lambda: AlphaBetaRule(0.5, -0.5), r"beta is -0\.5; it must not be negative"),
        (lambda: ZBoxRule(1, 0), "low < high"),
        (lambda: ZBoxRule(0, np.inf), "high is inf"),
        (lambda: Composite("own", "epsilon"), "the default rule is 'epsilon'; a rule is needed"),
        (lambda: Composite("own", ZRule(), {"dense": 1}), "the dense rule is 1"),
        (lambda: Composite("own", ZRule(), {"recurent": ZRule()}), "did you mean 'recurrent'"),
        (lambda: Composite("own", ZRule(), first="z_box"), "the first rule is 'z_box'"),
    ],
)
def test_what_is_no_rule_is_refused_where_it_is_made(make, words):
    with pytest.raises(ConfigurationError, match=words):
        make()


def test_rules_by_name_and_alone(mlp):
    x = np.random.default_rng(8).random((5, 7))
    assert make_rule("epsilon", epsilon=1e-7) == EpsilonRule(1e-7)
    alone = xaug.explain.lrp(mlp(), x, EpsilonRule(1e-7), engine="native")
    named = xaug.explain.lrp(mlp(), x, "epsilon", engine="native")
    np.testing.assert_array_equal(alone.relevance["xaug"], named.relevance["xaug"])
    assert alone.settings["rule"] == "epsilon(epsilon=1e-07) on all layers"
