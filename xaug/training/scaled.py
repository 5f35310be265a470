"""Load one split of a dataset as the inputs, labels and weights of a training."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xaug.core.types import Array, Arrays
from xaug.data.dataset import Dataset
from xaug.data.scaling import Scaler
from xaug.networks.inputs import Inputs
from xaug.training.sample import ScaledSample

__all__ = ["ScaledSplit", "load_scaled"]


class ScaledSplit(NamedTuple):
    """One split of a dataset, ready for a network.

    Attributes
    ----------
    inputs : dict of arrays
        scaled inputs by name, each (n, ...)
    label : array (n,)
        class of each event
    weight : array (n,)
        weights of which those of each of K classes sum to n / K
    """

    inputs: Arrays
    label: Array
    weight: Array


def load_scaled(
    data: Dataset,
    inputs: Inputs,
    scaler: Scaler,
    split: str,
    weights: str = "unit",
) -> ScaledSplit:
    """The scaled inputs, labels and balanced weights of one split, all in memory.

    Parameters
    ----------
    data : Dataset
    inputs : Inputs
        which variables the network reads
    scaler : Scaler
    split : str
        "train", "validation" or "test"
    weights : str
        what an event counts for, see `xaug.data.weights.WEIGHTS`

    Returns
    -------
    ScaledSplit
    """
    sample = ScaledSample(data, inputs, scaler, split, weights)
    return ScaledSplit(sample.read(np.arange(len(sample))), sample.label, sample.weight)
