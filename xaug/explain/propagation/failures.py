"""Errors of TensorFlow and Keras, told by the layer in which they arise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from xaug.explain.propagation.layers.base import KerasLayer

__all__ = ["FAILURES", "computing"]

FAILURES = (
    tf.errors.OpError, ValueError, TypeError, AttributeError, NotImplementedError, KeyError, IndexError, OSError,
)  # fmt: skip
"""Errors of TensorFlow and Keras where a model does not fit its inputs, or a layer has a fault."""


@contextmanager
def computing(layer: KerasLayer) -> Iterator[None]:
    """Turn errors that arise while a layer is computed into the error that refuses it."""
    try:
        yield
    except FAILURES as error:
        first = (str(error).strip().splitlines() or [""])[0][:200]
        raise layer.error(f"cannot be computed event by event: {type(error).__name__}: {first}") from error
