"""Events of explained runs that a page holds, for its browser of events and its figures to choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xaug.core.latex import to_markup
from xaug.core.types import Array, JsonObject
from xaug.data.variables import Variable
from xaug.explain.analysis.relevance import signed_relevance
from xaug.explain.attribution import Attribution
from xaug.plots.images import frame_of
from xaug.report.explained_run import ExplainedRun, Shape
from xaug.report.packing import by_columns, by_events, logarithmic, packed
from xaug.report.words import noun, of_split

__all__ = ["EVENTS", "pack_events", "pack_runs"]

EVENTS = 1_000
"""Events of an explained run at most that a page holds."""
BASE64 = 4 / 3
"""Characters of a page for each byte."""
OVERHEAD = 40_000
"""Characters for names and labels of a run, generously."""


def pack_runs(explained: Sequence[ExplainedRun], budget: int) -> list[JsonObject]:
    """Pack events of each explained run for a page.

    Parameters
    ----------
    explained : sequence of ExplainedRun
        runs; those whose events are not of the test split have no scores, and are left out
    budget : int
        bytes of the page that all of them may take together

    Returns
    -------
    list of dict
        what the scripts of the page read, for each run of which at least one event fits
    """
    shown = [one for one in explained if one.split == "test"]
    found = []
    for one in shown:
        known = one.first
        each = BASE64 * bytes_of_event(one)
        most = int((budget / len(shown) - OVERHEAD) / each)
        if len(known) and most > 0:
            found.append(pack_events(one, chosen_events(len(known), min(EVENTS, most))))
        one.release()
    return found


def chosen_events(n: int, most: int) -> Array:
    """Positions of the events that are shown of n: all, or so many in equal distances, of all classes alike."""
    return np.arange(n) if n <= most else np.unique(np.linspace(0, n - 1, most).astype(int))


def bytes_of_event(explained: ExplainedRun) -> int:
    """Bytes that an event takes before base64: 4 a variable, 2 a pixel, 4 an entry of a list, 5 a particle."""
    relevance = explained.first.relevance
    variables = len(explained.data.table.labels()) + sum(v.shape[1] for v in relevance.values() if v.ndim == 2)
    entries = sum(int(np.prod(v.shape[1:])) for v in relevance.values() if v.ndim > 2)
    particles = sum(v.shape[1] for v in relevance.values() if v.ndim == 3)
    return 40 + 4 * variables + 4 * entries + 5 * particles


@dataclass(frozen=True)
class Shown:
    """The events of an explained run that a page holds.

    Attributes
    ----------
    explained
        the run
    attribution
        relevance of these events in the first training
    rows
        their rows (n,) of the split
    """

    explained: ExplainedRun
    attribution: Attribution
    rows: Array

    def load(self, block: str) -> Mapping[str, Array]:
        """Unscaled values (n, ...) of a block of the dataset, and the mask of a padded list."""
        data = self.explained.data
        order = np.argsort(self.rows, kind="stable")
        back = np.argsort(order, kind="stable")
        arrays = data.load_rows(data.table.fields([block]), self.explained.split, self.rows[order])
        return {name: values[back] for name, values in arrays.items()}


def pack_events(explained: ExplainedRun, chosen: Array) -> JsonObject:
    """Pack some events of an explained run: classes, scores, values, relevances, image and particle list.

    Parameters
    ----------
    explained : ExplainedRun
        a run whose events are of the test split
    chosen : (m,) array of int
        positions of the events among those that are explained

    Returns
    -------
    dict
        plain data; arrays are packed as in `xaug.report.packing`. Relevances are those of the first training, as the
        method gives them, not normalised: `features` are the sums of each feature.
    """
    first = explained.first
    of = {name: values[chosen] for name, values in first.relevance.items()}
    reference = None if first.reference is None else first.reference[chosen]
    own = Attribution(of, first.logit[chosen], first.variables, first.settings, reference=reference)
    shown = Shown(explained, own, explained.rows[chosen])
    label, score = explained.label[chosen], explained.scores[0][chosen]
    target = str(first.settings.get("target", ""))
    of_more = "the predicted class" if target == "predicted" else target
    sums = signed_relevance(own, normalize=False)
    values = {name: column[chosen] for name, column in explained.values.items()}
    labels = explained.labels
    return {
        "name": explained.title,
        "noun": noun(explained.data.kind),
        "words": explained.words,
        "classes": list(explained.classes),
        "target": target,
        "sample": of_split(explained.data) if explained.split == "test" else f"the {explained.split} split",
        "total": len(first),
        "rows": packed(shown.rows, "u4"),
        "label": packed(label, "u1"),
        "predicted": packed(explained.predicted[chosen], "u1"),
        "score": packed(score),
        "score_of": explained.classes[1] if len(explained.classes) == 2 else of_more,
        "output": packed(own.logit),
        "reference": None if reference is None else packed(reference),
        "variables": [_described(labels[name]) for name in values],
        "values": packed(np.stack(list(values.values()), axis=1) if values else np.empty((len(chosen), 0))),
        "features": [_described(_feature(explained, str(name))) for name in sums],
        "relevance": packed(sums.to_numpy()),
        "image": _image(shown),
        "list": _list(shown),
    }


def _feature(explained: ExplainedRun, name: str) -> Variable:
    """The variable that a feature is; a whole image or list has its name as its label."""
    known = explained.labels.get(name)
    return Variable(name, name) if known is None or name in explained.shapes else known


def _described(variable: Variable) -> JsonObject:
    return {
        "name": variable.name,
        "text": variable.text,
        "markup": to_markup(variable.label),
        "unit": variable.unit,
    }


def _image(shown: Shown) -> JsonObject | None:
    """The first image of each event, the relevance of its pixels, summed over channels, and of all of them; or None."""
    block = next((block for block, shape in shown.explained.shapes.items() if shape is Shape.IMAGE), None)
    if block is None or block not in shown.attribution.relevance:
        return None
    frame = frame_of(shown.explained.data.kind)
    pixels = shown.load(block)[block].sum(axis=-1)
    variable = shown.explained.data.table.variables(block)[0]
    relevance = shown.attribution.relevance[block]
    return {
        "text": variable.text,
        "markup": to_markup(variable.label),
        "values": logarithmic(pixels),
        "relevance": by_events(relevance.sum(axis=-1)),
        "sum": packed(relevance.sum(axis=(1, 2, 3), dtype=np.float64)),
        "half_width": frame.half_width,
        "x": Variable("x", frame.x_label).text,
        "y": Variable("y", frame.y_label).text,
        "subjets": [list(place) for place in frame.subjets],
        "note": frame.caption,
    }


def _list(shown: Shown) -> JsonObject | None:
    """The first particle list of each event, the relevance of its entries and of each particle; None without a list."""
    spec = shown.explained.run.input_spec
    block = next((block for block, shape in shown.explained.shapes.items() if shape is Shape.LIST), None)
    if block is None:
        return None
    names, relevance = spec.columns[block], shown.attribution.relevance
    if block in relevance:
        entries = relevance[block]
    elif all(name in relevance for name in names):  # each column is an input of its own
        entries = np.concatenate([relevance[name] for name in names], axis=-1)
    else:
        return None
    arrays = shown.load(block)
    known = shown.explained.data.table.names(block)
    values = arrays[block][..., [known.index(name) for name in names]]
    mask = arrays.get("mask", np.ones(values.shape[:2]))
    return {
        "columns": [_described(shown.explained.labels[name]) for name in names],
        "values": by_columns(values),
        "relevance": by_events(entries, "i2"),
        "sums": packed(entries.sum(axis=-1, dtype=np.float64)),
        "mask": packed(mask, "u1"),
    }
