"""One self-contained HTML page: figures inside, no scripts, nothing fetched."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from xaug.report.tables import NamedTable

__all__ = ["DrawnFigure", "make_page"]

LONG = 60
"""A table with a cell of more characters than this has broken lines."""
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; border-bottom: 1px solid #ccc; }
figure { margin: 1.5rem 0; } img { max-width: min(100%, 52rem); height: auto; }
figcaption { color: #444; font-size: .9rem; }
table { border-collapse: collapse; font-size: .9rem; } td, th { padding: .2rem .8rem; text-align: right; }
th { border-bottom: 1px solid #888; } td:first-child, th:first-child { text-align: left; }
td { white-space: nowrap; } td, th { padding: .2rem .5rem; vertical-align: bottom; }
.words td, .words th { white-space: normal; text-align: left; vertical-align: top; }
.wide { overflow-x: auto; } code { background: #f3f3f3; padding: 0 .2rem; }
"""


@dataclass(frozen=True)
class DrawnFigure:
    """A figure on disk: its files without their suffix, and its caption."""

    stem: Path
    caption: str


def make_page(
    title: str, introduction: Sequence[str], tables: Sequence[NamedTable], figures: Sequence[DrawnFigure]
) -> str:
    """The page as text."""
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        *(f"<p>{escape(text)}</p>" for text in introduction),
        *(_table(table) for table in tables),
        "<h2>Figures</h2>",
        *(_figure(figure) for figure in figures),
    ]
    return "\n".join([*parts, "</body></html>"]) + "\n"


def _table(table: NamedTable) -> str:
    content = table.content.rename(columns=dict(table.headings))
    words = any(content[column].astype(str).str.len().max() > LONG for column in content)
    html: str = content.to_html(
        index=False, border=0, float_format=lambda value: f"{value:.4g}", classes="words" if words else None
    )
    if words:  # each statement begins a line; entities end in a semicolon too
        html = re.sub(r"(&\w+)?; ", lambda end: end[0] if end[1] else ";<br>", html)
    return f'<h2>{escape(table.heading)}</h2><div class="wide">{html}</div>'


def _figure(figure: DrawnFigure) -> str:
    image = base64.b64encode(figure.stem.with_name(figure.stem.name + ".png").read_bytes()).decode()
    return (
        f'<figure><img alt="{escape(figure.caption, quote=True)}" src="data:image/png;base64,{image}">'
        f"<figcaption><b>{escape(figure.stem.name)}</b>. {escape(figure.caption)}</figcaption></figure>"
    )
