"""The registry of networks.

Each network is one module of `xaug.networks`, which calls `register` once. The registry finds these modules by itself
and knows no network by name, so a new network needs no other file. To list networks does not import TensorFlow.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

from xaug.core.errors import ConfigurationError, ModelError, unknown_name
from xaug.networks.inputs import Inputs

if TYPE_CHECKING:
    from keras import Model

__all__ = ["Network", "Size", "TrainingDefaults", "build", "find_network", "networks", "register"]


VECTORS = ("event", "xaug")
"""Blocks that hold one vector of features for each event or jet."""


@dataclass(frozen=True)
class TrainingDefaults:
    """How a network is trained unless the user chooses otherwise."""

    batch_size: int = 128
    learning_rate: float = 1e-3
    """Learning rate of Adam."""
    clipnorm: float | None = None
    """Largest norm of the gradient of a weight array; None: gradients are not clipped."""
    weight_decay: float | None = None
    recalibrate_batchnorm: bool = False
    """Whether BatchNormalization gets population statistics before each validation."""


@dataclass(frozen=True)
class Size:
    """A size of a network that the user can choose.

    Attributes
    ----------
    default : int or float
        its value unless another is chosen; of an int, only whole numbers can be chosen
    meaning : str
        what it is the size of, for help texts
    minimum : float
        smallest value
    below : float or None
        bound that the value must not reach; None: there is no bound
    """

    default: float
    meaning: str
    minimum: float = 1
    below: float | None = None

    def check(self, name: str, value: float) -> None:
        """Raise ConfigurationError if a value of this size is not possible."""
        if value < self.minimum or (self.below is not None and value >= self.below):
            limit = "" if self.below is None else f" and below {self.below:g}"
            raise ConfigurationError(f"{name} {value:g}: must be at least {self.minimum:g}{limit}")
        if isinstance(self.default, int) and value != int(value):
            raise ConfigurationError(f"{name} {value:g}: must be a whole number")


@dataclass(frozen=True)
class Network:
    """A network that can be trained by name.

    Attributes
    ----------
    name : str
        what `--network` calls it
    summary : str
        one line for help texts
    label : str
        short name for figures; "" for networks of the user, which figures call by the name of the run
    block : str
        the block of a dataset that the network reads: "image", "list", "xaug" or "event"; "" for all that there are
    build : callable
        makes the untrained Keras functional model of an `Inputs`; its inputs are named as in `Inputs.shapes`, and its
        output is a softmax over the `Inputs.outputs` classes. It imports Keras inside, so that listing networks stays
        fast.
    joins_xaug : bool
        whether expert variables ("xaug") can join the network behind its own block
    towers : bool
        whether each column of the particle list is an input of its own, named after it
    reads_steps : bool
        whether the network reads the particle list in steps, of `Inputs.rows_per_step` rows each
    list_columns : tuple of str or None
        columns of the particle list, unless others are chosen or the dataset lacks them; None: all
    defaults : TrainingDefaults
    sizes : dict of Size
        sizes that the user can choose, by name; `build` reads their values in `Inputs.sizes`
    """

    name: str
    summary: str
    block: str
    build: Callable[[Inputs], Model]
    joins_xaug: bool = False
    towers: bool = False
    reads_steps: bool = False
    list_columns: tuple[str, ...] | None = None
    label: str = ""
    defaults: TrainingDefaults = field(default_factory=TrainingDefaults)
    sizes: Mapping[str, Size] = field(default_factory=dict)

    @property
    def reads_vector(self) -> bool:
        """Whether the network reads one vector of features, and not images or lists of particles."""
        return self.block in VECTORS

    @property
    def default_sizes(self) -> dict[str, float]:
        """Values of the sizes unless others are chosen, by name."""
        return {name: size.default for name, size in self.sizes.items()}


_NETWORKS: dict[str, Network] = {}


def register(network: Network, again: bool = False) -> Network:
    """Add a network to the registry, and return it; `again` replaces the one of this name.

    Raises
    ------
    ConfigurationError
        if another network has its name
    """
    if network.name in _NETWORKS and not again:
        raise ConfigurationError(f"two networks are called {network.name!r}; rename one of them")
    _NETWORKS[network.name] = network
    return network


@cache
def _load() -> None:
    """Import all modules of the package, each of which registers its network."""
    package = importlib.import_module(__package__)
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{__package__}.{module.name}")


def networks() -> Mapping[str, Network]:
    """All registered networks by name, in alphabetical order."""
    _load()
    return dict(sorted(_NETWORKS.items()))


def find_network(name: str) -> Network:
    """The network of a name.

    Raises
    ------
    ConfigurationError
        if no network has this name; the message suggests the nearest one and lists all
    """
    known = networks()
    if name not in known:
        raise unknown_name("network", name, known)
    return known[name]


def build(inputs: Inputs) -> Model:
    """The untrained Keras functional model of some inputs.

    Its inputs are named as in `Inputs.shapes`; its output is a softmax over the classes.

    Raises
    ------
    ModelError
        if the network cannot be built for inputs of these shapes, or has another number of outputs
    """
    network = find_network(inputs.network)
    try:
        model = network.build(replace(inputs, sizes={**network.default_sizes, **inputs.sizes}))
    except ValueError as error:  # of Keras, where an input is too small for the layers
        shapes = ", ".join(f"{name} {shape}" for name, shape in inputs.shapes.items())
        reason = (str(error).strip().splitlines() or ["ValueError"])[0]
        raise ModelError(f"network {network.name} cannot read inputs of the shapes {shapes}: {reason}") from error
    if model.output_shape[-1] != inputs.outputs:
        raise ModelError(
            f"network {network.name} has {model.output_shape[-1]} outputs for {inputs.outputs} classes; end it in "
            "xaug.networks.parts.output_layer(inputs, x)"
        )
    return model
