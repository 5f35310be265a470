"""Figure of the likelihood test: the attribution of variables beside what the data say of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xaug.core.errors import ConfigurationError
from xaug.core.types import JsonObject
from xaug.explain.analysis.likelihood import LikelihoodTest, likelihood_test
from xaug.plots import figures
from xaug.plots.likelihood import plot_likelihood
from xaug.report.catalogue import GENERIC, Needs
from xaug.report.explained_run import ExplainedRun, Shape
from xaug.report.subjects import ExplainedEvents
from xaug.report.words import listed, noun

__all__ = ["draw_likelihood"]

SHOWN = 6
"""Variables in the figure."""
COLUMNS = 3
"""Variables in a row."""


@GENERIC.figure(
    "likelihood", "Attribution of the most relevant variables beside the ratio of densities in the data",
    ExplainedEvents, needs=Needs((Shape.VECTOR,), two_classes=True),
)  # fmt: skip
def draw_likelihood(subject: ExplainedEvents, stem: Path) -> str:
    """Draw the mean attribution of the most relevant variables, six at most, beside ln(p_s / p_b) of the data."""
    explained = subject.explained
    names = explained.first_variables[:SHOWN]
    background, signal = explained.classes
    columns = min(len(names), COLUMNS)
    rows = -(-len(names) // columns)
    numbers: dict[str, JsonObject] = {}
    left_out: dict[str, list[str]] = {}  # why -> of which variables
    with figures.figure(rows, columns, size=(0.6 + 3.1 * columns, 2.9 * rows), squeeze=False) as (fig, axes):
        for ax in axes.flat[len(names) :]:
            ax.set_axis_off()
        for i, (name, ax) in enumerate(zip(names, axes.flat[: len(names)], strict=True)):
            try:
                found = _test(explained, name)
            except ConfigurationError as error:
                reason = str(error).removeprefix(f"{name}: ")
                left_out.setdefault(reason, []).append(explained.labels[name].text)
                ax.text(0.5, 0.5, "left out, see caption", ha="center", va="center", transform=ax.transAxes)
                ax.tick_params(bottom=False, top=False, left=False, right=False, labelbottom=False, labelleft=False)
                ax.set_xlabel(figures.formula(explained.labels[name].axis_label))
                continue
            plot_likelihood(found, explained.labels[name], ax)
            ax.set_ylabel(figures.literal(f"towards {signal}"))
            if i % columns:
                ax.set_ylabel("")
            numbers[name] = _numbers(found)
        if numbers:
            first = next(ax for ax in axes.flat if ax.has_data() and ax.lines)
            fig.legend(*first.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)
        else:  # nothing but empty panels
            fig.set_size_inches(4.0, 1.2)
            for ax in axes.flat[1:]:
                ax.remove()
            axes.flat[0].clear()
            axes.flat[0].set_axis_off()
            fig.text(0.5, 0.5, "all variables are left out, see caption", ha="center", va="center")
        figures.save(fig, stem)
    figures.save_numbers(stem, numbers)
    return (
        f"{explained.title}: mean attribution ({explained.words}) of each variable in bins of it, beside the logarithm "
        f"of the ratio of the densities of {signal} and {background} in the same bins. Both are positive towards "
        f"{signal}. A method that says what the data say has a correlation of 1 over bins; its error "
        f"is that of the finite number of {noun(explained.data.kind)}."
        + "".join(f" Left out: {listed(names)} ({reason})." for reason, names in left_out.items())
    )


def _test(explained: ExplainedRun, name: str) -> LikelihoodTest:
    return likelihood_test(
        explained.attributions, explained.values, name, label=explained.label, scores=explained.scores
    )


def _numbers(found: LikelihoodTest) -> JsonObject:
    """The numbers behind a panel, as plain data."""
    content: JsonObject = {}
    for name, value in vars(found).items():
        plain = value.tolist() if isinstance(value, np.ndarray) else value
        content[name] = None if isinstance(plain, float) and np.isnan(plain) else plain
    return content
