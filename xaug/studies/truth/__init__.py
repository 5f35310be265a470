"""The study of toys whose likelihood ratio is known: which method finds what carries information?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xaug.generate.truth_toys import TRUTH_TOYS
from xaug.studies.base import Study, StudyOption, known_methods, register
from xaug.studies.truth.stages import SCALES, plan, study

if TYPE_CHECKING:
    from xaug.report.stage import ReportExtension

__all__ = ["study"]

HELP = """Score every method on toys whose likelihood ratio is known in closed form.

The toys are the expert variables of the toy model (paper), a variable with noisy copies (copies), two variables of
which only the product says anything (xor), and three classes (three). For each, a dense network is trained on samples
of several sizes, and every registered method explains it. A method is scored by whether it finds the variables that
carry information, and by how like its attributions are to the exact Shapley values of the optimal answer. A random
attribution and the oracle stand beside it.

Example: python -m xaug.study truth --scale quick

Example: python -m xaug.study truth --methods lrp,ig --toys xor,copies -o truth
"""


def _extension() -> ReportExtension:
    from xaug.report.figures import GENERIC
    from xaug.report.stage import ReportExtension

    return ReportExtension("truth", GENERIC)


def _toys() -> list[str]:
    return list(TRUTH_TOYS)


register(
    Study(
        "truth", HELP, (), study, _extension, SCALES, plan, size_of="class in the largest sample",
        options=(
            StudyOption("--toys", f"Toys, separated by commas: {', '.join(TRUTH_TOYS)}.  [default: all]", names=_toys),
            StudyOption("--methods", "Methods, separated by commas.  [default: all]", names=known_methods),
        ),
    )
)  # fmt: skip
