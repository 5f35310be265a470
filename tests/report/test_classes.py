"""The general report of the user's own arrays, with three classes and with two that have names of their own."""

import json

import numpy as np
import pandas as pd
import pytest

import xaug
from xaug.explain.stage import explain_run
from xaug.report.class_scores import predicted, relevance_name, score_name, score_of_target
from xaug.report.stage import report
from xaug.training.stage import train

CLASSES = ("QCD", "Hbb", "top")


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Reports by number of classes: normal distributions around corners, explained as Hbb-QCD."""
    directory = tmp_path_factory.mktemp("classes")
    rng = np.random.default_rng(2)
    for k in (2, 3):
        label = np.arange(900) % k
        x = rng.normal(np.array([[0, 0, 0], [2, 0, 0], [0, 2, 0]])[label], 1.0)
        place = directory / str(k)
        xaug.Dataset.write(
            place / "data", xaug=x, label=label, classes=CLASSES[:k],
            variables={"xaug": [xaug.Variable("u", "$u$", "GeV"), "v", "noise"]},
        )  # fmt: skip
        train(place / "data", place / "run", network="mlp", trainings=2, epochs=2, workers=1)
        for target in ("Hbb", "Hbb-QCD"):
            explain_run(place / "run", place / target, target=target, engine="native")
        report([place / "run"], place / "report", attributions=[place / "Hbb", place / "Hbb-QCD"])
    return directory


@pytest.mark.parametrize("k", [2, 3])
def test_figures_and_tables_have_the_classes_of_the_user(reports, k):
    place = reports / str(k) / "report"
    distributions = json.loads((place / "distributions.json").read_text())
    assert set(distributions["u"]) == {"edges", *CLASSES[:k]}
    profile = json.loads((place / "profiles_Hbb.json").read_text())["u"]
    assert {f"mean_{name}" for name in CLASSES[:k]} <= set(profile)
    data = xaug.Dataset.open(reports / str(k) / "data").load(["label"], "test")
    assert [sum(profile[name]) for name in CLASSES[:k]] == np.bincount(data["label"]).tolist()
    page = (place / "report.html").read_text()
    assert "Hbb" in page and ">NaN<" not in page and (k == 2) != ("confusion" in page.lower())
    columns = list(pd.read_csv(place / "roc.csv"))
    curves = ["run"] if k == 2 else [f"run: {name}" for name in CLASSES]
    assert columns[1::3] == [f"{name}_background_efficiency" for name in curves]


def test_confusion_matrix_and_areas_are_those_of_the_metrics(reports):
    run = xaug.load_run(reports / "3" / "run")
    found = json.loads((reports / "3" / "report" / "confusion_run.json").read_text())
    by_hand = []
    for i in range(2):
        scores = run.scores(i)
        taken = np.zeros((3, 3))
        np.add.at(taken, (scores["label"], scores["score"].argmax(axis=1)), scores["weight"])
        by_hand.append(taken / taken.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(found["mean"], np.mean(by_hand, axis=0))
    row = pd.read_csv(reports / "3" / "report" / "performance.csv").iloc[0]
    for pair in ("Hbb-QCD", "top-QCD", "top-Hbb"):
        assert float(row[f"AUC {pair}"].split()[0]) == pytest.approx(
            np.mean([m["pairwise"][pair] for m in run.metrics]), abs=1e-4
        )


def test_curves_of_pairs_are_those_of_the_scores(reports):
    """Each point by counting: the share of the other class above the score that a share of the class reaches."""
    run = xaug.load_run(reports / "3" / "run")
    found = pd.read_csv(reports / "3" / "report" / "roc_pairs_run.csv")
    pairs = {f"{a}-{b}" for a in CLASSES for b in CLASSES if a != b}
    assert {name.removesuffix("_background_efficiency") for name in found if name.endswith("efficiency")} == {
        *pairs, "efficiency",
    }  # fmt: skip
    by_hand = []
    for i in range(2):
        own = run.scores(i)
        ratio = own["score"][:, 2] / (own["score"][:, 2] + own["score"][:, 0])
        top, qcd = (np.sort(ratio[own["label"] == of])[::-1] for of in (2, 0))
        by_hand.append((qcd >= top[int(np.ceil(0.5 * len(top))) - 1]).mean())
    row = found[np.isclose(found["efficiency"], 0.5)].iloc[0]
    assert row["top-QCD_background_efficiency"] == pytest.approx(np.mean(by_hand), abs=1e-6)
    page = (reports / "3" / "report" / "report.html").read_text()
    assert "ROC curves of each pair of classes" in page


def test_scores_of_targets_by_hand():
    p = np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])
    assert predicted(p).tolist() == [2, 0] and predicted(p[:, 1] * 2).tolist() == [1, 1]
    for target, expected, name in (
        ("Hbb", [0.3, 0.3], "score of Hbb"), ("2", [0.5, 0.1], "score of top"), (0, [0.2, 0.6], "score of QCD"),
        ("predicted", [0.5, 0.6], "largest score"), ("Hbb-QCD", [0.6, 1 / 3], "score of Hbb against QCD"),
        ("top-Hbb", [5 / 8, 1 / 4], "score of top against Hbb"),
    ):  # fmt: skip
        np.testing.assert_allclose(score_of_target(p, target, CLASSES), expected)
        assert score_name(target, CLASSES) == name
        of = {"largest score": "normalised relevance for the predicted class"}
        assert relevance_name(target, CLASSES) == of.get(name, name.replace("score of", "normalised relevance for"))
    assert relevance_name("QCD", ("QCD", "Hbb")) == "normalised relevance towards Hbb"
    assert score_name("predicted", ("QCD", "Hbb")) == "score of Hbb"  # of two classes always that of the signal
