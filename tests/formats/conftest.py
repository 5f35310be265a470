"""The same jets in the layout of every format that gives jets, as their authors publish them."""

from pathlib import Path

import pytest
from layout_writers import MadeJets, make_jets, write_layouts


@pytest.fixture(scope="session")
def made_jets() -> MadeJets:
    """Jets of two classes, 12 each, see `make_jets`."""
    return make_jets(24)


@pytest.fixture(scope="session")
def layouts(made_jets, tmp_path_factory) -> dict[str, Path]:
    """The made jets in all layouts, see `write_layouts`."""
    return write_layouts(made_jets, tmp_path_factory.mktemp("layouts"))
