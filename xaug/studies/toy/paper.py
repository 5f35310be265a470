"""The figures of arXiv:2011.13466 that the toy study adds to a report; the paper quotes no AUC of toy networks."""

from __future__ import annotations

from xaug.report.stage import ReportExtension
from xaug.studies.toy.figures import FIGURES

__all__ = ["extension"]


def extension() -> ReportExtension:
    """The figures of the paper."""
    return ReportExtension("toy", FIGURES)
