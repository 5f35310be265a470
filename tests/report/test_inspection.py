"""`xaug.inspect`: what files and directories are, told by their content."""

import json
import subprocess
import sys

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


def test_a_model_needs_no_package_that_reads_events(tmp_path):
    """As with `pip install xaug` and nothing more; a file of events names the extra."""
    import keras

    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "own.keras")
    code = (
        "import sys; sys.modules['awkward'] = None\n"
        "from xaug.inspect import main; main([sys.argv[1]], prog_name='xaug.inspect')"
    )
    (tmp_path / "jets.root").write_bytes(b"root")
    for name, words in (("own.keras", "a Keras model"), ("jets.root", "pip install 'xaug[process]'")):
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / name)], capture_output=True, text=True, check=False
        )
        assert words in done.stdout + done.stderr and "Traceback" not in done.stderr, done.stderr


def test_lists_say_what_each_file_holds(zbb_files, tmp_path):
    """A fileset, a list of paths and a YAML, each with a file that is missing."""
    good, lost = zbb_files / "zbb_zbb_00000.root", tmp_path / "lost.root"
    entries = inspect_path(good)["entries"]
    (tmp_path / "all.txt").write_text(f"{good}\n{lost}\n")
    (tmp_path / "all.json").write_text(json.dumps({"a": {"files": [str(good), str(lost)], "metadata": {"label": "H"}}}))
    (tmp_path / "all.yaml").write_text(f"format: xaug_tree\nfiles: {{H: ['{good}', '{lost}']}}\n")
    for name, label in (("all.txt", None), ("all.json", "H"), ("all.yaml", "H")):
        found = {one["file"]: one for one in inspect_path(tmp_path / name)["files"]}
        assert found[str(good)]["entries"] == entries and found[str(good)]["format"] == "xaug_tree"
        assert found[str(good)].get("class") == label
        assert "does not exist" in found[str(lost)]["cannot be used"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("loop", "is a broken link"), ("https://127.0.0.1:9/x.root", "cannot be read; is the server reachable")],
)
def test_links_and_servers(tmp_path, name, words):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(XaugError, match=words):
        inspect_path(name if "://" in name else tmp_path / name)


def test_a_file_of_a_directory_of_xaug_names_the_directory(zbb_dataset):
    part = next(zbb_dataset.glob("*.h5"))
    with pytest.raises(XaugError, match=f"belongs to what `xaug process` wrote; inspect {zbb_dataset}"):
        inspect_path(part)
