"""Labels of classes as numbers: their type, and numbers of cells that are divided by class."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from xaug.core.types import Array

__all__ = ["cells_by_class", "label_type"]


def label_type(classes: int) -> npt.DTypeLike:
    """The type in which labels of so many classes are stored: int8, or int16 for more than 127."""
    return np.int8 if classes <= np.iinfo(np.int8).max else np.int16


def cells_by_class(label: Array, cell: Array, cells: int) -> Array:
    """Numbers (n,) of cells, those of each class behind those of the class before.

    Labels are stored in 8 bits, in which their product with the number of cells does not fit.

    Parameters
    ----------
    label
        class of each event, 0 to K - 1, of any type of integers
    cell
        cell of each event, 0 to cells - 1
    cells
        number of cells
    """
    found: Array = label.astype(np.int64) * cells + cell
    return found
