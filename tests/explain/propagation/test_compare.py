"""The native engine against iNNvestigate, element by element, on the networks of the package; and the tool for it."""

import keras
import numpy as np
import pytest
from matplotlib.figure import Figure

import xaug
from xaug import variables
from xaug.core.errors import ConfigurationError, ModelError
from xaug.explain.attribution import Attribution
from xaug.explain.propagation.compare import EngineComparison
from xaug.explain.propagation.composites import COMPOSITES
from xaug.networks.choice import choose_inputs
from xaug.networks.registry import build

SHARED = [name for name, composite in COMPOSITES.items() if composite.innvestigate]


def trained(model, x, seed=0, steps=30):
    """The model after some steps of Adam on labels that depend on its inputs; biases start at random values."""
    keras.utils.set_random_seed(seed)
    label = (sum(v.reshape(len(v), -1).std(axis=1) for v in x.values()) > 0.5).astype(int)
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    model.fit(x, label, batch_size=len(label) // 2, epochs=steps // 2, verbose=0)
    return model


def assert_the_same(comparison):
    """1e-5 of the event's largest relevance for the median event, in every input, and no event far away."""
    table = comparison.table
    assert (table["median"] < 1e-5).all(), table
    assert (table["q95"] < 1e-3).all(), table
    assert (table["correlation"] > 1 - 1e-6).all(), table
    # neither is further from float64 than rounding
    assert (table["native_to_float64"] < 1e-4).all(), table
    assert (table["native_to_float64"] < 3 * table["innvestigate_to_float64"] + 1e-6).all(), table


@pytest.mark.parametrize(
    ("state", "rules"),
    [
        ("random", ["preset_a", "preset_b", "flat"]),
        ("trained", ["preset_a"]),
        pytest.param("random", SHARED, marks=pytest.mark.slow),
    ],
)
def test_2d_cnn_with_36_xaugs(cnn, cnn_inputs, state, rules):
    model = cnn() if state == "random" else trained(cnn(), cnn_inputs)
    assert_the_same(xaug.explain.compare_engines(model, cnn_inputs, rules))


@pytest.mark.parametrize("state", ["random", "trained"])
def test_mlp(randomised, state):
    model = randomised(build(choose_inputs(variables.table_of("jets"), "mlp", "all")))
    x = {"xaug": np.random.default_rng(5).random((200, 36), np.float32)}
    if state == "trained":
        trained(model, x)
    assert_the_same(xaug.explain.compare_engines(model, x, ["epsilon", "alpha1_beta0"]))


def list_network(columns, randomised):
    model = randomised(build(choose_inputs(variables.table_of("jets"), "cnn1d", "tau21", columns)))
    rng = np.random.default_rng(6)
    return model, {t.name: rng.normal(size=(30, *t.shape[1:])).astype(np.float32) for t in model.inputs}


@pytest.mark.slow
def test_1d_cnn_with_two_towers(randomised):
    model, x = list_network("log_pt,dz", randomised)
    assert_the_same(xaug.explain.compare_engines(model, x, ["preset_a"]))


@pytest.mark.slow
@pytest.mark.timeout(3600)  # iNNvestigate needs minutes to build its graph
def test_1d_cnn_with_17_towers(randomised):
    model, x = list_network("all", randomised)
    assert xaug.explain.lrp(model, x).info["engine"] == "native"  # "auto" must not choose the minutes
    assert_the_same(xaug.explain.compare_engines(model, x))


def attribution(values):
    values = np.asarray(values, np.float32)
    return Attribution({"a": values[:, :2], "b": values[:, 2:]}, np.ones(len(values)), {"a": [], "b": []}, {})


def test_table_by_hand():
    """Two events of 2 + 1 elements; scales 4 and 2 of the largest |relevance| by iNNvestigate; a third is all zero."""
    theirs = attribution([[1, -4, 2], [2, 1, 0], [0, 0, 0]])
    ours = attribution([[1.4, -4, 2], [2, 1, -0.2], [0, 0, 0]])
    found = EngineComparison({"z": ours}, {"z": theirs}, {"z": ours}).table
    np.testing.assert_allclose(found.loc[("z", "a"), ["median", "max"]].astype(float), [0.0, 0.1], atol=1e-7)
    np.testing.assert_allclose(found.loc[("z", "b"), ["median", "max"]].astype(float), [0.0, 0.1], atol=1e-7)
    assert found.loc[("z", "a"), "q95"] == pytest.approx(0.09, rel=1e-5)  # between the two largest of 0, 0, 0.1
    expected = np.corrcoef([1.4, -4, 2, 1, 0, 0], [1, -4, 2, 1, 0, 0])[0, 1]
    assert found.loc[("z", "a"), "correlation"] == pytest.approx(expected, rel=1e-6)
    assert (found["native_to_float64"] == 0).all()


def test_a_difference_is_seen(mlp):
    """Another bias convention under alpha-beta is no rounding: the table and the figures show it."""
    from xaug.plots.engines import plot_engine_differences, plot_engine_scatter

    x = np.random.default_rng(7).random((50, 7)).astype(np.float32)
    found = xaug.explain.compare_engines(mlp(), x, ["epsilon", "alpha1_beta0"], bias="split")
    table = found.table["median"].xs("xaug", level="input")
    assert table["epsilon"] < 1e-5 < 1e-2 < table["alpha1_beta0"]
    axes = Figure().subplots(1, 2)
    lines = plot_engine_scatter(found, "alpha1_beta0", axes[0])
    drawn = lines[0].get_xydata()
    ours, theirs = (getattr(found, engine)["alpha1_beta0"].relevance["xaug"] for engine in ("native", "innvestigate"))
    largest = np.maximum(np.abs(ours), np.abs(theirs)).max(axis=1, keepdims=True)
    largest[largest == 0] = 1.0  # events in which no hidden unit is active
    np.testing.assert_allclose(drawn[:, 0].reshape(50, 7), theirs / largest, atol=1e-6)
    np.testing.assert_allclose(drawn[:, 1].reshape(50, 7), ours / largest, atol=1e-6)
    assert len(plot_engine_differences(found, axes[1])) == 2
    assert [text.get_text() for text in axes[1].get_legend().get_texts()] == ["epsilon", "alpha1_beta0"]


def test_what_cannot_be_compared(mlp):
    with pytest.raises(ConfigurationError, match="at least one event"):
        xaug.explain.compare_engines(mlp(), np.zeros((0, 7)))
    with pytest.raises(ConfigurationError, match="did you mean 'epsilon'"):
        xaug.explain.compare_engines(mlp(), np.zeros((1, 7)), "epsilom")
    inputs = keras.Input((5,), name="x")
    normed = keras.layers.BatchNormalization(name="norm")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2, "softmax")(normed))
    with pytest.raises(ModelError, match=r"'norm'.*wrong formula"):
        xaug.explain.compare_engines(model, np.ones((3, 5)))
    forced = xaug.explain.compare_engines(model, np.ones((3, 5)), force=True)
    assert forced.innvestigate["epsilon"].settings["engine"] == "innvestigate"
