"""The options of the tests of explanations, apart from the tests: a command shows them without loading these."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Choices"]


@dataclass(frozen=True)
class Choices:
    """The options of the tests.

    Attributes
    ----------
    events : int
        events that are judged, at most
    changed_events : int
        events that are explained again after a change of weights or inputs, at most
    replacement : str
        what stands in for deleted values, see `xaug.explain.faithfulness.REPLACEMENTS`
    groups : str
        what is deleted together, see `xaug.explain.faithfulness.deletion_curves`
    points : int
        points of a deletion curve
    symmetric : tuple of str
        variables that cannot matter by a symmetry
    seed : int
        seed of all draws
    """

    events: int = 2000
    changed_events: int = 100
    replacement: str = "background"
    groups: str = "features"
    points: int = 20
    symmetric: tuple[str, ...] = ("phi",)
    seed: int = 1
