"""The number that tests of faithfulness watch: the explained output of a network, towards what it predicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xaug.core.errors import ConfigurationError
from xaug.core.types import Array, Arrays
from xaug.data.records import CLASSES
from xaug.explain.attribution import Attribution
from xaug.explain.model_inputs import named_inputs
from xaug.explain.targets import Target
from xaug.networks.keras_versions import input_names

if TYPE_CHECKING:
    import keras

__all__ = ["WatchedOutput"]

BATCH = 512
"""Events that the network evaluates at a time."""
MISMATCH = 0.01
"""Largest difference between the explained output of an attribution and that of the model, in units of its spread."""


@dataclass(frozen=True, eq=False)
class WatchedOutput:
    """The log-odds of the class that an attribution explains, in n events, with the sign of what the network predicts.

    For two classes these are the log-odds of the predicted class, whichever class was explained, so that methods with
    different targets are compared by the same number. For a regression it is the value itself.

    Attributes
    ----------
    x : dict of arrays
        scaled inputs of the n events by name
    direction : (n, units) array
        factors that choose the explained output of each event, see `xaug.explain.gradients.readout`
    sign : (n,) array
        -1 where the class that is explained is not predicted, else 1; all 1 for a regression
    values : (n,) array
        the output of the events as they are, times the sign
    """

    x: Arrays
    direction: Array
    sign: Array
    values: Array
    _names: list[str]
    _function: Any

    @classmethod
    def of(cls, model: keras.Model, x: object, attribution: Attribution) -> WatchedOutput:
        """The output that an attribution explains.

        Parameters
        ----------
        model : keras.Model
            the explained model
        x : dict, list or array
            the scaled inputs that were explained
        attribution : Attribution
            its settings tell the target; its explained output is compared with that of the model

        Raises
        ------
        ConfigurationError
            if the attribution explains other events or another model, or has a target for each event
        """
        target = attribution.settings.get("target")
        if target is None or target == "one per event":
            raise ConfigurationError(
                f"the target of this attribution is {target!r}; tests of faithfulness need one target for all events"
            )
        classes: Sequence[str] = attribution.settings.get("classes", CLASSES)
        output = attribution.settings.get("output", "logit")
        return cls.for_target(model, x, target, classes, output, attribution)

    @classmethod
    def for_target(
        cls, model: keras.Model, x: object, target: str | int, classes: Sequence[str] = CLASSES, output: str = "logit",
        attribution: Attribution | None = None,
    ) -> WatchedOutput:  # fmt: skip
        """The output of a target; see `of`."""
        import tensorflow as tf

        from xaug.explain.gradients.readout import Readout
        from xaug.explain.keras_models import KINDS, read_output

        arrays = named_inputs(model, x)
        kind = "logit" if output in KINDS and output != "value" else output
        network = read_output(model, kind)
        chosen = Target.choose(target, network.units, classes)
        readout = Readout.of(network, chosen)

        numbers = tf.function(network.function)
        evaluate = tf.function(lambda values, direction: readout(network.function(values), direction))
        names = input_names(model)
        z = _batched(lambda batch: numbers(batch).numpy(), [arrays[name] for name in names])
        direction = readout.directions(chosen, z)
        values = readout(tf.constant(z), tf.constant(direction)).numpy().astype(np.float64)
        if attribution is not None:
            _check_belongs(attribution, values, (z * direction).sum(axis=1))
        turned = readout.has_unit and chosen.unit is not None and chosen.sign is not None  # else it is as predicted
        sign = np.where(turned & (values < 0), -1.0, 1.0)
        return cls(arrays, direction, sign, sign * values, names, evaluate)

    def __len__(self) -> int:
        return len(self.values)

    def __call__(self, x: Mapping[str, Array], rows: slice | Array = slice(None)) -> Array:
        """The output (m,) of changed inputs of some of the events, with their signs."""
        arrays = [x[name] for name in self._names]
        direction = self.direction[rows]
        found = _batched(
            lambda batch: self._function(batch[:-1], batch[-1]).numpy().astype(np.float64), [*arrays, direction]
        )
        signed: Array = self.sign[rows] * found
        return signed


def _batched(function: Any, arrays: Sequence[Array]) -> Array:
    """Outputs of a function of batches; the last one is filled up, so that all batches have one shape."""
    import tensorflow as tf

    n = len(arrays[0])
    size = min(BATCH, max(n, 1))
    found = []
    for start in range(0, n, size):
        batch = [values[start : start + size] for values in arrays]
        left = size - len(batch[0])
        if left:
            batch = [np.concatenate([own, np.repeat(own[-1:], left, axis=0)]) for own in batch]
        found.append(function([tf.constant(own) for own in batch])[: size - left])
    if not found:
        raise ConfigurationError("no events: there is nothing to test")
    joined: Array = np.concatenate(found)
    return joined


def _check_belongs(attribution: Attribution, log_odds: Array, neuron: Array) -> None:
    """Raise ConfigurationError unless the explained output of an attribution is one of this model on these events."""
    if len(attribution) != len(log_odds):
        raise ConfigurationError(
            f"the attribution is of {len(attribution)} events, and {len(log_odds)} inputs are given; give the inputs "
            "that were explained"
        )
    with np.errstate(over="ignore"):
        candidates = (log_odds, neuron, 1 / (1 + np.exp(-log_odds)), np.tanh(log_odds / 2))
    own = ~attribution.is_lost
    for found in candidates:
        difference = np.abs(found - attribution.logit)[own]
        if not len(difference) or np.median(difference) <= MISMATCH * max(float(np.std(found[own])), 1e-6):
            return
    raise ConfigurationError(
        "this attribution does not belong to this model and these inputs: its explained outputs are others "
        f"(first event: {attribution.logit[0]:.4g}, and {neuron[0]:.4g} by the model). Give the model and the inputs "
        "that were explained"
    )
