"""The explained output as a function of a model's inputs, with its gradient: what methods without an engine need."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from xaug.core.errors import ModelError
from xaug.core.types import Array, Arrays, JsonObject
from xaug.data.feature_names import named_columns
from xaug.explain.gradients.preparation import largest_floats
from xaug.explain.gradients.readout import Readout
from xaug.explain.keras_models import ModelOutput, float32_layers, plain_errors, read_output, weights_digest
from xaug.explain.model_inputs import named_inputs
from xaug.explain.single_events import check_single_events
from xaug.explain.targets import CLASSES, Target, described, functional

if TYPE_CHECKING:
    import keras

    from xaug.explain.gradients.integration import TargetLike

__all__ = ["OutputFunction"]

MEMORY = 64 * 2**20
"""Bytes that the layers' outputs of one batch may take."""
KEPT = 16
"""Compiled models that are kept."""


class OutputFunction:
    """The number f that is explained, of n events of one model and of changed copies of them.

    The explained class of an event is chosen by the event itself, and stays when its inputs are changed.

    Parameters
    ----------
    model : keras.Model
        functional or Sequential model
    inputs : dict or list of arrays
        scaled inputs of the events, each (n, ...)
    target : str, int or sequence
        class that is explained, see `xaug.explain.integrated_gradients`
    output : str
        output that is explained, see there
    classes : sequence of str
        names of the outputs, in their order
    variables : dict of lists of str, optional
        names of the columns of each input

    Attributes
    ----------
    inputs : dict of arrays
        the inputs by name
    variables : dict of list of str
        names of the columns of each input
    logit : (n,) array
        f of the events
    batch : int
        events that are computed at a time

    Raises
    ------
    ConfigurationError
        if an argument is wrong, or the inputs do not fit the model
    ModelError
        if the model cannot be evaluated
    """

    def __init__(
        self,
        model: keras.Model,
        inputs: Mapping[str, Array] | Sequence[Array] | Array,
        target: TargetLike = "signal",
        output: str = "logit",
        classes: Sequence[str] = CLASSES,
        variables: Mapping[str, Sequence[str]] | None = None,
    ):
        source = functional(model)
        self.inputs = named_inputs(source, inputs)
        compiled = _compiled(model, output, weights_digest(source))
        network = compiled.network
        check_single_events(network, self.inputs)
        n = len(next(iter(self.inputs.values())))
        self.target = Target.choose(target, network.units, classes, n)
        self.readout = Readout.of(network, self.target)
        self.variables = named_columns(self.inputs, variables)
        shapes = {name: values.shape[1:] for name, values in self.inputs.items()}
        self.batch = int(np.clip(MEMORY // (4 * largest_floats(network, shapes)), 16, 4096))
        self._compiled = compiled
        z = self._numbers(self.inputs)
        self._directions = self.readout.directions(self.target, z)
        self.logit: Array = self.readout(tf.constant(z), tf.constant(self._directions)).numpy()
        self._described: JsonObject = {"target": described(target), "output": output}

    def __len__(self) -> int:
        return len(self.logit)

    @property
    def network(self) -> ModelOutput:
        """The model without its head."""
        return self._compiled.network

    def settings(self, method: str, **others: object) -> JsonObject:
        """The settings of an attribution: the method, its target and output, and options of its own."""
        return {"method": method, **self._described, **others}

    def values(self, x: Arrays, events: Array) -> Array:
        """f (m,) of m changed events.

        Parameters
        ----------
        x : dict of arrays (m, ...)
            their inputs by name
        events : (m,) array of int
            rows of the events that they were, which decide the explained class
        """
        return self.explained(self._numbers(x), events)

    def explained(self, z: Array, events: Array) -> Array:
        """f (m,) of the numbers before the head (m, units) of m changed events; see `values`."""
        found: Array = self.readout(tf.constant(z), tf.constant(self._directions[events])).numpy()
        return found

    def gradients(self, x: Arrays, events: Array) -> Arrays:
        """Gradients of f at m changed events, by input name, each (m, ...); arguments are those of `values`.

        Raises
        ------
        ModelError
            if an input holds whole numbers, or reaches f by no differentiable way
        """
        for name, tensor in zip(x, self.network.model.inputs, strict=True):
            dtype = tf.as_dtype(tensor.dtype)
            if not dtype.is_floating:
                raise ModelError(
                    f"input {name!r} is of type {dtype.name}: f has no gradient there. Explain the model by a "
                    "method that changes inputs (occlusion, shapley), or the network behind its embedding"
                )
        parts: list[list[Array]] = []
        for start in range(0, len(events), self.batch):
            rows = slice(start, start + self.batch)
            parts.append(self._compiled.gradients(self.readout, self._part(x, rows), self._directions[events[rows]]))
        joined = [np.concatenate(part) for part in zip(*parts, strict=True)]
        return dict(zip(x, joined, strict=True))

    def _numbers(self, x: Arrays) -> Array:
        """Numbers before the head (m, units)."""
        n = len(next(iter(x.values())))
        parts = [self._compiled.numbers(self._part(x, slice(i, i + self.batch))) for i in range(0, n, self.batch)]
        return np.concatenate(parts) if parts else np.empty((0, self.network.units), np.float32)

    def _part(self, x: Arrays, rows: slice) -> list[tf.Tensor]:
        types = (tensor.dtype for tensor in self.network.model.inputs)
        return [tf.constant(x[name][rows], kind) for name, kind in zip(self.inputs, types, strict=True)]


class _Compiled:
    """The compiled functions of one model."""

    def __init__(self, network: ModelOutput):
        self.network = network
        model = network.model
        signature = [tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype) for tensor in model.inputs]
        self._numbers = tf.function(lambda x: network.function(x), input_signature=[signature], autograph=False)
        self._gradients: dict[Readout, Callable[..., list[tf.Tensor]]] = {}

    def numbers(self, x: list[tf.Tensor]) -> Array:
        """Numbers before the head."""
        with plain_errors(self.network.name), float32_layers():
            found: Array = self._numbers(x).numpy()
        return found

    def gradients(self, readout: Readout, x: list[tf.Tensor], direction: Array) -> list[Array]:
        """Gradients of f for all inputs; zero where f does not depend on one."""
        if readout not in self._gradients:
            self._gradients[readout] = tf.function(
                lambda x, d: self._of_gradients(readout, x, d), reduce_retracing=True, autograph=False
            )
        with plain_errors(self.network.name), float32_layers():
            return [g.numpy() for g in self._gradients[readout](x, tf.constant(direction))]

    def _of_gradients(self, readout: Readout, x: list[tf.Tensor], direction: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            f = readout(self.network.function(x), direction)
        found = tape.gradient(f, x)
        if all(g is None for g in found):
            raise ModelError(
                f"model {self.network.name!r} has no gradient: a layer without one stands before its output. Explain "
                "it by a method that changes inputs, as occlusion"
            )
        return [tf.zeros_like(v) if g is None else tf.convert_to_tensor(g) for g, v in zip(found, x, strict=True)]


@lru_cache(maxsize=KEPT)
def _compiled(model: keras.Model, output: str, digest: str) -> _Compiled:
    """The compiled functions of a model; `digest` is that of its weights, which may change."""
    return _Compiled(read_output(model, output))
