"""Integrated Gradients as a method of the explain stage."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from xaug.core.files import atomic_path, digest_file
from xaug.core.types import JsonObject
from xaug.explain.attribution import Attribution
from xaug.explain.gradients.baselines import PER_PROCESS
from xaug.explain.gradients.conventions import PADDING
from xaug.explain.gradients.named_baselines import CHOICES, named_baseline
from xaug.explain.method import Events, ExplainJob, Method, OnEvents, class_level_path, option, required
from xaug.explain.targets import labels_of

__all__ = ["IntegratedGradients", "IntegratedGradientsOptions"]

NEIGHBOURS = 2000
"""Training events that baselines are compared with."""
REPLICAS = 200
"""Replicas of the bootstrap."""


@dataclass(frozen=True, kw_only=True)
class IntegratedGradientsOptions:
    """Options of `xaug.explain.integrated_gradients`, which documents them."""

    baseline: str = required(
        "a baseline to compare with",
        "Baseline: blank (zero after scaling), physical (zero before scaling), background (average over validation "
        "events of each process), weighted (the same by cross section), weighted_yield (the same by the number of "
        "events expected after the selection), mean, event:ROW of the test split, or a file .npz or .h5 of scaled "
        "arrays by input name.",
        examples=CHOICES,
    )
    per_process: int = option(PER_PROCESS, "Events that an averaged baseline draws from each process.")
    target: str | int = option(
        "signal",
        "Class that is explained: predicted, signal, background, the name of a class, an index, or the log-odds of two "
        "classes (Hbb-QCD).",
    )
    output_kind: str = option(
        "logit",
        "Output that is explained: logit (log-odds), probability, value (as it is, for regressions), or the name of "
        "one of several outputs (NAME or NAME:KIND).",
    )
    tolerance: float = option(1e-3, "Allowed error of the sum of attributions, for 95% of events x baselines.")
    max_nodes: int = option(128, "Largest number of nodes of the quadrature.")
    frozen: str = option(
        "",
        "Inputs and columns, as list.charge,dxy, that have the values of the event all along the path: masks, one-hot "
        "columns, azimuths.",
        default_text="none",
    )
    padding: str = option(
        PADDING,
        "Padded steps on the path: event (as Masking layers find them in the event), INPUT=VALUE for masks that the "
        "network makes otherwise, or free (straight lines).",
    )


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
        file = Path(options.baseline)
        return {"baseline_file": digest_file(file) if file.is_file() else None}

    def prepare(self, job: ExplainJob[IntegratedGradientsOptions]) -> ExplainJob[IntegratedGradientsOptions]:
        """Draw the baselines, and find out how far they are from the data."""
        from xaug.explain.gradients.conventions import frozen_elements, read_padding
        from xaug.explain.gradients.distance import distance_from_data
        from xaug.explain.gradients.samples import input_shapes, sample_of

        run, data = job.run, job.data
        baseline = named_baseline(job.options.baseline, run, data, job.seed, job.options.per_process)
        shapes = input_shapes(run.model(0))
        fixed = frozen_elements(job.options.frozen, shapes, run.variables)
        read_padding(job.options.padding, shapes)
        whole = [name for name, elements in fixed.items() if elements.all()]
        sample = sample_of(baseline, run.model(0), {}, run.variables, whole)
        split = "train" if data.size("train") else job.split  # events for a model of the user's have one split only
        near = run.inputs(data.load(run.input_spec.fields, split, NEIGHBOURS))
        distance = distance_from_data(sample, near, run.variables)
        return replace(job, baseline=replace(sample, provenance={**sample.provenance, "distance": distance}))

    def explain(self, job: ExplainJob[IntegratedGradientsOptions], events: Events, on_events: OnEvents) -> Attribution:
        """Explain all events; write the attributions of the class, if it has at least two events."""
        from xaug.explain.gradients.api import IntegrationJob, attribute
        from xaug.explain.gradients.class_level import ClassSums

        options = job.options
        assert job.baseline is not None, "prepare() draws the baselines"
        integration = IntegrationJob(
            events.model, events.x, job.baseline, options.target, options.output_kind, options.tolerance,
            options.max_nodes, variables=job.run.variables, classes=job.run.classes, frozen=options.frozen,
            padding=options.padding,
        )  # fmt: skip
        of_class = np.isin(events.label, labels_of(options.target, job.run.classes))
        if of_class.sum() < 2:
            return attribute(integration, on_events=on_events)
        rng = np.random.default_rng([job.seed, events.training])
        sums = ClassSums(integration, REPLICAS, rng, chosen=of_class)
        found = attribute(integration, on_pairs=sums.add, on_events=on_events)
        with atomic_path(class_level_path(job.directory, events.training)) as path:
            sums.result(found.settings).table.to_csv(path)
        return found
