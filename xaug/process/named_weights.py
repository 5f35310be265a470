"""Generator weights: one number for each event, of a column that the user may name."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any

import awkward as ak
import numpy as np

from xaug.core.errors import BadValues
from xaug.core.types import Array

__all__ = ["WEIGHT", "named_weights", "one_for_each_event"]

WEIGHT = re.compile(r"([\w.]+)(?:\[(\d+)\])?")
"""A column, or a component of it: `genWeight`, `LHEWeight[0]`, `Event.Weight[2]`."""


LARGEST = 1e18
"""Weights are smaller: the squares of many of them must fit into numbers of 32 bits."""


def named_weights(chunk: Any, name: str) -> Array:
    """Weights of opened entries from the column of a name; of any shape where it names no component.

    Parameters
    ----------
    chunk
        entries as coffea opens them, an awkward array
    name
        column, or a component of it; fields of collections stand behind a dot

    Raises
    ------
    BadValues
        if there is no such column or component
    """
    found = WEIGHT.fullmatch(name)
    assert found is not None  # it was checked with the file
    values = chunk
    for field in found[1].split("."):
        known = list(getattr(values, "fields", ()))
        if field not in known:
            near = get_close_matches(field, known, n=1)
            raise BadValues(f"weight {name!r}: there is no {field!r}" + (f"; nearest is {near[0]!r}" if near else ""))
        values = values[field]
    if found[2] is not None:
        component = int(found[2])
        if values.ndim < 2 or ak.any(ak.num(values, axis=1) <= component):
            raise BadValues(f"weight {name!r}: some events have no component {component}")
        values = values[:, component]
    weights: Array = ak.to_numpy(ak.fill_none(values, np.nan) if values.ndim == 1 else ak.num(values, axis=1))
    return weights if values.ndim == 1 else np.zeros((len(weights), int(weights.max(initial=0))))


def one_for_each_event(weights: Array, n: int, name: str | None) -> Array:
    """The weights (n,) themselves; BadValues where they are not one finite number for each of n events."""
    called = name or "weight"
    if weights.shape != (n,):
        raise BadValues(
            f"{called} has the shape {weights.shape} for {n} events: one number for each event is needed. Name a "
            f'component with --weight \'{called}[0]\', or in the metadata of a fileset as {{"weight": "{called}[0]"}}'
        )
    bad = np.flatnonzero(~(np.abs(weights) < LARGEST))
    if len(bad):
        raise BadValues(f"{called} is {weights[bad[0]]:g} in entry {bad[0]} of these; weights are below {LARGEST:g}")
    return weights.astype(np.float64)
