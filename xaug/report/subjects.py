"""The subjects that figures are drawn of: the dataset, runs, explained runs, baselines, curves.

A subject is a class. It knows how to find its instances among the inputs of a report, and it states the facts by which
a figure decides whether it can be drawn of an instance.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from xaug.data.dataset import Dataset
from xaug.report.class_scores import binary_scores
from xaug.report.discriminants import ScoredDiscriminant
from xaug.report.explained_run import ExplainedRun, Shape, shapes_of
from xaug.training.runs import Run

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "AblationCurves", "AllRuns", "ExplainedClass", "ExplainedEvents", "ExplainedSizes", "Facts", "ReportInputs",
    "RunOfManyClasses", "RunSizes", "SeveralBaselines", "SingleRun", "Subject", "TopKCurves", "TrainedRun",
    "WholeDataset",
]  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """The properties of a subject by which a figure decides.

    Attributes
    ----------
    variables
        names of the variables that a figure can bin in: expert variables, and for a dataset the columns of lists
    shapes
        shapes of its inputs
    network
        name of the network; "" if there is none or there are several
    baseline
        the baseline as `xaug.explain --baseline` names it; "" if there is none
    classes
        number of classes
    run
        the run that is explained; "" if the subject is no explanation
    """

    variables: frozenset[str] = frozenset()
    shapes: frozenset[Shape] = frozenset()
    network: str = ""
    baseline: str = ""
    classes: int = 2
    run: str = ""


@dataclass(frozen=True)
class ReportInputs:
    """All that a report may draw.

    Attributes
    ----------
    data
        the dataset of all runs
    runs
        runs on the full sample
    sizes
        for each of these runs that has them: the run itself and the runs of the same network on smaller samples, by
        the name of the run
    explained
        runs on the full sample with attributions
    smaller
        runs on smaller samples with attributions
    topk
        curves of `xaug.topk`
    ablation
        curves of `xaug.explain.analysis.ablations`
    discriminants
        single numbers of an event whose ROC curves stand beside those of the runs
    """

    data: Dataset
    runs: Sequence[Run]
    sizes: Mapping[str, Sequence[Run]] = field(default_factory=dict)
    explained: Sequence[ExplainedRun] = ()
    smaller: Sequence[ExplainedRun] = ()
    topk: TopKCurves | None = None
    ablation: AblationCurves | None = None
    discriminants: Sequence[ScoredDiscriminant] = ()


class Subject(ABC):
    """Something that a figure is drawn of."""

    requirement: ClassVar[str]
    """The inputs that a report needs to draw such a figure, in words."""
    always_named: ClassVar[bool] = True
    """Whether the name of the subject ends the file name of its figure even where a figure has one subject only."""

    @classmethod
    @abstractmethod
    def found_in(cls, inputs: ReportInputs) -> list[Self]:
        """The instances that the inputs of a report hold."""

    @property
    def name(self) -> str:
        """The end of the names of the figure's files; "" if there is never more than one such subject."""
        return ""

    @property
    def facts(self) -> Facts:
        """The properties by which figures decide whether they can be drawn."""
        return Facts()

    @property
    def arrays_of(self) -> ExplainedRun | None:
        """The explained run whose arrays a figure of this subject reads first."""
        return None


@dataclass(frozen=True)
class WholeDataset(Subject):
    """The dataset of a report."""

    data: Dataset
    requirement = "a dataset"

    @classmethod
    def found_in(cls, inputs: ReportInputs) -> list[Self]:
        return [cls(inputs.data)]

    @property
    def facts(self) -> Facts:
        table = self.data.table
        return Facts(frozenset(table.labels()), frozenset(shapes_of(table, table.blocks).values()))


@dataclass(frozen=True)
class AllRuns(Subject):
    """All runs on the full sample that have a ROC curve, together in one figure, and the discriminants beside them."""

    runs: Sequence[Run]
    discriminants: Sequence[ScoredDiscriminant] = ()
    requirement = "runs whose test split has events of two classes"

    @classmethod
    def found_in(cls, inputs: ReportInputs) -> list[Self]:
        measured = [run for run in inputs.runs if binary_scores(run)]
        return [cls(measured, inputs.discriminants)] if measured else []


@dataclass(frozen=True)
class SingleRun(Subject):
    """One run on the full sample."""

    run: Run
    requirement = "runs"

    @classmethod
    def found_in(cls, inputs: ReportInputs) -> list[Self]:
        return [cls(run) for run in inputs.runs]

    @property
    def name(self) -> str:
        return self.run.name

    @property
    def facts(self) -> Facts:
        return Facts(network=self.run.input_spec.network)


@dataclass(frozen=True)
class TrainedRun(SingleRun):
    """One run that xaug trained, whose history is known; not a model of the user's."""

    @classmethod
    def found_in(cls, inputs: ReportInputs) -> list[Self]:
        return [cls(run) for run in inputs.runs if run.training_events]


@dataclass(frozen=True)
class RunOfManyClasses(SingleRun):
    """One run of more than two classes."""

    requirement = "runs of more than two classes"

    @classmethod
    def found_in(cls, inputs: ReportInputs) -> list[Self]:
        return [cls(run) for run in inputs.runs if all("confusion" in metrics for metrics in run.metrics)]


@dataclass(frozen=True)
class RunSizes(Subject):
    """Runs of the same networks on several sample sizes, together in one figure."""

    sizes: Mapping[str, Sequence[Run]]
    requirement = "runs of one network on several sample sizes (xaug.train --max-jets)"

    @classmethod
    def found_in(cls, inputs: ReportInputs) -> list[Self]:
        return [cls(inputs.sizes)] if inputs.sizes else []


@dataclass(frozen=True)
class ExplainedEvents(Subject):
    """An explained run whose events belong to the test split, so that each event has its scores.

    Attributes
    ----------
    explained
        the explained run
    """

    explained: ExplainedRun
    requirement = "attributions of a run"

    @classmethod
    def found_in(cls, inputs: ReportInputs) -> list[Self]:
        return [cls(one) for one in inputs.explained if one.split == "test"]

    @property
    def name(self) -> str:
        return self.explained.name

    @property
    def facts(self) -> Facts:
        return facts_of(self.explained)

    @property
    def arrays_of(self) -> ExplainedRun:
        return self.explained


def facts_of(explained: ExplainedRun) -> Facts:
    """The facts of an explained run."""
    shapes = frozenset(explained.shapes.values())
    network = explained.run.input_spec.network
    variables = frozenset(explained.expert_variables)
    return Facts(variables, shapes, network, explained.baseline, len(explained.run.classes), str(explained.run.path))


@dataclass(frozen=True)
class ExplainedSizes(Subject):
    """An explained run of several trainings, and the same network explained after training on smaller samples.

    Attributes
    ----------
    full
        the run on the full sample
    smaller
        runs of the same network on smaller samples, explained by the same method
    """

    full: ExplainedRun
    smaller: Sequence[ExplainedRun]
    requirement = "attributions of at least two trainings of a network"

    @classmethod
    def found_in(cls, inputs: ReportInputs) -> list[Self]:
        def is_same(one: ExplainedRun, other: ExplainedRun) -> bool:
            return one.run.input_spec == other.run.input_spec and one.method == other.method

        several = [one for one in inputs.smaller if len(one.run) > 1]
        return [
            cls(full, [one for one in several if is_same(one, full)])
            for full in inputs.explained
            if full.split == "test" and len(full.run) > 1
        ]

    @property
    def name(self) -> str:
        return self.full.name

    @property
    def facts(self) -> Facts:
        return facts_of(self.full)

    @property
    def arrays_of(self) -> ExplainedRun:
        return self.full


@dataclass(frozen=True)
class ExplainedClass(Subject):
    """The attribution of a class by a method with a baseline: means over the events of the class, training by training.

    Attributes
    ----------
    explained
        the explained run
    """

    explained: ExplainedRun
    requirement = "attributions of a run by Integrated Gradients, with two events of the class or more"
    always_named = False

    @classmethod
    def found_in(cls, inputs: ReportInputs) -> list[Self]:
        return [own for own in map(cls, inputs.explained) if own.explained.baseline and own.tables]

    @property
    def name(self) -> str:
        return self.explained.name

    @property
    def facts(self) -> Facts:
        return facts_of(self.explained)

    @property
    def arrays_of(self) -> ExplainedRun:
        return self.explained

    @property
    def tables(self) -> list[pd.DataFrame]:
        """The tables of `xaug.explain`, one for each training: a row for each feature."""
        return self.explained.explanation.class_tables()


@dataclass(frozen=True)
class SeveralBaselines(Subject):
    """At least two class attributions of one run, which differ in their baselines."""

    baselines: Sequence[ExplainedClass]
    requirement = "attributions of a run by Integrated Gradients with at least two baselines"
    always_named = False

    @classmethod
    def found_in(cls, inputs: ReportInputs) -> list[Self]:
        groups: dict[Path, list[ExplainedClass]] = {}
        for one in ExplainedClass.found_in(inputs):
            groups.setdefault(one.explained.run.path, []).append(one)
        return [cls(group) for group in groups.values() if len(group) > 1]

    @property
    def name(self) -> str:
        return self.baselines[0].explained.run.name

    @property
    def arrays_of(self) -> ExplainedRun:
        return self.baselines[0].explained


@dataclass(frozen=True)
class TopKCurves(Subject):
    """Performance of networks that were retrained on the k first features of several rankings.

    Attributes
    ----------
    table
        a row for each training: `ranking`, `k`, `training` and metrics
    by
        "mean" or "mean_absolute": the attribution by which features are ranked
    plateau
        for each ranking the least k from which on the AUC stays within the error of its last value
    replicas
        the curves on replicas of the test sample: `ranking`, `k`, `replica`, `accuracy` and `auc`; None in directories
        of older versions
    classes
        number of classes
    """

    table: pd.DataFrame
    by: str
    plateau: Mapping[str, int]
    replicas: pd.DataFrame | None = None
    classes: int = 2
    requirement = "the output of xaug.topk (--topk)"

    @classmethod
    def found_in(cls, inputs: ReportInputs) -> list[Self]:
        return [inputs.topk] if isinstance(inputs.topk, cls) else []


@dataclass(frozen=True)
class AblationCurves(Subject):
    """Performance of trained networks without the k first features of several rankings.

    Attributes
    ----------
    table
        a row for each training: `ranking`, `k`, `training` and metrics; without the point where no feature is left,
        whose performance is that of guessing
    trainings
        number of trained networks
    baseline
        name of the values that replace the features
    """

    table: pd.DataFrame
    trainings: int
    baseline: str
    requirement = "the output of xaug.explain.analysis.ablations (--ablation)"

    @classmethod
    def found_in(cls, inputs: ReportInputs) -> list[Self]:
        return [inputs.ablation] if isinstance(inputs.ablation, cls) else []
