"""Gradient times input, of an event or averaged over noise (SmoothGrad).

The product of input and gradient is the first-order share of each input in the difference between f(x) and f(0). So the
zero of the scaled inputs is its baseline, as for LRP, and for curved functions the shares do not add up to it. A
network of ReLU without biases is homogeneous, and there they do, and equal those of LRP-z.

References
----------
A. Shrikumar et al., arXiv:1605.01713 (gradient times input); D. Smilkov et al., arXiv:1706.03825 (SmoothGrad).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xaug.core.types import Array
from xaug.explain.attribution import Attribution
from xaug.explain.method import Events, ExplainJob, Method, OnEvents, option
from xaug.explain.shared_options import OUTPUT_HELP, TARGET_HELP
from xaug.explain.targets import CLASSES

if TYPE_CHECKING:
    import keras

    from xaug.explain.gradients.integration import TargetLike

__all__ = ["GradientOptions", "GradientTimesInput", "gradient_times_input"]


def gradient_times_input(
    model: keras.Model,
    inputs: Mapping[str, Array] | Sequence[Array] | Array,
    target: TargetLike = "signal",
    output: str = "logit",
    *,
    classes: Sequence[str] = CLASSES,
    variables: Mapping[str, Sequence[str]] | None = None,
    on_events: Callable[[int], None] = lambda n: None,
) -> Attribution:
    """Gradient of the explained output times the input, element by element.

    Parameters
    ----------
    model : keras.Model
        functional or Sequential model
    inputs : dict or list of arrays
        scaled inputs, each (n, ...): a dict by input name, or a list in the model's order
    target : str, int or sequence
        class that is explained, see `xaug.explain.integrated_gradients`
    output : str
        "logit" (log-odds), "probability", "value", or the name of one of several outputs, see there
    classes : sequence of str
        names of the outputs, in their order
    variables : dict of list of str, optional
        names of the columns of each input, which the attribution keeps
    on_events : callable, optional
        called with the number of events done

    Returns
    -------
    Attribution
        `relevance` by input name, in units of the explained output; `residual` is its sum less the output, which is
        zero only for functions without curvature and constant

    Raises
    ------
    ConfigurationError
        if an argument has a wrong value, or the inputs do not fit the model
    ModelError
        if the model has no gradient, or cannot be evaluated

    References
    ----------
    A. Shrikumar et al., arXiv:1605.01713.
    """
    from xaug.explain.output_function import OutputFunction

    f = OutputFunction(model, inputs, target, output, classes, variables)
    gradients = f.gradients(f.inputs, np.arange(len(f)))
    on_events(len(f))
    # zero where the input is, even if the gradient is no number there, as that of the length of a padded particle
    relevance = {name: np.where(values == 0, 0, gradients[name] * values) for name, values in f.inputs.items()}
    return Attribution(relevance, f.logit, f.variables, f.settings("gradient"))


@dataclass(frozen=True, kw_only=True)
class GradientOptions:
    """Options of `xaug.explain.gradient_times_input`, which documents them."""

    target: str | int = option("signal", TARGET_HELP)
    output_kind: str = option("logit", OUTPUT_HELP)


class GradientTimesInput(Method[GradientOptions]):
    """Gradient of the explained output times the input."""

    name = "gradient"
    label = "gradient x input"
    description = "gradient of the output times the input"
    options = GradientOptions
    block = 4096
    adds_up = False

    def explain(self, job: ExplainJob[GradientOptions], events: Events, on_events: OnEvents) -> Attribution:
        return gradient_times_input(
            events.model, events.x, job.options.target, job.options.output_kind, classes=job.run.classes,
            variables=job.run.variables, on_events=on_events,
        )  # fmt: skip
