"""What is explained: classes by name, differences of logits, one target per event; the same in both engines."""

import keras
import numpy as np
import pytest
from keras import layers

import xaug
from xaug.core.errors import ConfigurationError
from xaug.explain.targets import check_target

ENGINES = ("native", "innvestigate")


@pytest.fixture
def x():
    return np.random.default_rng(1).normal(size=(40, 7)).astype(np.float32)


def logits(model, x):
    """Preactivation of the last layer, in float64, from the weights by hand."""
    a = x.astype(np.float64)
    dense = [layer for layer in model.layers if layer.weights]
    for layer in dense:
        w, b = (v.astype(np.float64) for v in layer.get_weights())
        a = a @ w + b
        if layer is not dense[-1]:
            a = np.maximum(a, 0)
    return a


def assert_same(found, expected):
    np.testing.assert_allclose(found.logit, expected.logit, rtol=1e-5, atol=1e-6)
    a, b = found.relevance["xaug"], expected.relevance["xaug"]
    largest = np.abs(b).max(axis=1)
    error = np.abs(a - b).max(axis=1) / np.where(largest > 0, largest, 1.0)  # none, where no hidden unit is active
    assert np.median(error) < 1e-5
    assert np.quantile(error, 0.9) < 1e-3


def test_both_engines_explain_the_same(mlp, x):
    for model in (mlp(), mlp(outputs=1, activation="sigmoid")):
        for target in ("predicted", "signal", "background"):
            assert_same(*(xaug.explain.lrp(model, x, target=target, engine=engine) for engine in ENGINES))


@pytest.mark.parametrize(("rule", "engine"), [("preset_a", e) for e in ENGINES] + [("alpha2_beta1", "native")])
def test_difference_is_lrp_of_the_log_odds_neuron(mlp, x, rule, engine):
    """A softmax of two is a sigmoid of the difference: the model with that one neuron gets the same relevance."""
    two, one = mlp(), mlp(outputs=1, activation="sigmoid")
    for layer in two.layers[:-1]:
        one.get_layer(layer.name).set_weights(layer.get_weights())
    w, b = two.get_layer("out").get_weights()
    one.get_layer("out").set_weights([w[:, 1:] - w[:, :1], b[1:] - b[:1]])
    np.testing.assert_allclose(one.predict(x, verbose=0)[:, 0], two.predict(x, verbose=0)[:, 1], rtol=1e-5)
    found = xaug.explain.lrp(two, x, rule, target="signal-background", engine=engine)
    assert_same(found, xaug.explain.lrp(one, x, rule, target="signal", engine=engine))
    f = logits(two, x)
    np.testing.assert_allclose(found.logit, f[:, 1] - f[:, 0], rtol=1e-4, atol=1e-5)
    if rule == "alpha2_beta1":  # what speaks for one class there speaks against the other: two different neurons
        return
    other = xaug.explain.lrp(two, x, rule, target="background-signal", engine=engine)
    np.testing.assert_allclose(other.logit, -found.logit, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(other.relevance["xaug"], -found.relevance["xaug"], rtol=1e-5, atol=1e-6)


def test_difference_does_not_see_what_the_softmax_does_not_see(mlp, x):
    """A function common to both logits leaves the probabilities alone, and the relevance of their difference too.

    It changes the relevance of each logit, and the difference of the two explanations.
    """
    model = mlp()
    w, b = model.get_layer("out").get_weights()
    common = np.random.default_rng(2).normal(size=(len(w), 1)).astype(np.float32)

    def explain(target):
        return xaug.explain.lrp(model, x, "preset_a", target=target, engine="native", dtype="float64")

    def separately():
        return explain("signal").relevance["xaug"] - explain("background").relevance["xaug"]

    together, apart = explain("signal-background").relevance["xaug"], separately()
    model.get_layer("out").set_weights([w + common, b + 0.7])
    largest = np.abs(together).max()
    np.testing.assert_allclose(explain("signal-background").relevance["xaug"], together, atol=1e-5 * largest)
    assert np.abs(separately() - apart).max() > 0.01 * largest


def test_difference_is_the_difference_of_explanations_under_lrp_z(mlp, x):
    a, b, both = (
        xaug.explain.lrp(mlp(), x, "z", target=t, engine="native", dtype="float64").relevance["xaug"]
        for t in ("signal", "background", "signal-background")
    )
    np.testing.assert_allclose(both, a - b, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("engine", "outputs"), [("native", 2), ("native", 3), ("innvestigate", 3)])
def test_one_target_per_event(mlp, x, engine, outputs):
    model = mlp(outputs=outputs)
    which = np.random.default_rng(3).integers(0, outputs, len(x))
    found = xaug.explain.lrp(model, x, target=which, engine=engine)
    assert found.settings["target"] == "one per event"
    for unit in range(outputs):
        alone = xaug.explain.lrp(model, x, target=unit, engine=engine)
        rows = which == unit
        np.testing.assert_allclose(found.logit[rows], alone.logit[rows], rtol=1e-5, atol=1e-6)
        scale = np.abs(alone.relevance["xaug"]).max()
        np.testing.assert_allclose(found.relevance["xaug"][rows], alone.relevance["xaug"][rows], atol=1e-5 * scale)
    np.testing.assert_allclose(found.logit, logits(model, x)[np.arange(len(x)), which], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_names_per_event_of_a_single_output(mlp, x, engine):
    """The true class of each event: +logit for signal, -logit for background."""
    model = mlp(outputs=1, activation="sigmoid")
    label = np.arange(len(x)) % 2
    found = xaug.explain.lrp(model, x, target=np.where(label, "signal", "background"), engine=engine)
    signal = xaug.explain.lrp(model, x, target="signal", engine=engine)
    np.testing.assert_allclose(found.logit, np.where(label, 1, -1) * signal.logit, rtol=1e-6)
    np.testing.assert_allclose(
        found.relevance["xaug"], np.where(label, 1, -1)[:, None] * signal.relevance["xaug"], atol=1e-6
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_a_single_output_is_the_difference_already(mlp, x, engine):
    model = mlp(outputs=1, activation="sigmoid")
    for difference, name in (("signal-background", "signal"), ("background-signal", "background")):
        assert_same(
            xaug.explain.lrp(model, x, target=difference, engine=engine),
            xaug.explain.lrp(model, x, target=name, engine=engine),
        )


def test_classes_of_ones_own(mlp, x):
    """Names in the order of the outputs; hyphens in a name do not make it a difference."""
    model, classes, f = mlp(outputs=3), ("light", "c-jet", "b-jet"), logits(mlp(outputs=3), x)
    for target, expected in {
        "c-jet": f[:, 1],
        "b-jet-c-jet": f[:, 2] - f[:, 1],
        "light-b-jet": f[:, 0] - f[:, 2],
        "2-0": f[:, 2] - f[:, 0],
        "1": f[:, 1],
    }.items():
        found = xaug.explain.lrp(model, x, target=target, classes=classes, engine="native")
        np.testing.assert_allclose(found.logit, expected, rtol=1e-4, atol=1e-5, err_msg=target)


def test_difference_where_the_softmax_is_a_layer_of_its_own(mlp, x):
    whole = mlp()
    raw = layers.Dense(2, name="raw")
    apart = keras.Model(whole.inputs, layers.Softmax(name="end")(raw(whole.layers[-2].output)))
    raw.set_weights(whole.layers[-1].get_weights())
    for engine in ENGINES:
        assert_same(
            xaug.explain.lrp(apart, x, target="signal-background", engine=engine),
            xaug.explain.lrp(whole, x, target="signal-background", engine=engine),
        )


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("signal-backgruond", "did you mean 'signal-background'"),
        ("1-1", "with itself is zero"),
        ("0-7", "outputs 0 to 2"),
        ("signal", "3 outputs.*classes="),
        (True, "True"),
        (1.5, "1.5"),
        (np.zeros(39, int), r"shape \(39,\).*\(40,\)"),
        (np.zeros((40, 3), int), r"shape \(40, 3\)"),
        (np.zeros(40), "float64"),
        (np.full(40, 3), "target 3"),
        (["light"] * 40, "'light'"),
    ],
)
def test_bad_targets_are_named(mlp, x, target, words):
    with pytest.raises(ConfigurationError, match=words):
        xaug.explain.lrp(mlp(outputs=3), x, target=target, engine="native")


def test_no_events_and_a_target_for_each_of_them(mlp):
    assert len(xaug.explain.lrp(mlp(), np.zeros((0, 7)), target=[], engine="native")) == 0


@pytest.mark.parametrize(
    ("target", "classes"),
    [("signal", ("background", "signal")), ("predicted", ("a", "b", "c")), ("a-c", ("a", "b", "c")), (1, ("a", "b")),
     ("2", ("a", "b", "c")), ("signal-background", ("QCD", "Hbb")), ("Hbb", ("QCD", "Hbb"))],
)  # fmt: skip
def test_targets_that_name_classes_pass(target, classes):
    check_target(target, classes)


@pytest.mark.parametrize(("target", "guess"), [("sgnal", "signal"), ("signl-background", "signal-background")])
def test_a_wrong_target_is_found_from_the_names_of_classes_alone(target, guess):
    with pytest.raises(ConfigurationError, match=f"unknown target '{target}'; did you mean '{guess}'"):
        check_target(target, ("background", "signal"))
