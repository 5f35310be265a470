"""Words that captions and tables choose by the kind of dataset, and lists of words."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["between", "counted", "listed", "noun", "spread_over"]

OF_JETS = ("jets", "toy")
"""Kinds of datasets whose rows are jets."""


def noun(kind: str) -> str:
    """The noun by which a page calls the rows of a kind of dataset."""
    return "jets" if kind in OF_JETS else "events"


def counted(n: int, word: str) -> str:
    """`1 training`, `2 trainings`."""
    return f"{n} {word}" if n == 1 else f"{n} {word}s"


def spread_over(drawn: str, trainings: int) -> str:
    """A sentence that says what error bars or bands show; one training has none."""
    if trainings == 1:
        return f"There is one training, and so there are no {drawn}."
    return f"{drawn[0].upper()}{drawn[1:]} are standard deviations over {counted(trainings, 'training')}."


def between(numbers: Sequence[int]) -> str:
    """A number, or the smallest and the largest of several: `100`, `100 to 300`."""
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
