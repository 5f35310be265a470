"""The verdict: which method does best in which test, and which ranks of features to believe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xaug.core.types import Array
from xaug.explain.analysis.likelihood import LikelihoodTest
from xaug.explain.analysis.relevance import feature_relevance
from xaug.explain.analysis.spread import ENOUGH_TRAININGS
from xaug.report.explained_run import LIST_RELEVANCE
from xaug.report.judgement.judged import Judged
from xaug.report.judgement.measures import Measure
from xaug.report.words import counted, listed

__all__ = ["FeatureVerdict", "best_of", "cell", "feature_verdicts", "tolerance"]

SIGNIFICANT = 2.0
"""Standard errors by which a correlation with the data must be above zero."""
SMALL = 0.001
"""Values below this have a power of ten in tables."""
HALVINGS = 50
"""Random halves of the events, each of which ranks the features."""
OF_HALVES = 0.95
"""Share of the halves in which a feature must keep its rank."""


def best_of(row: Mapping[str, Measure]) -> str | None:
    """The name of the method that is best in one measure, and significantly so; None if there is none.

    Errors are added in quadrature, as if the methods were independent; they explain the same events and networks, so
    this is cautious.
    """
    known = {name: one for name, one in row.items() if np.isfinite(one.value) and one.better}
    if len(known) < 2:
        return None
    first = max(known, key=lambda name: known[name].better * known[name].value)
    for name, other in known.items():
        if name == first:
            continue
        margin = float(np.hypot(known[first].margin, other.margin))  # nan if one of the two is unknown
        if not abs(known[first].value - other.value) > margin:
            return None
    return first


def cell(measure: Measure | None) -> str:
    """A measure as a cell of the table: value ± error of events ± spread over trainings, or why there is none."""
    if measure is None:
        return ""
    if not np.isfinite(measure.value):
        return measure.note or "not defined"
    count = not measure.better and measure.value == int(measure.value)
    digits = ".0f" if count else ".3f" if abs(measure.value) >= SMALL or measure.value == 0 else ".1e"
    numbers = (measure.value, measure.event_error, measure.training_spread)
    return " ± ".join(f"{number:{digits}}" for number in numbers if np.isfinite(number)).replace("-", "−")


@dataclass(frozen=True)
class FeatureVerdict:
    """Whether to believe the rank of a feature.

    Attributes
    ----------
    feature : str
    ranks : dict of int
        its rank by the mean over trainings, by method
    lacks : tuple of str
        what speaks against it; empty: believe it
    likelihood : dict of (float, float)
        correlation with the ratio of densities and its error, by method, where the test is defined
    """

    feature: str
    ranks: Mapping[str, int]
    lacks: tuple[str, ...]
    likelihood: Mapping[str, tuple[float, float]]

    @property
    def believe(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.lacks

    @property
    def words(self) -> str:
        """`believe it`, or `do not:` and what is lacking; and whether the data were not asked."""
        if self.believe:
            return "believe it" if self.likelihood else "believe it (the data could not be asked)"
        return f"do not: {'; '.join(self.lacks)}"


def tolerance(features: int) -> int:
    """Ranks by which two rankings of so many features may differ and still agree on one of them: a tenth of them.

    Of few features it is 0: neighbours that change places are no agreement.
    """
    return round(0.1 * features)


def feature_verdicts(
    judged: Sequence[Judged], likelihood: Mapping[str, Mapping[str, LikelihoodTest]]
) -> list[FeatureVerdict]:
    """Find out which ranks to believe.

    A rank is believed if it is the same, within `tolerance`, in all of at least four trainings, by all of at least two
    methods, and in 95% of random halves of the events, and if no method contradicts the data in the likelihood test:
    its correlation is above zero by two standard errors. Where that test is not possible, the verdict says so.

    Parameters
    ----------
    judged : sequence of Judged
        explanations of the same events of one run
    likelihood : dict
        by name of the explanation and of the variable, the likelihood tests that were possible

    Returns
    -------
    list of FeatureVerdict
        the features in the order of their best rank
    """
    tables = {one.name: _training_means(one) for one in judged}
    halves = {one.name: _half_ranks(one, one.choices.seed) for one in judged}
    names = [name for name in next(iter(tables.values())) if all(name in table for table in tables.values())]
    ranks = {method: ranks_of(table[names].mean().to_numpy()) for method, table in tables.items()}
    allowed = tolerance(len(names))
    found = []
    for i, feature in enumerate(names):
        own = {method: int(of[i]) for method, of in ranks.items()}
        lacks = [] if len(names) > 1 else ["a second feature, without which there is no rank"]
        for one in judged:
            lacks += _of_trainings(one.name, tables[one.name][names], i, allowed, len(judged) > 1)
            share = np.mean(np.abs(halves[one.name][:, i] - own[one.name]) <= allowed)
            if share < OF_HALVES:
                lacks.append(f"halves of the sample ({one.name}: the same in {100 * share:.0f}%)")
        if len(judged) < 2:
            lacks.append("a second method")
        elif max(own.values()) - min(own.values()) > allowed:
            lacks.append(f"methods ({', '.join(f'{method} {rank}' for method, rank in own.items())})")
        tested = {method: tests[feature] for method, tests in likelihood.items() if feature in tests}
        against = []
        correlations = {}
        for method, test in tested.items():
            error = _total(test)
            correlations[method] = (test.correlation, error)
            if informative(test) and not test.correlation > SIGNIFICANT * error:
                told = f"{test.correlation:.2f} ± {error:.2f}" if np.isfinite(test.correlation) else "none"
                against.append(f"{method} {told}".replace("-", "−"))
        if against:
            lacks.append(f"the data (correlation {', '.join(against)})")
        found.append(FeatureVerdict(feature, own, tuple(dict.fromkeys(lacks)), correlations))
    return sorted(found, key=lambda one: (min(one.ranks.values()), sum(one.ranks.values())))


def ranks_of(values: Array) -> Array:
    """Ranks of values, 1 for the largest."""
    ranks: Array = np.empty(len(values), int)
    ranks[np.argsort(-values, kind="stable")] = np.arange(1, len(values) + 1)
    return ranks


def informative(test: LikelihoodTest) -> bool:
    """Whether the ratio of densities differs between bins by more than its errors: chi square over bins above twice
    their number."""
    weight = 1 / test.log_ratio_error**2
    mean = (weight @ test.log_ratio) / weight.sum()
    return bool((weight @ (test.log_ratio - mean) ** 2) > 2 * len(test.log_ratio))


def _total(test: LikelihoodTest) -> float:
    """Both errors of a correlation in quadrature; the spread over trainings where there are several."""
    spread = test.correlation_spread if np.isfinite(test.correlation_spread) else 0.0
    return float(np.hypot(test.correlation_error, spread))


def _training_means(judged: Judged) -> pd.DataFrame:
    """Mean relevance of each feature, a row a training."""
    return pd.DataFrame([feature_relevance(one, LIST_RELEVANCE).mean() for one in judged.attributions])


def _half_ranks(judged: Judged, seed: int) -> Array:
    """Ranks (2 x halvings, features) by halves of the events, averaged over trainings."""
    relevance = np.mean([feature_relevance(one, LIST_RELEVANCE).to_numpy() for one in judged.attributions], axis=0)
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(HALVINGS):
        order = rng.permutation(len(relevance))
        for half in np.array_split(order, 2):
            found.append(ranks_of(relevance[half].mean(axis=0)))
    return np.array(found)


def _of_trainings(name: str, means: pd.DataFrame, place: int, allowed: int, several: bool) -> list[str]:
    """Reasons of trainings against the rank of a feature, by one method."""
    n = len(means)
    if n < ENOUGH_TRAININGS:
        return [f"trainings (there {'is' if n == 1 else 'are'} {n}, and {ENOUGH_TRAININGS} are needed)"]
    ranks = [int(ranks_of(row)[place]) for row in means.to_numpy()]
    if max(ranks) - min(ranks) <= allowed:
        return []
    whose = f"{name}: " if several else ""
    return [f"trainings ({whose}ranks {min(ranks)} to {max(ranks)})"]


def summary_of(run: str, verdicts: Sequence[FeatureVerdict], trainings: int, methods: Sequence[str]) -> str:
    """A sentence that says how many ranks to believe, and where methods disagree most."""
    believed = [one.feature for one in verdicts if one.believe]
    text = f"{run}: the rank of {len(believed)} of {counted(len(verdicts), 'feature')} can be believed"
    text += f" ({listed(believed)})." if believed else "."
    if trainings < ENOUGH_TRAININGS:
        text += f" {counted(trainings, 'training')} cannot show that a rank is stable; {ENOUGH_TRAININGS} can."
    if len(methods) > 1 and verdicts:
        apart = max(verdicts, key=lambda one: max(one.ranks.values()) - min(one.ranks.values()))
        if max(apart.ranks.values()) > min(apart.ranks.values()):
            told = ", ".join(f"{rank} by {method}" for method, rank in apart.ranks.items())
            text += f" Methods disagree most about {apart.feature} (rank {told})."
    return text
