"""The figures and the claims of the paper on baselines, which the study of events adds to a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from xaug.core.files import digest_json
from xaug.core.types import JsonObject
from xaug.explain.explanation import Explanation
from xaug.report.stage import ReportExtension
from xaug.report.subjects import ExplainedClass, ReportInputs
from xaug.report.tables import NamedTable
from xaug.studies.vlq.figures import FIGURES
from xaug.studies.vlq.paper_claims import check_claims

__all__ = ["extension"]

HEADINGS = {"paper": "claim of the paper", "holds": "does it hold here?", "ours": "our numbers"}


def extension(varied: Mapping[str, Sequence[Path]] | None = None) -> ReportExtension:
    """The figures of the paper, and its claims beside our numbers.

    Parameters
    ----------
    varied
        what was varied -> directories of `xaug.explain`, by Integrated Gradients, of networks on other datasets
    """
    others = {label: [Explanation.open(path) for path in directories] for label, directories in (varied or {}).items()}
    config: JsonObject = {
        "varied": {label: [digest_json(one.config) for one in opened] for label, opened in others.items()}
    }

    def tables(inputs: ReportInputs) -> list[NamedTable]:
        return claims(ExplainedClass.found_in(inputs), inputs, others)

    return ReportExtension("vlq", FIGURES, tables=tables, config=config if others else {})


def claims(
    baselines: Sequence[ExplainedClass], inputs: ReportInputs, varied: Mapping[str, Sequence[Explanation]]
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
    )
    return [NamedTable("answers", "Claims of the paper beside our numbers", found, HEADINGS)] if len(found) else []
