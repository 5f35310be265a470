"""The report of an event run: numbers behind figures and tables, computed again from attributions and datasets."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import xaug
from xaug.core.errors import ConfigurationError
from xaug.core.provenance import write
from xaug.explain.analysis.ablations import ablate_run
from xaug.explain.stage import explain_run, load_attributions
from xaug.report.__main__ import main
from xaug.report.report_inputs import Sources, open_inputs
from xaug.report.stage import report
from xaug.studies.vlq.paper import extension

BASELINES = {"B0": "blank", "Bbg": "background", "Bbgw": "weighted"}
NAMES = xaug.variables.names("events", "event")
SIZES = (1, 2, 5)


def made_up_curves(path, digest):
    """A directory as xaug.topk writes it: better rankings rise faster."""
    rng = np.random.default_rng(0)
    rows = [
        (name, k, i, 0.6 + 0.3 * (1 - np.exp(-k / rise)) + rng.normal(0, 0.003))
        for name, rise in {"B0": 6, "Bbg": 3, "Bbgw": 2, "random": 20}.items() for k in (*SIZES, 87) for i in range(3)
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["ranking", "k", "training", "auc"])
    path.mkdir()
    table.assign(accuracy=table["auc"] - 0.05, significance=3 * table["auc"]).to_csv(path / "topk.csv", index=False)
    config = {"dataset": digest, "by": "mean", "sizes": [*SIZES, 87]}
    write(path, "topk", config, plateau={"B0": 87, "Bbg": 5, "Bbgw": 5})


@pytest.fixture(scope="module")
def made(event_run, event_dataset, tmp_path_factory):
    """Three attributions, curves, an ablation, and the report of all."""
    path = tmp_path_factory.mktemp("baselines")
    for name, baseline in BASELINES.items():
        options = {"method": "ig", "split": "validation", "only": "signal", "max_events": 25}
        explain_run(event_run, path / name, baseline=baseline, **options)
    made_up_curves(path / "topk", event_dataset.digest)
    orders = {name: NAMES[i:] + NAMES[:i] for i, name in enumerate((*BASELINES, "random"))}
    ablate_run(event_run, path / "ablation", orders, [*SIZES, 87])
    arguments = [str(event_run), *(f"--attributions={path / name}" for name in BASELINES)]
    arguments += [f"--topk={path / 'topk'}", f"--ablation={path / 'ablation'}", "--study", "vlq"]
    done = CliRunner().invoke(main, [*arguments, "-o", str(path / "report")])
    assert done.exit_code == 0, done.output
    return path


@pytest.fixture(scope="module")
def means(made):
    """Mean attribution of signal events, (trainings, features) by baseline, straight from the attributions."""
    return {
        name: np.array([a.relevance["event"].astype(float).mean(axis=0) for a in load_attributions(made / name)])
        for name in BASELINES
    }


def test_every_figure_is_drawn(made):
    figures = ["fig01_features", "fig02_topk", "fig03_features", "fig04_features", "fig05_features", "ablation",
               "agreement", "roc", "history_event_run"]  # fmt: skip
    for suffix in (".png", ".pdf"):
        assert {path.stem for path in (made / "report").glob(f"*{suffix}")} == set(figures)
    page = (made / "report" / "report.html").read_text()
    assert re.findall(r"<b>(\w+)</b>:", page) == figures
    assert not re.search(r"\bjets\b", re.sub(r"data:image/png;base64,[^\"]+", "", page))


def test_bars_are_means_over_events_and_trainings(made, means):
    table = pd.read_csv(made / "report" / "fig01_features.csv")
    assert list(dict.fromkeys(table["baseline"])) == list(BASELINES)
    for name, values in means.items():
        own = table[table["baseline"] == name].set_index("feature")
        assert len(own) == 87
        assert own["mean"].is_monotonic_decreasing
        np.testing.assert_allclose(own.loc[NAMES, "mean"], values.mean(axis=0), atol=2e-6)
        np.testing.assert_allclose(own.loc[NAMES, "rms"], values.std(axis=0, ddof=1), atol=2e-6)


@pytest.mark.parametrize(("figure", "name"), [("fig03", "B0"), ("fig04", "Bbg"), ("fig05", "Bbgw")])
def test_the_first_twenty(made, means, figure, name):
    table = pd.read_csv(made / "report" / f"{figure}_features.csv")
    values = means[name].mean(axis=0)
    assert list(table["feature"]) == [NAMES[i] for i in np.argsort(-values)[:20]]
    caption = json.loads((made / "report" / "manifest.json").read_text())["figures"][f"{figure}_features"]
    assert f"Baseline {name}:" in caption
    assert ("from baselines" in caption) == (name != "B0")  # one baseline has no spread


def test_error_of_the_first_feature_is_that_of_a_mean(made):
    """Bootstrap over n events: the standard error of their mean, up to the noise of 200 replicas."""
    table = pd.read_csv(made / "report" / "fig03_features.csv", index_col="feature")
    values = [
        a.relevance["event"][:, NAMES.index(table.index[0])].astype(float) for a in load_attributions(made / "B0")
    ]
    expected = np.sqrt(np.mean([v.var() / len(v) for v in values]))
    assert table["error_events"].iloc[0] == pytest.approx(expected, rel=0.25)


def test_agreement_by_counting_pairs(made, means):
    found = json.loads((made / "report" / "agreement.json").read_text())
    values = {name: v.mean(axis=0) for name, v in means.items()}
    for one, a in values.items():
        for other, b in values.items():
            order = np.sign(a[:, None] - a) * np.sign(b[:, None] - b)
            assert found["kendall_tau"][one][other] == pytest.approx(order.sum() / (87 * 86), abs=0.003)
            first = [set(np.argsort(-v)[:12]) for v in (a, b)]
            assert found["shared_first_12"][one][other] == len(first[0] & first[1])


def test_table_of_baselines(made, event_dataset):
    """Effective numbers by hand: 20 of each background; weighted by cross section x selected / generated (a tenth)."""
    table = pd.read_csv(made / "report" / "baselines.csv", index_col="baseline")
    assert table["events"].to_dict() == {"B0": 1, "Bbg": 60, "Bbgw": 60}
    share = np.repeat([0.5, 2.0, 0.01], 20)
    expected = {"B0": 1.0, "Bbg": 60.0, "Bbgw": share.sum() ** 2 / (share**2).sum()}
    assert table["effective"].to_dict() == pytest.approx(expected, abs=0.051)
    far = table["farther than % of events"]
    assert far["B0"] == 100 > 80 > far["Bbg"]
    assert far["Bbg"] > 20  # events of the same kind as those that they are compared with


def test_curves_are_those_of_the_directories(made):
    """Of the ablation without the point where nothing is left."""
    curves, ablated = pd.read_csv(made / "topk" / "topk.csv"), pd.read_csv(made / "ablation" / "ablation.csv")
    pd.testing.assert_frame_equal(pd.read_csv(made / "report" / "fig02_topk.csv"), curves)
    left = ablated[ablated["k"] < 87].reset_index(drop=True)
    assert len(left) == len(ablated) * 4 / 5
    pd.testing.assert_frame_equal(pd.read_csv(made / "report" / "ablation.csv"), left)


def test_answers_are_of_these_tables(made, means, event_run):
    table = pd.read_csv(made / "report" / "answers.csv").set_index("paper")
    assert len(table) == 7
    ht = NAMES.index("ht")
    for name, values in means.items():
        rank = 1 + int((values.mean(axis=0) > values.mean(axis=0)[ht]).sum())
        each = [1 + int((v > v[ht]).sum()) for v in values]
        assert f"{name} {rank} ({min(each)} to {max(each)})" in table.loc["HT is first for every baseline", "ours"]
    (beats,) = (row for claim, row in table.iterrows() if "beat the blank one" in claim)
    assert beats["holds"] == "refused"  # made-up events are few
    assert re.match(
        r"fewer than 200 effective events \(validation [\d.]+ background, [\d.]+ signal; test ", beats["ours"]
    )
    curves = pd.read_csv(made / "topk" / "topk.csv").query("k < 15").groupby("ranking")["auc"].mean()
    assert f"AUC, Bbg - B0: {curves['Bbg'] - curves['B0']:+.3g}" in beats["ours"]
    sources = Sources([event_run], [made / name for name in BASELINES], made / "topk", made / "ablation")
    (free,) = extension(regime="tight", least=0.0).tables(open_inputs(sources).inputs)
    assert free.heading.endswith("selection tight")
    assert dict(zip(free.content["paper"], free.content["holds"], strict=True))[beats.name] == "yes"
    page = (made / "report" / "report.html").read_text()
    assert page.index('<section id="table-answers"') < page.index('<section id="table-performance"')


def test_curves_of_other_data_and_runs_are_refused(made, event_run, tmp_path):
    made_up_curves(tmp_path / "topk", "another digest")
    with pytest.raises(ConfigurationError, match="of another dataset"):
        report([event_run], tmp_path / "r", topk=tmp_path / "topk")
    content = json.loads((made / "ablation" / "manifest.json").read_text())
    (tmp_path / "ablation").mkdir()
    write(tmp_path / "ablation", "ablation", {**content["config"], "run": "another"})
    with pytest.raises(ConfigurationError, match="of a run that is not among"):
        report([event_run], tmp_path / "r", ablation=tmp_path / "ablation")
    for key in ("2", "ablation", "4", "agreement"):
        with pytest.raises(ConfigurationError, match=f"figure {key} .* needs"):
            report([event_run], tmp_path / "r", [made / "B0"], keys=[key], extension=extension())
    assert not (tmp_path / "r").exists()
