"""`xaug.inspect`: what files and directories are, told by their content."""

import json

import pytest
from click.testing import CliRunner

import xaug
from xaug.core.errors import XaugError
from xaug.formats.registry import FORMATS
from xaug.inspect import main
from xaug.report.inspection import inspect_path, presets


def test_a_generated_file(zbb_files):
    found = inspect_path(zbb_files / "zbb_zbb_00000.root")
    assert (found["format"], found["tree"], found["kind"], found["gives_jets"]) == ("xaug_tree", "T", "jets", False)
    assert found["metadata"]["label"] == 1 and "constituent_pt" in found["columns"]


def test_a_dataset_and_a_directory_of_files(zbb_dataset, zbb_files):
    found, data = inspect_path(zbb_dataset), xaug.Dataset.open(zbb_dataset)
    assert found["what"] == "a dataset" and found["rows"] == len(data) == sum(found["splits"].values())
    assert found["columns"]["xaug"] == data.names("xaug") and found["shapes"]["list"] == [20, 17]
    assert found["cut_flow"] == data.manifest["cut_flow"] and found["digest"] == data.digest
    assert found["command"] and found["versions"]["xaug"] == xaug.__version__
    assert inspect_path(zbb_files)["what"] == "generated files"


def test_the_command_prints_lines_or_json(zbb_dataset):
    done = CliRunner().invoke(main, [str(zbb_dataset)])
    assert done.exit_code == 0 and "what: a dataset" in done.stdout and "classes: background, signal" in done.stdout
    done = CliRunner().invoke(main, [str(zbb_dataset), "--json"])
    assert json.loads(done.stdout)["what"] == "a dataset"


def test_presets_list_every_format(tmp_path):
    done = CliRunner().invoke(main, ["--presets", "--json"])
    assert [one["format"] for one in json.loads(done.stdout)["formats"]] == [*FORMATS, "columns"]
    assert all(one["layout"] for one in presets())
    assert CliRunner().invoke(main, []).exit_code == 1
    assert CliRunner().invoke(main, [str(tmp_path), "--presets"]).exit_code == 1


def test_what_is_nothing_is_said(tmp_path, zbb_files):
    for name, content, words in (
        ("none.root", None, "does not exist"), ("empty.root", b"", "is empty"), ("text.root", b"hello world", "ROOT"),
        ("cut.root", (zbb_files / "zbb_zbb_00000.root").read_bytes()[:5000], "truncated or damaged"),
    ):  # fmt: skip
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(XaugError, match=words):
            inspect_path(tmp_path / name)
