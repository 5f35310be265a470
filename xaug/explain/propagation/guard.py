"""The guard: numbers are given out only if the logits that were explained are those of the Keras model.

Logits are compared, not probabilities, which a saturated network hides behind; and events of every batch, because
padded events may come late. In each batch the events with most and least padding are among those that are compared.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import keras
import numpy as np
import tensorflow as tf

from xaug.core.errors import ModelError
from xaug.core.statistics import Moments
from xaug.core.types import Array, Arrays
from xaug.explain.keras_models import ModelOutput, plain_errors
from xaug.explain.propagation.composites import COMPOSITES
from xaug.explain.propagation.engine import Propagator
from xaug.explain.propagation.expansions import take_apart
from xaug.explain.propagation.graph import make_graph
from xaug.explain.propagation.layers.base import GRADIENTS
from xaug.explain.targets import Target
from xaug.networks.keras_versions import calls_of, input_names

__all__ = ["ExplainedGuard", "Guard", "Reference"]

FIRST, SHARE = 32, 64
"""Events of the first batch that are compared, and the number of events for each one that is compared later."""
CHUNK = 256
"""Events for which the Keras model is run at a time; as many as a batch of the engine has, where that is more."""
MANY, OFTEN = 512, 4
"""With so many events to explain, or after so many calls, the Keras model is compiled first."""
RELATIVE, ROUNDING = 1e-3, 3e-5
"""Largest difference: a part of the spread of the logits over events, and a part of the largest logit."""
NOTHING = 1e-6
"""Part of the largest number inside a network that is rounding, if its outputs are no larger."""
FEW = 8
"""With fewer events than this the largest logit stands for their spread."""


class Reference:
    """Logits of a Keras model by its own layers; compiled once many events are compared, or some of them often.

    Parameters
    ----------
    network : ModelOutput
    """

    def __init__(self, network: ModelOutput):
        self.network = network
        self._calls = 0
        model = network.model
        self.types = dict(zip(input_names(model), (tf.as_dtype(one.dtype) for one in model.inputs), strict=True))

    @cached_property
    def _compiled(self) -> Callable[..., tf.Tensor]:
        """The function of the model, compiled."""
        signature = [tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype) for tensor in self.network.model.inputs]
        function = tf.function(lambda *x: self.network.function(list(x)), input_signature=signature, autograph=False)
        concrete: Callable[..., tf.Tensor] = function.get_concrete_function()
        return concrete

    def tensors(self, inputs: Arrays) -> list[tf.Tensor]:
        """The inputs in the order and the types of the model."""
        kinds = {name: own.as_numpy_dtype for name, own in self.types.items()}
        return [tf.convert_to_tensor(inputs[name].astype(kind, copy=False)) for name, kind in kinds.items()]

    def __call__(self, inputs: Arrays, many: bool = False) -> Array:
        """Logits (n, units) float64; `many` says that it pays to compile the model."""
        x = self.tensors(inputs)
        self._calls += 1
        compiled = many or self._calls > OFTEN
        with plain_errors(self.network.name):
            found: Array = (self._compiled(*x) if compiled else self.network.function(x)).numpy().astype(np.float64)
        return found


class Tolerance:
    """Difference that rounding may make, in numbers (n, units) that come batch by batch."""

    def __init__(self, units: int) -> None:
        self.moments, self.largest = Moments(units), 0.0

    def add(self, values: Array) -> None:
        """Take more numbers (n, units); events for which one of them is not finite are left out."""
        values = values[np.isfinite(values).all(axis=1)]
        if not len(values):
            return
        columns = np.ascontiguousarray(values.T, np.float64)  # along rows of two numbers, numpy sums three times slower
        mean = columns.mean(axis=1)
        distances = columns - mean[:, None]
        self.moments.join(len(values), mean, np.einsum("ij,ij->i", distances, distances))
        self.largest = np.maximum(self.largest, np.abs(columns).max())

    @property
    def allowed(self) -> Array:
        """Largest difference (units,) that rounding may make."""
        few = self.moments.weight < FEW
        spread = np.full(self.moments.mean.shape, self.largest) if few else self.moments.width
        found: Array = RELATIVE * spread + ROUNDING * self.largest
        return found


class Guard:
    """Compares logits of events of every batch with those of the Keras model.

    Parameters
    ----------
    reference : Reference
        the Keras model
    inputs : dict of arrays (n, ...)
        all events that are explained
    pair : tuple of int, optional
        outputs whose difference is explained
    """

    def __init__(self, reference: Reference, inputs: Arrays, pair: tuple[int, int] | None = None):
        self.reference, self.network, self.inputs, self.pair = reference, reference.network, inputs, pair
        self.many = len(next(iter(inputs.values()))) >= MANY
        self.tolerance: Tolerance | None = None
        self.unseen: list[Array] = []
        self.rows: list[Array] = []
        self.found: list[Array] = []

    def see(self, start: int, logits: Array) -> None:
        """Take the logits (n, units) of a batch that begins with event `start`."""
        count = max(2 if start else FIRST, -(-len(logits) // SHARE))
        chosen = self._chosen(start, len(logits), count)
        self.rows.append(start + chosen)
        self.found.append(logits[chosen].astype(np.float64))
        self.unseen.append(logits)
        if sum(map(len, self.rows)) >= max(CHUNK, len(logits)):
            self.finish()

    def finish(self) -> None:
        """Compare what was taken and not compared yet.

        Raises
        ------
        ModelError
            naming the first layer that differs
        """
        if not self.rows:
            return
        rows, found, logits = map(np.concatenate, (self.rows, self.found, self.unseen))
        self.rows, self.found, self.unseen = [], [], []
        self.tolerance = self.tolerance or Tolerance(logits.shape[1])
        self.tolerance.add(logits)
        self._compare(rows, found, self.expected(rows), self.tolerance.allowed)

    def expected(self, rows: Array) -> Array:
        """The numbers (n, units) that Keras gives for some events."""
        logits = self.reference({name: values[rows] for name, values in self.inputs.items()}, self.many)
        return logits if self.pair is None else logits[:, self.pair[:1]] - logits[:, self.pair[1:]]

    def _compare(self, rows: Array, found: Array, expected: Array, allowed: Array) -> None:
        """Raise ModelError if numbers (n, units) that were found for some events are not those expected."""
        with np.errstate(invalid="ignore"):
            errors = np.where(~np.isfinite(expected) & ~np.isfinite(found), 0.0, np.abs(found - expected))
        bad = ~(errors <= allowed)
        if not bad.any():
            return
        event = int(rows[np.where(np.isnan(errors), np.inf, errors).max(axis=1).argmax()])
        inside = self._largest_inside(event)
        largest = float(np.nanmax(np.abs(expected), initial=0.0))
        if largest <= NOTHING * inside:
            raise ModelError(
                f"model {self.network.name!r}: its outputs are rounding and nothing else ({largest:.1g}, where numbers "
                f"inside reach {inside:.1g}), so that there is nothing to explain. Remedy: look for a layer that "
                "takes all away, as a mean over what was normalised to a mean of zero"
            )
        raise ModelError(
            f"model {self.network.name!r}: the logits that would be explained differ from those of Keras by "
            f"{np.nanmax(errors):.2g} (allowed {allowed.max():.1g}), most in event {event}; "
            f"{self._culprit(event)}. This is a mistake of xaug: please report the model. Remedy: {GRADIENTS}"
        )

    def _largest_inside(self, event: int) -> float:
        """The largest number that the layers of the Keras model give for an event."""
        x = {name: values[event : event + 1] for name, values in self.inputs.items()}
        tensors = [tensor for call in calls_of(self.network.model) for tensor in call.outputs]
        return max(float(np.nanmax(np.abs(values), initial=0.0)) for values in _outputs(self.network, tensors, x))

    def _chosen(self, start: int, size: int, count: int) -> Array:
        """Events of a batch, from the one with least padding to the one with most."""
        if size <= count:
            return np.arange(size)
        lists = [values[start : start + size] for values in self.inputs.values() if values.ndim > 2]
        found: Array = np.arange(count) * (size - 1) // (count - 1)
        return np.argsort(sum(map(_padding, lists)), kind="stable")[found] if lists else found

    def _culprit(self, event: int) -> str:
        """The first layer whose output differs from that of Keras, in words."""
        x = {name: values[event : event + 1] for name, values in self.inputs.items()}
        model = self.network.model
        shapes = {name: values.shape[1:] for name, values in x.items()}
        graph = make_graph(model, value=self.network.kind == "value", shapes=shapes, fold=False)
        found = Propagator(graph, COMPOSITES["epsilon"]).values(x)
        tensors = {name: tensor for name, tensor in take_apart(model).tensors.items() if name in found}
        tensors.pop(graph.output.name, None)
        expected = _outputs(self.network, list(tensors.values()), x)
        for name, values in zip(tensors, expected, strict=True):
            own = found[name].astype(np.float64).reshape(values.shape)
            if not np.abs(own - values).max(initial=0.0) <= 1e-4 * max(np.abs(values).max(initial=0.0), 1e-3):
                return f"the first layer that differs is {name!r} ({graph.by_name[name].layer.source.kind})"
        return f"the first layer that differs is the last one, {graph.output.name!r}"


class ExplainedGuard(Guard):
    """Compares explained outputs (n, 1) of an engine whose layers cannot be seen with those of the Keras model.

    Parameters
    ----------
    reference, inputs
        as for `Guard`
    target : Target
        what is explained
    """

    def __init__(self, reference: Reference, inputs: Arrays, target: Target):
        super().__init__(reference, inputs)
        self.target = target

    def expected(self, rows: Array) -> Array:
        logits = super().expected(rows)
        target = self.target.at(rows, len(rows))
        if target.minus is not None:
            logits, target = logits[:, target.pair[:1]] - logits[:, target.pair[1:]], Target(0)
        direction = target.direction(logits.shape[1])
        if direction is None:
            direction = np.sign(logits) if logits.shape[1] == 1 else np.eye(logits.shape[1])[logits.argmax(axis=1)]
        found: Array = (logits * direction).sum(axis=1, keepdims=True)
        return found

    def _culprit(self, event: int) -> str:
        return "iNNvestigate was given a copy of the model that computes something else; use engine='native'"


def _padding(values: Array) -> Array:
    """Number of steps (n,) of lists (n, steps, ...) that begin with the same number as the last one."""
    firsts = values.reshape(*values.shape[:2], -1)[..., 0]
    same: Array = (firsts == firsts[:, -1:]).sum(axis=1)
    return same


def _outputs(network: ModelOutput, tensors: list[object], x: Arrays) -> list[Array]:
    """Values of Keras tensors of the model for events x, as float64."""
    inside = keras.Model(network.model.inputs, tensors)
    found = tf.nest.flatten(inside(Reference(network).tensors(x), training=False))
    return [values.numpy().astype(np.float64) for values in found]
