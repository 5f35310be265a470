"""The same jets of Pythia, written in all layouts, give the same dataset in the columns that each can hold."""

import awkward as ak
import numpy as np
import pytest
from layout_writers import MadeJets, by_class, write_candidates, write_layouts, write_pfnano

import xaug
from xaug.data.variables import names
from xaug.formats.base import Wanted
from xaug.formats.pfnano import are_weighted
from xaug.formats.xaug_tree import TREE, XAUG_TREE
from xaug.jets.cuts import Selection
from xaug.jets.jets import OPEN
from xaug.jets.particle_kinds import charge
from xaug.jets.processor import JetSettings
from xaug.jets.selection import select_jets
from xaug.process.stage import process

EACH = 12
MASSES = ("mass", "softdrop_mass", "tau", "beta3", "log_energy", "pull", "delta_r_subjets", "z", "delta_r_subjet")
"""Beginnings of the names of columns that change where particles have no mass."""
NOT_SMOOTH = ("tau", "beta3", "pull_angle")
"""Columns that jump where an axis or the hardest branch is another one."""


@pytest.fixture(scope="module")
def jets(zbb_files):
    """The first selected jets of each class, in turn, with what a detector would call them."""
    per_class = []
    for process_name, truth in (("qcd", "none"), ("zbb", "z_bb")):
        with XAUG_TREE.open(str(zbb_files / f"zbb_{process_name}_00000.root"), TREE, 0, 80) as chunk:
            events = XAUG_TREE.read_particles(chunk, Wanted(partons=truth != "none"), 0)
        found, _ = select_jets(events, Selection(), substructure=False, truth=truth)
        far = np.hypot(found.constituents["vx"], found.constituents["vy"]) + np.abs(found.constituents["vz"])
        inside = np.flatnonzero(np.bincount(found.jet_index, far > 9000, len(found)) == 0)  # of a detector
        assert len(inside) >= EACH
        per_class.append((inside, found.jet_index, found.constituents))
    columns, counts = [], []
    for i in range(2 * EACH):
        inside, jet, own = per_class[i % 2]
        one = {name: values[jet == inside[i // 2]] for name, values in own.items()}
        order = np.argsort(-one["pt"], kind="stable")
        columns.append({name: values[order] for name, values in one.items()})
        counts.append(len(order))
    flat = {name: np.concatenate([one[name] for one in columns]) for name in columns[0]}
    px, py = (flat["pt"] * f(flat["phi"]) for f in (np.cos, np.sin))
    pz = flat["pt"] * np.sinh(flat["eta"])
    mass = np.sqrt(np.maximum(flat["energy"] ** 2 - px**2 - py**2 - pz**2, 0))
    dxy = np.hypot(flat["vx"], flat["vy"])
    flat |= {"px": px, "py": py, "pz": pz, "mass": mass, "charge": charge(flat["id"]), "dxy": dxy, "dz": flat["vz"]}
    return MadeJets(flat, np.array(counts), np.arange(2 * EACH) % 2)


@pytest.fixture(scope="module")
def datasets(jets, tmp_path_factory):
    directory = tmp_path_factory.mktemp("same")
    given = write_layouts(jets, directory)
    place = directory / "candidates"
    place.mkdir()
    given["candidates"] = by_class("delphes_candidates", write_candidates(jets, place), place)
    for name, path in given.items():
        clustered = JetSettings(selection=Selection(**{**OPEN, "pt_min": 100.0, "jets_per_event": 1}))
        process([path], directory / f"{name}_jets", clustered if name == "candidates" else None, chunksize=9)
    return {name: xaug.Dataset.open(directory / f"{name}_jets") for name in given}


def arrays_by_jet(data, keys):
    """All arrays in the order of the jets whose eta is given."""
    arrays = data.load()
    eta = arrays["xaug"][:, data.names("xaug").index("eta")]
    near = np.abs(eta[None, :] - keys[:, None])
    row = near.argmin(axis=1)
    assert near.min(axis=1).max() < 2e-4 and len(set(row.tolist())) == len(keys)
    return {name: values[row] for name, values in arrays.items()}


LAYOUTS = ("jetclass", "jetclass2", "toptagging", "qg", "atlastop", "jetnet", "pfnano", "columns", "candidates")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_jets_of_pythia_are_the_same_in_all_layouts(datasets, jets, zbb_dataset, layout):
    """Against the dataset of the events themselves, whose jets xaug clusters."""
    group = np.repeat(np.arange(len(jets.counts)), jets.counts)
    px, py, pz = (np.bincount(group, jets.columns[name]) for name in ("px", "py", "pz"))
    keys = np.arcsinh(pz / np.hypot(px, py))
    own, reference = datasets[layout], xaug.Dataset.open(zbb_dataset)
    assert not any("displacement" in text for text in reference.manifest["warnings"])  # those of a generator
    found, expected = arrays_by_jet(own, keys), arrays_by_jet(reference, keys)
    np.testing.assert_array_equal(found["label"], jets.label)
    np.testing.assert_array_equal(found["mask"], expected["mask"])
    charged = expected["list"][..., reference.names("list").index("charge")] != 0
    for block in ("list", "xaug"):
        for i, name in enumerate(own.names(block)):
            if layout == "jetnet" and name.startswith(MASSES):
                continue
            one = found[block][..., i]
            two = expected[block][..., reference.names(block).index(name)]
            if name in ("dxy", "dz"):  # of tracks only, while those of the events are of vertices
                one, two = one[charged], two[charged]
            close = np.isclose(one, two, rtol=1e-3, atol=1e-3)
            least = 0.9 if name.startswith(NOT_SMOOTH) else 1.0
            assert close.mean() >= least, (name, one[~close][:3], two[~close][:3])
    lost = set(own.manifest["left_out"])
    assert {*own.names("xaug"), *own.names("list"), *lost} >= {*names("jets", "xaug"), *names("jets", "list")}
    if layout != "jetnet":
        np.testing.assert_allclose(found["image"].sum(axis=(1, 2, 3)), expected["image"].sum(axis=(1, 2, 3)), atol=5e-3)


@pytest.mark.parametrize("weighted", [True, False])
def test_small_jets_have_the_weights_by_which_they_were_made(weighted):
    """Jets of CMS in Run 2 are of all candidates, those of Run 3 of candidates with PUPPI weights."""
    rng = np.random.default_rng(2)
    jet, weight = np.repeat(np.arange(6), 20), rng.choice([0.0, 0.4, 1.0], 120)
    particles = {"pt": rng.exponential(5, 120), "phi": rng.normal(0, 0.1, 120)}
    own = (weight if weighted else 1.0) * particles["pt"]
    raw = np.hypot(*(np.bincount(jet, own * f(particles["phi"])) for f in (np.cos, np.sin)))
    stored = ak.zip({"pt": raw / 0.9, "rawFactor": np.full(6, 0.1)})
    assert are_weighted(ak.unflatten(stored, [2, 0, 4]), particles, weight, jet) is weighted
    assert are_weighted(ak.unflatten(stored[["pt"]], [2, 0, 4]), particles, weight, jet)


def test_small_jets_of_pfnano(jets, tmp_path):
    """`jets: {given: Jet}` takes the jets of the branches `Jet` and `JetPFCands`."""
    (tmp_path / "large").mkdir()
    large = by_class("pfnano", write_pfnano(jets, tmp_path / "large"), tmp_path / "large")
    small = by_class("pfnano", write_pfnano(jets, tmp_path, "Jet"), tmp_path)
    small.write_text(small.read_text() + "jets: {given: Jet}\n")
    one, two = process([large], tmp_path / "a"), process([small], tmp_path / "b")
    assert one["jets"] == two["jets"] == {"qcd": EACH, "hbb": EACH}
    first, second = (xaug.Dataset.open(tmp_path / name).load() for name in "ab")
    for name in ("image", "list", "xaug"):
        np.testing.assert_array_equal(first[name], second[name])
    assert ak.num(jets.jagged["pt"]).to_list() == jets.counts.tolist()
