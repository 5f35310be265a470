"""The function `lrp`: layer-wise relevance propagation of any Keras model, by one of two engines.

References
----------
S. Bach et al., PLOS ONE 10 (2015) e0130140 (LRP-epsilon, alpha-beta); G. Montavon et al., in Explainable
AI, Springer (2019) 193; arXiv:2011.13466, section 2 (the rules for jet taggers).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from xaug.core.errors import ConfigurationError, ModelError, unknown_name
from xaug.core.types import Array, Arrays
from xaug.data.feature_names import named_columns
from xaug.explain.attribution import Attribution
from xaug.explain.keras_models import ModelOutput, plain_errors, read_output
from xaug.explain.model_inputs import named_inputs
from xaug.explain.propagation import batches
from xaug.explain.propagation.composites import Composite, choose
from xaug.explain.propagation.guard import ExplainedGuard, Reference
from xaug.explain.propagation.innvestigate import client as innvestigate_engine
from xaug.explain.propagation.layers.base import entry_of
from xaug.explain.propagation.reference import ReferenceEvent
from xaug.explain.propagation.rules import BIAS, EpsilonRule, Role, Rule
from xaug.explain.single_events import check_single_events
from xaug.explain.targets import CLASSES, Logits, Target, described, logits_of

__all__ = ["ENGINES", "lrp"]

ENGINES = ("auto", "innvestigate", "native")
DTYPES = ("float32", "float64")
MANY_INPUTS = 4
"""Above so many inputs "auto" takes the native engine: iNNvestigate needs minutes to begin with 17 towers."""


def default_rule(model: keras.Model) -> str:
    """Preset A for networks with convolutions, epsilon for all others."""
    roles = {entry_of(type(layer).__name__).role for layer in model._flatten_layers()}
    return "preset_a" if Role.CONVOLUTION in roles else "epsilon"


@dataclass(frozen=True)
class _Chosen:
    """The engine that is used, why, and the model as iNNvestigate takes it, if it does."""

    engine: str
    reason: str
    logits: Logits | None = None


def choose_engine(engine: str, network: ModelOutput, how: batches.How, force: bool) -> _Chosen:
    """The engine that is used; an error where iNNvestigate is asked for what it does wrong, unless forced."""
    if engine not in ENGINES:
        raise unknown_name("engine", str(engine), ENGINES)
    if engine == "native":
        return _Chosen(engine, "asked for")
    composite = how.composite
    try:
        if composite.innvestigate is None or how.bias != "innvestigate":
            raise ConfigurationError(
                f"iNNvestigate does not support the rule ({composite.summary}) with bias {how.bias!r}; use "
                "engine='native'"
            )
        if how.reference is not None:
            raise ConfigurationError("iNNvestigate explains from the zero of the inputs only; use engine='native'")
        if how.dtype != "float32":
            raise ConfigurationError(f"iNNvestigate computes in float32, not {how.dtype}; use engine='native'")
        innvestigate_engine.require()
        logits = _for_innvestigate(network)
        if not force:
            innvestigate_engine.refuse(logits)
    except (ConfigurationError, ModelError) as error:
        if engine == "innvestigate":
            raise
        return _Chosen("native", f"iNNvestigate is not used: {error}")
    if engine == "auto" and len(logits.input_names) > MANY_INPUTS:
        return _Chosen("native", f"iNNvestigate takes minutes to begin with {len(logits.input_names)} inputs")
    reason = "asked for" if engine == "innvestigate" else "iNNvestigate explains all layers of this model rightly"
    return _Chosen("innvestigate", reason, logits)


def _for_innvestigate(network: ModelOutput) -> Logits:
    """The model as iNNvestigate takes it; ModelError where its output is none that it can explain."""
    if network.kind != "logit":
        raise ConfigurationError(f"iNNvestigate explains logits, not output={network.output!r}; use engine='native'")
    return logits_of(network.model)


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
    output: str = "logit",
    dtype: str = "float32",
    reference: Mapping[str, Array] | None = None,
    variables: Mapping[str, Sequence[str]] | None = None,
    on_events: Callable[[int], None] = lambda n: None,
) -> Attribution:
    """Explain a model by layer-wise relevance propagation (LRP).

    Every input element gets its relevance for the explained neuron, which is the one before the softmax or sigmoid. The
    explained outputs are compared with those of the Keras model on events of every batch.

    Parameters
    ----------
    model : keras.Model
        functional or Sequential, with any number of outputs; it is not changed
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
    output : str, optional
        "logit": the neuron before the softmax or sigmoid, or the output of a network without one; "value": the output
        as it is, whatever the last layer; or the name of one of several outputs
    dtype : str, optional
        "float32", or "float64" to see what rounding does (native engine)
    reference : dict of arrays, optional
        scaled inputs by input name of the event at which inputs get no relevance, or of several events, of which the
        mean is taken; None: the zero of the scaled inputs, which LRP takes unless it is told otherwise. The shift of
        the inputs is folded into the biases of the layers that read them, so the network stays the same (native engine)
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
    network = read_output(model, output)
    rule = default_rule(network.model) if rule is None else rule
    bias = bias or "innvestigate"
    if bias not in BIAS:
        raise unknown_name("bias convention", str(bias), BIAS)
    if dtype not in DTYPES:
        raise unknown_name("dtype", str(dtype), DTYPES)
    inputs = named_inputs(network.source, x, dtype)
    check_single_events(network, inputs)
    start = None if reference is None else ReferenceEvent.of(reference, inputs)
    how = batches.How(choose(rule, epsilon), bias, dtype, None if start is None or start.is_zero else start)
    chosen = choose_engine(engine, network, how, force)
    names = named_columns(inputs, variables)
    n = len(next(iter(inputs.values())))
    choice = Target.choose(target, network.units, classes, n)
    if chosen.logits is None:
        with plain_errors(network.name):
            relevance, logit = batches.explain(network, inputs, how, choice, on_events)
    else:
        relevance, logit = _by_innvestigate(chosen.logits, inputs, how.composite, choice, force, on_events)
        _check_innvestigate(network, inputs, choice, logit)
    settings = {
        "method": "lrp",
        "rule": rule if isinstance(rule, str) else how.composite.summary,
        "epsilon": how.composite.epsilon,
        "bias": bias,
        "target": described(target),
        "output": output,
        "engine": chosen.engine,
        "engine_reason": chosen.reason,
        "dtype": dtype,
    }
    if how.reference is not None:
        settings["reference_digest"] = how.reference.digest
    attribution = Attribution(relevance, logit, names, settings)
    if attribution.lost:
        warnings.warn(
            f"{attribution.lost} of {n} events are lost: the network gives no finite number for them. Their relevance "
            "is not finite, and summaries leave them out (see Attribution.is_lost)",
            UserWarning,
            stacklevel=2,
        )
    return attribution


def _check_innvestigate(network: ModelOutput, inputs: Arrays, target: Target, explained: Array) -> None:
    """Compare what iNNvestigate explained (n,) with the Keras model, on events of every batch."""
    guard = ExplainedGuard(Reference(network), inputs, target)
    for start in range(0, len(explained), innvestigate_engine.BATCH):
        guard.see(start, explained[start : start + innvestigate_engine.BATCH, None])
    guard.finish()


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
