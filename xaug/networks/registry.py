"""Networks: what each eats, and the Keras functional model that it is.

A network of jets has at most one low-level block ("image", "list"), to which the expert variables ("xaug")
are joined behind its convolutions or recurrent layers; that of events has the features of the event. Adding a
network is adding one entry here and one function.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

import numpy as np

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.data import variables

__all__ = ["NETWORKS", "Architecture", "Inputs", "build", "choose_inputs"]


@dataclass(frozen=True)
class Architecture:
    """An entry of the table of networks."""

    build: str  # "module:function" of `Inputs`, so that the table does not import TensorFlow
    block: str | None  # low-level block
    summary: str
    xaug: bool = True  # whether expert variables can join
    towers: bool = False  # each column of the list is an input of its own, named after it
    list_columns: tuple[str, ...] | None = None  # of jets, unless others are chosen; None: all
    batch_size: int = 128  # in training, unless another is chosen
    learning_rate: float = 1e-3  # of Adam, unless another is chosen
    clipnorm: float | None = None  # largest norm of a gradient in training
    weight_decay: float | None = None  # in training
    recalibrate_batchnorm: bool = False  # give BatchNormalization population statistics before each validation
    sizes: dict[str, float] = field(default_factory=dict)  # what can be chosen otherwise, as the paper has it


NETWORKS = {
    "cnn2d": Architecture("xaug.networks.cnn2d:build", "image", "2D CNN on images, with or without XAUGs"),
    "cnn1d": Architecture(
        "xaug.networks.cnn1d:build", "list", "1D CNN, a tower a column of the particle list", towers=True
    ),
    "rnn": Architecture(
        "xaug.networks.rnn:build", "list", "recurrent network (GRU) on the particle list",
        list_columns=("log_pt", "delta_eta", "delta_phi"), clipnorm=1.0, recalibrate_batchnorm=True,
        batch_size=256,  # it pays for each step, not for each jet
        learning_rate=3e-3,  # XAUGs reach the output by one layer, whose weights have a long way to go
    ),
    "mlp": Architecture("xaug.networks.mlp:build", None, "dense network on XAUGs alone"),
    "event": Architecture(
        "xaug.networks.event:build", "event", "dense network on event features", xaug=False, weight_decay=1e-4,
        sizes={"layers": 2, "width": 128, "dropout": 0.2},
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Inputs:
    """The inputs of a model: their names, variables and shapes."""

    kind: str
    network: str
    columns: dict[str, list[str]] = field(default_factory=dict)  # block -> variables, in column order
    rows_per_step: int = 1  # rows of the list that a recurrent network reads at a time
    sizes: dict[str, float] = field(default_factory=dict)  # of the network, where they are not those of its entry

    @property
    def config(self) -> dict:
        """As plain data; `sizes` is said only where there are other ones."""
        content = asdict(self)
        return content if self.sizes else {name: value for name, value in content.items() if name != "sizes"}

    def size(self, name: str) -> float:
        """A size of the network."""
        return self.sizes.get(name, NETWORKS[self.network].sizes[name])

    @property
    def variables(self) -> dict[str, list[str]]:
        """Names of the variables of each input, by input name."""
        found = {}
        for block, chosen in self.columns.items():
            found |= {name: [name] for name in chosen} if self._is_towers(block) else {block: chosen}
        return found

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each input, by name, without the event axis."""
        found = {}
        for block, chosen in self.columns.items():
            if self._is_towers(block):
                found |= {name: variables.block_shape(self.kind, block, 1) for name in chosen}
            else:
                found[block] = variables.block_shape(self.kind, block, len(chosen))
        return found

    @property
    def fields(self) -> list[str]:
        """The fields of a dataset that the inputs are made of."""
        return variables.fields(self.kind, self.columns)

    def take(self, scaled: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What the model eats, of scaled arrays of a dataset: the chosen columns, by input name."""
        taken = {}
        for block, chosen in self.columns.items():
            known = variables.names(self.kind, block)
            if self._is_towers(block):
                taken |= {name: scaled[block][..., [known.index(name)]] for name in chosen}
            else:
                every = chosen == known
                taken[block] = scaled[block] if every else scaled[block][..., [known.index(name) for name in chosen]]
        return taken

    def _is_towers(self, block: str) -> bool:
        return block == "list" and NETWORKS[self.network].towers


def choose_inputs(
    kind: str,
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
    kind
        of dataset
    network
        a name in NETWORKS
    xaug, particle_list, event
        see `variables.select`; None: all, or the network's own choice
    rows_per_step
        rows of the list that a recurrent network reads at a time
    sizes
        of the network, instead of those of its entry in NETWORKS
    """
    if network not in NETWORKS:
        raise unknown_name("network", network, NETWORKS)
    architecture = NETWORKS[network]
    needed = architecture.block or "xaug"
    if needed not in variables.TABLES[kind]:
        fit = [name for name, other in NETWORKS.items() if (other.block or "xaug") in variables.TABLES[kind]]
        raise ConfigurationError(
            f"network {network} needs {needed!r}, which a dataset of {kind} does not have; for it: {', '.join(fit)}"
        )
    if event is not None and architecture.block != "event":
        raise ConfigurationError(f"network {network} has no features of events; --event is for network event")
    if xaug is not None and not architecture.xaug:
        raise ConfigurationError(f"network {network} takes no XAUGs; choose features with --event")
    columns = {}
    if architecture.block == "list":
        own = architecture.list_columns if kind == "jets" else None
        columns["list"] = variables.select(kind, "list", particle_list or own or "all")
        if not columns["list"]:
            raise ConfigurationError(f"network {network} has no particle list without columns: choose some with --list")
    elif particle_list is not None:
        raise ConfigurationError(f"network {network} has no particle list; --list is for cnn1d and rnn")
    elif architecture.block == "event":
        columns["event"] = variables.select(kind, "event", "all" if event is None else event)
        if not columns["event"]:
            raise ConfigurationError(f"network {network} has no input without features: choose some with --event")
    elif architecture.block:
        columns[architecture.block] = variables.names(kind, architecture.block)
    if network != "rnn" and rows_per_step != 1:
        raise ConfigurationError(f"network {network} reads no steps; --rows-per-step is for rnn")
    if "list" in columns and (rows_per_step < 1 or variables.LIST_LENGTH[kind] % rows_per_step):
        raise ConfigurationError(
            f"--rows-per-step {rows_per_step}: must divide the length of the list, {variables.LIST_LENGTH[kind]}"
        )
    chosen = variables.select(kind, "xaug", "all" if xaug is None else xaug) if architecture.xaug else []
    if chosen:
        columns["xaug"] = chosen
    if not columns:
        raise ConfigurationError(f"network {network} has no input without XAUGs: choose some with --xaug")
    return Inputs(kind, network, columns, rows_per_step, _other_sizes(network, sizes or {}))


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


def build(inputs: Inputs):
    """The untrained Keras functional model, its inputs named as in `Inputs.shapes`, softmax of (background, signal)."""
    module, _, function = NETWORKS[inputs.network].build.partition(":")
    return getattr(importlib.import_module(module), function)(inputs)
