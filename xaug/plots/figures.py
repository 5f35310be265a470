"""Making and saving figures: one look, PNG and PDF, with the numbers behind them beside."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import numpy as np

from xaug.core.files import atomic_path, write_json

__all__ = ["CLASS_COLORS", "CLASS_NAMES", "STYLE", "figure", "save", "save_table"]

CLASS_NAMES = ("background", "signal")
CLASS_COLORS = ("tab:orange", "tab:blue")
"""Background and signal, as in arXiv:2011.13466."""
STYLE = {
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "savefig.dpi": 150,
    "svg.hashsalt": "xaug",
}
"""The style of our figures; used within `figure` only, never set globally."""


@contextmanager
def figure(rows: int = 1, columns: int = 1, size: tuple[float, float] = (6.0, 4.2), **options) -> Iterator:
    """A figure without a window, closed at the end: yields (figure, axes)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        fig = Figure(figsize=size, layout="constrained")
        fig.get_layout_engine().set(w_pad=0.08, h_pad=0.06)  # inches
        FigureCanvasAgg(fig)
        yield fig, fig.subplots(rows, columns, **options)


def save(fig, stem: str | Path) -> list[Path]:
    """Write a figure as PNG and PDF (without dates, so that the same figure is the same file)."""
    written = []
    fig.get_layout_engine().execute(fig)  # once for both files: it takes as long as to draw
    fig.set_layout_engine("none")
    for suffix, metadata in ((".png", {"Software": None}), (".pdf", {"CreationDate": None})):
        path = Path(f"{stem}{suffix}")
        with atomic_path(path) as temporary:
            fig.savefig(temporary, metadata=metadata)
        written.append(path)
    return written


def save_table(stem: str | Path, columns: dict[str, Sequence]) -> Path:
    """Write the numbers behind a figure as CSV."""
    path = Path(f"{stem}.csv")
    with atomic_path(path) as temporary, open(temporary, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(columns)
        table.writerows(zip(*(np.asarray(values).tolist() for values in columns.values()), strict=True))
    return path


def save_numbers(stem: str | Path, content: dict) -> Path:
    """Write the numbers behind a figure as JSON."""
    path = Path(f"{stem}.json")
    write_json(path, content)
    return path
