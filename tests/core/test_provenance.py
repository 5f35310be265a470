import json
import subprocess

import pytest

from xaug import __version__
from xaug.core import provenance
from xaug.core.errors import ConfigurationError, DatasetError, XaugError

CONFIG = {"seed": 1, "cuts": {"pt": 200.0, "window": (50, 150)}}


class TestBegin:
    def test_new(self, tmp_path):
        assert provenance.begin(tmp_path / "a" / "b", "process", CONFIG) is None
        assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["started.json"]

    def test_interrupted(self, tmp_path):
        provenance.begin(tmp_path, "process", CONFIG)
        assert provenance.begin(tmp_path, "process", CONFIG) is None

    def test_finished(self, tmp_path):
        provenance.begin(tmp_path, "process", CONFIG)
        provenance.write(tmp_path, "process", CONFIG, parts=["one"])
        found = provenance.begin(tmp_path, "process", CONFIG)
        assert found["parts"] == ["one"]
        assert found == json.loads((tmp_path / "manifest.json").read_text())

    @pytest.mark.parametrize("finished", [True, False])
    @pytest.mark.parametrize(
        ("stage", "config", "message"),
        [
            ("process", {**CONFIG, "seed": 2}, r"other settings \(seed: 1 -> 2\)\. Choose another -o"),
            (
                "process",
                {"seed": 1, "cuts": {"pt": 300.0, "window": (50, 150)}},
                r"\(cuts\.pt: 200\.0 -> 300\.0\)",
            ),
            ("process", {"seed": 1}, r"cuts: .* -> \(unset\)"),
            ("process", {**CONFIG, "more": True}, r"more: \(unset\) -> True"),
            ("train", CONFIG, "holds results of stage 'process'. Choose another -o"),
        ],
    )
    def test_other_work_is_refused(self, tmp_path, stage, config, message, finished):
        provenance.begin(tmp_path, "process", CONFIG)
        (tmp_path / "part.h5").write_text("")
        if finished:
            provenance.write(tmp_path, "process", CONFIG)
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        with pytest.raises(ConfigurationError, match=message) as error:
            provenance.begin(tmp_path, stage, config)
        assert str(tmp_path) in str(error.value)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before

    @pytest.mark.parametrize(("stage", "config"), [("process", {**CONFIG, "seed": 2}), ("train", CONFIG)])
    def test_claim_that_left_nothing_is_no_obstacle(self, tmp_path, stage, config):
        """As where an option was wrong: the mended command may use the same place."""
        provenance.begin(tmp_path, "process", CONFIG)
        assert provenance.begin(tmp_path, stage, config) is None
        with pytest.raises(ConfigurationError, match=f"{tmp_path} was taken by another command"):
            provenance.write(tmp_path, "process", CONFIG)  # of the first, if it still ran
        assert provenance.write(tmp_path, stage, config)["stage"] == stage

    @pytest.mark.parametrize("name", ["started.json", "manifest.json"])
    @pytest.mark.parametrize("content", ["", "{", "[]"])
    def test_damaged(self, tmp_path, name, content):
        (tmp_path / name).write_text(content)
        with pytest.raises(DatasetError, match=name):
            provenance.begin(tmp_path, "process", CONFIG)

    def test_directory_that_is_a_file(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(XaugError, match="file"):
            provenance.begin(tmp_path / "file", "process", CONFIG)


class TestRead:
    def test_not_finished(self, tmp_path):
        provenance.begin(tmp_path, "process", CONFIG)
        with pytest.raises(DatasetError, match=f"not finished. Run `python -m xaug.process ... -o {tmp_path}`"):
            provenance.read(tmp_path, "process")

    def test_no_directory(self, tmp_path):
        with pytest.raises(DatasetError, match=r"nowhere is not a directory"):
            provenance.read(tmp_path / "nowhere", "process")

    def test_other_stage(self, tmp_path):
        provenance.write(tmp_path, "train", CONFIG)
        with pytest.raises(DatasetError, match="was written by stage 'train', expected 'process'"):
            provenance.read(tmp_path, "process")
        assert provenance.read(tmp_path)["stage"] == "train"

    def test_any_stage_missing(self, tmp_path):
        with pytest.raises(DatasetError) as error:
            provenance.read(tmp_path)
        assert "None" not in str(error.value)

    @pytest.mark.parametrize("content", ["", "{", "[]"])
    def test_damaged(self, tmp_path, content):
        (tmp_path / "manifest.json").write_text(content)
        with pytest.raises(DatasetError, match=r"manifest\.json"):
            provenance.read(tmp_path, "process")


def test_content(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/somewhere/xaug/process/__main__.py", "in.root", "-o", "out"])
    written = provenance.write(tmp_path, "process", CONFIG, parts=[1])
    assert list(written) == ["stage", "command", "config", "versions", "commit", "parts", "file_digests", "seal"]
    assert written["command"] == "python -m xaug.process in.root -o out"
    assert written["versions"]["xaug"] == __version__
    assert {"python", "numpy", "uproot", "coffea", "fastjet", "pythia8mc"} <= set(written["versions"])


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["/s/xaug/train.py", "a"], "python -m xaug.train a"),
        (["/s/xaug/__main__.py", "study"], "python -m xaug study"),
        (["/usr/bin/xaug", "study", "zbb"], "xaug study zbb"),
        (["/somewhere/mine.py"], "python mine.py"),
        (["/somewhere/mine/__main__.py", "a"], "python -m mine a"),
        (["/s/xaug/xaug/__main__.py", "study"], "python -m xaug study"),
        (["/s/xaug/process/__main__.py", "my file.root"], "python -m xaug.process 'my file.root'"),
    ],
)
def test_command_line(monkeypatch, arguments, command):
    monkeypatch.setattr("sys.argv", arguments)
    assert provenance.command_line() == command


def test_differences():
    old = {"a": 1, "b": {"c": 2, "d": {"e": [1]}}, "f": None}
    new = {"a": 1, "b": {"c": 3, "d": {"e": [1, 2]}}, "g": 0}
    assert provenance.differences(old, new) == [
        "b.c: 2 -> 3", "b.d.e: [1] -> [1, 2]", "f: None -> (unset)", "g: (unset) -> 0",
    ]  # fmt: skip
    assert provenance.differences(old, old) == []


def test_commit_of_the_code(tmp_path, monkeypatch):
    """None outside of any checkout and where a checkout holds the package by chance; "+" if it was changed."""

    def git(*command):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(["git", "-C", tmp_path, *identity, *command], check=True, capture_output=True, text=True)

    code = tmp_path / "xaug" / "core" / "provenance.py"
    code.parent.mkdir(parents=True)
    code.write_text("")
    monkeypatch.setattr(provenance, "__file__", str(code))
    commit = provenance.commit.__wrapped__
    assert commit() is None
    git("init")
    (tmp_path / "other").write_text("")
    git("add", "other")
    git("commit", "-m", "other")
    assert commit() is None
    git("add", "xaug")
    git("commit", "-m", "code")
    last = git("rev-parse", "--short", "HEAD").stdout.strip()
    assert commit() == last
    code.write_text("changed")
    assert commit() == f"{last}+"
    monkeypatch.setenv("PATH", "")
    assert commit() is None
