"""Reference networks: what an export holds, and that it says what the run said."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import xaug
from xaug.core.errors import ConfigurationError, DatasetError, ModelError
from xaug.reference import main
from xaug.training import reference

CARD = "# tiny\n\nTrained on next to nothing.\n"


@pytest.fixture
def run(mlp_run):
    return mlp_run


@pytest.fixture
def home(run, tmp_path, monkeypatch):
    """A folder of references that holds the second training of a run."""
    reference.export(run.path, tmp_path / "models" / "tiny", CARD, training=1)
    monkeypatch.setattr(reference, "_home", lambda: tmp_path / "models")
    return tmp_path / "models"


def test_says_what_the_training_said(home, run, zbb_dataset):
    arrays = xaug.Dataset.open(zbb_dataset).load(["xaug"], "test")
    found = xaug.load_reference("tiny")
    score = found.models[0].predict(found.inputs(arrays), verbose=0)[:, 1]
    np.testing.assert_allclose(score, run.scores(1)["score"], rtol=1e-5)
    assert np.abs(score - run.scores(0)["score"]).max() > 1e-3  # not the other training
    assert found.variables == run.variables
    assert found.metrics == [run.metrics[1]]
    assert found.manifest["all_metrics"] == run.metrics
    assert found.history(0) == run.history(1)


def test_holds_a_card_and_no_more_than_it_needs(home):
    assert (home / "tiny" / "card.md").read_text() == CARD
    files = {str(path.relative_to(home / "tiny")) for path in (home / "tiny").rglob("*") if path.is_file()}
    assert files == {"card.md", "manifest.json", "scaler.json", "training_0/model.keras", "training_0/metrics.json"}
    assert (home / "tiny" / "training_0" / "model.keras").stat().st_size < 1.3 * 4 * 10_946 + 30_000


def test_tells_nothing_of_the_machine_it_was_made_on(home, run):
    text = (home / "tiny" / "manifest.json").read_text()
    assert str(run.path.parent) not in text
    assert json.loads(text)["dataset"] == "zbb_jets"


def test_is_explained_on_a_dataset_that_is_named(home, zbb_dataset, tmp_path):
    from xaug.explain.stage import explain_run

    with pytest.raises(DatasetError, match=r"dataset zbb_jets, on which tiny was trained, is not here.*--dataset"):
        explain_run(home / "tiny", tmp_path / "lrp")
    found = explain_run(home / "tiny", tmp_path / "lrp", dataset=zbb_dataset, engine="native", max_events=5)
    assert found.events == 5


def test_another_model_in_its_place_is_refused(home, run):
    model = home / "tiny" / "training_0" / "model.keras"
    model.write_bytes((run.path / "training_0" / "model.keras").read_bytes())
    with pytest.raises(ModelError, match=r"tiny/training_0/model\.keras is not the released file"):
        xaug.load_reference("tiny")


def test_unknown_name(home):
    with pytest.raises(ConfigurationError, match=r"unknown reference 'tyni'; did you mean 'tiny'\? Known: tiny"):
        xaug.load_reference("tyni")


def test_half_an_export_is_no_reference(home):
    (home / "tiny" / "manifest.json").unlink()
    assert reference.references() == []
    with pytest.raises(ConfigurationError, match="Known: none"):
        xaug.load_reference("tiny")


def test_export_of_a_training_that_is_not_there(run, tmp_path):
    with pytest.raises(DatasetError, match="has trainings 0 to 1, not 2"):
        reference.export(run.path, tmp_path / "x", CARD, training=2)


def test_an_export_is_not_overwritten(home, run):
    with pytest.raises(DatasetError, match="is a reference already; delete it first"):
        reference.export(run.path, home / "tiny", CARD)


@pytest.mark.parametrize("name", reference.references())
def test_references_of_the_package_are_whole(name):
    found = xaug.load_reference(name)
    assert (found.path / "card.md").read_text().startswith("#")
    assert [t.name for t in found.models[0].inputs] == list(found.variables)


def test_command_writes_a_card_with_the_numbers_of_the_run(run, zbb_dataset, tmp_path):
    done = CliRunner().invoke(
        main, [str(run.path), "--training", "1", "--limits", "Tiny.", "-o", str(tmp_path / "small")]
    )
    assert done.exit_code == 0, done.output
    card = (tmp_path / "small" / "card.md").read_text()
    data = xaug.Dataset.open(zbb_dataset)
    auc = [m["auc"] for m in run.metrics]
    assert f"| AUC | {auc[1]:.4f} | {sum(auc) / 2:.4f} ± {abs(auc[0] - auc[1]) / 2**0.5:.4f} |" in card
    for text in ("# small", f"{data.size('test')} test", data.digest, "Number 1 of 2, seed 5", "Tiny.", "xaug (36)"):
        assert text in card, text
    assert str(tmp_path) not in card
    done = CliRunner().invoke(main, [str(run.path), "--training", "2", "-o", str(tmp_path / "x")])
    assert done.exit_code == 1
    assert "trainings 0 to 1, not 2" in done.output
    assert not (tmp_path / "x").exists()
