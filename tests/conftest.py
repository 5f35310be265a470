"""What tests of several stages share: a small generated sample, its dataset, and tools to make and use files."""

from __future__ import annotations

import fcntl
import json
import os
import random
import shutil
import subprocess
import sys
import time
import traceback
import zlib
from pathlib import Path

import awkward as ak
import h5py
import hypothesis
import numpy as np
import pytest
import uproot
from click.testing import CliRunner

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if "PYTEST_XDIST_WORKER" in os.environ:  # workers share the cores: one thread each
    for variable in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(variable, "1")
CHUNKSIZE = 100
pytest_plugins = ["digest_fixtures"]
LONG = ("studies", "test_notebooks.py", "test_contributing.py", "training", "process")
"""Folders and files of tests that take minutes."""


def pytest_collection_modifyitems(items):
    """Run the long files first, so that two workers of pytest-xdist end at about the same time."""
    tests = Path(__file__).parent
    items.sort(key=lambda item: item.path.relative_to(tests).parts[0] not in LONG)


hypothesis.settings.register_profile("same", derandomize=True, print_blob=True)
hypothesis.settings.load_profile("same")


def _seed(name: str) -> None:
    """Draw the same weights and numbers for `name` in every run, whatever ran before.

    XAUG_TEST_SEED=N gives others: what passes with one only has a tolerance that says nothing.
    """
    seed = zlib.crc32(f"{name}{os.environ.get('XAUG_TEST_SEED', '')}".encode())
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries draw from it
    if "tensorflow" in sys.modules:
        sys.modules["tensorflow"].random.set_seed(seed)


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef, request):
    """A fixture does not depend on the test that asks for it first."""
    _seed(f"{request.node.nodeid} {fixturedef.argname}")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item):
    _seed(item.nodeid)


@pytest.fixture(scope="module", autouse=True)
def _own_networks_end_with_their_file():
    """Take networks that the tests of a file registered out of the registry, for no file to depend on another."""
    from xaug.networks import registry

    before = registry.networks()
    yield
    registry._NETWORKS.clear()
    registry._NETWORKS.update(before)


@pytest.fixture(scope="session")
def shared_directory(tmp_path_factory):
    """shared_directory(name, make): a directory that `make(path)` creates once for all workers of pytest-xdist.

    The first worker that asks makes it; the others wait. Tests read it and never write into it.
    """
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent

    def directory(name: str, make) -> Path:
        path, finished = base / name, base / f"{name}.finished"
        with open(base / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not finished.exists():
                shutil.rmtree(path, ignore_errors=True)
                make(path)
                finished.touch()
        return path

    return directory


@pytest.fixture(scope="session")
def zbb_files(shared_directory) -> Path:
    """Directory of a generated sample: 150 selected jets a class, one file each."""
    from xaug.generate.zbb import generate

    return shared_directory("zbb_files", lambda output: generate(output, jets=150, seed=7))


@pytest.fixture(scope="session")
def zbb_dataset(zbb_files, shared_directory) -> Path:
    """Directory of the dataset made of `zbb_files`, in chunks of 100 events."""
    from xaug.process.stage import process

    return shared_directory(
        "zbb_jets", lambda output: process([zbb_files], output, executor="iterative", chunksize=CHUNKSIZE)
    )


@pytest.fixture(scope="session")
def read_root_file():
    """Reads a generated file with plain uproot: (branches as awkward arrays by name, metadata)."""

    def read(path: Path, stop: int | None = None) -> tuple[dict[str, ak.Array], dict]:
        with uproot.open(path) as file:
            arrays = file["T"].arrays(entry_stop=stop)
            metadata = json.loads(str(file["xaug"]))
        return {name: arrays[name] for name in arrays.fields}, metadata

    return read


@pytest.fixture(scope="session")
def write_root_file():
    """Writes branches into a file with plain uproot; jagged `a_b`, `a_c` share the counter `na`."""

    def write(path: Path, branches: dict[str, ak.Array], metadata: dict | None = None, tree: str = "T", basket=None):
        columns, jagged = {}, {}
        for name, array in branches.items():
            if array.ndim == 1:
                columns[name] = array
            elif "_" in name:
                outer, inner = name.split("_", 1)
                jagged.setdefault(outer, {})[inner] = array
        columns |= {outer: ak.zip(inner) for outer, inner in jagged.items()}
        types = {name: str(array.type).split(" * ", 1)[1] for name, array in columns.items()}
        n = len(next(iter(columns.values())))
        with uproot.recreate(path, compression=uproot.ZLIB(1)) as file:
            out = file.mktree(tree, types, field_name=lambda outer, inner: f"{outer}_{inner}" if inner else outer)
            for start in range(0, n, basket or n or 1):
                out.extend({name: array[start : start + (basket or n)] for name, array in columns.items()})
            if metadata is not None:
                file["xaug"] = json.dumps(metadata)
        return Path(path)

    return write


@pytest.fixture(scope="session")
def signal_events(zbb_files, read_root_file) -> tuple[dict[str, ak.Array], dict]:
    """Branches and metadata of the first 20 signal events: half of them have a selected jet."""
    return read_root_file(zbb_files / "zbb_zbb_00000.root", stop=20)


@pytest.fixture(scope="session")
def read_parts():
    """Reads all finished parts of a dataset with plain h5py: {part: {name: array}}.

    Not bytes of files: what the LZF compression of HDF5 writes depends on what its memory held before.
    """

    def read(directory: Path) -> dict[str, dict]:
        parts = {}
        for path in sorted(Path(directory).glob("*.h5")):
            if path.name.startswith("."):
                continue
            with h5py.File(path) as file:
                columns = {}
                file.visititems(
                    lambda name, item, columns=columns: (
                        columns.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
                    )
                )
            parts[path.name] = columns
        return parts

    return read


@pytest.fixture(scope="session")
def assert_same_parts():
    """Compares what `read_parts` gave: the same parts with the same columns, bit by bit."""

    def check(found: dict[str, dict], expected: dict[str, dict]) -> None:
        assert list(found) == list(expected)
        for part, columns in expected.items():
            assert list(found[part]) == list(columns)
            for name, values in columns.items():
                if isinstance(values, np.ndarray):
                    assert found[part][name].dtype == values.dtype
                np.testing.assert_array_equal(found[part][name], values, err_msg=f"{part} {name}")

    return check


@pytest.fixture(scope="session")
def assert_same_dataset(read_parts, assert_same_parts):
    """Compares two dataset directories: parts, control histograms, and all of the manifest but how it was called."""

    def check(found: Path, expected: Path) -> None:
        assert_same_parts(read_parts(found), read_parts(expected))
        one, two = (json.loads((directory / "manifest.json").read_text()) for directory in (found, expected))
        assert one["file_digests"].keys() == two["file_digests"].keys()
        # a command may run the installed package, and no checkout; bytes of files differ by what memory held before
        said = {"command": "", "commit": None, "file_digests": {}, "seal": ""}
        assert {**one, **said} == {**two, **said}
        with uproot.open(found / "control.root") as one, uproot.open(expected / "control.root") as two:
            assert one.keys() == two.keys()
            for name in two:
                np.testing.assert_array_equal(one[name].values(flow=True), two[name].values(flow=True))

    return check


@pytest.fixture(scope="session")
def process_command():
    """Runs `python -m xaug.process` in this process; fails the test if it ends with a traceback."""
    from xaug.process.__main__ import main

    def run(*arguments):
        arguments = [str(argument) for argument in arguments]
        if "--executor" not in arguments:
            arguments += ["--executor", "iterative"]
        result = CliRunner().invoke(main, arguments)
        if result.exception and not isinstance(result.exception, SystemExit):
            pytest.fail("the command ended in a traceback:\n" + "".join(traceback.format_exception(result.exception)))
        return result

    return run


@pytest.fixture(scope="session")
def python():
    """Runs `python ARGUMENTS` to its end, as a user would; returns the finished process (text)."""

    def run(*arguments, **options) -> subprocess.CompletedProcess:
        command = [sys.executable, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)

    return run


@pytest.fixture(scope="session")
def scheduler(tmp_path_factory):
    """Address of a Dask scheduler with one worker, started by hand as on a cluster."""
    file = tmp_path_factory.mktemp("dask") / "scheduler.json"
    dask = [sys.executable, "-m", "dask"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = [
        subprocess.Popen(
            [*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)],
            **quiet,
        )
    ]
    try:
        end = time.monotonic() + 30
        while not file.exists() or not file.read_text():
            assert started[0].poll() is None and time.monotonic() < end
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        started.append(
            subprocess.Popen([*dask, "worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny"], **quiet)
        )
        yield address
    finally:
        for run in reversed(started):
            run.kill()
            run.wait()


@pytest.fixture(scope="session")
def write_dataset():
    """Writes arrays as a finished dataset: a part a process; `known`: process -> what its manifest says of it."""
    from xaug.core import provenance
    from xaug.data.dataset import Dataset
    from xaug.data.part_files import write_part
    from xaug.data.splits import SPLITS

    def write(directory: Path, kind: str, columns: dict[str, np.ndarray], known: dict[str, dict] | None = None):
        directory.mkdir(parents=True)
        parts, process = [], columns["process"]
        for name in dict.fromkeys(process):
            own = {key: values[process == name] for key, values in columns.items() if key != "process"}
            sizes = {split: int((own["split"] == i).sum()) for i, split in enumerate(SPLITS)}
            part = {"part": f"{name}.h5", "file": f"{name}.root", "process": str(name), "label": int(own["label"][0])}
            parts.append({**part, "rows": len(own["label"]), "splits": sizes})
            write_part(directory / f"{name}.h5", own, {}, parts[-1])
        content = {"digest": directory.name, "parts": parts, "processes": known or {}}
        provenance.write(directory, "process", {"kind": kind}, **content)
        return Dataset.open(directory)

    return write


@pytest.fixture(scope="session")
def event_columns():
    """Makes columns of made-up events of a signal and three backgrounds; HT, MET and lepton pT tell them apart."""
    from xaug import variables

    shifts = {"signal": (2.0, 0.8, 0.6), "tt1l": (0, 0.2, 0), "wjets": (-0.4, 0, 0.1), "zz": (-0.2, 0, 0)}

    def make(per_process: int = 300, seed: int = 1) -> dict[str, np.ndarray]:
        names = variables.names("events", "event")
        rng = np.random.default_rng(seed)
        process = np.repeat(list(shifts), per_process)
        n = len(process)
        features = rng.normal(5.0, 1.0, (n, len(names)))
        for column, name in enumerate(("ht", "met", "pt_lep")):
            features[:, names.index(name)] += np.array([shifts[one][column] for one in process])
        return {
            "event": features.astype(np.float32),
            "label": (process == "signal").astype(np.int8),
            "weight": rng.uniform(0.5, 1.5, n) * np.where(process == "wjets", 40.0, 1.0),
            "process": process,
            "event_id": rng.permutation(n).astype(np.uint64),
            "split": rng.choice(3, n, p=[0.5, 0.2, 0.3]).astype(np.int8),
        }

    return make


EVENT_PROCESSES = {"signal": 0.005, "tt1l": 0.5, "wjets": 2.0, "zz": 0.01}
"""Cross sections [pb] of the made-up events, small enough that the search is one of few events."""


@pytest.fixture(scope="session")
def event_dataset(write_dataset, event_columns, shared_directory):
    """Made-up events with cross sections, see `event_columns`; a tenth of what was generated is selected."""
    columns = event_columns()
    sums = {name: float(columns["weight"][columns["process"] == name].sum()) for name in EVENT_PROCESSES}
    known = {
        name: {"xsec": xsec, "sum_weights_generated": 10 * sums[name], "sum_weights_selected": sums[name]}
        for name, xsec in EVENT_PROCESSES.items()
    }
    from xaug.data.dataset import Dataset

    return Dataset.open(shared_directory("events", lambda path: write_dataset(path, "events", columns, known)))


@pytest.fixture(scope="session")
def event_run(event_dataset, shared_directory) -> Path:
    """Two short trainings of the dense network on `event_dataset`."""
    from xaug.training.stage import train

    options = {"network": "event", "trainings": 2, "epochs": 2, "batch_size": 64, "learning_rate": 0.01}
    return shared_directory("event_run", lambda path: train(event_dataset.path, path, **options))


@pytest.fixture
def small_disk(tmp_path):
    """Mounts a file system of a few kB, to be filled: `small_disk("200k")` is its directory; call again to resize."""
    directory = tmp_path / "small_disk"
    directory.mkdir()
    mounted = False

    def mount(size: str) -> Path:
        nonlocal mounted
        options = f"remount,size={size}" if mounted else f"size={size}"
        try:
            done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory)], capture_output=True)
        except FileNotFoundError:
            pytest.skip("needs the mount command")
        if done.returncode:
            pytest.skip(f"needs the right to mount a small file system ({done.stderr.decode().strip()})")
        mounted = True
        return directory

    yield mount
    if mounted:
        subprocess.run(["umount", str(directory)], check=True)
