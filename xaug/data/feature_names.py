"""Names of features that are unique over all inputs of a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.types import Array

__all__ = ["named_columns", "unique_names"]


def named_columns(
    inputs: Mapping[str, Array], variables: Mapping[str, Sequence[str]] | Sequence[str] | None = None
) -> dict[str, list[str]]:
    """Names of the columns of each input, checked against the arrays.

    Parameters
    ----------
    inputs : dict of arrays
        by input name, each (n, ..., columns)
    variables : dict of list of str, optional
        names of the columns of some inputs, or of all; a list for a single input

    Returns
    -------
    dict of list of str
        by input name; empty for inputs without names

    Raises
    ------
    ConfigurationError
        if there is no such input, or it has another number of columns
    """
    given = variables or {}
    if not isinstance(given, Mapping):
        if len(inputs) > 1 or isinstance(given, str):
            raise ConfigurationError(
                f"variables is a {type(given).__name__}; it must be a dict of lists of names by input: "
                f"{{{next(iter(inputs))!r}: [...], ...}}"
            )
        given = {next(iter(inputs)): given}
    for name, names in given.items():
        if name not in inputs:
            raise unknown_name("input in variables", str(name), inputs)
        if isinstance(names, str) or not all(isinstance(one, str) for one in names):
            raise ConfigurationError(f"variables[{name!r}] is {names!r}; it must be a list of names")
        columns = inputs[name].shape[-1]
        if names and len(names) != columns:
            raise ConfigurationError(
                f"variables has {len(names)} names for the {columns} columns of input {name!r}; give one for each"
            )
    return {name: list(given.get(name, ())) for name in inputs}


def unique_names(columns: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Names of the columns of several inputs such that no two are the same.

    A name that several inputs have, or that is the name of another input, gets the name of its own input in front:
    columns `pt, eta` of the inputs `jet1` and `jet2` are `jet1.pt, jet1.eta` and `jet2.pt, jet2.eta`.

    Parameters
    ----------
    columns : dict of list of str
        names of the columns by input name; empty for inputs without names

    Returns
    -------
    dict of tuple of str
        by input name, as many names as were given

    Raises
    ------
    ConfigurationError
        if one input has two columns of the same name
    """
    for name, names in columns.items():
        twice = [column for column, count in Counter(names).items() if count > 1]
        if twice:
            raise ConfigurationError(f"input {name!r} has several columns named {twice[0]!r}; give each its own name")
    count = Counter(column for names in columns.values() for column in names)
    count.update(name for name, names in columns.items() if name not in names)
    return {
        name: tuple(f"{name}.{column}" if count[column] > 1 else column for column in names)
        for name, names in columns.items()
    }
