"""Labels of classes: the order of their names, the type of their numbers, and cells that are divided by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from xaug.core.errors import ConfigurationError
from xaug.core.types import Array
from xaug.data.column_names import NAME
from xaug.data.records import CLASSES

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = [
    "cells_by_class", "check_class_names", "is_background", "label_type", "ordered_classes", "refuse_no_weight",
]  # fmt: skip

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


def check_class_names(names: Sequence[str]) -> None:
    """Raise ConfigurationError for names of classes, by label, that cannot be told apart or chosen."""
    for i, name in enumerate(names):
        if not NAME.fullmatch(name):
            raise ConfigurationError(
                f"classes: {name!r} has a comma, a slash, or a space at an end; names of classes are chosen in lists "
                "separated by commas, and become parts of names of files"
            )
        if name in names[:i]:
            raise ConfigurationError(f"classes: {name!r} is there twice")
        if name == "predicted" or (name in CLASSES and i != CLASSES.index(name)):
            raise ConfigurationError(
                f"classes: {name!r} cannot be class {i}; as a target it means "
                + ("the class that is predicted" if name == "predicted" else f"class {CLASSES.index(name)}")
            )


def refuse_no_weight(name: str, total: float) -> None:
    """Raise ConfigurationError for a class whose sum of weights is not above 0: it cannot be normalised."""
    if not total > 0:
        raise ConfigurationError(
            f"class {name} has {total:.6g} as sum of weights; it must be above 0. Negative weights need enough "
            "positive ones beside them"
        )


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
