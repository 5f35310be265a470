"""The user's choice of what moves along the paths of Integrated Gradients: frozen names, and values of padding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.types import Arrays
from xaug.explain.gradients.samples import Shapes
from xaug.explain.groups import element_places

__all__ = ["FREE", "PADDING", "PaddingLike", "frozen_elements", "read_padding"]

PADDING, FREE = "event", "free"
"""Padding is that of the event; paths are straight lines whatever is padded."""
PaddingLike = str | Mapping[str, float]
"""All that functions take for padding: "event", "free", or the value of padded steps by input name."""


# Frozen columns -------------------------------------------------------------------------------------------


def frozen_elements(names: Sequence[str], shapes: Shapes, variables: Mapping[str, Sequence[str]]) -> Arrays:
    """Elements that are frozen, from names of inputs and columns.

    Parameters
    ----------
    names : sequence of str
        inputs; columns by their name, or `input.column` where several inputs have one of that name; `input[i]`, column
        i of an input
    shapes : dict
        by input name, the shape of an event's input
    variables : dict of list of str
        names of the columns of each input; empty for inputs without names

    Returns
    -------
    dict of arrays of bool
        by input name, (size,); only inputs with frozen elements

    Raises
    ------
    ConfigurationError
        if there is no such input or column, or nothing is left that moves
    """
    if isinstance(names, str):
        names = [name.strip() for name in names.split(",") if name.strip()]
    places = element_places(shapes, variables)
    found: Arrays = {}
    for name in names:
        if name not in places:
            raise unknown_name("frozen input or column", str(name), [key for key in places if not key.endswith("]")])
        own, place = places[name]
        frozen = found.setdefault(own, np.zeros(shapes[own], bool))
        frozen[..., place] = True
    if all(name in found and found[name].all() for name in shapes):
        raise ConfigurationError(f"frozen {', '.join(names)}: nothing moves from the baseline to the event any more")
    return {name: frozen.reshape(-1) for name, frozen in found.items()}


# Padding --------------------------------------------------------------------------------------------------


def read_padding(padding: PaddingLike, shapes: Shapes) -> dict[str, float] | None:
    """Value of padded steps by input name; None where the network's own masks are meant.

    A text is "event", "free" (no input), or "list=0,muons=-999".

    Raises
    ------
    ConfigurationError
        if it is none of these, or there is no such input
    """
    if padding == PADDING:
        return None
    if padding == FREE:
        return {}
    values: dict[str, object] = {}
    if isinstance(padding, str):
        for part in padding.split(","):
            name, _, value = part.partition("=")
            if not value:
                raise unknown_name("padding", padding, (PADDING, FREE, "INPUT=VALUE"))
            values[name.strip()] = value
    elif isinstance(padding, Mapping):
        values = dict(padding)
    else:
        raise ConfigurationError(f"padding {padding!r}: give 'event', 'free', or values by input name")
    found = {}
    for name, given in values.items():
        if name not in shapes:
            raise unknown_name("input in padding", str(name), shapes)
        if len(shapes[name]) < 2:
            raise ConfigurationError(f"padding: input {name!r} has shape {shapes[name]}, which is no list of particles")
        try:
            found[name] = float(str(given))
        except ValueError:
            raise ConfigurationError(f"padding: the value {given!r} of input {name!r} is no number") from None
    return found
