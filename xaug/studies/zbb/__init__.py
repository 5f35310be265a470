"""The Z -> b bbar study of arXiv:2011.13466: jets, networks, explanations, figures."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from xaug.data.scaling import IMAGE_SCALINGS
from xaug.jets.conventions import OPTIONS
from xaug.studies.base import Study, StudyOption, register
from xaug.studies.runner import FIVE, NETWORKS_HELP, STEP_OPTIONS, NetworkRun, Scale, names_of_runs
from xaug.studies.zbb.runs import DISCRIMINANTS, RUNS, SCALES
from xaug.studies.zbb.stages import plan, study
from xaug.training.config import DISPLACEMENT_SCALINGS

if TYPE_CHECKING:
    from xaug.report.stage import ReportExtension

__all__ = ["DISCRIMINANTS", "RUNS", "SCALES", "NetworkRun", "Scale", "study"]

HELP = """Explain taggers of Z -> b bbar jets against QCD jets by LRP (arXiv:2011.13466).

The networks read images, particle lists and expert variables.

Example: python -m xaug.study zbb --scale quick
"""


def _extension() -> ReportExtension:
    from xaug.studies.zbb.paper import extension

    return extension()


register(
    Study(
        "zbb", HELP, ("jets",), study, _extension, SCALES, plan,
        options=(
            StudyOption(
                "--networks",
                f"{NETWORKS_HELP} The curve of {', '.join(DISCRIMINANTS)}, the sum of the image, is always there.  "
                "[default: mlp_xaug,cnn2d_xaug at quick scale, all at other scales]",
                names=partial(names_of_runs, RUNS, DISCRIMINANTS),
            ),
            StudyOption(
                "--five",
                "The five XAUGs of the +5 networks: ours (the best by our LRP) or authors (those of the paper).",
                "ours", FIVE,
            ),
            StudyOption(
                "--options",
                "The literal choices of the paper's authors, among them their lifetime leak; it is a study of its own.",
                choices=tuple(OPTIONS), names_directory=True,
            ),
            StudyOption(
                "--convention",
                "Single conventions of how jets are described, on top of --options where both are given, as "
                "status=91,constituent_pt=1; see xaug.process --convention.",
                names_directory=True,
            ),
            StudyOption(
                "--image-scaling",
                "Scaling of images, see xaug.train.  [default: whole, or pixel with --options paper-literal]",
                choices=IMAGE_SCALINGS, names_directory=True,
            ),
            StudyOption(
                "--displacement-scaling",
                "Scaling of displacements, see xaug.train.  [default: clipped, or unclipped with --options "
                "paper-literal]",
                choices=DISPLACEMENT_SCALINGS, names_directory=True,
            ),
            *STEP_OPTIONS,
        ),
    )
)  # fmt: skip
