"""Networks: what each eats, and the Keras functional model that it is.

A network has at most one low-level block ("image", "list"), to which the expert variables ("xaug") are
joined behind its convolutions. Adding a network is adding one entry here and one function.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from xaug import variables
from xaug.errors import ConfigurationError, unknown_name

__all__ = ["NETWORKS", "Architecture", "Inputs", "build", "choose_inputs"]


@dataclass(frozen=True)
class Architecture:
    """An entry of the table of networks."""

    build: str  # "module:function" of input shapes, so that the table does not import TensorFlow
    block: str | None  # low-level block
    summary: str


NETWORKS = {
    "cnn2d": Architecture("xaug.networks.cnn2d:build", "image", "2D CNN on jet images, with or without XAUGs"),
    "mlp": Architecture("xaug.networks.mlp:build", None, "dense network on XAUGs alone"),
}


@dataclass(frozen=True)
class Inputs:
    """The inputs of a model: their names, variables and shapes."""

    kind: str
    network: str
    columns: dict[str, list[str]] = field(default_factory=dict)  # block -> variables, in column order

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each input, by name, without the event axis."""
        shapes = {"image": (16, 16, 1), "xaug": (len(self.columns.get("xaug", ())),)}
        return {name: shapes[name] for name in self.columns}

    def take(self, scaled: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What the model eats, of scaled arrays of a dataset: the chosen columns, by input name."""
        taken = {}
        for block, chosen in self.columns.items():
            known = variables.names(self.kind, block)
            every = chosen == known
            taken[block] = scaled[block] if every else scaled[block][..., [known.index(name) for name in chosen]]
        return taken


def choose_inputs(kind: str, network: str, xaug: str | Iterable[str]) -> Inputs:
    """The inputs that a network takes, given a choice of expert variables (see `variables.select`)."""
    if network not in NETWORKS:
        raise unknown_name("network", network, NETWORKS)
    block = NETWORKS[network].block
    columns = {} if block is None else {block: variables.names(kind, block)}
    chosen = variables.select(kind, "xaug", xaug)
    if chosen:
        columns["xaug"] = chosen
    if not columns:
        raise ConfigurationError(f"network {network} has no input without XAUGs: choose some with --xaug")
    return Inputs(kind, network, columns)


def build(inputs: Inputs):
    """The untrained Keras functional model, one named input per block, softmax of (background, signal)."""
    module, _, function = NETWORKS[inputs.network].build.partition(":")
    return getattr(importlib.import_module(module), function)(inputs.shapes)
