"""The rules of LRP, by name.

A rule says how the relevance R_k of the outputs of a linear layer, z_k = sum_j x_j w_jk + b_k, is shared among
its inputs. It is written once, for any linear layer that knows its map x -> x w and the transpose of it.

References
----------
[Bach]      S. Bach et al., PLOS ONE 10 (2015) e0130140: z, epsilon, alpha-beta.
[Montavon]  G. Montavon et al., Pattern Recognition 65 (2017) 211: w^2; and in Explainable AI, Springer (2019) 193.
[Lapuschkin] S. Lapuschkin et al., Nature Communications 10 (2019) 1096: presets, flat.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from xaug.core.errors import ConfigurationError, unknown_name

__all__ = ["BIAS", "COMPOSITES", "Composite", "Rule", "choose"]

BIAS = ("innvestigate", "split", "ignore")
"""Where the bias b_k stands in the denominators.

innvestigate
    as iNNvestigate has it: all of b in the denominator of every part. In alpha-beta a negative bias then makes
    the positive denominator small (z+ + b), and relevance grows.
split
    b+ in the positive denominator and b- in the negative one; in the other rules as in innvestigate
ignore
    nowhere
"""
SAFE = 1e-7
"""What replaces a denominator that is exactly zero."""


@dataclass(frozen=True)
class Rule:
    """One rule for one layer.

    kind "epsilon": R_j = sum_k x_j w_jk R_k / (z_k + epsilon sign(z_k)); epsilon 0 is LRP-z [Bach].
    kind "alpha_beta": R_j = sum_k (alpha (x_j w_jk)+ / z_k+ - beta (x_j w_jk)- / z_k-) R_k, alpha - beta = 1 [Bach].
    kind "flat": R_j = sum_k R_k / (number of inputs of k) [Lapuschkin].
    kind "w_square": R_j = sum_k w_jk^2 / (sum_i w_ik^2) R_k [Montavon].
    """

    kind: str
    epsilon: float = 0.0
    alpha: float = 1.0
    beta: float = 0.0

    def __post_init__(self):
        if self.kind == "alpha_beta" and abs(self.alpha - self.beta - 1) > 1e-9:
            raise ConfigurationError(f"alpha {self.alpha} - beta {self.beta} must be 1, or relevance is not conserved")
        if self.epsilon < 0:
            raise ConfigurationError(f"epsilon {self.epsilon}: must not be negative")


@dataclass(frozen=True)
class Composite:
    """Which rule on which kind of layer; `dense` also serves recurrent and affine layers."""

    summary: str
    dense: Rule
    convolution: Rule
    innvestigate: str | None = field(default=None)  # its name there, where the two are the same


def _everywhere(summary: str, rule: Rule, innvestigate: str | None) -> Composite:
    return Composite(summary, rule, rule, innvestigate)


COMPOSITES = {
    "preset_a": Composite(
        "alpha1-beta0 on convolutions, epsilon (0.1) on dense layers; for CNNs",
        Rule("epsilon", epsilon=0.1),
        Rule("alpha_beta", alpha=1, beta=0),
        "lrp.sequential_preset_a",
    ),
    "preset_b": Composite(
        "alpha2-beta1 on convolutions, epsilon (0.1) on dense layers",
        Rule("epsilon", epsilon=0.1),
        Rule("alpha_beta", alpha=2, beta=1),
        "lrp.sequential_preset_b",
    ),
    "epsilon": _everywhere(
        "epsilon (1e-7) on all layers; for dense and recurrent networks", Rule("epsilon", epsilon=1e-7), "lrp.epsilon"
    ),
    "z": _everywhere("epsilon 0 on all layers", Rule("epsilon"), "lrp.z"),
    "alpha1_beta0": _everywhere("alpha1-beta0 on all layers", Rule("alpha_beta"), "lrp.alpha_1_beta_0"),
    "alpha2_beta1": _everywhere(
        "alpha2-beta1 on all layers", Rule("alpha_beta", alpha=2, beta=1), "lrp.alpha_2_beta_1"
    ),
    "flat": _everywhere("equal shares on all layers", Rule("flat"), "lrp.flat"),
    "w_square": _everywhere("shares by squared weights on all layers", Rule("w_square"), "lrp.w_square"),
}
"""Named composites. A new entry is tested by existing."""


def choose(name: str | Composite, epsilon: float | None = None) -> Composite:
    """A composite by name, or one's own, with another epsilon where one is given."""
    if isinstance(name, Composite):
        found = name
    elif name in COMPOSITES:
        found = COMPOSITES[name]
    else:
        raise unknown_name("rule", name, COMPOSITES)
    if epsilon is None:
        return found
    if not epsilon > 0:
        raise ConfigurationError(f"epsilon {epsilon}: must be positive")

    def with_epsilon(rule: Rule) -> Rule:
        return Rule("epsilon", epsilon=epsilon) if rule.kind == "epsilon" else rule

    return Composite(found.summary, with_epsilon(found.dense), with_epsilon(found.convolution), found.innvestigate)
