"""Words that captions and tables choose by the kind of dataset, and lists of words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xaug.data.dataset import Dataset

__all__ = ["NORMALISED", "between", "counted", "is_split", "listed", "measured_rows", "noun", "of_split", "spread_over"]

NORMALISED = "Normalised: divided by the largest absolute relevance of any input element, event by event."
"""Meaning of a normalised relevance; all other relevances of a page are in units of the explained output."""

OF_JETS = ("jets", "toy")
"""Kinds of datasets whose rows are jets."""


def noun(kind: str) -> str:
    """The noun by which a page calls the rows of a kind of dataset."""
    return "jets" if kind in OF_JETS else "events"


def measured_rows(data: Dataset) -> str:
    """Rows that numbers are measured on: `test jets`, or `events` of a file of the user's, which is not split."""
    rows = noun(data.kind)
    return f"test {rows}" if is_split(data) else rows


def of_split(data: Dataset) -> str:
    """Part of a dataset on which numbers are measured: `the test split`, or `the sample` where that is not split."""
    return "the test split" if is_split(data) else "the sample"


def is_split(data: Dataset) -> bool:
    """Whether a dataset has more than the events on which numbers are measured."""
    return data.size("test") < data.size()


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
