"""Arguments of the Python functions that cannot be meant are refused before any work, and by name."""

import keras
import numpy as np
import pytest
from keras import layers

import xaug
from xaug.core.errors import ConfigurationError, ModelError
from xaug.explain import Blank

RNG = np.random.default_rng(0)
X = {name: RNG.normal(size=(7, 4)).astype("f4") for name in ("x", "y")}


@pytest.fixture(scope="module")
def model():
    x, y = keras.Input((4,), name="x"), keras.Input((4,), name="y")
    return keras.Model([x, y], layers.Dense(3)(layers.Concatenate()([x, y])))


FUNCTIONS = {
    "lrp": lambda model, x=X, target=0, **more: xaug.explain.lrp(model, x, target=target, engine="native", **more),
    "ig": lambda model, x=X, target=0, **more: xaug.explain.integrated_gradients(model, x, Blank(), target, **more),
    "times_input": lambda model, x=X, target=0, **more: xaug.explain.gradient_times_input(model, x, target, **more),
}


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"classes": ["a", "b"]}, r"classes is \['a', 'b'\]; the model has 3 outputs"),
        ({"classes": list("abcd")}, "the model has 3 outputs"),
        ({"classes": list("aab")}, "different names"),
        ({"classes": ["", "", ""]}, "different names"),
        ({"classes": "abc"}, "classes is 'abc'"),
        ({"target": None}, "target is None; give a class"),
        ({"variables": list("abcd")}, "variables is a list; it must be a dict"),
        ({"variables": {"x": "abcd"}}, r"variables\['x'\] is 'abcd'; it must be a list of names"),
        ({"x": {**X, "x": np.ma.masked_less(X["x"], 0)}}, "'x' is a masked array"),
    ],
    ids=str,
)
def test_refused(model, function, arguments, reason):
    with pytest.raises(ConfigurationError, match=reason):
        FUNCTIONS[function](model, **arguments)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"max_nodes": 1.5}, r"max_nodes 1\.5: must be a whole number"),
        ({"max_nodes": "10"}, "max_nodes '10'"),
        ({"tolerance": "0.1"}, "tolerance '0.1': must be a positive number"),
        ({"precision": "high"}, "precision 'high'"),
        ({"baselines_per_event": 2.5}, r"baselines_per_event 2\.5"),
    ],
)
def test_numbers_of_another_kind(model, arguments, reason):
    with pytest.raises(ConfigurationError, match=reason):
        FUNCTIONS["ig"](model, **arguments)


def test_inputs_of_equal_shapes_are_not_taken_for_exchanged(model):
    """What is wrong with the numbers of one is no sign that it was given in place of the other."""
    bad = X["x"].copy()
    bad[2, 0] = np.nan
    with pytest.raises(ConfigurationError, match=r"not finite in 1 of 7 events, the first of them event 2$"):
        FUNCTIONS["lrp"](model, {"x": bad, "y": X["y"]})


def test_names_of_the_columns_of_one_input():
    x = keras.Input((4,), name="x")
    found = FUNCTIONS["lrp"](keras.Model(x, layers.Dense(2)(x)), X["x"], variables=list("abcd"))
    assert found.variables == {"x": list("abcd")}


def test_a_path_that_is_none():
    with pytest.raises(ModelError, match="3 is no path"):
        xaug.load_model(3)


class TestWeights:
    """Weights of events in means over them, as the user gives them."""

    def test_of_a_summary(self, model):
        found = FUNCTIONS["lrp"](model)
        own = [np.abs(r) for r in found.relevance.values()]
        scores = np.concatenate(own, axis=1) / np.concatenate(own, axis=1).max(axis=1, keepdims=True)
        weights = np.array([2, 0, 1, -1, 1, 3, 0.5])
        table = xaug.explain.summary([found], weights=weights)
        expected = np.sort(np.average(scores, axis=0, weights=weights))[::-1]
        np.testing.assert_allclose(table["mean"], expected, rtol=1e-5)

    def test_of_a_class(self, model):
        weights = np.array([2, 0, 1, -1, 1, 3, 0.5])
        per_event = FUNCTIONS["ig"](model)
        table = xaug.explain.class_attribution(model, X, Blank(), 0, weights=weights).table
        every = np.concatenate([per_event.relevance[name] for name in ("x", "y")], axis=1)
        np.testing.assert_allclose(
            table["mean"], np.sort(np.average(every, axis=0, weights=weights))[::-1], rtol=1e-4, atol=1e-6
        )

    @pytest.mark.parametrize(
        ("weights", "reason"),
        [(np.ones(6), r"shape \(6,\)"), (np.full(7, np.nan), "finite"), (np.array(["a"] * 7), "type <U1"),
         (np.zeros(7), "add up to 0"), (-np.ones(7), "add up to -7")],
    )  # fmt: skip
    def test_that_cannot_be_meant(self, model, weights, reason):
        with pytest.raises(ConfigurationError, match=reason):
            xaug.explain.summary([FUNCTIONS["lrp"](model)], weights=weights)
        with pytest.raises(ConfigurationError, match=reason):
            xaug.explain.class_attribution(model, X, Blank(), 0, weights=weights)
