"""Runs that differ in one thing: the size of their sample, or the number of their steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xaug.report.subjects import ReportInputs, Subject
from xaug.training.runs import Run

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["RunSteps", "runs_by_size", "runs_by_steps"]

SAME = ("scale_on_all", "image_scaling", "displacement_scaling", "weights", "reweight", "reference")
"""Settings that runs of one series share, beside their inputs: scalings, and what an event counts for."""


def _is_like(run: Run, other: Run, *more: str) -> bool:
    """Whether two runs have the same inputs, scalings and weights, and the same settings of some more names."""
    names = (*SAME, *more)
    one, two = ([own.record.config.get(name) for name in names] for own in (run, other))
    return run.input_spec == other.input_spec and one == two


def runs_by_size(full: Sequence[Run], runs: Sequence[Run]) -> dict[str, list[Run]]:
    """For each run on the full sample that has them: itself and such runs on smaller samples, by its name."""
    found = {}
    for run in full:
        smaller = [own for own in runs if own.record.max_jets is not None and _is_like(run, own, "steps")]
        if smaller:
            found[run.name] = [run, *smaller]
    return found


def runs_by_steps(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Runs that differ in their number of steps alone, in ascending order, by the name of the longest."""
    found: dict[str, list[Run]] = {}
    counted = sorted((run for run in runs if run.record.config.get("steps")), key=_steps)
    for run in reversed(counted):
        if not any(run in group for group in found.values()):
            group = [own for own in counted if _is_like(run, own, "max_jets", "batch_size", "learning_rate")]
            found[run.name] = group
    return {name: group for name, group in found.items() if len({_steps(run) for run in group}) > 1}


def _steps(run: Run) -> Any:
    return run.record.config["steps"]


@dataclass(frozen=True)
class RunSteps(Subject):
    """Runs of the same networks on one sample in several numbers of steps, together in one figure."""

    series: Mapping[str, Sequence[Run]]
    requirement = "runs of one network in several numbers of steps (xaug.train --steps)"

    @classmethod
    def found_in(cls, inputs: ReportInputs) -> list[Self]:
        series = runs_by_steps(inputs.runs)
        return [cls(series)] if series else []
