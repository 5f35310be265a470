"""The file in which users name the columns of the inputs of their model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xaug.core.yaml_files import read_yaml
from xaug.data.table import GROUPS, Variable

__all__ = ["read_variables"]

KEYS = ("name", "label", "unit", "group")


def read_variables(path: Path) -> dict[str, list[Variable]]:
    """Variables of each input: a list of names, or of mappings with `name`, `label`, `unit` and `group`."""
    content = read_yaml(path, "INPUT: [NAME, NAME, ...]")
    found = {}
    for block, columns in content.values.items():
        if not isinstance(columns, list):
            raise content.error(block, f"{block!r} must be a list of names, or of mappings with {', '.join(KEYS)}")
        found[block] = [_variable(content, block, column) for column in columns]
    return found


def _variable(content: Any, block: str, column: Any) -> Variable:
    if isinstance(column, str):
        return Variable(column, column.replace("_", " "))
    own = getattr(column, "values", column)
    if not isinstance(own, Mapping) or not isinstance(own.get("name"), str):
        shown = f"with {', '.join(f'{k}: {v}' for k, v in own.items())}" if isinstance(own, Mapping) else repr(column)
        raise content.error(
            block, f"{block!r} has a column {shown}; must be a name in text, or a mapping as {{name: mass, unit: GeV}}"
        )
    for key, value in own.items():
        if key not in KEYS or not isinstance(value, str):
            raise content.error(
                block, f"column {own['name']!r} has {key}: {value!r}; known are texts {', '.join(KEYS)}"
            )
    if own.get("group") and own["group"] not in GROUPS:
        raise content.error(block, f"{own['name']!r} has the group {own['group']!r}; known: {', '.join(GROUPS)}")
    label = own.get("label", own["name"].replace("_", " "))
    return Variable(own["name"], label, own.get("unit", ""), own.get("group", ""))
