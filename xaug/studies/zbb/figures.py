"""Figures 8, 9 and 18 to 31 of arXiv:2011.13466, those of jets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from xaug.report.catalogue import Catalogue, Needs
from xaug.report.explained_run import Shape
from xaug.report.figures import GENERIC
from xaug.report.figures.events import draw_heatmaps
from xaug.report.figures.explanations import PAGE, draw_first_profiles, draw_profiles, draw_relevance
from xaug.report.figures.learning import size_curve, step_curve
from xaug.report.figures.maps import draw_relevance_map
from xaug.report.figures.performance import draw_rocs
from xaug.report.figures.samples import draw_distributions, draw_images
from xaug.report.figures.side_by_side import (
    draw_bars_side_by_side,
    draw_maps_side_by_side,
    draw_profiles_side_by_side,
)
from xaug.report.run_series import RunSteps
from xaug.report.several_explanations import SeveralExplanations
from xaug.report.subjects import AllRuns, ExplainedEvents, RunSizes, WholeDataset

__all__ = ["FIGURES"]

FIGURES = Catalogue("study zbb", GENERIC)
IMAGE_FIRST = ("cnn2d", "cnn1d", "rnn", "mlp")
"""Figures 18 and 26 to 31 are of the 2D CNN in the paper, and of the next of these where a report has no run of it."""
LIST_FIRST = ("cnn1d", "cnn2d", "rnn", "mlp")
"""Figures 20 to 22 are of the 1D CNN in the paper, and of the next of these where a report has no run of it."""
PAPER_JETS, PAPER_STEPS = 1_990_000, 124_000
"""Jets that the final networks of the paper saw in training, and steps (of 32 jets) until those on images were best,
from the code and the stored outputs of its authors."""
MAPS = (("z", "delta_r_subjets"), ("softdrop_mass", "tau3_sd_b10"), ("softdrop_mass", "mass"))
"""The variables of figures 20, 21 and 22."""
PAGES = range(6)
"""The 36 expert variables fill figures 26 to 31, six variables each."""


def over(*variables: str) -> Needs:
    """The needs of a map over these variables."""
    return Needs((Shape.VECTOR,), variables, LIST_FIRST)


@FIGURES.figure("8", "Distributions of jet variables", WholeDataset, file="fig08_distributions")
def figure_8(subject: WholeDataset, stem: Path) -> str:
    return draw_distributions(subject, stem, ("pt", "mass", "softdrop_mass", "tau21", "n_charged_hadrons", "dxy_max"))


@FIGURES.figure("9", "Mean jet images", WholeDataset, file="fig09_images")
def figure_9(subject: WholeDataset, stem: Path) -> str:
    return draw_images(subject, stem) + " The right half of the image is the heavier one."


@FIGURES.figure(
    "18", "Distributions and relevance profiles of the most relevant variables", ExplainedEvents,
    file="fig18_profiles", needs=Needs((Shape.VECTOR,), networks=IMAGE_FIRST), once=True,
)  # fmt: skip
def figure_18(subject: ExplainedEvents, stem: Path) -> str:
    return draw_first_profiles(subject, stem)


@FIGURES.figure(
    "19", "Single jets and the relevance of their pixels", ExplainedEvents, file="fig19_heatmaps",
    needs=Needs((Shape.IMAGE,), networks=("cnn2d",)),
)  # fmt: skip
def figure_19(subject: ExplainedEvents, stem: Path) -> str:
    return draw_heatmaps(subject, stem)


@FIGURES.figure(
    "20", "Relevance over ΔR and z of the subjets", ExplainedEvents, file="fig20_relevance_map",
    needs=over(*MAPS[0]), once=True,
)  # fmt: skip
def figure_20(subject: ExplainedEvents, stem: Path) -> str:
    return draw_relevance_map(subject, stem, *MAPS[0])


@FIGURES.figure(
    "21", "Relevance over groomed mass and groomed τ₃", ExplainedEvents, file="fig21_relevance_map",
    needs=over(*MAPS[1]), once=True,
)  # fmt: skip
def figure_21(subject: ExplainedEvents, stem: Path) -> str:
    return draw_relevance_map(subject, stem, *MAPS[1])


@FIGURES.figure(
    "22", "Relevance over groomed and ungroomed mass", ExplainedEvents, file="fig22_relevance_map",
    needs=over(*MAPS[2]), once=True,
)  # fmt: skip
def figure_22(subject: ExplainedEvents, stem: Path) -> str:
    return draw_relevance_map(subject, stem, *MAPS[2])


@FIGURES.figure(
    "23", "Mean relevance of each feature", ExplainedEvents, file="fig23_relevance",
    needs=Needs((Shape.VECTOR,), networks=("cnn2d",)),
)  # fmt: skip
def figure_23(subject: ExplainedEvents, stem: Path) -> str:
    return draw_relevance(subject, stem)


@FIGURES.figure(
    "24", "Mean relevance of each feature", ExplainedEvents, file="fig24_relevance",
    needs=Needs((Shape.VECTOR,), networks=("cnn1d",)),
)  # fmt: skip
def figure_24(subject: ExplainedEvents, stem: Path) -> str:
    return draw_relevance(subject, stem)


@FIGURES.figure(
    "profiles_side_by_side", "Figure 18 by all explanations of a network", SeveralExplanations,
    needs=Needs((Shape.VECTOR,), networks=IMAGE_FIRST), once=True,
)  # fmt: skip
def figure_18_side_by_side(subject: SeveralExplanations, stem: Path) -> str:
    return draw_profiles_side_by_side(subject, stem)


@FIGURES.figure(
    "maps_side_by_side", "Figures 20 to 22 by all explanations of a network", SeveralExplanations,
    needs=over(*dict.fromkeys(name for pair in MAPS for name in pair)), once=True,
)  # fmt: skip
def figures_20_to_22_side_by_side(subject: SeveralExplanations, stem: Path) -> str:
    return draw_maps_side_by_side(subject, stem, MAPS)


@FIGURES.figure(
    "relevance_side_by_side", "Figures 23 and 24 by all explanations of a network", SeveralExplanations,
    needs=Needs((Shape.VECTOR,)),
)  # fmt: skip
def figures_23_and_24_side_by_side(subject: SeveralExplanations, stem: Path) -> str:
    return draw_bars_side_by_side(subject, stem)


@FIGURES.figure("25", "ROC curves of all networks", AllRuns, file="fig25_roc")
def figure_25(subject: AllRuns, stem: Path) -> str:
    return draw_rocs(subject, stem)


def page_of_profiles(page: int) -> Callable[[ExplainedEvents, Path], str]:
    """Make the function that draws one page of profiles of all expert variables."""

    def draw(subject: ExplainedEvents, stem: Path) -> str:
        return draw_profiles(subject, stem, subject.explained.expert_variables[page * PAGE : (page + 1) * PAGE])

    return draw


for _page in PAGES:
    FIGURES.figure(
        f"{26 + _page}", f"Distributions and relevance profiles of all variables, page {_page + 1}",
        ExplainedEvents, file=f"fig{26 + _page}_profiles",
        needs=Needs((Shape.VECTOR,), networks=IMAGE_FIRST, count=_page * PAGE + 1), once=True,
    )(page_of_profiles(_page))  # fmt: skip

FIGURES.add(GENERIC["relevance"].only_for("rnn", "mlp"))
FIGURES.add(GENERIC["uncertainty"])


@FIGURES.figure("learning_curve", "AUC against the size of the training sample", RunSizes)
def draw_sizes(subject: RunSizes, stem: Path) -> str:
    return size_curve(subject, stem, at=PAPER_JETS)


@FIGURES.figure("step_curve", "AUC against the number of training steps", RunSteps)
def draw_steps(subject: RunSteps, stem: Path) -> str:
    return step_curve(subject, stem, at=PAPER_STEPS)


FIGURES.add(GENERIC["history"])
