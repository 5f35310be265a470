"""Three classes from class attributions to top-k and grid search, on a toy whose best classifier is known."""

import json

import numpy as np
import pandas as pd
import pytest

import xaug
from xaug.explain.stage import explain_run
from xaug.report.stage import report
from xaug.training.class_metrics import class_metrics
from xaug.training.grid import grid_search
from xaug.training.rankings import univariate_ranking
from xaug.training.retrain import topk
from xaug.training.stage import train

CLASSES = ["QCD", "Hbb", "top"]
MEANS = np.array([[0.0, 0.0, 0.0], [2.5, 0.0, 0.0], [0.0, 2.0, 0.0]])
OPTIONS = {"trainings": 1, "epochs": 8, "batch_size": 64, "workers": 1}


def posterior(x):
    """Bayes' theorem with equal priors."""
    density = np.exp(-0.5 * ((x[:, None] - MEANS) ** 2).sum(axis=2))
    return density / density.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Normal distributions in u, v and a third column that is noise; a run, and its attribution of Hbb."""
    directory = tmp_path_factory.mktemp("many")
    label = np.arange(4500) % 3
    x = np.random.default_rng(5).normal(MEANS[label], 1.0)
    xaug.Dataset.write(
        directory / "data", event=x, label=label, classes=CLASSES, variables={"event": ["u", "v", "noise"]},
        split=(0.5, 0.2, 0.3),
    )  # fmt: skip
    train(directory / "data", directory / "run", network="event", **OPTIONS)
    explain_run(
        directory / "run", directory / "background", method="ig", baseline="background:QCD", target="Hbb-QCD",
        split="validation", max_events=300, per_process=5, tolerance=0.05,
    )  # fmt: skip
    rankings = {"Bbg": directory / "background"}
    topk(directory / "data", directory / "topk", rankings, sizes="1-3", controls=["univariate"], **OPTIONS)
    return directory


def test_the_class_that_is_explained_needs_u(place):
    """Hbb - QCD is decided by u alone: ln p_Hbb / p_QCD = 2.5 u - 2.5^2 / 2."""
    table = pd.read_csv(place / "background" / "class_level_0.csv", index_col=0)
    assert table.index[0] == "u" and table.loc["u", "mean"] > 5 * table["mean_absolute"].drop("u").max()
    of_class = json.loads((place / "background" / "manifest.json").read_text())["classes"]
    assert of_class == CLASSES


def test_topk_of_three_classes(place):
    data = xaug.Dataset.open(place / "data")
    test = data.load(["event", "label"], "test")
    best = class_metrics(test["label"], posterior(test["event"].astype(float)), CLASSES)
    table = pd.read_csv(place / "topk" / "topk.csv")
    assert set(table["ranking"]) == {"Bbg", "univariate"} and "significance" not in table
    assert univariate_ranking(data, "event", "unit")[-1] == "noise"
    mean = table[table["ranking"] == "univariate"].set_index("k")
    assert mean.loc[1, "auc"] < mean.loc[2, "auc"] - 0.05  # u does not tell top from QCD
    for k in (2, 3):
        assert mean.loc[k, "auc"] == pytest.approx(best.auc, abs=0.015)
        assert mean.loc[k, "accuracy"] == pytest.approx(best.accuracy, abs=0.04)
    spread = pd.read_csv(place / "topk" / "topk_replicas.csv").groupby(["ranking", "k"])["auc"].agg(["mean", "std"])
    assert spread.loc[("univariate", 2), "mean"] == pytest.approx(mean.loc[2, "auc"], abs=0.005)
    assert 0.002 < spread.loc[("univariate", 2), "std"] < 0.02


def test_grid_of_three_classes(place):
    table = grid_search(place / "data", place / "grid", {"layers": [1], "width": [16], "dropout": [0.0]}, **OPTIONS)
    assert xaug.load_run(place / "grid" / "runs" / table["run"][0]).model(0).output_shape == (None, 3)
    assert 0.85 < table["auc"][0] < 1


def test_the_report_says_what_its_numbers_are_of(place):
    keys = ["top_features", "topk", "roc"]
    report([place / "run"], place / "report", attributions=[place / "background"], topk=place / "topk", keys=keys)
    page = (place / "report" / "report.html").read_text()
    assert "signal events" not in page and "Hbb events" in page
    assert "mean over classes, each against the rest" in page
