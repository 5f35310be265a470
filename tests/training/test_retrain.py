"""Curves of k best features: what is trained on what, and how the curves are read."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.metrics import roc_auc_score

import xaug
from xaug.core.errors import ConfigurationError
from xaug.topk import main
from xaug.training.rankings import univariate_ranking
from xaug.training.retrain import parse_sizes, plateau, topk
from xaug.training.stage import train

NAMES = xaug.variables.names("jets", "xaug")


def attributions(directory, tables):
    """A finished directory of attributions that rank by the given means, a table a training."""
    directory.mkdir()
    for i, values in enumerate(tables):
        table = pd.DataFrame({"mean": values, "mean_absolute": np.abs(values)}, index=NAMES)
        table.sort_values("mean").to_csv(directory / f"class_level_{i}.csv")
    (directory / "manifest.json").write_text(json.dumps({"stage": "explain", "config": {}, "trainings": len(tables)}))
    return directory


def test_univariate_ranking(zbb_dataset):
    data = xaug.Dataset.open(zbb_dataset)
    arrays = data.load(["xaug", "label"], "validation")
    first, last = (NAMES.index(univariate_ranking(data, "xaug", "unit")[i]) for i in (0, -1))
    separation = [abs(roc_auc_score(arrays["label"], column) - 0.5) for column in arrays["xaug"].T]
    assert (first, last) == (np.argmax(separation), np.argmin(separation)) or separation.count(min(separation)) > 1


@pytest.mark.parametrize(
    ("text", "sizes"), [("1-3,all", [1, 2, 3, 36]), ("5, 2", [2, 5]), ("all", [36]), ("36,all", [36])]
)
def test_numbers_of_features(text, sizes):
    assert parse_sizes(text, 36) == sizes


@pytest.mark.parametrize("text", ["0-3", "3-", "x", "37", ""])
def test_impossible_numbers_of_features(text):
    with pytest.raises(ConfigurationError, match="-k"):
        parse_sizes(text, 36)


def test_plateau_by_hand():
    """Within the spread of the last value from k = 4 on; k = 2 touches it but k = 3 falls out again."""
    means = {1: 0.5, 2: 0.9, 3: 0.7, 4: 0.89, 5: 0.9}
    rows = [("r", k, i, mean + shift) for k, mean in means.items() for i, shift in enumerate((-0.02, 0.02))]
    assert plateau(pd.DataFrame(rows, columns=["ranking", "k", "training", "auc"]), "r") == 4


@pytest.fixture(scope="module")
def result(zbb_dataset, tmp_path_factory):
    directory = tmp_path_factory.mktemp("topk")
    forward = np.arange(36.0, 0, -1)
    paths = {
        "up": attributions(directory / "up", [forward]),
        "same": attributions(directory / "same", [2 * forward]),
        "down": attributions(directory / "down", [-forward]),
    }
    options = {"sizes": "1,2,all", "network": "mlp", "controls": ("random",), "trainings": 2, "epochs": 2}
    topk(zbb_dataset, directory / "out", paths, **options)
    return directory, paths, options


def test_each_set_is_trained_once_on_its_features(result, zbb_dataset):
    directory, *_ = result
    table = pd.read_csv(directory / "out" / "topk.csv")
    runs = {path.name: xaug.load_run(path) for path in (directory / "out" / "runs").iterdir()}
    assert len(runs) == 7  # of 12 (ranking, k): all features are one set, and "same" is as "up"
    sets = {frozenset(run.variables["xaug"]) for run in runs.values()}
    assert {frozenset(NAMES[:1]), frozenset(NAMES[:2]), frozenset(NAMES[-1:]), frozenset(NAMES[-2:])} <= sets
    assert len(table) == 4 * 3 * 2
    same = [table[table["ranking"] == name]["auc"].to_numpy() for name in ("up", "same")]
    np.testing.assert_array_equal(*same)
    everything = table[table["k"] == 36].groupby("training")["auc"].nunique()
    assert (everything == 1).all()
    run = next(run for run in runs.values() if run.variables["xaug"] == NAMES[:2])
    own = table[(table["ranking"] == "up") & (table["k"] == 2)]
    np.testing.assert_allclose(own["auc"], [m["auc"] for m in run.metrics])


def test_many_trainings_in_a_process_end_as_each_alone(result, zbb_dataset, tmp_path):
    directory, *_ = result
    alone = train(zbb_dataset, tmp_path / "run", network="mlp", xaug=NAMES[:2], trainings=1, epochs=2, seed=1)
    runs = [xaug.load_run(path) for path in (directory / "out" / "runs").iterdir()]
    run = next(run for run in runs if run.variables["xaug"] == NAMES[:2])
    assert run.metrics[0] == alone["metrics"][0]  # the third training in its process


def test_variables_that_join_an_image_are_ranked_without_it(zbb_dataset, tmp_path):
    """Retraining a network of images on the ranking by its own LRP: the image is always there."""
    ranking = tmp_path / "lrp"
    ranking.mkdir()
    order = ["image", *NAMES[::-1]]
    content = {"stage": "explain", "config": {}, "trainings": 1, "rankings": {"mean": order, "mean_absolute": order}}
    (ranking / "manifest.json").write_text(json.dumps(content))
    options = {"sizes": "2", "network": "cnn2d", "controls": (), "trainings": 1, "epochs": 1}
    topk(zbb_dataset, tmp_path / "out", {"LRP": ranking}, **options)
    (path,) = (tmp_path / "out" / "runs").iterdir()
    variables = xaug.load_run(path).variables
    assert set(variables) == {"image", "xaug"} and set(variables["xaug"]) == set(NAMES[-2:])


def test_again_nothing_is_done_and_other_settings_are_refused(result, zbb_dataset):
    directory, paths, options = result
    before = {path: path.stat().st_mtime_ns for path in (directory / "out").rglob("*") if path.is_file()}
    topk(zbb_dataset, directory / "out", paths, **options)
    assert before == {path: path.stat().st_mtime_ns for path in (directory / "out").rglob("*") if path.is_file()}
    with pytest.raises(ConfigurationError, match="sizes"):
        topk(zbb_dataset, directory / "out", paths, **{**options, "sizes": "1"})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--ranking", "up"], "NAME=DIRECTORY"),
        (["--ranking", "a=x", "--ranking", "a=y"], "given twice"),
        (["--ranking", "random=nowhere", "--network", "mlp", "--controls", "random"], "--ranking random"),
        (["--ranking", "a=nowhere", "--network", "event"], "which a dataset of jets does not have"),
        (["--ranking", "a=nowhere"], "nowhere is not a directory"),
        (["--ranking", "a=nowhere", "--network", "mlp"], "nowhere is not a directory"),
        (["--ranking", "a=nowhere", "--network", "cnn2e"], "cnn2d"),
    ],
)
def test_wrong_use(zbb_dataset, tmp_path, options, words):
    done = CliRunner().invoke(main, [str(zbb_dataset), *options, "-o", str(tmp_path / "out")])
    assert done.exit_code == (2 if "cnn2e" in options else 1)
    assert words in done.output
