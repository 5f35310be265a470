"""The inputs of a network: which variables of a dataset it reads, in which order and shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xaug.core.errors import DatasetError, unknown_name
from xaug.core.types import Array, Arrays, JsonObject
from xaug.data.columns import NamedArrays
from xaug.data.variables import Table, Variable, kinds, table_of, table_of_version_0_1

__all__ = ["Inputs"]


@dataclass(frozen=True)
class Inputs:
    """The inputs of a model: their names, variables and shapes.

    Attributes
    ----------
    table : Table
        variables of the dataset that the network is trained on
    network : str
        name of a registered network
    columns : dict
        block -> names of the variables that are read, in column order
    rows_per_step : int
        rows of the particle list that a recurrent network reads in one step
    sizes : dict
        sizes of the network that differ from those with which it is registered; where `build` reads them, all sizes
    towers : bool
        whether each column of the particle list is an input of its own, named after it
    outputs : int
        number of classes, for each of which the network has an output
    """

    table: Table
    network: str
    columns: dict[str, list[str]] = field(default_factory=dict)
    rows_per_step: int = 1
    sizes: dict[str, float] = field(default_factory=dict)
    towers: bool = False
    outputs: int = 2

    def __post_init__(self) -> None:
        for block, chosen in self.columns.items():
            known = self.table.names(block)
            for name in chosen:
                if name not in known:
                    raise unknown_name(f"{block} variable", name, known)

    @property
    def kind(self) -> str:
        """Kind of the dataset."""
        return self.table.kind

    @property
    def is_padded(self) -> bool:
        """Whether lists can be shorter than their length."""
        return self.table.is_padded

    @property
    def config(self) -> JsonObject:
        """The choice as plain data; `sizes` is there only if some differ, `outputs` only if they are not two."""
        content: JsonObject = {
            "kind": self.kind,
            "network": self.network,
            "columns": self.columns,
            "rows_per_step": self.rows_per_step,
        }
        if self.outputs != 2:
            content["outputs"] = self.outputs
        return {**content, "sizes": self.sizes} if self.sizes else content

    def to_json(self) -> JsonObject:
        """All of it as plain data, with the table."""
        return {**self.config, "sizes": self.sizes, "towers": self.towers, "table": self.table.to_json()}

    @classmethod
    def from_json(cls, content: JsonObject) -> Inputs:
        """The inputs that `to_json` wrote, or those of a run of xaug 0.1, which have no table."""
        try:
            kind, table = content["kind"], content.get("table")
            return cls(
                table_of_version_0_1(kind) if table is None else Table.from_json(table),
                content["network"],
                {block: list(chosen) for block, chosen in content["columns"].items()},
                content.get("rows_per_step", 1),
                content.get("sizes", {}),
                content.get("towers", content["network"] == "cnn1d"),  # the only one that had towers in xaug 0.1
                content.get("outputs", 2),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise DatasetError(f"damaged record of a network's inputs ({error!r}); train again") from None

    @property
    def variables(self) -> dict[str, list[str]]:
        """Names of the variables of each input, by input name."""
        found: dict[str, list[str]] = {}
        for block, chosen in self.columns.items():
            found |= {name: [name] for name in chosen} if self._has_towers(block) else {block: list(chosen)}
        return found

    @property
    def records(self) -> dict[str, tuple[Variable, ...]]:
        """Variables of each input, by input name."""
        known = self.table.labels()
        return {name: tuple(known[column] for column in chosen) for name, chosen in self.variables.items()}

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each input, by name, without the axis of events."""
        found: dict[str, tuple[int, ...]] = {}
        for block, chosen in self.columns.items():
            if self._has_towers(block):
                found |= {name: self.table.block_shape(block, 1) for name in chosen}
            else:
                found[block] = self.table.block_shape(block, len(chosen))
        return found

    @property
    def fields(self) -> list[str]:
        """The fields of a dataset that the inputs are made of."""
        return self.table.fields(self.columns)

    def choose(self, arrays: Mapping[str, Array], reader: str) -> NamedArrays:
        """The chosen columns of the arrays of a dataset, by block, and the mask where there is one.

        Columns are found by name; arrays that do not know their names must have the columns of `table`.
        `reader` says in messages who needs them.
        """
        if not isinstance(arrays, NamedArrays):
            self._refuse_other_columns(reader)
        named = NamedArrays.of(arrays, self.table)
        missing = [name for name in self.fields if name not in named]
        if missing:
            raise DatasetError(f"{reader} needs {', '.join(missing)}; given are {', '.join(named) or 'no arrays'}")
        chosen = {name: named[name] for name in self.fields if name not in self.columns}
        for block, names in self.columns.items():
            found, own = named.table.block(block).shape, self.table.block(block).shape
            if found != own:
                raise DatasetError(f"{reader} needs {block!r} of the shape {own}; given is {found}")
            chosen[block] = named.columns(block, names, reader)
            for name in self.table.redefined(named.table, names):
                raise DatasetError(
                    f"{reader} was trained on a variable {name!r} that a plugin defined otherwise: its code changed. "
                    "Process with the plugin as it was, or give the new variable another name and train on it"
                )
        return NamedArrays(chosen, self.table.only(self.columns))

    def _refuse_other_columns(self, reader: str) -> None:
        """Refuse arrays without names where today's datasets of the kind have other columns than `table`."""
        if self.table.kind not in kinds():
            return
        today = table_of(self.table.kind)
        for block in self.columns:
            if block not in today.blocks or today.names(block) != self.table.names(block):
                raise DatasetError(
                    f"{reader} cannot tell the columns of {block!r}: a plain dict of arrays does not name them, and "
                    f"today's {self.table.kind} have other columns than those that it was trained on. Give the arrays "
                    "as Dataset.load returns them; their method `rows` takes some of the rows"
                )

    def take(self, scaled: Mapping[str, Array]) -> Arrays:
        """The arrays that the model reads, by input name, from scaled arrays of a dataset.

        Columns are found by name; arrays that do not know their names must have the columns of `table`.
        """
        named = NamedArrays.of(scaled, self.table)
        taken: Arrays = {}
        for block, chosen in self.columns.items():
            reader = f"network {self.network}"
            if self._has_towers(block):
                taken |= {name: named.columns(block, [name], reader) for name in chosen}
            else:
                taken[block] = named.columns(block, chosen, reader)
        return taken

    def _has_towers(self, block: str) -> bool:
        return block == "list" and self.towers
