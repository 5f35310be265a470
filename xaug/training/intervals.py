"""Intervals of efficiencies and areas under ROC curves that come from the finite size of a test sample."""

from __future__ import annotations

import numpy as np

from xaug.core.types import Array
from xaug.data.weights import effective_number

__all__ = ["CONFIDENCE", "ONE_SIGMA", "auc_interval", "efficiency_interval", "efficiency_limit"]

ONE_SIGMA = 0.6827
"""Coverage of the intervals that stand in tables."""
CONFIDENCE = 0.95
"""Confidence of the limits that stand in tables."""


def efficiency_interval(efficiency: float, events: float, level: float = ONE_SIGMA) -> tuple[float, float]:
    """Central Clopper-Pearson interval of an efficiency.

    Parameters
    ----------
    efficiency : float
        measured share of the events that pass; weights that are negative may take it out of [0, 1], to which it is
        brought back
    events : float
        (effective) number of events, of which it need not pass an integer number
    level : float
        coverage

    Returns
    -------
    (float, float)
        lower and upper end

    References
    ----------
    C. Clopper, E. Pearson, Biometrika 26 (1934) 404.
    """
    from scipy.stats import beta

    passed = min(max(efficiency, 0.0), 1.0) * events
    tail = (1 - level) / 2
    low = 0.0 if passed <= 0 else float(beta.ppf(tail, passed, events - passed + 1))
    high = 1.0 if passed >= events else float(beta.ppf(1 - tail, passed + 1, events - passed))
    return low, high


def efficiency_limit(efficiency: float, events: float, confidence: float = CONFIDENCE) -> float:
    """Clopper-Pearson upper limit of an efficiency: 1 - (1 - confidence)^(1 / events) where nothing passes.

    Parameters
    ----------
    efficiency, events : float
        see `efficiency_interval`
    confidence : float
        confidence of the limit

    Returns
    -------
    float
        the efficiency below which the true one is
    """
    return efficiency_interval(efficiency, events, 2 * confidence - 1)[1]


def auc_interval(
    label: Array, score: Array, weight: Array | None = None, level: float = ONE_SIGMA
) -> tuple[float, float]:
    """Interval of the area under a ROC curve, from the variance of DeLong et al.

    The variance is the sum over both classes of the variance of the share of the other class that an event is above,
    over the effective number of events. Where no pair is in the wrong order this variance is 0; then the interval is
    that of Clopper and Pearson for as many independent pairs as the smaller class has (effective) events.

    Parameters
    ----------
    label : array (n,)
        1 for signal, 0 for background; both are there
    score : array (n,)
        output of the network
    weight : array (n,), optional
        weights of the events; default: one each
    level : float
        coverage

    Returns
    -------
    (float, float)
        lower and upper end, within [0, 1]

    References
    ----------
    E. DeLong, D. DeLong, D. Clarke-Pearson, Biometrics 44 (1988) 837.
    """
    from scipy.stats import norm

    own = np.ones(len(label)) if weight is None else weight.astype(np.float64)
    area, variance, smallest = 0.5, 0.0, np.inf
    for of in (1, 0):
        chosen = label == of
        w = own[chosen]
        above = _share_below(score[chosen], score[~chosen], own[~chosen])
        mean = float(w @ above / w.sum())
        area = mean if of == 1 else area
        events = effective_number(w)
        smallest = min(smallest, events)
        variance += float(w @ (above - mean) ** 2 / w.sum()) / max(events - 1, 1)
    if variance <= 0:
        return efficiency_interval(area, smallest, level)
    error = float(norm.ppf((1 + level) / 2)) * float(np.sqrt(variance))
    return max(0.0, area - error), min(1.0, area + error)


def _share_below(values: Array, others: Array, weight: Array) -> Array:
    """Weighted share of the others that is below each value; of those that are equal, half."""
    order = np.argsort(others, kind="stable")
    sums = np.concatenate([[0.0], np.cumsum(weight[order])])
    below, to = (np.searchsorted(others[order], values, side=side) for side in ("left", "right"))
    found: Array = (sums[below] + sums[to]) / (2 * sums[-1])
    return found
