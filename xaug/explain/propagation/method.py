"""Layer-wise relevance propagation and the rescale rule as methods of the explain stage."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from xaug.core.files import digest_file
from xaug.core.types import JsonObject
from xaug.explain.attribution import Attribution
from xaug.explain.gradients.baseline_class import described as described_baseline
from xaug.explain.gradients.baselines import PER_PROCESS, Blank
from xaug.explain.gradients.conventions import PADDING
from xaug.explain.gradients.named_baselines import (
    REFERENCES,
    baseline_digests,
    baseline_of_job,
    check_choice,
    check_class,
    named_reference,
    with_baseline,
)
from xaug.explain.method import Events, ExplainJob, Method, OnEvents, option
from xaug.explain.propagation.composites import COMPOSITES
from xaug.explain.propagation.rules import BIAS
from xaug.explain.shared_options import FROZEN_HELP, OUTPUT_HELP, PADDING_HELP, PER_PROCESS_HELP, TARGET_HELP

__all__ = ["LayerwiseRelevance", "LrpOptions", "Rescale", "RescaleOptions"]

ZERO = "zero"
"""The reference of the papers' studies: the zero of the scaled inputs, which is the lower edge of each range."""


@dataclass(frozen=True, kw_only=True)
class LrpOptions:
    """Options of `xaug.explain.lrp`, which documents them."""

    rule: str | None = option(
        None, f"Rule of propagation: {', '.join(COMPOSITES)}.",
        choices=tuple(COMPOSITES), default_text="preset_a for CNNs, else epsilon",
    )  # fmt: skip
    target: str | int = option(
        "predicted",
        "Output that is explained, before the softmax: predicted, signal, background, the name of a class, an index, "
        "or a difference as one neuron (signal-background, Hbb-QCD).",
    )
    output_kind: str = option(
        "logit",
        "Output that is explained: logit (the neuron before softmax or sigmoid), value (as it is, for regressions), or "
        "the name of one of several outputs (NAME or NAME:value).",
    )
    engine: str = option(
        "auto",
        "Engine: innvestigate, native, or auto, which takes iNNvestigate for the networks that it explains correctly.",
        choices=("auto", "innvestigate", "native"),
    )
    epsilon: float | None = option(
        None, "Stabiliser of the epsilon rule.", default_text="0.1 in presets, 1e-7 in epsilon"
    )
    bias: str | None = option(
        None,
        "Biases in denominators: innvestigate (as iNNvestigate treats them), split (by sign, in alpha-beta), or "
        "ignore.",
        choices=tuple(BIAS), default_text="innvestigate",
    )  # fmt: skip
    reference: str = option(
        ZERO,
        "Event at which inputs get no relevance: zero of the scaled inputs, background_mean or background (mean of the "
        "background events of the validation split), mean:CLASS (of the events of a class), classes_mean (of all "
        "classes), event:ROW of the test split, or a "
        "file .npz or .h5 of scaled arrays by input name.",
    )
    force: bool = option(
        False,
        "Let iNNvestigate explain networks that it explains wrongly (GRU, BatchNormalization); the result is not LRP.",
    )


@dataclass(frozen=True, kw_only=True)
class RescaleOptions:
    """Options of `xaug.explain.rescale`, which documents them."""

    reference: str = option(
        "background",
        "Events that are compared with: background (average over validation events of each background process), "
        "background:CLASS (of each process of a class), zero of the scaled inputs, background_mean, mean:CLASS or "
        "classes_mean (one mean event), event:ROW of the test split, or a "
        "file .npz or .h5 of scaled arrays by input name, over whose events attributions are averaged.",
    )
    per_process: int = option(PER_PROCESS, PER_PROCESS_HELP)
    target: str | int = option("signal", TARGET_HELP)
    output_kind: str = option("logit", OUTPUT_HELP)
    frozen: str = option("", FROZEN_HELP, default_text="none")
    padding: str = option(PADDING, PADDING_HELP)


class LayerwiseRelevance(Method[LrpOptions]):
    """LRP: the relevance of the output is passed back from layer to layer."""

    name = "lrp"
    label = "LRP"
    description = "layer-wise relevance propagation"
    options = LrpOptions
    block = 4096

    def digests(self, options: LrpOptions) -> JsonObject:
        check_choice("reference", options.reference, REFERENCES)
        file = Path(options.reference)
        return {"reference_file": digest_file(file)} if file.is_file() else {}

    def check(self, job: ExplainJob[LrpOptions]) -> None:
        check_class("reference", job.options.reference, job)

    def prepare(self, job: ExplainJob[LrpOptions]) -> ExplainJob[LrpOptions]:
        """Find the event that is the reference."""
        if job.options.reference == ZERO:
            return job
        return replace(job, baseline=named_reference(job.options.reference, job.run, job.data))

    def explain(self, job: ExplainJob[LrpOptions], events: Events, on_events: OnEvents) -> Attribution:
        from xaug.explain.propagation.api import lrp

        options = asdict(job.options)
        options["output"] = options.pop("output_kind")
        options["reference"] = None if job.baseline is None else job.baseline.arrays
        found = lrp(
            events.model, events.x, **options, classes=job.run.classes, variables=job.run.variables,
            on_events=on_events,
        )  # fmt: skip
        chosen = (
            {}
            if job.baseline is None or "class" not in job.baseline.provenance
            else {"reference_class": job.baseline.provenance["class"]}
        )
        return replace(found, settings={**found.settings, "reference": job.options.reference, **chosen})

    def caption(self, settings: JsonObject) -> str:
        reference = settings.get("reference", ZERO)
        words = "the zero of the scaled inputs" if reference == ZERO else reference
        if "reference_class" in settings:
            words = described_baseline({"kind": reference.partition(":")[0], "class": settings["reference_class"]})
        return f"{self.label}, rule {settings['rule']}, target {settings['target']}, from {words}"


class Rescale(Method[RescaleOptions]):
    """The rescale rule of DeepLIFT, averaged over reference events that are drawn once for all trainings."""

    name = "rescale"
    label = "rescale rule (DeepLIFT)"
    description = "rescale rule of DeepLIFT, averaged over reference events"
    options = RescaleOptions
    has_baseline = True
    uses_seed = True

    def digests(self, options: RescaleOptions) -> JsonObject:
        check_choice("reference", options.reference, REFERENCES)
        return baseline_digests(options.reference)

    def check(self, job: ExplainJob[RescaleOptions]) -> None:
        check_class("reference", job.options.reference, job)

    def prepare(self, job: ExplainJob[RescaleOptions]) -> ExplainJob[RescaleOptions]:
        """Draw the references."""
        from xaug.explain.gradients.conventions import frozen_elements
        from xaug.explain.gradients.samples import input_shapes

        options = job.options
        shapes = input_shapes(job.run.model(0), job.run.input_spec.shapes)
        fixed = frozen_elements(options.frozen, shapes, job.run.variables)
        whole = [name for name, elements in fixed.items() if elements.all()]
        if options.reference == ZERO:
            return with_baseline(job, Blank(), whole)
        if options.reference.partition(":")[0] == "background":
            return with_baseline(job, baseline_of_job(job, options.reference, options.per_process), whole)
        return with_baseline(job, named_reference(options.reference, job.run, job.data), whole)

    def explain(self, job: ExplainJob[RescaleOptions], events: Events, on_events: OnEvents) -> Attribution:
        from xaug.explain.propagation.rescaling import rescale

        options = job.options
        assert job.baseline is not None, "prepare() draws the references"
        return rescale(
            events.model, events.x, job.baseline, options.target, options.output_kind, classes=job.run.classes,
            frozen=options.frozen, padding=options.padding, variables=job.run.variables, on_events=on_events,
        )  # fmt: skip

    def caption(self, settings: JsonObject) -> str:
        return f"{super().caption(settings)}, reference {described_baseline(settings['baseline'])}"
