"""How many events of each process a dataset has, effectively, and how many a collider would have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xaug.data.dataset import Dataset
from xaug.data.weights import LUMINOSITY, effective_number, labels_and_weights

__all__ = ["ProcessYield", "effective_classes", "process_yields"]


@dataclass(frozen=True)
class ProcessYield:
    """Numbers of events of one process, or of one split of it.

    Attributes
    ----------
    process : str
        its name
    label : int
        1 for signal, 0 for background
    selected : int
        number of selected events
    effective : float
        number of events of equal weight with the same relative error, (sum w)^2 / sum w^2
    expected : float or None
        number of events that are expected to pass the selection, in all splits; None without a cross section
    """

    process: str
    label: int
    selected: int
    effective: float
    expected: float | None


def process_yields(data: Dataset, split: str | None = None, luminosity: float = LUMINOSITY) -> list[ProcessYield]:
    """Selected, effective and expected numbers of events of each process.

    Parameters
    ----------
    data : Dataset
        the dataset
    split : {"train", "validation", "test"}, optional
        count the events of one split; default: of all
    luminosity : float
        integrated luminosity [1/pb] of the expected numbers

    Returns
    -------
    list of ProcessYield
        in the order of the dataset
    """
    arrays = data.load(["weight", "process"], split)
    found = []
    for name, label in data.processes.items():
        weight = arrays["weight"][arrays["process"] == name]
        record = data.record.processes.get(name)
        pb = record.expected_yield if record else None
        expected = None if pb is None else pb * luminosity
        found.append(ProcessYield(name, label, len(weight), effective_number(weight.astype(np.float64)), expected))
    return found


def effective_classes(data: Dataset, split: str, weights: str) -> dict[str, float]:
    """Effective number of events of each class in a split.

    Parameters
    ----------
    data : Dataset
        the dataset
    split : {"train", "validation", "test"}
        the split
    weights : str
        what an event counts for, see `xaug.data.weights.WEIGHTS`

    Returns
    -------
    dict of float
        by the name of the class
    """
    found, own = labels_and_weights(data, weights, split)
    return {name: effective_number(own[found == label]) for label, name in enumerate(data.classes)}
