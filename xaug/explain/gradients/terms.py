"""Attributions of some pairs of an event and a baseline, and what they should add up to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xaug.core.types import Array

__all__ = ["Terms"]


@dataclass(frozen=True)
class Terms:
    """Attributions of some pairs, as `Integrator.by_name` takes them, and what they should add up to."""

    found: list[Array]
    error: Array
    logit: Array
    reference: Array

    @property
    def is_finite(self) -> Array:
        """(pairs,) whether f is a number at both ends."""
        finite: Array = np.isfinite(self.logit) & np.isfinite(self.reference)
        return finite

    def change(self, other: Terms) -> Array:
        """(pairs,) largest difference of any attribution from that of the same pair in `other`."""
        largest: Array = np.zeros(len(self.error))
        for one, two in zip(self.found, other.found, strict=True):
            largest = np.maximum(largest, np.abs(one - two).reshape(len(one), -1).max(axis=1, initial=0.0))
        return largest

    def rows(self, rows: Array) -> Terms:
        """Those of some pairs."""
        return Terms([v[rows] for v in self.found], self.error[rows], self.logit[rows], self.reference[rows])

    def with_rows(self, rows: Array, new: Terms) -> Terms:
        """All of them, those of some pairs exchanged."""
        found, error = [values.copy() for values in self.found], self.error.copy()  # tensors cannot be written to
        for values, others in zip([*found, error], [*new.found, new.error], strict=True):
            values[rows] = others
        return Terms(found, error, self.logit, self.reference)
