"""Composites: which rule of LRP is used on which layer.

References
----------
S. Lapuschkin et al., Nature Communications 10 (2019) 1096 (Preset A and B); arXiv:2011.13466, section 2 (the rules for
jet taggers).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.explain.propagation.rules import AlphaBetaRule, EpsilonRule, FlatRule, Role, Rule, WSquareRule, ZRule

__all__ = ["COMPOSITES", "Composite", "choose"]


@dataclass(frozen=True)
class Composite:
    """A rule for every layer of a network.

    Parameters
    ----------
    summary : str
        what it is, in words; recorded with the explanation
    default : Rule
        rule of every layer that no other field names
    special : mapping of str to Rule, optional
        rules by the role of the layer, see `xaug.explain.propagation.rules.Role`: "affine" (a BatchNormalization that
        stays), "convolution", "dense", "recurrent"
    first : Rule, optional
        rule of the layers that read nothing but inputs of the network, directly or moved by Flatten, Concatenate and
        the like; a dense layer that reads an input beside features of convolutions is none of them
    innvestigate : str, optional
        name of the same composite in iNNvestigate, where there is one

    Raises
    ------
    ConfigurationError
        if something that is no rule is given as one, or a role is unknown

    Examples
    --------
    Preset A, with bounded inputs in [0, 1]:

    >>> from xaug.explain.propagation.rules import ZBoxRule
    >>> bounded = COMPOSITES["preset_a"].with_first(ZBoxRule(0, 1))
    >>> str(bounded.first)
    'z_box(low=0, high=1)'
    """

    summary: str
    default: Rule
    special: Mapping[str, Rule] = field(default_factory=dict, hash=False)
    first: Rule | None = None
    innvestigate: str | None = None

    def __post_init__(self) -> None:
        for role, rule in {"default": self.default, **self.special, "first": self.first}.items():
            if not isinstance(rule, Rule) and not (role == "first" and rule is None):
                raise ConfigurationError(
                    f"composite {self.summary!r}: the {role} rule is {rule!r}; a rule is needed, as EpsilonRule(0.1)"
                )
        for role in self.special:
            if role not in list(Role):
                raise unknown_name("role of a layer", str(role), [known.value for known in Role])

    def rule_of(self, role: Role, is_first: bool) -> Rule:
        """The rule of a layer of a role, which may be a first layer."""
        if is_first and self.first is not None:
            return self.first
        return self.special.get(role, self.default)

    def with_first(self, rule: Rule) -> Composite:
        """The same composite with a rule of its own for first layers; iNNvestigate does not support it."""
        return replace(self, summary=f"{self.summary}; {rule} on first layers", first=rule, innvestigate=None)

    def with_epsilon(self, epsilon: float) -> Composite:
        """The same composite with another epsilon in all of its epsilon rules; an error if it has none."""
        new, rules = EpsilonRule(epsilon), [self.default, *self.special.values(), self.first]
        if not any(isinstance(rule, EpsilonRule) for rule in rules):
            raise ConfigurationError(
                f"epsilon {epsilon} is given, and the rule ({self.summary}) has no epsilon; leave it out, or use "
                "rule='epsilon'"
            )

        def changed(rule: Rule) -> Rule:
            return new if isinstance(rule, EpsilonRule) else rule

        return replace(
            self,
            default=changed(self.default),
            special={role: changed(rule) for role, rule in self.special.items()},
            first=None if self.first is None else changed(self.first),
        )

    @property
    def epsilon(self) -> float | None:
        """The stabiliser of the default rule, 0 in LRP-z; None where that is another rule."""
        if isinstance(self.default, ZRule):
            return 0.0
        return self.default.epsilon if isinstance(self.default, EpsilonRule) else None


COMPOSITES = {
    "preset_a": Composite(
        "alpha1-beta0 on convolutions, epsilon (0.1) on dense layers; for CNNs",
        EpsilonRule(0.1),
        {"convolution": AlphaBetaRule(1, 0)},
        innvestigate="lrp.sequential_preset_a",
    ),
    "preset_b": Composite(
        "alpha2-beta1 on convolutions, epsilon (0.1) on dense layers",
        EpsilonRule(0.1),
        {"convolution": AlphaBetaRule(2, 1)},
        innvestigate="lrp.sequential_preset_b",
    ),
    "epsilon": Composite(
        "epsilon (1e-7) on all layers; for dense and recurrent networks", EpsilonRule(1e-7), innvestigate="lrp.epsilon"
    ),
    "z": Composite("epsilon 0 on all layers", ZRule(), innvestigate="lrp.z"),
    "alpha1_beta0": Composite("alpha1-beta0 on all layers", AlphaBetaRule(1, 0), innvestigate="lrp.alpha_1_beta_0"),
    "alpha2_beta1": Composite("alpha2-beta1 on all layers", AlphaBetaRule(2, 1), innvestigate="lrp.alpha_2_beta_1"),
    "flat": Composite("equal shares on all layers", FlatRule(), innvestigate="lrp.flat"),
    "w_square": Composite("shares by squared weights on all layers", WSquareRule(), innvestigate="lrp.w_square"),
}
"""Named composites. A new entry is tested by existing."""


def choose(rule: str | Rule | Composite, epsilon: float | None = None) -> Composite:
    """The composite of a name, of one rule for all layers, or the given one.

    Parameters
    ----------
    rule : str, Rule or Composite
        a name in `COMPOSITES`, one rule for all layers, or a composite
    epsilon : float, optional
        another stabiliser for its epsilon rules

    Returns
    -------
    Composite

    Raises
    ------
    ConfigurationError
        if there is no such name, epsilon is not positive, or the composite has no epsilon rule
    """
    if isinstance(rule, Composite):
        found = rule
    elif isinstance(rule, Rule):
        found = Composite(f"{rule} on all layers", rule)
    elif isinstance(rule, str) and rule in COMPOSITES:
        found = COMPOSITES[rule]
    else:
        raise unknown_name("rule", str(rule), COMPOSITES)
    return found if epsilon is None else found.with_epsilon(epsilon)
