"""The table of input variables: a registry that the packages of jets, events and the toy model fill.

A *kind* of dataset has *blocks* of inputs, and a block has columns, one for each `Variable`: "jets" and "toy" have
"image" (pixels), "list" (columns of the particle list) and "xaug" (expert variables, one number for each jet);
"events" have "event" (one number for each event). `table_of` gives the table of a kind as the code of today has it.

Every dataset, run and attribution stores its own `Table` or its own variables. Scaler, networks, plots and report
read the stored one, so that a dataset stays what it was when the code gains, loses or reorders variables. Columns
are always matched by name.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Iterable, Mapping

from xaug.core.errors import ConfigurationError, DatasetError, unknown_name
from xaug.data.table import GROUPS, PADDING, Block, Table, Variable

__all__ = [
    "GROUPS", "KINDS_0_1", "PADDING", "Block", "Table", "Variable", "kinds", "labels", "names", "register", "rows",
    "select", "table_of", "table_of_version_0_1",
]  # fmt: skip


class _Tables(dict[str, Table]):
    """Tables by kind of dataset."""

    def code_content(self) -> tuple[object, ...]:
        """Nothing: code that looks a table up is the same whatever tables there are, and each table has a digest."""
        return ()


_TABLES = _Tables()


def register(
    kind: str,
    block: str,
    variables: Iterable[Variable],
    shape: tuple[int, ...] = (),
    selections: Mapping[str, tuple[str, ...]] | None = None,
) -> None:
    """Add a block of variables to a kind of dataset.

    Parameters
    ----------
    kind : str
        kind of dataset; a new one begins with its first block
    block : str
        name of the block
    variables : iterable of Variable
        columns of the block, in order
    shape : tuple of int
        axes of the block between that of the events and that of the columns
    selections : dict
        named choices of variables

    Raises
    ------
    ConfigurationError
        if the kind has this block already, or two of its columns have one name
    """
    known = _TABLES.get(kind, Table(kind, {}))
    if block in known.blocks:
        raise ConfigurationError(f"kind {kind!r} has a block {block!r} already; register each block once")
    _TABLES[kind] = Table(kind, {**known.blocks, block: Block(block, tuple(variables), shape, selections or {})})


def kinds() -> list[str]:
    """Kinds of datasets that are registered."""
    return list(_TABLES)


def table_of(kind: str) -> Table:
    """The table of a registered kind of dataset, as today's code computes it.

    Raises
    ------
    ConfigurationError
        if no such kind is registered; the message suggests the nearest
    """
    if kind not in _TABLES:
        raise unknown_name("kind of dataset", kind, _TABLES)
    return _TABLES[kind]


KINDS_0_1 = ("jets", "toy", "events", "events_met")
"""Kinds of datasets of version 0.1."""


@functools.cache
def table_of_version_0_1(kind: str) -> Table:
    """The table of a kind of dataset in xaug 0.1, whose datasets, runs and attributions did not store theirs.

    Raises
    ------
    DatasetError
        if version 0.1 had no such kind
    """
    text = importlib.resources.files("xaug.data").joinpath("tables_0_1.json").read_text(encoding="utf-8")
    content = json.loads(text)
    if kind not in content:
        raise DatasetError(f"version 0.1 of xaug had no datasets of kind {kind!r}; it had {', '.join(content)}")
    return Table.from_json(content[kind])


def rows(kind: str, block: str) -> tuple[Variable, ...]:
    """The variables of one block of a kind of dataset, in column order.

    Parameters
    ----------
    kind : str
        kind of dataset: "jets", "toy", "events" or "events_met"
    block : str
        "image", "list", "xaug" or "event"

    Returns
    -------
    tuple of Variable
        as today's code has them; those of a dataset on disk are `Dataset.table.variables(block)`

    Raises
    ------
    ConfigurationError
        if kind or block are unknown; the message suggests the nearest
    """
    return table_of(kind).variables(block)


def names(kind: str, block: str) -> list[str]:
    """Column names of one block of a kind of dataset, in order.

    Parameters
    ----------
    kind : str
        kind of dataset: "jets", "toy", "events" or "events_met"
    block : str
        "image", "list", "xaug" or "event"

    Returns
    -------
    list of str
        as today's code has them; those of a dataset on disk are `Dataset.names(block)`

    Raises
    ------
    ConfigurationError
        if kind or block are unknown; the message suggests the nearest
    """
    return table_of(kind).names(block)


def labels(kind: str) -> dict[str, Variable]:
    """All variables of a kind of dataset by name, for plots and tables.

    Parameters
    ----------
    kind : str
        kind of dataset: "jets", "toy", "events" or "events_met"

    Returns
    -------
    dict of Variable
        as today's code has them; those of a dataset on disk are `Dataset.table.labels()`

    Raises
    ------
    ConfigurationError
        if the kind is unknown; the message suggests the nearest
    """
    return table_of(kind).labels()


def select(kind: str, block: str, choice: str | Iterable[str]) -> list[str]:
    """Names of the variables that a choice means, in the order of the table.

    Parameters
    ----------
    kind : str
        kind of dataset: "jets", "toy", "events" or "events_met"
    block : str
        "list", "xaug" or "event"
    choice : str or list of str
        names of variables, "all", "none" or named selections ("no_flavour", "authors5", "four_momentum"), together
        (a list, or separated by commas)

    Returns
    -------
    list of str
        the chosen names

    Raises
    ------
    ConfigurationError
        if a name is unknown; the message suggests the nearest
    """
    return table_of(kind).select(block, choice)
