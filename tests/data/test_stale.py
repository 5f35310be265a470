"""Changed code of a variable makes its parts stale, and says so; the dataset itself stays what it says it is."""

import importlib
from dataclasses import replace

import numpy as np
import pytest

import xaug
from xaug import variables
from xaug.core.errors import ConfigurationError
from xaug.data import code
from xaug.data import variables as registry
from xaug.data.parts import part_name
from xaug.data.table import Table
from xaug.formats.processor import default_settings, processor_class
from xaug.formats.registry import FORMATS
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


@pytest.fixture
def other_code(monkeypatch):
    """other_code("module.function"): replaces a function or method of xaug by one of other code."""

    def make(place):
        module, _, name = place.partition(":")
        owner = importlib.import_module(f"xaug.{module}")
        *path, name = name.split(".")
        for part in path:
            owner = getattr(owner, part)
        function = getattr(owner, name)

        def other(*args, **kwargs):
            return function(*args, **kwargs)

        other.__module__ = function.__module__
        monkeypatch.setattr(owner, name, other)
        code.code_digest.cache_clear()

    yield make
    monkeypatch.undo()
    code.code_digest.cache_clear()


def digest_of(kind, form="xaug_tree"):
    code.code_digest.cache_clear()
    return processor_class(kind)(default_settings(kind)).code(FORMATS[form])


@pytest.mark.parametrize(
    "kind, place",
    [
        ("jets", "jets.selection:_described"),
        ("jets", "jets.clustering:groom"),
        ("jets", "jets.clustering:n_subjettiness"),
        ("jets", "jets.processor:make_list"),
        ("jets", "jets.processor:make_images"),
        ("jets", "jets.selection:match_partons"),
        ("jets", "formats.momenta:FourVectors.sums"),
        ("jets", "formats.xaug_tree:refuse_momenta"),
        ("jets", "formats.xaug_tree:XaugTree.read_particles"),
        ("jets", "data.splits:uniforms"),
        ("events", "events.selection:isolated_leptons"),
        ("events", "events.assignment:draw_tagged"),
        ("events", "events.detector:Detector.jet_resolution"),
        ("events", "formats.xaug_tree:XaugTree.weights"),
    ],
)
def test_code_that_all_columns_share_has_a_digest(other_code, kind, place):
    before = digest_of(kind)
    assert digest_of(kind) == before
    other_code(place)
    assert digest_of(kind) != before


def test_the_digest_of_shared_code_depends_on_nothing_else(changed):
    before = {kind: digest_of(kind) for kind in ("jets", "events")}
    for kind, block in (("jets", "xaug"), ("events", "event")):
        changed(kind, block, lambda own: (*own, replace(own[0], name="new", compute=doubled)))
    assert {kind: digest_of(kind) for kind in before} == before


def test_the_digest_of_shared_code_covers_all_that_runs(processing_outside_digest, zbb_files):
    outside, ran = processing_outside_digest("jets", sorted(zbb_files.glob("zbb_zbb*.root"))[0])
    assert outside == set() and ran > 30


def test_processing_into_a_dataset_says_that_shared_code_changed(zbb_dataset, zbb_files, other_code):
    process([zbb_files], zbb_dataset, executor="iterative", chunksize=100)  # of the same code: nothing to do
    other_code("jets.selection:_described")
    with pytest.raises(ConfigurationError, match=r"code that reads xaug_tree files, selects and describes changed"):
        process([zbb_files], zbb_dataset, executor="iterative", chunksize=100)


def test_added_dropped_and_changed_variables_make_other_parts(changed):
    name = part_name(KEY, JetSettings(), "", 0, 10)
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
        found.add(part_name(KEY, JetSettings(), "", 0, 10))
        registry._TABLES["jets"] = before
    assert len(found) == 5
    assert part_name(KEY, JetSettings(), "", 0, 10) == name


def test_labels_and_units_do_not_make_parts_stale(changed):
    name = part_name(KEY, JetSettings(), "", 0, 10)
    changed("jets", "xaug", lambda own: (replace(own[0], label="other", unit="TeV", reference="none"), *own[1:]))
    assert part_name(KEY, JetSettings(), "", 0, 10) == name


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
