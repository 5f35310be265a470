"""The same jets in all layouts give the same dataset, as far as each layout can hold it."""

from dataclasses import replace

import awkward as ak
import numpy as np
import pytest
import uproot
from layout_writers import write_jetclass

import xaug
from xaug.data.plugins import plugin_of
from xaug.jets.cuts import Selection
from xaug.jets.jets import OPEN
from xaug.jets.processor import JetSettings
from xaug.process import executors
from xaug.process.stage import process

LACKING = {
    "jetclass": set(),
    "jetclass2": set(),
    "columns": set(),
    "pfnano": set(),
    "qg": {"dxy", "dz"},
    "toptagging": {"id", "charge", "dxy", "dz"},
    "atlastop": {"id", "charge", "dxy", "dz"},
    "jetnet": {"id", "charge", "dxy", "dz", "phi"},
}
"""What a layout does not hold."""
CLASSES = {
    "jetclass": ("QCD", "Hbb"), "jetclass2": ("label_160", "label_161"), "columns": ("QCD", "Hbb"),
    "pfnano": ("qcd", "hbb"), "qg": ("gluon", "quark"), "toptagging": ("QCD", "top"), "atlastop": ("QCD", "top"),
    "jetnet": ("g", "t"),
}  # fmt: skip
PARTICLE_COLUMNS = {"id": ["is_muon", "is_electron", "is_photon"], "charge": ["charge"], "dxy": ["dxy"], "dz": ["dz"]}
XAUG_COLUMNS = {
    "id": ["n_photons", "n_electrons", "n_muons", "n_charged_hadrons", "n_neutral_hadrons"],
    "dxy": ["dxy_max"], "dz": ["dz_max"], "phi": ["phi"],
}  # fmt: skip


@pytest.fixture(scope="module")
def datasets(layouts, tmp_path_factory):
    directory = tmp_path_factory.mktemp("datasets")
    for name, given in layouts.items():
        process([given], directory / name, chunksize=7)
    return {name: xaug.Dataset.open(directory / name) for name in layouts}


def sorted_jets(data):
    """All arrays, ordered by what all layouts hold: the distance of the hardest particle from the axis, and mass."""
    arrays = data.load()
    names = data.names("xaug")
    order = np.lexsort((arrays["xaug"][:, names.index("eta")].round(3), arrays["label"]))
    return {name: values[order] for name, values in arrays.items()}


@pytest.mark.parametrize("layout", list(LACKING))
def test_all_layouts_give_the_same_jets(datasets, made_jets, layout):
    data, reference = datasets[layout], datasets["jetclass"]
    assert data.classes == CLASSES[layout]
    assert len(data) == len(made_jets.counts)
    found, expected = sorted_jets(data), sorted_jets(reference)
    np.testing.assert_array_equal(found["label"], expected["label"])
    massless = layout == "jetnet"  # which changes energies and masses a little
    tolerance = {"rtol": 0.02, "atol": 0.02} if massless else {"rtol": 2e-4, "atol": 2e-4}
    for block in ("list", "xaug"):
        for i, name in enumerate(data.names(block)):
            column = reference.names(block).index(name)
            if name == "pull_angle" or (
                massless and name.startswith(("beta3", "tau", "log_energy", "mass", "softdrop_mass"))
            ):
                continue  # which depend on the hardest branch, and on ratios of small numbers
            np.testing.assert_allclose(found[block][..., i], expected[block][..., column], err_msg=name, **tolerance)
    if not massless:
        np.testing.assert_allclose(found["image"].sum(axis=(1, 2, 3)), expected["image"].sum(axis=(1, 2, 3)), atol=1e-3)
    np.testing.assert_array_equal(found["mask"], expected["mask"])


@pytest.mark.parametrize("layout", list(LACKING))
def test_variables_without_input_are_left_out_by_name(datasets, layout):
    data = datasets[layout]
    lost = {name for what in LACKING[layout] for name in XAUG_COLUMNS.get(what, [])}
    lost |= {name for what in LACKING[layout] for name in PARTICLE_COLUMNS.get(what, [])}
    if "id" in LACKING[layout]:
        lost |= {"is_charged_hadron", "is_neutral_hadron"}
    assert set(data.manifest["left_out"]) == lost
    assert not lost & {*data.names("list"), *data.names("xaug")}
    assert {*lost, *data.names("list"), *data.names("xaug"), "image"} == {
        variable.name for block in ("image", "list", "xaug") for variable in xaug.variables.rows("jets", block)
    }


def test_jets_are_those_that_were_written(datasets, made_jets):
    """By hand: momentum, mass and displacements of each jet from its particles."""
    found = sorted_jets(datasets["pfnano"])
    names = datasets["pfnano"].names("xaug")
    jet = np.repeat(np.arange(len(made_jets.counts)), made_jets.counts)
    px, py, pz, energy = (np.bincount(jet, made_jets.columns[c]) for c in ("px", "py", "pz", "energy"))
    pt, eta = np.hypot(px, py), np.arcsinh(pz / np.hypot(px, py))
    order = np.lexsort((eta.round(3), made_jets.label))
    track = (made_jets.columns["charge"] != 0) & (made_jets.columns["pt"] > 1)
    largest = ak.to_numpy(
        ak.max(ak.unflatten(np.where(track, abs(made_jets.columns["dxy"]), 0), made_jets.counts), axis=1)
    )
    for name, expected in (
        ("pt", pt), ("eta", eta), ("mass", np.sqrt(energy**2 - px**2 - py**2 - pz**2)), ("dxy_max", np.log(largest)),
    ):  # fmt: skip
        np.testing.assert_allclose(found["xaug"][:, names.index(name)], expected[order], rtol=1e-4, err_msg=name)


def test_splits_and_weights_of_the_file_are_kept(datasets):
    top = datasets["toptagging"]  # ttv 0, 1, 2: train, test, validation, in turn
    assert [top.size(split) for split in ("train", "test", "validation")] == [8, 8, 8]
    weights = datasets["atlastop"].load("weight")["weight"]
    np.testing.assert_allclose(np.sort(weights), np.linspace(0.5, 2, 24), rtol=1e-6)
    np.testing.assert_allclose(np.sort(datasets["columns"].load("weight")["weight"]), np.linspace(1, 2, 24))
    np.testing.assert_array_equal(datasets["pfnano"].load("weight")["weight"], 2.0)


def test_classes_are_chosen_and_ordered(layouts, tmp_path):
    made = process([layouts["jetclass"]], tmp_path / "turned", classes=["Hbb", "QCD"])
    assert made["classes"] == ["Hbb", "QCD"]
    with pytest.raises(xaug.XaugError, match="unknown class 'Hb'; did you mean 'Hbb'"):
        process([layouts["jetclass"]], tmp_path / "wrong", classes=["QCD", "Hb"])


@pytest.fixture
def small_files(made_jets, tmp_path):
    """Six files of JetClass of four jets each."""
    for i in range(6):
        (tmp_path / f"files/{i}").mkdir(parents=True)
        write_jetclass(made_jets.some(np.arange(4 * i, 4 * i + 4)), tmp_path / f"files/{i}")
    return tmp_path / "files"


@pytest.mark.parametrize("chunksize", [4000, 9])
def test_small_files_that_are_joined_give_the_same_parts(
    small_files, tmp_path, chunksize, monkeypatch, read_parts, assert_same_parts
):
    """Each file has a part of its own with its own cut flow, bit by bit, whether files are described at once or not."""
    settings = JetSettings(selection=Selection(**{**OPEN, "eta_max": 1.0, "mass_min": 5.0}))
    batches = []
    batched = executors.batched
    monkeypatch.setattr(executors, "batched", lambda *given: batches.append(batched(*given)) or batches[-1])
    joined = process([small_files], tmp_path / "joined", settings, chunksize=chunksize)
    monkeypatch.setattr(executors, "SMALL", 0)
    alone = process([small_files], tmp_path / "alone", settings, chunksize=chunksize)
    sizes = [[len(batch.chunks) for batch in own] for own, _ in batches]
    assert sizes == ([[6], []] if chunksize == 4000 else [[2, 2, 2], []])
    assert joined["cut_flow"] == alone["cut_flow"] and len(joined["parts"]) == 6
    assert joined["parts"] == alone["parts"]
    assert len({str(part["contents"]) for part in alone["parts"]}) > 2  # which differ from each other
    assert_same_parts(read_parts(tmp_path / "joined"), read_parts(tmp_path / "alone"))


def test_chunks_of_a_larger_file_are_not_joined(layouts, tmp_path, monkeypatch):
    """The size of chunks is what a kill may cost."""
    batches = []
    batched = executors.batched
    monkeypatch.setattr(executors, "batched", lambda *given: batches.append(batched(*given)) or batches[-1])
    process([layouts["jetclass"]], tmp_path / "out", chunksize=3)
    assert [(own, len(alone)) for own, alone in batches] == [([], 8)]


def test_one_bad_file_among_joined_ones_is_named(small_files, tmp_path):
    """A variable that fails for one jet names its file, not all that are described at once."""
    plugin = tmp_path / "mine.py"
    eta = round(float(eta_of_jet(small_files / "4/jetclass.root", 1)), 4)
    plugin.write_text(
        "import numpy as np\nimport xaug\n\n\n@xaug.variable('a')\ndef a(jets):\n"
        f"    return np.where(np.round(jets.eta, 4) == {eta}, np.nan, 1.0)\n"
    )
    settings = replace(JetSettings().for_given_jets(True), plugins=(plugin_of(plugin),))
    with pytest.raises(xaug.XaugError, match=r"4/jetclass\.root, entries 0 to 4: mine.py: variable 'a' is nan"):
        process([small_files], tmp_path / "out", settings)


def eta_of_jet(path, jet):
    """Pseudorapidity of a jet of JetClass, from its particles."""
    with uproot.open(path) as file:
        p = file["tree"].arrays(["part_px", "part_py", "part_pz"])[jet]
    px, py, pz = (np.sum(ak.to_numpy(p[f"part_{c}"]).astype(float)) for c in ("px", "py", "pz"))
    return np.arcsinh(pz / np.hypot(px, py))
