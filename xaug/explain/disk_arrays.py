"""Large arrays in files, so that the memory of a method that takes all events together does not grow with them.

The operating system keeps in memory what there is room for, and writes the rest to the file. A file has no name: it
goes with the process.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from xaug.core.files import storage_errors
from xaug.core.types import Array

__all__ = ["ROWS", "Zeros", "blocks_of", "zeros_in", "zeros_in_memory"]

LEAST = 2**22
"""Bytes up to which an array stays in memory."""
ROWS = 4096
"""Events that are looked at together where a copy of all would be too large."""
Zeros = Callable[..., Array]
"""Makes an array of zeros of a shape and a type, in memory or in a file."""


def zeros_in_memory(shape: tuple[int, ...], dtype: Any = "float64") -> Array:
    """An array of zeros."""
    return np.zeros(shape, dtype)


def zeros_in(directory: Path) -> Zeros:
    """Maker of arrays of zeros that lie in files of a directory, unless they are small.

    The maker raises StorageError if the file system has not the room: it is reserved before the array is used.
    """

    def zeros(shape: tuple[int, ...], dtype: Any = "float64") -> Array:
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if size <= LEAST:
            return np.zeros(shape, dtype)
        with storage_errors(directory), tempfile.TemporaryFile(dir=directory) as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
            return np.memmap(file, dtype, "r+", shape=shape).view(np.ndarray)

    return zeros


def blocks_of(n: int) -> Iterator[slice]:
    """Slices of ROWS events that cover n."""
    for start in range(0, n, ROWS):
        yield slice(start, min(start + ROWS, n))
