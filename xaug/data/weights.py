"""Event weights: what an event counts for in training and in metrics.

The stored `weight` of an event is the generator's, times the probability of its tags; its scale differs from
process to process, since each is generated with a bias and a number of events of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from xaug.core.errors import ConfigurationError, DatasetError, unknown_name
from xaug.core.types import Array
from xaug.data.dataset import Dataset
from xaug.data.records import CLASSES

__all__ = [
    "DEFAULT_WEIGHTS", "LUMINOSITY", "WEIGHTS", "balanced", "check_weights", "effective_number", "event_weights",
    "expected_events", "labels_and_weights", "unused_weights",
]  # fmt: skip

WEIGHTS = ("unit", "event", "cross_section")
"""unit: every event counts one. event: the stored weight, so that a process counts as its number of events.
cross_section: the number of events expected per unit of luminosity, cross section x weight / sum of all generated."""
DEFAULT_WEIGHTS = {"jets": "unit", "toy": "unit", "events": "event", "events_met": "event", "own": "event"}
"""By kind of dataset. Jets count one each, as in arXiv:2011.13466, whose trees held no weights."""

LUMINOSITY = 3e6
"""Integrated luminosity of significances [1/pb]: the 3000/fb that the LHC is to deliver."""


def effective_number(weight: Array) -> float:
    """The number of events of equal weight with the same relative error, (sum w)^2 / sum w^2.

    Parameters
    ----------
    weight : (n,)
        weights of the events

    References
    ----------
    L. Kish, Survey Sampling, Wiley (1965).
    """
    squares = float(weight @ weight)
    return float(weight.sum()) ** 2 / squares if squares else 0.0


def unused_weights(data: Dataset) -> list[str]:
    """A warning where jets of a dataset have different weights and count one each unless the user says otherwise.

    Jets of our own tree do so, as in the paper, whose trees held no weights.
    """
    if DEFAULT_WEIGHTS.get(data.kind) != "unit" or data.kind == "toy":
        return []
    processes = [one for one in data.manifest.get("processes", {}).values() if one["rows"]]
    means: dict[int, set[float]] = {}
    for one in processes:
        means.setdefault(one["label"], set()).add(round(one["sum_weights_selected"] / one["rows"], 9))
    differ = any(one.get("effective_events", one["rows"]) < (1 - 1e-6) * one["rows"] for one in processes)
    differ |= any(len(own) > 1 for own in means.values())
    formats = {str(file.get("format")) for file in data.manifest.get("inputs", [])}
    if not differ or not formats or formats <= {"xaug_tree"}:
        return []
    return [
        f"the weights of {data.path} differ from jet to jet, but each jet counts one; --weights event counts them with "
        "their weights, and --weights unit hides this line"
    ]


def check_weights(weight: Array) -> None:
    """Raise DatasetError unless all weights are finite and some are not 0.

    Single weights may be negative, as those of generators at next-to-leading order are. They enter the loss, metrics
    and sums with their sign. Errors follow from `effective_number`, which is then smaller than the number of events.
    """
    bad = np.flatnonzero(~np.isfinite(weight))
    if len(bad):
        raise DatasetError(
            f"event {bad[0]} has weight {weight[bad[0]]}: weights must be finite. Leave such events out, or train with "
            "--weights unit"
        )
    if not np.any(weight):
        raise DatasetError(f"all {len(weight)} events have weight 0: there is nothing to count")


def _check_sums(sums: Array, names: Sequence[str], what: str) -> None:
    """Raise DatasetError if the weights of a process or class do not add up to a positive number."""
    if (sums <= 0).any():
        where = int(np.flatnonzero(sums <= 0)[-1])
        reason = f"has weights that add up to {sums[where]:.4g}" if sums[where] else "has only events of weight 0"
        raise DatasetError(f"{what} {names[where]!r} {reason}. Take more events, or train with --weights unit")


def event_weights(how: str, weight: Array, process: Array, scale: Mapping[str, float] | None = None) -> Array:
    """Weights (n,) of events of several processes.

    Parameters
    ----------
    how
        one of WEIGHTS
    weight : (n,)
        as stored
    process : (n,) str
    scale
        of each process, cross section [pb] / sum of generated weights; for "cross_section"
    """
    names, index = np.unique(process, return_inverse=True)
    return _weights_of(how, weight, names, index, scale)


def _weights_of(how: str, weight: Array, names: Array, index: Array, scale: Mapping[str, float] | None = None) -> Array:
    """Weights of events, of which `index` (n,) tells the process among those of some names."""
    if how not in WEIGHTS:
        raise unknown_name("weights", how, WEIGHTS)
    if how == "unit":
        return np.ones(len(weight))
    check_weights(weight)
    if how == "event":
        sums = np.bincount(index, weights=weight)
        _check_sums(sums, names.tolist(), "process")
        shared: Array = weight * (np.bincount(index) / sums)[index]
        return shared
    known = scale or {}
    missing = [name for name in names if name not in known]
    if missing:
        raise ConfigurationError(
            f"process {missing[0]!r} has no cross section; known: {', '.join(known) or 'none'}. "
            "Give it where the files are processed (xsec of a fileset), or train with --weights event"
        )
    scaled: Array = weight * np.array([known[name] for name in names])[index]
    return scaled


def labels_and_weights(data: Dataset, how: str, split: str | None, max_rows: int | None = None) -> tuple[Array, Array]:
    """Labels (n,) and weights (n,) of the events of a split; only these two are ever in memory as a whole.

    Parameters
    ----------
    how
        one of WEIGHTS
    split, max_rows
        as for `Dataset.load`
    """
    names = np.array(sorted(data.processes))
    label, weight, process = [], [], []
    for part in data.iterate(["label", "weight", "process"], split, max_rows):
        label.append(part["label"])
        weight.append(part["weight"])
        process.append(np.searchsorted(names, part["process"]))  # names of a million events take as much as they do
    present, index = np.unique(np.concatenate(process), return_inverse=True)
    own = _weights_of(how, np.concatenate(weight), names[present], index, data.weight_scales)
    return np.concatenate(label), own


def balanced(weight: Array, label: Array, classes: Sequence[str] = CLASSES) -> Array:
    """Weights (n,) scaled so that all classes have the same sum, and all together sum to n."""
    sums = np.bincount(label, weights=weight, minlength=len(classes))
    counts = np.bincount(label, minlength=len(classes))
    if (counts == 0).any():
        raise DatasetError(f"no {classes[int(np.flatnonzero(counts == 0)[-1])]} events of positive weight")
    _check_sums(sums, classes, "class")
    scaled: Array = weight * (len(weight) / (len(classes) * sums))[label]
    return scaled


def expected_events(data: Dataset, split: str, luminosity: float = LUMINOSITY) -> Array:
    """Number of events (n,) that each event of a split stands for, if the split were all of the data.

    Parameters
    ----------
    luminosity
        [1/pb]
    """
    _, own = labels_and_weights(data, "cross_section", split)
    expected: Array = own * luminosity * len(data) / data.size(split)
    return expected
