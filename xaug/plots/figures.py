"""Make and save figures: one look, PNG and PDF, with the numbers behind them beside."""

from __future__ import annotations

import csv
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.layout_engine import ConstrainedLayoutEngine

from xaug.core.files import atomic_path, write_json
from xaug.core.types import Array, JsonObject
from xaug.plots.printing import print_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BACKGROUND_TO_SIGNAL", "CLASS_COLORS", "CLASS_NAMES", "FEW", "SERIES_COLORS", "STYLE", "chosen_label",
    "class_colors", "figure", "formula", "hatch_few", "labelled", "literal", "save", "save_frame", "save_numbers",
    "save_table", "series_style", "set_title", "without_nan",
]  # fmt: skip

CLASS_NAMES = ("background", "signal")
CLASS_COLORS = ("#d55e00", "#0072b2")
"""Background and signal, vermilion and blue of Okabe and Ito. In no figure do these mean anything else than the
classes, or what speaks for and against one. The colours of the paper are similar."""
SERIES_COLORS = ("#117733", "#aa4499", "#000000", "#999933", "#44aa99")
"""Networks, trainings, samples, rankings: green, purple, black, olive and teal of Paul Tol; further ones are dashed."""
DASHES = ("-", "--", ":", "-.")
MORE_COLORS = ("#e69f00", "#0072b2", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#000000", "#999999")
"""Colours of Okabe and Ito for more than two classes, which the colour-blind can tell apart."""
BACKGROUND_TO_SIGNAL = LinearSegmentedColormap.from_list(
    "background_to_signal", ["#7f2704", CLASS_COLORS[0], "#f7f7f7", CLASS_COLORS[1], "#08306b"]
)
"""From what speaks for background, or against a class, to what speaks for signal, or for a class."""
FEW = 10
"""Events below which a bin is too uncertain to be read: it is hatched, or left out."""
LABEL_SIZE, LETTERS = 6.5, 20
"""Size of the label in points, and its letters in an inch."""
LETTER, FEWEST_LETTERS = 0.52, 12
"""Usual width of a letter of a title over the size of its font, and letters that a line has at least."""
STYLE: dict[Any, Any] = {
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


_LABEL: ContextVar[str | None] = ContextVar("label", default=None)


@contextmanager
def labelled(text: str) -> Iterator[None]:
    """Write a text above every figure that is saved within the block: what its events are.

    Parameters
    ----------
    text : str
        Process, energy, generator, selection, and that it is a simulation; "" for nothing.

    Yields
    ------
    None
        Nothing.
    """
    token = _LABEL.set(text)
    try:
        yield
    finally:
        _LABEL.reset(token)


def chosen_label() -> str | None:
    """The text of the enclosing `labelled`; None where there is none.

    Returns
    -------
    str or None
        The text, "" if no figure is to have one.
    """
    return _LABEL.get()


def series_style(i: int) -> dict[str, Any]:
    """Choose colour and dashes of the i-th network, training, sample or ranking.

    Parameters
    ----------
    i : int
        Number of the series, from 0.

    Returns
    -------
    dict
        `color` and `linestyle` for functions of matplotlib.
    """
    turn = i // len(SERIES_COLORS) % len(DASHES)
    return {"color": SERIES_COLORS[i % len(SERIES_COLORS)], "linestyle": DASHES[turn]}


@contextmanager
def figure(
    rows: int = 1, columns: int = 1, size: tuple[float, float] = (6.0, 4.2), **options: Any
) -> Iterator[tuple[Figure, Any]]:
    """Make a figure in the style of xaug, without a window.

    Parameters
    ----------
    rows, columns : int
        Number of panels.
    size : (float, float)
        Width and height [inches].
    **options
        Options of `matplotlib.figure.Figure.subplots`.

    Yields
    ------
    figure : matplotlib.figure.Figure
        The figure; save it within the `with` block, where the style holds.
    axes : matplotlib.axes.Axes or ndarray of Axes
        The panel, or all panels.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        fig = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06))  # inches
        FigureCanvasAgg(fig)
        yield fig, fig.subplots(rows, columns, **options)


def hatch_few(edges: Array, events: Array, ax: Axes) -> None:
    """Hatch the bins that hold fewer than ten events, but not empty ones.

    Parameters
    ----------
    edges : ndarray (bins + 1,)
        Edges of the bins on the horizontal axis.
    events : ndarray (bins,)
        Number of events in each bin; a mean over trainings need not be whole.
    ax : matplotlib.axes.Axes
        Where to draw.
    """
    for i in np.flatnonzero((events > 0) & (events < FEW)):
        ax.axvspan(*edges[i : i + 2], facecolor="none", edgecolor="0.75", hatch="////", lw=0, zorder=0)


def save(fig: Figure, stem: str | Path) -> list[Path]:
    """Write a figure as PNG and PDF, without dates, so that the same figure is the same file.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
        A figure of `figure`.
    stem : str or Path
        The files without their suffix.

    Returns
    -------
    list of Path
        The files.
    """
    _write_label(fig)
    return print_figure(fig, stem)


def _write_label(fig: Figure) -> None:
    """Add a strip at the top of a figure, with the text of `labelled` in it."""
    text = _LABEL.get()
    if not text:
        return
    width, height = fig.get_size_inches()
    lines = textwrap.wrap(literal(text), max(int(LETTERS * width), 20))
    strip = 0.12 * len(lines) + 0.06  # inches
    fig.set_size_inches(width, height + strip)
    engine = fig.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(rect=(0, 0, 1, height / (height + strip)))
    top = 1 - 0.04 / (height + strip)
    written = fig.text(0.012, top, "\n".join(lines), ha="left", va="top", fontsize=LABEL_SIZE, color="0.35")
    written.set_in_layout(False)


def literal(name: str) -> str:
    """A name as matplotlib shows it unchanged, and not as a formula, where it has a `$`.

    Parameters
    ----------
    name : str
        Name that a user has chosen, such as that of a run.

    Returns
    -------
    str
        The name with its `$` escaped; a legend leaves out names that begin with `_`, so that these get a space.
    """
    return (" " if name.startswith("_") else "") + name.replace("$", r"\$")


@cache
def formula(label: str) -> str:
    """A label in LaTeX as matplotlib can set it.

    Parameters
    ----------
    label : str
        Label of a variable, with formulas between `$`.

    Returns
    -------
    str
        The label; letter by letter, if matplotlib does not know a command of it or a bracket is missing.
    """
    from matplotlib.mathtext import MathTextParser

    if label.replace(r"\$", "").count("$") % 2:  # matplotlib shows it letter by letter, too
        return label
    try:
        MathTextParser("path").parse(label)
    except ValueError:
        return literal(label)
    return label


def set_title(ax: Axes, text: str) -> None:
    """Write a title as it is, in as many lines as the width of the axes asks for, so that no figure cuts it.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes that get the title.
    text : str
        Names that users have chosen may be in it: a `$` begins no formula.
    """
    figure = ax.get_figure(root=True)
    if figure is None:
        ax.set_title(literal(text))
        return
    room = ax.get_position().width * figure.bbox.width
    letters = int(72 * room / figure.dpi / (LETTER * float(ax.title.get_fontsize())))
    while True:
        ax.set_title(literal(textwrap.fill(text, letters)))
        width = ax.title.get_window_extent().width
        if width <= 1.1 * room or letters <= FEWEST_LETTERS:
            return
        letters = max(FEWEST_LETTERS, int(letters * room / width))


def save_table(stem: str | Path, columns: Mapping[str, Sequence[Any] | Array]) -> Path:
    """Write the numbers behind a figure as CSV.

    Parameters
    ----------
    stem : str or Path
        The file without its suffix.
    columns : mapping of str to sequence
        Columns of one length, by name.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If the columns have different lengths.
    """
    path = Path(f"{stem}.csv")
    with (
        atomic_path(path) as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as file,
    ):
        table = csv.writer(file)
        table.writerow(columns)
        table.writerows(zip(*(np.asarray(values).tolist() for values in columns.values()), strict=True))
    return path


def save_frame(stem: str | Path, table: pd.DataFrame, index: str | None = None) -> Path:
    """Write the table behind a figure as CSV.

    Parameters
    ----------
    stem : str or Path
        The file without its suffix.
    table : pandas.DataFrame
        The table.
    index : str, optional
        Name of a first column that holds the index of the table. Default: the index is not written.

    Returns
    -------
    Path
        The file.
    """
    columns = {} if index is None else {index: table.index.to_numpy()}
    return save_table(stem, columns | {str(name): table[name].to_numpy() for name in table.columns})


def save_numbers(stem: str | Path, content: JsonObject) -> Path:
    """Write the numbers behind a figure as JSON.

    Parameters
    ----------
    stem : str or Path
        The file without its suffix.
    content : dict
        Plain numbers, texts, lists and dicts.

    Returns
    -------
    Path
        The file.
    """
    path = Path(f"{stem}.json")
    write_json(path, content)
    return path


def without_nan(values: Array) -> Array:
    """Replace nan by None, which JSON can hold.

    Parameters
    ----------
    values : ndarray
        Numbers.

    Returns
    -------
    ndarray of object
        The same numbers, None where they are nan.
    """
    found = values.astype(object)
    found[np.isnan(values)] = None
    return found


def class_colors(classes: int) -> list[str]:
    """Choose a colour for each of some classes; further ones repeat.

    Parameters
    ----------
    classes : int
        Number of classes.

    Returns
    -------
    list of str
        Colours by label.
    """
    colors = CLASS_COLORS if classes <= len(CLASS_COLORS) else MORE_COLORS
    return [colors[i % len(colors)] for i in range(classes)]
