"""The stage as a whole: its dataset and manifest; killed, interrupted and resumed; on a full disk."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
import uproot

from xaug.core.errors import ConfigurationError, DatasetError, XaugError
from xaug.data.dataset import Dataset
from xaug.jets.processor import JetSettings
from xaug.jets.selection import Selection
from xaug.process import stage
from xaug.process.stage import process

CUTS = ["events", "jet with pT", "|eta|", "soft-drop mass window", "two subjets"]


def finished(directory: Path) -> list[Path]:
    """The parts that are written, without those that are being written."""
    return sorted(path for path in directory.glob("*.h5") if not path.name.startswith("."))


def modified(directory: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in directory.iterdir()}


@pytest.fixture
def copy(zbb_dataset, tmp_path):
    """A copy of the dataset that a test may change."""
    return Path(shutil.copytree(zbb_dataset, tmp_path / "copy"))


@pytest.fixture
def start(zbb_files):
    """Starts `python -m xaug.process` and waits until it has written some parts; ends what is left of it."""
    started = []

    def start(output: Path, *options, parts: int) -> subprocess.Popen:
        command = [sys.executable, "-m", "xaug.process", str(zbb_files), "-o", str(output), *map(str, options)]
        run = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        started.append(run)
        end = time.monotonic() + 60
        while len(finished(output)) < parts:
            assert run.poll() is None and time.monotonic() < end, run.communicate()
            time.sleep(0.005)
        return run

    yield start
    for run in started:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)  # with all that it started
        run.communicate()


@pytest.fixture(scope="module")
def manifest(zbb_dataset):
    return json.loads((zbb_dataset / "manifest.json").read_text())


class TestDataset:
    def test_parts_cover_every_entry_once_and_in_order(self, manifest, zbb_files):
        expected = []
        for path in sorted(zbb_files.glob("*.root")):
            with uproot.open(path) as file:
                entries = file["T"].num_entries
            expected += [(str(path), start, min(start + 100, entries)) for start in range(0, entries, 100)]
        assert [(part["file"], part["start"], part["stop"]) for part in manifest["parts"]] == expected

    def test_nothing_else_is_in_the_directory(self, manifest, zbb_dataset):
        parts = {part["part"] for part in manifest["parts"]}
        assert {path.name for path in zbb_dataset.iterdir()} == {
            "manifest.json", "started.json", "control.root", *parts,
        }  # fmt: skip

    def test_cut_flow(self, manifest, zbb_files, zbb_dataset):
        labels = Dataset.open(zbb_dataset).load(["process"])["process"]
        for name, flow in manifest["cut_flow"].items():
            assert list(flow) == [*CUTS, *(["b quarks matched"] if name == "zbb" else [])]
            counts = list(flow.values())
            assert counts == sorted(counts, reverse=True)
            with uproot.open(zbb_files / f"zbb_{name}_00000.root") as file:
                assert flow["events"] == file["T"].num_entries
                leading = file["T/jet_pt"].array()[:, 0]
            assert flow["jet with pT"] == np.sum(leading > 200)
            assert list(flow.values())[-1] == manifest["jets"][name] == np.sum(labels == name)
        assert manifest["cut_flow"]["zbb"]["two subjets"] > manifest["cut_flow"]["zbb"]["b quarks matched"]

    def test_inputs_and_settings(self, manifest, zbb_files, read_root_file):
        for entry in manifest["inputs"]:
            _, metadata = read_root_file(entry["path"])
            assert {key: entry[key] for key in ("process", "label", "xsec", "identity")} == {
                key: metadata[key] for key in ("process", "label", "xsec", "identity")
            }
        assert manifest["skips"] == []
        selection = {"radius": 0.8, "pt_min": 200, "eta_max": 2.4, "mass_min": 50, "mass_max": 150, "z_cut": 0.1}
        assert manifest["config"]["selection"] == {**selection, "jets_per_event": 1}
        assert manifest["config"]["split_fractions"] == [0.6, 0.2, 0.2]

    @pytest.mark.parametrize(("name", "bins"), [("pt", (0, 1000, 50)), ("eta", (-2.4, 2.4, 48))])
    def test_control_histograms(self, zbb_dataset, name, bins):
        dataset = Dataset.open(zbb_dataset)
        arrays = dataset.load(["xaug", "process"])
        values = arrays["xaug"][:, dataset.names("xaug").index(name)]
        bins = np.linspace(bins[0], bins[1], bins[2] + 1)
        with uproot.open(zbb_dataset / "control.root") as file:
            for process_name in ("qcd", "zbb"):
                counts, edges = file[f"{process_name}_{name}"].to_numpy()
                expected, _ = np.histogram(values[arrays["process"] == process_name], bins)
                np.testing.assert_allclose(edges, bins, atol=1e-12)
                np.testing.assert_array_equal(counts, expected)
                assert counts.sum() > 100

    def test_selection_is_that_of_the_paper(self, zbb_dataset):
        dataset = Dataset.open(zbb_dataset)
        xaug = dict(zip(dataset.names("xaug"), dataset.load(["xaug"])["xaug"].T, strict=True))
        assert xaug["pt"].min() > 200 and np.abs(xaug["eta"]).max() < 2.4
        assert xaug["softdrop_mass"].min() > 50 and xaug["softdrop_mass"].max() < 150

    def test_settings_are_used(self, zbb_files, tmp_path):
        settings = JetSettings(selection=Selection(pt_min=600.0), split_seed=5, split_fractions=(0.5, 0.0, 0.5))
        process([zbb_files], tmp_path / "out", settings, executor="iterative")
        dataset = Dataset.open(tmp_path / "out")
        pt = dataset.load(["xaug"])["xaug"][:, 0]
        assert 0 < len(pt) < 250 and pt.min() > 600
        assert dataset.size("validation") == 0 < dataset.size("test")


class TestAgain:
    def test_finds_all_done(self, copy, zbb_files, monkeypatch):
        monkeypatch.setattr(stage.executors, "run", lambda *_: pytest.fail("it processed again"))
        before = modified(copy)
        manifest = json.loads((copy / "manifest.json").read_text())
        assert process([zbb_files], copy, executor="iterative", chunksize=100) == manifest
        assert modified(copy) == before

    def test_by_another_executor_finds_all_done(self, copy, zbb_files):
        before = modified(copy)
        process([zbb_files], copy, executor="futures", workers=2, chunksize=100)
        assert modified(copy) == before

    @pytest.mark.parametrize("whole", [True, False])
    @pytest.mark.parametrize(
        ("options", "named"),
        [
            (["--set", "pt_min=300"], "selection.pt_min: 200.0 -> 300.0"),
            (["--set", "jets_per_event=2"], "selection.jets_per_event: 1 -> 2"),
            (["--split-seed", 1], "split_seed: 0 -> 1"),
            (["--split", "0.8,0.1,0.1"], "split_fractions: [0.6, 0.2, 0.2] -> [0.8, 0.1, 0.1]"),
            (["--chunksize", 50], "chunksize: 100 -> 50"),
        ],
    )
    def test_other_settings_are_refused(self, copy, zbb_files, process_command, options, named, whole):
        if not whole:
            (copy / "manifest.json").unlink()
        before = modified(copy)
        result = process_command(zbb_files, "-o", copy, "--chunksize", 100, *options)
        assert result.exit_code == 1
        message = result.stderr.splitlines()[-1]
        assert f"was made with other settings ({named})" in message and "Choose another -o" in message
        assert modified(copy) == before

    def test_other_input_is_refused(self, copy, zbb_files):
        with pytest.raises(ConfigurationError, match=r"inputs\..*zbb_qcd_00000\.root: [0-9a-f]+ -> \(unset\)"):
            process([zbb_files / "zbb_zbb_00000.root"], copy, executor="iterative", chunksize=100)

    def test_changed_input_is_refused(self, zbb_files, signal_events, write_root_file, tmp_path):
        """Another file under the name of the old one."""
        path = tmp_path / "a.root"
        shutil.copy(zbb_files / "zbb_zbb_00000.root", path)
        process([path], tmp_path / "out", executor="iterative")
        write_root_file(path, *signal_events)
        with pytest.raises(ConfigurationError, match=r"inputs\..*a\.root: [0-9a-f]+ -> [0-9a-f]+"):
            process([path], tmp_path / "out", executor="iterative")

    def test_output_of_another_stage_is_refused(self, zbb_files, tmp_path):
        copy = shutil.copytree(zbb_files, tmp_path / "files")
        with pytest.raises(ConfigurationError, match="holds results of stage 'generate'"):
            process([zbb_files], copy, executor="iterative")

    def test_moved_with_its_files_is_the_same(self, zbb_dataset, zbb_files, tmp_path):
        """To another disk: all done there, and with a part lost, only that is made again."""
        files = shutil.copytree(zbb_files, tmp_path / "elsewhere" / "files")
        moved = Path(shutil.copytree(zbb_dataset, tmp_path / "elsewhere" / "jets"))
        before = modified(moved)
        assert process([files], moved, executor="iterative", chunksize=100)["digest"] == Dataset.open(moved).digest
        assert modified(moved) == before
        (moved / "manifest.json").unlink()
        sorted(moved.glob("*.h5"))[2].unlink()
        again = process([files], moved, executor="iterative", chunksize=100)
        assert again["digest"] == Dataset.open(zbb_dataset).digest
        assert again["processes"] == Dataset.open(zbb_dataset).manifest["processes"]
        assert {part["file"] for part in again["parts"]} == {str(path) for path in files.glob("*.root")}
        found, expected = Dataset.open(moved).load(), Dataset.open(zbb_dataset).load()
        assert found.keys() == expected.keys()
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name], values)

    def test_dry_run_counts_what_is_done(self, copy, zbb_files, process_command):
        (copy / "manifest.json").unlink()
        next(copy.glob("*.h5")).unlink()
        parts = len(list(copy.glob("*.h5"))) + 1
        before = modified(copy)
        result = process_command(zbb_files, "-o", copy, "--chunksize", 100, "--dry-run")
        assert result.exit_code == 0
        assert f"{parts} chunks ({parts - 1} already done)" in result.stdout
        assert modified(copy) == before


class TestResume:
    def test_after_a_kill_equals_an_unbroken_run(self, start, zbb_files, tmp_path, assert_same_dataset):
        output = tmp_path / "killed"
        options = ["--executor", "iterative", "--chunksize", "40"]
        run = start(output, *options, parts=3)
        run.kill()
        run.wait()
        assert not (output / "manifest.json").exists(), "it was too fast for this test"
        kept = {path.name: path.stat().st_mtime_ns for path in finished(output)}
        assert len(kept) >= 3
        with pytest.raises(DatasetError, match=r"not finished\. Run `python -m xaug\.process"):
            Dataset.open(output)
        process([zbb_files], output, executor="iterative", chunksize=40)
        process([zbb_files], tmp_path / "unbroken", executor="iterative", chunksize=40)
        assert_same_dataset(output, tmp_path / "unbroken")
        assert {name: modified(output)[name] for name in kept} == kept  # nothing is computed twice

    def test_with_half_a_part_equals_an_unbroken_run(self, copy, zbb_dataset, zbb_files, assert_same_dataset):
        """A kill in the middle of writing leaves a temporary file."""
        part = sorted(copy.glob("*.h5"))[2]
        (copy / f".part-killed{part.suffix}").write_bytes(part.read_bytes()[:3000])
        part.unlink()
        (copy / "manifest.json").unlink()
        process([zbb_files], copy, executor="iterative", chunksize=100)
        assert_same_dataset(copy, zbb_dataset)

    def test_part_that_was_cut_is_not_taken_for_whole(self, copy, zbb_dataset, zbb_files, assert_same_dataset):
        """A disk or a copy failed: its remedy, deleting the part, works."""
        part = sorted(copy.glob("*.h5"))[2]
        part.write_bytes(part.read_bytes()[:3000])
        (copy / "manifest.json").unlink()
        with pytest.raises(DatasetError, match=rf"{part.name}: damaged part .*Delete it and run"):
            process([zbb_files], copy, executor="iterative", chunksize=100)
        assert not (copy / "manifest.json").exists()
        part.unlink()
        process([zbb_files], copy, executor="iterative", chunksize=100)
        assert_same_dataset(copy, zbb_dataset)

    @pytest.mark.parametrize("executor", ["futures", "dask"])
    def test_a_kill_leaves_no_processes(self, start, executor, tmp_path):
        run = start(tmp_path / "out", "--executor", executor, "--workers", 2, "--chunksize", 10, parts=2)
        children = psutil.Process(run.pid).children(recursive=True)
        assert len(children) >= 2
        run.kill()
        run.wait()
        _, alive = psutil.wait_procs(children, timeout=8)
        alive = [child for child in alive if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
        for child in alive:
            child.kill()
        assert not alive

    @pytest.mark.parametrize("executor", ["iterative", "futures", "dask"])
    def test_interrupted_by_the_user(self, start, executor, tmp_path):
        """Ctrl-C ends the run at once, not after all the chunks that wait, and says how to go on."""
        output = tmp_path / "out"
        run = start(output, "--executor", executor, "--workers", 2, "--chunksize", 10, parts=2)
        before = len(finished(output))
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does
        try:
            _, stderr = run.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            pytest.fail("it did not end")
        assert run.returncode == 130
        assert "interrupted; finished parts are kept, run the same command again to go on" in stderr
        assert len(finished(output)) - before < 20  # of about 100
        if executor != "dask":  # whose processes here get the signal of the terminal, too, and log it
            assert "Traceback" not in stderr
        assert not (output / "manifest.json").exists()


class TestTrouble:
    def test_full_disk(
        self, small_disk, zbb_files, zbb_dataset, python, read_parts, assert_same_parts, assert_same_dataset
    ):
        """In a process of its own, since HDF5 may crash: one line, no half-written part; then it goes on."""
        output = small_disk("200k") / "out"
        command = ["-m", "xaug.process", zbb_files, "-o", output, "--executor", "iterative", "--chunksize", 100]
        done = python(*command)
        assert done.returncode == 1, done.stderr[-500:]
        assert "Traceback" not in done.stderr
        assert done.stderr.splitlines()[-1].startswith("error: ")
        assert "the disk is full. Free some space" in done.stderr.splitlines()[-1]
        assert not [path.name for path in output.iterdir() if path.name.startswith(".")]
        assert not (output / "manifest.json").exists()
        expected, found = read_parts(zbb_dataset), read_parts(output)
        assert 0 < len(found) < len(expected)
        assert_same_parts(found, {name: expected[name] for name in found})
        small_disk("20m")
        assert python(*command).returncode == 0
        assert_same_dataset(output, zbb_dataset)

    def test_full_disk_is_a_storage_error(self, zbb_files, tmp_path, monkeypatch):
        """What a part's writing raises reaches the caller as the error it is."""

        def no_space(*arguments):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("xaug.core.files.os.replace", no_space)
        with pytest.raises(XaugError, match="the disk is full") as error:
            process([zbb_files], tmp_path / "out", executor="iterative")
        assert type(error.value).__name__ == "StorageError"

    @pytest.mark.parametrize("where", ["file", "file/below"])
    def test_output_cannot_be_a_directory(self, where, zbb_files, tmp_path, process_command):
        (tmp_path / "file").write_text("precious")
        result = process_command(zbb_files, "-o", tmp_path / where)
        assert result.exit_code == 1
        assert result.stderr.splitlines()[-1].startswith("error: ")
        assert str(tmp_path / "file") in result.stderr.splitlines()[-1]
        assert (tmp_path / "file").read_text() == "precious"

    @pytest.mark.parametrize("executor", ["iterative", "futures"])
    def test_file_that_vanishes(self, executor, zbb_files, tmp_path, monkeypatch, process_command):
        """Between the check and its turn: the others are still processed, and it is listed."""
        files = shutil.copytree(zbb_files, tmp_path / "files")
        inspect_all = stage.inspect_all

        def inspect_and_lose(*arguments):
            found = inspect_all(*arguments)
            (files / "zbb_qcd_00000.root").unlink()
            return found

        monkeypatch.setattr(stage, "inspect_all", inspect_and_lose)
        result = process_command(files, "-o", tmp_path / "out", "--executor", executor)
        assert result.exit_code == 3, result.stderr
        (skip,) = json.loads((tmp_path / "out" / "manifest.json").read_text())["skips"]
        assert skip["file"] == str(files / "zbb_qcd_00000.root")
        assert len(Dataset.open(tmp_path / "out")) == 150

    def test_bug_is_no_skip(self, zbb_files, tmp_path, monkeypatch):
        """An error of ours must not look like a bad file."""

        def bug(*arguments, **options):
            raise ValueError("a bug")

        monkeypatch.setattr("xaug.jets.processor.select_and_follow", bug)
        with pytest.raises(Exception, match="a bug"):
            process([zbb_files], tmp_path / "out", executor="iterative")
        assert not (tmp_path / "out" / "manifest.json").exists()

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--set", "ptmin=3"], "unknown selection setting 'ptmin'; did you mean 'pt_min'?"),
            (["--set", "pt_min"], "'pt_min' is not NAME=VALUE"),
            (["--set", "pt_min=high"], "selection pt_min = 'high': must be a number"),
            (["--set", "pt_min=nan"], "selection pt_min = nan: must be a number >= 0"),
            (["--set", "jets_per_event=-1"], "selection jets_per_event = -1: must be"),
            (["--set", "mass_min=200"], "selection mass window (200.0, 150.0) is empty"),
            (["--split", "0.5,0.5"], "split fractions (0.5, 0.5): must be three numbers >= 0"),
            (["--split", "half,half,0"], "--split 'half,half,0': must be three numbers"),
            (["--split", "nan,0.5,0.5"], "split fractions (nan, 0.5, 0.5): must be three numbers >= 0"),
            (["--strict", "--allow-skips"], "--strict and --allow-skips exclude each other"),
            (["--scheduler", "tcp://localhost:1"], "--scheduler goes with --executor dask, not iterative"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else "",
    )
    def test_wrong_settings(self, options, message, zbb_files, tmp_path, process_command):
        result = process_command(zbb_files, "-o", tmp_path / "out", *options)
        assert result.exit_code == 1
        assert result.stderr.splitlines()[-1].startswith(f"error: {message}")
        assert not (tmp_path / "out" / "manifest.json").exists()

    def test_no_jet_passes(self, zbb_files, tmp_path, process_command):
        result = process_command(zbb_files, "-o", tmp_path / "out", "--set", "mass_min=149.999")
        assert result.exit_code == 1
        assert "no jet of 2 files passes the selection" in result.stderr.splitlines()[-1]
        assert not (tmp_path / "out" / "manifest.json").exists()


def test_summary_of_the_command(zbb_files, tmp_path, process_command):
    result = process_command(zbb_files, "-o", tmp_path / "out")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    (warning,) = [line for line in lines if line.startswith("warning: ")]
    assert warning.startswith("warning: qcd loses ") and "to the cut 'soft-drop mass window'" in warning
    flows = [line for line in lines if line != warning]
    assert flows[0].startswith("qcd: events ") and flows[0].endswith("two subjets 150")
    assert flows[1].startswith("zbb: events ") and flows[1].endswith("b quarks matched 150")
    assert flows[2].startswith(f"wrote {tmp_path / 'out'}")
