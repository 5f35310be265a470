"""Labels of classes: the order of their names, the type of their numbers, and cells that are divided by class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from xaug.core.types import Array

__all__ = ["cells_by_class", "is_background", "label_type", "ordered_classes"]

BACKGROUNDS = ("background", "bkg", "qcd")


def is_background(name: str) -> bool:
    """Whether a class is a background by its name, which then comes first: background, bkg or QCD in any case."""
    return name.lower() in BACKGROUNDS


def ordered_classes(names: Sequence[str]) -> tuple[str, ...]:
    """Names of classes by label: backgrounds by name first, all others in the order given; numbers by their size."""
    distinct = list(dict.fromkeys(names))
    if all(name.isdecimal() for name in distinct):
        return tuple(sorted(distinct, key=int))
    return (*filter(is_background, distinct), *(name for name in distinct if not is_background(name)))


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
