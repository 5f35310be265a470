"""The zoo: every model is explained with relevance conserved, or refused for the reason that its page states."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from explain.zoo.registry import events, models

import xaug
from xaug.core.errors import ModelError
from xaug.explain.keras_models import read_output

PAGE = Path(__file__).parents[3] / "notebooks" / "models.md"
MODELS = models()
QUICK = ("particle_flow", "shared_encoder", "unknown_length", "keras_example", "initial_state", "dict_outputs")
OTHERS = [name for name in MODELS if name not in QUICK]


@pytest.fixture(autouse=True)
def _without_tracing():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def gradient_times_input(model, x, output):
    """Inputs times the gradient of the first number of an output, by the layers of Keras."""
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


def test_the_zoo_is_large():
    assert len(MODELS) >= 100


@pytest.mark.parametrize("name", QUICK)
def test_some_models(name):
    check_lrp(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_all_other_models(name):
    check_lrp(name)


def test_the_page_has_every_model_with_what_becomes_of_it():
    table = [line.split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    rows = {cells[0].removeprefix("| "): cells[1] for cells in table if cells[0] != "| model"}
    assert set(rows) == {kind.name for kind in MODELS.values()}
    for name, lrp in rows.items():
        assert (lrp == "yes") != name.startswith("refused"), name
