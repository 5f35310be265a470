"""Networks whose number of an event is that of the event alone, each time; others are refused by every method.

An explanation shares f(x) among the inputs of one event. A random layer gives another f(x) each time, and a layer that
reads across events (a mean over axis 0, statistics of the batch) gives one that depends on the company.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import keras
import numpy as np
import tensorflow as tf

from xaug.core.errors import ModelError
from xaug.core.types import Array, Arrays
from xaug.explain.keras_models import ModelOutput, plain_errors
from xaug.networks.keras_versions import calls_of, input_names

__all__ = ["check_single_events"]

AGAIN = 16
"""Copies of an event that stand beside each other."""
FIRST = 256
"""Events among which two are chosen."""
RELATIVE, ROUNDING = 1e-3, 3e-5
"""Largest difference: a part of the spread of the numbers over events, and a part of the largest of them."""

HEADS = {
    "softmax": (tf.nn.softmax, tf.nn.log_softmax),
    "sigmoid": (tf.sigmoid, tf.math.log_sigmoid),
    "linear": (tf.identity,),
}
"""By head, the functions of the numbers before it (n, units) that the output of a model may be."""
REMEDY = "Remedy: make the same model {}, and give it the trained weights: copy.set_weights(model.get_weights())"
RANDOM = (
    "is random: the output of the same event is another one each time, so that there is nothing to explain. "
    + REMEDY.format("without it, or with a layer that is random in training only")
)
OF_THE_BATCH = (
    "reads across events, as a mean over axis 0 or the statistics of a batch do: the output of an event depends on the "
    "events beside it, so that no explanation is that of one event. "
    + REMEDY.format("with an axis that counts no events, or with training=False")
)

_checked: WeakKeyDictionary[ModelOutput, str] = WeakKeyDictionary()


def check_single_events(network: ModelOutput, inputs: Arrays) -> None:
    """Refuse a network whose number of an event is another one in other company, or when it is computed again.

    Two events, the one with the largest inputs and the one with the smallest, are computed alone, and beside copies of
    both. A network is checked once, and again when its weights change.

    Parameters
    ----------
    network : ModelOutput
    inputs : dict of arrays (n, ...)
        by input name

    Raises
    ------
    ModelError
        naming the first layer whose output changes
    """
    n = len(next(iter(inputs.values())))
    if not n or _checked.get(network) == network.digest:
        return
    together, alone = _company(network.model, inputs)
    with plain_errors(network.name):
        beside = network.function(together).numpy()
        own = np.concatenate([network.function(one).numpy() for one in alone])
        output = tf.cast(network.model(together if len(together) > 1 else together[0], training=False), tf.float32)
    ends = [head(beside).numpy() for head in HEADS[network.head]]
    is_head = not all(_changes(end, output.numpy().reshape(beside.shape)) for end in ends)
    if not is_head or _changes(beside, np.repeat(own, AGAIN, axis=0)):
        culprit = _culprit(network.model, together, alone)
        if culprit:
            raise ModelError(culprit)
    if not is_head:
        raise ModelError(
            f"model {network.name!r}: its output is not the {network.head} over classes of the numbers before it, so "
            "that these are no logits. Remedy: explain the output as it is, with output='value'"
        )
    _checked[network] = network.digest


def _company(model: keras.Model, inputs: Arrays) -> tuple[list[tf.Tensor], list[list[tf.Tensor]]]:
    """Copies of two events beside each other, and each of the two alone, as inputs of the model."""
    some = [inputs[name][:FIRST] for name in input_names(model)]
    sizes = sum(np.abs(values.reshape(len(values), -1)).astype(np.float64).sum(axis=1) for values in some)
    two = np.array([np.argmax(sizes), np.argmin(sizes)])
    kinds = [tf.as_dtype(tensor.dtype) for tensor in model.inputs]
    halves = np.array([1.0, 0.5]) if two[0] == two[1] else np.ones(2)  # a single event stands beside half of itself

    def chosen(values: Array, kind: tf.DType) -> tf.Tensor:
        scale = halves.reshape(-1, *[1] * (values.ndim - 1)) if kind.is_floating else 1
        return tf.constant((values[two] * scale).astype(kind.as_numpy_dtype))

    pairs = [chosen(values, kind) for values, kind in zip(some, kinds, strict=True)]
    return [tf.repeat(pair, AGAIN, axis=0) for pair in pairs], [[pair[i : i + 1] for pair in pairs] for i in (0, 1)]


def _changes(found: Array, expected: Array, summed: float = 0.0) -> bool:
    """Whether numbers differ by more than rounding, where numbers as large as `summed` were added up to them."""
    fine = np.isfinite(found) & np.isfinite(expected)
    if not fine.any():
        return False
    found, expected = found[fine].astype(np.float64), expected[fine].astype(np.float64)
    allowed = RELATIVE * (expected.max() - expected.min()) + ROUNDING * max(np.abs(expected).max(), summed)
    return bool((np.abs(found - expected) > allowed).any())


def _culprit(model: keras.Model, together: list[tf.Tensor], alone: list[list[tf.Tensor]]) -> str:
    """A message on the first layer whose output changes though its inputs do not; empty if that is rounding alone."""
    calls = calls_of(model)
    tensors = [*model.inputs, *(tensor for call in calls for tensor in call.outputs)]
    inside = keras.Model(model.inputs, tensors)
    with plain_errors(str(model.name)):
        computed = [inside(x if len(x) > 1 else x[0], training=False) for x in (together, together, *alone)]
    outputs = dict(zip(map(id, tensors), zip(*map(tf.nest.flatten, computed), strict=True), strict=True))
    found: dict[int, _Output] = {name: _Output(*map(np.asarray, values)) for name, values in outputs.items()}
    for words, is_changed in (RANDOM, _Output.is_random), (OF_THE_BATCH, _Output.is_of_the_batch):
        changed: set[int] = set()
        for call in calls:
            sources, ends = {id(tensor) for tensor in call.inputs}, [id(tensor) for tensor in call.outputs]
            summed = max((found[name].largest for name in sources), default=0.0)
            if not sources & changed and any(is_changed(found[name], summed) for name in ends):
                return f"model {model.name!r}: layer {call.layer.name!r} ({type(call.layer).__name__}) {words}"
            if sources & changed or any(is_changed(found[name], 0.0) for name in ends):
                changed |= set(ends)
    return ""


@dataclass(frozen=True)
class _Output:
    """Outputs of a layer for copies of two events beside each other, for the same again, and for each alone."""

    beside: Array
    again: Array
    first: Array
    second: Array

    @property
    def largest(self) -> float:
        """The largest of its numbers."""
        numbers = self.beside[np.isfinite(self.beside)] if self.beside.dtype.kind == "f" else np.zeros(0)
        return float(np.abs(numbers).max(initial=0.0))

    def is_random(self, summed: float) -> bool:
        """Whether it is another one when it is computed again."""
        return self.beside.shape == self.again.shape and _changes(self.beside, self.again, summed)

    def is_of_the_batch(self, summed: float) -> bool:
        """Whether it is another one for an event alone; integers, as a number of events, do not count."""
        if self.beside.dtype.kind != "f":
            return False
        if len(self.beside) == 2 * AGAIN and self.first.shape == (1, *self.beside.shape[1:]):
            return _changes(self.beside, np.repeat(np.concatenate([self.first, self.second]), AGAIN, axis=0), summed)
        return self.beside.shape == self.first.shape and _changes(self.beside, self.first, summed)
