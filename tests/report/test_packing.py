"""Arrays that a page holds, unpacked again by formulas of their own."""

import base64

import numpy as np
import pytest

from xaug.report.packing import by_columns, by_events, logarithmic, packed

RNG = np.random.default_rng(5)


def unpacked(content):
    values = np.frombuffer(base64.b64decode(content["data"]), dtype=f"<{content['type']}")
    return values.reshape(content["shape"])


def test_floats_and_integers():
    values = np.array([1.5, np.nan, np.inf, -3])
    np.testing.assert_array_equal(unpacked(packed(values)), np.array([1.5, np.nan, np.nan, -3], dtype=np.float32))
    assert unpacked(packed(np.array([3, 70_000]), "u4")).tolist() == [3, 70_000]


@pytest.mark.parametrize("shape", [(7, 4, 4), (3, 5, 2), (1, 1), (0, 3, 3)])
@pytest.mark.parametrize(("dtype", "levels"), [("i1", 127), ("i2", 32767)])
def test_relevances_are_right_to_a_part_of_the_largest_of_their_event(shape, dtype, levels):
    values = RNG.normal(size=shape) * 10.0 ** RNG.uniform(-9, 9, (shape[0], *[1] * (len(shape) - 1)))
    content = by_events(values, dtype)
    assert content["type"] == dtype
    scale = unpacked(content["scale"]).reshape(-1, *[1] * (len(shape) - 1))
    assert np.all(np.abs(unpacked(content) / levels * scale - values) <= np.abs(scale) * 0.52 / levels)
    assert np.all(np.sign(unpacked(content)) * np.sign(values) >= 0)


def test_an_event_without_relevance_and_one_with_nan():
    found = unpacked(by_events(np.array([[0.0, 0.0], [np.nan, -2.0]])))
    assert found.tolist() == [[0, 0], [0, -127]]


def test_columns_are_right_to_a_part_of_their_range():
    values = RNG.normal(size=(5, 6, 3)) * [1, 1e6, 1e-6]
    values[0, 0, 1] = np.nan
    values[..., 2] = 4.0
    content = by_columns(values)
    codes, low, high = unpacked(content), np.array(content["low"]), np.array(content["high"])
    assert codes[0, 0, 1] == 65535
    known = np.isfinite(values)
    error = np.abs(low + codes / 65534 * (high - low) - values)
    assert np.all(error[known] <= (np.broadcast_to((high - low) / 65534, values.shape) * 0.51)[known])


def test_pixels_are_right_to_some_percent_over_four_decades_and_empty_ones_stay_empty():
    values = 10 ** RNG.uniform(-3.9, 0, (4, 3, 3))
    values[0], values[1, 0, 0], values[2, 0, 0], values[3, 0, 0] = 0, 1.0, -1, 1e-8
    content = logarithmic(values)
    codes = unpacked(content)
    assert content["high"] == 1.0
    np.testing.assert_array_equal(codes == 0, values <= 0)
    found = content["low"] * (content["high"] / content["low"]) ** ((codes.astype(float) - 1) / 254)
    large = values > content["low"]
    np.testing.assert_allclose(found[large], values[large], rtol=0.019)
    assert codes[3, 0, 0] == 1
    assert not unpacked(logarithmic(np.zeros((2, 2, 2)))).any()
