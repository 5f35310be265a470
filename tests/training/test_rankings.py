"""Rankings that are left by explanations, read back, and trained on."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import xaug
from xaug import train, variables
from xaug.core.errors import ConfigurationError, DatasetError
from xaug.training import stage
from xaug.training.rankings import best_xaugs, ranking_of

NAMES = xaug.variables.names("jets", "xaug")
FEATURES = ["list", "dz_max", "image", "pt", "z", "tau21", "eta", "mass"]


@pytest.fixture
def ranking(tmp_path):
    """A finished directory of attributions by LRP: the relevance of features, the largest first."""
    directory = tmp_path / "lrp"
    directory.mkdir()
    table = pd.DataFrame({"feature": FEATURES, "mean": range(len(FEATURES), 0, -1)})
    table.to_csv(directory / "relevance.csv", index=False)
    (directory / "manifest.json").write_text(json.dumps({"stage": "explain", "config": {}, "trainings": 1}))
    return directory


def test_relevance_ranks(ranking):
    assert ranking_of(ranking) == FEATURES


def test_attributions_of_a_class_rank_by_their_mean_over_trainings(ranking):
    one = np.linspace(-3, 1, 36)
    for i, values in enumerate((one, np.roll(one, 1))):
        table = pd.DataFrame({"mean": values, "mean_absolute": np.abs(values)}, index=NAMES)
        table.sort_values("mean").to_csv(ranking / f"class_level_{i}.csv")
    values = (one + np.roll(one, 1)) / 2
    assert ranking_of(ranking) == [NAMES[i] for i in np.argsort(-values, kind="stable")]
    assert ranking_of(ranking, "mean_absolute")[0] == NAMES[np.argmax(np.abs(one) + np.abs(np.roll(one, 1)))]


def test_best_xaugs_are_the_first_that_are_xaugs(ranking):
    assert best_xaugs(ranking, variables.table_of("jets")) == ["dz_max", "pt", "z", "tau21", "eta"]


def test_too_few_xaugs(ranking):
    with pytest.raises(DatasetError, match=f"{ranking} ranks 1 expert variables of toy, not 5"):
        best_xaugs(ranking, variables.table_of("toy"))


@pytest.mark.parametrize("content", [None, "", "a,b\n1,2\n"])
def test_lost_or_damaged_table(ranking, content):
    (ranking / "relevance.csv").unlink()
    if content is not None:
        (ranking / "relevance.csv").write_text(content)
    with pytest.raises(DatasetError, match=f"{ranking} lacks its ranking"):
        ranking_of(ranking)


def test_training_on_the_five_best(ranking, zbb_dataset, tmp_path):
    command = [zbb_dataset, "--network", "mlp", "--xaug", "top5", "--trainings", 1, "--epochs", 1, "-o", tmp_path / "r"]
    alone = CliRunner().invoke(train.main, [*map(str, command)])
    assert alone.exit_code == 1
    assert "--ranking DIRECTORY of xaug.explain" in alone.output
    done = CliRunner().invoke(train.main, [*map(str, command), "--ranking", str(ranking)])
    assert done.exit_code == 0, done.output
    assert xaug.load_run(tmp_path / "r").variables == {"xaug": ["pt", "eta", "z", "tau21", "dz_max"]}


def test_a_ranking_for_nothing(ranking, zbb_dataset, tmp_path):
    with pytest.raises(ConfigurationError, match="goes with --xaug top5 only"):
        stage.train(zbb_dataset, tmp_path / "r", network="mlp", ranking=ranking)
