"""Draw the figures of the page of results from its tables: `python notebooks/redraw.py`, from the top of the tree.

The runs behind them took hours; their tables are in `notebooks/results`. Only PNG files are kept.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import xaug

HERE = Path(__file__).parent
JETS = "qcd and zbb; pp, √s = 13 TeV, Pythia 8; jet pT > 200 GeV, 50 < m_SD < 150 GeV; simulation, no detector"
TOY = "xaug toy model, overlap medium; simulation, no detector"


def relevance_of(table: str) -> pd.DataFrame:
    """A table of relevances of a study, with the standard deviation over its trainings (ddof 1)."""
    found = pd.read_csv(HERE / "results" / f"{table}.csv", index_col="feature")
    trainings = [name for name in found if name.startswith("training_")]
    return found.assign(spread=found[trainings].std(axis=1, ddof=1))


def draw_relevance(name: str, table: str, kind: str, title: str, label: str) -> None:
    """Draw the bars of a network."""
    found = relevance_of(table)

    def draw(fig: Any, ax: Any) -> None:
        xaug.plots.plot_relevance(found, xaug.variables.labels(kind), ax)
        ax.set_title(title)

    keep(name, label, draw, size=(6.0, 1.2 + 0.19 * len(found)))


def draw_trainings(name: str, table: str, kind: str, title: str, label: str) -> None:
    """Draw the bars of each training side by side."""
    found = relevance_of(table)
    shown = sum(name.startswith("training_") for name in found)

    def draw(fig: Any, axes: Any) -> None:
        xaug.plots.plot_trainings(found, xaug.variables.labels(kind), axes)
        fig.suptitle(title, fontsize=10)

    size = (1.4 + 2.0 * shown, 1.0 + 0.2 * len(found) + 0.3)
    keep(name, label, draw, columns=shown, size=size, sharex=True, sharey=True)


def keep(name: str, label: str, draw: Callable[[Any, Any], None], **options: Any) -> None:
    """Draw a figure with a label above it, and keep its PNG."""
    from xaug.plots.figures import labelled

    with tempfile.TemporaryDirectory() as directory, labelled(label), xaug.plots.figure(**options) as (fig, axes):
        draw(fig, axes if np.ndim(axes) == 0 else list(axes))
        xaug.plots.save(fig, Path(directory) / name)
        (HERE / "figures" / f"{name}.png").write_bytes((Path(directory) / f"{name}.png").read_bytes())


if __name__ == "__main__":
    draw_relevance("zbb_cnn2d_relevance", "zbb/relevance_cnn2d_xaug", "jets", "2D CNN + 36 XAUGs, 4 trainings", JETS)
    draw_relevance("zbb_cnn1d_relevance", "zbb/relevance_cnn1d_xaug", "jets", "1D CNN + 36 XAUGs, 4 trainings", JETS)
    draw_relevance(
        "zbb_literal_relevance", "zbb_literal/relevance_cnn2d_xaug", "jets",
        "2D CNN + 36 XAUGs, literal choices, 2 trainings", JETS,
    )  # fmt: skip
    draw_trainings("toy_trainings", "toy/relevance_cnn2d_xaug", "toy", "2D CNN + 4 XAUGs", TOY)
