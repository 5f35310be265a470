"""Properties of all recurrent layers: the order of the steps, masks, and which of the states are read."""

from __future__ import annotations

import operator
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

import tensorflow as tf

from xaug.core.types import Array
from xaug.explain.propagation.layers.activation import POINTWISE, pointwise_of
from xaug.explain.propagation.layers.base import (
    NUMBER,
    Backward,
    KerasLayer,
    Layer,
    Passed,
    Shares,
    Treatment,
)
from xaug.explain.propagation.linear_maps import Activate, Tensor
from xaug.explain.propagation.multipliers import Ends, by_chain_rule, products, slopes
from xaug.explain.propagation.rules import Role, Rule

__all__ = ["NO_RECURRENCE", "PLAIN", "Arithmetic", "Recurrent", "RecurrentOptions", "States", "read_recurrent"]

NO_RECURRENCE = "iNNvestigate has no rule for recurrent layers: it would give the plain gradient"
GATES = ("sigmoid", "hard_sigmoid")


class States(Protocol):
    """The record of a forward pass: `states` are h_0, ..., h_T, one more than there are steps."""

    @property
    def states(self) -> list[Tensor]: ...


StatesOf = TypeVar("StatesOf", bound=States)


class Arithmetic(NamedTuple):
    """The nonlinear parts of a recurrent layer: its activations, as they are used, and its products."""

    through: Callable[[Activate], Activate]
    times: Callable[[Tensor, Tensor], Tensor]


PLAIN = Arithmetic(lambda function: function, operator.mul)
RESCALED = Arithmetic(slopes, products)
"""For events and their references, one above the other; gradients are multipliers of the rescale rule."""


@dataclass(frozen=True)
class RecurrentOptions:
    """Options of a recurrent layer.

    Attributes
    ----------
    sequences : bool
        whether all states are read, not the last one alone
    backwards : bool
        whether the steps are read from the last to the first
    zeros : bool
        whether the states of padded steps are read as zero; inside they are kept
    cell : bool
        whether the cell state behind the last step is read (LSTM), in place of the state
    activation, gate : str
        names of the activations of the signal and of the gates
    """

    sequences: bool
    backwards: bool
    zeros: bool
    cell: bool
    activation: str
    gate: str

    def functions(self, how: Arithmetic) -> tuple[Activate, Activate]:
        """The activations of the signal and of the gates."""
        return how.through(POINTWISE[self.activation].function), how.through(POINTWISE[self.gate].function)


def read_recurrent(layer: KerasLayer) -> RecurrentOptions:
    """The options of a recurrent layer; ModelError where they are not supported."""
    config = layer.config
    activation, gate = pointwise_of(layer), config.get("recurrent_activation", "sigmoid")
    if gate not in GATES:
        raise layer.error(f"has recurrent activation {gate!r}; a gate is one of {', '.join(GATES)}")
    layer.require("time_major", False, None, reason="has time_major=True, which has no rule")
    number = layer.options.get(NUMBER, 0)
    sequences = bool(config["return_sequences"]) and number == 0
    zeros = bool(config.get("zero_output_for_mask", False)) and number == 0
    if zeros and not sequences:
        raise layer.error("has zero_output_for_mask=True for its last state alone, which has no rule")
    return RecurrentOptions(sequences, bool(config.get("go_backwards", False)), zeros, number == 2, activation, gate)


@dataclass(frozen=True, eq=False)
class Recurrent(Layer[StatesOf]):
    """A recurrent layer. It consumes the mask of steps, and hands it on if it returns sequences.

    Its inputs are the steps and, where the layer is called with them, the initial states.

    Gates only say how much passes: relevance goes through the signals, and none to the gates (L. Arras et al.,
    arXiv:1706.07206). With the epsilon rule at every sum it is conserved, up to biases and epsilon, once the share that
    reaches the initial states is counted.

    Attributes
    ----------
    kernel, recurrent, bias : arrays, float64
        weights for the input (features, parts units) and for the state (units, parts units), and the bias
    own : RecurrentOptions
    """

    kernel: Array
    recurrent: Array
    bias: Array
    own: RecurrentOptions
    role = Role.RECURRENT

    @property
    def activation(self) -> str:
        return self.own.activation

    @property
    def is_keras(self) -> bool:  # type: ignore[override]  # constant for other classes
        """Whether a layer that is called on the steps alone gives the output that is read."""
        return len(self.source.input_shapes) == 1 and not self.source.config.get("return_state")

    @abstractmethod
    def run(self, x: Tensor, mask: Tensor | None, initial: list[Tensor], how: Arithmetic = PLAIN) -> StatesOf:
        """All states for steps x (n, steps, features), in the order in which they are read; no `initial` are zeros."""

    @abstractmethod
    def relevance(
        self, x: Tensor, record: StatesOf, by_step: list[Tensor | None], epsilon: float
    ) -> tuple[Tensor, list[Tensor]]:
        """Relevance of the steps x, and of the initial states (n, units), from that of the states that are read."""

    def end(self, record: StatesOf) -> Tensor:
        """The state behind the last step that is read."""
        return record.states[-1]

    def forward(self, x: list[Tensor], masks: list[Tensor | None], how: Treatment) -> Passed[StatesOf]:
        return self._forward(x, masks[0], PLAIN)

    def multipliers(self, ends: Ends, how: Treatment) -> Sequence[Tensor | None]:
        """By the chain rule through all steps: relevance goes to gates and to signals."""
        mask = None if ends.masks[0] is None else tf.tile(ends.masks[0], [2, 1])
        return by_chain_rule(lambda both: self._forward(both, mask, RESCALED).y, ends)

    def _forward(self, x: list[Tensor], mask: Tensor | None, how: Arithmetic) -> Passed[StatesOf]:
        if self.own.backwards and mask is not None:
            mask = tf.reverse(mask, [1])
        record = self.run(self._ordered(x[0]), mask, x[1:], how)
        if not self.own.sequences:
            return Passed(self.end(record), record)
        y = tf.stack(record.states[1:], axis=1)
        if self.own.zeros and mask is not None:
            y *= tf.cast(mask, y.dtype)[..., None]
        return Passed(y, record)

    def backward(self, seen: Backward[StatesOf], how: Treatment) -> Shares:
        epsilon = how.chosen.stabiliser
        assert epsilon is not None, "`refuses` was asked before"
        if self.own.sequences:
            read = seen.relevance
            if self.own.zeros:  # a state that was read as zero gets nothing
                read = tf.where(tf.reduce_any(seen.y != 0, axis=-1, keepdims=True), read, 0)
            by_step: list[Tensor | None] = tf.unstack(read, axis=1)
        else:
            by_step = [*[None] * (len(seen.record.states) - 2), seen.relevance]
        x = seen.x[0] if seen.start is None else seen.x[0] - tf.constant(seen.start.x, seen.x[0].dtype)
        share, initial = self.relevance(self._ordered(x), seen.record, by_step, epsilon)
        if len(seen.x) > 1:
            return Shares([self._ordered(share), *initial])
        return Shares([self._ordered(share)], tf.reduce_sum(tf.add_n(initial), axis=1))

    def _ordered(self, x: Tensor) -> Tensor:
        """Steps in the order in which they are read, and back."""
        return tf.reverse(x, [1]) if self.own.backwards else x

    def mask(self, x: list[Tensor], masks: list[Tensor | None]) -> Tensor | None:
        return masks[0] if self.own.sequences else None

    def refuses(self, rule: Rule) -> str | None:
        if rule.stabiliser is not None:
            return None
        return (
            "a recurrent layer shares relevance by epsilon at every sum; use rule='epsilon', or a composite with an "
            "epsilon rule for recurrent layers: Composite(..., special={'recurrent': EpsilonRule(1e-7)})"
        )
