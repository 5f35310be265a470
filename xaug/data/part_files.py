"""Parts of a dataset on disk: HDF5 files with checksums, each with its own table of variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from xaug.core import provenance
from xaug.core.errors import ConfigurationError, DatasetError
from xaug.core.files import new_hdf5, read_json_array, write_array, write_json_array
from xaug.core.integrity import verified
from xaug.core.types import Array, Arrays, JsonObject
from xaug.data.records import PartRecord
from xaug.data.table import Table
from xaug.data.variables import table_of_version_0_1

__all__ = ["CHUNK", "PROCESS_INDEX", "open_part", "read_column", "read_part_summary", "refuse_stale", "write_part"]

CHUNK = 1024
"""Rows of an HDF5 chunk, the least that random access reads."""
PROCESS_INDEX = "process_index"
"""Column of a part of several processes: the position of each row's process among the contents of the part."""


def write_part(
    path: Path,
    columns: Mapping[str, Array],
    counts: Mapping[str, Array],
    summary: JsonObject,
    filters: Mapping[str, JsonObject] | None = None,
    table: Table | None = None,
) -> None:
    """Write one part: row columns, control histogram counts, its summary and its table; whole or not at all.

    `filters` are HDF5 filters of columns for which lzf + shuffle is not the best.
    """
    filters = filters or {}
    with new_hdf5(path) as file:
        for name, values in columns.items():
            array = np.asarray(values)
            rows = min(CHUNK, len(array))
            # a part without jets has nothing to chunk or compress
            packing = filters.get(name, {"compression": "lzf", "shuffle": True})
            write_array(file, name, array, **({"chunks": (rows, *array.shape[1:]), **packing} if rows else {}))
        file.create_group("control")
        for name, values in counts.items():
            write_array(file, f"control/{name}", values)
        write_json_array(file, "summary", summary)
        if table is not None:
            write_json_array(file, "table", table.to_json())


def refuse_stale(directory: Path, manifest: JsonObject, table: Table, code: Mapping[str, str]) -> None:
    """Raise ConfigurationError if today's code would give a finished dataset other numbers or other variables.

    The dataset stays good for all that reads it: it is what its own table says.

    Parameters
    ----------
    directory, manifest
        the dataset
    table
        its table as today's code has it
    code
        digests, by format, of the code that all columns share; one that the manifest does not know counts as unchanged
    """
    stored = manifest.get("table")
    made_with = table_of_version_0_1(table.kind) if stored is None else Table.from_json(stored)
    stored_code = manifest.get("code", {})
    changes = made_with.changes(table) or [
        f"the code that reads {name} files, selects and describes changed"
        for name, digest in code.items()
        if stored_code.get(name, digest) != digest
    ]
    if changes:
        raise ConfigurationError(
            f"{directory} was made by other code ({'; '.join(changes)}). Delete its {provenance.NAME} and run "
            f"`{manifest.get('command', 'the same command')}` again to make its parts anew, or choose another -o"
        )


def read_part_summary(path: Path) -> tuple[JsonObject, Arrays]:
    """Summary of a part, and the counts of its control histograms; DatasetError if it is damaged."""
    try:
        with h5py.File(path) as file:
            control = {name: values[()] for name, values in file["control"].items()}
            return read_json_array(file, "summary"), control
    except (OSError, KeyError, ValueError) as error:
        raise DatasetError(
            f"{path}: damaged part ({error}). Delete it and run `python -m xaug.process` again"
        ) from None


@contextmanager
def open_part(path: Path) -> Iterator[h5py.File]:
    """Open a part for reading; DatasetError if it is damaged, also where that shows while it is read."""
    try:
        with h5py.File(verified(path)) as file:
            yield file
    except OSError as error:  # where it is opened, or where a damaged chunk is read
        raise DatasetError(
            f"{path} is damaged ({error}). Delete it and {provenance.NAME}, then run `python -m xaug.process` again"
        ) from None


def read_column(file: h5py.File, part: PartRecord, name: str, rows: slice | Array) -> Array:
    """Some rows of a column of an opened part: those of a slice, or of ascending positions."""
    if name == "process":
        names = np.array([own.process for own in part.contents])
        if len(names) > 1:
            chosen: Array = names[_rows_of(file[PROCESS_INDEX], rows)]
            return chosen
        return np.full(len(_rows_of(file["label"], rows)), names[0])
    if name not in file:
        raise DatasetError(
            f"{file.filename} has no column {name!r}: it was made by another version. Process into a new directory"
        )
    return _rows_of(file[name], rows)


def _rows_of(column: h5py.Dataset, rows: slice | Array) -> Array:
    """Some rows of a column, of which those before and after them are not read."""
    values: Array
    if isinstance(rows, slice):
        values = column[rows]
    elif len(rows):
        values = column[rows[0] : rows[-1] + 1][rows - rows[0]]
    else:
        values = column[:0]
    return values
