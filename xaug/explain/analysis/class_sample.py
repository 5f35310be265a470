"""Events of two classes in bins of a variable: how many there are, and what a feature is attributed in each bin.

Both classes have equal weight, and events count by their own weights where the attributions know them. Errors are those
of weighted sums of independent events; samples of the events, drawn with replacement, tell the errors of what is made
of several bins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.types import Array
from xaug.data.labels import cells_by_class
from xaug.explain.analysis.binning import Values, bin_index, checked_columns, classes_of, towards_signal, weights_of
from xaug.explain.analysis.relevance import signed_relevance, trainings_of
from xaug.explain.attribution import Attribution

__all__ = ["BinSums", "ClassSample"]


@dataclass(frozen=True)
class BinSums:
    """Sums of events in bins, both classes with equal weight.

    Attributes
    ----------
    counts : (2, bins) array
        events of background and signal
    sums, squares : (2, bins) arrays
        sums of their weights, and of the squares of these
    share : (bins,) array
        share of the events
    attribution, attribution_error : (bins,) arrays
        mean attribution over events and trainings, and its error
    training_attribution : (trainings, bins) array
        mean attribution of each training
    """

    counts: Array
    sums: Array
    squares: Array
    share: Array
    attribution: Array
    attribution_error: Array
    training_attribution: Array

    @property
    def log_ratio(self) -> Array:
        """ln(p_s / p_b) (bins,); not finite where a class has no events, or no positive sum of weights."""
        return log_ratio(self.sums)

    @property
    def log_ratio_error(self) -> Array:
        """Statistical error (bins,) of `log_ratio`; of n of N events without weights it is sqrt(1/n - 1/N) a class."""
        density = self.sums / self.sums.sum(axis=1, keepdims=True)
        whole = self.squares.sum(axis=1, keepdims=True)
        variance = (self.squares * (1 - 2 * density) + density**2 * whole) / self.sums**2
        error: Array = np.sqrt(variance.sum(axis=0))
        return error

    @property
    def independent_variance(self) -> Array:
        """Square (bins,) of the errors of `log_ratio` but for what is common to all bins."""
        variance: Array = (self.squares / self.sums**2).sum(axis=0)
        return variance


def log_ratio(sums: Array) -> Array:
    """ln(p_s / p_b) (bins,) of sums of weights (2, bins); nan where one of them is not positive."""
    density = sums / sums.sum(axis=1, keepdims=True)
    positive = (density > 0).all(axis=0)
    ratio = np.divide(density[1], density[0], out=np.ones(len(positive)), where=positive)
    found: Array = np.where(positive, np.log(ratio), np.nan)
    return found


@dataclass(frozen=True)
class ClassSample:
    """The attribution of one feature and the values of one variable in n events.

    Attributes
    ----------
    feature : str
        name of the feature
    column, label, weight : (n,) arrays
        values of the variable, classes (0 or 1), and what each event counts for
    relevance : (trainings, n) array
        attribution of the feature, positive towards signal
    output_deviation : float
        standard deviation of the explained output over events
    """

    feature: str
    column: Array
    label: Array
    weight: Array
    relevance: Array
    output_deviation: float

    @classmethod
    def of(
        cls, attributions: Attribution | Sequence[Attribution], values: Values, variable: str, feature: str,
        label: Array | None, scores: Sequence[Array] | None,
    ) -> ClassSample:  # fmt: skip
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
        weight = weights_of(trainings[0])
        for which, name in enumerate(("background", "signal")):
            if not weight[classes == which].sum() > 0:
                raise ConfigurationError(f"the weights of {name} add up to no positive number")
        return cls(feature, column, classes, weight, found, deviation)

    def cells(self, edges: Array) -> Array:
        """Number (n,) of the cell of each event: its class times the number of bins, plus its bin."""
        bins = len(edges) - 1
        return cells_by_class(self.label, np.clip(bin_index(self.column, edges), 0, bins - 1), bins)

    @cached_property
    def _per_event(self) -> Array:
        """Part (n,) of its class that an event stands for."""
        part: Array = self.weight / np.bincount(self.label, self.weight)[self.label]
        return part

    def binned(self, edges: Array) -> BinSums:
        """The sums of all events in bins with these edges (bins + 1,)."""
        cell, bins, per_event = self.cells(edges), len(edges) - 1, self._per_event
        counts, sums, squares = (
            np.bincount(cell, weight, 2 * bins).reshape(2, bins) for weight in (None, self.weight, self.weight**2)
        )
        weight = np.bincount(cell % bins, per_event, bins)
        totals = np.array([np.bincount(cell % bins, r * per_event, bins) for r in self.relevance])
        mean = totals.mean(axis=0) / weight
        beyond = (self.relevance.mean(axis=0) - mean[cell % bins]) * per_event
        error = np.sqrt(np.bincount(cell % bins, beyond**2, bins)) / weight
        return BinSums(counts, sums, squares, weight / 2, mean, error, totals / weight)

    def merged(self, edges: Array, least_events: int) -> Array:
        """Edges of merged bins, each of which has `least_events` events of both classes.

        Events with weights count as many as events of equal weights that have the same statistical error.
        """
        bins = len(edges) - 1
        cell = self.cells(edges)
        sums, squares = (np.bincount(cell, w, 2 * bins).reshape(2, bins) for w in (self.weight, self.weight**2))
        kept, open_sums, open_squares = [edges[0]], np.zeros(2), np.zeros(2)
        for own, own_squares, upper in zip(sums.T, squares.T, edges[1:], strict=True):
            open_sums, open_squares = open_sums + own, open_squares + own_squares
            if (open_sums > 0).all() and (open_sums**2 >= least_events * open_squares * (1 - 1e-9)).all():
                kept.append(upper)
                open_sums, open_squares = np.zeros(2), np.zeros(2)
        if len(kept) == 1:
            raise ConfigurationError(
                f"{self.feature}: there are fewer than {least_events} events of one class; explain more events"
            )
        kept[-1] = edges[-1]  # what is left joins the last bin, and that its neighbour where its weights cancel
        while len(kept) > 2 and not (sums[:, edges[:-1] >= kept[-2]].sum(axis=1) > 0).all():
            kept.pop(-2)
        return np.array(kept)

    def drawn(self, edges: Array, samples: int, seed: int) -> Iterator[tuple[Array, Array, Array]]:
        """Samples of the events by class: share of the events, mean attribution, and log ratio of each bin (or nan)."""
        rng = np.random.default_rng(seed)
        bins, cell, relevance = len(edges) - 1, self.cells(edges), self.relevance.mean(axis=0)
        of_class = [np.flatnonzero(self.label == which) for which in (0, 1)]
        for _ in range(samples):
            drawn = np.concatenate([rng.choice(own, len(own)) for own in of_class])
            sums = np.bincount(cell[drawn], self.weight[drawn], 2 * bins).reshape(2, bins)
            per_event = self.weight[drawn] / sums.sum(axis=1)[self.label[drawn]]
            weight = np.bincount(cell[drawn] % bins, per_event, bins)
            totals = np.bincount(cell[drawn] % bins, relevance[drawn] * per_event, bins)
            mean = np.divide(totals, weight, out=np.zeros(bins), where=weight > 0)
            yield weight / 2, mean, log_ratio(sums)
