"""Training: best weights, determinism, resuming, and the metrics of what was written."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

import xaug
from xaug import train
from xaug.core.errors import ConfigurationError, DatasetError, ModelError
from xaug.training import stage
from xaug.training.batchnorm import RECALIBRATION_ROWS
from xaug.training.runs import training_directory


@pytest.fixture
def run(mlp_run):
    return mlp_run


@pytest.fixture(scope="module")
def others(zbb_dataset, tmp_path_factory, mlp_options):
    """Runs with other settings, all trained in one process."""
    path = tmp_path_factory.mktemp("others")
    planned = [
        stage.PlannedRun(zbb_dataset, path / "again", **{**mlp_options, "trainings": 1}),
        stage.PlannedRun(zbb_dataset, path / "few", max_jets=60, **{**mlp_options, "trainings": 1}),
        stage.PlannedRun(zbb_dataset, path / "rnn", network="rnn", xaug="none", trainings=1, epochs=2, batch_size=64,
                         seed=2),
    ]  # fmt: skip
    stage.train_all(planned, "train", 1, len(planned))
    for one in planned:
        one.finish()
    return {one.output.name: xaug.load_run(one.output) for one in planned}


def weights_of(run):
    return [[w for w in model.get_weights()] for model in run.models]


def test_scores_on_disk_are_the_models_on_the_test_split(run, zbb_dataset):
    """From the saved model and plain arrays again, and AUC by scikit-learn."""
    from sklearn.metrics import roc_auc_score

    arrays = xaug.Dataset.open(zbb_dataset).load(["xaug", "label"], "test")
    for i, model in enumerate(run.models):
        score = model.predict(run.inputs(arrays), verbose=0)[:, 1]
        saved = run.scores(i)
        np.testing.assert_allclose(saved["score"], score, rtol=1e-5)
        np.testing.assert_array_equal(saved["label"], arrays["label"])
        assert run.metrics[i]["auc"] == pytest.approx(roc_auc_score(arrays["label"], saved["score"]))


def test_kept_weights_are_those_of_the_best_epoch(run, zbb_dataset):
    """Cross-entropy of the saved model on the validation split, both classes at equal weight, is the least."""
    arrays = xaug.Dataset.open(zbb_dataset).load(["xaug", "label"], "validation")
    for i, model in enumerate(run.models):
        p = model.predict(run.inputs(arrays), verbose=0)
        each = -np.log(p[np.arange(len(p)), arrays["label"]])
        loss = np.mean([each[arrays["label"] == label].mean() for label in (0, 1)])
        assert loss == pytest.approx(min(run.history(i)["val_loss"]), rel=1e-4)


def test_kept_statistics_of_batch_normalization_are_those_of_the_training_sample(others, zbb_dataset):
    """By NumPy, from what the second GRU of the kept network says of all real particles; none of a running mean."""
    from keras import Model

    run = others["rnn"]
    config = run.manifest["config"]
    assert (config["batch_size"], config["learning_rate"]) == (64, 3e-3), "as given, and the network's own"
    arrays = xaug.Dataset.open(zbb_dataset).load(["list", "mask"], "train")
    assert len(arrays["mask"]) <= RECALIBRATION_ROWS, "a larger sample is settled on a part of itself"
    model = run.model(0)
    states = Model(model.inputs, model.get_layer("gru_2").output).predict(run.inputs(arrays), verbose=0)
    real = states[arrays["mask"] > 0].astype(float)
    *_, mean, variance = model.get_layer("norm").get_weights()
    np.testing.assert_allclose(mean, real.mean(axis=0), atol=1e-3 * real.std())
    np.testing.assert_allclose(variance, real.var(axis=0), rtol=1e-2)  # sums in float32


def test_trainings_differ_and_a_seed_repeats_them(run, others):
    """In another process, among trainings of other networks. `test_interrupted_run...` repeats the second training."""
    first, second = weights_of(run)
    assert not np.array_equal(first[0], second[0])
    (again,) = weights_of(others["again"])
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)


def test_interrupted_run_goes_on_and_ends_with_the_same(run, zbb_dataset, tmp_path, mlp_options):
    """The second training lost half-way: it is made again, the first is kept, the results are the same."""
    copy = tmp_path / "mlp"
    shutil.copytree(run.path, copy)
    (copy / "manifest.json").unlink()
    lost = training_directory(copy, 1)
    (lost / "metrics.json").unlink()
    (lost / "model.keras").write_bytes(b"half")
    kept = training_directory(copy, 0) / "model.keras"
    before = kept.stat().st_mtime_ns
    stage.train(zbb_dataset, copy, **mlp_options)
    assert kept.stat().st_mtime_ns == before
    resumed = xaug.load_run(copy)
    assert resumed.metrics == run.metrics
    for one, other in zip(weights_of(run), weights_of(resumed), strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_finished_run_is_found_and_other_settings_are_refused(run, zbb_dataset, mlp_options):
    before = (run.path / "manifest.json").stat().st_mtime_ns
    stage.train(zbb_dataset, run.path, **mlp_options)
    assert (run.path / "manifest.json").stat().st_mtime_ns == before
    with pytest.raises(ConfigurationError, match="epochs: 3 -> 4"):
        stage.train(zbb_dataset, run.path, **{**mlp_options, "epochs": 4})


def test_history_is_written_as_csv(run):
    import pandas as pd

    for i in range(2):
        table = pd.read_csv(training_directory(run.path, i) / "history.csv")
        np.testing.assert_allclose(table["val_loss"], run.history(i)["val_loss"])


def test_a_run_says_which_variables_go_in(run):
    assert list(run.variables) == ["xaug"]
    assert run.variables["xaug"] == xaug.variables.names("jets", "xaug")
    with pytest.raises(DatasetError, match="needs xaug"):
        run.inputs({"image": np.zeros((1, 16, 16, 1))})


def test_max_jets_trains_and_scales_on_fewer(others):
    fitted = others["few"].scaler.fitted_on
    assert abs(fitted["signal"] + fitted["background"] - 60) <= 4  # the same share of every part, rounded


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"network": "mpl"}, ["mpl", "mlp"]),
        ({"xaug": "tau_21"}, ["tau_21", "tau21"]),
        ({"network": "mlp", "xaug": "none"}, ["mlp", "--xaug"]),
        ({"trainings": 0}, ["--trainings 0"]),
        ({"batch_size": -1}, ["--batch-size -1"]),
        ({"learning_rate": 0.0}, ["--learning-rate 0.0"]),
        ({"max_jets": 1}, ["--max-jets 1"]),
        ({"seed": -1}, ["--seed -1"]),
        ({"weights": "unti"}, ["unti", "did you mean 'unit'"]),
    ],
)
def test_bad_settings_are_named(zbb_dataset, tmp_path, options, words):
    with pytest.raises(ConfigurationError) as error:
        stage.train(zbb_dataset, tmp_path / "bad", **options)
    for word in words:
        assert word in str(error.value)
    assert not (tmp_path / "bad").exists()  # found before any work, and before the place is claimed


def test_cross_sections_that_lack_are_named(zbb_dataset, tmp_path, monkeypatch, mlp_options):
    monkeypatch.setattr(stage.Dataset, "weight_scales", {"qcd": 1.0})
    with pytest.raises(ConfigurationError, match=r"'zbb' has no cross section; known: qcd.*--weights event"):
        stage.train(zbb_dataset, tmp_path / "bad", **mlp_options, weights="cross_section")
    assert not (tmp_path / "bad").exists()


@pytest.mark.parametrize(("lacking", "split"), [("signal", "validation"), ("background", "test")])
def test_a_split_without_a_class_is_named(zbb_dataset, tmp_path, monkeypatch, lacking, split, mlp_options):
    data = xaug.Dataset.open(zbb_dataset)
    label = ("background", "signal").index(lacking)
    parts = [
        replace(p, contents=tuple(replace(o, splits={**o.splits, split: 0}) for o in p.contents if o.label == label))
        if p.contents[0].label == label
        else p
        for p in data.parts
    ]
    data.record = replace(data.record, parts=tuple(parts))
    monkeypatch.setattr(stage.Dataset, "open", lambda path: data)
    with pytest.raises(DatasetError, match=f"its {split} split has no {lacking}"):
        stage.train(zbb_dataset, tmp_path / "bad", **mlp_options)
    assert not (tmp_path / "bad").exists()


def test_divergence_is_an_error_with_a_remedy(zbb_dataset, tmp_path, mlp_options):
    with pytest.raises(ModelError, match="--learning-rate"):
        stage.train(zbb_dataset, tmp_path / "wild", **{**mlp_options, "learning_rate": 1e30, "trainings": 1})


def test_command_prints_json_and_draws_the_history(zbb_dataset, tmp_path):
    command = [
        str(zbb_dataset), "--network", "mlp", "--trainings", "1", "--epochs", "1", "-o", str(tmp_path / "r"), "--json",
    ]  # fmt: skip
    result = CliRunner().invoke(train.main, command)
    assert result.exit_code == 0, result.output
    assert 0 <= json.loads(result.stdout)["metrics"][0]["auc"] <= 1
    assert (tmp_path / "r" / "history.png").stat().st_size > 5000
    missing = CliRunner().invoke(train.main, [str(tmp_path / "nothing"), "-o", str(tmp_path / "x")])
    assert missing.exit_code == 1
    assert "xaug.process" in missing.output


def test_scaling_of_the_paper_is_an_option(run, zbb_dataset, tmp_path):
    """By the command; runs without it say nothing of it, and so are found again."""
    command = [zbb_dataset, "--network", "mlp", "--trainings", 1, "--epochs", 1, "--max-jets", 60, "-o", tmp_path / "r"]
    result = CliRunner().invoke(train.main, [*map(str, command), "--options", "paper-literal"])
    assert result.exit_code == 0, result.output
    literal = xaug.load_run(tmp_path / "r")
    rows = xaug.Dataset.open(zbb_dataset).load(["label"])["label"]
    assert literal.scaler.fitted_on["split"] == "all"
    assert literal.scaler.fitted_on["signal"] == rows.sum()
    assert literal.manifest["config"]["scale_on_all"] is True
    assert abs(literal.training_events - 60) <= 4, "trained on 60, though scaled by all"
    assert "scale_on_all" not in run.manifest["config"]


def test_damaged_model_is_named(run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run.path, copy)
    (training_directory(copy, 0) / "model.keras").write_bytes(b"no model")
    with pytest.raises(DatasetError, match=r"training_0/model\.keras is damaged .*Run `.*` again"):
        xaug.load_run(copy).models  # noqa: B018
