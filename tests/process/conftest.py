"""Files to be processed, good and bad."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from xaug.data.dataset import Dataset


@pytest.fixture(scope="session")
def make_file(signal_events, write_root_file):
    """Writes the sample's 20 signal events, changed: `make_file(path, change=..., metadata=..., tree=...)`."""
    branches, metadata = signal_events

    def make(path, change=lambda branches: None, tree="T", metadata=metadata, basket=None):
        own = dict(branches)
        change(own)
        return write_root_file(path, own, metadata, tree, basket)

    return make


@pytest.fixture
def good_file(make_file, tmp_path):
    """The same events unchanged, as good.root."""
    return make_file(tmp_path / "good.root")


@pytest.fixture(scope="session")
def jets_of_good(make_file, tmp_path_factory, process_command):
    """All columns of the jets of the good file."""
    directory = tmp_path_factory.mktemp("good")
    make_file(directory / "good.root")
    assert process_command(directory / "good.root", "-o", directory / "out").exit_code == 0
    jets = Dataset.open(directory / "out").load()
    assert len(jets["label"]) > 5
    return jets


@pytest.fixture(scope="session")
def assert_same_jets():
    """assert_same_jets(output, expected): a dataset holds these columns, bit by bit."""

    def check(output: Path, expected: dict) -> None:
        found = Dataset.open(output).load()
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name], values, err_msg=name)

    return check


@pytest.fixture(scope="session")
def errors_of():
    """errors_of(result): what is on standard error beside progress bars."""

    def errors(result) -> list[str]:
        lines = result.stderr.replace("\r", "\n").splitlines()
        return [line for line in lines if line.strip() and not re.search(r"\d%[ |]", line)]

    return errors
