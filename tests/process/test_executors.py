"""The same dataset, bit by bit, whoever computes it."""

import json
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from xaug.core.errors import ConfigurationError
from xaug.data.dataset import Dataset
from xaug.data.splits import SPLITS
from xaug.process.stage import process

CHUNKSIZE = 100  # as of zbb_dataset, which the iterative executor made


@pytest.fixture(scope="module", autouse=True)
def refused(zbb_files, tmp_path_factory):
    """A run with the address of no scheduler, started first since it waits for an answer: result and seconds."""
    output = tmp_path_factory.mktemp("refused") / "out"
    command = [sys.executable, "-m", "xaug.process", str(zbb_files), "-o", str(output)]
    command += ["--executor", "dask", "--scheduler", "tcp://127.0.0.1:9"]
    start = time.monotonic()
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ended = []
    watch = threading.Thread(target=lambda: (run.wait(), ended.append(time.monotonic())), daemon=True)
    watch.start()  # so that the time is that of the run, however long the other tests take

    def finish():
        stdout, stderr = run.communicate(timeout=60)
        watch.join()
        return run.returncode, stdout, stderr, ended[0] - start, output

    yield finish
    if run.poll() is None:
        run.kill()
        run.communicate()


class TestSameDataset:
    @pytest.mark.parametrize("workers", [1, 3])
    def test_futures(self, zbb_files, zbb_dataset, tmp_path, assert_same_dataset, workers):
        process([zbb_files], tmp_path / "out", executor="futures", workers=workers, chunksize=CHUNKSIZE)
        assert_same_dataset(tmp_path / "out", zbb_dataset)

    def test_dask_on_this_machine(self, zbb_files, zbb_dataset, tmp_path, assert_same_dataset, python):
        out = tmp_path / "out"
        options = ["--executor", "dask", "--workers", 2, "--chunksize", CHUNKSIZE, "--json"]
        done = python("-m", "xaug.process", zbb_files, "-o", out, *options)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["jets"] == {"qcd": 150, "zbb": 150}  # and nothing else
        assert "Traceback" not in done.stderr
        assert_same_dataset(out, zbb_dataset)

    def test_dask_elsewhere(self, scheduler, zbb_files, zbb_dataset, tmp_path, assert_same_dataset, python):
        out = tmp_path / "out"
        options = ["--executor", "dask", "--scheduler", scheduler, "--chunksize", CHUNKSIZE, "--json"]
        done = python("-m", "xaug.process", zbb_files, "-o", out, *options)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["output"] == str(out)
        assert_same_dataset(out, zbb_dataset)

    def test_dask_from_python_and_half_done(self, scheduler, zbb_files, zbb_dataset, tmp_path, assert_same_dataset):
        """Another executor goes on where one stopped."""
        out = tmp_path / "out"
        process([zbb_files], out, executor="iterative", chunksize=CHUNKSIZE)
        (out / "manifest.json").unlink()
        for part in sorted(out.glob("*.h5"))[::2]:
            part.unlink()
        process([zbb_files], out, executor="dask", scheduler=scheduler, chunksize=CHUNKSIZE)
        assert_same_dataset(out, zbb_dataset)

    @pytest.mark.parametrize("executor", ["iterative", "futures", "dask"])
    def test_bad_files_too(self, executor, scheduler, signal_events, write_root_file, tmp_path):
        """Skips come back in the same order, with the same words."""
        branches, metadata = signal_events
        files = tmp_path / "files"
        files.mkdir()
        for name in ("d", "a", "c"):
            bad = dict(branches)
            if name != "c":
                bad["constituent_pt"] = -bad["constituent_pt"]
            write_root_file(files / f"{name}.root", bad, {**metadata, "identity": name})
        (files / "b.root").write_bytes(b"")
        manifest = process(
            [files], tmp_path / "out", executor=executor, workers=2, chunksize=7,
            scheduler=scheduler if executor == "dask" else None,
        )  # fmt: skip
        first = -float(branches["constituent_pt"][0, 0]), -float(branches["constituent_pt"][7, 0])
        assert [Path(skip["file"]).name for skip in manifest["skips"]] == ["b.root", *["a.root"] * 3, *["d.root"] * 3]
        reasons = [skip["reason"] for skip in manifest["skips"]]
        assert reasons[1:4] == reasons[4:]
        for reason, entry in zip(reasons[1:4], (0, 7, 14), strict=True):
            assert re.search(rf"constituent_pt is -[0-9.]+ in entry {entry};", reason)
        assert f"{first[0]:.4g}"[:5] in reasons[1]

    @pytest.mark.parametrize("chunksize", [37, 10_000])
    def test_chunksize_changes_no_array(self, zbb_files, zbb_dataset, tmp_path, chunksize):
        process([zbb_files], tmp_path / "out", executor="iterative", chunksize=chunksize)
        one, two = Dataset.open(tmp_path / "out"), Dataset.open(zbb_dataset)
        assert len(one.parts) != len(two.parts)
        for split in (None, *SPLITS):
            found, expected = one.load(split=split), two.load(split=split)
            assert list(found) == list(expected)
            for name in expected:
                np.testing.assert_array_equal(found[name], expected[name], err_msg=f"{name} {split}")
        assert one.manifest["cut_flow"] == two.manifest["cut_flow"]


class TestWrong:
    def test_executor(self, zbb_files, tmp_path):
        with pytest.raises(ConfigurationError, match=r"unknown executor 'futurs'; did you mean 'futures'\?"):
            process([zbb_files], tmp_path / "out", executor="futurs")

    @pytest.mark.parametrize("executor", ["iterative", "futures"])
    def test_scheduler_without_dask(self, zbb_files, tmp_path, executor):
        with pytest.raises(ConfigurationError, match=f"--scheduler goes with --executor dask, not {executor}"):
            process([zbb_files], tmp_path / "out", executor=executor, scheduler="tcp://127.0.0.1:9")

    @pytest.mark.parametrize("address", ["nonsense://host:1", "tcp://127.0.0.1:port", "tcp://", " "])
    def test_address(self, zbb_files, tmp_path, address, process_command):
        result = process_command(zbb_files, "-o", tmp_path / "out", "--executor", "dask", "--scheduler", address)
        assert result.exit_code == 1
        assert result.stderr.splitlines()[-1].startswith(f"error: no Dask scheduler answers at {address}")

    def test_no_scheduler_there(self, refused):
        code, stdout, stderr, seconds, output = refused()
        assert code == 1
        assert stdout == ""
        assert "Traceback" not in stderr
        assert stderr.splitlines()[-1].startswith("error: no Dask scheduler answers at tcp://127.0.0.1:9")
        assert seconds < 45  # 20 to wait for it; other tests run meanwhile
        assert not (output / "manifest.json").exists()


def test_a_runner_of_coffea_that_the_user_sets_up(zbb_files, zbb_dataset, tmp_path, assert_same_parts, read_parts):
    """The processor is one of coffea's: a Runner of one's own makes the same parts."""
    from coffea.processor import IterativeExecutor, ProcessorABC, Runner

    from xaug.formats.registry import FORMATS
    from xaug.jets.processor import JetProcessor, JetSettings
    from xaug.process.chunks import Outcome, PartProcessor
    from xaug.process.executors import work_item
    from xaug.process.inputs import inspect
    from xaug.process.search import gather
    from xaug.process.stage import chunks_of

    jets = JetProcessor(JetSettings())
    work = PartProcessor(tmp_path, jets, FORMATS)
    assert isinstance(work, ProcessorABC)
    files = [inspect(candidate, jets) for candidate in gather([zbb_files]).found]
    items = [work_item(chunk) for file in files for chunk in chunks_of(file, CHUNKSIZE)]
    runner = Runner(executor=IterativeExecutor(status=False), schema=FORMATS["xaug_tree"].schema)
    assert runner.run(items, work)["out"] == Outcome()
    assert_same_parts(read_parts(tmp_path), read_parts(zbb_dataset))
