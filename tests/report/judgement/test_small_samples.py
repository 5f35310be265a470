"""The judge stage where there is little: three classes, one training, two events, and attributions of another model."""

import numpy as np
import pandas as pd
import pytest

import xaug
from xaug.core import provenance
from xaug.core.errors import ConfigurationError
from xaug.explain.stage import explain_run
from xaug.report.judgement.choices import Choices
from xaug.report.judgement.stage import judge_run
from xaug.training.stage import train

SMALL = Choices(events=200, changed_events=6, points=3)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One training on three classes, of which a and b tell each apart."""
    rng = np.random.default_rng(1)
    label = np.repeat([0, 1, 2], 400)
    columns = rng.normal(size=(1200, 4)) + 2 * np.stack([label == 1, label == 2, 0 * label, 0 * label], axis=1)
    path = tmp_path_factory.mktemp("three")
    names = {"xaug": ["a", "b", "phi", "c"]}
    xaug.Dataset.write(path / "data", label=label, xaug=columns, variables=names, classes=["QCD", "W", "top"])
    train(path / "data", path / "run", network="mlp", trainings=1, epochs=12, batch_size=32, seed=1, workers=1)
    return path / "run"


@pytest.fixture(scope="module")
def explained(run):
    """Both by one training, towards one class."""
    paths = [run.parent / name for name in ("lrp", "ig")]
    explain_run(run, paths[0], target="top", engine="native")
    explain_run(run, paths[1], method="ig", target="top", baseline="mean:QCD")
    return paths


def test_three_classes_and_one_training(run, explained, tmp_path):
    """What needs two classes or several trainings says so; all else has numbers, and no rank is believed."""
    found = judge_run(run, explained, tmp_path / "out", choices=SMALL)
    for name, own in found.measures.items():
        notes = {one.test: one.note for one in own}
        assert "compares two classes, and run has 3" in notes["likelihood"]
        assert "compares two classes, and run has 3" in notes["symmetry"]
        values = {one.name: one for one in own}
        assert "there is one" in values["stable ranks"].note
        assert "one training says nothing about others" in values["agreement of trainings"].note
        assert values["gain, insertion less deletion (chance 0)"].value > 0.1, name
        assert values["agreement of halves"].value > 0
        assert all(np.isnan(one.training_spread) for one in own)
    assert not any(one.believe for one in found.verdicts)
    assert "1 training cannot show that a rank is stable" in found.summary
    agreement = pd.read_csv(tmp_path / "out" / "agreement.csv")
    assert "±" not in str(agreement["rank correlation"][0])
    with pytest.raises(ConfigurationError, match="test likelihood is not defined for lrp: the test compares two"):
        judge_run(run, explained, tmp_path / "new", tests=["likelihood"], choices=SMALL)


def test_two_events(run, tmp_path):
    """The least that is judged: numbers are finite or have a reason; one event is refused."""
    explain_run(run, tmp_path / "two", target="top", engine="native", max_events=2)
    explain_run(run, tmp_path / "one", target="top", engine="native", max_events=1)
    found = judge_run(run, [tmp_path / "two"], tmp_path / "out", choices=SMALL)
    assert found.events == 2
    for one in found.measures["two"]:
        assert np.isfinite(one.value) or one.note, one
    with pytest.raises(ConfigurationError, match="1 events in common, and two are needed"):
        judge_run(run, [tmp_path / "one"], tmp_path / "none", choices=SMALL)


def test_attributions_of_another_model(run, explained, tmp_path):
    """Another run by its digest; other weights in the place of the run's by the explained output."""
    import keras

    train(run.parent / "data", tmp_path / "other", network="mlp", trainings=1, epochs=1, seed=2, workers=1)
    with pytest.raises(ConfigurationError, match=r"does not belong to .*other: it explains .*run \(digest"):
        judge_run(tmp_path / "other", explained, tmp_path / "a", choices=SMALL)
    path = run / "training_0" / "model.keras"
    kept = path.read_bytes()
    try:
        model = keras.models.load_model(path, compile=False)
        model.set_weights([values[::-1] for values in model.get_weights()])
        model.save(path)
        provenance.record_files(run, [path])
        with pytest.raises(ConfigurationError, match="does not belong to this model and these inputs"):
            judge_run(run, explained, tmp_path / "b", choices=SMALL)
    finally:
        path.write_bytes(kept)
        provenance.record_files(run, [path])


def test_groups_that_overlap_or_leave_inputs_out(run, explained, tmp_path):
    for content, message in (
        ("one: [a, b]\ntwo: [b, phi, c]\n", "overlap"),
        ("one: [a, b]\ntwo: [phi]\n", "c"),
    ):
        (tmp_path / "groups.yaml").write_text(content)
        choices = Choices(events=100, groups=str(tmp_path / "groups.yaml"))
        with pytest.raises(ConfigurationError, match=message):
            judge_run(run, explained, tmp_path / "out", choices=choices)
