"""Columns are matched by name: tables that gain, lose and permute rows, and arrays that know their columns."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import xaug
from xaug import variables
from xaug.core.errors import ConfigurationError, DatasetError
from xaug.data.columns import NamedArrays
from xaug.data.scaling import Scaler
from xaug.data.table import Block, Table, Variable
from xaug.data.variables import _TABLES
from xaug.training.reference import load_reference, references

MODELS = Path(__file__).parents[2] / "models"


def reordered(table: Table, orders: dict[str, list[str]]) -> Table:
    """The table with other columns in its blocks; columns that it does not have are made up."""
    known = table.labels()
    blocks = {
        name: replace(
            block, variables=tuple(known.get(c, Variable(c, c)) for c in orders.get(name, block.names)), selections={}
        )
        for name, block in table.blocks.items()
    }
    return Table(table.kind, blocks)


def made_up(table: Table, n: int, rng: np.random.Generator) -> NamedArrays:
    """Arrays of a dataset with these columns. A column of one name has the same values in every table."""
    arrays = {}
    for name, block in table.blocks.items():
        columns = []
        for column in block.names:
            own = np.random.default_rng([len(column), *column.encode()])
            columns.append(own.normal(1.0, 2.0, (n, *block.shape)))
        arrays[name] = np.stack(columns, axis=-1).astype(np.float32)
    if table.is_padded:
        arrays["mask"] = (np.arange(table.blocks["list"].shape[0]) < 7).astype(np.float32)[None].repeat(n, 0)
    return NamedArrays(arrays, table)


@pytest.mark.parametrize("name", references())
def test_shipped_models_read_tables_with_other_rows(name):
    """Rows are added, dropped (those that the model does not use) and permuted; inputs stay the same, bit for bit."""
    run, rng = load_reference(name), np.random.default_rng(1)
    before = run.inputs(made_up(run.table, 5, rng))
    orders = {}
    for block, own in run.table.blocks.items():
        if block == "image":
            continue
        used = set(run.input_spec.columns.get(block, []))
        kept = [column for column in own.names if column in used or rng.random() < 0.5]
        orders[block] = [*rng.permutation([*kept, "new_variable", "another_one"][: -1 if block == "list" else None])]
        orders[block] = [f"{column}_{block}" if column == "new_variable" else str(column) for column in orders[block]]
    after = run.inputs(made_up(reordered(run.table, orders), 5, rng))
    assert list(after) == list(before) == list(run.variables)
    for key, values in before.items():
        assert np.isfinite(values).all() and values.std() > 0
        np.testing.assert_array_equal(after[key], values)


@pytest.mark.parametrize("name", ["toy_mlp", "vlq_event"])
def test_a_missing_or_renamed_column_is_named(name):
    run = load_reference(name)
    ((block, columns),) = run.input_spec.columns.items()
    renamed = [f"{column}_new" if column == columns[1] else column for column in run.table.names(block)]
    arrays = made_up(reordered(run.table, {block: renamed}), 3, np.random.default_rng(0))
    with pytest.raises(DatasetError, match=f"column '{columns[1]}' of '{block}'.*nearest is '{columns[1]}_new'"):
        run.inputs(arrays)


def test_plain_arrays_have_the_columns_of_the_run_or_are_refused():
    run = load_reference("toy_mlp")
    arrays = made_up(run.table, 4, np.random.default_rng(0))
    np.testing.assert_array_equal(run.inputs(dict(arrays))["xaug"], run.inputs(arrays)["xaug"])
    with pytest.raises(DatasetError, match="'xaug' has 3 columns, but 4 names"):
        run.inputs({"xaug": arrays["xaug"][:, :3]})


def test_plain_arrays_are_refused_where_columns_could_be_others(monkeypatch):
    """A slice by a dict comprehension forgets the names; `rows` keeps them."""
    run = load_reference("toy_mlp")
    expected = run.inputs(made_up(run.table, 6, np.random.default_rng(0)))["xaug"]
    table = reordered(run.table, {"xaug": run.table.names("xaug")[::-1]})
    monkeypatch.setitem(_TABLES, "toy", table)
    arrays = made_up(table, 6, np.random.default_rng(0))
    with pytest.raises(DatasetError, match=r"cannot tell the columns of 'xaug'.*method `rows`"):
        run.inputs({name: values[:3] for name, values in arrays.items()})
    for chosen in (slice(0, 3), np.array([0, 1, 2]), np.arange(6) < 3):
        np.testing.assert_array_equal(run.inputs(arrays.rows(chosen))["xaug"], expected[:3])


def scaler_content(name="toy_mlp"):
    return json.loads((MODELS / name / "scaler.json").read_text())


def test_a_scaler_scales_each_column_by_its_own_range(tmp_path):
    """Rows of the file in another order, and columns of the arrays in a third one."""
    content = scaler_content()
    path = tmp_path / "scaler.json"
    own = content["ranges"]["xaug"]
    order = [2, 0, 3, 1]
    content["ranges"]["xaug"] = {key: [values[i] for i in order] for key, values in own.items()}
    path.write_text(json.dumps(content))
    scaler, names = Scaler.load(path), ["r2", "theta", "r1", "z"]
    table = reordered(variables.table_of("toy"), {"xaug": names})
    arrays = made_up(table, 50, np.random.default_rng(0))
    scaled = scaler.scale(arrays)
    for name, low, high in zip(own["names"], own["low"], own["high"], strict=True):
        values = arrays["xaug"][:, names.index(name)].astype(float)
        expected = np.clip((values - low) / (high - low), 0, 1).astype(np.float32)
        np.testing.assert_array_equal(scaled["xaug"][:, scaled.table.names("xaug").index(name)], expected)


@pytest.mark.parametrize(
    "change, told",
    [
        (lambda own: own["names"].__setitem__(1, own["names"][0]), "two ranges are of the column 'theta'"),
        (lambda own: own["low"].pop(), "4 columns have 3 lower and 4 upper edges"),
        (lambda own: own.pop("high"), "no scaler, or is damaged"),
    ],
)
def test_damaged_scalers(tmp_path, change, told):
    content = scaler_content()
    change(content["ranges"]["xaug"])
    (tmp_path / "scaler.json").write_text(json.dumps(content))
    with pytest.raises(DatasetError, match=told):
        Scaler.load(tmp_path / "scaler.json")


def test_two_columns_of_one_name_are_refused():
    two = (Variable("pt", "$p_T$"), Variable("pt", "$p_T$"))
    with pytest.raises(ConfigurationError, match="block 'xaug' has two columns named 'pt'"):
        variables.register("made_up", "xaug", two)
    assert "made_up" not in variables.kinds()
    blocks = {name: Block(name, two[:1]) for name in ("jet1", "jet2")}
    with pytest.raises(ConfigurationError, match="blocks 'jet1' and 'jet2' both have a column named 'pt'"):
        Table("made_up", blocks)
    content = xaug.variables.table_of("toy").to_json()
    content["blocks"]["xaug"]["columns"][1]["name"] = "theta"
    with pytest.raises(DatasetError, match="two columns named 'theta'"):
        Table.from_json(content)


def test_tables_survive_json():
    for kind in variables.kinds():
        table = variables.table_of(kind)
        again = Table.from_json(json.loads(json.dumps(table.to_json())))
        assert again == table
        assert [v.digest for v in again.labels().values()] == [v.digest for v in table.labels().values()]
        assert again.digest == table.digest


def test_changes_of_a_table():
    table = variables.table_of("toy").drawn_by(reordered)
    other = reordered(variables.table_of("toy").drawn_by(made_up), {"xaug": ["theta", "z", "r1", "new"]})
    changes = table.changes(other)
    assert "the code of 'theta' changed" in changes
    assert "'r2' is gone" in changes and "'new' is new" in changes
    assert variables.table_of_version_0_1("toy").changes(table) == []


def test_a_copy_of_arrays_knows_their_columns():
    table = variables.table_of("toy")
    arrays = made_up(table, 3, np.random.default_rng(1))
    copy = arrays.copy()
    copy["xaug"] = copy["xaug"] + 1
    assert copy.table is table and not np.array_equal(copy["xaug"], arrays["xaug"])
