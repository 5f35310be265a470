"""The rules of LRP: each is one class that owns its formula.

A rule says how the relevance R_k of the outputs of a linear layer, z_k = sum_j x_j w_jk + b_k, is shared among the
inputs x_j. It is written once, for any layer that knows its linear map x -> x w and the transpose of it
(`xaug.explain.propagation.linear_maps`). A new rule is one registered class; `xaug.explain.propagation.composites`
says which layer it is used on.

References
----------
[Bach]      S. Bach et al., PLOS ONE 10 (2015) e0130140: z, epsilon, alpha-beta.
[Montavon]  G. Montavon et al., Pattern Recognition 65 (2017) 211: w^2, z^B; and in Explainable AI, Springer (2019) 193.
[Lapuschkin] S. Lapuschkin et al., Nature Communications 10 (2019) 1096: presets, flat.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import Enum
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.types import Array

if TYPE_CHECKING:  # commands list the rules without TensorFlow
    from xaug.explain.propagation.linear_maps import LinearStep, Tensor

__all__ = [
    "BIAS",
    "RULES",
    "AlphaBetaRule",
    "EpsilonRule",
    "FlatRule",
    "Role",
    "Rule",
    "WSquareRule",
    "ZBoxRule",
    "ZRule",
    "make_rule",
    "register",
]

BIAS = ("innvestigate", "split", "ignore")
"""Conventions for the bias b_k in the denominators.

innvestigate
    All of b stands in the denominator of every part, as in iNNvestigate. In alpha-beta a negative bias then makes
    the positive denominator small (z+ + b), and relevance grows.
split
    b+ stands in the positive denominator and b- in the negative one; the other rules are as in innvestigate.
ignore
    b stands in no denominator.
"""
SAFE = 1e-7
"""Stabiliser of a recurrent layer under LRP-z, in place of a denominator of exactly zero."""


class Role(str, Enum):
    """Kind of a layer by which a composite chooses its rule."""

    AFFINE = "affine"
    CONVOLUTION = "convolution"
    DENSE = "dense"
    RECURRENT = "recurrent"


RULES: dict[str, type[Rule]] = {}
"""Rules by name. A new entry is tested by existing."""


@dataclass(frozen=True)
class Rule(ABC):
    """A rule of LRP for linear layers; make one from its class, or by name with `make_rule`.

    Attributes
    ----------
    name : str
        its name in `RULES`
    needs_preactivation : bool
        whether `LinearStep.z` is kept for it
    takes_reference : bool
        whether it shares by the values of inputs, so that these may be measured from another point than zero
    """

    name: ClassVar[str] = ""
    needs_preactivation: ClassVar[bool] = False
    takes_reference: ClassVar[bool] = True

    def __new__(cls, *arguments: Any, **parameters: Any) -> Rule:
        if cls is Rule:
            kind = arguments[0] if arguments else parameters.get("kind", "")
            if kind not in RULES:
                raise unknown_name("kind of rule", str(kind), RULES)
            raise ConfigurationError(f"Rule({kind!r}) makes no rule: use {RULES[kind].__name__}(...) or make_rule")
        return super().__new__(cls)

    def __post_init__(self) -> None:
        for own in fields(self):
            value = getattr(self, own.name)
            if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
                raise ConfigurationError(f"rule {self.name}: {own.name} is {value!r}; a finite number is needed")

    @abstractmethod
    def relevance(self, step: LinearStep) -> Tensor:
        """Relevance R_j of the inputs of a linear layer, of the shape of the inputs.

        Parameters
        ----------
        step : LinearStep
            the layer, its inputs and the relevance R_k of its outputs

        Returns
        -------
        tensor (n, ...)
            relevance of every element of `step.x`
        """

    @property
    def stabiliser(self) -> float | None:
        """Epsilon for the sums inside a recurrent layer; None where the rule does not tell how to share those."""
        return None

    def check_input(self, name: str, values: Array) -> None:  # noqa: B027 - most rules take any values
        """Raise ConfigurationError if the rule cannot be used on the values of an input of the network."""

    def __str__(self) -> str:
        values = ", ".join(f"{own.name}={getattr(self, own.name):g}" for own in fields(self))
        return f"{self.name}({values})" if values else self.name


RuleClass = TypeVar("RuleClass", bound=type[Rule])


def register(name: str) -> Callable[[RuleClass], RuleClass]:
    """Decorator: make a class of rules known by a name."""

    def add(cls: RuleClass) -> RuleClass:
        if name in RULES:
            raise ConfigurationError(f"there is a rule {name!r} already: {RULES[name].__name__}; choose another name")
        cls.name = name
        RULES[name] = cls
        return cls

    return add


def make_rule(name: str, **parameters: float) -> Rule:
    """A rule by its name.

    Parameters
    ----------
    name : str
        one of `RULES`
    **parameters : float
        parameters of the rule, for example ``epsilon=0.1``

    Returns
    -------
    Rule

    Raises
    ------
    ConfigurationError
        if there is no such rule, or a parameter is unknown, missing or out of range

    Examples
    --------
    >>> str(make_rule("alpha_beta", alpha=2, beta=1))
    'alpha_beta(alpha=2, beta=1)'
    """
    if name not in RULES:
        raise unknown_name("kind of rule", str(name), RULES)
    known = [own.name for own in fields(RULES[name])]
    for given in parameters:
        if given not in known:
            raise unknown_name(f"parameter of the rule {name}", given, known)
    try:
        return RULES[name](**parameters)
    except TypeError:
        raise ConfigurationError(f"rule {name} needs the parameters {', '.join(known)}; give them by name") from None


@register("epsilon")
@dataclass(frozen=True)
class EpsilonRule(Rule):
    """LRP-epsilon: R_j = sum_k x_j w_jk R_k / (z_k + epsilon sign(z_k)) [Bach, equation 58].

    It is used on dense and recurrent layers. Epsilon absorbs relevance where z_k is small.

    Parameters
    ----------
    epsilon : float
        stabiliser, positive, in units of z; iNNvestigate takes 1e-7, and 0.1 in its presets
    """

    epsilon: float
    needs_preactivation: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.epsilon > 0:
            raise ConfigurationError(
                f"rule epsilon: epsilon is {self.epsilon}; it must be positive (the rule z has none: ZRule())"
            )

    @property
    def stabiliser(self) -> float:
        return self.epsilon

    def relevance(self, step: LinearStep) -> Tensor:
        return step.linear.shares(step.x, step.linear.kernel, step.relevance_over(step.denominator, self.epsilon))


@register("z")
@dataclass(frozen=True)
class ZRule(Rule):
    """LRP-z: R_j = sum_k x_j w_jk R_k / z_k, nothing where z_k = 0 [Bach, equation 56].

    For a network of ReLU without biases it is gradient times input.
    """

    needs_preactivation: ClassVar[bool] = True

    @property
    def stabiliser(self) -> float:
        return SAFE

    def relevance(self, step: LinearStep) -> Tensor:
        return step.linear.shares(step.x, step.linear.kernel, step.relevance_over(step.denominator))


@register("alpha_beta")
@dataclass(frozen=True)
class AlphaBetaRule(Rule):
    """LRP-alpha-beta: R_j = sum_k (alpha (x_j w_jk)+ / z_k+ - beta (x_j w_jk)- / z_k-) R_k [Bach, equation 60].

    z_k+ and z_k- are the sums of the positive and of the negative contributions, with the bias as `BIAS` says. It is
    used on convolutions: alpha 1, beta 0 in Preset A, alpha 2, beta 1 in Preset B.

    Parameters
    ----------
    alpha, beta : float
        weights of the positive and of the negative contributions; alpha - beta = 1, beta not negative
    """

    alpha: float
    beta: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if abs(self.alpha - self.beta - 1) > 1e-9:
            raise ConfigurationError(
                f"rule alpha_beta: alpha {self.alpha} - beta {self.beta} must be 1, or relevance is not conserved"
            )
        if self.beta < 0:
            raise ConfigurationError(f"rule alpha_beta: beta is {self.beta}; it must not be negative")

    def relevance(self, step: LinearStep) -> Tensor:
        parts = [
            weight * self._part(step, clip)
            for clip, weight in ((np.maximum, self.alpha), (np.minimum, -self.beta))
            if weight
        ]
        return sum(parts[1:], start=parts[0])

    def _part(self, step: LinearStep, clip: Callable[..., Array]) -> Tensor:
        """Shares by the positive (clip: maximum) or the negative (clip: minimum) contributions x_j w_jk."""
        linear = step.linear
        same = clip(linear.kernel, 0)
        bias = {"innvestigate": linear.bias, "split": clip(linear.bias, 0), "ignore": None}[step.bias]
        if step.never_negative:
            return linear.shares(step.x, same, step.relevance_over(linear.apply(step.x, same, bias)))
        return linear.shares_by_sign(step.x, same, linear.kernel - same, bias, step.relevance)


@register("flat")
@dataclass(frozen=True)
class FlatRule(Rule):
    """LRP-flat: R_j = sum_k R_k / (number of inputs of k) [Lapuschkin].

    It is used on first layers, to see which region counts without the noise of single pixels.
    """

    takes_reference: ClassVar[bool] = False

    def relevance(self, step: LinearStep) -> Tensor:
        return step.linear.shares_by_weight(np.ones_like(step.linear.kernel), step.relevance, step.x)


@register("w_square")
@dataclass(frozen=True)
class WSquareRule(Rule):
    """LRP-w^2: R_j = sum_k w_jk^2 / (sum_i w_ik^2) R_k [Montavon, equation 12].

    It is used on first layers whose inputs may have any value.
    """

    takes_reference: ClassVar[bool] = False

    def relevance(self, step: LinearStep) -> Tensor:
        return step.linear.shares_by_weight(step.linear.kernel**2, step.relevance, step.x)


@register("z_box")
@dataclass(frozen=True)
class ZBoxRule(Rule):
    """LRP-z^B: R_j = sum_k (x_j w_jk - low w_jk+ - high w_jk-) / (sum over i of the same) R_k [Montavon, equation 16].

    It is used on first layers whose inputs lie between two known bounds, such as pixels or variables scaled to
    [0, 1]. All contributions in the numerator are positive there. The bias does not enter.

    Parameters
    ----------
    low, high : float
        smallest and largest value that an input can have, low < high
    """

    low: float
    high: float
    takes_reference: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.low < self.high:
            raise ConfigurationError(f"rule z_box: low is {self.low} and high is {self.high}; low < high is needed")

    def check_input(self, name: str, values: Array) -> None:
        if values.size and not (values.min() >= self.low and values.max() <= self.high):
            raise ConfigurationError(
                f"input {name!r} has values from {values.min():g} to {values.max():g}, outside of the bounds of the "
                f"rule {self}; make the rule with bounds that hold them"
            )

    def relevance(self, step: LinearStep) -> Tensor:
        linear, x = step.linear, step.x
        kernel, positive, negative = linear.kernel, np.maximum(linear.kernel, 0), np.minimum(linear.kernel, 0)
        low, high = step.filled(self.low), step.filled(self.high)
        z = linear.apply(x, kernel) - linear.apply(low, positive) - linear.apply(high, negative)
        s = step.relevance_over(z)
        return linear.shares(x, kernel, s) - linear.shares(low, positive, s) - linear.shares(high, negative, s)
