"""Load one split of a dataset as the inputs, labels and weights of a training."""

from __future__ import annotations

from typing import NamedTuple

from xaug.core.types import Array, Arrays
from xaug.data.dataset import Dataset
from xaug.data.scaling import Scaler
from xaug.data.weights import balanced, event_weights
from xaug.networks.inputs import Inputs
from xaug.training.reweighting import Reweighting, values_of

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
    max_rows: int | None = None,
    reweighting: Reweighting | None = None,
) -> ScaledSplit:
    """The scaled inputs, labels and balanced weights of one split.

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
    max_rows : int, optional
        largest number of rows; default: all
    reweighting : Reweighting, optional
        factors of the weights

    Returns
    -------
    ScaledSplit
    """
    arrays = data.load([*inputs.fields, "label", "weight", "process"], split, max_rows)
    own = event_weights(weights, arrays["weight"], arrays["process"], data.weight_scales)
    if reweighting is not None:
        own = own * reweighting.weights(values_of(data, reweighting.binning.variable, split, max_rows), arrays["label"])
    chosen = inputs.choose(arrays, f"network {inputs.network}")
    x = inputs.take(scaler.only(inputs.columns).scale(chosen))
    return ScaledSplit(x, arrays["label"], balanced(own, arrays["label"], data.classes))
