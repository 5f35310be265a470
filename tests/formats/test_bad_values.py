"""One table of what files can have wrong, tried on all formats: each is refused with its name, place and remedy."""

import pickle
import re
from dataclasses import replace

import awkward as ak
import h5py
import layout_writers as writers
import numpy as np
import pytest
from layout_writers import DISPLACED, written

from xaug.core.errors import ConfigurationError, DatasetError
from xaug.jets.cuts import Selection
from xaug.jets.jets import OPEN
from xaug.jets.processor import JetSettings
from xaug.process.stage import process
from xaug.training.stage import PlannedRun

SETTINGS = JetSettings(selection=Selection(**{**OPEN, "truth": "none"}))
ALL = (*writers.ONE, *writers.BY_CLASS)
WITH_PT = ("qg", "atlastop", "jetnet", "pfnano", "delphes_candidates", "xaug_tree")
WITH_ENERGY = ("jetclass", "jetclass2", "columns", "toptagging", "atlastop")
WITH_MASS = ("pfnano", "delphes_candidates", "xaug_tree")
JET, PARTICLE = 3, 2


def reasons(given, output) -> str:
    """Why input files are refused, or left out."""
    try:
        return "; ".join(skip["reason"] for skip in process([given], output, SETTINGS)["skips"])
    except ConfigurationError as error:
        return str(error)


def one(**changed):
    """Another value of some columns of the first charged particle of a jet."""

    def change(jets):
        first = int(jets.counts[:JET].sum())
        place = first + int(np.argmax(jets.columns["charge"][first:] != 0))
        columns = {name: values.astype(float) for name, values in jets.columns.items()}
        for name, value in changed.items():
            columns[name][place] = value(columns[name][place]) if callable(value) else value
        return replace(jets, columns={**columns, "id": jets.columns["id"], "charge": jets.columns["charge"]})

    return change


def scaled(factor, names=("pt", "px", "py", "pz", "energy", "mass")):
    """Other units of some columns."""
    return lambda jets: replace(jets, columns={**jets.columns, **{name: jets.columns[name] * factor for name in names}})


def harder(value):
    return value * 2000


HARD = dict.fromkeys(("pt", "px", "py", "pz", "energy", "mass"), harder)
AT_25 = {"eta": 25.0, "pz": np.sinh(25.0) * 10, "pt": 10.0, "px": 10.0, "py": 0.0, "energy": np.sinh(25.0) * 10}
OF_JETS = {
    "a number that is NaN": (ALL, one(phi=np.nan, py=np.nan), r"(phi|Phi|py|PY|eta_rel)\S* is nan in entry \d"),
    "one that is infinite": (ALL, one(phi=np.inf, py=np.inf), r"(phi|Phi|py|PY|eta_rel)\S* is (inf|nan) in entry \d"),
    "more pT than the LHC has": (ALL, one(**HARD), r"is \S+ GeV in entry \d, beyond 14000; are momenta in MeV\?"),
    "a pseudorapidity of 25": (ALL, one(**AT_25), r"in entry \d, beyond 20|is (inf|nan) in entry \d"),
    "a track from 20 m": (DISPLACED, one(dxy=2e4), r"(d0|D0)\S* is 20000 mm in entry \d, beyond 10000; is it in ano"),
    "vertices at 20 m": (("xaug_tree",), scaled(1e6, ["dxy"]), r"constituent_vxx is \S+ mm in entry \d, beyond 10000"),
    "an azimuth in degrees": (
        ("atlastop", "pfnano", "delphes_candidates", "xaug_tree"), scaled(57.3, ["phi"]),
        r"(phi|Phi)\S* is \S+ in entry \d+, beyond 12.5664; is it in degrees",
    ),
    "charges in thirds": (DISPLACED, scaled(3, ["charge"]), r"is -?3 e in entry \d+, beyond 2; is it in thirds of e"),
    "energies of half the momenta": (
        WITH_ENERGY, scaled(0.5, ["energy"]),
        "of the particles have energies below their momenta .one has .*: the columns do not belong together",
    ),
    "energies in MeV": (
        WITH_ENERGY, scaled(1e3, ["energy"]),
        r"100% of .* too heavy .*, or \S*(energy|EN|E|E_i) in another unit than the rest .of \S*(PX|pt|px)",
    ),
    "masses in MeV": (
        WITH_MASS, scaled(1e3, ["mass"]),
        r"% of the particles are too heavy .* in MeV, or \S*([mM]ass|_m) in another unit than the rest .of \S*(pt|PT)",
    ),
    "masses in TeV": (
        WITH_MASS, scaled(1e-3, ["mass"]),
        r"% of the masses \S*([mM]ass|_m) are below that of an electron .* in TeV\. Convert them to",
    ),
    "one mass of 60 TeV": (
        (*WITH_ENERGY, *WITH_MASS), one(energy=6e4, mass=6e4),
        r"(mass \(of .*(energy|EN|E|E_i)\)|\S+[mM]ass|\S+_m) is (6|59)\S+ GeV in entry \d, beyond 14000; are momenta",
    ),
    "one energy of 200 TeV": (
        ("atlastop", *WITH_MASS), one(pt=1000.0, eta=6.0, energy=2.02e5),
        r"the energy \(of .*\) is 2\S+ GeV in entry \d, beyond 50000; are momenta in MeV",
    ),
    "particles along the beam": (
        ("jetclass", "columns", "toptagging"), one(px=0.0, py=0.0),
        r"eta \(of \w*(PX|px).*\) is inf in entry \d",
    ),
    "a pT below 0": (WITH_PT, one(pt=-5.0), r"(pt|PT)\S*( \(.*\))? is -\S+ in entry \d"),
    "MeV": (ALL, scaled(1e3), "MeV"),
    "TeV": (
        tuple(name for name in ALL if name not in ("atlastop", "columns")), scaled(1e-3),
        "median of 0.6 GeV, less .*: they are read as GeV and seem to be in TeV. Convert them to GeV, or .* TeV}",
    ),
    "GeV in a format of MeV": (
        ("atlastop", "columns"), scaled(1e-3),
        "median of 0.6 GeV, less .*: they are read as MeV and seem to be in GeV. Convert them to MeV, or .* GeV}",
    ),
    "no jets": (ALL, lambda jets: jets.some([]), "has no entries; leave the file out"),
}  # fmt: skip
CASES = [(what, layout) for what, (layouts, _, _) in OF_JETS.items() for layout in layouts]


@pytest.mark.parametrize(("what", "layout"), CASES, ids=[f"{layout}: {what}" for what, layout in CASES])
def test_numbers_that_no_jet_can_have(made_jets, tmp_path, what, layout):
    _, change, words = OF_JETS[what]
    found = reasons(written(layout, change(made_jets), tmp_path), tmp_path / "out")
    assert re.search(words, found), found


def emptied(content):
    return b""


def halved(content):
    return content[: len(content) // 2]


def replaced_by_text(content):
    return b"pt,eta,phi\n1,2,3\n"


def test_displacements_of_one_class_in_cm_are_told_once(made_jets, tmp_path, process_command):
    """Files of CMS are in cm; one that was converted before is not."""
    unit = np.where(np.repeat(made_jets.label, made_jets.counts) == 1, 10.0, 1.0)
    mixed = replace(made_jets, columns={**made_jets.columns, "dxy": made_jets.columns["dxy"] * unit})
    result = process_command(written("pfnano", mixed, tmp_path), "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    warnings = [line for line in result.stdout.splitlines() if line.startswith("warning:")]
    assert len(warnings) == 2 and all("units: {length: cm}" in line for line in warnings)
    assert "hbb.root" in warnings[0] and "more than a detector measures" in warnings[0]
    assert "qcd.root" in warnings[1] and "Is one of them in another unit (cm, mm)?" in warnings[1]


def test_a_dataset_of_one_class_is_not_trained_on(made_jets, tmp_path):
    files = writers.write_pfnano(made_jets, tmp_path)
    process([writers.by_class("pfnano", {"qcd": files["qcd"]}, tmp_path)], tmp_path / "data", SETTINGS)
    with pytest.raises(DatasetError, match="data has one class only, qcd; process files of all classes together"):
        PlannedRun(tmp_path / "data", tmp_path / "run", network="mlp")


def test_a_file_of_several_classes_is_not_listed_under_one(made_jets, tmp_path):
    given = writers.by_class("qg", {"quark": written("qg", made_jets, tmp_path)}, tmp_path)
    found = reasons(given, tmp_path / "out")
    assert "tells the class of each entry (12 gluon, 12 quark), but is listed as a whole under 'quark'" in found


@pytest.mark.parametrize("layout", ALL)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (emptied, r"is empty \(0 bytes\)"),
        (halved, "is truncated or damaged|cannot be read"),
        (replaced_by_text, "is not a ROOT file|is none of ROOT|is truncated or damaged"),
    ],
)
def test_damaged_files(made_jets, tmp_path, layout, change, words):
    given = written(layout, made_jets, tmp_path)
    for path in tmp_path.iterdir():
        if path.suffix != ".yaml":
            path.write_bytes(change(path.read_bytes()))
    found = reasons(given, tmp_path / "out")
    assert re.search(words, found), found


# what is wrong with the columns of a file: each function changes the columns of one layout before or after they are
# written


def in_tree(change):
    """A change of the collections and of the single numbers of a tree."""

    def apply(made_jets, directory, layout, monkeypatch):
        write = writers.write_tree
        monkeypatch.setattr(writers, "write_tree", lambda path, tree, *columns: write(path, tree, *change(*columns)))
        return written(layout, made_jets, directory)

    return apply


def renamed(collection, old, new):
    def change(collections, scalars):
        collections[collection][new] = collections[collection].pop(old)
        return collections, scalars

    return in_tree(change)


def shortened(collection, name):
    """A branch with one value less in each entry, and a counter of its own."""

    def change(collections, scalars):
        values = collections[collection].pop(name)
        return collections, {**scalars, f"{collection}_{name}": values[:, 1:]}

    return in_tree(change)


def numbered(name, value):
    def change(collections, scalars):
        scalars[name] = np.where(np.arange(len(scalars[name])) == JET, value, scalars[name]).astype(np.float32)
        return collections, scalars

    return in_tree(change)


def linked(value):
    def change(collections, scalars):
        links = collections["FatJetPFCands"]["pFCandsIdx"].to_list()
        links[JET][PARTICLE] = value
        collections["FatJetPFCands"]["pFCandsIdx"] = ak.values_astype(ak.Array(links), np.int32)
        return collections, scalars

    return in_tree(change)


def in_parquet(change):
    def apply(made_jets, directory, layout, monkeypatch):
        given = written(layout, made_jets, directory)
        (path,) = directory.glob("*.parquet")
        columns = ak.from_parquet(path)
        content = {name: columns[name] for name in columns.fields}
        change(content)
        ak.to_parquet(ak.zip(content, depth_limit=1), path)
        return given

    return apply


def in_hdf5(change):
    def apply(made_jets, directory, layout, monkeypatch):
        given = written(layout, made_jets, directory)
        for path in [*directory.glob("*.h5"), *directory.glob("*.hdf5")]:
            with h5py.File(path, "r+") as file:
                change(file)
        return given

    return apply


def in_npz(change):
    def apply(made_jets, directory, layout, monkeypatch):
        given = written(layout, made_jets, directory)
        with np.load(given) as file:
            content = dict(file)
        change(content)
        np.savez(given, **content)
        return given

    return apply


def moved(old, new):
    return lambda content: content.update({new: content.pop(old)})


def shorter(name):
    return lambda content: content.update({name: content[name][:, 1:]})


def fewer(name):
    return lambda content: content.update({name: content[name][:-1]})


def label_of(name, value, place=JET):
    def change(content):
        values = np.array(content[name]).astype(int)
        values[place] = value
        content[name] = values

    return change


def hdf5_moved(old, new):
    return lambda file: file.move(old, new)


def hdf5_fewer(name):
    def change(file):
        values = file[name][:-1]
        del file[name]
        file[name] = values

    return change


def hdf5_set(name, place, value):
    def change(file):
        file[name][place] = value

    return change


def pandas_renamed(file):
    names = np.bytes_(pickle.dumps(["ttv", "is_signal_nev"], protocol=0))
    file["table/table"].attrs["values_block_1_kind"] = names


def pandas_label(file):
    table = file["table/table"]
    row = table[JET]
    row["values_block_1"][1] = 2
    table[JET] = row


def other_branch(made_jets, directory, layout, monkeypatch):
    track = {**writers.TRACK, "dz": "DZZ"}
    return writers.by_class(layout, writers.write_candidates(made_jets, directory, track), directory)


COLUMNS = [
    ("jetclass", renamed("part", "dzval", "dzvalu"), "has no branch 'part_dzval'; nearest is 'part_dzvalu'"),
    ("jetclass", shortened("part", "pz"), "part_pz has not as many values as part_px"),
    ("jetclass", numbered("label_QCD", 1), "entry 3 must have one of the classes .*; it has label_QCD and"),
    ("jetclass", numbered("label_QCD", 0.5), "label_QCD is 0.5 in entry 3"),
    ("jetclass2", in_parquet(moved("part_dzval", "part_dzvalue")), "no column 'part_dzval'; nearest is 'part_dzvalue'"),
    ("jetclass2", in_parquet(shorter("part_pz")), "part_pz has not as many values as part_px"),
    ("jetclass2", in_parquet(label_of("jet_label", 188)), "jet_label is 188 in entry 3; the classes are 0"),
    ("jetclass2", in_parquet(label_of("jet_label", -1)), "jet_label is -1 in entry 3"),
    ("columns", in_parquet(moved("PZ", "PZZ")), "has no column 'PZ'; nearest is 'PZZ'"),
    ("columns", in_parquet(shorter("PZ")), "PZ has not as many values as PX"),
    ("columns", in_parquet(label_of("isH", 1, 2)), "entry 2 must have one of the classes .*; it has isH and isQ"),
    ("columns", in_parquet(label_of("isH", 0)), "entry 3 must have one of the classes .*; it has none of them"),
    ("toptagging", in_hdf5(pandas_renamed), "no branch|no column 'is_signal_new'; nearest is 'is_signal_nev'"),
    ("toptagging", in_hdf5(pandas_label), "is_signal_new is 2 in entry 3; the classes are 0 .QCD., 1 .top."),
    ("qg", in_npz(moved("y", "yy")), "has no column 'y'; nearest is 'yy'"),
    ("qg", in_npz(fewer("y")), "has arrays of different lengths"),
    ("qg", in_npz(label_of("y", 2)), "y is 2 in entry 3; the classes are 0 .gluon., 1 .quark."),
    ("atlastop", in_hdf5(hdf5_moved("fjet_clus_eta", "fjet_clus_et")), "'fjet_clus_eta'; nearest is 'fjet_clus_et'"),
    ("atlastop", in_hdf5(hdf5_fewer("labels")), "has arrays of different lengths"),
    ("atlastop", in_hdf5(hdf5_set("labels", JET, 2)), "labels is 2 in entry 3; the classes are 0 .QCD., 1 .top."),
    ("jetnet", in_hdf5(hdf5_moved("jet_features", "jet_feature")), "'jet_features'; nearest is 'jet_feature'"),
    ("jetnet", in_hdf5(hdf5_fewer("jet_features")), "has arrays of different lengths"),
    ("jetnet", in_hdf5(hdf5_set("particle_features", (JET, 0, 3), 2)), "mask. holds other numbers than 0 and 1"),
    ("pfnano", renamed("PFCands", "dz", "dzz"), "has no branch 'PFCands_dz'; nearest is 'PFCands_dzz'"),
    ("pfnano", linked(9999), "FatJetPFCands.pFCandsIdx is 9999 in entry 3"),
    ("pfnano", linked(-1), "FatJetPFCands.pFCandsIdx is -1 in entry 3"),
    ("delphes_candidates", other_branch, "Candidate.DZ'; nearest is 'ParticleFlowCandidate/ParticleFlowCandidate.DZZ'"),
    ("xaug_tree", renamed("constituent", "vzz", "vz"), "has no branch 'constituent_vzz'; nearest is 'constituent_vz'"),
    ("xaug_tree", shortened("constituent", "vzz"), "constituent_vzz has not as many values as constituent_pt"),
]


@pytest.mark.parametrize(("layout", "change", "words"), COLUMNS)
def test_columns_that_lack_or_contradict(made_jets, tmp_path, monkeypatch, layout, change, words):
    found = reasons(change(made_jets, tmp_path, layout, monkeypatch), tmp_path / "out")
    assert re.search(words, found), found


@pytest.mark.parametrize("layout", ["toptagging", "qg", "atlastop", "jetnet"])
@pytest.mark.parametrize("fill", [np.nan, -999.0])
def test_padding_by_any_code_is_no_particle(made_jets, tmp_path, layout, fill):
    """The same jets, however their arrays are padded; JetNet has a mask."""
    padded = replace(made_jets, fill=fill)
    if layout == "jetnet" and fill != fill:
        return  # its mask is padded as well, and a mask holds 0 and 1
    (tmp_path / "own").mkdir()
    given = written(layout, padded, tmp_path / "own")
    if layout == "jetnet":
        for path in (tmp_path / "own").glob("*.hdf5"):
            with h5py.File(path, "r+") as file:
                features = file["particle_features"][()]
                features[..., 3] = features[..., 3] == 1
                file["particle_features"][...] = features
    elif layout == "atlastop":  # in MeV, so that codes were multiplied
        with h5py.File(given, "r+") as file:
            for name in ("fjet_clus_pt", "fjet_clus_E"):
                values = file[name][()]
                file[name][...] = np.where(values > 0, values, fill)
    made = process([given], tmp_path / "out", SETTINGS)
    assert sum(made["jets"].values()) == len(made_jets.counts)
    counts = [values for name, values in made["processes"].items()]
    assert sum(one["rows"] for one in counts) == len(made_jets.counts)
