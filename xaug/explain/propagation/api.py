"""The function `lrp`: layer-wise relevance propagation of any Keras model, by one of two engines.

References
----------
S. Bach et al., PLOS ONE 10 (2015) e0130140 (LRP-epsilon, alpha-beta); G. Montavon et al., in Explainable
AI, Springer (2019) 193; arXiv:2011.13466, section 2 (the rules for jet taggers).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np

from xaug.core.errors import ConfigurationError, ModelError, unknown_name
from xaug.core.types import Array, Arrays
from xaug.data.feature_names import named_columns
from xaug.explain.attribution import Attribution
from xaug.explain.model_inputs import named_inputs
from xaug.explain.propagation import batches
from xaug.explain.propagation.composites import Composite, choose
from xaug.explain.propagation.innvestigate import client as innvestigate_engine
from xaug.explain.propagation.layers.base import entry_of
from xaug.explain.propagation.rules import BIAS, EpsilonRule, Role, Rule
from xaug.explain.targets import CLASSES, Logits, Target, described, functional, logits_of

__all__ = ["ENGINES", "lrp"]

ENGINES = ("auto", "innvestigate", "native")
DTYPES = ("float32", "float64")
MANY_INPUTS = 4
"""Above so many inputs "auto" takes the native engine: iNNvestigate needs minutes to begin with 17 towers."""


def default_rule(model: Logits) -> str:
    """Preset A for networks with convolutions, epsilon for all others."""
    roles = {entry_of(layer["class_name"]).role for layer in model.config["config"]["layers"]}
    return "preset_a" if Role.CONVOLUTION in roles else "epsilon"


def choose_engine(engine: str, model: Logits, composite: Composite, bias: str, force: bool, dtype: str) -> str:
    """The engine that is used; an error where iNNvestigate is asked for what it does wrong, unless forced."""
    if engine not in ENGINES:
        raise unknown_name("engine", str(engine), ENGINES)
    if engine == "native":
        return engine
    try:
        if composite.innvestigate is None or bias != "innvestigate":
            raise ConfigurationError(
                f"iNNvestigate does not support the rule ({composite.summary}) with bias {bias!r}; use engine='native'"
            )
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
    model: keras.Model,
    x: Mapping[str, Array] | Sequence[Array] | Array,
    rule: str | Rule | Composite | None = None,
    target: str | int | Sequence[str] | Sequence[int] | Array = "predicted",
    engine: str = "auto",
    epsilon: float | None = None,
    bias: str | None = None,
    force: bool = False,
    *,
    classes: Sequence[str] = CLASSES,
    dtype: str = "float32",
    variables: Mapping[str, Sequence[str]] | None = None,
    on_events: Callable[[int], None] = lambda n: None,
) -> Attribution:
    """Explain a model by layer-wise relevance propagation (LRP).

    Every input element gets its relevance for the explained neuron, which is the one before the softmax or sigmoid.

    Parameters
    ----------
    model : keras.Model
        functional or Sequential, ending in softmax or sigmoid; it is not changed
    x : dict of arrays, list of arrays, or array
        scaled inputs of n events: arrays (n, ...) by input name, or a list of them in the model's order
    rule : str, Rule or Composite, optional
        name of a composite in `xaug.explain.propagation.composites.COMPOSITES`, one rule for all layers, or a
        composite of your own; None: Preset A for networks with convolutions, epsilon for all others
    target : str, int or sequence, optional
        "predicted" (the largest output of each event), "signal", "background", another name in `classes`, or an
        index; "signal-background", the difference of two outputs as one neuron; or a name or index for each event
    engine : str, optional
        "innvestigate", "native", or "auto": iNNvestigate for the models that it explains rightly, native for the rest
    epsilon : float, optional
        stabiliser of the epsilon rules, in units of the preactivations; None: 0.1 in the presets and 1e-7 in
        "epsilon", as in iNNvestigate
    bias : str, optional
        how biases enter the denominators, see `xaug.explain.propagation.rules.BIAS`; None: as in iNNvestigate
    force : bool, optional
        let iNNvestigate explain layers that it explains wrongly (recurrent layers, BatchNormalization)
    classes : sequence of str, optional
        names of the outputs, in their order; for a single output, the names of -logit and +logit
    dtype : str, optional
        "float32", or "float64" to see what rounding does (native engine)
    variables : dict of lists of str, optional
        names of the columns of each input, which are stored in the result
    on_events : callable, optional
        called with the number of events done, batch by batch

    Returns
    -------
    Attribution
        `relevance` by input name, of the shapes of the inputs, in units of the explained output; `logit` (n,), the
        explained output; `residual` (n,), the sum of all relevance minus the explained output

    Raises
    ------
    ConfigurationError
        if an argument is unknown or out of range, or does not fit the model
    ModelError
        if the model has a layer without a rule, or the rule cannot be used on a layer; both are named

    See Also
    --------
    compare_engines : explain by both engines

    References
    ----------
    S. Bach et al., PLOS ONE 10 (2015) e0130140; G. Montavon et al., in Explainable AI, Springer (2019) 193;
    arXiv:2011.13466, section 2.

    Examples
    --------
    >>> from xaug.explain.propagation.composites import COMPOSITES
    >>> from xaug.explain.propagation.rules import ZBoxRule
    >>> bounded = COMPOSITES["preset_a"].with_first(ZBoxRule(0, 1))
    >>> found = xaug.explain.lrp(model, x, rule=bounded)  # doctest: +SKIP
    """
    network = functional(model)
    logits = logits_of(network)
    rule = default_rule(logits) if rule is None else rule
    composite = choose(rule, epsilon)
    bias = bias or "innvestigate"
    if bias not in BIAS:
        raise unknown_name("bias convention", str(bias), BIAS)
    if dtype not in DTYPES:
        raise unknown_name("dtype", str(dtype), DTYPES)
    engine = choose_engine(engine, logits, composite, bias, force, dtype)
    inputs = named_inputs(network, x, dtype)
    names = named_columns(inputs, variables)
    n = len(next(iter(inputs.values())))
    choice = Target.choose(target, logits.units, classes, n)
    if engine == "native":
        relevance, logit = batches.explain(network, logits, inputs, composite, bias, choice, on_events, dtype)
    else:
        relevance, logit = _by_innvestigate(logits, inputs, composite, choice, force, on_events)
    settings = {
        "method": "lrp",
        "rule": rule if isinstance(rule, str) else composite.summary,
        "epsilon": composite.epsilon,
        "bias": bias,
        "target": described(target),
        "engine": engine,
        "dtype": dtype,
    }
    return Attribution(relevance, logit, names, settings)


def _by_innvestigate(
    logits: Logits, inputs: Arrays, composite: Composite, target: Target, force: bool, on_events: Callable[[int], None]
) -> tuple[Arrays, Array]:
    """Relevance by input name, and the explained output (n,): one model for each output that is explained."""
    assert composite.innvestigate is not None, "`choose_engine` was asked before"
    analyzer: str = composite.innvestigate
    stabiliser = composite.epsilon if isinstance(composite.default, EpsilonRule) else None

    def explain(model: Logits, rows: Array | slice) -> tuple[Arrays, Array]:
        some = {name: values[rows] for name, values in inputs.items()}
        return innvestigate_engine.explain(model, some, analyzer, stabiliser, force, on_events)

    if target.minus is not None:
        return explain(logits.difference(*target.pair), slice(None))
    if target.unit is None:
        relevance, logit = explain(logits, slice(None))
    elif isinstance(target.unit, int):
        relevance, logit = explain(logits.only(target.unit), slice(None))
    else:
        relevance = {name: np.empty(values.shape, np.float32) for name, values in inputs.items()}
        logit = np.empty(len(target.unit), np.float32)
        for unit in np.unique(target.unit):
            rows = target.unit == unit
            some, logit[rows] = explain(logits.only(int(unit)), rows)
            for name, values in some.items():
                relevance[name][rows] = values
    # where one logit explains background, its neuron starts from -f: all rules are linear in what they share
    sign = np.where(logit < 0, -1.0, 1.0) if target.sign is None else np.broadcast_to(target.sign, logit.shape)
    flipped = {n: (r * sign.reshape(-1, *[1] * (r.ndim - 1))).astype(np.float32) for n, r in relevance.items()}
    return flipped, (logit * sign).astype(np.float32)
