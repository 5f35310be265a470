"""Layer-wise relevance propagation.

References
----------
S. Bach et al., PLOS ONE 10 (2015) e0130140 (LRP-epsilon, alpha-beta); G. Montavon et al., in Explainable
AI, Springer (2019) 193; arXiv:2011.13466, section 2 (the rules for jet taggers).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from xaug.core.errors import ConfigurationError, ModelError, unknown_name
from xaug.explain.attribution import Attribution
from xaug.explain.propagation import rules
from xaug.explain.propagation.innvestigate import client as innvestigate_engine
from xaug.explain.propagation.rules import BIAS, Composite
from xaug.explain.targets import CLASSES, Logits, Target, functional, logits_of, named_inputs

__all__ = ["ENGINES", "lrp"]

ENGINES = ("auto", "innvestigate", "native")
DTYPES = ("float32", "float64")
MANY_INPUTS = 4
"""Above so many inputs "auto" takes the native engine: iNNvestigate needs minutes to begin with 17 towers."""


def default_rule(model: Logits) -> str:
    """Preset A for networks with convolutions, epsilon for all others."""
    kinds = [layer["class_name"] for layer in model.config["config"]["layers"]]
    return "preset_a" if any(kind.startswith("Conv") for kind in kinds) else "epsilon"


def choose_engine(engine: str, model: Logits, composite: Composite, bias: str, force: bool, dtype: str) -> str:
    """The engine that is used; an error where iNNvestigate is asked for what it does wrong, unless forced."""
    if engine not in ENGINES:
        raise unknown_name("engine", engine, ENGINES)
    if engine == "native":
        return engine
    try:
        if composite.innvestigate is None or bias != "innvestigate":
            raise ConfigurationError(f"iNNvestigate has not this rule with bias {bias!r}; use engine='native'")
        if dtype != "float32":
            raise ConfigurationError(f"iNNvestigate computes in float32, not {dtype}; use engine='native'")
        if not force:
            innvestigate_engine.refuse(model)
    except (ConfigurationError, ModelError):
        if engine == "innvestigate":
            raise
        return "native"
    many = len(model.input_names) > MANY_INPUTS
    return "native" if engine == "auto" and many else "innvestigate"


def lrp(
    model,
    x,
    rule: str | Composite | None = None,
    target: str | int | Sequence = "predicted",
    engine: str = "auto",
    epsilon: float | None = None,
    bias: str | None = None,
    force: bool = False,
    *,
    classes: Sequence[str] = CLASSES,
    dtype: str = "float32",
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
        a name in `xaug.explain.propagation.rules.COMPOSITES`, or a Composite; None: Preset A for CNNs, epsilon for
        all others
    target
        "predicted" (the largest output of each event), "signal", "background", another name in `classes`, an
        index; "signal-background", the difference of two of them as one neuron (`Logits.difference`); or an array
        (n,) of names or of indices, one for each event
    engine
        "innvestigate", "native", or "auto": iNNvestigate for what it does right, native for the rest
    epsilon
        stabiliser of the epsilon rule; None: 0.1 in the presets, 1e-7 in epsilon, as in iNNvestigate
    bias
        where biases stand in the denominators, see `xaug.explain.propagation.rules.BIAS`; None: as in iNNvestigate
    force
        let iNNvestigate explain what it has no right rule for (recurrent layers, BatchNormalization)
    classes
        names of the outputs, in their order; of a single output, those of -logit and +logit
    dtype
        "float32", or "float64" to see what rounding does (native engine)
    variables
        names of the columns of each input, carried along
    on_events
        called with the number of events done, batch by batch

    Returns
    -------
    Attribution
    """
    model = functional(model)
    logits = logits_of(model)
    rule = rule or default_rule(logits)
    composite = rules.choose(rule, epsilon)
    bias = bias or "innvestigate"
    if bias not in BIAS:
        raise unknown_name("bias convention", bias, BIAS)
    if dtype not in DTYPES:
        raise unknown_name("dtype", str(dtype), DTYPES)
    engine = choose_engine(engine, logits, composite, bias, force, dtype)
    inputs = named_inputs(model, x, dtype)
    n = len(next(iter(inputs.values())))
    choice = Target.choose(target, logits.units, classes, n)
    if engine == "native":
        from xaug.explain.propagation.batches import explain

        relevance, logit = explain(model, logits, inputs, composite, bias, choice, on_events, dtype)
    else:
        relevance, logit = _by_innvestigate(logits, inputs, composite, choice, force, on_events)
    settings = {
        "method": "lrp",
        "rule": rule if isinstance(rule, str) else rule.summary,
        "epsilon": composite.dense.epsilon if composite.dense.kind == "epsilon" else None,
        "bias": bias,
        "target": target if isinstance(target, (str, int)) else "one per event" if np.ndim(target) else int(target),
        "engine": engine,
        "dtype": dtype,
    }
    names = {name: list((variables or {}).get(name, [])) for name in inputs}
    return Attribution(relevance, logit, names, settings)


def _by_innvestigate(
    logits: Logits, inputs: dict[str, np.ndarray], composite: Composite, target: Target, force: bool, on_events
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Relevance by input name, and the explained output (n,): one model for each output that is explained."""
    stabiliser = composite.dense.epsilon if composite.dense.kind == "epsilon" and composite.dense.epsilon else None

    def explain(model: Logits, rows) -> tuple[dict[str, np.ndarray], np.ndarray]:
        some = {name: values[rows] for name, values in inputs.items()}
        return innvestigate_engine.explain(model, some, composite.innvestigate, stabiliser, force, on_events)

    if target.minus is not None:
        return explain(logits.difference(target.unit, target.minus), slice(None))
    if np.ndim(target.unit) == 0:
        relevance, logit = explain(logits if target.unit is None else logits.only(target.unit), slice(None))
    else:
        relevance = {name: np.empty(values.shape, np.float32) for name, values in inputs.items()}
        logit = np.empty(len(target.unit), np.float32)
        for unit in np.unique(target.unit):
            rows = target.unit == unit
            some, logit[rows] = explain(logits.only(unit), rows)
            for name, values in some.items():
                relevance[name][rows] = values
    # where one logit explains background, its neuron starts from -f: all rules are linear in what they share
    sign = np.where(logit < 0, -1.0, 1.0) if target.sign is None else np.broadcast_to(target.sign, logit.shape)
    flipped = {n: (r * sign.reshape(-1, *[1] * (r.ndim - 1))).astype(np.float32) for n, r in relevance.items()}
    return flipped, (logit * sign).astype(np.float32)
