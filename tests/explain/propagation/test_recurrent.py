"""Recurrent layers: a GRU by hand, conservation, and the rules that a recurrent layer takes."""

import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import xaug
from xaug.core.errors import ModelError
from xaug.explain.propagation.composites import COMPOSITES, Composite, choose
from xaug.explain.propagation.engine import Propagator
from xaug.explain.propagation.layers.recurrent import gru_forward, gru_relevance
from xaug.explain.propagation.rules import RULES, AlphaBetaRule, EpsilonRule, FlatRule, WSquareRule, ZBoxRule, ZRule


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
def test_stacked_grus_conserve_without_biases(rnn, graph_of, reset_after, sequences):
    model = rnn(reset_after, 0.0, sequences)
    x = np.random.default_rng(4).normal(size=(8, 6, 3))
    for dtype, tolerance in (("float64", 1e-5), ("float32", 1e-4)):
        engine = Propagator(graph_of(model), choose("epsilon", 1e-9), dtype=dtype)
        found, explained, initial = engine({"x": x})
        total = found["x"].reshape(8, -1).sum(axis=1) + initial
        assert np.abs(initial).max() == 0  # h_0 = 0 can carry none
        np.testing.assert_allclose(total, explained, rtol=tolerance, atol=tolerance * np.abs(explained).max())


@pytest.mark.parametrize("reset_after", [True, False])
def test_graph_of_recurrent_network_gives_the_outputs_of_keras(rnn, graph_of, reset_after):
    model = rnn(reset_after, 0.3)
    graph = graph_of(model)
    assert any("folded into" in step for step in graph.steps)
    x = np.random.default_rng(5).normal(size=(8, 6, 3))
    logits = Propagator(graph, choose("epsilon"), dtype="float64").logits({"x": x})
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(p, model.predict(x, verbose=0), atol=2e-6)


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("with_initial", [True, False])
def test_two_steps_of_one_unit_by_hand(reset_after, with_initial):
    """A GRU of one unit and one feature, written out: signal-take-all (arXiv:1706.07206)."""
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


RULE_OF = {
    "epsilon": EpsilonRule(0.3), "z": ZRule(), "alpha_beta": AlphaBetaRule(2, 1), "flat": FlatRule(),
    "w_square": WSquareRule(), "z_box": ZBoxRule(-9, 9),
}  # fmt: skip
TAKEN = ("epsilon", "z")
"""Rules by which a recurrent layer can share relevance."""


@pytest.mark.parametrize("name", RULES)
def test_a_gru_takes_the_rules_of_its_sums_and_refuses_the_others_by_name(rnn, name):
    """Under alpha-beta, flat or w^2 it took epsilon = 1e-7 once, while the settings named the other rule."""
    model, x, rule = rnn(True, 0.1), np.random.default_rng(5).normal(size=(4, 6, 3)), RULE_OF[name]
    dense_only = Composite("own", rule, {"recurrent": EpsilonRule(1e-7)})
    assert np.isfinite(xaug.explain.lrp(model, x, dense_only).relevance["x"]).all()
    if name in TAKEN:
        assert np.isfinite(xaug.explain.lrp(model, x, rule).relevance["x"]).all()
        return
    culprit = rf"'gru.*' \(GRU\) cannot be explained by the rule {name}.*rule='epsilon'.*special=\{{'recurrent'"
    for composite in (rule, Composite("own", EpsilonRule(1e-7), first=rule)):
        with pytest.raises(ModelError, match=culprit):
            xaug.explain.lrp(model, x, composite)


@pytest.mark.parametrize("name", COMPOSITES)
def test_named_composites_on_a_gru(rnn, name):
    model, x = rnn(True, 0.1), np.random.default_rng(5).normal(size=(4, 6, 3))
    if name in ("alpha1_beta0", "alpha2_beta1", "flat", "w_square"):
        with pytest.raises(ModelError, match=r"\(GRU\) cannot be explained by the rule"):
            xaug.explain.lrp(model, x, name)
    else:
        assert xaug.explain.lrp(model, x, name).settings["rule"] == name


def test_the_epsilon_of_the_composite_is_that_of_the_gru(chain, graph_of):
    """Preset A has 0.1 there; a rule for recurrent layers alone changes nothing else."""
    model = chain((6, 3), layers.GRU(5, return_sequences=True), layers.Flatten(), layers.Dense(4, "relu"))
    x = {"x": np.random.default_rng(6).normal(size=(4, 6, 3))}
    for own in (0.1, 0.02):
        composite = Composite("own", EpsilonRule(0.1), {"recurrent": EpsilonRule(own)})
        found = Propagator(graph_of(model), composite, dtype="float64")(x)[0]["x"]
        same = Propagator(graph_of(model), choose("epsilon", own), dtype="float64")(x)[0]["x"]
        preset = Propagator(graph_of(model), choose("preset_a"), dtype="float64")(x)[0]["x"]
        assert np.allclose(found, preset, rtol=1e-12) == np.allclose(same, preset, rtol=1e-12) == (own == 0.1)
