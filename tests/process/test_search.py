"""Search of inputs: every way to name files finds them, and what is left out is listed with the reason."""

import gzip
import json
import os
import re
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
import uproot

from xaug.core import provenance
from xaug.core.errors import ConfigurationError, InputFileError
from xaug.data.dataset import Dataset
from xaug.jets.processor import JetProcessor, JetSettings
from xaug.process.changes import Changes
from xaug.process.inputs import inspect
from xaug.process.search import gather, split_tree


def names(inputs, below):
    search = gather(inputs)
    return [os.path.relpath(found.path, below) for found in search.found]


@pytest.fixture
def folder(tmp_path):
    """A folder `data` with a.root and b.root."""
    (tmp_path / "data").mkdir()
    for name in ("a.root", "b.root"):
        (tmp_path / "data" / name).write_bytes(b"root")
    return tmp_path / "data"


class TestDirectories:
    def test_linked_folders_are_followed(self, folder, tmp_path):
        (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
        (tmp_path / "elsewhere" / "deep" / "c.root").touch()
        (folder / "link").symlink_to(tmp_path / "elsewhere")
        assert names([folder], tmp_path) == ["data/a.root", "data/b.root", "elsewhere/deep/c.root"]
        assert gather([folder]).skips == []

    @pytest.mark.parametrize("target", [".", "..", "sub"], ids=["itself", "the folder above", "a sister"])
    def test_loops_end_and_are_listed(self, folder, target):
        (folder / "sub").mkdir()
        (folder / "sub" / "c.root").touch()
        (folder / "sub" / "loop").symlink_to(folder / target if target != ".." else folder)
        search = gather([folder])
        assert [Path(found.path).name for found in search.found] == ["a.root", "b.root", "c.root"]
        (skip,) = search.skips
        assert skip.file == str(folder / "sub" / "loop") and "leads back here" in skip.reason
        assert not skip.lost

    def test_a_folder_reached_twice_counts_once(self, folder, tmp_path):
        (folder / "link").symlink_to(tmp_path / "data2")
        (tmp_path / "data2").mkdir()
        (tmp_path / "data2" / "c.root").touch()
        (folder / "other").symlink_to(tmp_path / "data2")
        (folder / "z.root").symlink_to(folder / "a.root")
        search = gather([folder])
        assert len(search.found) == 3
        assert sorted(Path(skip.file).name for skip in search.skips) == ["other", "z.root"]
        assert all("already" in skip.reason and not skip.lost for skip in search.skips)

    def test_a_folder_and_a_link_to_it_count_once(self, folder, tmp_path):
        """The second of them is told, and nothing fails; a folder below the first is no other case."""
        (tmp_path / "link").symlink_to(folder)
        (folder / "sub").mkdir()
        (folder / "sub" / "c.root").touch()
        search = gather([folder, tmp_path / "link", folder / "sub", folder])
        assert [Path(found.path).name for found in search.found] == ["a.root", "b.root", "c.root"]
        assert [(skip.file, skip.lost) for skip in search.skips] == [
            (str(tmp_path / "link"), False),
            (str(folder / "sub"), False),
            (str(folder), False),
        ]
        assert search.skips[0].reason == f"is a link to {folder}, whose files are taken already"

    def test_folders_that_overlap_count_the_common_files_once(self, folder):
        (folder / "sub").mkdir()
        (folder / "sub" / "c.root").touch()
        search = gather([folder / "sub", folder])
        assert [Path(found.path).name for found in search.found] == ["a.root", "b.root", "c.root"]
        assert [skip.file for skip in search.skips] == [str(folder / "sub" / "c.root")]

    @pytest.mark.parametrize("name", ["x.root.1", "x.root.12", "x.root_2", "x.root-3", "x.ROOT"])
    def test_numbered_names_are_taken(self, folder, name):
        (folder / name).touch()
        assert Path(folder / name).name in [Path(found.path).name for found in gather([folder]).found]

    @pytest.mark.parametrize("name", ["x.root.bak", "x.root.gz", "x.root~", "part.rootfile", "x.root.tmp"])
    def test_names_alike_are_listed(self, folder, name):
        (folder / name).touch()
        (skip,) = gather([folder]).skips
        assert skip.file == str(folder / name) and "its name does not end in " in skip.reason

    def test_root_files_of_other_names_are_listed(self, folder):
        (folder / "events").write_bytes(b"root\0\0\xf6\xe6")
        (folder / "notes.txt").write_text("rooted")
        (skip,) = gather([folder]).skips
        assert skip.file == str(folder / "events")

    def test_what_cannot_be_read_is_one_line(self, folder):
        os.mkfifo(folder / "pipe.root")
        os.mkfifo(folder / "pipe")
        (folder / "self.root").symlink_to("self.root")
        (folder / "gone.root").symlink_to("nowhere")
        with socket.socket(socket.AF_UNIX) as server:
            here = Path.cwd()
            os.chdir(folder)
            server.bind("socket.root")
            os.chdir(here)
            search = gather([folder])
        assert [Path(found.path).name for found in search.found] == ["a.root", "b.root"]
        reasons = {Path(skip.file).name: skip.reason for skip in search.skips}
        assert "a pipe" in reasons["pipe.root"] and "a pipe" in reasons["pipe"]
        assert "a socket" in reasons["socket.root"]
        assert "broken link" in reasons["self.root"] and "broken link to nowhere" in reasons["gone.root"]

    def test_what_xaug_made_of_files_is_not_taken_for_files(self, folder):
        (folder / "jets").mkdir()
        provenance.begin(folder / "jets", "process", {})
        (folder / "jets" / "control.root").write_bytes(b"root")
        provenance.write(folder / "jets", "process", {})
        search = gather([folder])
        assert len(search.found) == 2
        assert "what `xaug.process` wrote" in search.skips[0].reason

    def test_a_recorded_file_that_is_missing_is_found_missing(self, folder):
        provenance.begin(folder, "generate", {})
        os.utime(folder / "a.root")
        os.utime(folder / "b.root")
        provenance.write(folder, "generate", {})
        for pattern in (folder, f"{folder}/*.root", f"{folder}/*"):
            (folder / "b.root").unlink(missing_ok=True)
            found = gather([pattern]).found
            assert [Path(each.path).name for each in found] == ["a.root", "b.root"]
            with pytest.raises(InputFileError, match="it is missing"):
                inspect(found[1], JetProcessor(JetSettings()))


class TestNames:
    @pytest.mark.parametrize("pattern", ["*.root", "?.root", "[ab].root", "**/*.root", "../data/*.root"])
    def test_wildcards(self, folder, pattern, monkeypatch):
        monkeypatch.chdir(folder)
        assert names([pattern], folder) == ["a.root", "b.root"]

    def test_a_name_with_brackets_is_a_name(self, folder):
        (folder / "x[1].root").touch()
        assert names([folder / "x[1].root"], folder) == ["x[1].root"]

    def test_wildcards_without_a_match(self, folder):
        with pytest.raises(ConfigurationError, match=r"c\*\.root matches no file"):
            gather([folder / "c*.root"])
        with pytest.raises(ConfigurationError, match="local files only"):
            gather(["root://server//data/*.root"])

    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            ("a.root:T", ("a.root", "T")),
            ("a.root:dir/T;1", ("a.root", "dir/T;1")),
            ("x.root.1:T", ("x.root.1", "T")),
            ("*.root:T", ("*.root", "T")),
            ("a.root", ("a.root", None)),
            ("list.txt:T", ("list.txt", "T")),
            ("root://host:1094//x/a.root", ("root://host:1094//x/a.root", None)),
            ("root://host:1094//x/a.root:Events", ("root://host:1094//x/a.root", "Events")),
            ("https://host/a.root:d/T", ("https://host/a.root", "d/T")),
            ("no:where", ("no:where", None)),
        ],
    )
    def test_trees(self, text, parts):
        assert split_tree(text) == parts

    def test_a_file_whose_name_has_a_colon(self, folder):
        (folder / "a.root:T").touch()
        assert names([folder / "a.root:T"], folder) == ["a.root:T"]

    def test_lists(self, folder, tmp_path):
        (tmp_path / "more.txt").write_text("data/b.root:Tree\n")
        (tmp_path / "all.txt").write_text("# two files\n\ndata/a*.root\n  more.txt  \n")
        found = gather([tmp_path / "all.txt"]).found
        assert [(Path(each.path).name, each.tree) for each in found] == [("a.root", None), ("b.root", "Tree")]

    def test_lists_that_name_themselves(self, tmp_path):
        (tmp_path / "a.txt").write_text("b.txt")
        (tmp_path / "b.txt").write_text("a.txt")
        with pytest.raises(ConfigurationError, match="names itself"):
            gather([tmp_path / "a.txt"])

    def test_empty_list(self, tmp_path):
        (tmp_path / "a.txt").write_text("# nothing\n")
        with pytest.raises(ConfigurationError, match="names no file"):
            gather([tmp_path / "a.txt"])

    @pytest.mark.parametrize("name", ["f.txt", "f.json", "f.json.gz", "f.root"])
    def test_pipes_are_not_waited_for(self, folder, name, process_command, errors_of):
        os.mkfifo(folder / name)
        result = process_command(folder / name, "-o", folder / "out")
        assert result.exit_code == 1
        (line,) = errors_of(result)
        assert name in line and ("pipe" in line or "not a regular file" in line)


class TestFilesets:
    def test_compressed(self, folder, tmp_path):
        fileset = {"zbb": {"files": ["data/*.root"], "treename": "T", "metadata": {"label": 1}}}
        (tmp_path / "set.json.gz").write_bytes(gzip.compress(json.dumps(fileset).encode()))
        found = gather([tmp_path / "set.json.gz"]).found
        assert [(each.dataset, each.tree, each.metadata) for each in found] == [("zbb", "T", {"label": 1})] * 2

    @pytest.mark.parametrize("damage", [lambda raw: raw[:-9], lambda raw: b"x" + raw, lambda raw: b""])
    def test_damaged(self, tmp_path, damage):
        (tmp_path / "set.json.gz").write_bytes(damage(gzip.compress(b'{"zbb": ["a.root"]}' * 20)))
        with pytest.raises(ConfigurationError, match="cannot be read"):
            gather([tmp_path / "set.json.gz"])

    def test_a_dataset_named_twice(self, tmp_path):
        (tmp_path / "set.json").write_text('{"zbb": ["a.root"], "zbb": ["b.root"]}')
        with pytest.raises(ConfigurationError, match="'zbb' twice"):
            gather([tmp_path / "set.json"])

    def test_steps_are_honoured(self, good_file, tmp_path, process_command):
        """Two halves of a file give together what the whole file gives, and one half less."""
        found = {}
        for name, steps in {"all": None, "halves": [[10, 20], [0, 10]], "half": [[3, 9], [12, 15]]}.items():
            fileset = {"zbb": {"files": {str(good_file): {"object_path": "T", "steps": steps, "num_entries": 20}}}}
            (tmp_path / f"{name}.json").write_text(json.dumps(fileset))
            assert process_command(tmp_path / f"{name}.json", "-o", tmp_path / name).exit_code == 0
            found[name] = Dataset.open(tmp_path / name)
        ids = {name: dataset.load(["event_id"])["event_id"] for name, dataset in found.items()}
        np.testing.assert_array_equal(np.sort(ids["halves"]), np.sort(ids["all"]))
        assert 0 < len(ids["half"]) < len(ids["all"]) and np.isin(ids["half"], ids["all"]).all()
        assert [(part["start"], part["stop"]) for part in found["half"].manifest["parts"]] == [(3, 9), (12, 15)]
        (process,) = found["half"].manifest["processes"].values()
        assert process["events_generated"] < found["all"].manifest["processes"]["zbb"]["events_generated"]

    @pytest.mark.parametrize(
        ("own", "reason"),
        [
            ({"steps": [[0, 21]]}, r"has 20 entries, but the fileset has the step \[0, 21\]"),
            ({"steps": [[0, 5], [4, 9]]}, "overlap"),
            ({"steps": [[5, 5]]}, "must be ranges"),
            ({"steps": [0, 5]}, "must be ranges"),
            ({"steps": []}, "must be ranges"),
            ({"num_entries": 19}, "num_entries 19: the file has changed since"),
        ],
    )
    def test_steps_that_do_not_fit(self, good_file, tmp_path, own, reason, process_command):
        (tmp_path / "set.json").write_text(json.dumps({"zbb": {"files": {str(good_file): own}}}))
        result = process_command(tmp_path / "set.json", "-o", tmp_path / "out")
        assert result.exit_code == 1
        assert re.search(reason, result.stderr)


class TestCommand:
    def test_trees_and_cycles(self, good_file, tmp_path, process_command, jets_of_good, assert_same_jets):
        for i, name in enumerate(("T", "T;1")):
            result = process_command(f"{good_file}:{name}", "-o", tmp_path / str(i))
            assert result.exit_code == 0, result.stderr
            assert_same_jets(tmp_path / str(i), jets_of_good)
        result = process_command(f"{good_file}:T;4", "-o", tmp_path / "none")
        assert result.exit_code == 1 and "no tree 'T;4'" in result.stderr

    def test_tree_in_a_directory_of_the_file(self, good_file, tmp_path, process_command):
        with uproot.open(good_file) as old, uproot.recreate(tmp_path / "deep.root") as new:
            arrays = {name: old["T"][name].array() for name in old["T"].keys() if not name.startswith("n")}  # noqa: SIM118
            new.mktree("d/T", {name: array.type for name, array in arrays.items()})
            new["d/T"].extend(arrays)
        fileset = {"zbb": {"files": [f"{tmp_path}/deep.root:d/T"], "metadata": {"label": 0, "process": "zbb"}}}
        (tmp_path / "set.json").write_text(json.dumps(fileset))
        result = process_command(tmp_path / "set.json", "-o", tmp_path / "out")
        assert result.exit_code == 0, result.stderr

    def test_exit_code_says_that_something_was_left_out(self, good_file, tmp_path, process_command):
        (tmp_path / "files").mkdir()
        shutil.copy(good_file, tmp_path / "files" / "good.root.1")
        os.mkfifo(tmp_path / "files" / "pipe.root")
        result = process_command(tmp_path / "files", "-o", tmp_path / "out")
        assert result.exit_code == 3 and "skipped" in result.stdout and "pipe.root: is a pipe" in result.stdout
        assert process_command(tmp_path / "files", "--allow-skips", "-o", tmp_path / "out").exit_code == 0
        result = process_command(tmp_path / "files", "--strict", "-o", tmp_path / "strict")
        assert result.exit_code == 1 and "pipe.root: is a pipe" in result.stderr


class TestChanges:
    def test_a_file_that_changes_is_told(self, good_file):
        changes = Changes()
        changes.note(str(good_file))
        changes.noted(str(good_file), inspect(gather([good_file]).found[0], JetProcessor(JetSettings())).digest)
        assert changes.of(str(good_file)) is None
        os.utime(good_file, (1, 1))
        assert changes.of(str(good_file)) is None  # the same bytes
        with open(good_file, "ab") as file:
            file.write(b"\0")
        assert "changed while it was processed" in changes.of(str(good_file))

    def test_nothing_is_kept_of_it(self, good_file, make_file, tmp_path, process_command, monkeypatch):
        from xaug.process import executors

        def mirrored(branches):
            branches.update({name: -branches[name] for name in ("constituent_phi", "gen_phi")})

        other = make_file(tmp_path / "other.root", mirrored)
        run = executors.run

        def meanwhile(*args):
            outcome = run(*args)
            with open(good_file, "ab") as file:
                file.write(b"more")
            return outcome

        monkeypatch.setattr(executors, "run", meanwhile)
        command = (good_file, other, "--executor", "iterative", "-o", tmp_path / "out")
        result = process_command(*command)
        assert result.exit_code == 1
        assert f"{good_file}: changed while it was processed" in result.stderr
        assert not (tmp_path / "out" / "manifest.json").exists()
        (kept,) = (tmp_path / "out").glob("*.h5")
        written = kept.stat().st_mtime_ns
        monkeypatch.setattr(executors, "run", run)
        assert process_command(*command).exit_code == 0
        assert kept.stat().st_mtime_ns == written
