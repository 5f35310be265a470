"""The native engine beside iNNvestigate, element by element: what changes when one is exchanged for the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd

from xaug.core.errors import ConfigurationError
from xaug.core.types import Array, Arrays
from xaug.explain.attribution import Attribution
from xaug.explain.model_inputs import named_inputs
from xaug.explain.propagation.api import default_rule, lrp
from xaug.explain.targets import CLASSES, functional

__all__ = ["EngineComparison", "compare_engines"]


@dataclass(frozen=True)
class EngineComparison:
    """Explanations of the same events by both engines.

    Attributes
    ----------
    native, innvestigate, float64
        by rule, the attribution by the native engine, by iNNvestigate (both in float32), and by the native engine
        in float64: how far each of them is from that is rounding, if the engines mean the same
    """

    native: dict[str, Attribution]
    innvestigate: dict[str, Attribution]
    float64: dict[str, Attribution]

    @property
    def rules(self) -> list[str]:
        """Names of the rules compared."""
        return list(self.native)

    def differences(self, rule: str) -> Arrays:
        """Native minus iNNvestigate, by input name, of the input's shape.

        In units of the largest |relevance| that iNNvestigate gives to any input element of the event.
        """
        return _relative(self.native[rule], self.innvestigate[rule])

    @property
    def table(self) -> pd.DataFrame:
        """How far the engines are apart: a row a rule and input.

        `median`, `q95`, `max`: over events, of the largest |difference| of the elements of that input, in units of
        the event's largest |relevance|; `correlation` of all elements; `native_to_float64` and
        `innvestigate_to_float64`: the median, for each engine against the native one in float64.
        """
        rows = {}
        for rule in self.rules:
            native, innvestigate = self.native[rule], self.innvestigate[rule]
            apart = _largest(_relative(native, innvestigate))
            rounding = [_largest(_relative(one, self.float64[rule])) for one in (native, innvestigate)]
            for name, errors in apart.items():
                rows[rule, name] = {
                    "median": np.median(errors),
                    "q95": np.quantile(errors, 0.95),
                    "max": errors.max(),
                    "correlation": _correlation(native.relevance[name], innvestigate.relevance[name]),
                    "native_to_float64": np.median(rounding[0][name]),
                    "innvestigate_to_float64": np.median(rounding[1][name]),
                }
        table: pd.DataFrame = pd.DataFrame.from_dict(rows, orient="index").rename_axis(["rule", "input"])
        return table


def _relative(one: Attribution, other: Attribution) -> Arrays:
    """Difference of relevance, by input name, over the largest |relevance| of the event in `other`."""
    largest = np.max(list(_largest(other.relevance).values()), axis=0)
    scale = np.where(largest > 0, largest, 1.0)
    return {
        name: (one.relevance[name].astype(np.float64) - values) / scale.reshape(-1, *[1] * (values.ndim - 1))
        for name, values in other.relevance.items()
    }


def _largest(values: Arrays) -> Arrays:
    """Largest absolute value of every event (n,), by input name."""
    return {name: np.abs(v).reshape(len(v), -1).max(axis=1, initial=0.0) for name, v in values.items()}


def _correlation(one: Array, other: Array) -> float:
    """Pearson's coefficient of all elements; nan if one of them is constant."""
    a, b = (v.ravel().astype(np.float64) - v.mean(dtype=np.float64) for v in (one, other))
    norm = np.sqrt(a @ a) * np.sqrt(b @ b)
    return float(a @ b / norm) if norm > 0 else float("nan")


def compare_engines(
    model: keras.Model,
    inputs: Mapping[str, Array] | Sequence[Array] | Array,
    rules: Sequence[str] | str | None = None,
    target: str | int | Sequence[str] | Sequence[int] | Array = "predicted",
    *,
    epsilon: float | None = None,
    bias: str = "innvestigate",
    force: bool = False,
    classes: Sequence[str] = CLASSES,
) -> EngineComparison:
    """Explain the same events with both engines, by one or several rules.

    Parameters
    ----------
    model : keras.Model
        as for `xaug.explain.lrp`
    inputs : dict of arrays, list of arrays, or array
        scaled inputs of at least one event, as for `xaug.explain.lrp`
    rules : str or sequence of str, optional
        names of composites in `xaug.explain.propagation.composites.COMPOSITES`; None: the default rule of the model.
        iNNvestigate builds its graph again for each rule, which takes 1 to 15 s, and minutes with many inputs
    target : str, int or sequence, optional
        as for `xaug.explain.lrp`
    epsilon : float, optional
        stabiliser of the epsilon rules, as for `xaug.explain.lrp`
    bias : str, optional
        convention of the native engine; any but "innvestigate" shows what the convention does
    force : bool, optional
        let iNNvestigate explain layers that it explains wrongly, to see how wrong the result is
    classes : sequence of str, optional
        names of the outputs, as for `xaug.explain.lrp`

    Returns
    -------
    EngineComparison
        `.table` for numbers, `xaug.plots.engines` for figures

    Raises
    ------
    ConfigurationError
        if there is no event or no rule, or an argument is unknown or out of range
    ModelError
        if one of the engines does not explain the model rightly, and is not forced to

    See Also
    --------
    lrp : explain by one engine
    """
    network = functional(model)
    if rules is None:
        rules = default_rule(network)
    names = [rules] if isinstance(rules, str) else list(rules)
    x = named_inputs(network, inputs)
    if not names or not len(next(iter(x.values()))):
        raise ConfigurationError("engines are compared on at least one event, by at least one rule")

    def explain(rule: str, engine: str, bias: str, force: bool = False, dtype: str = "float32") -> Attribution:
        return lrp(network, x, rule, target, engine, epsilon, bias, force, classes=classes, dtype=dtype)

    return EngineComparison(
        native={rule: explain(rule, "native", bias) for rule in names},
        innvestigate={rule: explain(rule, "innvestigate", "innvestigate", force) for rule in names},
        float64={rule: explain(rule, "native", bias, dtype="float64") for rule in names},
    )
