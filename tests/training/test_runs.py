"""A run on disk: what its manifest must say, and how it finds its dataset."""

import json
import shutil

import numpy as np
import pytest

import xaug
from xaug.core import provenance
from xaug.core.errors import DatasetError
from xaug.core.integrity import seal
from xaug.training.runs import RunRecord


def with_manifest(run, directory, change):
    """A copy of a run whose manifest is changed and sealed again."""
    shutil.copytree(run.path, directory)
    content = json.loads((directory / provenance.NAME).read_text())
    change(content)
    (directory / provenance.NAME).write_text(json.dumps(seal(content)))
    return directory


@pytest.mark.parametrize("key", ["inputs", "config", "dataset", "metrics"])
def test_what_the_manifest_lacks_is_named(mlp_run, tmp_path, key):
    place = with_manifest(mlp_run, tmp_path / "run", lambda content: content.pop(key))
    with pytest.raises(DatasetError, match=f"{place}.*damaged.*{key}"):
        xaug.load_run(place)


def test_the_record_of_version_0_1_has_the_classes_and_weights_of_that_time(mlp_run):
    content = json.loads((mlp_run.path / provenance.NAME).read_text())
    del content["classes"], content["dataset_from_here"]
    content["config"].pop("weights", None)
    record = RunRecord.from_json(content)
    assert record.classes == ("background", "signal")
    assert record.dataset_from_here == record.dataset
    assert record.weights == "unit"


def test_a_study_that_was_moved_finds_the_dataset_beside_the_run(mlp_run, tmp_path):
    study = tmp_path / "moved"
    shutil.copytree(mlp_run.dataset().path, study / "dataset")
    place = with_manifest(
        mlp_run, study / "run", lambda c: c.update(dataset="/nowhere/dataset", dataset_from_here="../dataset")
    )
    assert xaug.load_run(place).dataset().path == study / "dataset"


def test_a_dataset_that_is_gone_changed_or_of_another_kind_is_named(mlp_run, event_dataset, tmp_path):
    lost = dict(dataset="/nowhere/dataset", dataset_from_here="../nowhere")
    place = with_manifest(mlp_run, tmp_path / "lost", lambda content: content.update(lost))
    with pytest.raises(DatasetError, match=r"/nowhere/dataset.*is not here; name one with --dataset"):
        xaug.load_run(place).dataset()
    with pytest.raises(DatasetError, match=r"is of jets, .* holds events"):
        mlp_run.dataset(event_dataset.path)
    where = {"dataset": str(mlp_run.dataset().path), "dataset_from_here": str(mlp_run.dataset().path)}
    changed = with_manifest(
        mlp_run, tmp_path / "changed", lambda c: c.update(where) or c["config"].update(dataset="another digest")
    )
    with pytest.raises(DatasetError, match="no longer the dataset that run changed was trained on"):
        xaug.load_run(changed).dataset()


def test_scores_that_cannot_be_read_say_how_they_are_made_again(mlp_run, tmp_path):
    place = with_manifest(mlp_run, tmp_path / "run", lambda content: content.pop("file_digests"))
    (place / "training_1" / "scores.h5").write_bytes(b"no HDF5")
    run = xaug.load_run(place)
    assert np.isfinite(run.scores(0)["score"]).all()
    with pytest.raises(DatasetError, match=r"scores.h5 cannot be read.*Delete .*training_1.*train again"):
        run.scores(1)
