"""Models and inputs as users have them: precision, names and order of inputs, lengths, and failures of their own."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import xaug
from xaug.core.errors import ConfigurationError, ModelError
from xaug.explain import Blank, integrated_gradients


@pytest.fixture
def x():
    return np.random.default_rng(1).normal(size=(6, 5)).astype(np.float32)


def explained(model, x, baseline=None, **options):
    return integrated_gradients(model, x, Blank() if baseline is None else baseline, **options)


def network(dtype=None):
    i = keras.Input((5,), name="x")
    h = layers.Dense(8, "tanh", name="a", dtype=dtype)(i)
    h = layers.Concatenate(dtype=dtype)([h, layers.BatchNormalization(dtype=dtype)(h)])
    return keras.Model(i, layers.Dense(2, "softmax", name="out", dtype=dtype)(h))


@pytest.mark.parametrize(
    ("dtype", "is_global", "is_nested"),
    [
        ("float64", False, False),
        ("float64", True, True),
        ("mixed_float16", True, False),
        ("mixed_bfloat16", False, True),
    ],
)
def test_other_precisions_are_explained_in_float32(x, dtype, is_global, is_nested):
    plain = network()
    before = keras.mixed_precision.global_policy()
    try:
        if is_global:
            keras.mixed_precision.set_global_policy(dtype)
        other = network(None if is_global else dtype)
        other.set_weights(plain.get_weights())
        weights = other.get_weights()
        if is_nested:
            i = keras.Input((5,), name="x")
            other = keras.Model(i, layers.Activation("linear")(other(i)))
        found = explained(other, {"x": x})
        assert keras.mixed_precision.global_policy().name == (dtype if is_global else "float32")
    finally:
        keras.mixed_precision.set_global_policy(before)
    expected = explained(plain, {"x": x})
    np.testing.assert_allclose(found.relevance["x"], expected.relevance["x"], atol=1e-3)
    np.testing.assert_allclose(found.logit, expected.logit, rtol=1e-4, atol=1e-5)
    for one, same in zip(other.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(one, same)


def test_sequential_models(x):
    named = keras.Sequential([keras.Input((5,), name="x"), layers.Dense(4, "tanh"), layers.Dense(2, "softmax")])
    unnamed = keras.Sequential([layers.Dense(4, "tanh", input_shape=(5,)), layers.Dense(2, "softmax")])
    unnamed.set_weights(named.get_weights())
    expected = explained(named, {"x": x}).relevance["x"]
    (found,) = explained(unnamed, x).relevance.values()
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(ModelError, match="known input shapes"):
        explained(keras.Sequential([layers.Dense(2, "softmax")]), x)


def two_inputs(structure):
    a, b = keras.Input((2,), name="jet"), keras.Input((3,), name="lepton")
    h = layers.Concatenate()([layers.Dense(3, "tanh")(a), layers.Dense(3, "swish")(b)])
    return keras.Model(structure(a, b), layers.Dense(2, "softmax")(h))


STRUCTURES = {
    "list": lambda a, b: [a, b],
    "reversed": lambda a, b: [b, a],
    "dict": lambda a, b: {"jet": a, "lepton": b},
    "other keys": lambda a, b: {"z": a, "y": b},
}


@pytest.mark.parametrize("structure", STRUCTURES)
def test_inputs_in_any_order(x, structure):
    keras.utils.set_random_seed(1)
    model = two_inputs(STRUCTURES[structure])
    arrays = {"jet": x[:, :2], "lepton": x[:, 2:]}
    given = {"y": arrays["lepton"], "z": arrays["jet"]} if structure == "other keys" else arrays
    p = model.predict(given if "keys" in structure else [arrays[n] for n in [t.name for t in model.inputs]], verbose=0)
    for one in (arrays, dict(reversed(arrays.items())), [arrays[n] for n in [t.name for t in model.inputs]], given):
        found = explained(model, one)
        np.testing.assert_allclose(found.logit, np.log(p[:, 1] / p[:, 0]), rtol=1e-3, atol=1e-5)
        assert {n: v.shape for n, v in found.relevance.items()} == {"jet": (6, 2), "lepton": (6, 3)}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (lambda a, b: {"jet": b, "lepton": a}, "'jet' has shape.*The array given for 'lepton'.*exchanged"),
        (lambda a, b: {"jet": a, "lepton": b, "photon": a}, "'photon'"),
        (lambda a, b: {"jet": a, "leptons": b}, "did you mean 'lepton'"),
        (lambda a, b: {0: a, 1: b}, "'0'"),
        (lambda a, b: {"jet": a}, "'lepton' is missing"),
        (lambda a, b: [a], "1 input arrays given"),
        (lambda a, b: {"jet": a + 1j, "lepton": b}, "complex64"),
        (lambda a, b: {"jet": a, "lepton": b[:4]}, "different numbers of events"),
        (lambda a, b: {"jet": np.where(a > 0, np.nan, a), "lepton": b}, "'jet' is not finite"),
    ],
)
def test_inputs_that_do_not_fit(x, given, words):
    with pytest.raises(ConfigurationError, match=words):
        explained(two_inputs(STRUCTURES["list"]), given(x[:, :2], x[:, 2:]))


def test_a_key_and_a_name_of_one_input(x):
    with pytest.raises(ConfigurationError, match="'jet' is given twice"):
        explained(two_inputs(STRUCTURES["other keys"]), {"z": x[:, :2], "jet": x[:, :2], "y": x[:, 2:]})


def test_unknown_length_is_that_of_the_data():
    i = keras.Input((None, 3), name="list")
    h = layers.GlobalAveragePooling1D()(layers.Conv1D(4, 1, activation="tanh")(i))
    model = keras.Model(i, layers.Dense(2, "softmax")(h))
    for length in (4, 7):
        x = np.random.default_rng(length).normal(size=(5, length, 3))
        found = explained(model, [x])
        assert found.relevance["list"].shape == x.shape
        np.testing.assert_allclose(found.residual, 0, atol=2e-3)
        with pytest.raises(ConfigurationError, match=r"baseline: input 'list' has shape \(1, 9, 3\)"):
            explained(model, [x], {"list": np.zeros((1, 9, 3))})


def test_a_baseline_is_compared_column_by_column():
    """A value that one column has is far outside the range of another."""
    i = keras.Input((2,), name="x")
    model = keras.Model(i, layers.Dense(1, "sigmoid")(i))
    x = np.random.default_rng(0).uniform([0, 200], [1, 900], (50, 2))
    explained(model, [x], {"x": np.array([0.5, 300])})
    with pytest.raises(ConfigurationError, match=r"'eta' of input 'x' is 300, while.*\[0\.\d+, 0\.\d+\]"):
        explained(model, [x], {"x": np.array([300, 300])}, variables={"x": ["eta", "pt"]})


def test_a_subclassed_model_can_be_wrapped(x):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.a, self.b = layers.Dense(4, "tanh"), layers.Dense(1)

        def call(self, v):
            return self.b(self.a(v))

    own = Own()
    with pytest.raises(ModelError, match="is no functional model"):
        explained(own, x)
    i = keras.Input((5,), name="x")
    wrapped = keras.Model(i, own(i))
    for output in ("logit", "value"):
        found = explained(wrapped, x, output=output)
        np.testing.assert_allclose(found.logit, own(x).numpy()[:, 0], rtol=1e-5)


def test_failures_of_a_model_are_told_in_a_line():
    i = keras.Input((None, 3), name="list")
    h = layers.Flatten()(layers.Reshape((2, 3, 3))(i))
    model = keras.Model(i, layers.Dense(1, "sigmoid")(h), name="stiff")
    assert explained(model, [np.ones((2, 6, 3))]).relevance["list"].shape == (2, 6, 3)
    with pytest.raises(ModelError, match=r"model 'stiff' cannot be evaluated: .*reshape") as raised:
        explained(model, [np.ones((2, 5, 3))])
    assert "\n" not in str(raised.value)


def test_baselines_of_arrays_in_any_form(x):
    """By name, by the key of the model, in its order, and as one array."""
    keras.utils.set_random_seed(1)
    model = two_inputs(STRUCTURES["other keys"])
    arrays, b = {"jet": x[:, :2], "lepton": x[:, 2:]}, np.arange(5) / 5
    expected = explained(model, arrays, {"jet": b[:2], "lepton": b[2:]})
    for baseline in (
        {"z": b[:2], "y": b[2:]},
        [{"jet": b[:2], "lepton": b[2:]}[n] for n in [t.name for t in model.inputs]],
    ):
        found = explained(model, arrays, baseline)
        np.testing.assert_array_equal(found.relevance["jet"], expected.relevance["jet"])
    one = network()
    np.testing.assert_array_equal(
        explained(one, x, b).relevance["x"], explained(one, {"x": x}, {"x": b[None]}).relevance["x"]
    )
    with pytest.raises(ConfigurationError, match="baseline: 1 input arrays given"):
        explained(model, arrays, [b])


def test_weights_that_are_not_finite(x):
    model = network()
    weights = model.get_layer("a").get_weights()
    weights[0][0, 0] = np.nan
    model.get_layer("a").set_weights(weights)
    with pytest.raises(ModelError, match="'a' has weights that are not finite"):
        explained(model, {"x": x})


@pytest.mark.parametrize("explain", ["integrated_gradients", "gradient_times_input", "expected_gradients"])
def test_an_input_that_does_not_move_has_no_attribution(explain):
    """The length of a padded particle has no gradient at zero; the particle is there at neither end of the path."""
    i = keras.Input((4, 3), name="list")
    h = layers.Concatenate()([i, tf.norm(i, axis=-1, keepdims=True)])
    model = keras.Model(i, layers.Dense(2, "softmax")(layers.Flatten()(layers.Dense(5, "tanh")(h))))
    x = np.random.default_rng(2).normal(size=(3, 4, 3)).astype(np.float32)
    x[:, 2:] = 0
    sample = () if explain == "gradient_times_input" else (Blank(),)
    found = getattr(xaug.explain, explain)(model, {"list": x}, *sample)
    assert np.isfinite(found.relevance["list"]).all() and not found.relevance["list"][:, 2:].any()
    if explain == "integrated_gradients":
        total = found.relevance["list"].sum(axis=(1, 2))
        np.testing.assert_allclose(total, found.logit - found.reference, atol=1e-3)
