"""Trainings whose length is counted in steps."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

import xaug
from xaug import train
from xaug.core.errors import ConfigurationError
from xaug.training import stage
from xaug.training.config import TrainingConfig
from xaug.training.runs import training_directory

BY_STEPS = {"network": "mlp", "trainings": 2, "steps": 25, "check_every": 10, "batch_size": 32, "seed": 5}


@pytest.fixture(scope="module")
def run(zbb_dataset, tmp_path_factory):
    path = tmp_path_factory.mktemp("steps") / "mlp"
    stage.train(zbb_dataset, path, **BY_STEPS)
    return xaug.load_run(path)


def test_a_training_ends_at_its_last_step(run):
    """After 10, 20 and 25 steps there is a validation; the record says steps and no epochs."""
    for i in range(2):
        assert run.history(i)["steps"] == [10, 20, 25]
        best = int(np.argmin(run.history(i)["val_loss"]))
        assert run.steps(i) == (25, [10, 20, 25][best])
        assert run.metrics[i]["steps"] == 25 and run.metrics[i]["epochs"] == 3
    config = run.record.config
    assert (config["steps"], config["check_every"], config["patience"], config["batch_size"]) == (25, 10, 100, 32)
    assert "epochs" not in config
    assert run.manifest["training_events"] == len(
        xaug.Dataset.open(run.dataset().path).load(["label"], "train")["label"]
    )


def test_kept_weights_are_those_of_the_best_check(run, zbb_dataset):
    """Cross-entropy of the saved model on the validation split, both classes at equal weight, is the least."""
    arrays = xaug.Dataset.open(zbb_dataset).load(["xaug", "label"], "validation")
    for i, model in enumerate(run.models):
        p = model.predict(run.inputs(arrays), verbose=0)
        each = -np.log(p[np.arange(len(p)), arrays["label"]])
        loss = np.mean([each[arrays["label"] == label].mean() for label in (0, 1)])
        assert loss == pytest.approx(min(run.history(i)["val_loss"]), rel=1e-4)


def test_patience_counts_steps(zbb_dataset, tmp_path):
    """With a learning rate that spoils the network at once, no later check is better than the first."""
    options = {**BY_STEPS, "trainings": 1, "steps": 40, "check_every": 4, "patience": 9, "learning_rate": 10.0}
    stage.train(zbb_dataset, tmp_path / "r", **options)
    run = xaug.load_run(tmp_path / "r")
    losses = run.history(0)["val_loss"]
    best = int(np.argmin(losses))
    last, kept = run.steps(0)
    assert kept == 4 * (best + 1)
    assert last == min(kept + 12, 40), "the first check at which nine steps or more were no better"


@pytest.mark.parametrize(
    "length", [{"steps": 40, "check_every": 4}, {"steps": None, "check_every": None, "epochs": 10}]
)
def test_the_learning_rate_is_halved_where_the_loss_stays(zbb_dataset, tmp_path, length):
    """Replay the recorded losses: the rate is halved where two checks were not better than the best one."""
    unit = 4 if length["steps"] else 1
    options = {
        **BY_STEPS,
        "trainings": 1,
        **length,
        "patience": 8 * unit,
        "halve_after": 2 * unit,
        "learning_rate": 3.0,
    }
    stage.train(zbb_dataset, tmp_path / "r", **options)
    history = xaug.load_run(tmp_path / "r").history(0)
    rate, best, waited, expected = 3.0, np.inf, 0, []
    for loss in history["val_loss"]:
        expected.append(rate)
        waited = 0 if loss < best else waited + 1
        best = min(best, loss)
        if waited == 2:
            rate, waited = rate / 2, 0
    assert history["learning_rate"] == expected
    assert len(set(expected)) > 1, "the rate is too small for this test to see it fall"


def test_killed_and_resumed_equals_unbroken(run, zbb_dataset, tmp_path):
    """The second training is lost half-way: it is made again, the first is kept, and all is as in the unbroken run."""
    copy = tmp_path / "mlp"
    shutil.copytree(run.path, copy)
    (copy / "manifest.json").unlink()
    lost = training_directory(copy, 1)
    (lost / "metrics.json").unlink()
    (lost / "model.keras").write_bytes(b"half")
    stage.train(zbb_dataset, copy, **BY_STEPS)
    resumed = xaug.load_run(copy)
    assert resumed.metrics == run.metrics
    for one, other in zip(run.models, resumed.models, strict=True):
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_length_in_steps_and_epochs_is_refused_before_any_work(zbb_dataset, tmp_path):
    for place in ([str(zbb_dataset)], []):  # without a dataset, toy jets would be made
        command = [*place, "--steps", "10", "--epochs", "2", "-o", str(tmp_path / "x")]
        result = CliRunner().invoke(train.main, command)
        assert result.exit_code == 1
        assert "--steps 10 and --epochs 2 exclude each other" in result.stderr
        assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steps": 5, "epochs": 5}, "exclude each other"),
        ({"steps": 0}, "--steps 0: must be at least 1"),
        ({"steps": 5, "check_every": 0}, "--check-every 0: must be at least 1"),
        ({"check_every": 5}, "--check-every 5 goes with --steps"),
        ({"steps": 5, "patience": 0}, "--patience 0: must be at least 1"),
        ({"steps": 5, "halve_after": 0}, "--halve-after 0: must be at least 1"),
        ({"steps": 5, "patience": 4, "halve_after": 4}, "--halve-after 4: must be less than --patience 4"),
    ],
)
def test_bad_lengths_are_named(settings, words):
    with pytest.raises(ConfigurationError, match=words):
        TrainingConfig(32, 1e-3, **settings)


def test_defaults_of_both_lengths():
    by_epochs, by_steps = TrainingConfig(32, 1e-3), TrainingConfig(32, 1e-3, steps=1000)
    assert (by_epochs.epochs, by_epochs.patience, by_epochs.length, by_epochs.unit) == (50, 6, 50, "epochs")
    assert (by_steps.check_every, by_steps.patience, by_steps.length, by_steps.unit) == (20, 200, 1000, "steps")
    assert TrainingConfig(**json.loads(json.dumps(by_steps.config))) == by_steps
    assert TrainingConfig(**by_epochs.config) == by_epochs
    assert not {"steps", "check_every", "halve_after"} & by_epochs.config.keys()


def test_steps_of_a_run_by_epochs(mlp_run):
    """Three epochs of ceil(n / 32) steps, also as told from the record of a run that did not count them."""
    n = len(xaug.Dataset.open(mlp_run.dataset().path).load(["label"], "train")["label"])
    each = -(-n // 32)
    for i in range(2):
        assert mlp_run.history(i)["steps"] == [each, 2 * each, 3 * each]
        kept = each * (int(np.argmin(mlp_run.history(i)["val_loss"])) + 1)
        assert mlp_run.steps(i) == (3 * each, kept)
        old = {key: value for key, value in mlp_run.metrics[i].items() if key not in ("steps", "best_step")}
        from dataclasses import replace

        run = xaug.load_run(mlp_run.path)
        run.record = replace(run.record, metrics=(old,) * 2)
        run.manifest = {key: value for key, value in run.manifest.items() if key != "training_events"}
        assert run.steps(i) == (3 * each, kept)
