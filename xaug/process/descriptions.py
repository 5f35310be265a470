"""YAML files that describe input data: where the files are, of which classes, and what their columns are."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.yaml_files import YamlMap, read_yaml
from xaug.formats.base import UnsuitableFile
from xaug.formats.columns import FLAGS, LENGTHS, MOMENTA, MOMENTUM_UNITS, OTHERS, ColumnSpec, configure, known_as
from xaug.formats.registry import FORMATS
from xaug.process.filesets import FilesetEntry, dataset_entries

__all__ = ["is_description", "read_description"]

COLUMNS = "columns"
KEYS = ("format", "files", "tree", "jets", "particles", "classes", "units", "padding")
OWN_KEYS = ("particles", "classes", "units", "padding")
"""Keys that go with the format `columns` only."""


MOST_NUMBERS = 10_000
"""Numbers that a class may have."""


def is_description(path: str) -> bool:
    """True if a path has the ending of a YAML file."""
    return path.endswith((".yaml", ".yml"))


def read_description(path: Path) -> list[FilesetEntry]:
    """The files that a YAML names.

    Raises
    ------
    ConfigurationError
        with the line, for an unknown key, a value of the wrong type, or what contradicts itself
    """
    top = read_yaml(path)
    top.check(KEYS)
    name = top.get("format", str, "")
    if not name:
        raise top.error("format", f"no format; give `format: {COLUMNS}` or one of {', '.join(FORMATS)}")
    if name == COLUMNS:
        form = _configured(top)
    elif name in FORMATS:
        form = _given(top, name) if "jets" in top else name
        for key in OWN_KEYS:
            if key in top:
                raise top.error(key, f"{key} goes with `format: {COLUMNS}`; files of {name} say it themselves")
    else:
        raise top.error("format", str(unknown_name("format", name, (COLUMNS, *FORMATS))))
    tree = top.get("tree", str, "") or None
    files = top.get("files", (YamlMap, list, str), "")
    if not isinstance(files, YamlMap):
        return [FilesetEntry(path.stem, file, tree, {}, None, None, form) for file in _paths(top, "files")]
    paths = [key for key in files.values if _is_file(key)]
    if paths and len(paths) < len(files.values):
        other = next(key for key in files.values if key not in paths)
        raise files.error(other, f"{other} stands beside files ({paths[0]}); list all files by class, or none")
    if paths:
        return [replace(entry, format=form) for entry in _of_dataset(top, "files", path.stem, tree)]
    if "classes" in top:
        raise top.error("classes", "files are listed by class already; list them without classes, or drop this key")
    found = [entry for key in files.values for entry in _of_class(files, key, tree)]
    return [replace(entry, format=form) for entry in found]


def _is_file(key: str) -> bool:
    """True for a key that is a path or URL of a file of a known format, or wildcards for such; classes have others."""
    return "://" in key or any(suffix in key.lower() for known in FORMATS.values() for suffix in known.suffixes)


def _of_class(files: YamlMap, key: str, tree: str | None) -> list[FilesetEntry]:
    """The files of a class: a path, a list of paths, or a dataset as in a fileset of coffea."""
    metadata = {"label": key, "process": key}
    value = files.get(key, (YamlMap, list, str), "")
    if not isinstance(value, YamlMap):
        return [FilesetEntry(key, file, tree, metadata, None, None) for file in _paths(files, key)]
    found = _of_dataset(files, key, key, tree)
    return [replace(entry, metadata={**metadata, **entry.metadata}) for entry in found]


def _of_dataset(where: YamlMap, key: str, name: str, tree: str | None) -> list[FilesetEntry]:
    """The files of a mapping as in a fileset of coffea: path to object path or more, or {files, metadata, treename}."""
    content = _plain(where.values[key])
    if not set(content) & {"files", "metadata", "treename"}:
        content = {"files": content}
    try:
        found = dataset_entries(name, content)
    except ConfigurationError as error:
        raise where.error(key, str(error)) from None
    return [replace(entry, tree=entry.tree or tree) for entry in found]


def _plain(value: Any) -> Any:
    """A value of a YAML file as plain data, without its lines."""
    return {key: _plain(own) for key, own in value.values.items()} if isinstance(value, YamlMap) else value


def _paths(where: YamlMap, key: str) -> list[str]:
    value = where.get(key, (str, list), "")
    found = [value] if isinstance(value, str) else value
    if not found or not all(isinstance(path, str) and path for path in found):
        raise where.error(key, f"{key} is {value!r}; give a path, or a list of paths")
    return list(found)


def _given(top: YamlMap, name: str) -> str:
    """Name of a format of whose files the jets of a collection are taken; it is made known."""
    jets = top.get("jets", YamlMap, YamlMap(top.path, "jets", {}, {}))
    collection = jets.values.get("given", "")
    try:
        form = FORMATS[name].with_jets(collection if isinstance(collection, str) else "")
    except UnsuitableFile as error:
        raise top.error("jets", str(error)) from None
    jets.check(("given",))
    if not jets.get("given", str, ""):
        raise top.error("jets", "given is empty; name the collection of jets, as in `jets: {given: FatJet}`")
    return known_as(form)


def _configured(top: YamlMap) -> str:
    """Name of the layout that the YAML describes, which is made known."""
    nothing = YamlMap(top.path, "", {}, {})
    jets = top.get("jets", YamlMap, nothing)
    jets.check(("given", "weight"))
    units = top.get("units", YamlMap, nothing)
    units.check(("momentum", "length"))
    for key, known in (("momentum", MOMENTUM_UNITS), ("length", LENGTHS)):
        if key in units and units.get(key, str, "") not in known:
            raise units.error(key, f"unit of {key} {units.values[key]!r}; known: {', '.join(known)}")
    particles = top.get("particles", YamlMap, nothing)
    particles.check((*dict.fromkeys(name for names in MOMENTA for name in names), *OTHERS, *FLAGS))
    flags, label, numbers = _classes(top)
    spec = ColumnSpec(
        particles=top.texts("particles"),
        given=jets.get("given", bool, True),
        weight=jets.get("weight", str, "") or None,
        flags=flags,
        label=label,
        numbers=numbers,
        momentum=units.get("momentum", str, "GeV"),
        length=units.get("length", str, "mm"),
        padding=None if "padding" not in top else float(top.get("padding", (int, float), 0.0)),
    )
    try:
        return configure(spec)
    except UnsuitableFile as error:
        raise top.error("particles", str(error)) from None


def _classes(top: YamlMap) -> tuple[dict[str, str], str | None, dict[str, tuple[int, ...]]]:
    """Columns of flags by class; or the column of the class's number, and the numbers by class."""
    if "classes" not in top:
        return {}, None, {}
    classes = top.get("classes", YamlMap, YamlMap(top.path, "", {}, {}))
    if set(classes.values) == {"column", "values"}:
        values = classes.get("values", YamlMap, YamlMap(top.path, "", {}, {}))
        numbers = {name: _numbers(values, name) for name in values.values}
        taken: dict[int, str] = {}
        for name, own in numbers.items():
            for number in own:
                if taken.setdefault(number, name) != name:
                    raise values.error(name, f"{name} has the number {number}, which {taken[number]} has too")
        found: tuple[dict[str, str], str | None, dict[str, tuple[int, ...]]]
        found = ({}, classes.get("column", str, ""), numbers)
    else:
        found = (top.texts("classes"), None, {})
    if len(found[0] or found[2]) < 2:
        raise top.error("classes", "give at least two classes")
    return found


def _numbers(values: YamlMap, name: str) -> tuple[int, ...]:
    """Numbers of a class: a number, a list of them, or a range as "161-187", whose ends belong to it."""
    given = values.get(name, (int, str, list), 0)
    ranges = re.fullmatch(r"(\d+)\s*-\s*(\d+)", given) if isinstance(given, str) else None
    numbers = range(int(ranges[1]), int(ranges[2]) + 1) if ranges else given if isinstance(given, list) else [given]
    if not numbers or len(numbers) > MOST_NUMBERS or not all(type(number) is int for number in numbers):
        raise values.error(name, f"{name} is {given!r}; give a number, a list of numbers, or a range as 161-187")
    return tuple(dict.fromkeys(numbers))
