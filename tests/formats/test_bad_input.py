"""Files of given jets that hold what no jet can have: each is refused by name, before or while it is read."""

import shutil

import awkward as ak
import h5py
import numpy as np
import pytest

from xaug.core.errors import ConfigurationError
from xaug.process.stage import process
from xaug.report.inspection import inspect_path


def reasons(given, output) -> str:
    """Why input files were left out."""
    try:
        skips = process([given], output, chunksize=7)["skips"]
    except ConfigurationError as error:
        return str(error)
    return "; ".join(skip["reason"] for skip in skips)


def parquet(layouts, tmp_path, change):
    columns = ak.from_parquet(layouts["jetclass2"])
    content = {name: columns[name] for name in columns.fields}
    change(content)
    ak.to_parquet(ak.zip(content, depth_limit=1), tmp_path / "jets.parquet")
    return tmp_path / "jets.parquet"


def with_value(name, value, jet=3, particle=2):
    def change(content):
        values = content[name].to_list()
        if isinstance(values[jet], list):
            values[jet][particle] = value
        else:
            values[jet] = value
        content[name] = ak.values_astype(ak.Array(values), ak.type(content[name]).content.content.primitive
                                         if content[name].ndim > 1 else "int64")  # fmt: skip

    return change


def renamed(old, new):
    return lambda content: content.update({new: content.pop(old)})


def shorter(name):
    return lambda content: content.update({name: content[name][:, 1:]})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (renamed("part_dzval", "part_dzvalue"), "has no column 'part_dzval'; nearest is 'part_dzvalue'"),
        (with_value("part_px", np.nan), "part_px is nan in entry 3"),
        (with_value("part_d0val", np.inf), "part_d0val is inf in entry 3"),
        (with_value("part_px", 2e4), "pt is .* GeV in entry 3, beyond 14000; are momenta in MeV"),
        (with_value("part_d0val", -2e4), "part_d0val is -20000 mm in entry 3, beyond 10000"),
        (shorter("part_pz"), "part_pz has not as many values as part_px"),
        (with_value("jet_label", 188), "jet_label is 188 in entry 3; the classes are 0"),
        (with_value("jet_label", -1), "jet_label is -1 in entry 3"),
    ],
)
def test_jagged_columns(layouts, tmp_path, change, words):
    assert_matches(words, reasons(parquet(layouts, tmp_path, change), tmp_path / "out"))


def assert_matches(words, text):
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(text)


def hdf5(layouts, tmp_path, name, change):
    path = shutil.copy(layouts[name], tmp_path / "jets.h5")
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def test_rectangular_columns(layouts, tmp_path):
    def change(file):
        file["fjet_clus_eta"][4, 1] = 25.0

    assert_matches(
        "fjet_clus_eta is 25 in entry 4, beyond 20",
        reasons(hdf5(layouts, tmp_path, "atlastop", change), tmp_path / "a"),
    )

    def change_labels(file):
        file["labels"][5] = 2

    assert_matches(
        "labels is 2 in entry 5; the classes are 0",
        reasons(hdf5(layouts, tmp_path, "atlastop", change_labels), tmp_path / "b"),
    )

    def in_gev(file):
        for column in ("fjet_clus_pt", "fjet_clus_E"):
            file[column][...] = file[column][()] * 1e6

    assert_matches("are momenta in MeV", reasons(hdf5(layouts, tmp_path, "atlastop", in_gev), tmp_path / "c"))

    def cut(file):
        short = file["labels"][:-1]
        del file["labels"]
        file["labels"] = short

    assert_matches("arrays of different lengths", reasons(hdf5(layouts, tmp_path, "atlastop", cut), tmp_path / "d"))


@pytest.mark.parametrize("code", [np.nan, -999.0, -99.0, 0.0])
def test_padding_by_any_code_is_no_particle(layouts, tmp_path, code):
    """The same jets, however their arrays are padded."""
    with np.load(layouts["qg"]) as file:
        x, y = file["X"].copy(), file["y"]
    x[(x == 0).all(axis=2)] = code
    np.savez(tmp_path / "jets.npz", X=x, y=y)
    made = process([tmp_path / "jets.npz"], tmp_path / "out")
    assert made["jets"] == {"gluon": 12, "quark": 12}
    first = process([layouts["qg"]], tmp_path / "first")
    assert made["processes"]["quark"]["rows"] == first["processes"]["quark"]["rows"]


def test_no_jets_two_flags_and_none(layouts, tmp_path, made_jets):
    columns = ak.from_parquet(layouts["jetclass2"])
    content = {name: columns[name] for name in columns.fields if name != "jet_label"}
    n = len(made_jets.counts)
    flags = {"label_QCD": np.ones(n, int), "label_Hbb": np.zeros(n, int)}
    flags["label_Hbb"][[2, 7]] = 1
    ak.to_parquet(ak.zip({**content, **flags}, depth_limit=1), tmp_path / "two.parquet")
    assert_matches("entry 2 must have one of the classes.*it has label_QCD and label_Hbb",
                   reasons(tmp_path / "two.parquet", tmp_path / "a"))  # fmt: skip
    flags["label_QCD"][:] = 0
    ak.to_parquet(ak.zip({**content, **flags}, depth_limit=1), tmp_path / "none.parquet")
    assert_matches("entry 0 must have one.*it has none", reasons(tmp_path / "none.parquet", tmp_path / "b"))
    ak.to_parquet(ak.zip({**content, **flags}, depth_limit=1)[:0], tmp_path / "empty.parquet")
    assert_matches("has no entries", reasons(tmp_path / "empty.parquet", tmp_path / "c"))


def test_unknown_layouts_are_described(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3), b=np.zeros(3))
    assert_matches("holds a, b, which is no known layout", reasons(tmp_path / "other.npz", tmp_path / "out"))


YAML = """
format: columns
files: own.parquet
jets: {given: true, weight: w}
particles: {px: PX, py: PY, pz: PZ, energy: EN}
units: {momentum: MeV}
classes: {Hbb: isH, QCD: isQ}
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("particles:", "particle:", "line 5: unknown key 'particle' .*; did you mean 'particles'"),
        ("px: PX", "pX: PX", "line 5: unknown key 'pX' in particles; did you mean 'px'"),
        ("given: true", "given: 3", "line 4: given is 3; it must be true or false"),
        ("energy: EN", "energy: 7", "line 1|line 5: energy is 7; it must be text"),
        ("momentum: MeV", "momentum: keV", "line 6: unit of momentum 'keV'; known: GeV, MeV, TeV"),
        (", energy: EN", "", "line 5: particles give px, py, pz; momenta need one of"),
        ("format: columns", "format: column", "line 2: unknown format 'column'; did you mean 'columns'"),
        ("format: columns", "format: qg", "line 4: jets goes with `format: columns`"),
        ("files: own.parquet", "files: []", r"line 3: files is \[\]; give a path"),
        ("jets:", "files: x\njets:", "line 4: 'files' is there twice"),
        ("{Hbb: isH, QCD: isQ}", "{Hbb: isH}", "line 7: give at least two classes"),
        ("{momentum: MeV}", "&a {momentum: MeV}\npadding: *a", r"line 7: alias \*a"),
        ("{momentum: MeV}", "{momentum: MeV", "cannot be read: .*line 7"),
        ("files: own.parquet", "files: {Hbb: own.parquet}", "line 7: files are listed by class already"),
        ("weight: w", "weight: wt", "has no column 'wt'"),
        ("px: PX", "px: PXX", "has no column 'PXX'; nearest is 'PX'"),
    ],
)
def test_descriptions(layouts, tmp_path, old, new, words):
    shutil.copy(layouts["columns"].parent / "own.parquet", tmp_path)
    assert old in YAML
    (tmp_path / "data.yaml").write_text(YAML.replace(old, new))
    assert_matches(words, reasons(tmp_path / "data.yaml", tmp_path / "out"))


def test_a_vector_of_weights_is_named_by_component(tmp_path, made_jets):
    own = made_jets.jagged
    content = {name: own[name] for name in ("px", "py", "pz", "energy")}
    content |= {"w": np.ones((24, 3)), "isH": made_jets.label, "isQ": 1 - made_jets.label}
    ak.to_parquet(ak.zip(content, depth_limit=1), tmp_path / "own.parquet")
    text = YAML.replace("{px: PX, py: PY, pz: PZ, energy: EN}", "{px: px, py: py, pz: pz, energy: energy}")
    (tmp_path / "data.yaml").write_text(text.replace("MeV", "GeV"))
    assert_matches(
        r"w has 2 axes, not 1 .*; name a component as w\[0\]", reasons(tmp_path / "data.yaml", tmp_path / "a")
    )
    (tmp_path / "one.yaml").write_text(text.replace("MeV", "GeV").replace("weight: w", 'weight: "w[1]"'))
    assert process([tmp_path / "one.yaml"], tmp_path / "b")["skips"] == []


def test_files_are_told_apart_by_their_content(layouts):
    for name, path in layouts.items():
        found = inspect_path(path)
        expected = {"jetclass2": "jetclass"}.get(name, name)
        if path.suffix == ".yaml":
            assert found["files"][0]["format"].startswith(expected)
        else:
            assert found["format"] == expected and sum(found["classes"].values()) == found["entries"] == 24
