"""The zoo: every model is explained with relevance conserved, or refused for the reason that its page states."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

import xaug
from xaug.core.errors import ModelError

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "notebooks" / "models.md"


def _models():
    spec = importlib.util.spec_from_file_location("zoo_models", HERE / "models.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["zoo_models"] = module
    spec.loader.exec_module(module)
    return module


zoo = _models()
QUICK = ("particle_flow", "shared_encoder", "unknown_length", "transformer", "initial_state")


def check(name):
    kind = zoo.MODELS[name]
    model = kind.build()
    x, target = zoo.events(model), 0 if model.output_shape[-1] > 1 else "signal"
    if kind.name.startswith("refused"):
        with pytest.raises(ModelError, match=r"layer '.*Remedy: .*"):
            xaug.explain.lrp(model, x, "epsilon", target, "native")
        return
    found = xaug.explain.lrp(model, x, "epsilon", target, "native", 1e-10, dtype="float64")
    assert all(np.isfinite(r).all() for r in found.relevance.values())
    if kind.conserves:
        np.testing.assert_allclose(found.residual, 0, atol=1e-5 * np.abs(found.logit).max() + 1e-12)


@pytest.mark.parametrize("name", QUICK)
def test_some_models(name):
    check(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in zoo.MODELS if name not in QUICK])
def test_all_other_models(name):
    check(name)


def test_the_page_has_every_model_with_what_becomes_of_it():
    table = [line.split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")][1:]
    rows = {cells[0].removeprefix("| "): cells[1] for cells in table}
    assert set(rows) == {kind.name for kind in zoo.MODELS.values()}
    for name, lrp in rows.items():
        assert (lrp == "yes") != name.startswith("refused"), name
