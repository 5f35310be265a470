"""Layer-wise relevance propagation.

References
----------
S. Bach et al., PLOS ONE 10 (2015) e0130140 (LRP-epsilon, alpha-beta); G. Montavon et al., in Explainable
AI, Springer (2019) 193; arXiv:2011.13466, section 2 (the rules for jet taggers).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from xaug.errors import ConfigurationError, unknown_name
from xaug.explain import innvestigate_engine
from xaug.explain.attribution import Attribution
from xaug.explain.canonical import Logits, Target, logits_of, named_inputs

__all__ = ["ENGINES", "RULES", "lrp"]

RULES = {
    "preset_a": "alpha1-beta0 on convolutions, epsilon (0.1) on dense layers; for CNNs",
    "epsilon": "epsilon (1e-7) on all layers; for dense and recurrent networks",
}
ENGINES = ("auto", "innvestigate")


def default_rule(model: Logits) -> str:
    """Preset A for networks with convolutions, epsilon for all others."""
    kinds = [layer["class_name"] for layer in model.config["config"]["layers"]]
    return "preset_a" if any(kind.startswith("Conv") for kind in kinds) else "epsilon"


def lrp(
    model,
    x,
    rule: str | None = None,
    target: str | int = "predicted",
    engine: str = "auto",
    epsilon: float | None = None,
    *,
    variables: dict[str, list[str]] | None = None,
    on_events: Callable[[int], None] = lambda n: None,
) -> Attribution:
    """Relevance of every input element for the explained neuron, before the softmax.

    Parameters
    ----------
    model : keras.Model
        functional, ending in softmax or sigmoid
    x
        scaled inputs: a dict by input name, or a list in the model's order
    rule
        one of RULES; None: Preset A for CNNs, epsilon for all others
    target
        "predicted" (the largest output of each event), "signal", "background" or an index
    engine
        "auto" or "innvestigate"
    epsilon
        stabiliser of the epsilon rule; None: 0.1 in Preset A, 1e-7 in epsilon, as in iNNvestigate
    variables
        names of the columns of each input, carried along
    on_events
        called with the number of events done, batch by batch

    Returns
    -------
    Attribution
    """
    logits = logits_of(model)
    rule = rule or default_rule(logits)
    if rule not in RULES:
        raise unknown_name("rule", rule, RULES)
    if engine not in ENGINES:
        raise unknown_name("engine", engine, ENGINES)
    if epsilon is not None and not epsilon > 0:
        raise ConfigurationError(f"epsilon {epsilon}: must be positive")
    innvestigate_engine.refuse(logits)
    inputs = named_inputs(model, x)
    choice = Target.choose(target, logits.units)
    explained = logits if choice.unit is None else logits.only(choice.unit)
    relevance, logit = innvestigate_engine.explain(explained, inputs, rule, epsilon, on_events)
    # the relevance of -f is minus that of f, for every rule: flip where background is explained by one logit
    sign = np.where(logit < 0, -1.0, 1.0) if choice.sign is None else np.full(len(logit), choice.sign)
    for name, values in relevance.items():
        relevance[name] = (values * sign.reshape(-1, *[1] * (values.ndim - 1))).astype(np.float32)
    names = {name: list((variables or {}).get(name, [])) for name in inputs}
    settings = {"method": "lrp", "rule": rule, "epsilon": epsilon, "target": target, "engine": "innvestigate"}
    return Attribution(relevance, (logit * sign).astype(np.float32), names, settings)
