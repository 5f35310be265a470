"""The records of a training: what goes to a worker comes out as it went in, and results are plain data."""

import json
from pathlib import Path

import numpy as np
import pytest

from xaug import variables
from xaug.core.errors import ConfigurationError
from xaug.networks.choice import choose_inputs
from xaug.networks.own_networks import OwnNetwork
from xaug.training.config import TrainingConfig
from xaug.training.metrics import Search, compute_metrics
from xaug.training.task import TrainingResult, TrainingTask


@pytest.mark.parametrize("network", ["cnn1d", "event"])
def test_a_task_survives_the_way_to_its_worker(network):
    kind, sizes = ("events", {"layers": 3, "dropout": 0.1}) if network == "event" else ("jets", None)
    inputs = choose_inputs(variables.table_of(kind), network, sizes=sizes)
    config = TrainingConfig(64, 1e-3, max_jets=100, weights="event", scale_on_all=True)
    own = OwnNetwork("mynet.py:build", "build", "def build(inputs, classes): ...") if network == "event" else None
    task = TrainingTask(Path("/data"), Path("/run"), 2, inputs, config, own)
    assert TrainingTask.from_json(json.loads(json.dumps(task.to_json()))) == task


def test_settings_of_a_run_name_an_exception_only_where_it_is_made():
    assert "scale_on_all" not in TrainingConfig(64, 1e-3).config
    assert TrainingConfig(64, 1e-3, scale_on_all=True).config["scale_on_all"] is True


def test_every_training_of_every_seed_has_a_seed_of_its_own():
    seeds = [TrainingConfig(1, 1.0, seed=seed).seed_of(training) for seed in range(20) for training in range(20)]
    assert len(set(seeds)) == 400


@pytest.mark.parametrize("name", ["trainings", "epochs", "patience", "batch_size", "threads"])
def test_a_setting_below_one_is_named_as_its_option(name):
    with pytest.raises(ConfigurationError, match=f"--{name.replace('_', '-')} 0: must be at least 1"):
        TrainingConfig(**{"batch_size": 1, "learning_rate": 1.0, name: 0})


def test_a_result_holds_all_numbers_of_a_training_in_one_object(tmp_path):
    metrics = compute_metrics(np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.4, 0.9]))
    result = TrainingResult(
        metrics, Search(3.0, 0.5, 10.0, 4.0, 20.0), None, training=1, seed=7, epochs=2, best_epoch=0, parameters=5,
        history={"loss": [1.0, 0.5], "val_loss": [0.9, 1.0]},
    )  # fmt: skip
    result.save(tmp_path)
    content = json.loads((tmp_path / "training_1" / "metrics.json").read_text())
    assert content["auc"] == 0.75
    assert content["rejection_70"] == 2.0
    assert content["rejection_limits"] == ["rejection_30", "rejection_50"]
    assert content["significance"] == 3.0
    assert "no_significance" not in content
    assert content["history"]["val_loss"] == [0.9, 1.0]
