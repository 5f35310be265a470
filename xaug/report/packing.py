"""Arrays as short texts that a page holds: quantised, little-endian, base64."""

from __future__ import annotations

import base64

import numpy as np

from xaug.core.types import Array, JsonObject

__all__ = ["by_columns", "by_events", "logarithmic", "packed"]

DECADES = 4
"""Decades below the largest pixel that a packed image tells apart."""
LEVELS = {"i1": 127, "i2": 32767, "u1": 254, "u2": 65534}
"""Largest code of each type; the code after it stands for no number (u2), and 0 for an empty pixel (u1)."""


def packed(values: Array, dtype: str = "f4") -> JsonObject:
    """Pack numbers as they are.

    Parameters
    ----------
    values : array
        Numbers of any shape; those that are not finite become nan in floats.
    dtype : {"f4", "i1", "i2", "u1", "u2", "u4"}
        Type that holds them.

    Returns
    -------
    dict
        `data` (base64), `type` and `shape`.
    """
    own = np.ascontiguousarray(values, dtype=f"<{dtype}")
    if dtype == "f4":
        own = np.where(np.isfinite(own), own, np.float32(np.nan))
    return {"data": base64.b64encode(own.tobytes()).decode(), "type": dtype, "shape": list(own.shape)}


def by_events(values: Array, dtype: str = "i1") -> JsonObject:
    """Pack signed numbers (n, ...) in 8 or 16 bits, each event in units of its largest absolute value.

    Sums of numbers that are read back add up their rounding, so sums that a page writes are packed beside them.

    Parameters
    ----------
    values : (n, ...) array
        Signed numbers, such as relevances; those that are not finite count as 0.
    dtype : {"i1", "i2"}
        Type that holds them: 8 bits for colours, 16 for numbers that are read.

    Returns
    -------
    dict
        What `packed` gives, and `scale` (n,): the largest absolute value of each event. A number is
        code / 127 x scale, right to 0.4% of the scale; in 16 bits code / 32767 x scale, right to 0.002%.
    """
    finite = np.where(np.isfinite(values), values, 0.0)
    scale = np.abs(finite).max(axis=tuple(range(1, finite.ndim)), initial=0.0)
    of = np.where(scale > 0, scale, 1.0).reshape(-1, *[1] * (finite.ndim - 1))
    return {**packed(np.rint(LEVELS[dtype] * (finite / of)), dtype), "scale": packed(scale)}


def by_columns(values: Array) -> JsonObject:
    """Pack numbers (..., columns) in 16 bits, each column between its smallest and its largest value.

    Parameters
    ----------
    values : (..., columns) array
        Numbers; the code 65535 stands for those that are not finite.

    Returns
    -------
    dict
        What `packed` gives, and `low` and `high` (columns,): a number is low + code / 65534 x (high - low).
    """
    flat = np.asarray(values, dtype=np.float64).reshape(-1, values.shape[-1])
    finite = np.isfinite(flat)
    low = np.where(finite, flat, np.inf).min(axis=0, initial=np.inf)
    high = np.where(finite, flat, -np.inf).max(axis=0, initial=-np.inf)
    low, high = np.where(low > high, 0.0, low), np.where(low > high, 0.0, high)
    width = np.where(high > low, high - low, 1.0)
    codes = np.where(finite, np.rint(LEVELS["u2"] * ((np.where(finite, flat, low) - low) / width)), LEVELS["u2"] + 1)
    return {**packed(codes.reshape(values.shape), "u2"), "low": low.tolist(), "high": high.tolist()}


def logarithmic(values: Array) -> JsonObject:
    """Pack images (n, rows, columns) in 8 bits on a logarithmic scale over four decades.

    Parameters
    ----------
    values : (n, rows, columns) array
        Pixels; those at or below 0, or not finite, are empty.

    Returns
    -------
    dict
        What `packed` gives, and `low` and `high`: the code 0 is an empty pixel, and a code c of 1 to 255 is a value of
        low x (high / low)^((c - 1) / 254), to which smaller pixels are lifted.
    """
    full = np.isfinite(values) & (values > 0)
    high = float(np.where(full, values, 0.0).max(initial=0.0)) or 1.0
    low = high / 10**DECADES
    position = np.log10(np.clip(np.where(full, values, high), low, high) / low) / DECADES
    codes = np.where(full, 1 + np.rint(LEVELS["u1"] * position), 0)
    return {**packed(codes, "u1"), "low": low, "high": high}
