"""Figures 3, 4 and 10 to 17 of arXiv:2011.13466, those of its toy model."""

from __future__ import annotations

from pathlib import Path

from xaug.report.catalogue import Catalogue, Needs
from xaug.report.explained_run import Shape
from xaug.report.figures import GENERIC
from xaug.report.figures.events import draw_heatmaps
from xaug.report.figures.explanations import draw_profiles, draw_ranks, draw_relevance, draw_trainings
from xaug.report.figures.maps import draw_relevance_map, draw_score_map
from xaug.report.figures.samples import draw_distributions, draw_images
from xaug.report.subjects import ExplainedEvents, WholeDataset

__all__ = ["FIGURES"]

FIGURES = Catalogue("study toy", GENERIC)
NETWORKS = ("cnn2d", "cnn1d", "rnn", "mlp")
"""Figures of one network are of the 2D CNN in the paper, and of the next of these where a report has no run of it."""
EXPERT = Needs((Shape.VECTOR,), networks=NETWORKS)
Z_THETA = Needs((Shape.VECTOR,), ("z", "theta"), NETWORKS)
LIST_NETWORKS = ("cnn1d", "rnn")


@FIGURES.figure("3", "Distributions of the toy model", WholeDataset, file="fig03_distributions")
def figure_3(subject: WholeDataset, stem: Path) -> str:
    return draw_distributions(subject, stem, ("z", "theta", "z1", "delta_alpha1", "r1", "delta_beta1"))


@FIGURES.figure("4", "Mean images of the toy model", WholeDataset, file="fig04_images")
def figure_4(subject: WholeDataset, stem: Path) -> str:
    return draw_images(subject, stem) + " The right half of the image is the heavier one."


@FIGURES.figure(
    "10", "Single toy jets and the relevance of their pixels", ExplainedEvents, file="fig10_heatmaps",
    needs=Needs((Shape.IMAGE,), networks=("cnn2d",)),
)  # fmt: skip
def figure_10(subject: ExplainedEvents, stem: Path) -> str:
    return draw_heatmaps(subject, stem)


@FIGURES.figure(
    "11", "Mean relevance of each feature, training by training", ExplainedEvents, file="fig11_trainings",
    needs=EXPERT, once=True,
)  # fmt: skip
def figure_11(subject: ExplainedEvents, stem: Path) -> str:
    return draw_trainings(subject, stem)


@FIGURES.figure(
    "12", "Percentage of the jets in which a feature has rank 1, 2, ..., training by training", ExplainedEvents,
    file="fig12_ranks", needs=EXPERT, once=True,
)  # fmt: skip
def figure_12(subject: ExplainedEvents, stem: Path) -> str:
    return draw_ranks(subject, stem)


@FIGURES.figure(
    "13", "Score over z and theta, training by training", ExplainedEvents,
    file="fig13_score_map", needs=Z_THETA, once=True, each_explanation=False,
)  # fmt: skip
def figure_13(subject: ExplainedEvents, stem: Path) -> str:
    return draw_score_map(subject, stem, "z", "theta")


@FIGURES.figure(
    "14", "Relevance over z and theta, training by training", ExplainedEvents, file="fig14_relevance_map",
    needs=Z_THETA, once=True,
)  # fmt: skip
def figure_14(subject: ExplainedEvents, stem: Path) -> str:
    return draw_relevance_map(subject, stem, "z", "theta", side_by_side=True)


@FIGURES.figure(
    "15", "Distributions and relevance profiles of z and theta", ExplainedEvents, file="fig15_profiles",
    needs=Z_THETA, once=True,
)  # fmt: skip
def figure_15(subject: ExplainedEvents, stem: Path) -> str:
    return draw_profiles(subject, stem, ("z", "theta"))


@FIGURES.figure(
    "16", "Mean relevance of each feature", ExplainedEvents, file="fig16_relevance",
    needs=Needs((Shape.VECTOR,), networks=LIST_NETWORKS),
)  # fmt: skip
def figure_16(subject: ExplainedEvents, stem: Path) -> str:
    return draw_relevance(subject, stem)


@FIGURES.figure(
    "17", "Relevance over z and theta, mean over trainings", ExplainedEvents,
    file="fig17_relevance_map", needs=Needs((Shape.VECTOR,), ("z", "theta"), LIST_NETWORKS),
)  # fmt: skip
def figure_17(subject: ExplainedEvents, stem: Path) -> str:
    return draw_relevance_map(subject, stem, "z", "theta")


FIGURES.add(GENERIC["roc"], GENERIC["relevance"].only_for("mlp"))
FIGURES.add(*(GENERIC[key] for key in ("uncertainty", "learning_curve", "history")))
