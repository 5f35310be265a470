"""The explained output of events some groups of which come from baselines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from xaug.core.types import Array, Arrays
from xaug.explain.groups import FeatureGroups
from xaug.explain.output_function import OutputFunction
from xaug.explain.perturbation.branches import Branches, branches_of

__all__ = ["ChangedEvents"]

ROWS = 2**16
"""Changed events that are listed at a time."""
MANY = 1024
"""Changed events from which on it pays to cut the network into branches."""
JOINED = 2**15
"""Changed events that the network behind its branches computes at a time."""


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

    @cached_property
    def branches(self) -> Branches | None:
        """The network cut where its branches meet; None where it has none that can be computed apart."""
        return branches_of(self.f.network, self.groups, self.f.inputs)

    def values(self, events: Array, baselines: Array, kept: Array) -> Array:
        """f (m,) of changed events.

        Parameters
        ----------
        events, baselines : (m,) arrays of int
            rows of the events, and of the baselines that replace their groups
        kept : (m, groups) array of bool
            whether a group keeps the values of the event
        """
        branches = self.branches if len(events) >= MANY else None
        found, size = np.empty(len(events)), self.f.batch if branches is None else JOINED
        for start in range(0, len(events), size):
            rows = slice(start, start + size)
            if branches is not None:
                z = branches.numbers(
                    self.groups, self.f.inputs, self.baselines, events[rows], baselines[rows], kept[rows], self.f.batch
                )
                found[rows] = self.f.explained(z, events[rows])
                continue
            x = {name: values[events[rows]] for name, values in self.f.inputs.items()}
            other = {name: self.baselines[name][baselines[rows]] for name in x}
            found[rows] = self.f.values(self.groups.mixed(x, other, kept[rows]), events[rows])
        return found

    def blocks(self, each: int, first: int = 0) -> Iterator[Array]:
        """Rows of the events from the first on, block by block, where each event has `each` changed copies."""
        size = max(1, ROWS // each)
        for start in range(first, len(self.f), size):
            yield np.arange(start, min(start + size, len(self.f)))
