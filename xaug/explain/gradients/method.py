"""Integrated Gradients as a method of the explain stage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xaug.core.files import atomic_path
from xaug.core.types import JsonObject
from xaug.explain.attribution import Attribution
from xaug.explain.checkpoint import checkpoint_of
from xaug.explain.event_weights import positive_sum
from xaug.explain.gradients.baselines import PER_PROCESS
from xaug.explain.gradients.conventions import PADDING
from xaug.explain.gradients.named_baselines import (
    CHOICES,
    baseline_digests,
    baseline_of_job,
    check_choice,
    check_class,
    with_baseline,
)
from xaug.explain.method import Events, ExplainJob, Method, OnEvents, class_level_path, option, required
from xaug.explain.shared_options import (
    BASELINE_HELP,
    BASELINE_NEED,
    FROZEN_HELP,
    OUTPUT_HELP,
    PADDING_HELP,
    PER_PROCESS_HELP,
    TARGET_HELP,
)
from xaug.explain.targets import labels_of

__all__ = ["IntegratedGradients", "IntegratedGradientsOptions"]

REPLICAS = 200
"""Replicas of the bootstrap."""


@dataclass(frozen=True, kw_only=True)
class IntegratedGradientsOptions:
    """Options of `xaug.explain.integrated_gradients`, which documents them."""

    baseline: str = required(BASELINE_NEED, BASELINE_HELP, examples=CHOICES)
    per_process: int = option(PER_PROCESS, PER_PROCESS_HELP)
    target: str | int = option("signal", TARGET_HELP)
    output_kind: str = option("logit", OUTPUT_HELP)
    tolerance: float = option(1e-3, "Allowed error of the sum of attributions, for 95% of events x baselines.")
    max_nodes: int = option(128, "Largest number of nodes of the quadrature.")
    precision: float = option(
        0.02,
        "Error that drawing adds for networks that are not dense, relative to the largest feature; 0: all pairs.",
    )
    frozen: str = option("", FROZEN_HELP, default_text="none")
    padding: str = option(PADDING, PADDING_HELP)


class IntegratedGradients(Method[IntegratedGradientsOptions]):
    """Integrated Gradients, averaged over baselines that are drawn once for all trainings."""

    name = "ig"
    label = "Integrated Gradients"
    description = "Integrated Gradients, averaged over baselines"
    options = IntegratedGradientsOptions
    by_part = False
    has_baseline = True
    attributes_class = True
    uses_seed = True

    def digests(self, options: IntegratedGradientsOptions) -> JsonObject:
        check_choice("baseline", options.baseline, CHOICES)
        return baseline_digests(options.baseline)

    def check(self, job: ExplainJob[IntegratedGradientsOptions]) -> None:
        check_class("baseline", job.options.baseline, job)

    def prepare(self, job: ExplainJob[IntegratedGradientsOptions]) -> ExplainJob[IntegratedGradientsOptions]:
        """Draw the baselines, and find out how far they are from the data."""
        from xaug.explain.gradients.conventions import frozen_elements, read_padding
        from xaug.explain.gradients.samples import input_shapes

        options = job.options
        shapes = input_shapes(job.run.model(0), job.run.input_spec.shapes)
        fixed = frozen_elements(options.frozen, shapes, job.run.variables)
        read_padding(options.padding, shapes)
        whole = [name for name, elements in fixed.items() if elements.all()]
        return with_baseline(job, baseline_of_job(job, options.baseline, options.per_process), whole)

    def explain(self, job: ExplainJob[IntegratedGradientsOptions], events: Events, on_events: OnEvents) -> Attribution:
        """Explain all events; write the attributions of the class, if it has at least two events."""
        from xaug.explain.gradients.api import attribute, attribute_drawn
        from xaug.explain.gradients.class_level import ClassSums
        from xaug.explain.gradients.drawn_class import DrawnClass
        from xaug.explain.gradients.integration import IntegrationJob

        options = job.options
        assert job.baseline is not None, "prepare() draws the baselines"
        integration = IntegrationJob(
            events.model, events.x, job.baseline, options.target, options.output_kind, options.tolerance,
            options.max_nodes, variables=job.run.variables, classes=job.run.classes, frozen=options.frozen,
            padding=options.padding,
        )  # fmt: skip
        of_class = np.isin(events.label, labels_of(options.target, job.run.classes))
        if events.weight is not None and of_class.any():
            positive_sum(events.weight[of_class])  # before any work
        is_class, rng = bool(of_class.sum() >= 2), np.random.default_rng([job.seed, events.training])
        drawn = DrawnClass(integration, of_class, events.weight) if is_class else None
        on_block = drawn.add if drawn is not None else lambda block: None
        checkpoint = checkpoint_of(job, events)
        of_drawn = {} if drawn is None else {"class": drawn}
        found = attribute_drawn(integration, options.precision, job.seed, on_block, on_events, checkpoint, of_drawn)
        if found is not None:
            table = drawn.table(found, REPLICAS, rng) if drawn is not None else None
        elif is_class:
            sums = ClassSums(integration, REPLICAS, rng, chosen=of_class, events=events.weight, zeros=checkpoint.zeros)
            found = attribute(
                integration, on_pairs=sums.add, on_events=on_events, checkpoint=checkpoint, kept={"class": sums}
            )
            table = sums.result(found.settings).table
        else:
            found, table = attribute(integration, on_events=on_events, checkpoint=checkpoint), None
        if table is not None:
            with atomic_path(class_level_path(job.directory, events.training)) as path:
                table.to_csv(path)
        return found
