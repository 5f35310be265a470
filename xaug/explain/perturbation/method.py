"""Occlusion, permutation and Shapley values as methods of the explain stage."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from xaug.core.files import digest_file
from xaug.core.types import JsonObject
from xaug.explain.attribution import Attribution
from xaug.explain.draws import DRAWS
from xaug.explain.gradients.baseline_class import described as described_baseline
from xaug.explain.gradients.baselines import PER_PROCESS
from xaug.explain.gradients.named_baselines import (
    CHOICES,
    baseline_digests,
    baseline_of_job,
    check_choice,
    check_class,
    with_baseline,
)
from xaug.explain.method import Events, ExplainJob, Method, OnEvents, option, required
from xaug.explain.shared_options import (
    BASELINE_HELP,
    BASELINE_NEED,
    GROUPS_HELP,
    OUTPUT_HELP,
    PER_PROCESS_HELP,
    TARGET_HELP,
)

__all__ = ["Occlusion", "Permutation", "ShapleyValues"]

DRAWS_HELP = "Baselines (for permutation, other events) that are drawn for each event."


@dataclass(frozen=True, kw_only=True)
class ReplacementOptions:
    """Options of methods that replace groups of inputs."""

    groups: str = option("features", GROUPS_HELP)
    draws: int = option(DRAWS, DRAWS_HELP)
    target: str | int = option("signal", TARGET_HELP)
    output_kind: str = option("logit", OUTPUT_HELP)


@dataclass(frozen=True, kw_only=True)
class OcclusionOptions(ReplacementOptions):
    """Options of `xaug.explain.occlusion`, which documents them."""

    baseline: str = required(BASELINE_NEED, BASELINE_HELP, examples=CHOICES)
    per_process: int = option(PER_PROCESS, PER_PROCESS_HELP)


@dataclass(frozen=True, kw_only=True)
class ShapleyOptions(OcclusionOptions):
    """Options of `xaug.explain.shapley_values`, which documents them."""

    exact: bool | None = option(
        None, "Evaluate all sets of up to 16 groups.", default_text="all sets of up to 10 groups, drawn orders of more"
    )


ReplacementT = TypeVar("ReplacementT", bound=ReplacementOptions)
OcclusionT = TypeVar("OcclusionT", bound=OcclusionOptions)


def _shared(job: ExplainJob[Any], events: Events, on_events: OnEvents) -> dict[str, Any]:
    """Arguments that all of these functions take."""
    options: ReplacementOptions = job.options
    return {
        "target": options.target, "output": options.output_kind, "groups": options.groups, "draws": options.draws,
        "seed": job.seed, "classes": job.run.classes, "variables": job.run.variables, "on_events": on_events,
    }  # fmt: skip


class Replacing(Method[ReplacementT]):
    """A method that replaces groups of inputs."""

    uses_seed = True

    def digests(self, options: ReplacementT) -> JsonObject:
        file = Path(options.groups)
        return {"groups_file": digest_file(file)} if file.is_file() else {}

    def caption(self, settings: JsonObject) -> str:
        return f"{super().caption(settings)}, groups {settings['groups']}"


class ReplacingByBaselines(Replacing[OcclusionT]):
    """A method that replaces groups of inputs by those of baselines."""

    has_baseline = True

    def digests(self, options: OcclusionT) -> JsonObject:
        check_choice("baseline", options.baseline, CHOICES)
        return {**super().digests(options), **baseline_digests(options.baseline)}

    def check(self, job: ExplainJob[OcclusionT]) -> None:
        check_class("baseline", job.options.baseline, job)

    def prepare(self, job: ExplainJob[OcclusionT]) -> ExplainJob[OcclusionT]:
        """Draw the baselines."""
        return with_baseline(job, baseline_of_job(job, job.options.baseline, job.options.per_process))

    def caption(self, settings: JsonObject) -> str:
        return f"{super().caption(settings)}, baseline {described_baseline(settings['baseline'])}"


class Occlusion(ReplacingByBaselines[OcclusionOptions]):
    """The loss of the output when a group is that of a baseline."""

    name = "occlusion"
    label = "occlusion"
    description = "loss of the output when a group of inputs is that of a baseline"
    options = OcclusionOptions
    adds_up = False

    def explain(self, job: ExplainJob[OcclusionOptions], events: Events, on_events: OnEvents) -> Attribution:
        from xaug.explain.perturbation.losses import occlusion

        assert job.baseline is not None, "prepare() draws the baselines"
        return occlusion(events.model, events.x, job.baseline, **_shared(job, events, on_events))


class Permutation(Replacing[ReplacementOptions]):
    """The loss of the output when a group is that of another event of the sample."""

    name = "permutation"
    label = "permutation"
    description = "loss of the output when a group of inputs is that of other events of the sample"
    options = ReplacementOptions
    adds_up = False
    by_part = False

    def explain(self, job: ExplainJob[ReplacementOptions], events: Events, on_events: OnEvents) -> Attribution:
        from xaug.explain.checkpoint import checkpoint_of
        from xaug.explain.perturbation.losses import permutation

        shared = _shared(job, events, on_events)
        return permutation(events.model, events.x, **shared, checkpoint=checkpoint_of(job, events))


class ShapleyValues(ReplacingByBaselines[ShapleyOptions]):
    """The mean contribution of a group over all orders in which groups may be added."""

    name = "shapley"
    label = "Shapley values"
    description = "Shapley values of groups of inputs, exact or of drawn orders"
    options = ShapleyOptions

    def explain(self, job: ExplainJob[ShapleyOptions], events: Events, on_events: OnEvents) -> Attribution:
        from xaug.explain.perturbation.shapley import shapley_values

        assert job.baseline is not None, "prepare() draws the baselines"
        return shapley_values(
            events.model, events.x, job.baseline, exact=job.options.exact, **_shared(job, events, on_events)
        )
