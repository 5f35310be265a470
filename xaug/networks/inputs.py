"""The inputs of a network: which variables of a dataset it reads, in which order and shape."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from xaug.core.errors import ConfigurationError, DatasetError, unknown_name
from xaug.core.types import Array, Arrays, JsonObject
from xaug.data.variables import Table, Variable, table_of_version_0_1
from xaug.networks.registry import NETWORKS

__all__ = ["Inputs", "build", "choose_inputs"]


@dataclass(frozen=True)
class Inputs:
    """The inputs of a model: their names, variables and shapes.

    Attributes
    ----------
    table : Table
        variables of the dataset that the network is trained on
    network : str
        a name in NETWORKS
    columns : dict
        block -> names of the variables that are read, in column order
    rows_per_step : int
        rows of the list that a recurrent network reads at a time
    sizes : dict
        sizes of the network that differ from those of its entry in NETWORKS
    """

    table: Table
    network: str
    columns: dict[str, list[str]] = field(default_factory=dict)
    rows_per_step: int = 1
    sizes: dict[str, float] = field(default_factory=dict)

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
        """The choice as plain data; `sizes` is there only if some differ."""
        content: JsonObject = {
            "kind": self.kind,
            "network": self.network,
            "columns": self.columns,
            "rows_per_step": self.rows_per_step,
        }
        return {**content, "sizes": self.sizes} if self.sizes else content

    def to_json(self) -> JsonObject:
        """All of it as plain data, with the table."""
        return {**self.config, "sizes": self.sizes, "table": self.table.to_json()}

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
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise DatasetError(f"damaged record of a network's inputs ({error!r}); train again") from None

    def size(self, name: str) -> float:
        """A size of the network."""
        return self.sizes.get(name, NETWORKS[self.network].sizes[name])

    @property
    def variables(self) -> dict[str, list[str]]:
        """Names of the variables of each input, by input name."""
        found: dict[str, list[str]] = {}
        for block, chosen in self.columns.items():
            found |= {name: [name] for name in chosen} if self._is_towers(block) else {block: list(chosen)}
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
            if self._is_towers(block):
                found |= {name: self.table.block_shape(block, 1) for name in chosen}
            else:
                found[block] = self.table.block_shape(block, len(chosen))
        return found

    @property
    def fields(self) -> list[str]:
        """The fields of a dataset that the inputs are made of."""
        return self.table.fields(self.columns)

    def take(self, scaled: Mapping[str, Array]) -> Arrays:
        """The arrays that the model reads, by input name, from scaled arrays with the columns of `table`."""
        taken: Arrays = {}
        for block, chosen in self.columns.items():
            known = self.table.names(block)
            if self._is_towers(block):
                taken |= {name: scaled[block][..., [known.index(name)]] for name in chosen}
            else:
                every = chosen == known
                taken[block] = scaled[block] if every else scaled[block][..., [known.index(name) for name in chosen]]
        return taken

    def _is_towers(self, block: str) -> bool:
        return block == "list" and NETWORKS[self.network].towers


def choose_inputs(
    table: Table,
    network: str,
    xaug: str | Iterable[str] | None = None,
    particle_list: str | Iterable[str] | None = None,
    rows_per_step: int = 1,
    event: str | Iterable[str] | None = None,
    sizes: dict[str, float] | None = None,
) -> Inputs:
    """The inputs that a network takes, given a choice of its variables.

    Parameters
    ----------
    table
        variables of the dataset
    network
        a name in NETWORKS
    xaug, particle_list, event
        see `Table.select`; None: all, or the network's own choice
    rows_per_step
        rows of the list that a recurrent network reads at a time
    sizes
        of the network, instead of those of its entry in NETWORKS
    """
    if network not in NETWORKS:
        raise unknown_name("network", network, NETWORKS)
    architecture = NETWORKS[network]
    _refuse_misplaced(table, network, xaug, particle_list, rows_per_step, event)
    columns: dict[str, list[str]] = {}
    if architecture.block == "list":
        columns["list"] = _list_columns(table, network, particle_list, rows_per_step)
    elif architecture.block == "event":
        columns["event"] = table.select("event", "all" if event is None else event)
        if not columns["event"]:
            raise ConfigurationError(f"network {network} has no input without features: choose some with --event")
    elif architecture.block:
        columns[architecture.block] = table.names(architecture.block)
    chosen = table.select("xaug", "all" if xaug is None else xaug) if architecture.xaug else []
    if chosen:
        columns["xaug"] = chosen
    if not columns:
        raise ConfigurationError(f"network {network} has no input without XAUGs: choose some with --xaug")
    return Inputs(table.without_code(), network, columns, rows_per_step, _other_sizes(network, sizes or {}))


def _refuse_misplaced(
    table: Table,
    network: str,
    xaug: str | Iterable[str] | None,
    particle_list: str | Iterable[str] | None,
    rows_per_step: int,
    event: str | Iterable[str] | None,
) -> None:
    """Raise ConfigurationError for choices that the network, or the dataset, has no place for."""
    architecture = NETWORKS[network]
    needed = architecture.block or "xaug"
    if needed not in table.blocks:
        fit = ", ".join(name for name, other in NETWORKS.items() if (other.block or "xaug") in table.blocks)
        raise ConfigurationError(
            f"network {network} needs {needed!r}, which a dataset of {table.kind} does not have; for it: {fit}"
        )
    if event is not None and architecture.block != "event":
        raise ConfigurationError(f"network {network} has no features of events; --event is for network event")
    if xaug is not None and not architecture.xaug:
        raise ConfigurationError(f"network {network} takes no XAUGs; choose features with --event")
    if particle_list is not None and architecture.block != "list":
        raise ConfigurationError(f"network {network} has no particle list; --list is for cnn1d and rnn")
    if network != "rnn" and rows_per_step != 1:
        raise ConfigurationError(f"network {network} reads no steps; --rows-per-step is for rnn")


def _list_columns(
    table: Table, network: str, particle_list: str | Iterable[str] | None, rows_per_step: int
) -> list[str]:
    """The columns of the particle list: those chosen, the network's own where the dataset has them, or all."""
    own = NETWORKS[network].list_columns
    default = own if own and set(own) <= set(table.names("list")) else "all"
    columns = table.select("list", particle_list or default)
    if not columns:
        raise ConfigurationError(f"network {network} has no particle list without columns: choose some with --list")
    length = table.block_shape("list", 1)[0]
    if rows_per_step < 1 or length % rows_per_step:
        raise ConfigurationError(f"--rows-per-step {rows_per_step}: must divide the length of the list, {length}")
    return columns


def _other_sizes(network: str, sizes: dict[str, float]) -> dict[str, float]:
    """The sizes that are not those of the network's entry; ConfigurationError for one that it cannot have."""
    known = NETWORKS[network].sizes
    for name, value in sizes.items():
        if name not in known:
            able = [other for other, architecture in NETWORKS.items() if name in architecture.sizes]
            raise ConfigurationError(f"network {network} has no {name} to choose; {name} is for {', '.join(able)}")
        if name == "dropout":
            if not 0 <= value < 1:
                raise ConfigurationError(f"dropout {value:g}: must be at least 0 and below 1")
        elif value < 1:
            raise ConfigurationError(f"{name} {value:g}: must be at least 1")
    return {name: value for name, value in sizes.items() if value != known[name]}


def build(inputs: Inputs) -> Any:
    """The untrained Keras functional model, its inputs named as in `Inputs.shapes`, softmax of (background, signal)."""
    module, _, function = NETWORKS[inputs.network].build.partition(":")
    return getattr(importlib.import_module(module), function)(inputs)
