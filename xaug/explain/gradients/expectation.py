"""Expected gradients: Integrated Gradients over a sample of baselines, by drawn places on drawn paths.

The attribution of feature i is the mean of (x_i - x'_i) df/dx_i at x' + alpha (x - x'), over baselines x' and alpha in
[0, 1]. It is the same integral as that of Integrated Gradients averaged over baselines, computed at random: any number
of samples is unbiased and has an error, where quadrature needs the full product of baselines and nodes.

Reference: G. Erion et al., Nature Machine Intelligence 3 (2021) 620, arXiv:1906.10670, equation 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xaug.core.errors import ConfigurationError
from xaug.core.statistics import standard_error
from xaug.core.types import Array, Arrays, JsonObject
from xaug.explain.attribution import Attribution
from xaug.explain.estimate import announced, unfollowed
from xaug.explain.gradients.baseline_class import described as described_baseline
from xaug.explain.gradients.baselines import PER_PROCESS
from xaug.explain.gradients.conventions import PADDING, PaddingLike
from xaug.explain.gradients.named_baselines import (
    CHOICES,
    baseline_digests,
    baseline_of_job,
    check_choice,
    check_class,
    with_baseline,
)
from xaug.explain.gradients.samples import BaselineLike
from xaug.explain.method import Events, ExplainJob, Method, OnEvents, option, required
from xaug.explain.shared_options import (
    BASELINE_HELP,
    BASELINE_NEED,
    FROZEN_HELP,
    OUTPUT_HELP,
    PADDING_HELP,
    PER_PROCESS_HELP,
    TARGET_HELP,
)
from xaug.explain.targets import CLASSES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

    from xaug.explain.gradients.integration import TargetLike

__all__ = ["ExpectedGradients", "ExpectedGradientsOptions", "expected_gradients"]

SAMPLES = 200
"""Places that are drawn for each event."""


def expected_gradients(
    model: keras.Model,
    inputs: Arrays | Sequence[Array],
    baseline: BaselineLike,
    target: TargetLike = "signal",
    output: str = "logit",
    *,
    samples: int = SAMPLES,
    seed: int = 1,
    classes: Sequence[str] = CLASSES,
    frozen: Sequence[str] = (),
    padding: PaddingLike = PADDING,
    variables: Mapping[str, Sequence[str]] | None = None,
    on_events: Callable[[int], None] = unfollowed,
) -> Attribution:
    """Attribution of every input element by expected gradients.

    Parameters
    ----------
    model : keras.Model
        functional or Sequential model
    inputs : dict or list of arrays
        scaled inputs, each (n, ...): a dict by input name, or a list in the model's order
    baseline : Baseline, Sample, dict or list of arrays, or array
        events that are compared with, see `xaug.explain.integrated_gradients`
    target : str, int or sequence
        class that is explained, see there
    output : str
        output that is explained, see there
    samples : int
        pairs of a baseline and a place on its path that are drawn for each event
    seed : int
        seed of the drawing
    classes : sequence of str
        names of the outputs, in their order
    frozen : sequence of str
        inputs and columns that do not move from the baseline to the event, see there
    padding : str or dict of float
        padded steps on the path, see there
    variables : dict of list of str, optional
        names of the columns of each input, which the attribution keeps
    on_events : callable, optional
        called with the number of events done, block by block

    Returns
    -------
    Attribution
        `relevance` with `standard_error`, in units of the explained output; `reference` is the mean output of the drawn
        baselines, so that `residual` is noise of the size of these errors

    Raises
    ------
    ConfigurationError
        if an argument has a wrong value, or the inputs or the baseline do not fit the model
    ModelError
        if the model has no gradient, or cannot be evaluated

    References
    ----------
    G. Erion et al., arXiv:1906.10670.
    """
    import tensorflow as tf

    from xaug.explain.draws import generator_of
    from xaug.explain.gradients.integration import IntegrationJob

    if samples < 2:
        raise ConfigurationError(f"samples {samples}: at least 2 give a standard error")
    job = IntegrationJob(
        model, inputs, baseline, target, output, 1e-3, 1,
        classes=classes, frozen=frozen, padding=padding, variables=variables,
    )  # fmt: skip
    n, sample, integrator = len(job), job.sample, job.integrator
    events, baselines = job.moved
    rng, fixed = generator_of(seed, job.inputs), integrator.table(baselines)
    relevance = {name: np.zeros(values.shape, np.float32) for name, values in job.inputs.items()}
    errors = {name: np.zeros(values.shape, np.float32) for name, values in job.inputs.items()}
    logit, reference = np.zeros(n), np.zeros(n)
    size, on_events = max(1, integrator.batch // samples), announced("expected gradients", n, on_events)
    for start in range(0, n, size):
        rows = slice(start, min(start + size, n))
        count = rows.stop - rows.start
        table = integrator.table({name: values[rows] for name, values in events.items()})
        directions = tf.constant(integrator.directions(job.target.at(rows, count), table[-1].numpy()))
        pairs = np.repeat(np.arange(count), samples), rng.choice(len(sample), count * samples, p=sample.weights)
        gradients = integrator.points(table, fixed, directions, *pairs, rng.random(count * samples))[2]
        terms, _, of_event, of_baseline = integrator.closed(table, fixed, directions, *pairs, gradients)
        for name, values in job.tokens.by_token(integrator.by_name(terms)).items():
            each = values.reshape(count, samples, *values.shape[1:])
            relevance[name][rows] = each.mean(axis=1)
            errors[name][rows] = standard_error(each, axis=1)
        logit[rows] = of_event.reshape(count, samples)[:, 0]
        reference[rows] = of_baseline.reshape(count, samples).mean(axis=1)
        on_events(count)
    dropped = ("tolerance", "linear_stem")
    settings = {key: value for key, value in job.settings.items() if key not in dropped}
    settings |= {"method": "expected_gradients", "samples": samples, "seed": seed}
    return Attribution(relevance, logit, job.variables, settings, reference=reference, standard_error=errors)


@dataclass(frozen=True, kw_only=True)
class ExpectedGradientsOptions:
    """Options of `xaug.explain.expected_gradients`, which documents them."""

    baseline: str = required(BASELINE_NEED, BASELINE_HELP, examples=CHOICES)
    per_process: int = option(PER_PROCESS, PER_PROCESS_HELP)
    target: str | int = option("signal", TARGET_HELP)
    output_kind: str = option("logit", OUTPUT_HELP)
    samples: int = option(SAMPLES, "Noisy copies of each event, or places on paths.")
    frozen: str = option("", FROZEN_HELP, default_text="none")
    padding: str = option(PADDING, PADDING_HELP)


class ExpectedGradients(Method[ExpectedGradientsOptions]):
    """Gradients at drawn places between events and drawn baselines."""

    name = "expected_gradients"
    label = "expected gradients"
    description = "gradients at drawn places between events and drawn baselines"
    options = ExpectedGradientsOptions
    has_baseline = True
    uses_seed = True

    def digests(self, options: ExpectedGradientsOptions) -> JsonObject:
        check_choice("baseline", options.baseline, CHOICES)
        return baseline_digests(options.baseline)

    def check(self, job: ExplainJob[ExpectedGradientsOptions]) -> None:
        check_class("baseline", job.options.baseline, job)

    def prepare(self, job: ExplainJob[ExpectedGradientsOptions]) -> ExplainJob[ExpectedGradientsOptions]:
        """Draw the baselines."""
        return with_baseline(job, baseline_of_job(job, job.options.baseline, job.options.per_process))

    def explain(self, job: ExplainJob[ExpectedGradientsOptions], events: Events, on_events: OnEvents) -> Attribution:
        options = job.options
        assert job.baseline is not None, "prepare() draws the baselines"
        return expected_gradients(
            events.model, events.x, job.baseline, options.target, options.output_kind, samples=options.samples,
            seed=job.seed, classes=job.run.classes, frozen=options.frozen, padding=options.padding,
            variables=job.run.variables, on_events=on_events,
        )  # fmt: skip

    def caption(self, settings: JsonObject) -> str:
        return f"{super().caption(settings)}, baseline {described_baseline(settings['baseline'])}"
