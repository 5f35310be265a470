"""An explanation that is judged: its attributions of the events that all explanations of the run have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from xaug.core.errors import ConfigurationError
from xaug.core.files import digest_json
from xaug.core.types import Array, Arrays
from xaug.data.columns import NamedArrays
from xaug.explain.attribution import Attribution
from xaug.explain.explanation import Explanation
from xaug.explain.faithfulness.curves import divide
from xaug.explain.gradients.baseline_class import background_of
from xaug.explain.gradients.named_baselines import named_baseline
from xaug.explain.gradients.processes import affordable
from xaug.explain.gradients.samples import Sample, sample_of
from xaug.explain.groups import FeatureGroups
from xaug.report.explained_run import ExplainedRun
from xaug.report.judgement.choices import Choices
from xaug.training.runs import Run

__all__ = ["Judged", "open_judged"]


STAND_INS = 200
"""Background events of each process at most, of which stand-ins for deleted values are drawn."""


class Judged:
    """An explanation and its events.

    Parameters
    ----------
    explained
        the explained run
    places
        places (n,) among its explained events of those that are judged
    choices
        the options of the tests
    """

    def __init__(self, explained: ExplainedRun, places: Array, choices: Choices) -> None:
        self.explained = explained
        self.places = places
        self.choices = choices

    @property
    def name(self) -> str:
        """The name of the directory of attributions."""
        return self.explained.explanation.directory.name

    @property
    def words(self) -> str:
        """How the events were explained."""
        return self.explained.words

    @property
    def run(self) -> Run:
        """The run."""
        return self.explained.run

    @cached_property
    def attributions(self) -> list[Attribution]:
        """The attributions of the judged events, one a training."""
        return [some_events(one, self.places) for one in self.explained.explanation.attributions()]

    @property
    def rows(self) -> Array:
        """Rows (n,) of the split."""
        rows: Array = self.explained.rows[self.places]
        return rows

    @property
    def label(self) -> Array:
        """Classes (n,) of the judged events."""
        label: Array = self.explained.label[self.places]
        return label

    @property
    def values(self) -> Arrays:
        """Unscaled expert variables (n,) by name."""
        return {name: own[self.places] for name, own in self.explained.values.items()}

    @property
    def scores(self) -> list[Array]:
        """Scores (n,) of the events in each training."""
        return [own[self.places] for own in self.explained.scores]

    def unscaled(self, places: Array) -> NamedArrays:
        """Unscaled arrays of some of the judged events, with all blocks that the network reads."""
        return self.explained.data.load_rows(self.run.input_spec.fields, self.explained.split, self.rows[places])

    @cached_property
    def groups(self) -> FeatureGroups:
        """The groups that are deleted together, and ranked where they are not the features."""
        shapes = {name: values.shape[1:] for name, values in self.inputs.items()}
        return divide(self.choices.groups, shapes, self.run.variables)

    @property
    def ranked_groups(self) -> FeatureGroups | None:
        """The groups that are ranked in place of features; None for features."""
        return None if self.choices.groups == "features" else self.groups

    @cached_property
    def inputs(self) -> Arrays:
        """Scaled inputs of the judged events."""
        return self.run.inputs(self.unscaled(np.arange(len(self.places))))

    @cached_property
    def background(self) -> Sample:
        """Background events, of which replacements are made."""
        run, data = self.run, self.explained.data
        label = background_of(data.classes) or 0
        if data.size("validation"):
            choice, count = f"background:{data.classes[label]}", affordable(data, STAND_INS, label)
            baseline = named_baseline(choice, run, data, self.choices.seed, count)
            return sample_of(baseline, run.model(0), {}, run.variables, known=run.input_spec.shapes)
        own = np.flatnonzero(self.label == label)[:100]
        if not len(own):
            raise ConfigurationError(
                f"{data.path} has no validation split, and no judged event is {run.classes[label]}: there is nothing "
                "to replace deleted values by. Explain events of both classes"
            )
        return Sample({name: values[own] for name, values in self.inputs.items()})


def some_events(attribution: Attribution, places: Array) -> Attribution:
    """The attribution of some of its events."""

    def some(values: Array | None) -> Array | None:
        return None if values is None else values[places]

    error = attribution.standard_error
    return replace(
        attribution, relevance={name: own[places] for name, own in attribution.relevance.items()},
        logit=attribution.logit[places], rows=some(attribution.rows), label=some(attribution.label),
        reference=some(attribution.reference), within_tolerance=some(attribution.within_tolerance),
        weight=some(attribution.weight),
        standard_error=None if error is None else {name: own[places] for name, own in error.items()},
    )  # fmt: skip


def open_judged(run: Run, directories: Sequence[Path], choices: Choices) -> list[Judged]:
    """Open directories of attributions of one run, and choose the events that all of them have.

    Raises
    ------
    ConfigurationError
        if a directory explains another run or other events than the others, or two have one name
    """
    if not directories:
        raise ConfigurationError(f"no attributions of {run.name} to judge; explain it with `python -m xaug.explain`")
    opened = [Explanation.open(directory) for directory in directories]
    digest = digest_json(run.record.config)
    for one in opened:
        if one.run_digest != digest:
            raise ConfigurationError(
                f"{one.directory} does not belong to {run.path}: it explains {one.run} (digest {one.run_digest}, and "
                f"{digest} is that of {run.name}). Explain this run, or name the other one"
            )
        for what, own, first in (
            ("events of the dataset", one.dataset_digest, opened[0].dataset_digest),
            ("the split", one.split, opened[0].split),
        ):
            if own != first:
                raise ConfigurationError(
                    f"{one.directory} explains {what} {own}, and {opened[0].directory} {first}; judge explanations of "
                    "the same events"
                )
        if [other.directory.name for other in opened].count(one.directory.name) > 1:
            raise ConfigurationError(f"two directories of attributions are called {one.directory.name!r}; rename one")
    if opened[0].split != "test":
        raise ConfigurationError(
            f"{opened[0].directory} explains the {opened[0].split} split, but the scores of a run are those of the "
            "test split: explain the test split"
        )
    data = run.dataset(None if run.record.dataset_digest == opened[0].dataset_digest else opened[0].dataset)
    explained = [ExplainedRun(one.directory.name, run, data, one) for one in opened]
    common = _common_rows(explained, choices.events)
    return [Judged(one, np.flatnonzero(np.isin(one.rows, common)), choices) for one in explained]


def _common_rows(explained: Sequence[ExplainedRun], most: int) -> Array:
    """Rows of the split that all explanations have, at most so many, whose relevance is finite in all of them."""
    common = explained[0].rows
    for other in explained[1:]:
        common = np.intersect1d(common, other.rows)
    if len(common) < 2:
        raise ConfigurationError(
            f"these explanations have {len(common)} events in common, and two are needed; explain the same events"
        )
    if len(common) > most:
        common = common[np.linspace(0, len(common) - 1, most).round().astype(int)]
    for several in explained:
        lost = np.any([one.is_lost for one in several.explanation.attributions()], axis=0)
        common = np.setdiff1d(common, several.rows[lost])
        if len(common) < 2:
            raise ConfigurationError(
                f"{several.explanation.directory}: {lost.sum()} of {len(lost)} events have a relevance that is not "
                f"finite, and {len(common)} are left to judge; explain other events, or leave this explanation out"
            )
    return common
