"""Write the attribution of one training as HDF5 while its events are explained, a group of events after the other."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import h5py

from xaug.core.files import new_hdf5, write_array, write_json_array
from xaug.core.types import Array, Arrays

if TYPE_CHECKING:
    from xaug.explain.attribution import Attribution

__all__ = ["OPTIONAL", "AttributionWriter", "attribution_writer"]

OPTIONAL = ("rows", "label", "reference", "within_tolerance")
"""Fields of an attribution with one value for each event that need not be known."""


class AttributionWriter:
    """Writes attributions of groups of events as one; only one group is in memory at a time.

    Parameters
    ----------
    file : h5py.File
        file to write
    """

    def __init__(self, file: h5py.File) -> None:
        self._file = file
        self._events = 0

    def add(self, group: Attribution) -> None:
        """Write the next events; variables, columns and settings are those of the first group.

        Parameters
        ----------
        group : Attribution
            the events, explained in the same way as those before
        """
        for name, values in self._large(group).items():
            self._append(name, values, compression="lzf", shuffle=True)
        for name in ("logit", "residual", *OPTIONAL):
            if getattr(group, name) is not None:
                self._append(name, getattr(group, name))
        if not self._events:
            self._file.attrs["variables"] = json.dumps(group.variables)
            columns = {name: [variable.to_json() for variable in own] for name, own in group.columns.items()}
            write_json_array(self._file, "columns", columns)
            self._file.attrs["settings"] = json.dumps(group.settings)
        self._events += len(group)

    @staticmethod
    def _large(group: Attribution) -> Arrays:
        errors = {f"standard_error/{name}": values for name, values in (group.standard_error or {}).items()}
        return {f"relevance/{name}": values for name, values in group.relevance.items()} | errors

    def _append(self, name: str, values: Array, **filters: object) -> None:
        if not self._events:
            write_array(self._file, name, values, maxshape=(None, *values.shape[1:]), **filters)
            return
        own = self._file[name]
        own.resize(self._events + len(values), axis=0)
        own[self._events :] = values


@contextmanager
def attribution_writer(path: str | os.PathLike[str]) -> Iterator[AttributionWriter]:
    """The writer of a file, which appears whole at the end, or not at all.

    Parameters
    ----------
    path : path
        file to write
    """
    with new_hdf5(path) as file:
        yield AttributionWriter(file)
