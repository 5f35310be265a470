"""Operators between weights and Keras tensors in Keras 3, which are recorded on one side alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from xaug.networks.keras_versions import is_keras_3, is_keras_tensor

__all__ = ["variables_beside_symbols"]

OPERATORS = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lt", "le", "gt",
             "ge")  # fmt: skip
"""Operators of two numbers that weights of Keras 3 have, as Python names their methods."""


@contextmanager
def variables_beside_symbols() -> Iterator[None]:
    """Inside, `w * x` of weights w and a Keras tensor x is recorded as `x * w` is.

    A weight of Keras 3 takes what stands on its right for numbers, so that a layer that multiplies by a weight on the
    left cannot be called on Keras tensors outside of a model.
    """
    import keras

    variable: Any = getattr(keras, "Variable", object) if is_keras_3() else object
    owner = next((one for one in variable.__mro__ if "__mul__" in vars(one)), None)
    methods = {} if owner is None else {f"__{name}__": vars(owner)[f"__{name}__"] for name in OPERATORS}

    def leaves_symbols(method: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        return lambda self, other: NotImplemented if is_keras_tensor(other) else method(self, other)

    try:
        for name, method in methods.items():
            setattr(owner, name, leaves_symbols(method))
        yield
    finally:
        for name, method in methods.items():
            setattr(owner, name, method)
