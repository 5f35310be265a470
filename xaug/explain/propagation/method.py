"""Layer-wise relevance propagation as a method of the explain stage."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from xaug.core.files import digest_file
from xaug.core.types import JsonObject
from xaug.explain.attribution import Attribution
from xaug.explain.method import Events, ExplainJob, Method, OnEvents, option
from xaug.explain.propagation.composites import COMPOSITES
from xaug.explain.propagation.rules import BIAS

__all__ = ["LayerwiseRelevance", "LrpOptions"]

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
        "Event at which inputs get no relevance: zero of the scaled inputs, background (mean of the background events "
        "of the validation split), mean (of both classes), event:ROW of the test split, or a file .npz or .h5 of "
        "scaled arrays by input name.",
    )
    force: bool = option(
        False,
        "Let iNNvestigate explain networks that it explains wrongly (GRU, BatchNormalization); the result is not LRP.",
    )


class LayerwiseRelevance(Method[LrpOptions]):
    """LRP: the relevance of the output is passed back from layer to layer."""

    name = "lrp"
    label = "LRP"
    description = "layer-wise relevance propagation"
    options = LrpOptions

    def digests(self, options: LrpOptions) -> JsonObject:
        file = Path(options.reference)
        return {"reference_file": digest_file(file)} if file.is_file() else {}

    def prepare(self, job: ExplainJob[LrpOptions]) -> ExplainJob[LrpOptions]:
        """Find the event that is the reference."""
        if job.options.reference == ZERO:
            return job
        from xaug.explain.gradients.named_baselines import named_reference

        return replace(job, baseline=named_reference(job.options.reference, job.run, job.data))

    def explain(self, job: ExplainJob[LrpOptions], events: Events, on_events: OnEvents) -> Attribution:
        from xaug.explain.propagation.api import lrp

        options = asdict(job.options)
        options["reference"] = None if job.baseline is None else job.baseline.arrays
        found = lrp(
            events.model, events.x, **options, classes=job.run.classes, variables=job.run.variables,
            on_events=on_events,
        )  # fmt: skip
        return replace(found, settings={**found.settings, "reference": job.options.reference})

    def caption(self, settings: JsonObject) -> str:
        reference = settings.get("reference", ZERO)
        words = "the zero of the scaled inputs" if reference == ZERO else reference
        return f"{self.label}, rule {settings['rule']}, target {settings['target']}, from {words}"
