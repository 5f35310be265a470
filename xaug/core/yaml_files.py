"""YAML files of settings: read with the line of each value, and checked against what may stand there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from xaug.core.errors import ConfigurationError, nearest

__all__ = ["YamlMap", "read_yaml"]

T = TypeVar("T")
LARGEST = 1_000_000
"""Bytes of a file of settings at most."""
DEEPEST = 20
"""Levels of a file of settings at most: the parser takes a time quadratic in them."""


class YamlMap:
    """A mapping of a YAML file, whose keys and values know their lines.

    Parameters
    ----------
    path
        the file
    name
        what the mapping is, for messages
    values, lines
        values and lines by key; values are plain data or mappings
    """

    def __init__(self, path: Path, name: str, values: Mapping[str, Any], lines: Mapping[str, int]):
        self.path, self.name, self.values, self.lines = path, name, values, lines

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def error(self, key: str, reason: str) -> ConfigurationError:
        """The error about a key, with the file and the line."""
        return ConfigurationError(f"{self.path}, line {self.lines.get(key, 1)}: {reason}")

    def check(self, known: Iterable[str]) -> None:
        """Raise ConfigurationError for a key that is not known; the message suggests the nearest."""
        names = list(known)
        for key in self.values:
            if key not in names:
                near = nearest(key, names)
                guess = f"; did you mean {near!r}?" if near else "."
                raise self.error(key, f"unknown key {key!r} in {self.name}{guess} Known: {', '.join(names)}")

    def get(self, key: str, types: type[T] | tuple[type[T], ...], default: T) -> T:
        """The value of a key, of one of the types; ConfigurationError for another type."""
        if key not in self.values:
            return default
        value = self.values[key]
        wrong = isinstance(value, bool) and bool not in (types if isinstance(types, tuple) else (types,))
        if wrong or not isinstance(value, types):
            kinds = types if isinstance(types, tuple) else (types,)
            wanted = " or ".join(WORDS.get(kind, kind.__name__) for kind in kinds)
            shown = "a mapping" if isinstance(value, YamlMap) else repr(value)
            raise self.error(key, f"{key} is {shown}; it must be {wanted}")
        return value

    def texts(self, key: str) -> dict[str, str]:
        """The mapping of names to texts under a key."""
        inner = self.get(key, YamlMap, YamlMap(self.path, key, {}, {}))
        return {name: inner.get(name, str, "") for name in inner.values}


WORDS: dict[type, str] = {
    YamlMap: "a mapping", str: "text", bool: "true or false", int: "a whole number", float: "a number", list: "a list",
}  # fmt: skip


def read_yaml(path: Path, example: str = "format: columns") -> YamlMap:
    """Read a YAML file whose top is a mapping.

    Parameters
    ----------
    path : Path
        the file
    example : str
        a line of such a file, for the error about one that holds no mapping

    Raises
    ------
    ConfigurationError
        if it cannot be read, has a key twice, or has an alias, which could make a small file endless
    """
    try:
        if not path.is_file():
            raise OSError("it is not a file")
        if path.stat().st_size > LARGEST:
            raise OSError(f"it has more than {LARGEST} bytes")
        text = path.read_text(encoding="utf-8")
        depth = 0
        for event in yaml.parse(text, yaml.SafeLoader):
            line = event.start_mark.line + 1 if event.start_mark else 1
            if isinstance(event, yaml.AliasEvent):
                raise ConfigurationError(f"{path}, line {line}: alias *{event.anchor}; write out what it stands for")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise ConfigurationError(f"{path}, line {line}: more than {DEEPEST} levels; settings need a few")
        node = yaml.compose(text, yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise ConfigurationError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(node, yaml.MappingNode):
        found = (
            "is empty" if node is None else "holds a list" if isinstance(node, yaml.SequenceNode) else "holds a text"
        )
        raise ConfigurationError(f"{path}, line 1: {found}; it must be a mapping as `{example}`")
    return _map(path, path.name, node)


def _map(path: Path, name: str, node: yaml.MappingNode) -> YamlMap:
    values: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = _value(path, name, key_node)
        if isinstance(key, (YamlMap, list)):
            raise ConfigurationError(f"{path}, line {line}: a key must be text")
        if str(key) in values:
            raise ConfigurationError(f"{path}, line {line}: {key!r} is there twice (line {lines[str(key)]})")
        values[str(key)], lines[str(key)] = _value(path, str(key), value_node), line
    return YamlMap(path, name, values, lines)


def _value(path: Path, name: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _map(path, name, node)
    if isinstance(node, yaml.SequenceNode):
        return [_value(path, name, item) for item in node.value]
    try:
        return yaml.SafeLoader("").construct_object(node)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path}, line {node.start_mark.line + 1}: {' '.join(str(error).split())}") from None
