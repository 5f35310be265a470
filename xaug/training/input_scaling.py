"""The scaling of the inputs of a network: what a training asks for, and the scaler that it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xaug.core.errors import ConfigurationError
from xaug.data.dataset import Dataset
from xaug.data.scaling import Scaler
from xaug.data.table import Table
from xaug.jets.conventions import Conventions
from xaug.networks.inputs import Inputs
from xaug.networks.registry import find_network, networks
from xaug.training.config import TrainingConfig

__all__ = ["LITERAL", "OUR_SCALING", "ScalingChoice", "check_scaling", "displacement_zeros", "fit_scaler"]

DISPLACEMENTS = "displacements"
"""Name of the selection of a block that holds its logarithms of displacements."""


@dataclass(frozen=True)
class ScalingChoice:
    """How the inputs of several networks are scaled.

    Attributes
    ----------
    images : str
        one of `xaug.data.scaling.IMAGE_SCALINGS`, for those networks that read images
    displacements : str
        one of `xaug.training.config.DISPLACEMENT_SCALINGS`, for datasets of jets and others that name displacements
    on_all : bool
        whether the scaler is fitted on all jets, those of the test split included
    """

    images: str = "whole"
    displacements: str = "clipped"
    on_all: bool = False

    def settings(self, network: str, table: Table) -> dict[str, Any]:
        """The fields of `TrainingConfig` that this choice gives one network on a dataset with these variables."""
        images = self.images if find_network(network).block == "image" else "whole"
        displaced = table.kind == "jets" or any(DISPLACEMENTS in block.selections for block in table.blocks.values())
        return {
            "image_scaling": images,
            "displacement_scaling": self.displacements if displaced else "clipped",
            "scale_on_all": self.on_all,
        }


OUR_SCALING = ScalingChoice()
LITERAL = ScalingChoice("pixel", "unclipped", on_all=True)
"""The scaling in the code of the authors of arXiv:2011.13466."""


def displacement_zeros(data: Dataset) -> dict[str, float]:
    """Value of each logarithm of a displacement where there is none: that of the floor of the dataset.

    Parameters
    ----------
    data : Dataset
        a dataset of jets

    Returns
    -------
    dict of float
        ln(floor / mm), by the name of the variable

    Raises
    ------
    ConfigurationError
        if the dataset does not say which of its variables are displacements
    """
    named = {
        name: data.table.select(name, DISPLACEMENTS)
        for name, block in data.table.blocks.items()
        if DISPLACEMENTS in block.selections
    }
    if not any(named.values()):
        raise ConfigurationError(
            f"{data.path}: its variables ({data.kind}) name no displacements, so --displacement-scaling unclipped "
            "finds none. It is for datasets of jets whose files have them; process one of an older version again, into "
            "a new directory, or choose --displacement-scaling clipped"
        )
    zero = Conventions.of_dataset(data.manifest["config"]).log_floor
    return {variable: zero for chosen in named.values() for variable in chosen}


def check_scaling(data: Dataset, inputs: Inputs, config: TrainingConfig) -> dict[str, float]:
    """Check that a scaling can be made for these inputs, and return the zeros of displacements that are not clipped.

    Raises
    ------
    ConfigurationError
        if a scaling is asked for that nothing in the inputs or in the dataset has
    """
    if config.image_scaling != "whole" and "image" not in inputs.columns:
        able = [name for name, network in networks().items() if network.block == "image"]
        raise ConfigurationError(
            f"--image-scaling {config.image_scaling}: network {inputs.network} reads no images; it is for "
            f"{', '.join(able)}"
        )
    return displacement_zeros(data) if config.displacement_scaling == "unclipped" else {}


def fit_scaler(data: Dataset, inputs: Inputs, config: TrainingConfig) -> Scaler:
    """Fit the scaler of a training.

    Parameters
    ----------
    data : Dataset
    inputs : Inputs
        the network and what it reads
    config : TrainingConfig

    Returns
    -------
    Scaler
        fitted on the training split, on as many rows as are trained on; or on all rows, if the settings say so

    Raises
    ------
    ConfigurationError
        see `check_scaling`
    DatasetError
        see `Scaler.fit`
    """
    zeros = check_scaling(data, inputs, config)
    rows, split = (None, None) if config.scale_on_all else (config.max_jets, "train")
    return Scaler.fit(data, inputs.columns, rows, split, images=config.image_scaling, zeros=zeros)
