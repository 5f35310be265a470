"""Arrays of the user as a dataset: they are checked, named, divided into splits and written in parts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from xaug.core import provenance
from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.files import digest_json
from xaug.core.types import Array, ArrayLike, JsonObject
from xaug.data.column_names import check_column_name
from xaug.data.labels import check_class_names, label_type, ordered_classes, refuse_no_weight
from xaug.data.part_files import PROCESS_INDEX, write_part
from xaug.data.records import CLASSES
from xaug.data.splits import SPLITS, assign_split, event_ids
from xaug.data.table import PADDING, Block, Table, Variable

__all__ = ["KIND", "AxisNames", "OwnArrays", "write_arrays"]

KIND = "own"
"""Kind of the datasets of the user's own arrays."""
AXES = {"image": (3, 4), "list": (3,), "xaug": (1, 2), "event": (1, 2)}
"""Numbers of axes that the array of a block can have, that of the events among them."""
SHAPES = {"image": "(n, height, width, channels)", "list": "(n, particles, columns)"}
GROUPS = {"image": "image", "list": "list", "xaug": "kinematic", "event": "event"}
"""Group of variables that the user puts into none."""
FRACTIONS = (0.6, 0.2, 0.2)
ROWS_PER_PART = 32 * 1024
AxisNames = Mapping[str, Sequence[Variable | str]]
"""Block -> its columns in order, as variables or by name."""


@dataclass(frozen=True)
class OwnArrays:
    """Arrays of n events as they are stored, checked.

    Attributes
    ----------
    columns : dict of arrays
        blocks and mask (n, ...) float32, `label` (n,), `weight` (n,)
    table : Table
        names of the columns of the blocks
    classes : tuple of str
        names of the classes by label
    process : (n,) array of int
        position of each event's process in `processes`
    processes : tuple of str
        names of the processes
    """

    columns: dict[str, Array]
    table: Table
    classes: tuple[str, ...]
    process: Array
    processes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.process)

    @property
    def digest(self) -> str:
        """Digest of all numbers and names."""
        content = hashlib.blake2b(digest_size=16)
        for name, values in sorted(self.columns.items()):
            content.update(f"{name} {values.dtype} {values.shape}".encode())
            content.update(np.ascontiguousarray(values).data)
        content.update(np.ascontiguousarray(self.process).data)
        return digest_json([content.hexdigest(), self.table.to_json(), self.classes, self.processes])

    @classmethod
    def checked(
        cls,
        blocks: Mapping[str, ArrayLike | None],
        mask: ArrayLike | None,
        label: ArrayLike,
        weight: ArrayLike | None,
        process: ArrayLike | None,
        classes: Sequence[str] | None,
        variables: AxisNames | None,
    ) -> OwnArrays:
        """The arrays of `xaug.Dataset.write`, which documents them.

        Raises
        ------
        ConfigurationError
            if an array has the wrong shape or length, or holds what no dataset can
        """
        given = {name: values for name, values in blocks.items() if values is not None}
        if not given:
            raise ConfigurationError(f"no inputs: give at least one of {', '.join(blocks)}")
        columns = {name: _block(name, values) for name, values in given.items()}
        n = len(next(iter(columns.values())))
        if n == 0:
            raise ConfigurationError("the arrays hold no events")
        names = _variables(columns, given, variables or {}, padded=mask is not None)
        if mask is not None:
            columns["mask"] = _mask(mask, columns)
        known = _classes(classes, np.asarray(label))
        check_class_names(known)
        columns["label"] = _labels(np.asarray(label), known)
        columns["weight"] = np.ones(n) if weight is None else _numbers("weight", weight).astype(np.float64)
        of_process = np.asarray(known)[columns["label"]] if process is None else np.asarray(process).astype(str)
        for name, values in [*columns.items(), ("process", of_process)]:
            if len(values) != n or (name in ("label", "weight", "process") and values.ndim != 1):
                first = next(iter(columns))
                raise ConfigurationError(f"{name} has the shape {values.shape}; {first!r} has {n} events")
        for name, own in names.items():
            _check_finite(columns[name], [v.name for v in own], columns.get("mask") if name == "list" else None)
        _check_finite(columns["weight"][:, None], ["weight"])
        for i, name in enumerate(known):
            if (columns["label"] == i).any():
                refuse_no_weight(name, float(columns["weight"][columns["label"] == i].sum()))
        table = Table(
            KIND, {name: Block(name, names[name], columns[name].shape[1:-1]) for name in names}
        ).without_code()  # fmt: skip
        processes, index = np.unique(of_process, return_inverse=True)
        _check_processes(processes, index, columns["label"], known)
        return cls(columns, table, known, index, tuple(processes.tolist()))

    def label_of(self, process: int) -> int:
        """Class of the events of a process."""
        return int(self.columns["label"][np.argmax(self.process == process)])


def _numbers(name: str, values: ArrayLike) -> Array:
    """An array of real numbers."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.getmaskarray(values).any():  # type: ignore[no-untyped-call]
        raise ConfigurationError(f"{name!r} is a masked array; fill it, or leave masked events out")
    try:
        array = np.asarray(values)
        if array.dtype.kind == "c":
            raise TypeError("it is complex")
        return array if array.dtype.kind in "biuf" else array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{name!r} is no array of numbers of one shape: {error}") from None


def _block(name: str, values: ArrayLike) -> Array:
    """The array (n, ..., columns) of a block, float32."""
    array = _numbers(name, values)
    if array.ndim not in AXES[name]:
        wanted = SHAPES.get(name, "(n, columns)")
        raise ConfigurationError(f"{name!r} has the shape {array.shape}; it must be {wanted}")
    if array.ndim == AXES[name][0] < AXES[name][-1]:  # one channel, or one column
        array = array[..., None]
    if 0 in array.shape[1:]:
        raise ConfigurationError(f"{name!r} has the shape {array.shape}: it holds no numbers; leave it out")
    with np.errstate(over="ignore"):  # what does not fit becomes infinite, and is refused
        return np.array(array, dtype=np.float32)


def _mask(mask: ArrayLike, columns: dict[str, Array]) -> Array:
    """The mask (n, particles) float32; padded particles of the list are set to 0."""
    if "list" not in columns:
        raise ConfigurationError("mask: it says which particles of a list are real; give it together with a list")
    real = _numbers("mask", mask)
    if real.shape != columns["list"].shape[:2]:
        raise ConfigurationError(f"mask has the shape {real.shape}; that of the list is {columns['list'].shape[:2]}")
    if not np.isin(real, (0, 1)).all():
        raise ConfigurationError("mask holds other numbers than 0 (padding) and 1 (particle)")
    columns["list"][real == 0] = PADDING
    return real.astype(np.float32)


def _variables(
    columns: Mapping[str, Array], given: Mapping[str, ArrayLike], variables: AxisNames, padded: bool
) -> dict[str, tuple[Variable, ...]]:
    """Variables of each block: as named by the user, as a DataFrame names them, or by number."""
    for block in variables:
        if block not in columns:
            raise unknown_name("block in variables", block, columns)
    found = {}
    for block, values in columns.items():
        count = values.shape[-1]
        numbered = [block] if block == "image" and count == 1 else [f"{block}_{i}" for i in range(count)]
        own = list(variables.get(block, getattr(given[block], "columns", numbered)))
        if len(own) != count:
            raise ConfigurationError(f"{block!r} has {count} columns, but {len(own)} variables are named")
        named = [v if isinstance(v, Variable) else Variable(str(v), str(v).replace("_", " ")) for v in own]
        for variable in named:
            check_column_name(repr(block), variable.name, block)
        padding = PADDING if block == "list" and padded else None
        found[block] = tuple(replace(v, group=v.group or GROUPS[block], padding=padding) for v in named)
    return found


def _check_finite(values: Array, names: Sequence[str], mask: Array | None = None) -> None:
    """Raise ConfigurationError for NaN and infinities, which the last axis names."""
    finite = np.isfinite(values)
    if finite.all():
        return
    where = np.argwhere(~finite)[0]
    column, event = names[where[-1]], where[0]
    remedy = "leave such events out"
    if values.ndim == 3 and mask is None:
        remedy += ", or give a mask where it pads a list"
    raise ConfigurationError(f"{column!r} is {values[tuple(where)]} in event {event}; {remedy}")


def _classes(classes: Sequence[str] | None, label: Array) -> tuple[str, ...]:
    """Names of the classes by label."""
    if classes is None:
        if label.dtype.kind in "USO":
            return ordered_classes(sorted(set(label.astype(str).tolist())))
        _refuse_gaps(label)
        highest = int(label.max()) if label.size and label.dtype.kind in "biuf" else 1
        return CLASSES if highest <= 1 else tuple(f"class_{i}" for i in range(highest + 1))
    names = tuple(map(str, classes))
    if isinstance(classes, str) or len(names) < 2 or len(set(names)) < len(names) or "" in names:
        raise ConfigurationError(f"classes {classes!r}: give at least two names, in the order of the labels, each once")
    return names


def _refuse_gaps(label: Array) -> None:
    """Raise ConfigurationError for labels among which whole numbers are left out, where no classes are named."""
    if label.size and label.dtype.kind in "biuf" and np.isfinite(label).all():
        there = set(label.astype(int).tolist())
        lacking = [i for i in range(max(there)) if i not in there and max(there) > 1]
        if lacking:
            raise ConfigurationError(
                f"label has {max(there)}, but no event has {lacking[0]}; labels are 0 to K - 1, or name all classes"
            )


def _labels(label: Array, classes: tuple[str, ...]) -> Array:
    """Labels (n,) of labels or names of classes."""
    if label.ndim != 1:
        raise ConfigurationError(f"label has the shape {label.shape}; give one number or name for each event, (n,)")
    if label.dtype.kind == "O" and not all(isinstance(one, str) for one in label.tolist()):
        raise ConfigurationError("label holds something else than numbers or names; leave such events out")
    if label.dtype.kind in "USO":
        names, index = np.unique(label.astype(str), return_inverse=True)
        for name in names.tolist():
            if name not in classes:
                raise unknown_name("class in label", name, classes)
        found: Array = np.array([classes.index(name) for name in names.tolist()], label_type(len(classes)))[index]
        return found
    numbers = _numbers("label", label)
    bad = ~np.isin(numbers, np.arange(len(classes)))
    if bad.any():
        where = int(np.argmax(bad))
        raise ConfigurationError(
            f"label is {numbers[where]} in event {where}; the classes are "
            f"{', '.join(f'{i} ({name})' for i, name in enumerate(classes))}"
        )
    return numbers.astype(label_type(len(classes)))


def _check_processes(processes: Array, index: Array, label: Array, classes: tuple[str, ...]) -> None:
    """Raise ConfigurationError if a process belongs to several classes."""
    for i, name in enumerate(processes.tolist()):
        own = np.unique(label[index == i])
        if len(own) > 1:
            both = " and ".join(classes[one] for one in own[:2])
            raise ConfigurationError(f"process {name!r} has events of the classes {both}; give it a name in each")


def _split(split: object, ids: Array) -> tuple[Array, JsonObject]:
    """The split (n,) of each event, and what the manifest says of it."""
    given = np.asarray(split)
    three = isinstance(split, (tuple, list)) and given.shape == (3,) and given.dtype.kind in "fiu"
    if split is None or (three and (len(ids) != 3 or given.dtype.kind == "f")):
        fractions = FRACTIONS if split is None else (float(given[0]), float(given[1]), float(given[2]))
        if not all(0 <= f <= 1 for f in fractions) or abs(sum(fractions) - 1) > 1e-9:
            raise ConfigurationError(f"split fractions {fractions}: must be three numbers >= 0 that sum to 1")
        return assign_split(ids, 0, fractions), {"split_seed": 0, "split_fractions": list(fractions)}
    if given.shape != ids.shape:
        raise ConfigurationError(
            f"split has the shape {given.shape}: give a name for each of {len(ids)} events, or 3 fractions"
        )
    if given.dtype.kind in "USO":
        for name in np.unique(given.astype(str)).tolist():
            if name not in SPLITS:
                raise unknown_name("split", name, SPLITS)
        names = given.astype(str)
        chosen = np.select([names == name for name in SPLITS], range(len(SPLITS))).astype(np.int8)
    elif np.isin(given, range(len(SPLITS))).all():
        chosen = given.astype(np.int8)
    else:
        raise ConfigurationError(f"split holds other values than {', '.join(SPLITS)} (or 0, 1, 2)")
    return chosen, {"split": digest_json(chosen.tolist())}


def write_arrays(path: Path, arrays: OwnArrays, split: object = None) -> None:
    """Write arrays as a finished dataset.

    Parameters
    ----------
    path
        directory to write
    arrays
        the arrays
    split
        as in `xaug.Dataset.write`

    Raises
    ------
    ConfigurationError
        if the split is unknown, or the directory holds other results
    """
    ids = event_ids(arrays.digest, np.arange(len(arrays)))
    chosen, of_split = _split(split, ids)
    config = {"kind": KIND, "inputs": arrays.digest, **of_split}
    if provenance.begin(path, "process", config):
        return
    columns = {**arrays.columns, "event_id": ids, "split": chosen}
    parts = []
    for start in range(0, len(arrays), ROWS_PER_PART):
        rows = slice(start, min(start + ROWS_PER_PART, len(arrays)))
        part = f"{arrays.digest}_{rows.start}_{rows.stop}.h5"
        present, index = np.unique(arrays.process[rows], return_inverse=True)
        contents = [_content(arrays, int(process), chosen[rows][index == i]) for i, process in enumerate(present)]
        own = {name: values[rows] for name, values in columns.items()}
        if len(contents) > 1:
            own[PROCESS_INDEX] = index.astype(np.int16)
        summary: JsonObject = {"part": part, "file": "arrays", "start": rows.start, "stop": rows.stop}
        summary |= contents[0] if len(contents) == 1 else {"contents": contents}
        write_part(path / part, own, {}, summary, table=arrays.table)
        parts.append(summary)
    provenance.write(
        path,
        "process",
        config,
        digest=digest_json({"settings": config, "parts": [part["part"] for part in parts]}),
        table=arrays.table.to_json(),
        classes=list(arrays.classes),
        rows=dict(zip(arrays.processes, np.bincount(arrays.process).tolist(), strict=True)),
        skips=[],
        parts=parts,
    )


def _content(arrays: OwnArrays, process: int, split: Array) -> JsonObject:
    """A process in a part as the manifest lists it."""
    splits = {name: int((split == i).sum()) for i, name in enumerate(SPLITS)}
    name, label = arrays.processes[process], arrays.label_of(process)
    return {"process": name, "label": label, "rows": len(split), "splits": splits}
