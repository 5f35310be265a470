"""The likelihood test: does an explanation say of a variable what the data say of it?

Of a variable v alone, the data say ln(p_s(v) / p_b(v)): positive where events are rather signal. A method that explains
why an event was taken for signal should give v a positive attribution there, and a negative one where events are
rather background. The test compares the mean attribution in bins of v with the logarithm of the ratio of densities. The
two are equal, up to a constant, for a network that has learned the optimal answer from independent variables, if the
method gives each of them its own part. Correlations among variables and what the network has not learned weaken the
relation for every method, so the test compares methods on one network.

Events count by their weights, where the attributions know them.

A variable that cannot matter, such as the azimuth of a jet, should have no attribution in any bin: see `symmetry_test`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from xaug.core.errors import ConfigurationError
from xaug.core.statistics import sample_deviation
from xaug.core.types import Array
from xaug.explain.analysis.binning import (
    Bins,
    Values,
    bin_edges,
)
from xaug.explain.analysis.class_sample import ClassSample
from xaug.explain.analysis.line_fit import errors_of_line, fit_line, variance_of_errors
from xaug.explain.attribution import Attribution

__all__ = ["LikelihoodTest", "SymmetryTest", "likelihood_test", "symmetry_test"]

LIKELIHOOD_BINS = 20
LEAST_EVENTS = 25
"""Events of each class that a bin needs; neighbours are merged until it has them."""
LEAST_BINS = 3
"""A correlation needs three points to mean anything."""
SAMPLES = 200
"""Bootstrap samples of the events, from which errors are estimated."""


@dataclass(frozen=True)
class BinnedAttribution:
    """Attribution of a feature towards signal in bins of a variable. Both classes have equal weight.

    Attributes
    ----------
    feature, variable : str
        the feature that is explained, and the variable in whose bins its attribution is averaged
    edges : (bins + 1,) array
        edges of the bins, in the unit of the variable; the outer bins also hold what lies beyond them
    counts : (2, bins) array
        events of background and signal
    attribution : (bins,) array
        mean over events and trainings, in units of the explained output, positive towards signal
    attribution_error : (bins,) array
        statistical error of the mean over events
    """

    feature: str
    variable: str
    edges: Array
    counts: Array
    attribution: Array
    attribution_error: Array


@dataclass(frozen=True)
class LikelihoodTest(BinnedAttribution):
    """The attribution in bins of a variable beside the ratio of densities in the data.

    Attributes
    ----------
    log_ratio, log_ratio_error : (bins,) arrays
        ln(p_s / p_b) of the data, and its statistical error
    correlation : float
        correlation of attribution and log_ratio over bins, each with the share of events in it; 1 is best. It is nan
        for an attribution that is the same in all bins
    correlation_error, correlation_spread : float
        its error from the finite sample (bootstrap over events), and its standard deviation over trainings (ddof 1; nan
        for one training)
    best_correlation : float
        correlation that an attribution equal to the true log_ratio has on average: errors of log_ratio lower it
    slope : float
        slope of the attribution against log_ratio with the same weights, corrected for the errors of log_ratio. It is 1
        for a log-odds that is split into independent parts, and nan if errors alone explain how log_ratio differs
    slope_error, slope_spread : float
        as for the correlation
    """

    log_ratio: Array
    log_ratio_error: Array
    correlation: float
    correlation_error: float
    correlation_spread: float
    best_correlation: float
    slope: float
    slope_error: float
    slope_spread: float


@dataclass(frozen=True)
class SymmetryTest(BinnedAttribution):
    """The attribution of a variable that cannot matter, in bins of it.

    Attributes
    ----------
    chi_square : float
        sum over bins of (attribution / attribution_error) squared
    probability : float
        probability of a larger chi_square if the mean attribution is zero in all bins
    share : float
        root mean square of the mean attributions beyond their errors, over the standard deviation of the explained
        output; 0 is best
    share_error, share_spread : float
        its errors, as those of the correlation of a `LikelihoodTest`
    """

    chi_square: float
    probability: float
    share: float
    share_error: float
    share_spread: float


def likelihood_test(
    attributions: Attribution | Sequence[Attribution],
    values: Values,
    variable: str,
    *,
    feature: str | None = None,
    bins: Bins = LIKELIHOOD_BINS,
    label: Array | None = None,
    scores: Sequence[Array] | None = None,
    least_events: int = LEAST_EVENTS,
    samples: int = SAMPLES,
    seed: int = 0,
) -> LikelihoodTest:
    """Compare the attribution of a variable with the ratio of its densities in signal and background.

    Parameters
    ----------
    attributions : Attribution or sequence of Attribution
        one, or one a training of the same n events, for the target signal, background, their difference, or predicted
    values : dict of (n,) arrays, or DataFrame
        unscaled variables by name
    variable : str
        variable in whose bins attribution and densities are compared
    feature : str, optional
        feature whose attribution is averaged; default: the variable itself
    bins : int or sequence of float
        number of bins, or their edges in the unit of the variable; neighbours are merged until each has `least_events`
    label : (n,) array, optional
        class of each event, 0 or 1; needed where the attributions do not know it
    scores : sequence of (n,) arrays, optional
        signal scores in each training, which tell the predicted class; needed for the target predicted
    least_events : int
        events of each class that a bin needs
    samples : int
        bootstrap samples of the events
    seed : int
        seed of these samples

    Returns
    -------
    LikelihoodTest
        Both quantities in each bin, their correlation and slope, with errors.

    Raises
    ------
    ConfigurationError
        if fewer than three bins have enough events of both classes, or an input does not fit
    """
    _check_samples(samples)
    data = ClassSample.of(attributions, values, variable, feature or variable, label, scores)
    edges = data.merged(bin_edges(data.column, bins), least_events)
    if len(edges) - 1 < LEAST_BINS:
        raise ConfigurationError(
            f"{variable}: {len(edges) - 1} {'bin has' if len(edges) == 2 else 'bins have'} {least_events} events of "
            f"both classes, and {LEAST_BINS} are "
            "needed; explain more events, or ask for fewer in a bin"
        )
    table = data.binned(edges)
    noise = variance_of_errors(table.independent_variance, table.share)
    line = fit_line(table.log_ratio, table.attribution, table.share, noise)
    lines = [fit_line(table.log_ratio, y, table.share, noise) for y in table.training_attribution]
    spread = sample_deviation([(one.correlation, one.slope) for one in lines])
    error = errors_of_line(data.drawn(edges, samples, seed), line)
    return LikelihoodTest(
        data.feature, variable, edges, table.counts, table.attribution, table.attribution_error,
        table.log_ratio, table.log_ratio_error,
        line.correlation, error[0], float(spread[0]), line.best_correlation, line.slope, error[1], float(spread[1]),
    )  # fmt: skip


def symmetry_test(
    attributions: Attribution | Sequence[Attribution],
    values: Values,
    variable: str,
    *,
    feature: str | None = None,
    bins: Bins = LIKELIHOOD_BINS,
    label: Array | None = None,
    scores: Sequence[Array] | None = None,
    least_events: int = LEAST_EVENTS,
    samples: int = SAMPLES,
    seed: int = 0,
) -> SymmetryTest:
    """Measure the attribution that a variable has although it cannot matter.

    Parameters
    ----------
    attributions : Attribution or sequence of Attribution
        one, or one a training of the same n events, for the target signal, background, their difference, or predicted
    values : dict of (n,) arrays, or DataFrame
        unscaled variables by name
    variable : str
        variable that cannot matter, such as the azimuth of a jet
    feature : str, optional
        feature whose attribution is averaged; default: the variable itself
    bins : int or sequence of float
        number of bins, or their edges in the unit of the variable; neighbours are merged until each has `least_events`
    label : (n,) array, optional
        class of each event, 0 or 1; needed where the attributions do not know it
    scores : sequence of (n,) arrays, optional
        signal scores in each training, which tell the predicted class; needed for the target predicted
    least_events : int
        events of each class that a bin needs
    samples : int
        bootstrap samples of the events
    seed : int
        seed of these samples

    Returns
    -------
    SymmetryTest
        The attribution in each bin, its chi square, and its size relative to the explained output.

    Raises
    ------
    ConfigurationError
        if no bin has enough events, or an input does not fit
    """
    _check_samples(samples)
    data = ClassSample.of(attributions, values, variable, feature or variable, label, scores)
    edges = data.merged(bin_edges(data.column, bins), least_events)
    table = data.binned(edges)
    error = table.attribution_error
    if not (error > 0).all():  # a method that gives it exactly nothing, or a constant
        chi_square = 0.0 if not table.attribution.any() else np.inf
    else:
        chi_square = float(((table.attribution / error) ** 2).sum())
    single = [_share(table.share, y, error) for y in table.training_attribution]
    # a sample of the events scatters about the mean over all of them by the error, which is thus there twice
    drawn = [_share(share, y, np.sqrt(2) * error) for share, y, _ in data.drawn(edges, samples, seed)]
    numbers = [_share(table.share, table.attribution, error), sample_deviation(drawn), sample_deviation(single)]
    return SymmetryTest(
        data.feature, variable, edges, table.counts, table.attribution, error, chi_square,
        float(chi2.sf(chi_square, len(edges) - 1)), *(np.array(numbers) / data.output_deviation).tolist(),
    )  # fmt: skip


def _check_samples(samples: int) -> None:
    if samples < 2:
        raise ConfigurationError(f"samples={samples}: an error needs at least 2 samples of the events; 200 are usual")


def _share(share: Array, attribution: Array, error: Array) -> float:
    """Root mean square of mean attributions in bins, beyond their errors."""
    return float(np.sqrt(max(0.0, float(share @ (attribution**2 - error**2)))))
