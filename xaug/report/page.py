"""One self-contained HTML page of a report: tables, figures, events, and where all of it comes from.

The page is made of the templates in `templates/`. Everything that is not markup of ours is escaped by Jinja2, and a
content security policy in the page forbids it to fetch anything.
"""

from __future__ import annotations

import base64
import math
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from xaug.core.files import name_of
from xaug.core.latex import to_markup
from xaug.core.types import JsonObject
from xaug.report.origin import Origin
from xaug.report.tables import NamedTable

__all__ = ["DrawnFigure", "Page", "make_page", "room_left"]

LONG = 60
"""A table with a cell of more characters than this holds statements: its cells are broken at semicolons."""
SIZE = 0.75
"""CSS pixels for each pixel of a figure."""
NARROW = 760
"""Largest width [CSS pixels] of figures that stand side by side."""
LEADING_NUMBER = re.compile(r"[<>≥≤≈=~ ]*([-+−]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?)")
LARGEST, EVENTS_AT_MOST = 14_000_000, 6_000_000
"""Bytes that figures and events may take together, and events alone: a page is below 15 MB."""
FILES = {".pdf": "PDF", ".png": "PNG", ".csv": "data (CSV)", ".json": "data (JSON)"}
"""Files that a figure may have, by their suffix, and how the page calls them."""


@dataclass(frozen=True)
class DrawnFigure:
    """A figure on disk.

    Attributes
    ----------
    stem
        its files without their suffix
    caption
        the text below it
    shows
        what figures of its kind show, in a line: the heading above them
    seen
        what is seen in it, for readers who do not see it
    """

    stem: Path
    caption: str
    shows: str = ""
    seen: str = ""


@dataclass(frozen=True)
class Page:
    """The content of a page.

    Attributes
    ----------
    title
        title of the page
    summary
        sentences of the opening paragraph
    tables
        tables, in order
    figures
        figures, in order; those that show the same stand together
    origin
        where the numbers come from
    explored
        events of explained runs, as `xaug.report.explored_events.pack_runs` packs them
    """

    title: str
    summary: Sequence[str]
    tables: Sequence[NamedTable]
    figures: Sequence[DrawnFigure]
    origin: Origin
    explored: Sequence[JsonObject] = ()


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its lines, the number by which it is sorted if it is one, and whether it is printed bold."""

    lines: Sequence[str]
    order: float | None
    bold: bool = False

    @property
    def css(self) -> str:
        """The classes of the cell."""
        return " ".join(["n"] * (self.order is not None) + ["best"] * self.bold)


@dataclass(frozen=True)
class ShownTable:
    """A table as the template shows it."""

    anchor: str
    heading: str
    note: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    file: str
    of_words: bool


@dataclass(frozen=True)
class ShownFigure:
    """A figure as the template shows it: its picture as a data URL with its size, and links to its files."""

    name: str
    caption: str
    seen: str
    picture: str
    width: int
    height: int
    files: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class FigureGroup:
    """The figures that show the same, of several subjects."""

    anchor: str
    heading: str
    figures: Sequence[ShownFigure]

    @property
    def css(self) -> str:
        """The class of the group: several figures that are narrow stand side by side."""
        return "pairs" if len(self.figures) > 1 and max(one.width for one in self.figures) <= NARROW else ""


def room_left(figures: Sequence[DrawnFigure]) -> int:
    """Bytes that the events of a page may take, so that all of it stays below its largest size.

    Parameters
    ----------
    figures : sequence of DrawnFigure
        figures of the page, which take their room first

    Returns
    -------
    int
        bytes; 0 if the figures fill the page
    """
    taken = sum(figure.stem.with_name(figure.stem.name + ".png").stat().st_size for figure in figures)
    return max(0, min(EVENTS_AT_MOST, LARGEST - int(taken * 4 / 3)))


def make_page(page: Page) -> str:
    """Fill the template.

    Parameters
    ----------
    page : Page
        the content; the PNG files of its figures are read

    Returns
    -------
    str
        the page, which needs no other file and no network
    """
    environment = Environment(
        loader=PackageLoader("xaug.report", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["breakable"] = _breakable
    template = environment.get_template("report.html.j2")
    return template.render(
        page=page,
        tables=[_shown_table(table) for table in page.tables],
        groups=_groups(page.figures),
        source=lambda name: Markup(_source(environment, name)),
    )


def _breakable(text: str) -> Markup:
    """A text that may be broken behind each `_`; a formula stays as it is."""
    return text if isinstance(text, Markup) else escape(text).replace("_", Markup("_<wbr>"))


def _source(environment: Environment, name: str) -> str:
    """The text of a style sheet or a script of the page."""
    assert environment.loader is not None
    text: str = environment.loader.get_source(environment, name)[0]
    return text


def _shown_table(table: NamedTable) -> ShownTable:
    content = table.content
    texts = [[_text(value) for value in row] for row in content.itertuples(index=False)]
    of_words = any(len(text) > LONG for row in texts for text in row)
    bold = [[str(column) in table.bold.get(i, ()) for column in content.columns] for i in range(len(content))]
    rows = [
        [replace(_cell(value, text, of_words), bold=own) for value, text, own in zip(row, shown, marked, strict=True)]
        for row, shown, marked in zip(content.itertuples(index=False), texts, bold, strict=True)
    ]
    for row, shown in zip(rows, texts, strict=True):
        if shown[0] in table.formulas:
            row[0] = replace(row[0], lines=[Markup(to_markup(table.formulas[shown[0]]))])
    columns = [table.headings.get(str(column), str(column)) for column in content.columns]
    return ShownTable(f"table-{table.name}", table.heading, table.note, columns, rows, f"{table.name}.csv", of_words)


def _text(value: object) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.4g}"
    return "" if value is None or value is pd.NA else str(value)


def _cell(value: object, text: str, of_words: bool) -> Cell:
    lines = re.split(r"(?<=;) ", text) if of_words else _parts_of_number(text)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Cell(lines, None if math.isnan(value) else float(value))
    found = LEADING_NUMBER.match(text) if len(text) <= LONG else None
    return Cell(lines, float(found[1].replace(",", "").replace("−", "-")) if found and _is_number(text) else None)


def _parts_of_number(text: str) -> list[str]:
    """The lines of a number with both of its errors: the number and its spread, and below them its interval."""
    found = re.fullmatch(r"(\S+) (\[.*\])( ± .*)?", text)
    return [f"{found[1]}{found[3] or ''}", found[2]] if found else [text]


def _is_number(text: str) -> bool:
    """Whether a text is a number with its errors or limits, and not a name that begins with a digit."""
    return not re.search(r"[^\W\d_]{2,}", re.sub(r"\b(CL|inf|nan|over|trainings?)\b", "", text))


def _groups(figures: Sequence[DrawnFigure]) -> list[FigureGroup]:
    found: dict[str, list[DrawnFigure]] = {}
    for figure in figures:
        found.setdefault(figure.shows or figure.stem.name, []).append(figure)
    return [
        FigureGroup(f"figure-{i}", heading, [_shown_figure(figure) for figure in own])
        for i, (heading, own) in enumerate(found.items(), start=1)
    ]


def _shown_figure(figure: DrawnFigure) -> ShownFigure:
    name = name_of(figure.stem)
    files = {suffix: figure.stem.with_name(figure.stem.name + suffix) for suffix in FILES}
    content = files[".png"].read_bytes()
    width, height = struct.unpack(">II", content[16:24])  # of the first chunk of a PNG file
    shown = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    links = [(quote(name_of(path)), FILES[suffix]) for suffix, path in files.items() if path.exists()]
    return ShownFigure(
        name, figure.caption, figure.seen or figure.caption, shown, round(SIZE * width), round(SIZE * height), links
    )
