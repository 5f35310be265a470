"""The toy study of arXiv:2011.13466, section 3: three networks with and without expert variables."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from xaug.generate.toy_model import OVERLAPS
from xaug.studies.base import Study, StudyOption, register
from xaug.studies.runner import NETWORKS_HELP, NetworkRun, Scale, names_of_runs
from xaug.studies.toy.runs import RUNS, SCALES
from xaug.studies.toy.stages import plan, study

if TYPE_CHECKING:
    from xaug.report.stage import ReportExtension

__all__ = ["RUNS", "SCALES", "NetworkRun", "Scale", "study"]

HELP = """Explain networks on the toy model of arXiv:2011.13466, section 3.

Four numbers fully describe a toy jet; images and particle lists contain them in a hidden form.

Example: python -m xaug.study toy --scale quick
"""


def _extension() -> ReportExtension:
    from xaug.studies.toy.paper import extension

    return extension()


register(
    Study(
        "toy", HELP, ("toy",), study, _extension, SCALES, plan,
        options=(
            StudyOption("--networks", f"{NETWORKS_HELP}  [default: all]", names=partial(names_of_runs, RUNS)),
            StudyOption("--overlap", "Overlap of the classes.", "medium", tuple(OVERLAPS)),
        ),
    )
)  # fmt: skip
