"""The explained output of events some groups of which come from baselines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from xaug.core.types import Array, Arrays
from xaug.explain.groups import FeatureGroups
from xaug.explain.output_function import OutputFunction

__all__ = ["ChangedEvents"]

ROWS = 2**16
"""Changed events that are listed at a time."""


@dataclass(frozen=True, eq=False)
class ChangedEvents:
    """Events of a function f, groups of their inputs, and baselines.

    Attributes
    ----------
    f : OutputFunction
    groups : FeatureGroups
    baselines : dict of arrays
        scaled inputs by input name, each (baselines, ...)
    """

    f: OutputFunction
    groups: FeatureGroups
    baselines: Arrays

    def values(self, events: Array, baselines: Array, kept: Array) -> Array:
        """f (m,) of changed events.

        Parameters
        ----------
        events, baselines : (m,) arrays of int
            rows of the events, and of the baselines that replace their groups
        kept : (m, groups) array of bool
            whether a group keeps the values of the event
        """
        found, size = np.empty(len(events)), self.f.batch
        for start in range(0, len(events), size):
            rows = slice(start, start + size)
            x = {name: values[events[rows]] for name, values in self.f.inputs.items()}
            other = {name: self.baselines[name][baselines[rows]] for name in x}
            found[rows] = self.f.values(self.groups.mixed(x, other, kept[rows]), events[rows])
        return found

    def blocks(self, each: int) -> Iterator[Array]:
        """Rows of the events, block by block, where each event has `each` changed copies."""
        size = max(1, ROWS // each)
        for start in range(0, len(self.f), size):
            yield np.arange(start, min(start + size, len(self.f)))
