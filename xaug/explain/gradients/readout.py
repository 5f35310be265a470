"""The explained output: the number f that Integrated Gradients share among features, from the numbers before the head.

With z the numbers before a softmax or sigmoid and p those behind it, target A, and a difference "A-B" of two targets:

| head             | f("logit")                | f("probability") |
| ---------------- | ------------------------- | ---------------- |
| softmax of K     | ln(p_A / (1 - p_A))       | p_A              |
| the same, "A-B"  | ln(p_A / p_B) = z_A - z_B | p_A - p_B        |
| sigmoid of each  | ln(p_A / (1 - p_A)) = z_A | p_A              |
| the same, "A-B"  | z_A - z_B                 | p_A - p_B        |
| one sigmoid      | z, and -z for background  | p, and 1 - p     |
| the same, "A-B"  | the same                  | ±(2 p - 1)       |
| linear           | z_A, and z_A - z_B        |                  |

The kind "value" is the probability where there is a head, and z where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from xaug.core.errors import ConfigurationError
from xaug.core.types import Array
from xaug.explain.keras_models import ModelOutput
from xaug.explain.targets import Target

__all__ = ["Readout"]


@dataclass(frozen=True)
class Readout:
    """How f is computed from the numbers before the head; it can be a key of a cache.

    Attributes
    ----------
    head : str
        "softmax", "sigmoid" or "linear"
    units : int
        number of outputs
    is_probability : bool
        whether f is computed behind the head
    is_difference : bool
        whether f is the difference of two outputs
    """

    head: str
    units: int
    is_probability: bool
    is_difference: bool

    @classmethod
    def of(cls, network: ModelOutput, target: Target) -> Readout:
        """The readout of a target; refuses the class "background" of a number that is no probability."""
        if network.kind == "value" and network.units == 1 and np.any(np.asarray(target.sign) == -1):
            raise ConfigurationError(
                f"model {network.name!r} has one output, and its value is no probability of two classes: choose target "
                "'signal' or 0 for the value itself"
            )
        return cls(network.head, network.units, network.kind != "logit", target.is_difference)

    @property
    def has_unit(self) -> bool:
        """Whether f is in units of log-odds or of probability, rather than in those of a value."""
        return self.head != "linear"

    @property
    def is_linear(self) -> bool:
        """Whether f is a linear function of the numbers before the head."""
        if self.is_probability:
            return self.head == "linear"
        return self.head != "softmax" or self.is_difference or self.units == 2

    def directions(self, target: Target, z: Array) -> Array:
        """The explained outputs of events with numbers z (n, units), before the head: factors (n, units) of these."""
        if self.units == 1:
            if target.sign is None and self.head != "linear":
                return np.where(z >= 0, 1.0, -1.0).astype(np.float32)
            sign = 1.0 if target.sign is None else np.asarray(target.sign, np.float32).reshape(-1, 1)
            return np.broadcast_to(np.float32(sign), z.shape).astype(np.float32)
        unit = np.where(np.isfinite(z), z, -np.inf).argmax(axis=1) if target.unit is None else target.unit
        one_hot = np.eye(self.units, dtype=np.float32)
        found = np.broadcast_to(one_hot[unit], z.shape)
        return np.array(found if target.minus is None else found - one_hot[target.minus])

    def __call__(self, z: tf.Tensor, direction: tf.Tensor) -> tf.Tensor:
        """The explained output f (n,) of numbers z (n, units) before the head."""
        if self.head == "linear" or (self.is_difference and not self.is_probability):
            return tf.reduce_sum(z * direction, axis=-1)
        if self.is_difference:
            if self.units == 1:
                return tf.tanh(tf.reduce_sum(z * direction, axis=-1) / 2)
            behind = tf.nn.softmax(z) if self.head == "softmax" else tf.sigmoid(z)
            return tf.reduce_sum(behind * direction, axis=-1)
        odds = self._log_odds(z, direction)
        return tf.sigmoid(odds) if self.is_probability else odds

    def _log_odds(self, z: tf.Tensor, direction: tf.Tensor) -> tf.Tensor:
        """ln(p / (1 - p)) of one output."""
        if self.head == "sigmoid":
            return tf.reduce_sum(z * direction, axis=-1)
        if self.units == 2:
            return tf.reduce_sum(z * (2 * direction - 1), axis=-1)
        others = tf.reduce_logsumexp(z - direction * 1e30, axis=-1)
        return tf.reduce_sum(z * direction, axis=-1) - others
