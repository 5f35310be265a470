"""A reader of pages, which checks what every page must fulfil."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
LIMIT = 15_000_000
"""Bytes that a page may have at most."""


class ReadPage(HTMLParser):
    """A page that was read: its elements, tables, texts, and what is wrong with it.

    Attributes
    ----------
    elements : list of (str, dict)
        all elements with their attributes
    tables : list of list of list of str
        texts of the cells of each row of each table
    faults : list of str
        elements that are not closed in their order
    text : str
        all that a reader sees
    """

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.tables: list[list[list[str]]] = []
        self.faults: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(page)
        self.close()
        self.faults += [f"<{tag}> is not closed" for tag in self.open]

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        if tag in VOID or not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> does not close what is open")

    def handle_data(self, data):
        if self.open and self.open[-1] in ("script", "style"):
            return
        self.text += data
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data

    def all(self, tag: str) -> list[dict[str, str]]:
        """Attributes of all elements of a kind."""
        return [own for name, own in self.elements if name == tag]


def check_page(path: Path, latex: bool = False) -> ReadPage:
    """Read a page and assert what holds for every page; return what was read. `latex`: names of the user have some."""
    source = path.read_text(encoding="utf-8")
    page = ReadPage(source)
    assert not page.faults
    assert path.stat().st_size < LIMIT
    anchors = [own["id"] for _, own in page.elements if "id" in own]
    assert len(anchors) == len(set(anchors))
    for link in page.all("a"):
        target = link["href"]
        if target.startswith("#"):
            assert target[1:] in anchors
        else:  # a file beside the page
            assert (path.parent / unquote(target)).is_file(), target
    for image in page.all("img"):
        assert len(image["alt"]) > 10
        assert image["src"].startswith("data:image/png;base64,")
    assert not re.search(r"https?:", source)
    assert not {"link", "iframe", "object", "base", "form"} & {tag for tag, _ in page.elements}
    for rows in page.tables:
        assert len({len(row) for row in rows}) == 1
        assert len(rows) > 1
        assert all(cell.strip() for cell in rows[0])
    for own in (attributes for _, attributes in page.elements):
        assert not [name for name in own if name.startswith("on")]
        assert all(name in anchors for name in own.get("aria-labelledby", "").split())
    assert latex or not re.search(r"\\(?:mathrm|ln|tau|[A-Z]?[a-z]+\{)|\$[^$]*[_^\\][^$]*\$", page.text)  # no raw LaTeX
    return page


@pytest.fixture(scope="session")
def read_page():
    """Reads a page with `check_page`."""
    return check_page
