"""Choose the inputs of a network among the variables of a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from xaug.core.errors import ConfigurationError
from xaug.data.variables import Table
from xaug.networks.inputs import Inputs
from xaug.networks.registry import Network, find_network, networks

__all__ = ["choose_inputs"]

Names = str | Iterable[str]
"""Names of variables or of selections, as a list or separated by commas."""

OPTIONS = {
    "list": ("--list", "columns of the particle list"),
    "xaug": ("--xaug", "XAUGs"),
    "event": ("--event", "event features"),
}
"""Blocks whose columns can be chosen -> the option that chooses them, and what messages call the columns."""


def choose_inputs(
    table: Table,
    network: str,
    xaug: Names | None = None,
    particle_list: Names | None = None,
    rows_per_step: int = 1,
    event: Names | None = None,
    sizes: Mapping[str, float] | None = None,
    outputs: int = 2,
) -> Inputs:
    """The inputs that a network takes, given a choice of variables.

    Parameters
    ----------
    table : Table
        variables of the dataset
    network : str
        name of a registered network
    xaug, particle_list, event : str or list of str, optional
        variables of these blocks, see `Table.select`; default: the network's own choice, or all
    rows_per_step : int
        rows of the particle list that a recurrent network reads in one step
    sizes : dict, optional
        sizes of the network that differ from those with which it is registered
    outputs : int
        number of classes

    Raises
    ------
    ConfigurationError
        if the dataset lacks the network's block, or a choice is unknown, empty, or not for this network
    """
    chosen = find_network(network)
    _check_table(table, chosen)
    requested = {"list": particle_list, "xaug": xaug, "event": event}
    blocks = _blocks(chosen) if chosen.block else list(table.blocks)
    for block, names in requested.items():
        if names is not None and block not in blocks:
            _refuse(chosen, block)
    columns = {
        block: _columns(table, chosen, block, requested.get(block))
        for block in blocks
        if requested.get(block) is not None or block in table.blocks
    }
    if not chosen.block and not any(columns.values()):
        raise ConfigurationError(f"network {network} has no input left; choose some with --list, --xaug or --event")
    if chosen.block and not columns[chosen.block]:
        option, noun = OPTIONS[chosen.block]
        raise ConfigurationError(f"network {network} has no input without {noun}: choose some with {option}")
    _check_steps(table, chosen, rows_per_step)
    return Inputs(
        table.without_code(),
        network,
        {block: names for block, names in columns.items() if names},
        rows_per_step,
        _other_sizes(chosen, sizes or {}),
        chosen.towers,
        outputs,
    )


def _names(chosen: Iterable[Network]) -> str:
    """Networks as a message names them: `network a`, `networks a, b and c`, or `no network`."""
    names = [network.name for network in chosen]
    if not names:
        return "no network"
    *others, last = names
    return f"networks {', '.join(others)} and {last}" if others else f"network {last}"


def _blocks(network: Network) -> list[str]:
    """The blocks that a network reads, the expert variables that join behind last."""
    return [network.block, *(["xaug"] if network.joins_xaug else [])]


def _check_table(table: Table, network: Network) -> None:
    """Raise ConfigurationError if the dataset lacks the block that the network reads."""
    if network.block and network.block not in table.blocks:
        able = _names(other for other in networks().values() if other.block in table.blocks)
        raise ConfigurationError(
            f"network {network.name} reads the block {network.block!r}, which a dataset of {table.kind} does not have. "
            f"For {table.kind} there is {able}"
        )


def _columns(table: Table, network: Network, block: str, names: Names | None) -> list[str]:
    """The chosen columns of a block; those that the network prefers, or all, where nothing is chosen."""
    if names is None:
        own = network.list_columns if block == "list" else None
        names = own if own and set(own) <= set(table.names(block)) else "all"
    return table.select(block, names)


def _refuse(network: Network, block: str) -> None:
    """Raise the error for columns that are chosen of a block which the network does not read."""
    option, noun = OPTIONS[block]
    able = _names(network for network in networks().values() if block in _blocks(network))
    own = f"; choose its inputs with {OPTIONS[network.block][0]}" if network.block in OPTIONS else ""
    raise ConfigurationError(f"network {network.name} does not read {noun}; {option} is for {able}{own}")


def _check_steps(table: Table, network: Network, rows_per_step: int) -> None:
    """Raise ConfigurationError for steps that the network cannot read."""
    if network.reads_steps:
        length = table.block(network.block).shape[0]
        if rows_per_step < 1 or length % rows_per_step:
            raise ConfigurationError(
                f"--rows-per-step {rows_per_step}: must divide the length of the particle list, {length}"
            )
    elif rows_per_step != 1:
        able = _names(other for other in networks().values() if other.reads_steps)
        raise ConfigurationError(f"network {network.name} does not read in steps; --rows-per-step is for {able}")


def _other_sizes(network: Network, sizes: Mapping[str, float]) -> dict[str, float]:
    """The sizes that differ from those of the registered network; ConfigurationError for an impossible one."""
    for name, value in sizes.items():
        if name not in network.sizes:
            able = _names(other for other in networks().values() if name in other.sizes)
            raise ConfigurationError(f"network {network.name} has no {name} to choose; {name} is for {able}")
        network.sizes[name].check(name, value)
    return {name: value for name, value in sizes.items() if value != network.sizes[name].default}
