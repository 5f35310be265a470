"""SmoothGrad: gradient times input, with the gradient averaged over noise around the event.

A network of ReLU has a gradient that jumps from one event to the next one nearby. Its mean over Gaussian noise is the
gradient of the output smoothed by this noise, exactly.

Reference: D. Smilkov et al., arXiv:1706.03825.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xaug.core.errors import ConfigurationError
from xaug.core.statistics import standard_error
from xaug.core.types import Array
from xaug.explain.attribution import Attribution
from xaug.explain.estimate import announced, unfollowed
from xaug.explain.method import Events, ExplainJob, Method, OnEvents, option
from xaug.explain.shared_options import OUTPUT_HELP, TARGET_HELP
from xaug.explain.targets import CLASSES

if TYPE_CHECKING:
    import keras

    from xaug.explain.gradients.integration import TargetLike

__all__ = ["SmoothGrad", "SmoothGradOptions", "smooth_gradient"]

NOISE, SAMPLES = 0.05, 50
"""Width of the noise, in units of the scaled inputs, and number of samples."""


def smooth_gradient(
    model: keras.Model,
    inputs: Mapping[str, Array] | Sequence[Array] | Array,
    target: TargetLike = "signal",
    output: str = "logit",
    *,
    noise: float = NOISE,
    samples: int = SAMPLES,
    seed: int = 1,
    classes: Sequence[str] = CLASSES,
    variables: Mapping[str, Sequence[str]] | None = None,
    on_events: Callable[[int], None] = unfollowed,
) -> Attribution:
    """Mean gradient of the explained output under noise, times the input, element by element.

    Parameters
    ----------
    model : keras.Model
        functional or Sequential model
    inputs : dict or list of arrays
        scaled inputs, each (n, ...): a dict by input name, or a list in the model's order
    target : str, int or sequence
        class that is explained, see `xaug.explain.integrated_gradients`
    output : str
        output that is explained, see there
    noise : float
        standard deviation of the Gaussian noise on all elements, in units of the scaled inputs
    samples : int
        number of noisy copies of each event
    seed : int
        seed of the noise
    classes : sequence of str
        names of the outputs, in their order
    variables : dict of list of str, optional
        names of the columns of each input, which the attribution keeps
    on_events : callable, optional
        called with the number of events done, block by block

    Returns
    -------
    Attribution
        `relevance` by input name, with `standard_error` from the samples, in units of the explained output; its sum is
        not conserved

    Raises
    ------
    ConfigurationError
        if an argument has a wrong value, or the inputs do not fit the model
    ModelError
        if the model has no gradient, or cannot be evaluated

    References
    ----------
    D. Smilkov et al., arXiv:1706.03825.
    """
    from xaug.explain.draws import generator_of
    from xaug.explain.output_function import OutputFunction

    if not noise > 0:
        raise ConfigurationError(f"noise {noise}: must be positive; without noise it is gradient_times_input")
    if samples < 2:
        raise ConfigurationError(f"samples {samples}: at least 2 give a standard error")
    f = OutputFunction(model, inputs, target, output, classes, variables)
    rng = generator_of(seed, f.inputs)
    relevance = {name: np.zeros(values.shape, np.float32) for name, values in f.inputs.items()}
    errors = {name: np.zeros(values.shape, np.float32) for name, values in f.inputs.items()}
    size, on_events = max(1, f.batch // samples), announced("SmoothGrad", len(f), on_events)
    for start in range(0, len(f), size):
        events = np.arange(start, min(start + size, len(f)))
        rows = np.repeat(events, samples)
        noisy = {}
        for name, values in f.inputs.items():
            shape = (len(rows), *values.shape[1:])
            noisy[name] = values[rows] + (noise * rng.normal(size=shape)).astype(np.float32)
        for name, values in f.gradients(noisy, rows).items():
            each = values.reshape(len(events), samples, *values.shape[1:])
            own = f.inputs[name][events]
            relevance[name][events] = each.mean(axis=1) * own
            errors[name][events] = standard_error(each, axis=1) * np.abs(own)
        on_events(len(events))
    settings = f.settings("smoothgrad", noise=noise, samples=samples, seed=seed)
    return Attribution(relevance, f.logit, f.variables, settings, standard_error=errors)


@dataclass(frozen=True, kw_only=True)
class SmoothGradOptions:
    """Options of `xaug.explain.smooth_gradient`, which documents them."""

    target: str | int = option("signal", TARGET_HELP)
    output_kind: str = option("logit", OUTPUT_HELP)
    noise: float = option(NOISE, "Standard deviation of the noise, in units of the scaled inputs.")
    samples: int = option(SAMPLES, "Noisy copies of each event, or places on paths.")


class SmoothGrad(Method[SmoothGradOptions]):
    """Gradient under noise, times the input."""

    name = "smoothgrad"
    label = "SmoothGrad x input"
    description = "gradient averaged over noise, times the input"
    options = SmoothGradOptions
    uses_seed = True

    def explain(self, job: ExplainJob[SmoothGradOptions], events: Events, on_events: OnEvents) -> Attribution:
        options = job.options
        return smooth_gradient(
            events.model, events.x, options.target, options.output_kind, noise=options.noise, samples=options.samples,
            seed=job.seed, classes=job.run.classes, variables=job.run.variables, on_events=on_events,
        )  # fmt: skip
