"""One self-contained HTML page: figures inside, no scripts, nothing fetched."""

from __future__ import annotations

import base64
import re
from html import escape

import pandas as pd

from xaug.report.material import Figure

__all__ = ["make_page"]

LONG = 60
"""Characters from which on a cell of a table is text, whose lines are broken."""
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; border-bottom: 1px solid #ccc; }
figure { margin: 1.5rem 0; } img { max-width: min(100%, 52rem); height: auto; }
figcaption { color: #444; font-size: .9rem; }
table { border-collapse: collapse; font-size: .9rem; } td, th { padding: .2rem .8rem; text-align: right; }
th { border-bottom: 1px solid #888; } td:first-child, th:first-child { text-align: left; }
td, th { white-space: nowrap; padding: .2rem .5rem; }
.words td, .words th { white-space: normal; text-align: left; vertical-align: top; }
.wide { overflow-x: auto; } code { background: #f3f3f3; padding: 0 .2rem; }
"""


def make_page(title: str, introduction: list[str], tables: dict[str, pd.DataFrame], figures: list[Figure]) -> str:
    """The page as text."""
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        *(f"<p>{escape(text)}</p>" for text in introduction),
    ]
    for name, table in tables.items():
        words = any(table[column].astype(str).str.len().max() > LONG for column in table)
        html = table.to_html(
            index=False, border=0, float_format=lambda value: f"{value:.4g}", classes="words" if words else None
        )
        if words:  # a line a statement; entities end in a semicolon too
            html = re.sub(r"(&\w+)?; ", lambda end: end[0] if end[1] else ";<br>", html)
        parts.append(f'<h2>{escape(name)}</h2><div class="wide">{html}</div>')
    parts.append("<h2>Figures</h2>")
    for figure in figures:
        image = base64.b64encode(figure.stem.with_name(figure.stem.name + ".png").read_bytes()).decode()
        parts.append(
            f'<figure><img alt="{escape(figure.caption, quote=True)}" src="data:image/png;base64,{image}">'
            f"<figcaption><b>{escape(figure.stem.name)}</b>. {escape(figure.caption)}</figcaption></figure>"
        )
    return "\n".join([*parts, "</body></html>"]) + "\n"
