"""Input files: which are found, what a fileset says of them, and what is known of each before it is processed."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from xaug.core.errors import ConfigurationError, InputFileError
from xaug.data.dataset import Dataset
from xaug.jets.processor import JetProcessor, JetSettings
from xaug.process.inputs import inspect
from xaug.process.search import Candidate, gather

JETS = JetProcessor(JetSettings())


class TestGather:
    def test_directory(self, tmp_path):
        for name in ("b.root", "a.root", ".part-x.root", "deeper/c.root", "notes.txt", "manifest.json"):
            (tmp_path / "files" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "files" / name).touch()
        found = gather([tmp_path / "files"]).found
        assert [Path(c.path).relative_to(tmp_path / "files").as_posix() for c in found] == [
            "a.root", "b.root", "deeper/c.root",
        ]  # fmt: skip
        assert {(c.dataset, c.tree, str(c.metadata)) for c in found} == {("files", None, "{}")}

    def test_order_is_that_of_paths(self, tmp_path):
        paths = [tmp_path / name for name in ("c.root", "a.root", "b.root")]
        assert [c.path for c in gather(paths).found] == [str(path) for path in sorted(paths)]

    @pytest.mark.parametrize("directory", ["empty", "empty.root"])
    def test_empty_directory(self, tmp_path, directory):
        (tmp_path / directory).mkdir()
        with pytest.raises(ConfigurationError, match=rf"{directory} holds no \.root file"):
            gather([tmp_path / directory])

    def test_twice(self, tmp_path, monkeypatch):
        (tmp_path / "a.root").touch()
        (tmp_path / "link.root").symlink_to(tmp_path / "a.root")
        (tmp_path / "set.json").write_text('{"zbb": ["a.root"]}')
        monkeypatch.chdir(tmp_path)
        for second in ("a.root", "./a.root", tmp_path, "link.root", "set.json"):
            with pytest.raises(ConfigurationError, match=r"a\.root is given twice"):
                gather([tmp_path / "a.root", second])

    def test_twice_by_command(self, good_file, tmp_path, process_command, errors_of):
        result = process_command(good_file, good_file, "-o", tmp_path / "out")
        assert result.exit_code == 1
        assert errors_of(result) == [f"error: {good_file} is given twice: its jets would count twice"]
        assert not (tmp_path / "out").exists()


class TestFileset:
    @pytest.fixture
    def write(self, tmp_path):
        def write(content) -> Path:
            path = tmp_path / "set.json"
            path.write_text(content if isinstance(content, str) else json.dumps(content))
            return path

        return write

    @pytest.mark.parametrize("content", ["", "{", '{"zbb": ["a.root"', "files: a.root", "\x00"])
    def test_no_json(self, write, tmp_path, content, process_command, errors_of):
        result = process_command(write(content), "-o", tmp_path / "out")
        assert result.exit_code == 1
        (line,) = errors_of(result)
        assert line.startswith(f"error: fileset {tmp_path / 'set.json'} cannot be read: ")
        assert not (tmp_path / "out").exists()

    def test_missing(self, tmp_path, process_command, errors_of):
        result = process_command(tmp_path / "no.json", "-o", tmp_path / "out")
        assert result.exit_code == 1
        (line,) = errors_of(result)
        assert f"fileset {tmp_path / 'no.json'} cannot be read" in line and "No such file" in line

    @pytest.mark.parametrize(
        "content",
        [
            {},
            [],
            ["good.root"],
            "good.root",
            None,
            3,
            {"zbb": []},
            {"zbb": {}},
            {"zbb": {"files": []}},
            {"zbb": {"metadata": {"label": 1}}},
            {"zbb": 3},
            {"zbb": {"files": 3}},
            {"zbb": "good.root"},
            {"zbb": {"files": "good.root"}},
            {"zbb": {"files": [3]}},
            {"zbb": {"files": ["good.root"], "metadata": ["label", 1]}},
            {"zbb": {"files": ["good.root"], "metadata": "zbb"}},
            {"zbb": {"files": ["good.root"], "metadata": {"xsec": "large"}}},
        ],
        ids=json.dumps,
    )
    def test_wrong_content(self, write, good_file, tmp_path, content, process_command, errors_of):
        """The fileset is at fault and named, not a file that is none, and no file called damaged."""
        result = process_command(write(json.dumps(content)), "-o", tmp_path / "out")
        assert result.exit_code == 1, result.stdout
        (line,) = errors_of(result)
        assert "set.json" in line
        assert "damaged" not in line
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            ({"file": ["good.root"], "metadata": {}}, "'file'; did you mean 'files'"),
            ({"files": ["good.root"], "metdata": {"label": 1}}, "'metdata'; did you mean 'metadata'"),
            ({"files": ["good.root"], "metadata": {"lable": 1}}, "'lable'; did you mean 'label'"),
            ({"files": ["good.root"], "tree_name": "T"}, "'tree_name'; did you mean 'treename'"),
            ({"files": {"good.root": {"step": [[0, 2]]}}}, "'step'; did you mean 'steps'"),
        ],
    )
    def test_misspelt_keys(self, write, good_file, tmp_path, content, words, process_command, errors_of):
        """A key that would be passed over is refused; metadata of the user's own are not."""
        result = process_command(write({"zbb": content}), "-o", tmp_path / "out")
        assert result.exit_code == 1 and words in errors_of(result)[0]

    def test_other_metadata_are_the_users_own(self, write, good_file, tmp_path, process_command):
        content = {"files": ["good.root"], "metadata": {"year": 2018, "label": 1, "labels": "a"}, "form": None}
        assert process_command(write({"zbb": content}), "-o", tmp_path / "out").exit_code == 0

    @pytest.mark.parametrize(
        "content",
        [
            {"zbb": ["good.root"]},
            {"zbb": {"files": ["good.root"]}},
            {"zbb": {"files": {"good.root": "T"}}},
            {"zbb": {"files": {"good.root": None}, "treename": "T", "metadata": None}},
            {"zbb": {"files": {"good.root": {"object_path": "T"}}}},
        ],
        ids=json.dumps,
    )
    def test_forms_that_coffea_knows(
        self, write, good_file, tmp_path, content, process_command, jets_of_good, assert_same_jets
    ):
        """Paths are relative to the fileset, wherever the command runs."""
        result = process_command(write(content), "-o", tmp_path / "out")
        assert result.exit_code == 0, result.stderr
        assert_same_jets(tmp_path / "out", jets_of_good)

    def test_other_tree(self, make_file, write, tmp_path, process_command, jets_of_good, assert_same_jets):
        make_file(tmp_path / "good.root", tree="Events")
        fileset = write({"zbb": {"files": ["good.root"], "treename": "Events"}})
        assert process_command(fileset, "-o", tmp_path / "out").exit_code == 0
        assert_same_jets(tmp_path / "out", jets_of_good)

    def test_metadata_is_stronger_than_the_file(self, write, good_file, tmp_path, process_command, jets_of_good):
        """Say that the signal is background: no b quarks are asked for, so that there are at least as many jets."""
        metadata = {"label": 0, "process": "ZZ", "xsec": 2.5}
        fileset = write({"any": {"files": ["good.root"], "metadata": metadata}})
        assert process_command(fileset, "-o", tmp_path / "out").exit_code == 0
        dataset = Dataset.open(tmp_path / "out")
        found = dataset.load(["label", "process", "event_id"])
        assert set(found["label"]) == {0} and set(found["process"]) == {"ZZ"}
        assert np.isin(jets_of_good["event_id"], found["event_id"]).all()
        (file,) = dataset.manifest["inputs"]
        assert (file["label"], file["process"], file["xsec"], file["dataset"]) == (0, "ZZ", 2.5, "any")

    def test_metadata_for_files_that_have_none(self, make_file, write, tmp_path, process_command, jets_of_good):
        """As for the files of the paper's own generator."""
        make_file(tmp_path / "foreign.root", metadata=None)
        metadata = {"label": 1, "process": "zbb"}
        fileset = write({"signal": {"files": ["foreign.root"], "metadata": metadata}})
        assert process_command(fileset, "-o", tmp_path / "out").exit_code == 0
        found = Dataset.open(tmp_path / "out").load(["xaug", "label"])
        np.testing.assert_array_equal(found["xaug"], jets_of_good["xaug"])
        assert set(found["label"]) == {1}

    def test_label_2_in_metadata(self, write, good_file, tmp_path, process_command, errors_of):
        result = process_command(write({"a": {"files": ["good.root"], "metadata": {"label": 2}}}), "-o", tmp_path / "o")
        assert result.exit_code == 1
        assert f"{good_file} has label 2; must be 1 (signal) or 0" in errors_of(result)[0]


class TestInspect:
    def test_says_what_the_file_is(self, good_file, signal_events):
        metadata = signal_events[1]
        found = inspect(Candidate("any", str(good_file), "T", {}), JETS)
        assert found.digest == hashlib.blake2b(good_file.read_bytes(), digest_size=16).hexdigest()
        assert found.identity == metadata["identity"]
        assert (found.entries, found.label, found.process, found.tree, found.dataset) == (20, 1, "zbb", "T", "any")
        assert found.xsec == metadata["xsec"]
        assert found.format == "xaug_tree"

    def test_identity_of_foreign_files_is_their_digest(self, make_file, tmp_path):
        make_file(tmp_path / "foreign.root", metadata=None)
        found = inspect(Candidate("any", str(tmp_path / "foreign.root"), "T", {"label": 0, "process": "qcd"}), JETS)
        assert found.identity == found.digest
        assert found.xsec is None

    def test_background_needs_no_partons(self, make_file, tmp_path):
        path = make_file(tmp_path / "bkg.root", lambda branches: branches.pop("gen_status"))
        assert inspect(Candidate("any", str(path), "T", {"label": 0}), JETS).entries == 20
        with pytest.raises(InputFileError, match="no branch 'gen_status'"):
            inspect(Candidate("any", str(path), "T", {"label": 1}), JETS)
