"""The judge stage on a run of two trainings of a small network."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import xaug
from xaug.core.errors import ConfigurationError
from xaug.explain.explanation import Explanation
from xaug.explain.stage import explain_run
from xaug.judge import main
from xaug.report.judgement.choices import Choices
from xaug.report.judgement.stage import judge_run
from xaug.report.judgement.studies import judge_studies
from xaug.training.stage import train

SMALL = Choices(events=400, changed_events=10, points=5)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Signal is shifted in a; b follows a; phi does not matter."""
    rng = np.random.default_rng(1)
    label = np.repeat([0, 1], 1000)
    a = rng.normal(1.5 * label)
    columns = np.stack([a, a + rng.normal(size=2000), rng.uniform(-3, 3, 2000), rng.normal(size=2000)], axis=1)
    path = tmp_path_factory.mktemp("judged") / "data"
    xaug.Dataset.write(path, label=label, xaug=columns, variables={"xaug": ["a", "b", "phi", "c"]})
    return path


@pytest.fixture(scope="module")
def run(dataset):
    path = dataset.parent / "run"
    train(dataset, path, network="mlp", trainings=2, epochs=3, seed=1, workers=1)
    return path


@pytest.fixture(scope="module")
def explained(run):
    paths = [run.parent / name for name in ("lrp", "ig")]
    explain_run(run, paths[0], method="lrp", target="signal", engine="native")
    explain_run(run, paths[1], method="ig", baseline="background", per_process=20)
    return paths


@pytest.fixture(scope="module")
def judged(run, explained):
    output = run.parent / "judged"
    return judge_run(run, explained, output, choices=SMALL), output


def test_all_tests_of_all_methods_are_on_one_page(judged, read_page):
    found, output = judged
    page = read_page(output / "judgement.html")
    tests, features = (pd.read_csv(output / f"{name}.csv") for name in ("tests", "features"))
    assert set(tests["test"]) == {"deletion", "completeness", "likelihood", "symmetry", "trainings", "halves"}
    assert set(features["feature"]) == {"a", "b", "phi", "c"}
    assert "gain, insertion less deletion (chance 0)" in page.text
    assert (output / "deletion.png").exists()
    assert 300 < found.events <= 400 and found.trainings == 2


def test_two_trainings_make_no_claim_of_stability(judged):
    found, _ = judged
    stable = [one for own in found.measures.values() for one in own if one.name == "stable ranks"]
    assert all(np.isnan(one.value) and "fewer than 4 trainings" in one.note for one in stable)
    assert not any(one.believe for one in found.verdicts)
    assert all("trainings (there are 2, and 4 are needed)" in one.words for one in found.verdicts)
    assert "2 trainings cannot show that a rank is stable" in found.summary


def test_integrated_gradients_are_complete_and_follow_the_data(judged):
    found, _ = judged
    values = {(m, one.name): one for m, own in found.measures.items() for one in own}
    assert values["ig", "median residual / spread of the output"].value < 0.01
    correlation = values["ig", "correlation with ln(ps/pb)"]
    assert correlation.value > 0.5
    assert values["ig", "gain, insertion less deletion (chance 0)"].value > 0.2


def test_a_finished_judgement_is_kept_and_read(judged, run, explained):
    found, output = judged
    before = (output / "judgement.html").stat().st_mtime_ns
    again = judge_run(run, explained, output, choices=SMALL)
    assert (output / "judgement.html").stat().st_mtime_ns == before
    assert [one.words for one in again.verdicts] == [one.words for one in found.verdicts]


def test_events_are_explained_again_with_random_weights(run, explained, tmp_path):
    """Of a small network the likeness must fall; the physical changes are not defined for these events."""
    found = judge_run(run, explained[:1], tmp_path / "out", tests=["all"], choices=SMALL)
    values = {one.test: one for one in found.measures["lrp"]}
    assert "changes are those of jets" in values["changes"].note
    event_by_event = next(one for one in found.measures["lrp"] if one.test == "randomisation")
    assert event_by_event.value < 0.95 and 0 < event_by_event.event_error < 0.5


def test_bad_input_is_refused(run, explained, tmp_path):
    with pytest.raises(ConfigurationError, match="does not belong to"):
        judge_run(xaug.load_reference("toy_mlp").path, explained, tmp_path / "a")
    with pytest.raises(ConfigurationError, match="no attributions of run"):
        judge_run(run, [], tmp_path / "b")
    with pytest.raises(ConfigurationError, match="test changes is not defined for lrp: the changes are those of jets"):
        judge_run(run, explained, tmp_path / "c", tests=["changes"])
    with pytest.raises(ConfigurationError, match="replacement"):
        judge_run(run, explained, tmp_path / "d", choices=Choices(replacement="zeros"))
    with pytest.raises(ConfigurationError, match="two directories"):
        judge_run(run, [explained[0], explained[0]], tmp_path / "e")


def test_groups_are_checked_first_and_their_file_counts(run, explained, tmp_path):
    """A file of other contents is another judgement, and groups that overlap are refused before all tests."""
    file = tmp_path / "groups.yaml"
    file.write_text("one: [a, b]\ntwo: [phi]\nthree: [c]\n")
    choices = Choices(events=100, points=3, groups=str(file))
    found = judge_run(run, explained, tmp_path / "out", tests=["trainings", "halves"], choices=choices)
    ranked = {one.name for one in found.measures["ig"]}
    assert {"agreement of trainings on groups groups.yaml", "agreement of halves on groups groups.yaml"} <= ranked
    assert len(found.verdicts) == 4  # verdicts are of features
    file.write_text("one: [a, b]\ntwo: [phi, c]\n")
    with pytest.raises(ConfigurationError, match="other"):
        judge_run(run, explained, tmp_path / "out", tests=["trainings", "halves"], choices=choices)
    file.write_text("one: [a, b]\ntwo: [b, phi, c]\n")
    with pytest.raises(ConfigurationError, match="overlap"):
        judge_run(run, explained, tmp_path / "new", tests=["halves"], choices=choices)
    assert not (tmp_path / "new" / "measures").exists()
    with pytest.raises(ConfigurationError, match="no test is named"):
        judge_run(run, explained, tmp_path / "none", tests=[])


def test_events_that_are_lost_leave_too_few(run, explained, tmp_path, monkeypatch):
    def lost(self, memory=None):
        found = attributions(self)
        return [replace(one, relevance={n: v * np.nan for n, v in one.relevance.items()}) for one in found]

    attributions = Explanation.attributions
    monkeypatch.setattr(Explanation, "attributions", lost)
    with pytest.raises(ConfigurationError, match="not finite, and 0 are left to judge"):
        judge_run(run, explained, tmp_path / "out", choices=SMALL)


def test_the_command(run, explained, tmp_path):
    done = CliRunner().invoke(
        main, [str(run), str(explained[0]), "-o", str(tmp_path / "out"), "--tests", "halves", "--json"]
    )
    assert done.exit_code == 0, done.output
    content = json.loads(done.stdout)
    assert set(content["verdicts"]) == {"a", "b", "phi", "c"}
    assert all("a second method" in words for words in content["verdicts"].values())


def test_studies_are_judged_on_one_page(judged, run, explained, read_page, tmp_path):
    """Every run below a directory whose attributions are of test events; others are named."""
    other = run.parent / "validation"
    explain_run(run, other, method="lrp", split="validation", max_events=20, engine="native")
    found = judge_studies([run.parent], tmp_path / "out", methods=["ig"], tests=["halves"], choices=SMALL)
    assert list(found["believed"].values()) == [[]]
    page = read_page(tmp_path / "out" / "judge.html")
    assert "it explains the validation split" in page.text
    assert f"{run.parent.name}_run: which ranks to believe" in page.text
    before = (tmp_path / "out" / "judge.html").stat().st_mtime_ns
    judge_studies([run.parent], tmp_path / "out", methods=["ig"], tests=["halves"], choices=SMALL)
    assert (tmp_path / "out" / "judge.html").stat().st_mtime_ns == before
    for wrong in ("nowhere", "out"):
        with pytest.raises(ConfigurationError, match="not a directory" if wrong == "nowhere" else "no run with"):
            judge_studies([tmp_path / wrong], tmp_path / "new")
