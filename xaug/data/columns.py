"""Arrays that know the names of their columns, and picking columns by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xaug.core.errors import DatasetError, nearest
from xaug.core.types import Array
from xaug.data.variables import Table

__all__ = ["NamedArrays", "pick"]


class NamedArrays(dict[str, Array]):
    """Arrays by field, as `Dataset.load` gives them, with the table that names their columns.

    Attributes
    ----------
    table : Table
        names of the columns of each block, in the order of the arrays
    """

    def __init__(self, arrays: Mapping[str, Array], table: Table):
        super().__init__(arrays)
        self.table = table

    @classmethod
    def of(cls, arrays: Mapping[str, Array], default: Table) -> NamedArrays:
        """The arrays themselves if they know their columns; plain arrays have the columns of `default`."""
        return arrays if isinstance(arrays, cls) else cls(arrays, default)

    @classmethod
    def like(cls, arrays: Mapping[str, Array], others: Mapping[str, Array]) -> Mapping[str, Array]:
        """Arrays with the column names of others, if these know theirs."""
        return cls(arrays, others.table) if isinstance(others, cls) else arrays

    def rows(self, chosen: slice | Array) -> NamedArrays:
        """Some rows of all arrays, which know their columns as well.

        Parameters
        ----------
        chosen : slice or array
            a slice, positions of rows, or a condition (n,) that is true for the rows to take

        Returns
        -------
        NamedArrays
            the same fields; a plain dict of slices would have forgotten the names of the columns
        """
        return NamedArrays({name: values[chosen] for name, values in self.items()}, self.table)

    def copy(self) -> NamedArrays:
        """The arrays in another dict, which knows their columns as well."""
        return NamedArrays(self, self.table)

    def columns(self, block: str, names: Sequence[str], reader: str) -> Array:
        """Columns of a block by name.

        Parameters
        ----------
        block : str
            a block of the table
        names : sequence of str
            the wanted columns, in the wanted order
        reader : str
            who wants them, for messages: "run NAME"

        Raises
        ------
        DatasetError
            if the block or a column is missing, or the array has another number of columns than its table
        """
        if block not in self or block not in self.table.blocks:
            raise DatasetError(f"{reader} needs {block!r}; given are {', '.join(self) or 'no arrays'}")
        return pick(self[block], self.table.names(block), names, block, reader)


def pick(values: Array, have: Sequence[str], want: Sequence[str], block: str, reader: str) -> Array:
    """Columns (the last axis) of an array by name; the array itself if it has just these.

    Parameters
    ----------
    values : (n, ..., columns)
        the array
    have : sequence of str
        names of its columns
    want : sequence of str
        names of the columns that are picked, in the wanted order
    block, reader : str
        what the array is, and who reads it, for messages

    Raises
    ------
    DatasetError
        if the array has another number of columns than `have`, or a wanted column is missing
    """
    if values.shape[-1] != len(have):
        raise DatasetError(
            f"{block!r} has {values.shape[-1]} columns, but {len(have)} names ({_few(have)}); give the arrays as "
            "Dataset.load returns them, or with one column for each name"
        )
    if list(have) == list(want):
        return values
    places = {name: i for i, name in enumerate(have)}
    for name in want:
        if name not in places:
            near = nearest(name, have)
            guess = f"; the nearest is {near!r}" if near else f"; it has {_few(have)}"
            raise DatasetError(
                f"{reader} needs the column {name!r} of {block!r}, which the dataset does not have{guess}. "
                "Give a dataset that has it, or train again on this one"
            )
    return values[..., [places[name] for name in want]]


def _few(names: Sequence[str]) -> str:
    return ", ".join([*names[:3], "..."] if len(names) > 4 else names)
