"""One split of a dataset as a training reads it: labels and weights in memory, scaled inputs block by block.

Inputs that fit into a budget of memory stay there once they are read. Of larger ones, some blocks are held, and others
are read again from the parts of the dataset. The rows that a caller gets are the same in both cases.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

from xaug.core.types import Array, Arrays
from xaug.data.dataset import Dataset
from xaug.data.part_files import CHUNK
from xaug.data.scaling import Scaler
from xaug.data.weights import balanced, labels_and_weights
from xaug.networks.inputs import Inputs
from xaug.training.reweighting import Reweighting, values_of

__all__ = ["BLOCK", "MEMORY", "ScaledSample"]

BLOCK = CHUNK
"""Rows that are read at once."""
MEMORY = 256
"""Inputs of a split that are held in memory, in MB, unless another number is given."""


class ScaledSample:
    """One split of a dataset, ready for a network.

    Parameters
    ----------
    data : Dataset
    inputs : Inputs
        which variables the network reads
    scaler : Scaler
    split : str
        "train", "validation" or "test"
    weights : str
        what an event counts for, see `xaug.data.weights.WEIGHTS`
    max_rows : int, optional
        largest number of rows; default: all
    reweighting : Reweighting, optional
        factors of the weights
    memory : float
        inputs are held in memory if they take at most this many MB
    window : int
        number of blocks that are held if they take more

    Attributes
    ----------
    label : array (n,)
        class of each event
    weight : array (n,)
        weights of which those of each of K classes sum to n / K
    error : Exception or None
        what the last call of `take` raised, since TensorFlow passes no exceptions on
    """

    def __init__(
        self,
        data: Dataset,
        inputs: Inputs,
        scaler: Scaler,
        split: str,
        weights: str = "unit",
        *,
        max_rows: int | None = None,
        reweighting: Reweighting | None = None,
        memory: float = MEMORY,
        window: int = 2,
    ) -> None:
        self._data, self._inputs, self._split = data, inputs, split
        self._scaler = scaler.only(inputs.columns)
        self._rows = data.rows(split, max_rows)
        self.label, own = labels_and_weights(data, weights, split, max_rows)
        if reweighting is not None:
            own = own * reweighting.weights(values_of(data, reweighting.binning.variable, split, max_rows), self.label)
        self.weight = balanced(own, self.label, data.classes)
        self.error: Exception | None = None
        blocks = -(-len(self) // BLOCK)
        self.is_streamed = len(self) * self._bytes_per_row > memory * 1e6
        """Whether the inputs are larger than the memory that they may take."""
        self._capacity = min(window, blocks) if self.is_streamed else blocks
        rows = min(self._capacity * BLOCK, len(self))
        self._held = {name: np.zeros((rows, *shape), np.float32) for name, shape in inputs.shapes.items()}
        self._place = np.full(blocks, -1)  # of each block among those held; -1: not held
        self._order: list[int] = []  # blocks held, the first read first
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each input by name, without the axis of events."""
        return self._inputs.shapes

    @property
    def _bytes_per_row(self) -> int:
        return sum(4 * int(np.prod(shape)) for shape in self.shapes.values())

    def read(self, rows: Array) -> Arrays:
        """Scaled inputs of some rows, read from the dataset.

        Parameters
        ----------
        rows : (m,) array of int
            rows of the sample, from 0, in ascending order

        Returns
        -------
        dict of arrays
            by input name, each (m, ...), float32
        """
        arrays = self._data.load_rows(self._inputs.fields, self._split, self._rows[rows])
        chosen = self._inputs.choose(arrays, f"network {self._inputs.network}")
        return self._inputs.take(self._scaler.scale(chosen))

    def take(self, rows: Array) -> Arrays:
        """Scaled inputs of some rows, of which those of blocks that are held are not read again.

        Parameters
        ----------
        rows : (m,) array of int
            rows of the sample, from 0, in any order

        Returns
        -------
        dict of arrays
            by input name, each (m, ...), float32
        """
        pieces: list[Arrays] = []
        with self._lock:
            try:
                while not pieces or len(rows):
                    n = self._hold(rows // BLOCK)
                    places = self._place[rows[:n] // BLOCK] * BLOCK + rows[:n] % BLOCK
                    pieces.append({name: values[places] for name, values in self._held.items()})
                    rows = rows[n:]
            except Exception as error:
                self.error = error
                raise
        return (
            pieces[0] if len(pieces) == 1 else {name: np.concatenate([p[name] for p in pieces]) for name in pieces[0]}
        )

    def _hold(self, blocks: Array) -> int:
        """Hold as many of the blocks as there is place for, from the first on, and return how many of them are held."""
        if (self._place[blocks] >= 0).all():
            return len(blocks)
        distinct, first = np.unique(blocks, return_index=True)
        order = np.argsort(first)
        wanted, n = distinct[order], len(blocks)
        if len(wanted) > self._capacity:
            n, wanted = int(first[order][self._capacity]), wanted[: self._capacity]
        self._read_blocks([int(block) for block in wanted if self._place[block] < 0], set(wanted.tolist()))
        return n

    def _read_blocks(self, missing: Sequence[int], wanted: set[int]) -> None:
        """Read blocks into free places, or into those of blocks that are not wanted, the first read first."""
        for block in missing:
            if len(self._order) < self._capacity:
                # a block shorter than others is the last one of all, and has its place at the end
                place = block if self._capacity == len(self._place) else len(self._order)
            else:
                old = next(held for held in self._order if held not in wanted)
                self._order.remove(old)
                place, self._place[old] = int(self._place[old]), -1
            rows = np.arange(block * BLOCK, min((block + 1) * BLOCK, len(self)))
            for name, values in self.read(rows).items():
                self._held[name][place * BLOCK : place * BLOCK + len(rows)] = values
            self._order.append(block)
            self._place[block] = place
