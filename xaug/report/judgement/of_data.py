"""Tests of an explanation against the data, and against itself: likelihood, symmetries, agreement of rankings."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xaug.core.errors import ConfigurationError
from xaug.explain.analysis.likelihood import LikelihoodTest, likelihood_test, symmetry_test
from xaug.explain.analysis.spread import ENOUGH_TRAININGS, stability
from xaug.explain.faithfulness.agreement import Agreement, between_halves, between_trainings
from xaug.report.explained_run import LIST_RELEVANCE
from xaug.report.judgement.judged import Judged
from xaug.report.judgement.measures import ExplanationTest, Measure, register
from xaug.report.words import counted, listed

__all__ = ["Halves", "Likelihood", "Symmetry", "Trainings", "likelihood_tests"]


NAME = "correlation with ln(ps/pb)"
"""The measure of the likelihood test, as a row of the table calls it."""


@register
class Likelihood(ExplanationTest):
    """Attribution of variables beside the ratio of their densities."""

    name, words = "likelihood", "agreement with the ratio of densities in the data"

    def undefined(self, judged: Judged) -> str:
        if len(judged.run.classes) != 2:
            return f"the test compares two classes, and {judged.run.name} has {len(judged.run.classes)}"
        if not judged.explained.expert_variables:
            return "the network reads no expert variable"
        missing = [name for i, name in enumerate(judged.run.classes) if not (judged.label == i).any()]
        return f"no judged event is {missing[0]}" if missing else ""

    def measure(self, judged: Judged) -> list[Measure]:
        found = likelihood_tests(judged)
        if not found:
            note = "no variable has three bins with enough events of both classes"
            return [Measure(self.name, NAME, np.nan, note=note, better=1)]
        weight = np.array([information(one) for one in found.values()])
        if not weight.sum() > 0:
            note = f"the data say nothing of {listed(list(found))}, which alone could be tested"
            return [Measure(self.name, NAME, np.nan, note=note, better=1)]
        weight = weight / weight.sum()
        # an attribution that is the same in all bins has no correlation: it says nothing, and counts 0
        says = np.array([not np.isnan(one.correlation) for one in found.values()])
        value, event, spread = (
            float(weight @ np.where(says, [getattr(one, name) for one in found.values()], 0.0))
            for name in ("correlation", "correlation_error", "correlation_spread")
        )
        note = f"mean over {counted(len(found), 'variable')}, each weighted by what the data say of it"
        untested = [name for name in judged.explained.expert_variables if name not in found]
        if untested:
            note += f"; too few events of both classes in bins of {listed(untested)}"
        trainings = len(judged.attributions)
        return [Measure(self.name, NAME, value, event, spread, trainings, 1, note)]


def likelihood_tests(judged: Judged) -> dict[str, LikelihoodTest]:
    """The test of each expert variable of the network that has enough events in three bins."""
    found, values, scores = {}, judged.values, judged.scores
    for name in judged.explained.expert_variables:
        try:
            found[name] = likelihood_test(
                judged.attributions, values, name, label=judged.label, scores=scores, samples=50
            )  # fmt: skip
        except ConfigurationError:
            continue
    return found


def information(found: LikelihoodTest) -> float:
    """Variance over events of ln(p_s / p_b), less that of its statistical errors; 0 if these explain all of it."""
    if np.isnan(found.best_correlation):
        return 0.0
    share = (found.counts / found.counts.sum(axis=1, keepdims=True)).mean(axis=0)
    deviation = found.log_ratio - share @ found.log_ratio
    return max(0.0, float(share @ (deviation**2 - found.log_ratio_error**2)))


@register
class Symmetry(ExplanationTest):
    """Attribution of variables that cannot matter."""

    name, words = "symmetry", "attribution of variables that cannot matter"

    def undefined(self, judged: Judged) -> str:
        if len(judged.run.classes) != 2:
            return f"the test compares two classes, and {judged.run.name} has {len(judged.run.classes)}"
        own = set(judged.choices.symmetric) & set(judged.explained.expert_variables)
        if own:
            return ""
        return f"the network does not read {' or '.join(judged.choices.symmetric) or 'any variable that cannot matter'}"

    def measure(self, judged: Judged) -> list[Measure]:
        found = []
        for variable in judged.choices.symmetric:
            if variable not in judged.explained.expert_variables:
                continue
            one = symmetry_test(
                judged.attributions, judged.values, variable, label=judged.label, scores=judged.scores
            )  # fmt: skip
            words, n = f"share of {variable}, which cannot matter", len(judged.attributions)
            found.append(Measure(self.name, words, one.share, one.share_error, one.share_spread, n, -1))
        return found


def _ranked(judged: Judged) -> str:
    """Words for the groups that are ranked; none where the features are."""
    return "" if judged.ranked_groups is None else f" on groups {Path(judged.choices.groups).name}"


def _of(agreement: Agreement, test: str, name: str, trainings: int) -> Measure:
    return Measure(test, name, agreement.value, agreement.error, np.nan, trainings, 1, agreement.note)


@register
class Trainings(ExplanationTest):
    """Agreement of trainings, and the number of stable ranks."""

    name, words = "trainings", "agreement of the rankings of trainings, and stable ranks"

    def measure(self, judged: Judged) -> list[Measure]:
        n = len(judged.attributions)
        found = between_trainings(judged.attributions, LIST_RELEVANCE, judged.ranked_groups)
        measures = [_of(found, self.name, f"agreement of trainings{_ranked(judged)}", n)]
        if n < ENOUGH_TRAININGS:
            note = f"no rank is called stable with fewer than {ENOUGH_TRAININGS} trainings; there "
            note += "is one" if n == 1 else f"are {n}"
            return [*measures, Measure(self.name, "stable ranks", np.nan, trainings=n, better=0, note=note)]
        stable = stability(judged.attributions, LIST_RELEVANCE)["stable"]
        names = ", ".join(map(str, stable.index[stable]))
        note = f"of {len(stable)}" + (f": {names}" if names else "")
        return [*measures, Measure(self.name, "stable ranks", float(stable.sum()), trainings=n, note=note)]


@register
class Halves(ExplanationTest):
    """Agreement of halves of the sample."""

    name, words = "halves", "agreement of the rankings of halves of the sample"

    def measure(self, judged: Judged) -> list[Measure]:
        found = between_halves(judged.attributions, LIST_RELEVANCE, judged.choices.seed, judged.ranked_groups)
        return [_of(found, self.name, f"agreement of halves{_ranked(judged)}", len(judged.attributions))]
