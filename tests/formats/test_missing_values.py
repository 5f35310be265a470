"""What files write where there is nothing: padding in place of particles, codes in place of displacements."""

from dataclasses import replace

import awkward as ak
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot
from layout_writers import DISPLACED, written

import xaug
from xaug.core.errors import BadValues
from xaug.formats.base import refuse_unphysical
from xaug.formats.charges import impact_parameters, refuse_unknown_ids
from xaug.formats.registry import FORMATS
from xaug.jets.cuts import Selection
from xaug.jets.jets import OPEN
from xaug.jets.processor import JetSettings
from xaug.process.stage import process

SETTINGS = JetSettings(selection=Selection(**{**OPEN, "truth": "none"}))
IN_CM = ("pfnano", "columns")
NONE = (np.nan, -999.0, -1.0, 0.0)
"""What files have as displacement of a neutral particle."""


def arrays(given, output):
    process([given], output, SETTINGS)
    return xaug.Dataset.open(output).load(["image", "list", "mask", "xaug", "label"])


def assert_same(found, expected):
    order, other = (np.argsort(one["xaug"][:, 0]) for one in (found, expected))
    for name, values in expected.items():
        np.testing.assert_allclose(found[name][order], values[other], rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("layout", DISPLACED)
def test_particles_without_a_track_have_no_displacement(made_jets, tmp_path, layout):
    """Neutral particles, whatever a file has for them, and charged ones with a code; in the units of the file."""
    unit = 10.0 if layout in IN_CM else 1.0
    columns = {name: values.copy() for name, values in made_jets.columns.items()}
    neutral, charged = np.flatnonzero(columns["charge"] == 0), np.flatnonzero(columns["charge"])[::9]
    codes = np.resize(NONE, len(neutral)) * unit
    datasets = {}
    for name, of_neutral, of_charged in (("codes", codes, -999.0 * unit), ("none", 0.0, 0.0)):
        for own in ("dxy", "dz"):
            columns[own] = columns[own].copy()
            columns[own][neutral], columns[own][charged] = of_neutral, of_charged
        (tmp_path / name).mkdir()
        given = written(layout, replace(made_jets, columns=dict(columns)), tmp_path / name)
        datasets[name] = arrays(given, tmp_path / name / "out")
    assert_same(datasets["codes"], datasets["none"])


def test_all_formats_of_tracks_are_tried():
    """Formats of generators have vertices, which neutral particles have too."""
    held = {name: form.holds(()) for name, form in FORMATS.items()}
    flow = {"delphes": "delphes_candidates"}  # which have the same reader
    tracks = {flow.get(name, name) for name, own in held.items() if "dxy" in own and "vertex" not in own}
    assert tracks == {*DISPLACED} - {"jetclass2", "columns"}


def test_a_code_of_a_format_stands_in_all_columns():
    """A displacement of exactly 1 cm may occur; one in which both numbers are -1 does not."""
    own = {"dxy": np.array([-1.0, -1.0, 0.5]), "dz": np.array([-1.0, 0.2, -1.0])}
    found = impact_parameters(own, {"id": np.array([211, 211, -11])}, 10.0, -1.0)
    assert [values.tolist() for values in found.values()] == [[0, -10, 5], [0, 2, -10]]


def test_vertices_that_are_codes_are_refused():
    """In files of generators, where neutral particles have vertices; a single coordinate may be any number."""
    vertex = {name: np.array([0.0, -99.0, 3.0]) for name in ("vx", "vy", "vz")}
    refuse_unphysical({**vertex, "vz": np.zeros(3)}, {}, np.arange(3), 40)
    with pytest.raises(BadValues, match="x, vy, vz are all -99 in entry 41, which is no place; write 0 where"):
        refuse_unphysical(vertex, {"vx": "x"}, np.arange(3), 40)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ([211.5, 22.0], "pid is 211.5 in entry 40"),
        ([211.0, 999999.0], "pid is 999999 in entry 41, which is no PDG id of a particle .50% are none"),
        ([0.1, 0.2], "pid is 0.1 in entry 40"),
    ],
)
def test_numbers_that_are_no_ids_are_refused(changed, words):
    """Unknown ones of a generator may be among many; 0 is a particle of unknown kind."""
    with pytest.raises(BadValues, match=words):
        refuse_unknown_ids(np.array(changed), "pid", np.arange(2), 40)
    refuse_unknown_ids(np.array([0.0, *[211.0, -13.0, 1000010020.0] * 50, 999999.0]), "pid", np.zeros(152, int), 40)


NAMES = ("px", "py", "pz", "energy", "id", "charge")
YAML = """
format: columns
files: FILE
particles: {px: px, py: py, pz: pz, energy: energy, id: id, charge: charge}
classes: {column: label, values: {QCD: 0, Hbb: 1}}
"""
MIXED = dict(zip(NAMES, (-999.0, 0.0, np.nan, -99.0, 0.0, 0.0), strict=True))


def padded(jets, fill):
    return {name: replace(jets, fill=fill[name]).padded(name).astype(float) for name in NAMES}


def as_npz(path, columns, label):
    np.savez(path, **columns, label=label)


def as_hdf5(path, columns, label):
    with h5py.File(path, "w") as file:
        for name, values in {**columns, "label": label}.items():
            file[name] = values


def as_root(path, columns, label):
    """Branches of a fixed size."""
    with uproot.recreate(path) as file:
        file["tree"] = {**columns, "label": label}


def as_parquet(path, columns, label):
    """Lists of a fixed size."""
    lists = {name: pa.FixedSizeListArray.from_arrays(own.ravel(), own.shape[1]) for name, own in columns.items()}
    pq.write_table(pa.table({**lists, "label": label}), path)


def as_lists(path, columns, label):
    """Lists of any size, which have padding although they would not need it."""
    ak.to_parquet(ak.zip({**{name: list(own) for name, own in columns.items()}, "label": label}, depth_limit=1), path)


@pytest.fixture(scope="module")
def not_padded(made_jets, tmp_path_factory):
    directory = tmp_path_factory.mktemp("not_padded")
    content = {name: made_jets.jagged[name] for name in NAMES} | {"label": made_jets.label}
    ak.to_parquet(ak.zip(content, depth_limit=1), directory / "own.parquet")
    (directory / "data.yaml").write_text(YAML.replace("FILE", "own.parquet"))
    return arrays(directory / "data.yaml", directory / "out")


@pytest.mark.parametrize(
    ("write", "fill"),
    [
        (as_npz, dict.fromkeys(NAMES, np.nan)),
        (as_hdf5, MIXED),
        (as_root, dict.fromkeys(NAMES, 0.0)),
        (as_parquet, MIXED),
        (as_parquet, dict.fromkeys(NAMES, 1e-9)),
        (as_lists, dict.fromkeys(NAMES, -999.0)),
    ],
)
def test_padding_is_recognised_in_all_containers(made_jets, not_padded, tmp_path, write, fill):
    """With any of the codes in any column; other values are named in the YAML."""
    path = tmp_path / "own.npz"  # the container is told by its content
    write(path, padded(made_jets, fill), made_jets.label)
    own = "padding: 1.0e-9\n" if fill["px"] == 1e-9 else ""
    (tmp_path / "data.yaml").write_text(YAML.replace("FILE", path.name) + own)
    assert_same(arrays(tmp_path / "data.yaml", tmp_path / "out"), not_padded)
