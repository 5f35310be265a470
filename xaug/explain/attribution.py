"""The one result of every explanation method: relevance by input, and how far it adds up."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import h5py
import numpy as np

from xaug.core.errors import DatasetError
from xaug.core.files import new_hdf5, read_json_array, write_array, write_json_array
from xaug.core.integrity import verified
from xaug.core.types import Array, Arrays, JsonObject
from xaug.data.variables import KINDS_0_1, Variable, table_of_version_0_1

__all__ = ["Attribution", "AttributionWriter", "attribution_writer", "joined"]

OPTIONAL = ("rows", "label", "reference", "within_tolerance", "weight")
"""Fields of an attribution with one value for each event that need not be known."""


def _stored_columns(stored: JsonObject, names: dict[str, list[str]]) -> dict[str, tuple[Variable, ...]]:
    """The variables of each input; those of an attribution of version 0.1, which stored names only, by its tables."""
    if stored:
        return {name: tuple(Variable.from_json(column) for column in own) for name, own in stored.items()}
    wanted = {column for own in names.values() for column in own}
    for kind in KINDS_0_1:
        known = table_of_version_0_1(kind).labels()
        if wanted and wanted <= known.keys():
            return {name: tuple(known[column] for column in own) for name, own in names.items()}
    return {}


BLOCK = 4096
"""Events that are read at once."""


@dataclass(frozen=True)
class Attribution:
    """Relevance of every input element for the explained output of n events.

    Parameters
    ----------
    relevance : dict of arrays
        by input name, arrays of that input's shape (n, ...)
    logit : (n,) array
        the explained output
    variables : dict of list of str
        by input name, the names of its columns ([] for images without names)
    settings : dict
        method, rule, target, engine and whatever else decides the numbers
    rows : (n,) array of int, optional
        rows of the dataset's split that were explained; None for arrays of the user's own
    label : (n,) array, optional
        class of each event, if known
    reference : (n,) array, optional
        explained output at the baselines, averaged as the relevance is; None for methods without a baseline
    within_tolerance : (n,) array, optional
        weighted share of the event's baselines for which the sum is right to the tolerance asked for
    standard_error : dict of arrays, optional
        errors of the relevance, by input name, where only some of the baselines were taken for each event
    columns : dict of tuple of Variable, optional
        by input name, the variables of its columns with label, unit and group, as the run has them; where nothing but
        names are known, variables that are labelled by their names
    weight : (n,) array, optional
        what each event counts for in means over events, as of `xaug.explain.summary`; None: all the same. Weights may
        be negative

    Attributes
    ----------
    residual : (n,) array
        sum of all relevance - explained output (conservation, LRP), or - (explained output - `reference`)
        (completeness, Integrated Gradients)
    """

    relevance: Arrays
    logit: Array
    variables: dict[str, list[str]]
    settings: JsonObject
    rows: Array | None = None
    label: Array | None = None
    reference: Array | None = None
    within_tolerance: Array | None = None
    standard_error: Arrays | None = None
    columns: dict[str, tuple[Variable, ...]] = field(default_factory=dict)
    weight: Array | None = None
    residual: Array = field(init=False)

    def __post_init__(self) -> None:
        columns = {name: self._columns_of(name) for name in self.variables}
        object.__setattr__(self, "columns", columns)
        total = sum(r.sum(axis=tuple(range(1, r.ndim)), dtype=np.float64) for r in self.relevance.values())
        object.__setattr__(self, "residual", total - self.explained)

    def _columns_of(self, name: str) -> tuple[Variable, ...]:
        """The variables of one input: those given, or bare ones of its column names; checked against its array."""
        names, own = self.variables[name], self.columns.get(name, ())
        for column in names:
            if names.count(column) > 1:
                raise DatasetError(f"input {name!r} has two columns named {column!r}; give one another name")
        width = self.relevance[name].shape[-1] if name in self.relevance else len(names)
        if len(names) not in (0, width):
            raise DatasetError(
                f"input {name!r} has {width} columns, but {len(names)} names ({', '.join(names[:4])}, ...); "
                "give one name for each column"
            )
        return own if [v.name for v in own] == names else tuple(Variable(column, column) for column in names)

    def __len__(self) -> int:
        return len(self.logit)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {values.shape}" for name, values in self.relevance.items())
        lost = f", {self.lost} lost" if self.lost else ""
        return f"<Attribution by {self.settings.get('method')} of {len(self)} events{lost}: {shapes}>"

    @property
    def is_lost(self) -> Array:
        """(n,) whether an event has a relevance or an explained output that is no finite number."""
        finite = np.isfinite(self.explained)
        for values in self.relevance.values():
            finite &= np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
        lost: Array = ~finite
        return lost

    @property
    def lost(self) -> int:
        """Number of events with a relevance or an explained output that is no finite number; summaries omit them."""
        return int(np.count_nonzero(self.is_lost))

    @property
    def explained(self) -> Array:
        """(n,) what the relevance should add up to: the explained output, less that at the baseline if there is one."""
        return self.logit if self.reference is None else self.logit - self.reference

    @property
    def explained_words(self) -> str:
        """Words for `explained`."""
        return "the explained output" if self.reference is None else "f(x) − f(x′), the change of the output"

    @property
    def conserved(self) -> Array:
        """(n,) sum of relevance over what it should be; 1 where all of it is accounted for, nan at 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.explained != 0, 1 + self.residual / self.explained, np.nan)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the attribution as HDF5.

        Parameters
        ----------
        path : path
            File to write.
        """
        with attribution_writer(path) as writer:
            writer.add(self)

    @classmethod
    def load(cls, path: str | os.PathLike[str], events: Array | None = None) -> Attribution:
        """Read what `save` wrote.

        Parameters
        ----------
        path : path
            File to read.
        events : array of int, optional
            Events to read, by number, ascending; default: all.

        Returns
        -------
        Attribution
            The attribution with all of its arrays.

        Raises
        ------
        DatasetError
            If the file is not an attribution, or is damaged.
        """
        with _opened(path) as file:
            if events is None:
                return cls._read(file, slice(None))
            found = [cls._read(file, own) for own in np.split(events, range(BLOCK, len(events), BLOCK))]
        return joined(found)

    @classmethod
    def blocks(cls, path: str | os.PathLike[str]) -> Iterator[Attribution]:
        """Read what `save` wrote, some events at a time.

        Parameters
        ----------
        path : path
            File to read.

        Yields
        ------
        Attribution
            The next events.

        Raises
        ------
        DatasetError
            If the file is not an attribution, or is damaged.
        """
        with _opened(path) as file:
            for start in range(0, max(len(file["logit"]), 1), BLOCK):
                yield cls._read(file, slice(start, start + BLOCK))

    @staticmethod
    def bytes_in(path: str | os.PathLike[str]) -> int:
        """Memory that the relevance of one event in a file takes.

        Parameters
        ----------
        path : path
            File that `save` wrote.

        Returns
        -------
        int
            The memory in bytes.
        """
        with _opened(path) as file:
            names = json.loads(file.attrs["variables"])
            arrays = [file[f"relevance/{name}"] for name in names]
            return sum(own.dtype.itemsize * int(np.prod(own.shape[1:])) for own in arrays)

    @classmethod
    def _read(cls, file: h5py.File, events: slice | Array) -> Attribution:
        """Some events of an opened file: those of a slice, or of ascending numbers close to each other."""
        within: slice | Array = slice(None)
        if not isinstance(events, slice):
            within, events = events - events[0], slice(events[0], events[-1] + 1)

        def read(name: str) -> Array:
            values: Array = file[name][events][within]
            return values

        variables = json.loads(file.attrs["variables"])
        relevance = {name: read(f"relevance/{name}") for name in variables}
        optional: dict[str, Any] = {name: read(name) if name in file else None for name in OPTIONAL}
        if "standard_error" in file:
            optional["standard_error"] = {name: read(f"standard_error/{name}") for name in variables}
        settings = json.loads(file.attrs["settings"])
        columns = _stored_columns(read_json_array(file, "columns") if "columns" in file else {}, variables)
        return cls(relevance, read("logit"), variables, settings, **optional, columns=columns)


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[h5py.File]:
    """Open a file for reading; DatasetError if it is damaged, also where that shows while it is read."""
    try:
        with h5py.File(verified(path)) as file:
            yield file
    except (OSError, KeyError, ValueError) as error:
        raise DatasetError(
            f"{path} is no attribution file or is damaged ({error}). Delete it and the manifest.json beside it, "
            "then explain again: other trainings are kept"
        ) from None


def joined(found: Sequence[Attribution]) -> Attribution:
    """Attributions of several groups of events as one."""
    first = found[0]

    def together(name: str) -> Array | None:
        values = [getattr(one, name) for one in found]
        return None if values[0] is None else np.concatenate(values)

    errors = None
    if first.standard_error is not None:
        each = [one.standard_error or {} for one in found]
        errors = {name: np.concatenate([one[name] for one in each]) for name in first.standard_error}
    return replace(
        first,
        relevance={name: np.concatenate([a.relevance[name] for a in found]) for name in first.relevance},
        logit=np.concatenate([a.logit for a in found]),
        rows=together("rows"),
        label=together("label"),
        reference=together("reference"),
        within_tolerance=together("within_tolerance"),
        weight=together("weight"),
        standard_error=errors,
    )


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
