"""The figures and the claims of the paper on baselines, which the study of events adds to a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from xaug.core.files import digest_json
from xaug.core.types import JsonObject
from xaug.data.yields import effective_classes
from xaug.explain.explanation import Explanation
from xaug.report.stage import ReportExtension
from xaug.report.subjects import ExplainedClass, ReportInputs
from xaug.report.tables import NamedTable
from xaug.studies.vlq.figures import FIGURES
from xaug.studies.vlq.paper_claims import check_claims

__all__ = ["LEAST_EFFECTIVE", "extension"]

LEAST_EFFECTIVE = 200.0
"""Effective number of events of a class below which no conclusion is drawn."""
HEADINGS = {"paper": "claim of the paper", "holds": "does it hold here?", "ours": "our numbers"}


def extension(
    varied: Mapping[str, Sequence[Path]] | None = None, regime: str = "", least: float = LEAST_EFFECTIVE
) -> ReportExtension:
    """The figures of the paper, and its claims beside our numbers.

    Parameters
    ----------
    varied
        what was varied -> directories of `xaug.explain`, by Integrated Gradients, of networks on other datasets
    regime
        name of the selection, for the heading of the claims
    least
        effective number of events of each class, in each of the splits that decide, below which no conclusion is drawn
    """
    others = {label: [Explanation.open(path) for path in directories] for label, directories in (varied or {}).items()}
    config: JsonObject = {
        "varied": {label: [digest_json(one.config) for one in opened] for label, opened in others.items()}
    }

    def tables(inputs: ReportInputs) -> list[NamedTable]:
        return claims(ExplainedClass.found_in(inputs), inputs, others, regime, least)

    asked: JsonObject = {"regime": regime} if regime else {}
    if least != LEAST_EFFECTIVE:
        asked["least_effective"] = least
    return ReportExtension("vlq", FIGURES, tables=tables, config={**(config if others else {}), **asked})


def claims(
    baselines: Sequence[ExplainedClass],
    inputs: ReportInputs,
    varied: Mapping[str, Sequence[Explanation]],
    regime: str = "",
    least: float = LEAST_EFFECTIVE,
) -> list[NamedTable]:
    """The claims of the paper beside our numbers, as a list of one table; [] if our tables can answer none of them."""
    tables = {one.explained.baseline: one.tables for one in baselines}
    found = check_claims(
        {baseline: own for baseline, own in tables.items() if own},
        {one.explained.baseline: one.name for one in baselines},
        inputs.topk.table if inputs.topk else None,
        inputs.ablation.table if inputs.ablation else None,
        inputs.topk.by if inputs.topk else "mean",
        {label: {one.baseline or "": one.class_tables() for one in opened} for label, opened in varied.items()},
        inputs.topk.replicas if inputs.topk else None,
        too_few(inputs, least),
    )
    heading = "Claims of the paper beside our numbers" + (f", selection {regime}" if regime else "")
    return [NamedTable("answers", heading, found, HEADINGS)] if len(found) else []


def too_few(inputs: ReportInputs, least: float) -> str:
    """Why no conclusion is drawn: classes with fewer effective events than `least`; "" if there are enough.

    Rankings come from the validation split and are judged on the test split. Events count as in the training.
    """
    how, data = inputs.runs[0].record.weights, inputs.data
    words = []
    for split in ("validation", "test"):
        found = effective_classes(data, split, how)
        if min(found.values()) < least:
            words.append(f"{split} {', '.join(f'{effective:.1f} {name}' for name, effective in found.items())}")
    return f"fewer than {least:g} effective events ({'; '.join(words)})" if words else ""
