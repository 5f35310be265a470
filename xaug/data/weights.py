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
    "expected_events",
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


def check_weights(weight: Array) -> None:
    """Raise DatasetError unless all weights are finite, none is negative, and some are positive."""
    bad = np.flatnonzero(~np.isfinite(weight) | (weight < 0))
    if len(bad):
        raise DatasetError(
            f"event {bad[0]} has weight {weight[bad[0]]}: weights must be finite and not negative. "
            "Reweight the sample, or train with --weights unit"
        )
    if not np.any(weight > 0):
        raise DatasetError(f"all {len(weight)} events have weight 0: there is nothing to count")


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
    if how not in WEIGHTS:
        raise unknown_name("weights", how, WEIGHTS)
    if how == "unit":
        return np.ones(len(weight))
    check_weights(weight)
    names, index = np.unique(process, return_inverse=True)
    if how == "event":
        sums = np.bincount(index, weights=weight)
        if (sums == 0).any():
            raise DatasetError(f"process {names[np.argmin(sums)]!r} has only events of weight 0")
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


def balanced(weight: Array, label: Array, classes: Sequence[str] = CLASSES) -> Array:
    """Weights (n,) scaled so that all classes have the same sum, and all together sum to n."""
    sums = np.bincount(label, weights=weight, minlength=len(classes))
    if (sums == 0).any():
        lacking = classes[int(np.flatnonzero(sums == 0)[-1])]
        raise DatasetError(f"no {lacking} events of positive weight")
    scaled: Array = weight * (len(weight) / (len(classes) * sums))[label]
    return scaled


def expected_events(data: Dataset, split: str, luminosity: float = LUMINOSITY) -> Array:
    """Number of events (n,) that each event of a split stands for, if the split were all of the data.

    Parameters
    ----------
    luminosity
        [1/pb]
    """
    arrays = data.load(["weight", "process"], split)
    own = event_weights("cross_section", arrays["weight"], arrays["process"], data.weight_scales)
    expected: Array = own * luminosity * len(data) / data.size(split)
    return expected
