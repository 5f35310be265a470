"""The likelihood test: does an explanation say of a variable what the data say of it?

Of a variable v alone, the data say ln(p_s(v) / p_b(v)): positive where events are rather signal. A method that explains
why an event was taken for signal should give v a positive attribution there, and a negative one where events are
rather background. The test compares the mean attribution in bins of v with the logarithm of the ratio of densities. The
two are equal, up to a constant, for a network that has learned the optimal answer from independent variables, if the
method gives each of them its own part. Correlations among variables and what the network has not learned weaken the
relation for every method, so the test compares methods on one network.

A variable that cannot matter, such as the azimuth of a jet, should have no attribution in any bin: see `symmetry_test`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.statistics import sample_deviation
from xaug.core.types import Array
from xaug.data.labels import cells_by_class
from xaug.explain.analysis.binning import (
    Bins,
    Values,
    bin_edges,
    bin_index,
    checked_columns,
    classes_of,
    towards_signal,
)
from xaug.explain.analysis.relevance import signed_relevance, trainings_of
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
        correlation of attribution and log_ratio over bins, each with the share of events in it; 1 is best
    correlation_error, correlation_spread : float
        its error from the finite sample (bootstrap over events), and its standard deviation over trainings (ddof 1; nan
        for one training)
    slope : float
        slope of the attribution against log_ratio, fitted with the same weights. It is 1 for a log-odds that is split
        into independent parts; statistical errors of log_ratio make it smaller
    slope_error, slope_spread : float
        as for the correlation
    """

    log_ratio: Array
    log_ratio_error: Array
    correlation: float
    correlation_error: float
    correlation_spread: float
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
    data = _Data.of(attributions, values, variable, feature or variable, label, scores)
    edges = _merged(bin_edges(data.column, bins), data, least_events)
    if len(edges) - 1 < LEAST_BINS:
        raise ConfigurationError(
            f"{variable}: {len(edges) - 1} bins have {least_events} events of both classes, and {LEAST_BINS} are "
            "needed; explain more events, or ask for fewer in a bin"
        )
    table = data.binned(edges)
    found = _fit(table.log_ratio, table.attribution, table.share)
    single = np.array([_fit(table.log_ratio, y, table.share) for y in table.training_attribution])
    spread = sample_deviation(single)
    error = _bootstrap(data, edges, samples, seed)
    inverse = 1 / table.counts - 1 / table.counts.sum(axis=1, keepdims=True)
    return LikelihoodTest(
        data.feature, variable, edges, table.counts, table.attribution, table.attribution_error,
        table.log_ratio, np.sqrt(inverse.sum(axis=0)),
        found[0], error[0], spread[0], found[1], error[1], spread[1],
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
    data = _Data.of(attributions, values, variable, feature or variable, label, scores)
    edges = _merged(bin_edges(data.column, bins), data, least_events)
    table = data.binned(edges)
    error = table.attribution_error
    if not (error > 0).all():  # a method that gives it exactly nothing, or a constant
        chi_square = 0.0 if not table.attribution.any() else np.inf
    else:
        chi_square = float(((table.attribution / error) ** 2).sum())
    single = [_share(table.share, y, error) for y in table.training_attribution]
    # a sample of the events scatters about the mean over all of them by the error, which is thus there twice
    drawn = [_share(share, y, np.sqrt(2) * error) for share, y, _ in _drawn(data, edges, samples, seed)]
    numbers = [_share(table.share, table.attribution, error), sample_deviation(drawn), sample_deviation(single)]
    return SymmetryTest(
        data.feature, variable, edges, table.counts, table.attribution, error, chi_square,
        float(chi2.sf(chi_square, len(edges) - 1)), *(np.array(numbers) / data.output_deviation).tolist(),
    )  # fmt: skip


def _share(share: Array, attribution: Array, error: Array) -> float:
    """Root mean square of mean attributions in bins, beyond their errors."""
    return float(np.sqrt(max(0.0, float(share @ (attribution**2 - error**2)))))


@dataclass(frozen=True)
class _Binned:
    """Sums of events in bins, both classes with equal weight."""

    counts: Array  # (2, bins)
    share: Array  # (bins,) share of the events
    attribution: Array  # (bins,)
    attribution_error: Array  # (bins,)
    training_attribution: Array  # (trainings, bins)

    @property
    def log_ratio(self) -> Array:
        """ln(p_s / p_b) (bins,)."""
        density = self.counts / self.counts.sum(axis=1, keepdims=True)
        ratio: Array = np.log(density[1] / density[0])
        return ratio


@dataclass(frozen=True)
class _Data:
    """The attribution of one feature and the values of one variable in n events."""

    feature: str
    column: Array  # (n,)
    label: Array  # (n,)
    relevance: Array  # (trainings, n), positive towards signal
    output_deviation: float  # standard deviation of the explained output over events

    @classmethod
    def of(
        cls, attributions: Attribution | Sequence[Attribution], values: Values, variable: str, feature: str,
        label: Array | None, scores: Sequence[Array] | None,
    ) -> _Data:  # fmt: skip
        trainings = trainings_of(attributions)
        classes = classes_of(trainings[0], label)
        if classes.max(initial=0) > 1:
            raise ConfigurationError("the test compares two classes; these attributions have more")
        for which, name in enumerate(("background", "signal")):
            if not (classes == which).any():
                raise ConfigurationError(f"no explained event is {name}; explain events of both classes")
        if scores is not None and len(scores) != len(trainings):
            raise ConfigurationError(f"{len(scores)} scores for {len(trainings)} trainings; give one array for each")
        column = checked_columns(values, [variable], len(classes))[variable]
        relevance = []
        for i, attribution in enumerate(trainings):
            if scores is None and attribution.settings.get("target") == "predicted":
                raise ConfigurationError(
                    "the target of this attribution is the predicted class; give `scores`, which tell it, or explain "
                    "the target signal"
                )
            table = signed_relevance(attribution, normalize=False)
            if feature not in table:
                raise unknown_name("explained feature", feature, map(str, table))
            signal = np.zeros(len(classes)) if scores is None else np.asarray(scores[i]) > 0.5
            relevance.append(table[feature].to_numpy(dtype=np.float64) * towards_signal(attribution, signal))
        found = np.array(relevance)
        if not np.isfinite(found).all():
            lost = int((~np.isfinite(found)).any(axis=0).sum())
            raise ConfigurationError(
                f"{lost} events have an attribution of {feature} that is not finite; leave them out"
            )
        deviation = float(np.mean([a.logit.std(dtype=np.float64) for a in trainings]))
        return cls(feature, column, classes, found, deviation)

    def cells(self, edges: Array) -> Array:
        """Number (n,) of the cell of each event: its class times the number of bins, plus its bin."""
        bins = len(edges) - 1
        return cells_by_class(self.label, np.clip(bin_index(self.column, edges), 0, bins - 1), bins)

    def binned(self, edges: Array) -> _Binned:
        """The sums of all events."""
        cell, bins = self.cells(edges), len(edges) - 1
        counts = np.bincount(cell, minlength=2 * bins).reshape(2, bins)
        per_event = (1 / counts.sum(axis=1))[self.label]
        weight = np.bincount(cell % bins, per_event, bins)
        sums = np.array([np.bincount(cell % bins, r * per_event, bins) for r in self.relevance])
        mean = sums.mean(axis=0) / weight
        beyond = (self.relevance.mean(axis=0) - mean[cell % bins]) * per_event
        error = np.sqrt(np.bincount(cell % bins, beyond**2, bins)) / weight
        return _Binned(counts, weight / 2, mean, error, sums / weight)


def _merged(edges: Array, data: _Data, least_events: int) -> Array:
    """Edges of merged bins, each of which has `least_events` events of both classes."""
    bins = len(edges) - 1
    counts = np.bincount(data.cells(edges), minlength=2 * bins).reshape(2, bins)
    kept, open_counts = [edges[0]], np.zeros(2)
    for own, upper in zip(counts.T, edges[1:], strict=True):
        open_counts = open_counts + own
        if (open_counts >= least_events).all():
            kept.append(upper)
            open_counts = np.zeros(2)
    if len(kept) == 1:
        raise ConfigurationError(
            f"{data.feature}: there are fewer than {least_events} events of one class; explain more events"
        )
    kept[-1] = edges[-1]  # what is left joins the last bin
    return np.array(kept)


def _fit(x: Array, y: Array, share: Array) -> tuple[float, float]:
    """Correlation of y and x (0 for a constant y), and the slope of y against x, with weights that sum to 1."""
    dx: Array = x - share @ x
    dy: Array = y - share @ y
    xx, xy, yy = share @ dx**2, share @ (dx * dy), share @ dy**2
    if xx == 0:
        return np.nan, np.nan
    return (float(xy / np.sqrt(xx * yy)) if yy > 0 else 0.0), float(xy / xx)


def _bootstrap(data: _Data, edges: Array, samples: int, seed: int) -> Array:
    """Standard deviations of correlation and slope over samples of the events, drawn with replacement by class."""
    found = []
    for share, attribution, ratio in _drawn(data, edges, samples, seed):
        own = np.isfinite(ratio)
        found.append(_fit(ratio[own], attribution[own], share[own] / share[own].sum()))
    return sample_deviation(found)


def _drawn(data: _Data, edges: Array, samples: int, seed: int) -> Iterator[tuple[Array, Array, Array]]:
    """Samples of the events: share of the events, mean attribution, and log ratio (not finite if empty) in each bin."""
    rng = np.random.default_rng(seed)
    bins, cell, relevance = len(edges) - 1, data.cells(edges), data.relevance.mean(axis=0)
    of_class = [np.flatnonzero(data.label == which) for which in (0, 1)]
    for _ in range(samples):
        drawn = np.concatenate([rng.choice(own, len(own)) for own in of_class])
        counts = np.bincount(cell[drawn], minlength=2 * bins).reshape(2, bins)
        density = counts / counts.sum(axis=1, keepdims=True)
        weight, per_event = density.sum(axis=0), (1 / counts.sum(axis=1))[data.label[drawn]]
        sums = np.bincount(cell[drawn] % bins, relevance[drawn] * per_event, bins)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where((counts > 0).all(axis=0), np.log(density[1] / density[0]), np.nan)
        yield weight / 2, np.divide(sums, weight, out=np.zeros(bins), where=weight > 0), ratio
