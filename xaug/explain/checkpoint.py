"""Checkpoints of an explanation that takes all events together, so that a killed one goes on where it was.

Methods that explain events block by block need none: each block has a file of its own (`xaug.explain.parts`). A method
with sums over all events keeps these sums, and how far it came, in one file beside the attributions. It writes them
now and then, and another process that does the same work reads them. All numbers are the same as without a break.
"""

from __future__ import annotations

import hashlib
import time
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from xaug.core.files import atomic_path
from xaug.core.types import Array, Arrays
from xaug.explain.disk_arrays import Zeros, blocks_of, zeros_in
from xaug.explain.method import Events, ExplainJob, part_path

__all__ = ["EVERY", "Checkpoint", "Resumable", "StoredArrays", "checkpoint_of", "digest_of"]

EVERY = 20.0
"""Seconds from one checkpoint to the next: what a kill may cost."""


class Resumable(Protocol):
    """Sums that can be stored as arrays."""

    def state(self) -> Arrays:
        """The sums as they are now, by name."""
        ...

    def resume(self, state: Arrays) -> None:
        """Take the sums that `state` gave in another process."""
        ...


class StoredArrays:
    """Arrays of fixed shapes that are filled in place.

    Parameters
    ----------
    arrays : dict of arrays
        by name
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self.arrays = dict(arrays)

    def state(self) -> Arrays:
        """The arrays."""
        return self.arrays

    def resume(self, state: Arrays) -> None:
        """Fill the arrays."""
        for name, values in self.arrays.items():
            values[...] = state[name]


class Checkpoint:
    """The state of one piece of work on disk.

    Parameters
    ----------
    path : Path
        file to write; it ends in .npz
    key : str
        digest of all that decides the numbers: a file of other work is left alone until it is overwritten
    every : float, optional
        seconds between two checkpoints; default: `EVERY`

    Attributes
    ----------
    zeros : callable
        makes arrays of zeros that lie in files beside that of the state, where they are large
    """

    def __init__(self, path: Path, key: str, every: float | None = None) -> None:
        self.path, self.key, self.every = path, key, EVERY if every is None else every
        self._kind = ""
        self._holders: dict[str, Resumable] = {}
        self._last = time.monotonic()
        self.zeros: Zeros = zeros_in(path.parent)

    def begin(self, kind: str, holders: Mapping[str, Resumable]) -> tuple[int, ...] | None:
        """Say which sums the work has; take those of an earlier process, if it did the same work.

        Parameters
        ----------
        kind : str
            name of the way in which the work is done
        holders : dict of Resumable
            the sums by name, all empty

        Returns
        -------
        tuple of int or None
            how far the earlier process came, as it said to `offer`; None if there is nothing to go on from
        """
        self._kind, self._holders, self._last = kind, dict(holders), time.monotonic()
        stored = self._read()
        if stored is None or str(stored.pop("key")) != self.key or str(stored.pop("kind")) != kind:
            return None
        for name, holder in self._holders.items():
            prefix = f"{name}/"
            holder.resume({key[len(prefix) :]: v for key, v in stored.items() if key.startswith(prefix)})
        return tuple(int(place) for place in stored["place"])

    def offer(self, *place: int) -> None:
        """Write the sums, unless that was done a short time ago.

        Parameters
        ----------
        *place : int
            how far the work came: `begin` returns it to the process that goes on
        """
        if time.monotonic() - self._last < self.every:
            return
        arrays: dict[str, Any] = {"key": self.key, "kind": self._kind, "place": np.array(place)}
        for name, holder in self._holders.items():
            arrays |= {f"{name}/{key}": values for key, values in holder.state().items()}
        with atomic_path(self.path) as temporary:
            np.savez(temporary, **arrays)
        self._last = time.monotonic()

    def _read(self) -> dict[str, Any] | None:
        """Content of the file; None if there is none, or none that can be read."""
        try:
            with np.load(self.path, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            return None


def digest_of(arrays: Iterable[Array], *words: object) -> str:
    """A digest of arrays, and of words such as options."""
    digest = hashlib.blake2b(repr(words).encode(), digest_size=16)
    for values in map(np.atleast_1d, arrays):
        for rows in blocks_of(len(values)):
            digest.update(values[rows].tobytes())
    return digest.hexdigest()


def checkpoint_of(job: ExplainJob[Any], events: Events) -> Checkpoint:
    """The checkpoint of a method that explains all events of a training together."""
    from xaug.explain.keras_models import weights_digest

    arrays = [*events.x.values(), events.label]
    if job.baseline is not None:
        arrays += [*job.baseline.arrays.values(), job.baseline.weights]
    key = digest_of(arrays, weights_digest(events.model), job.options, job.seed, events.training)
    return Checkpoint(part_path(job.directory, events.training, "state.npz"), key)
