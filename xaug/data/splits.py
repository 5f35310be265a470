"""The identity of an event, and the split and random numbers that follow from it.

All of them are hashes, so they do not depend on chunks, files, workers or machines.
"""

from __future__ import annotations

import numpy as np

from xaug.core.files import digest_json
from xaug.core.types import Array

__all__ = ["SPLITS", "assign_split", "event_ids", "uniforms"]

SPLITS = ("train", "validation", "test")
"""Names of the splits, by the number that a dataset stores."""
_GOLDEN = 0x9E3779B97F4A7C15
"""The increment of splitmix64: consecutive multiples of it are far apart."""


def _mix(x: Array) -> Array:
    """The finaliser of splitmix64 (S. Vigna): a bijection of 64-bit integers that scrambles all bits."""
    x = x.astype(np.uint64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Array = x ^ (x >> np.uint64(31))
    return mixed


def _word(text: str) -> Array:
    """A 64-bit hash of a text, (1,): arrays wrap around in silence, scalars would warn."""
    return np.array([int(digest_json(text), 16)], dtype=np.uint64)


def event_ids(identity: str, entries: Array) -> Array:
    """Ids (n,) uint64 of events: a hash of what the file is and of the event's entry in it."""
    return _mix(_word(identity) + np.asarray(entries).astype(np.uint64) * np.uint64(_GOLDEN))


def assign_split(ids: Array, seed: int, fractions: tuple[float, float, float]) -> Array:
    """The split (n,) int8 of each event, an index of SPLITS, from a hash of its id and the seed.

    All jets of an event, and all copies of it, land in the same split, whatever the chunks or files.
    """
    uniform = uniforms(ids, f"split {seed}")
    return np.searchsorted(np.cumsum(fractions)[:-1], uniform, side="right").astype(np.int8)


def uniforms(ids: Array, purpose: str, index: Array | int = 0) -> Array:
    """Numbers (n,) in [0, 1], uniform, that depend on (event id, purpose, index) alone."""
    key = _word(purpose) + np.asarray(index).astype(np.uint64) * np.uint64(_GOLDEN)
    return _mix(ids ^ _mix(key)) / 2.0**64
