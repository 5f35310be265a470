"""Changed code of a variable makes its parts stale, and says so; the dataset itself stays what it says it is."""

from dataclasses import replace

import numpy as np
import pytest

import xaug
from xaug import variables
from xaug.core.errors import ConfigurationError
from xaug.data import variables as registry
from xaug.data.parts import part_name
from xaug.data.table import Table
from xaug.generate import toy
from xaug.jets.processor import JetSettings
from xaug.process.stage import process

KEY = {"tree": "T", "digest": "d", "identity": "i", "label": 1, "process": "p"}


def doubled(jets):
    return 2 * jets.pt


@pytest.fixture
def changed(monkeypatch):
    """changed(kind, block, change): registers the table of a kind with other variables in one block."""

    def make(kind, block, change):
        table = variables.table_of(kind)
        other = replace(table.block(block), variables=change(table.variables(block)), selections={})
        monkeypatch.setitem(registry._TABLES, kind, Table(kind, {**table.blocks, block: other}))

    return make


def test_processing_into_a_dataset_says_which_variables_changed(zbb_dataset, zbb_files, changed):
    expected = xaug.Dataset.open(zbb_dataset).load(["xaug"], "test")["xaug"]
    changed("jets", "xaug", lambda own: (replace(own[0], compute=doubled), *own[1:]))
    with pytest.raises(ConfigurationError, match=r"zbb_jets was made by other code \(the code of 'pt' changed\)"):
        process([zbb_files], zbb_dataset, executor="iterative", chunksize=100)
    np.testing.assert_array_equal(xaug.Dataset.open(zbb_dataset).load(["xaug"], "test")["xaug"], expected)


def test_added_dropped_and_changed_variables_make_other_parts(changed):
    name = part_name(KEY, JetSettings(), 0, 10)
    changes = {
        "changed": lambda own: (replace(own[0], compute=doubled), *own[1:]),
        "added": lambda own: (*own, replace(own[0], name="new", compute=doubled)),
        "dropped": lambda own: own[1:],
        "permuted": lambda own: own[::-1],
    }
    found = {name}
    for change in changes.values():
        before = variables.table_of("jets")
        changed("jets", "xaug", change)
        found.add(part_name(KEY, JetSettings(), 0, 10))
        registry._TABLES["jets"] = before
    assert len(found) == 5
    assert part_name(KEY, JetSettings(), 0, 10) == name


def test_labels_and_units_do_not_make_parts_stale(changed):
    name = part_name(KEY, JetSettings(), 0, 10)
    changed("jets", "xaug", lambda own: (replace(own[0], label="other", unit="TeV", reference="none"), *own[1:]))
    assert part_name(KEY, JetSettings(), 0, 10) == name


def test_changed_code_of_the_toy_model(tmp_path, monkeypatch):
    toy.generate(tmp_path / "toy", jets=20, workers=1)
    table = variables.table_of("toy").drawn_by(doubled)
    monkeypatch.setattr(toy, "toy_table", lambda: table)
    with pytest.raises(ConfigurationError, match="the code of 'theta' changed"):
        toy.generate(tmp_path / "toy", jets=20, workers=1)
    assert len(xaug.Dataset.open(tmp_path / "toy").load(["xaug"])["xaug"]) == 40


def test_a_dataset_keeps_its_columns_when_the_code_gains_some(zbb_dataset, changed):
    data = xaug.Dataset.open(zbb_dataset)
    before = data.names("xaug")
    changed("jets", "xaug", lambda own: (replace(own[0], name="new"), *own[::-1]))
    again = xaug.Dataset.open(zbb_dataset)
    assert again.names("xaug") == before
    assert again.table == data.table
    assert variables.names("jets", "xaug")[0] == "new"
