"""Words that captions and tables choose by the kind of dataset."""

from __future__ import annotations

__all__ = ["noun"]

OF_JETS = ("jets", "toy")
"""Kinds of datasets whose rows are jets."""


def noun(kind: str) -> str:
    """The noun by which a page calls the rows of a kind of dataset."""
    return "jets" if kind in OF_JETS else "events"
