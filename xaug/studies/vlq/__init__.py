"""The study of Constructing sensible baselines for Integrated Gradients: a search with ten backgrounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xaug.data.weights import WEIGHTS
from xaug.events.presets import PRESETS
from xaug.studies.base import Study, StudyOption, register
from xaug.studies.vlq.planned import stages_of
from xaug.studies.vlq.runs import BASELINES, SCALES, EventScale
from xaug.studies.vlq.stages import study
from xaug.training.rankings import BY

if TYPE_CHECKING:
    from xaug.report.stage import ReportExtension

__all__ = ["BASELINES", "SCALES", "EventScale", "study"]

HELP = """Compare baselines of Integrated Gradients in a search for vectorlike quarks with ten backgrounds.

Generates the signal and its backgrounds, trains a dense network on 87 features, and ranks the features by five
baselines: blank (B0 after scaling, B0_physical before it), averaged background (Bbg), and the same weighted by cross
section (Bbgw) or by the number of events expected after the selection (Bbgw_yield). The selection is tight by default;
search and loose (the control, in which HT alone separates nearly as well as all features) are others. Each ranking is
judged by training again on its k first features, and by taking these from the trained network. The report begins with a
table of the paper's claims beside our numbers; no conclusion is drawn below 200 effective events of a class.

Example: python -m xaug.study vlq --scale quick -o vlq

Example: python -m xaug.study vlq --preset loose -o vlq_loose

Example: python -m xaug.study vlq --preset search --files vlq/files -o vlq_search   (the files of the first example)

Example: python -m xaug.study vlq --by mean_absolute -o vlq   (the same networks and attributions, ranked otherwise)
"""


def _extension() -> ReportExtension:
    from xaug.studies.vlq.paper import extension

    return extension()


register(
    Study(
        "vlq", HELP, ("events", "events_met"), study, _extension, SCALES, stages_of, "--events", "process",
        (
            StudyOption("--preset", "Selection of events.", "tight", tuple(PRESETS)),
            StudyOption("--events-of", "Generated events of single processes, as wjets=20000,tt1l=8000.", ""),
            StudyOption("--files", "Directory of the generated files; studies of tight and search can share it."),
            StudyOption("--least-effective", "Effective events of a class below which no conclusion is drawn.", "200"),
            StudyOption("--weights", "Weights of events in training.", "event", tuple(WEIGHTS)),
            StudyOption("--by", "Rank by mean (signed) or mean absolute attribution.", "mean", tuple(BY)),
        ),
    )
)  # fmt: skip
