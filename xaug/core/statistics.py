"""Standard deviations and standard errors: the one place that knows the number of degrees of freedom."""

from __future__ import annotations

import numpy as np

from xaug.core.types import Array, ArrayLike

__all__ = ["Moments", "sample_deviation", "standard_error"]


class Moments:
    """Mean of columns and sum of their squared distances from it, of groups of events that are joined one by one.

    Attributes
    ----------
    weight : float
        sum of weights, or number of events
    mean, squares : arrays (n_columns,)

    References
    ----------
    T. Chan, G. Golub, R. LeVeque, American Statistician 37 (1983) 242.
    """

    def __init__(self, columns: int) -> None:
        self.weight = 0.0
        self.mean, self.squares = np.zeros(columns), np.zeros(columns)

    def join(self, weight: float, mean: Array, squares: Array) -> None:
        """Take in a group of positive weight, with its own mean and squares about it."""
        shift = mean - self.mean
        self.squares = self.squares + (squares + shift**2 * self.weight * weight / (self.weight + weight))
        self.mean = self.mean + shift * weight / (self.weight + weight)
        self.weight += weight

    @property
    def width(self) -> Array:
        """Root of the mean squared distance: the width of what was joined, not the spread of a sample or an error."""
        found: Array = np.sqrt(self.squares / self.weight)
        return found


def sample_deviation(values: ArrayLike, axis: int = 0) -> Array:
    """Standard deviation of a sample about its own mean: sqrt(sum (x - mean)^2 / (n - 1)).

    It is the spread over trainings, over replicas of a bootstrap, and over draws.

    Parameters
    ----------
    values : array_like
        one or more values along the axis, in any unit
    axis : int
        axis of the trainings, replicas or draws

    Returns
    -------
    ndarray
        the shape of the values without the axis, in their unit; nan where there is one value, which has no spread
    """
    found = np.asarray(values, dtype=np.float64)
    if found.shape[axis] < 2:
        found = np.full(np.delete(found.shape, axis), np.nan)
        return found[()]
    deviation: Array = found.std(axis=axis, ddof=1)
    return deviation


def standard_error(values: ArrayLike, axis: int = 0) -> Array:
    """Standard deviation of the mean of a sample: `sample_deviation` over the square root of n.

    Parameters
    ----------
    values : array_like
        one or more independent values along the axis, in any unit
    axis : int
        axis of the values

    Returns
    -------
    ndarray
        the shape of the values without the axis, in their unit; nan where there is one value
    """
    error: Array = sample_deviation(values, axis) / np.sqrt(np.shape(values)[axis])
    return error
