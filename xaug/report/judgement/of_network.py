"""Tests of an explanation against the network: deletion and insertion, completeness, random weights, small changes."""

from __future__ import annotations

import zlib
from functools import partial

import numpy as np

from xaug.core.errors import ConfigurationError
from xaug.core.statistics import sample_deviation
from xaug.core.types import Array
from xaug.data.columns import NamedArrays
from xaug.explain.analysis.relevance import signed_relevance
from xaug.explain.faithfulness.curves import PerturbationCurves, UnchangedOutputError, deletion_curves
from xaug.explain.faithfulness.physical import JetArrays, PhysicalChange, possible_changes, sensitivity
from xaug.explain.faithfulness.randomisation import cascading_randomisation
from xaug.explain.faithfulness.reexplain import Reexplainer, reexplainer
from xaug.report.judgement.judged import Judged
from xaug.report.judgement.measures import ExplanationTest, Measure, over_trainings, register

__all__ = ["Completeness", "Deletion", "PhysicalChanges", "RandomWeights"]

DECIMALS = 4


ROUNDING = 1e-5
"""Residual over the spread of the output that sums in single precision make: below it, relevance adds up."""


@register
class Deletion(ExplanationTest):
    """Deletion and insertion curves."""

    name, words = "deletion", "areas below deletion and insertion curves"

    def measure(self, judged: Judged) -> list[Measure]:
        try:
            found = self._curves(judged)
        except UnchangedOutputError as error:  # of few events; all other tests have their numbers
            return [Measure(self.name, self.words, np.nan, trainings=len(judged.attributions), note=str(error))]
        errors = sample_deviation(np.mean([curves.replicas() for curves in found], axis=0))
        areas = {
            "area under deletion": (-1, [curves.deletion_area for curves in found]),
            "area under insertion": (1, [curves.insertion_area for curves in found]),
            "gain, insertion less deletion (chance 0)": (1, [curves.gain for curves in found]),
        }
        drawn = {
            "fraction": found[0].fraction.tolist(),
            "deletion": np.mean([c.normalised(c.deletion) for c in found], axis=0).round(DECIMALS).tolist(),
            "insertion": np.mean([c.normalised(c.insertion) for c in found], axis=0).round(DECIMALS).tolist(),
            "deletion_spread": _spread([c.normalised(c.deletion) for c in found]),
            "insertion_spread": _spread([c.normalised(c.insertion) for c in found]),
        }
        measures = [
            over_trainings(self.name, name, np.array(values), error, better)
            for (name, (better, values)), error in zip(areas.items(), errors, strict=True)
        ]
        first = measures[0]
        return [Measure(**{**vars(first), "curves": drawn}), *measures[1:]]

    def _curves(self, judged: Judged) -> list[PerturbationCurves]:
        """The curves of each training."""
        choices = judged.choices
        return [
            deletion_curves(
                judged.run.model(i), judged.inputs, attribution, judged.background.arrays,
                weights=judged.background.weights, replacement=choices.replacement, groups=judged.groups,
                points=choices.points, seed=choices.seed,
            )
            for i, attribution in enumerate(judged.attributions)
        ]  # fmt: skip


def _spread(curves: list[Array]) -> list[float | None]:
    """Standard deviation over trainings of curves (n,), one a training; None where there is one training."""
    spread = sample_deviation(curves).round(DECIMALS)
    return [None if np.isnan(value) else float(value) for value in spread]


@register
class Completeness(ExplanationTest):
    """How far the relevance of an event adds up to its explained output."""

    name, words = "completeness", "how far relevance adds up to the explained output"

    def undefined(self, judged: Judged) -> str:
        if judged.explained.explanation.method.adds_up:
            return ""
        return f"the scores of {judged.explained.explanation.method.label} are not meant to add up to the output"

    def measure(self, judged: Judged) -> list[Measure]:
        each = [np.abs(one.residual) / max(float(one.logit.std()), 1e-12) for one in judged.attributions]
        rng = np.random.default_rng(judged.choices.seed)
        together = np.stack(each, axis=1)
        drawn = [together[rng.integers(0, len(together), len(together))] for _ in range(200)]
        error = float(sample_deviation([np.median(one, axis=0).mean() for one in drawn]))
        values = np.array([np.median(one) for one in each])
        name = "median residual / spread of the output"
        return [over_trainings(self.name, name, values, error, -1, rounding=ROUNDING)]


@register
class RandomWeights(ExplanationTest):
    """Cascading randomisation of weights."""

    name, words = "randomisation", "likeness to the explanation of a network with random weights"
    explains_again = True

    def measure(self, judged: Judged) -> list[Measure]:
        places = few(judged)
        x = {name: values[places] for name, values in judged.inputs.items()}
        label = judged.label[places]
        tables = []
        with reexplainer(judged.explained.explanation, judged.run, judged.explained.data) as explain:
            for i in range(len(judged.run)):
                again = partial(explain, x=x, label=label, training=i)
                tables.append(cascading_randomisation(judged.run.model(i), again, seed=judged.choices.seed))
        last = [table.iloc[-1] for table in tables]
        error = np.sqrt(np.mean([row["error"] ** 2 for row in last]))
        values = np.array([row["correlation"] for row in last])
        kept = values.mean() - 2 * error > 0.5
        note = "random weights leave most of the order in place: it is that of the inputs themselves" if kept else ""
        ranking = np.array([row["ranking"] for row in last])
        return [
            over_trainings(self.name, "rank correlation with random weights, event by event", values, error, -1, note),
            over_trainings(self.name, "rank correlation with random weights, ranking", ranking, np.nan, -1),
        ]


@register
class PhysicalChanges(ExplanationTest):
    """Small physical changes of jets."""

    name, words = "changes", "change of the attribution by small physical changes of jets"
    explains_again = True

    def undefined(self, judged: Judged) -> str:
        if judged.explained.data.kind != "jets":
            return f"the changes are those of jets, and {judged.explained.data.path.name} is not of jets"
        return "" if possible_changes(judged.run.input_spec.columns) else "no change acts on the inputs of this network"

    def measure(self, judged: Judged) -> list[Measure]:
        found = []
        with reexplainer(judged.explained.explanation, judged.run, judged.explained.data) as explain:
            for change in possible_changes(judged.run.input_spec.columns):
                found.append(self._of(change, judged, explain))
        return found

    def _of(self, change: PhysicalChange, judged: Judged, explain: Reexplainer) -> Measure:
        places = few(judged)
        before = judged.unscaled(places)
        rng = np.random.default_rng([judged.choices.seed, zlib.crc32(change.name.encode())])
        names = {block: before.table.names(block) for block in judged.run.input_spec.columns}
        changed = change.change(JetArrays({name: np.array(own) for name, own in before.items()}, names), rng)
        after = NamedArrays(changed.arrays, before.table)
        pairs = []
        for i in range(len(judged.run)):
            one, other = (
                explain(judged.run.model(i), judged.run.inputs(arrays), judged.label[places], i)
                for arrays in (before, after)
            )
            old, new = (signed_relevance(own, normalize=False).to_numpy() for own in (one, other))
            pairs.append(sensitivity(old, new, one.logit, other.logit, seed=judged.choices.seed))
        output = np.mean([pair.output for pair in pairs])
        error = np.sqrt(np.mean([pair.attribution_error**2 for pair in pairs]))
        return over_trainings(
            self.name, f"relative change of the attribution, jets {change.words}",
            np.array([pair.attribution for pair in pairs]), error, -1, f"the output changes by {output:.3f}",
        )  # fmt: skip


def few(judged: Judged) -> Array:
    """Places of the events that are explained again, evenly over those that are judged."""
    n = len(judged.places)
    if n < 2:
        raise ConfigurationError(f"{n} judged events: explain more")
    size = min(judged.choices.changed_events, n)
    places: Array = np.linspace(0, n - 1, size).round().astype(int)
    return places
