"""Texts in place of figures: what a reader who does not see a figure needs of it, from the numbers beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from xaug.report.words import listed

__all__ = ["describe"]

FIRST = 5
"""Features of a ranking, and curves, that a text names."""
EFFICIENCY = "signal_efficiency"
AT = 0.5
"""Signal efficiency at which a text quotes ROC curves."""


def describe(shows: str, name: str, stem: Path) -> str:
    """Say what is seen in a figure.

    Parameters
    ----------
    shows : str
        what figures of this kind show, in a line
    name : str
        name of the subject; "" if there is none
    stem : Path
        files of the figure without their suffix; numbers are read from the CSV file if there is one

    Returns
    -------
    str
        the kind of the figure, its subject, and its main numbers: the first features of a ranking, ROC curves at a
        signal efficiency of one half
    """
    of = f", {name}" if name else ""
    path = stem.with_name(stem.name + ".csv")
    numbers = _numbers(pd.read_csv(path)) if path.exists() else ""
    return f"{shows}{of}.{numbers}"


def _numbers(table: pd.DataFrame) -> str:
    if {"feature", "mean"} <= set(table):
        return _ranking(table)
    if EFFICIENCY in table:
        return _curves(table)
    return ""


def _ranking(table: pd.DataFrame) -> str:
    """The first features of each sample or baseline of a ranking."""
    of = next((column for column in ("sample", "baseline") if column in table), None)
    groups = table.groupby(of, sort=False) if of else [("", table)]
    told = []
    for name, own in groups:
        first = own.sort_values("mean", ascending=False, kind="stable").head(FIRST)
        values = [f"{feature} {mean:.2g}" for feature, mean in zip(first["feature"], first["mean"], strict=True)]
        told.append(f" The largest{f' for {name}' if of else ''}: {listed(values)}.")
    return "".join(told)


def _curves(table: pd.DataFrame) -> str:
    """The background efficiency of each curve at a signal efficiency of one half."""
    row = int(np.argmin(np.abs(table[EFFICIENCY] - AT)))
    end = "_background_efficiency"
    curves = [str(column) for column in table if str(column).endswith(end)]
    values = [f"{column.removesuffix(end)} {table[column].iloc[row]:.2g}" for column in curves]
    return f" Background efficiency at a signal efficiency of {AT:g}: {listed(values)}." if values else ""
