"""Every operation that is translated for Keras 2 computes what that of Keras 3 does, by Keras 3 itself."""

import numpy as np
import pytest

from xaug.networks import keras3_operations as table
from xaug.networks.keras_versions import is_keras_3, own_operation

pytestmark = pytest.mark.skipif(not is_keras_3(), reason="keras.ops came with Keras 3")
X = np.random.default_rng(7).normal(size=(4, 3, 5)).astype(np.float32)
Y = np.random.default_rng(8).normal(size=(4, 3, 5)).astype(np.float32)
TWO = ("Add", "Subtract", "Multiply", "Divide", "TrueDivide", "NotEqual", "Equal", "Greater", "GreaterEqual", "Less",
       "LessEqual", "Maximum", "Minimum", "Arctan2")  # fmt: skip
BOOLEAN = ("LogicalAnd", "LogicalOr", "LogicalNot", "Any", "All")
POSITIVE = ("Log", "Log1p", "Sqrt", "Rsqrt")
ARGUMENTS = {
    "Concatenate": ([X, Y],), "Stack": ([X, Y],), "Einsum": (X, Y), "GetItem": (X, (slice(None), 1)),
    "LogicalNot": (X > 0,), "Matmul": (X, np.swapaxes(Y, 1, 2)), "Power": (np.abs(X), 1.5), "Squeeze": (X[..., None],),
    "Where": (X > 0, X, Y), "Take": (X, [0, -1]),
}  # fmt: skip
OPTIONS = {
    "Cast": {"dtype": "int32"}, "Clip": {"x_min": -0.5, "x_max": 0.7}, "Einsum": {"subscripts": "abc,adc->abd"},
    "Gelu": {"approximate": False}, "LeakyRelu": {"negative_slope": 0.3}, "Reshape": {"newshape": [-1, 15]},
    "Repeat": {"repeats": 2, "axis": 1}, "Tile": {"repeats": [1, 2, 1]}, "TopK": {"k": 2, "sorted": True},
    "Transpose": {"axes": [0, 2, 1]}, **{kind: {"axis": 1, "keepdims": True} for kind in table.REDUCTIONS},
    **{kind: {"axis": 1} for kind in ("Concatenate", "Cumsum", "ExpandDims", "LogSoftmax", "Softmax", "Sort", "Stack")},
    "Squeeze": {"axis": -1}, "Roll": {"shift": 2, "axis": 1}, "Elu": {"alpha": 0.7}, "Flip": {"axis": 1},
    "Norm": {"axis": -1}, "Swapaxes": {"axis1": 1, "axis2": -1}, "Take": {"axis": 1},
}  # fmt: skip


def arguments_of(kind):
    if kind in ARGUMENTS:
        return ARGUMENTS[kind]
    x, y = (X > 0, Y > 0) if kind in BOOLEAN else (np.abs(X), Y) if kind in POSITIVE else (X, Y)
    return (x, y) if kind in (*TWO, *BOOLEAN[:2]) else (x,)


EVERY = [*table.OPERATORS, *table.FUNCTIONS, *table.REDUCTIONS, *table.WITH_OPTIONS, *table.MADE, "Einsum"]


@pytest.mark.parametrize("kind", EVERY)
def test_translated_is_the_same(kind):
    options = OPTIONS.get(kind, {})
    expected = own_operation(kind, options)(*arguments_of(kind))
    found = table.operation(kind, options)(*arguments_of(kind))
    expected, found = ((one[0] if isinstance(one, tuple) else one) for one in (expected, found))
    expected, found = np.asarray(expected), np.asarray(found)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "options", "arguments"),
    [
        ("Elu", {}, (X,)),
        ("Flip", {"axis": [1, 2]}, (X,)),
        ("Norm", {"axis": [1], "ord": 1, "keepdims": True}, (X,)),
        ("Norm", {"axis": 2, "ord": np.inf}, (X,)),
        ("Take", {"axis": 2}, (X, -2)),
        ("Take", {"axis": -1}, (X, np.array([[1, -3], [0, 4]]))),
    ],
)
def test_other_options_are_the_same(kind, options, arguments):
    expected, found = own_operation(kind, options)(*arguments), table.operation(kind, options)(*arguments)
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=1e-6)


@pytest.mark.parametrize("options", [{"axis": [1, 2]}, {"axis": None}, {"axis": 1, "ord": "fro"}])
def test_norms_of_matrices_are_not_translated(options):
    assert table.operation("Norm", options) is None


@pytest.mark.parametrize("kind", [*table.NEEDED, "Flip", "Take"])
def test_without_an_axis_nothing_is_translated(kind):
    assert table.operation(kind, {"axis": None}) is None
