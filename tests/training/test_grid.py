"""Grid search of the event network: what is built, and which wins."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.metrics import log_loss

import xaug
from xaug import variables
from xaug.core.errors import ConfigurationError
from xaug.grid import main
from xaug.networks.choice import choose_inputs
from xaug.networks.registry import find_network
from xaug.training.grid import grid_search
from xaug.training.scaled import load_scaled

SIZES = {"layers": [1, 3], "width": [4, 16], "dropout": [0.0]}
OPTIONS = {"trainings": 1, "epochs": 2, "batch_size": 64, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def found(event_dataset, tmp_path_factory):
    directory = tmp_path_factory.mktemp("grid") / "grid"
    return directory, grid_search(event_dataset.path, directory, SIZES, **OPTIONS)


def test_every_combination_is_another_network(found):
    """Trainable parameters by hand: Dense, then scale and shift of BatchNorm; a softmax of two."""
    directory, table = found
    assert len(table) == 4
    for row in table.itertuples():
        inside = (row.layers - 1) * (row.width * row.width + 3 * row.width)
        assert row.parameters == 87 * row.width + 3 * row.width + inside + 2 * row.width + 2
        model = xaug.load_run(directory / "runs" / row.run).model(0)
        kinds = [type(layer).__name__ for layer in model.layers]
        assert kinds.count("Dense") == row.layers + 1
        assert {layer.rate for layer in model.layers if hasattr(layer, "rate")} == {0.0}


def test_the_least_validation_loss_is_first(found):
    """As the kept weights give it on the validation split."""
    directory, table = found
    assert table["validation_loss"].is_monotonic_increasing
    losses = []
    for name in table["run"]:
        run = xaug.load_run(directory / "runs" / name)
        x, label, weight = load_scaled(run.dataset(), run.input_spec, run.scaler, "validation", "event")
        losses.append(log_loss(label, run.model(0).predict(x, verbose=0), sample_weight=weight))
    np.testing.assert_allclose(table["validation_loss"], losses, rtol=1e-4)


def test_finished_search_is_read(found, event_dataset):
    directory, table = found
    before = {path: path.stat().st_mtime_ns for path in directory.rglob("*")}
    again = grid_search(event_dataset.path, directory, SIZES, **OPTIONS)
    pd.testing.assert_frame_equal(again, table)
    assert before == {path: path.stat().st_mtime_ns for path in directory.rglob("*")}
    with pytest.raises(ConfigurationError, match="made with other settings"):
        grid_search(event_dataset.path, directory, SIZES | {"width": [8]}, **OPTIONS)


def test_the_papers_sizes_say_nothing_new():
    """So that a run asked for them is the run without."""
    paper = choose_inputs(variables.table_of("events"), "event")
    assert choose_inputs(variables.table_of("events"), "event", sizes=find_network("event").default_sizes) == paper
    assert "sizes" not in paper.config
    assert choose_inputs(variables.table_of("events"), "event", sizes={"layers": 3}).config["sizes"] == {"layers": 3}


@pytest.mark.parametrize(
    ("option", "words"), [(["--width", "a,2"], "must be numbers"), (["--width", ","], "at least one")]
)
def test_wrong_options(event_dataset, tmp_path, option, words):
    done = CliRunner().invoke(main, [str(event_dataset.path), *option, "-o", str(tmp_path / "x")])
    assert done.exit_code == 1
    assert words in done.output
