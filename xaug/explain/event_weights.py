"""Weights that events have in means over them, as the user gives them."""

from __future__ import annotations

import numpy as np

from xaug.core.errors import ConfigurationError
from xaug.core.types import Array, ArrayLike

__all__ = ["checked_weights", "positive_sum"]


def checked_weights(weights: ArrayLike | None, events: int) -> Array | None:
    """Weights (n,) of events, checked; None stays None.

    Raises
    ------
    ConfigurationError
        if they are not one finite number for each event, or do not add up to a positive number
    """
    if weights is None:
        return None
    given = np.asarray(weights)
    if given.shape != (events,) or given.dtype.kind not in "biuf" or not np.isfinite(given).all():
        raise ConfigurationError(
            f"weights of type {given.dtype} and shape {given.shape}; one finite number for each of the {events} events "
            "is needed"
        )
    return positive_sum(given.astype(np.float64))


def positive_sum(weights: Array) -> Array:
    """The weights, if a mean of events can be made with them.

    Raises
    ------
    ConfigurationError
        if they do not add up to a positive number
    """
    if not weights.sum() > 0:
        raise ConfigurationError(
            f"the weights of the {len(weights)} explained events add up to {weights.sum():g}, so that no mean over "
            "them is defined; explain events whose weights have a positive sum"
        )
    return weights
