"""The zoo: every model is explained with relevance conserved, or refused for the reason that its page states."""

import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from explain.zoo.registry import SEED, events, frozen_inputs, models

import xaug
from xaug.core.errors import ModelError, XaugError
from xaug.explain.keras_models import read_output

PAGE = Path(__file__).parents[3] / "notebooks" / "models.md"
MODELS = models()
QUICK = (
    "particle_flow",
    "shared_encoder",
    "patches_of_images",
    "unknown_length",
    "keras_example",
    "initial_state",
    "own_cell",
    "dict_outputs",
)
QUICK_IG = ("shared_encoder", "keras_example")
OTHERS = [name for name in MODELS if name not in QUICK]


@pytest.fixture(autouse=True)
def _without_tracing():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def gradient_times_input(model, x, output):
    """Inputs times the gradient of the first number of an output, by the layers of Keras."""
    tf.config.run_functions_eagerly(False)  # Keras compiles grouped convolutions, which have no gradient otherwise
    network = read_output(model, output)
    tensors = [tf.convert_to_tensor(x[name]) for name in [t.name for t in model.inputs]]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        y = network.function(tensors)[:, 0]
    found = tape.gradient(y, tensors, unconnected_gradients="zero")
    return {name: (one * g).numpy() for name, one, g in zip(x, tensors, found, strict=True)}


def check_lrp(name):
    kind = MODELS[name]
    model = kind.build()
    x, target = events(model), kind.target(model)
    if kind.refused:
        with pytest.raises(ModelError, match=rf"layer '.*{kind.refused}.*Remedy: .*") as error:
            xaug.explain.lrp(model, x, "epsilon", target, "native", output=kind.output)
        assert ("integrated_gradients" if kind.remedy == "ig" else kind.remedy) in str(error.value)
        return
    found = xaug.explain.lrp(model, x, "epsilon", target, "native", 1e-10, dtype="float64", output=kind.output)
    assert all(np.isfinite(r).all() for r in found.relevance.values())
    if kind.conserves:
        np.testing.assert_allclose(found.residual, 0, atol=1e-5 * np.abs(found.logit).max() + 1e-12)
    if kind.piecewise:
        for key, expected in gradient_times_input(model, x, kind.output).items():
            largest = max(np.abs(expected).max(), 1e-6)
            np.testing.assert_allclose(found.relevance[key], expected, rtol=1e-3, atol=1e-4 * largest, err_msg=key)


def page_cells():
    """What the page says of each model: LRP and IG, by its name in words."""
    table = [line.removesuffix(" |").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    return {cells[0].removeprefix("| "): cells[1:] for cells in table if cells[0] != "| model"}


def check_ig(name):
    """Attributions add up to f(x) - f(x'), or the model is refused as the page says."""
    kind = MODELS[name]
    tf.config.run_functions_eagerly(False)  # many nodes
    keras.utils.set_random_seed(SEED)
    model = kind.build()
    x = {key: values[:3] for key, values in events(model).items()}
    options = {"output": kind.output, "frozen": frozen_inputs(model), "max_nodes": 256, "tolerance": 2e-3}

    def explain():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of kinks, which cost some pairs more than 2e-3
            return xaug.explain.integrated_gradients(model, x, xaug.explain.Blank(), kind.target(model), **options)

    if not page_cells()[kind.name][1].startswith("yes"):
        with pytest.raises(XaugError):
            explain()
        return
    if kind.in_steps:
        with pytest.warns(UserWarning, match="more nodes change nothing, since f jumps on the way"):
            xaug.explain.integrated_gradients(model, x, xaug.explain.Blank(), kind.target(model), **options)
        return
    found = explain()
    assert all(np.isfinite(values).all() for values in found.relevance.values())
    change = found.logit - found.reference
    total = sum(values.reshape(len(change), -1).sum(axis=1) for values in found.relevance.values())
    np.testing.assert_allclose(total - change, found.residual, atol=1e-4 * max(1, np.abs(change).max()))
    np.testing.assert_allclose(total, change, atol=5e-3 * max(1, np.abs(change).max()))


def test_the_zoo_is_large():
    assert len(MODELS) >= 100


@pytest.mark.parametrize("name", QUICK)
def test_some_models(name):
    check_lrp(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_all_other_models(name):
    check_lrp(name)


@pytest.mark.parametrize("name", QUICK_IG)
def test_attributions_of_some_models_add_up(name):
    check_ig(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in MODELS if name not in QUICK_IG])
def test_attributions_of_all_other_models_add_up(name):
    check_ig(name)


def test_the_page_has_every_model_with_what_becomes_of_it():
    rows = page_cells()
    assert set(rows) == {kind.name for kind in MODELS.values()}
    for name, (lrp, _) in rows.items():
        assert (lrp == "yes") != name.startswith("refused"), name
