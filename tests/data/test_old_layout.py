"""A dataset, run, scaler and attributions of version 0.1, which did not store their variables, open and work.

They were made by version 0.1: `xaug.generate.toy.generate(jets=40)`, one epoch of `mlp`, LRP; the model without its
optimiser. `expected.npz` holds what that version read and computed.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import xaug
from xaug import variables
from xaug.core import provenance
from xaug.core.errors import ConfigurationError
from xaug.data.part_files import refuse_stale
from xaug.data.table import Table
from xaug.data.variables import KINDS_0_1, table_of_version_0_1
from xaug.explain.attribution import Attribution
from xaug.explain.stage import explain_run, load_attributions

HERE = Path(__file__).parent / "old_layout"


@pytest.fixture
def old(tmp_path):
    return Path(shutil.copytree(HERE, tmp_path / "old"))


@pytest.fixture(scope="module")
def expected():
    with np.load(HERE / "expected.npz") as file:
        return dict(file)


def test_dataset(old, expected):
    data = xaug.Dataset.open(old / "dataset")
    assert data.names("xaug") == ["theta", "z", "r1", "r2"]
    assert data.table == table_of_version_0_1("toy")
    arrays = data.load(split="test")
    for name in ("xaug", "list", "image", "event_id"):
        np.testing.assert_array_equal(arrays[name], expected[name])


def test_run(old, expected):
    run = xaug.load_run(old / "run")
    assert run.variables == {"xaug": ["theta", "z", "r1", "r2"]}
    assert run.columns["xaug"][0].label == r"$\theta$"
    x = run.inputs(run.dataset().load(split="test"))
    np.testing.assert_array_equal(x["xaug"], expected["scaled"])
    np.testing.assert_allclose(run.models[0].predict(x, verbose=0), expected["score"], rtol=1e-5)
    np.testing.assert_array_equal(run.scores(0)["score"], expected["test_score"])


def test_attributions(old, expected):
    (found,) = load_attributions(old / "attributions")
    np.testing.assert_array_equal(found.relevance["xaug"], expected["relevance"])
    assert [v.label for v in found.columns["xaug"]] == [r"$\theta$", "$z$", "$r_1$", "$r_2$"]


def test_explained_anew(old, expected, tmp_path):
    explain_run(old / "run", tmp_path / "again", method="lrp", engine="native")
    found = Attribution.load(tmp_path / "again" / "attribution_0.h5")
    np.testing.assert_allclose(found.relevance["xaug"], expected["relevance"], rtol=1e-4, atol=1e-6)


def test_the_old_tables_are_frozen():
    """Names, labels and units of version 0.1, beside what today's code has: a change here is a change of history."""
    assert {kind: len(table_of_version_0_1(kind).labels()) for kind in KINDS_0_1} == {
        "jets": 54, "toy": 11, "events": 87, "events_met": 114,
    }  # fmt: skip
    for kind in KINDS_0_1:
        assert set(table_of_version_0_1(kind).labels()) <= set(variables.labels(kind))


def test_making_it_again_says_which_variables_are_new_or_gone(old):
    """Without the digests of version 0.1, its code counts as today's; its names are known."""
    manifest, table = provenance.read(old / "dataset"), table_of_version_0_1("toy")
    refuse_stale(old / "dataset", manifest, table, {"xaug_tree": "of today"})
    block = table.block("xaug")
    other = replace(block, variables=(replace(block.variables[0], name="new"), *block.variables[1:]), selections={})
    with pytest.raises(ConfigurationError, match=r"made by other code \('theta' is gone; 'new' is new\)"):
        refuse_stale(old / "dataset", manifest, Table("toy", {**table.blocks, "xaug": other}), {})
