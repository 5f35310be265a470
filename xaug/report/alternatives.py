"""Texts in place of figures: what a reader who does not see a figure needs of it, from the numbers beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from xaug.core.types import Array, JsonObject
from xaug.report.words import listed
from xaug.training.intervals import CONFIDENCE

__all__ = ["describe"]

FIRST = 5
"""Features of a ranking, variables, trainings and curves that a text names at most."""
EFFICIENCIES = ("signal_efficiency", "efficiency")
"""Columns of tables of ROC curves that hold the efficiency of the class that is selected."""
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
        files of the figure without their suffix; numbers are read from the CSV file if there is one, else from the JSON
        file

    Returns
    -------
    str
        the kind of the figure, its subject, and its main numbers: the first features of a ranking, ROC curves at a
        signal efficiency of one half with limits where no background event passes, the ranges of profiles and maps,
        where the classes lie in distributions, ...
    """
    of = f", {name}" if name else ""
    table, content = (stem.with_name(stem.name + suffix) for suffix in (".csv", ".json"))
    numbers = ""
    if table.exists():
        numbers = _of_table(pd.read_csv(table))
    elif content.exists():
        numbers = _of_content(json.loads(content.read_text(encoding="utf-8")))
    return f"{shows}{of}.{numbers}"


def _of_table(table: pd.DataFrame) -> str:
    for columns, told in TABLES:
        if columns <= set(table):
            return told(table)
    return ""


def _of_content(content: JsonObject) -> str:
    """The numbers of a JSON file, which is known by its keys or by those of its first part."""
    if not content:
        return " Nothing could be drawn; the caption says why."
    parts = [part for part in content.values() if isinstance(part, dict)]
    inner = set(parts[0]) if parts else set()
    for keys, told in CONTENTS:
        if keys <= set(content) or keys <= inner:
            return told(content)
    if "edges" in inner:
        return (_profiles if any(key.startswith("mean_") for key in inner) else _distributions)(content)
    first = next(iter(content.values()), None)
    if isinstance(first, list) and np.ndim(first) == 2:
        return _images(content)
    if parts and all(key.isdecimal() for key in content):
        return _ranks(content)
    return ""


def _few(texts: Iterable[str]) -> str:
    """The first of some texts, and how many more there are."""
    known = list(texts)
    more = [f"{len(known) - FIRST} more"] if len(known) > FIRST else []
    return "; ".join([*known[:FIRST], *more])


def _range(values: Any, digits: int = 2) -> str:
    """The smallest and the largest of numbers, without those that are not finite."""
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known)]
    return f"between {known.min():.{digits}g} and {known.max():.{digits}g}" if known.size else "nowhere known"


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
    """The background efficiency of each curve at a signal efficiency of one half, or its limit."""
    grid = next(column for column in EFFICIENCIES if column in table)
    row = table.iloc[int(np.argmin(np.abs(table[grid] - AT)))]
    end = "_background_efficiency"
    values = []
    for column in (str(column) for column in table if str(column).endswith(end)):
        name = column.removesuffix(end)
        limit = row.get(f"{name}_limit", np.nan)
        shown = f"{row[column]:.2g}" if np.isnan(limit) else f"below {limit:.2g} ({100 * CONFIDENCE:.0f}% CL)"
        values.append(f"{name} {shown}")
    of = "Background efficiency at a signal efficiency" if grid == EFFICIENCIES[0] else "Efficiency of others at one"
    return f" {of} of {AT:g}: {listed(values)}." if values else ""


def _scores(table: pd.DataFrame) -> str:
    """The mean score of each class, and its share above one half."""
    centre = (table["low"] + table["high"]) / 2
    told = []
    for name in (str(column) for column in table if f"{column}_rms" in table):
        total = table[name].sum()
        if total > 0:
            above = table[name][centre > 0.5].sum() / total
            mean = (table[name] * centre).sum() / total
            told.append(f"{name} has a mean score of {mean:.2f}, {100 * above:.0f}% of it above 0.5")
    return f" {'; '.join(told)}." if told else ""


def _learning(table: pd.DataFrame) -> str:
    """The AUC at both ends of each learning curve."""
    size = str(table.columns[1])
    told = []
    for name, own in table.groupby("network", sort=False):
        ends = own.sort_values(size).iloc[[0, -1]]
        points = [f"{auc:.4f} at {at:,.0f}" for at, auc in zip(ends[size], ends["auc"], strict=True)]
        told.append(f"{name} has an AUC of {listed(points)} {size.replace('_', ' ')}")
    return f" {_few(told)}."


def _by_number(table: pd.DataFrame) -> str:
    """The AUC at both ends of each curve over the number of features."""
    told = []
    for name, own in table.groupby("ranking", sort=False):
        means = own.groupby("k")["auc"].mean()
        points = [f"{means.iloc[place]:.3f} at k = {means.index[place]}" for place in (0, -1)]
        told.append(f"{name} has an AUC of {listed(points)}")
    return f" {_few(told)}."


def _profiles(content: JsonObject) -> str:
    """The range of the mean relevance of each variable in each class."""
    told = []
    for variable, own in content.items():
        classes = [key.removeprefix("mean_") for key in own if key.startswith("mean_")]
        each = [f"{_range(own[f'mean_{name}'])} for {name}" for name in classes]
        told.append(f"the mean normalised relevance of {variable} is {listed(each)}")
    return f" Over its bins, {_few(told)}." if told else ""


def _distributions(content: JsonObject) -> str:
    """The mean of each variable in each class, from its bins."""
    told = []
    for variable, own in content.items():
        edges = np.asarray(own["edges"])
        centre = (edges[1:] + edges[:-1]) / 2
        counts = {name: np.asarray(values, dtype=float) for name, values in own.items() if name != "edges"}
        means = [f"{values @ centre / values.sum():.3g} for {name}" for name, values in counts.items() if values.sum()]
        told.append(f"the mean of {variable} is {listed(means)}")
    return f" {_capital(_few(told))}." if told else ""


def _likelihood(content: JsonObject) -> str:
    """The correlation of each variable."""
    told = []
    for variable, own in content.items():
        value, error = own["correlation"], own["correlation_error"]
        told.append(
            f"{variable} " + ("none" if value is None else f"{value:.2f}" + (f" ± {error:.2f}" if error else ""))
        )
    return f" The correlation over bins: {listed(told)}."


def _map(content: JsonObject) -> str:
    """The range of the mean over trainings, and where it is largest."""
    known = np.asarray(content["trainings"], dtype=float)
    counted = np.isfinite(known).sum(axis=0)
    mean = np.where(counted > 0, np.nan_to_num(known).sum(axis=0) / np.maximum(counted, 1), np.nan)
    if not counted.any():
        return " No cell has events."
    x, y = ((np.asarray(content[f"{axis}_edges"])[1:] + np.asarray(content[f"{axis}_edges"])[:-1]) / 2 for axis in "xy")
    ends = []
    for what, place in (("smallest", np.nanargmin(mean)), ("largest", np.nanargmax(mean))):
        i, j = np.unravel_index(place, mean.shape)
        ends.append(f"{what}, {mean[i, j]:.2g}, at {content['x']} = {x[i]:.2g} and {content['y']} = {y[j]:.2g}")
    return f" The mean of a cell is {listed(ends)}."


def _images(content: JsonObject) -> str:
    """In how many pixels half of each mean image lies."""
    told = []
    for name, pixels in content.items():
        image = np.asarray(pixels, dtype=float)
        ordered = np.sort(image.ravel())[::-1]
        if ordered.sum() > 0:
            half = int(np.searchsorted(np.cumsum(ordered), ordered.sum() / 2)) + 1
            row, column = np.unravel_index(np.argmax(image), image.shape)
            told.append(
                f"half of {name} lies in {half} of {image.size} pixels, the strongest of them in row {row + 1} from "
                f"below and column {column + 1}"
            )
    return f" {_capital(_few(told))}." if told else ""


def _heatmaps(content: JsonObject) -> str:
    """The sum of the relevance of the pixels of each event, and its strongest pixel."""
    told = []
    for event, pixels, heat in zip(content["events"], content["images"], content["relevance"], strict=True):
        relevance = np.asarray(heat, dtype=float)
        strongest = float(relevance.ravel()[np.argmax(np.abs(relevance))])
        told.append(
            f"row {event} has {int((np.asarray(pixels) > 0).sum())} filled pixels, whose relevance adds up to "
            f"{relevance.sum():.3g}; that of the strongest is {strongest:.2g}"
        )
    return "".join(f" {_capital(one)}." for one in told) or " No event is shown."


def _history(content: JsonObject) -> str:
    """The validation loss at the start, at the end, and where it is smallest."""
    told = []
    for training, own in content.items():
        key = "val_loss" if "val_loss" in own else "loss"
        loss: Array = np.asarray(own[key], dtype=float)
        if loss.size and np.isfinite(loss).any():
            ends = f"{loss[0]:.3g} at first, {loss[-1]:.3g} at last and {np.nanmin(loss):.3g} at best"
            told.append(f"{ends} in training {int(training) + 1}")
    what = "validation loss" if any("val_loss" in own for own in content.values()) else "loss"
    return f" The {what} is {_few(told)}." if told else ""


def _ranks(content: JsonObject) -> str:
    """Which features are first most often, in each training."""
    told = []
    for training, own in content.items():
        first = sorted(((percentages[0], name) for name, percentages in own.items() if percentages), reverse=True)[:2]
        shares = [f"{name} in {share:.0f}%" for share, name in first]
        told.append(f"in training {int(training) + 1} {listed(shares)} of the events")
    return f" Most often first are {_few(told)}." if told else ""


def _confusion(content: JsonObject) -> str:
    """The share of each class that is recognised."""
    shares = [
        f"{name} {100 * row[i]:.0f}%"
        for i, (name, row) in enumerate(zip(content["classes"], content["mean"], strict=True))
    ]
    return f" Recognised as what they are: {listed(shares)}."


def _agreement(content: JsonObject) -> str:
    """The range of the rank correlation between two baselines."""
    names = list(content["kendall_tau"])
    pairs = [content["kendall_tau"][one][other] for i, one in enumerate(names) for other in names[:i]]
    return f" The rank correlation of two of {len(names)} baselines is {_range(pairs)}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


TABLES: tuple[tuple[set[str], Callable[[pd.DataFrame], str]], ...] = (
    ({"feature", "mean"}, _ranking),
    ({EFFICIENCIES[0]}, _curves),
    ({EFFICIENCIES[1]}, _curves),
    ({"low", "high"}, _scores),
    ({"network", "auc"}, _learning),
    ({"ranking", "k", "auc"}, _by_number),
)
"""Columns that a table must have -> what tells its numbers; the first that fits does."""
CONTENTS: tuple[tuple[set[str], Callable[[JsonObject], str]], ...] = (
    ({"events", "images", "relevance"}, _heatmaps),
    ({"x_edges", "y_edges", "trainings"}, _map),
    ({"classes", "mean"}, _confusion),
    ({"kendall_tau"}, _agreement),
    ({"correlation", "correlation_error"}, _likelihood),
    ({"loss"}, _history),
)
"""Keys that a JSON file or its parts must have -> what tells its numbers; the first that fits does."""
