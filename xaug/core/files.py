"""Writing that is whole or not there: temporary name, then rename; and digests of what was read."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xaug.core.errors import DatasetError, StorageError
from xaug.core.types import ArrayLike, Json

if TYPE_CHECKING:
    import h5py

__all__ = [
    "as_path",
    "atomic_path",
    "clear_leftovers",
    "digest_file",
    "digest_json",
    "name_of",
    "new_hdf5",
    "read_json",
    "read_json_array",
    "storage_errors",
    "write_array",
    "write_json",
    "write_json_array",
]

TEMPORARY = ".part-"
"""Files whose name starts so are unfinished; no reader of xaug ever looks at them."""


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn a full disk or a forbidden place into a StorageError that says what to do."""
    try:
        yield
    except OSError as error:
        # h5py and uproot pass the errno on in the text only
        full = error.errno in (errno.ENOSPC, errno.EDQUOT) or re.search("No space left|quota exceeded", str(error))
        if full:
            raise StorageError(
                f"{path}: the disk is full. Free some space and run the same command again; "
                "finished parts are kept and nothing half-written is left"
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise StorageError(f"{path}: not writable ({error.strerror}). Choose another -o") from error
        if isinstance(error, (FileExistsError, NotADirectoryError, IsADirectoryError)):
            place = error.filename or path
            raise StorageError(
                f"{place}: something else is in this place ({error.strerror}). Choose another -o"
            ) from error
        raise


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` if the block succeeds, else remove it."""
    path = Path(path)
    temporary = None
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle, name = tempfile.mkstemp(prefix=TEMPORARY, suffix=path.suffix, dir=path.parent)
            os.close(handle)
            temporary = Path(name)
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(temporary, 0o666 & ~umask)  # mkstemp makes it private; outputs are for colleagues too
            yield temporary
            os.replace(temporary, path)
        finally:
            if temporary is not None and temporary.exists():
                temporary.unlink()


@contextmanager
def new_hdf5(path: str | os.PathLike[str]) -> Iterator[h5py.File]:
    """Yield an HDF5 file to fill; it is written to `path`, whole, if the block succeeds.

    It is put together in memory: on a full disk, the HDF5 library crashes the process when it closes a file.
    """
    import h5py

    with h5py.File(Path(path).name, "w", driver="core", backing_store=False) as file:
        yield file
        file.flush()
        image = file.id.get_file_image()
    with atomic_path(path) as temporary:
        temporary.write_bytes(image)


def write_array(file: h5py.File, name: str, values: ArrayLike, **filters: Any) -> None:
    """Write an array into an HDF5 file with a checksum (Fletcher's), so that damage is noticed where it is read.

    `filters` are chunks and compression as h5py has them. Scalars and empty arrays have no place for a checksum.
    """
    import numpy as np

    array = np.asarray(values)
    if array.size == 0 or array.ndim == 0:
        file.create_dataset(name, data=array)
    else:
        file.create_dataset(name, data=array, fletcher32=True, **filters)


def write_json_array(file: h5py.File, name: str, content: Json) -> None:
    """Write JSON-able content into an HDF5 file, as bytes with a checksum."""
    import numpy as np

    write_array(file, name, np.frombuffer(json.dumps(content).encode(), np.uint8))


def read_json_array(file: h5py.File, name: str) -> Any:
    """The content that `write_json_array` wrote."""
    return json.loads(file[name][()].tobytes())


def clear_leftovers(directory: str | os.PathLike[str]) -> None:
    """Remove what killed writers left unfinished in a directory."""
    for path in Path(directory).glob(f"{TEMPORARY}*"):
        path.unlink(missing_ok=True)


def write_json(path: str | os.PathLike[str], content: Json) -> None:
    """Write `content` as indented JSON, whole or not at all."""
    text = json.dumps(content, indent=2, sort_keys=False, allow_nan=True) + "\n"
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: str | os.PathLike[str]) -> Any:
    """The content of a JSON file; a missing or damaged one raises DatasetError."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DatasetError(f"{path} does not exist") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} is damaged ({error}). Delete it and run the stage again") from None


def digest_json(content: Any) -> str:
    """A short digest of JSON-able content, the same whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def digest_file(path: str | os.PathLike[str]) -> str:
    """A digest of a file's bytes (BLAKE2b, 16 bytes as hex)."""
    digest = hashlib.blake2b(digest_size=16)
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


def name_of(path: str | Path) -> str:
    """The name of a file as text, also in a locale without UTF-8, where Python escapes the bytes of its letters."""
    return os.fsencode(Path(path).name).decode("utf-8", "replace")


def as_path(text: str) -> str:
    """A text as part of a path, also in a locale without UTF-8."""
    return os.fsdecode(text.encode("utf-8"))
