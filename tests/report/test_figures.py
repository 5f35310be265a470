"""The arrays behind the figures, computed again from datasets, scores and attributions."""

import csv
import json
import re

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy.stats import binned_statistic, binned_statistic_2d

import xaug
from xaug.core.errors import ConfigurationError
from xaug.explain.stage import explain_run, load_attributions
from xaug.report.__main__ import main
from xaug.report.stage import report
from xaug.report.words import NORMALISED
from xaug.studies.toy.paper import extension
from xaug.training.stage import train


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A toy dataset with two trainings of a 2D CNN, on all and on half of it, and one of a 1D CNN; their report."""
    from xaug.generate.toy import generate

    path = tmp_path_factory.mktemp("toy")
    generate(path / "data", jets=600, overlap="large", seed=3)
    for name, options in {
        "cnn2d": {"network": "cnn2d", "trainings": 2},
        "half": {"network": "cnn2d", "trainings": 2, "max_jets": 360},
        "cnn1d": {"network": "cnn1d", "trainings": 1},
    }.items():
        train(path / "data", path / name, epochs=1, **options)
        explain_run(path / name, path / f"{name}_lrp", max_events=80)
    names = ("cnn2d", "half", "cnn1d")
    attributions = [path / f"{name}_lrp" for name in names]
    report([path / name for name in names], path / "report", attributions, extension=extension())
    return path


@pytest.fixture(scope="module")
def events(toy):
    """Of the explained events: unscaled XAUGs, classes, scores (2, n), signed relevance of XAUGs (2, n, 4)."""
    data, run = xaug.Dataset.open(toy / "data"), xaug.load_run(toy / "cnn2d")
    found = load_attributions(toy / "cnn2d_lrp")
    arrays = data.load(["xaug", "label"], "test")
    rows = found[0].rows
    scale = [np.maximum(np.abs(a.relevance["xaug"]).max(1), np.abs(a.relevance["image"]).max((1, 2, 3))) for a in found]
    relevance = np.array([a.relevance["xaug"] / s[:, None] for a, s in zip(found, scale, strict=True)])
    scores = np.array([run.scores(i)["score"][rows] for i in range(2)])
    return {"xaug": arrays["xaug"][rows], "label": arrays["label"][rows], "score": scores, "relevance": relevance}


def numbers(toy, stem):
    return json.loads((toy / "report" / f"{stem}.json").read_text())


def test_every_toy_figure_is_drawn(toy):
    of_cnn2d = ("fig10_heatmaps", "fig11_trainings", "fig12_ranks", "fig13_score_map", "fig14_relevance_map")
    expected = {f"{name}_cnn2d" for name in (*of_cnn2d, "fig15_profiles", "uncertainty", "history")}
    expected |= {f"{name}_cnn1d" for name in ("fig16_relevance", "fig17_relevance_map", "history")}
    expected |= {"fig03_distributions", "fig04_images", "roc", "learning_curve"}
    for suffix in (".png", ".pdf"):
        assert {path.stem for path in (toy / "report").glob(f"*{suffix}")} == expected


def test_particles_of_the_toy_are_all_counted(toy):
    found = numbers(toy, "fig03_distributions")
    lists = xaug.Dataset.open(toy / "data").load(["list", "label"])
    z1 = lists["list"][lists["label"] == 1][..., 0].ravel()
    counts, _ = np.histogram(z1, np.array(found["z1"]["edges"]))
    assert np.abs(counts - found["z1"]["signal"]).sum() <= 1  # the upper edge is in the last bin of numpy
    assert counts.sum() > 0.98 * len(z1) == 0.98 * 600 * 10


def test_profiles(toy, events):
    found = numbers(toy, "fig15_profiles_cnn2d")["theta"]
    theta, edges = events["xaug"][:, 0], np.array(found["edges"])
    inside = np.clip(theta, edges[0], edges[-1])  # tails are in the outer bins
    for label, name in ((0, "background"), (1, "signal")):
        chosen = events["label"] == label
        pooled = np.tile(inside[chosen], 2), events["relevance"][:, chosen, 0].ravel()
        for statistic, key in (("mean", "mean"), ("std", "rms")):
            expected = binned_statistic(*pooled, statistic, edges)[0]
            drawn = np.array(found[f"{key}_{name}"], dtype=float)
            np.testing.assert_allclose(drawn, expected, rtol=1e-5, atol=1e-6)
        assert sum(found[name]) == chosen.sum()


def test_maps(toy, events):
    score = numbers(toy, "fig13_score_map_cnn2d")
    relevance = numbers(toy, "fig14_relevance_map_cnn2d")
    z, theta = events["xaug"][:, 1], events["xaug"][:, 0]
    assert (score["x"], score["y"]) == ("z", "theta")
    edges = (np.array(score["x_edges"]), np.array(score["y_edges"]))
    expected = binned_statistic_2d(z, theta, events["score"], "mean", edges)[0]
    np.testing.assert_allclose(np.array(score["trainings"], dtype=float), expected, rtol=1e-6)
    towards = np.where(events["score"] > 0.5, 1, -1) * events["relevance"][:, :, :2].sum(axis=2)
    expected = binned_statistic_2d(z, theta, towards, "mean", edges)[0]
    np.testing.assert_allclose(np.array(relevance["trainings"], dtype=float), expected, rtol=1e-4, atol=1e-6)


def test_ranks(toy):
    found = numbers(toy, "fig12_ranks_cnn2d")
    assert list(found) == ["0", "1"]
    table = pd.DataFrame(found["1"], index=range(1, 6))
    np.testing.assert_allclose(table.sum(axis=0), 100)
    np.testing.assert_allclose(table.sum(axis=1), 100)
    features = xaug.explain.feature_relevance(load_attributions(toy / "cnn2d_lrp")[1])
    for name in table:
        first = (features[name] == features.max(axis=1)).mean()
        assert table.loc[1, name] == pytest.approx(100 * first)


def test_towers_are_one_feature(toy):
    with open(toy / "report" / "fig16_relevance_cnn1d.csv") as file:
        rows = {row["feature"]: float(row["mean"]) for row in csv.DictReader(file)}
    assert set(rows) == {"list", "theta", "z", "r1", "r2"}


def test_spread_stands_beside_that_of_the_smaller_sample(toy):
    table = pd.read_csv(toy / "report" / "uncertainty_cnn2d.csv")
    assert table["sample"].nunique() == 2
    assert len(table) == 10
    found = table[table["sample"] == table["sample"][0]].set_index("feature")
    expected = xaug.explain.summary(load_attributions(toy / "cnn2d_lrp"))
    np.testing.assert_allclose(found["spread"], expected["spread"], rtol=1e-6)


def test_efficiencies_are_those_of_the_scores(toy):
    table = pd.read_csv(toy / "report" / "efficiency.csv").set_index("run")
    scores = [xaug.load_run(toy / "cnn2d").scores(i) for i in range(2)]
    label, mean = scores[0]["label"], np.mean([s["score"] for s in scores], axis=0)
    allowed = int(0.1 * (label == 0).sum())
    cut = np.sort(mean[label == 0])[::-1][allowed]
    percent = 100 * (mean[label == 1] > cut).mean()
    assert table.loc["cnn2d", "signal % at 10% background, mean score"] == pytest.approx(percent, abs=0.06)
    assert table.loc["cnn2d", "signal % at 0.1% background"] == "too few events"


def test_some_figures_only(toy, tmp_path):
    options = [str(toy / "cnn1d"), "--attributions", str(toy / "cnn1d_lrp"), "-o", str(tmp_path / "r")]
    done = CliRunner().invoke(main, [*options, "--figures", "16,12"])
    assert done.exit_code == 0, done.output
    stems = {path.stem for path in (tmp_path / "r").glob("*.png")}
    assert stems == {"fig16_relevance_cnn1d", "fig12_ranks_cnn1d"}  # ranks of what there is
    wrong = CliRunner().invoke(main, [*options[:-1], str(tmp_path / "s"), "--figures", "32"])
    assert wrong.exit_code == 1
    assert "unknown figure of the general report '32'" in wrong.output
    with pytest.raises(ConfigurationError, match=r"figure 10 .* needs attributions of a run of cnn2d with an image"):
        report([toy / "cnn1d"], tmp_path / "s", [toy / "cnn1d_lrp"], keys=["10"], extension=extension())
    assert not (tmp_path / "s").exists()


def test_two_explanations_of_a_run_and_events_of_one_class(toy, tmp_path):
    """Figures have the names of the directories; without background there is no AUC."""
    explain_run(toy / "cnn2d", tmp_path / "signal", only="signal", max_events=20)
    directories = [toy / "cnn2d_lrp", tmp_path / "signal"]
    found = report([toy / "cnn2d"], tmp_path / "r", directories, keys=["heatmaps", "uncertainty"])["figures"]
    kinds = ("heatmaps", "uncertainty")
    assert set(found) == {f"{kind}_{name}" for kind in kinds for name in ("cnn2d_lrp", "signal")}
    assert "AUC" in found["uncertainty_cnn2d_lrp"]
    assert "AUC" not in found["uncertainty_signal"]


def test_another_split_is_refused(toy, tmp_path):
    explain_run(toy / "cnn1d", tmp_path / "lrp", split="validation", max_events=5)
    with pytest.raises(ConfigurationError, match="explains the validation split"):
        report([toy / "cnn1d"], tmp_path / "r", [tmp_path / "lrp"])


def test_attributions_of_another_dataset_are_refused(toy, tmp_path):
    from xaug.generate.toy import generate

    generate(tmp_path / "other", jets=50, seed=4)
    explain_run(toy / "cnn1d", tmp_path / "lrp", dataset=tmp_path / "other", max_events=5)
    with pytest.raises(ConfigurationError, match=r"explains events of .*other"):
        report([toy / "cnn1d"], tmp_path / "r", [tmp_path / "lrp"])


def test_the_general_report_shows_what_the_data_allow(toy, tmp_path, read_page):
    """Without --study there are no numbers of papers, for the same runs and attributions."""
    names = ("cnn2d", "half", "cnn1d")
    arguments = [str(toy / name) for name in names] + [f"--attributions={toy / f'{name}_lrp'}" for name in names]
    done = CliRunner().invoke(main, [*arguments, "-o", str(tmp_path / "r")])
    assert done.exit_code == 0, done.output
    each = {"relevance", "trainings", "ranks", "profiles", "likelihood", "relevance_map", "scores", "history"}
    expected = {f"{kind}_{name}" for kind in each for name in ("cnn2d", "cnn1d")}
    expected |= {"distributions", "images", "roc", "learning_curve", "heatmaps_cnn2d", "uncertainty_cnn2d"}
    assert {path.stem for path in (tmp_path / "r").glob("*.png")} == expected
    page = read_page(tmp_path / "r" / "report.html")
    few = r"No rank is called stable with fewer than 4 trainings; this concerns .*\(cnn2d\) with 2 trainings and .*"
    assert re.search(few + r"\(cnn1d\) with 1 training\.", page.text)
    assert {one["alt"].split(".")[0] for one in page.all("img")} >= {
        "Mean relevance of each feature, cnn2d",
        "Loss by epoch, cnn1d",
    }
    for one in page.all("img"):  # more than its heading: numbers, or why there are none
        assert re.search(r"\d|Nothing could be drawn", one["alt"].split(".", 1)[1]), one["alt"]
    ranks = json.loads((tmp_path / "r" / "ranks_cnn2d.json").read_text())
    bars = pd.read_csv(tmp_path / "r" / "relevance_cnn2d.csv")["feature"].to_list()
    assert [list(of) for of in ranks.values()] == [bars, bars]  # one order of the features in both figures
    captions = json.loads((tmp_path / "r" / "manifest.json").read_text())["figures"]
    for name in ("relevance", "trainings", "profiles", "relevance_map"):
        assert "normalised relevance" in captions[f"{name}_cnn2d"] and NORMALISED in captions[f"{name}_cnn2d"]
    assert captions["distributions"].endswith(
        "fewer than 10 jets. The 4 variables shown separate the classes best, each taken alone."
    )
    assert "distributions of 4 variables" in captions["profiles_cnn2d"]
    general, of_paper = tmp_path / "r" / "relevance_cnn1d.csv", toy / "report" / "fig16_relevance_cnn1d.csv"
    assert general.read_text() == of_paper.read_text()
    best = json.loads((tmp_path / "r" / "distributions.json").read_text())
    arrays = xaug.Dataset.open(toy / "data").load(["xaug", "label"])
    from sklearn.metrics import roc_auc_score

    alone = {name: abs(roc_auc_score(arrays["label"], arrays["xaug"][:, i]) - 0.5)
             for i, name in enumerate(("theta", "z", "r1", "r2"))}  # fmt: skip
    assert list(best) == sorted(alone, key=lambda name: -alone[name])


def test_scores_are_counted_with_their_weights(toy, tmp_path):
    report([toy / "cnn2d"], tmp_path / "r", keys=["scores"])
    table = pd.read_csv(tmp_path / "r" / "scores_cnn2d.csv")
    scores = [xaug.load_run(toy / "cnn2d").scores(i) for i in range(2)]
    for label, name in ((0, "background"), (1, "signal")):
        sums = [s["weight"][s["label"] == label].sum() for s in scores]
        assert table[name].sum() == pytest.approx(np.mean(sums))
    assert table["events"].sum() == pytest.approx(len(scores[0]["label"]))
