"""Scores of an attribution where the truth is known: does it find what carries information, and how much of it?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import factorial

import numpy as np

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.statistics import sample_deviation
from xaug.core.types import Array

__all__ = ["TruthScore", "shapley_of_truth", "truth_score"]

SAMPLES = 200
"""Bootstrap samples of the events."""
LARGEST = 12
"""Variables at most for exact Shapley values, whose number of coalitions doubles with each."""


@dataclass(frozen=True)
class TruthScore:
    """How far an attribution agrees with the truth.

    Attributes
    ----------
    found, found_error : float
        probability that a variable which carries information has a larger mean absolute attribution than one that does
        not, equal ones counted half: 1 is best, 0.5 is chance; and its statistical error
    likeness, likeness_error : float
        correlation of the attribution with the exact Shapley values of the optimal answer over all events and
        variables: 1 is best, 0 is chance; and its statistical error
    """

    found: float
    found_error: float
    likeness: float
    likeness_error: float


def truth_score(
    attribution: Array, truth: Array, names: Sequence[str], informative: Collection[str], seed: int = 0
) -> TruthScore:
    """Score an attribution.

    Parameters
    ----------
    attribution : (n, variables) array
        attribution of each variable in each event, towards the target
    truth : (n, variables) array
        exact Shapley values of the optimal answer for the same target, see `shapley_of_truth`
    names : sequence of str
        names of the variables
    informative : collection of str
        those that carry information
    seed : int
        seed of the bootstrap over events

    Raises
    ------
    ConfigurationError
        if shapes differ, or all variables or none carry information
    """
    if attribution.shape != truth.shape or attribution.shape[1:] != (len(names),):
        raise ConfigurationError(
            f"attribution {attribution.shape} and truth {truth.shape} must be (n, {len(names)}), one column for each "
            "variable"
        )
    for name in informative:
        if name not in names:
            raise unknown_name("variable that carries information", name, names)
    carries = np.array([name in informative for name in names])
    if carries.all() or not carries.any():
        raise ConfigurationError("some variables must carry information, and some must not")
    size = np.abs(attribution)
    sums = np.stack(
        [attribution * truth, attribution**2, truth**2, attribution, truth, np.ones_like(truth)], axis=-1
    ).sum(axis=1)

    def scores(weight: Array) -> tuple[float, float]:
        mean = weight @ size
        larger = mean[carries][:, None] - mean[~carries][None, :]
        both, own, other, total_own, total_other, n = weight @ sums
        covariance = both - total_own * total_other / n
        variance = (own - total_own**2 / n) * (other - total_other**2 / n)
        return float(((larger > 0) + 0.5 * (larger == 0)).mean()), float(
            covariance / np.sqrt(variance) if variance > 0 else 0.0
        )

    found, likeness = scores(np.ones(len(size)))
    counts = np.random.default_rng(seed).poisson(1.0, (SAMPLES, len(size))).astype(np.float64)
    errors = sample_deviation([scores(one) for one in counts])
    return TruthScore(found, float(errors[0]), likeness, float(errors[1]))


def shapley_of_truth(
    function: Callable[[Array], Array],
    values: Array,
    background: Array,
    matters: Sequence[int],
) -> Array:
    """Exact Shapley values of a function, in whose coalitions absent variables have the values of background events.

    Parameters
    ----------
    function : callable
        values (m, variables) -> (m,)
    values : (n, variables) array
        events
    background : (b, variables) array
        events over which absent variables are averaged, jointly
    matters : sequence of int
        columns on which the function depends; the others have the value 0

    Returns
    -------
    (n, variables) array
        they sum to f(x) less the mean of f over the background

    References
    ----------
    L. S. Shapley, in Contributions to the Theory of Games II, Princeton (1953) 307; S. Lundberg, S. Lee,
    arXiv:1705.07874, equation 8
    """
    d = len(matters)
    if d > LARGEST:
        raise ConfigurationError(
            f"{d} variables have too many coalitions for exact Shapley values; {LARGEST} are allowed"
        )
    n, b = len(values), len(background)
    of_coalition: dict[tuple[int, ...], Array] = {}
    for size in range(d + 1):
        for present in combinations(range(d), size):
            mixed = np.tile(background, (n, 1))
            own = [matters[i] for i in present]
            mixed[:, own] = np.repeat(values[:, own], b, axis=0)
            of_coalition[present] = function(mixed).reshape(n, b).mean(axis=1)
    shares = np.zeros(values.shape)
    for i in range(d):
        for present, without in of_coalition.items():
            if i in present:
                continue
            weight = factorial(len(present)) * factorial(d - len(present) - 1) / factorial(d)
            shares[:, matters[i]] += weight * (of_coalition[tuple(sorted((*present, i)))] - without)
    return shares
