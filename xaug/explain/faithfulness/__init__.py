"""Tests of explanations: does an attribution say what the network does, and can it be trusted?

Deletion and insertion curves, and their areas
    deletion_curves; REPLACEMENTS, what stands in for deleted values
Agreement of rankings
    between_trainings, between_halves, between_methods
Networks with random weights
    cascading_randomisation
"""

from __future__ import annotations

from xaug.explain.faithfulness.agreement import (
    Agreement,
    between_halves,
    between_methods,
    between_trainings,
)
from xaug.explain.faithfulness.curves import PerturbationCurves, deletion_curves
from xaug.explain.faithfulness.randomisation import cascading_randomisation
from xaug.explain.faithfulness.replacements import REPLACEMENTS

__all__ = [
    "REPLACEMENTS", "Agreement", "PerturbationCurves", "between_halves", "between_methods", "between_trainings",
    "cascading_randomisation", "deletion_curves",
]  # fmt: skip
