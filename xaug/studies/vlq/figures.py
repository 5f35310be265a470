"""Figures 1 to 5 of J. Bardhan et al., Constructing sensible baselines for Integrated Gradients."""

from __future__ import annotations

from pathlib import Path

from xaug.report.catalogue import Catalogue, Needs
from xaug.report.figures import GENERIC
from xaug.report.figures.baselines import draw_features, draw_top_features, draw_topk
from xaug.report.subjects import ExplainedClass, SeveralBaselines, TopKCurves

__all__ = ["FIGURES"]

FIGURES = Catalogue("study vlq", GENERIC)


@FIGURES.figure(
    "1", "The features of largest attribution, for each baseline", SeveralBaselines, file="fig01_features"
)  # fmt: skip
def figure_1(subject: SeveralBaselines, stem: Path) -> str:
    return draw_features(subject, stem) + " Figure 1 of the paper shows the first five."


@FIGURES.figure(
    "2", "Accuracy, AUC and significance against the number of features", TopKCurves, file="fig02_topk"
)  # fmt: skip
def figure_2(subject: TopKCurves, stem: Path) -> str:
    return draw_topk(subject, stem)


for _key, _baseline in (("3", "blank"), ("4", "background"), ("5", "weighted")):
    FIGURES.figure(
        _key, f"The 20 features of largest attribution, {_baseline} baseline", ExplainedClass,
        file=f"fig0{_key}_features", needs=Needs(baseline=_baseline),
    )(draw_top_features)  # fmt: skip

FIGURES.add(*(GENERIC[key] for key in ("ablation", "agreement", "roc", "uncertainty", "learning_curve", "history")))
