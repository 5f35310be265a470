"""How many jets or events remain after each cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["CutFlow"]


@dataclass(frozen=True)
class CutFlow:
    """Counts after each cut, in the order of the cuts."""

    counts: Mapping[str, int]

    def __getitem__(self, cut: str) -> int:
        return self.counts[cut]

    def __add__(self, other: CutFlow) -> CutFlow:
        names = dict.fromkeys([*self.counts, *other.counts])
        return CutFlow({name: self.counts.get(name, 0) + other.counts.get(name, 0) for name in names})

    def __str__(self) -> str:
        return ", ".join(f"{cut} {count}" for cut, count in self.counts.items())

    def losses(self, name: str) -> list[str]:
        """A sentence for each cut between jets or events of a class that more than half of them fail.

        The step from events to the first cut is not one: an event need not have any jet.
        """
        steps = list(self.counts.items())[1:]
        return [
            f"{name} loses {100 * (1 - after / before):.0f}% to the cut {cut!r} ({before} to {after})"
            for (_, before), (cut, after) in pairwise(steps)
            if before and after < before / 2
        ]

    @property
    def after_first_cut(self) -> int:
        """How many remain after the first cut; the first entry counts what there was before."""
        return list(self.counts.values())[1]

    def to_json(self) -> dict[str, int]:
        """Cut -> count."""
        return dict(self.counts)
