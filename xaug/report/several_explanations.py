"""Explanations of one run that stand in one figure: by several methods, or from several references."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xaug.report.explained_run import ExplainedRun
from xaug.report.subjects import ExplainedEvents, Facts, ReportInputs, Subject, facts_of

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["SeveralExplanations"]


@dataclass(frozen=True)
class SeveralExplanations(Subject):
    """At least two explanations of test events by one run.

    Attributes
    ----------
    explained
        the explained runs, in the order of the report
    """

    explained: Sequence[ExplainedRun]
    requirement = "at least two attributions of a run"
    always_named = False

    @classmethod
    def found_in(cls, inputs: ReportInputs) -> list[Self]:
        groups: dict[str, list[ExplainedRun]] = {}
        for one in ExplainedEvents.found_in(inputs):
            groups.setdefault(str(one.explained.run.path), []).append(one.explained)
        return [cls(group) for group in groups.values() if len(group) > 1]

    @property
    def name(self) -> str:
        return self.explained[0].run.name

    @property
    def facts(self) -> Facts:
        return facts_of(self.explained[0])

    @property
    def arrays_of(self) -> ExplainedRun:
        return self.explained[0]
