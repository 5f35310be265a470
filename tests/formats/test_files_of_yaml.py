"""Files in a YAML: paths, or what stands in filesets of coffea, in the YAML itself or in a file that it names."""

import json
import re

import numpy as np
import pytest

from xaug.core.errors import ConfigurationError
from xaug.data.dataset import Dataset
from xaug.process.search import gather
from xaug.process.stage import process


def found(directory, files, top="format: pfnano"):
    (directory / "data.yaml").write_text(f"{top}\nfiles: {json.dumps(files)}\n")
    return gather([directory / "data.yaml"]).found


def refusal(directory, files, top="format: pfnano"):
    with pytest.raises(ConfigurationError) as refused:
        found(directory, files, top)
    return str(refused.value)


STEPS = [[0, 3], [4, 6]]


class TestForms:
    @pytest.mark.parametrize(
        ("listed", "tree", "steps"),
        [
            ({"a.root": "Events"}, "Events", None),
            ({"a.root": {"object_path": "Events", "steps": STEPS}}, "Events", ((0, 3), (4, 6))),
            ({"a.root": None}, None, None),
            ({"files": ["a.root"], "treename": "T"}, "T", None),
            ({"files": {"a.root": "T"}, "metadata": {"xsec": 2.5}}, "T", None),
        ],
    )
    def test_of_a_class(self, tmp_path, listed, tree, steps):
        (file,) = found(tmp_path, {"QCD": listed})
        assert (file.path, file.tree, file.steps) == (str(tmp_path / "a.root"), tree, steps)
        more = listed.get("metadata", {})
        assert file.metadata == {"label": "QCD", "process": "QCD", **more} and file.format == "pfnano"

    def test_without_classes(self, tmp_path):
        listed = {"a.root": "Events", "b.root": {"object_path": "T", "steps": STEPS}}
        files = found(tmp_path, listed, "format: jetclass")
        assert [(file.tree, file.metadata) for file in files] == [("Events", {}), ("T", {})]
        assert files[1].steps == ((0, 3), (4, 6))

    def test_of_several_processes_of_a_class(self, tmp_path):
        files = {name: {"files": [f"{name}.root"], "metadata": {"label": "QCD"}} for name in ("low", "high")}
        labels = [(file.metadata["label"], file.metadata["process"]) for file in found(tmp_path, files)]
        assert labels == [("QCD", "high"), ("QCD", "low")]

    def test_a_fileset_that_the_yaml_names(self, tmp_path):
        (tmp_path / "sub").mkdir()
        fileset = {"low": {"files": {"a.root": "Events"}, "metadata": {"xsec": 2.0}}}
        (tmp_path / "sub" / "set.json").write_text(json.dumps(fileset))
        for files, label in (({"QCD": "sub/set.json"}, {"label": "QCD", "process": "QCD"}), ("sub/set.json", {})):
            (file,) = found(tmp_path, files)
            assert file.path == str(tmp_path / "sub" / "a.root") and file.tree == "Events" and file.format == "pfnano"
            assert file.metadata == {**label, "xsec": 2.0}

    def test_what_cannot_be_meant(self, tmp_path):
        for files, words in (
            ({"a.root": "Events", "QCD": "b.root"}, r"line 2: QCD stands beside files \(a.root\)"),
            ({"QCD": {"a.root": {"step": STEPS}}}, "'step'; did you mean 'steps'"),
            ({"QCD": {"a.root": {"steps": [[3, 0]]}}}, r"line 2: a.root has the step \[3, 0\]"),
            ({"QCD": {}}, "line 2: dataset 'QCD' lists no files"),
            ({"QCD": {"a.root": 3}}, "a.root has the tree 3; must be text"),
        ):
            assert re.search(words, refusal(tmp_path, files))
        (tmp_path / "set.json").write_text('{"x": {"files": ["a.root"], "metadata": {"label": "Hbb"}}}')
        assert "the label 'Hbb', but is listed under 'QCD'" in refusal(tmp_path, {"QCD": "set.json"})


def test_steps_of_a_yaml_choose_entries(layouts, tmp_path):
    """The chosen entries of a file give what they give in the whole file."""
    whole = tmp_path / "whole"
    process([layouts["jetclass"]], whole)
    files = {str(layouts["jetclass"]): {"object_path": "tree", "steps": [[2, 9], [12, 15]]}}
    (tmp_path / "data.yaml").write_text(f"format: jetclass\nfiles: {json.dumps(files)}\n")
    assert process([tmp_path / "data.yaml"], tmp_path / "some")["skips"] == []
    own, every = (Dataset.open(path).load(["event_id", "xaug"]) for path in (tmp_path / "some", whole))
    chosen = np.isin(every["event_id"], own["event_id"])
    assert chosen.sum() == len(own["event_id"]) == 10
    order = [np.argsort(ids) for ids in (every["event_id"][chosen], own["event_id"])]
    np.testing.assert_array_equal(every["xaug"][chosen][order[0]], own["xaug"][order[1]])
