"""Groups and records of HDF5 files: the table that is named is the one that is read, and none is taken by chance."""

import h5py
import numpy as np
import pytest
from layout_writers import written
from numpy.testing import assert_allclose

import xaug
from xaug.core.errors import ConfigurationError
from xaug.process.stage import process

NAMES = ("px", "py", "pz", "energy")
YAML = """
format: columns
files: own.h5
particles: {px: PREFIXpx, py: PREFIXpy, pz: PREFIXpz, energy: PREFIXenergy}
classes: {column: LABEL, values: {QCD: 0, Hbb: 1}}
"""


def described(directory, prefix="", label="label", more=""):
    (directory / "data.yaml").write_text(YAML.replace("PREFIX", prefix).replace("LABEL", label) + more)
    return directory / "data.yaml"


def test_a_group_that_is_named_is_read(made_jets, tmp_path):
    """Its labels and its jets, not those of the columns of the same names above it."""
    few = made_jets.some(np.arange(3, 15))
    with h5py.File(tmp_path / "own.h5", "w") as file:
        for group, jets in (("", made_jets), ("a/b/", few)):
            for name in NAMES:
                file[group + name] = jets.padded(name)
            file[f"{group}label"] = jets.label
    process([described(tmp_path, more="tree: a/b\n")], tmp_path / "out", chunksize=5)
    data = xaug.Dataset.open(tmp_path / "out")
    found, jet = data.load(["xaug", "label"]), np.repeat(np.arange(12), few.counts)
    pt = np.hypot(*(np.bincount(jet, few.columns[name]) for name in ("px", "py")))
    order, expected = np.argsort(found["xaug"][:, data.names("xaug").index("pt")]), np.argsort(pt)
    assert_allclose(found["xaug"][order, data.names("xaug").index("pt")], pt[expected], rtol=1e-5)
    np.testing.assert_array_equal(found["label"][order], few.label[expected])


def test_fields_of_records_are_columns(made_jets, tmp_path):
    """As files have them that ATLAS writes."""
    particles = np.zeros((24, made_jets.size), [(name, "f4") for name in NAMES])
    for name in NAMES:
        particles[name] = made_jets.padded(name)
    jets = np.zeros(24, [("weight", "f4"), ("label", "i4")])
    jets["label"] = made_jets.label
    with h5py.File(tmp_path / "own.h5", "w") as file:
        file["consts"], file["jets"] = particles, jets
    made = process([described(tmp_path, "consts.", "jets.label")], tmp_path / "hdf5")
    assert made["jets"] == {"QCD": 12, "Hbb": 12}
    np.savez(tmp_path / "own.npz", consts=particles, jets=jets)
    given = described(tmp_path, "consts.", "jets.label")
    given.write_text(given.read_text().replace("own.h5", "own.npz"))
    assert process([given], tmp_path / "npz")["jets"] == made["jets"]


@pytest.fixture
def tables(made_jets, tmp_path):
    """A file with the tables of pandas `train` and `test`, of 16 and 8 jets."""
    with h5py.File(tmp_path / "all.h5", "w") as file:
        for name, jets in (("train", made_jets.some(np.arange(16))), ("test", made_jets.some(np.arange(16, 24)))):
            (tmp_path / name).mkdir()
            with h5py.File(written("toptagging", jets, tmp_path / name)) as own:
                file.copy(own["table"], name)
    return tmp_path / "all.h5"


def test_of_several_tables_one_is_named(tables, tmp_path):
    with pytest.raises(ConfigurationError, match="holds the tables test, train; name one of them as FILE:test"):
        process([tables], tmp_path / "out")
    made = process([f"{tables}:train"], tmp_path / "one")
    assert made["jets"] == {"QCD": 8, "top": 8}
    both = process([f"{tables}:train", f"{tables}:test"], tmp_path / "both")
    assert both["jets"] == {"QCD": 12, "top": 12}


def test_a_file_of_groups_only_names_them(made_jets, tmp_path):
    with h5py.File(tmp_path / "own.h5", "w") as file:
        file["a/px"], file["b/px"] = np.zeros((3, 2)), np.zeros((3, 2))
    with pytest.raises(ConfigurationError, match="holds only the groups a, b; name one as FILE:a"):
        process([described(tmp_path)], tmp_path / "out")
