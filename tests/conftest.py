"""What tests of several stages share: a small generated sample, its dataset, and tools to make and use files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

import awkward as ak
import pytest
import uproot
from click.testing import CliRunner

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
CHUNKSIZE = 100


@pytest.fixture(scope="session")
def zbb_files(tmp_path_factory) -> Path:
    """Directory of a generated sample: 150 selected jets a class, one file each."""
    from xaug.generate.zbb import generate

    output = tmp_path_factory.mktemp("sample") / "zbb_files"
    generate(output, jets=150, seed=7)
    return output


@pytest.fixture(scope="session")
def zbb_dataset(zbb_files, tmp_path_factory) -> Path:
    """Directory of the dataset made of `zbb_files`, in chunks of 100 events."""
    from xaug.process.stage import process

    output = tmp_path_factory.mktemp("dataset") / "zbb_jets"
    process([zbb_files], output, executor="iterative", chunksize=CHUNKSIZE)
    return output


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
