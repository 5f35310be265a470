import errno
import hashlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from xaug.core.errors import DatasetError, StorageError, XaugError
from xaug.core.files import (
    as_path,
    atomic_path,
    digest_file,
    digest_json,
    name_of,
    read_json,
    storage_errors,
    write_json,
)


class TestAtomicPath:
    def test_whole(self, tmp_path):
        with atomic_path(tmp_path / "new" / "out.txt") as path:
            path.write_text("content")
            assert not (tmp_path / "new" / "out.txt").exists()
            assert path.parent == tmp_path / "new" and path.suffix == ".txt" and path.name.startswith(".")
        assert [p.name for p in (tmp_path / "new").iterdir()] == ["out.txt"]
        assert (tmp_path / "new" / "out.txt").read_text() == "content"

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, OSError])
    @pytest.mark.parametrize("before", [None, "old"])
    def test_failure_leaves_what_was(self, tmp_path, error, before):
        if before:
            (tmp_path / "out.txt").write_text(before)
        with pytest.raises(error), atomic_path(tmp_path / "out.txt") as path:
            path.write_text("half")
            raise error
        assert [p.read_text() for p in tmp_path.iterdir()] == ([before] if before else [])

    def test_replaces(self, tmp_path):
        for text in ("old", "new"):
            with atomic_path(tmp_path / "out.txt") as path:
                path.write_text(text)
        assert [p.read_text() for p in tmp_path.iterdir()] == ["new"]

    @pytest.mark.parametrize("umask", [0o022, 0o027])
    def test_permissions_are_those_of_any_new_file(self, tmp_path, umask):
        before = os.umask(umask)
        try:
            write_json(tmp_path / "out.json", {})
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "out.json").stat().st_mode) == 0o666 & ~umask

    @pytest.mark.parametrize("size", [20_000, 100_000])
    def test_full_disk(self, small_disk, size):
        directory = small_disk("16k")
        write_json(directory / "first.json", {"kept": True})
        with (
            pytest.raises(StorageError, match=r"out\.bin: the disk is full\. Free some space"),
            atomic_path(directory / "out.bin") as path,
        ):
            path.write_bytes(b"x" * size)
        assert [p.name for p in directory.iterdir()] == ["first.json"]


class TestStorageErrors:
    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
    def test_real_full_device(self):
        with pytest.raises(StorageError, match="OUT: the disk is full"), storage_errors("OUT"):
            Path("/dev/full").write_text("x")

    @pytest.mark.parametrize(
        ("error", "message"),
        [
            (OSError(errno.ENOSPC, "No space left on device"), "OUT: the disk is full. Free some space"),
            (OSError(errno.EDQUOT, "Disk quota exceeded"), "OUT: the disk is full. Free some space"),
            (OSError("Can't write data (errno = 28, error message = 'No space left on device')"), "disk is full"),
            (OSError("Can't write data (errno = 122, error message = 'Disk quota exceeded')"), "disk is full"),
            (PermissionError(errno.EACCES, "Permission denied"), r"OUT: not writable \(Permission denied\)\. Choose"),
            (OSError(errno.EROFS, "Read-only file system"), r"OUT: not writable \(Read-only file system\)\. Choose"),
        ],
    )
    def test_becomes_one_clear_line(self, error, message):
        with pytest.raises(StorageError, match=message) as raised, storage_errors("OUT"):
            raise error
        assert "\n" not in str(raised.value)

    @pytest.mark.parametrize("error", [FileNotFoundError(errno.ENOENT, "no such"), OSError("bad"), ValueError("x")])
    def test_other_errors_pass(self, error):
        with pytest.raises(type(error)) as raised, storage_errors("OUT"):
            raise error
        assert raised.value is error

    @pytest.mark.parametrize("where", ["file", "file/below"])
    def test_output_below_a_file(self, tmp_path, where):
        """`-o` names a file, or something below one: no directory can be made there."""
        (tmp_path / "file").write_text("")
        with pytest.raises(XaugError, match="file"):
            write_json(tmp_path / where / "out.json", {})


class TestJson:
    def test_round_trip(self, tmp_path):
        content = {"b": [1, 2.5, None], "a": {"x": "ä", "nan": float("inf")}}
        write_json(tmp_path / "x.json", content)
        assert read_json(tmp_path / "x.json") == content == json.loads((tmp_path / "x.json").read_text())

    def test_what_cannot_be_written_leaves_nothing(self, tmp_path):
        with pytest.raises(TypeError):
            write_json(tmp_path / "x.json", {"a": object()})
        assert not list(tmp_path.iterdir())

    def test_missing(self, tmp_path):
        with pytest.raises(DatasetError, match=r"no\.json does not exist"):
            read_json(tmp_path / "no.json")

    @pytest.mark.parametrize("content", [b"", b'{"a": 1', b"\xff\xfe\x00", b"nonsense"])
    def test_damaged(self, tmp_path, content):
        (tmp_path / "x.json").write_bytes(content)
        with pytest.raises(DatasetError, match=r"x\.json is damaged .* Delete it and run the stage again"):
            read_json(tmp_path / "x.json")


class TestDigests:
    def test_of_json_ignores_the_order_of_keys_only(self):
        content = {"a": 1, "b": {"c": [1, 2], "d": 3}}
        assert digest_json(content) == digest_json({"b": {"d": 3, "c": [1, 2]}, "a": 1})
        others = [{"a": 1, "b": {"c": [2, 1], "d": 3}}, {"a": "1", "b": {"c": [1, 2], "d": 3}}, {"a": 1}]
        assert len({digest_json(other) for other in [content, *others]}) == 4

    @pytest.mark.parametrize("size", [0, 1, (1 << 22) + 1])
    def test_of_file(self, tmp_path, size):
        content = np.random.default_rng(size).bytes(size)
        (tmp_path / "x").write_bytes(content)
        assert digest_file(tmp_path / "x") == hashlib.blake2b(content, digest_size=16).hexdigest()


def test_names_of_files_in_a_locale_without_utf_8(tmp_path):
    """Python escapes the bytes of such a name; a report of it must still be text."""
    (tmp_path / "üni").mkdir()
    script = (
        "import sys, os; from xaug.core.files import as_path, name_of\n"
        "(name,) = os.listdir(sys.argv[1]); print(name_of(name) == '\\u00fcni', as_path(name_of(name)) == name)"
    )
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "True"]
    assert as_path(name_of(tmp_path / "üni")) == "üni"
