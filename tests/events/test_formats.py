"""Our tree, Delphes and plain arrays: the same events give the same dataset, and bad files are told."""

import json
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
from numpy.testing import assert_allclose

from xaug.core.errors import ConfigurationError
from xaug.data.dataset import Dataset
from xaug.events.cuts import EventSelection
from xaug.events.detector import Detector
from xaug.events.processor import EventSettings
from xaug.process.stage import process

CERTAIN = {"tag_b": 1.0, "tag_c": 1e-15, "tag_light": 1e-15}
"""Tag efficiencies that leave no choice: the number of a file's events must not matter here."""
SETTINGS = EventSettings(selection=EventSelection(**CERTAIN), detector=Detector(smear=0))


def jagged(rows, columns) -> dict[str, ak.Array]:
    counts = [len(row) for row in rows]
    flat = np.concatenate([np.asarray(row, float).reshape(-1, len(columns)) for row in rows])
    return {name: ak.unflatten(values, counts) for name, values in zip(columns, flat.T, strict=True)}


def tree_branches(events, weights) -> dict[str, ak.Array]:
    """As `xaug.generate vlq` writes them; with a neutrino that nobody sees."""
    particles = [np.r_[e.particles, [[200.0, 0.1, 0.2, 0.0]]] for e in events]
    columns = {f"particle_{c}": v for c, v in jagged(particles, ("pt", "eta", "phi", "m")).items()}
    ids = [[e.lepton_id, *[211] * (len(e.particles) - 1), -14] for e in events]
    columns["particle_id"] = ak.values_astype(ak.Array(ids), np.int32)
    columns["particle_status"] = ak.full_like(columns["particle_id"], 91)
    quarks = [np.c_[np.full(len(e.quarks), 50.0), e.quarks] for e in events]
    gen = jagged(quarks, ("pt", "eta", "phi", "id"))
    columns |= {f"gen_{c}": ak.values_astype(v, np.int32 if c == "id" else np.float64) for c, v in gen.items()}
    return {**columns, "weight": ak.Array(np.asarray(weights, float))}


def write_delphes(path: Path, events, weights, without: str = "", change: tuple = ()) -> Path:
    """A file in the layout of Delphes: collections `A` with branches `A/A.PT`, counted by `A_size`.

    Massive particles are tracks, massless ones photons or neutral hadrons; the lepton is a track too. `change` is a
    collection, a branch and the factor of its numbers.
    """
    tracks, photons, neutrals, electrons, muons, missing = [], [], [], [], [], []
    for event in events:
        pt, _, phi, mass = event.particles.T
        massless = mass == 0
        massless[0] = False
        order = np.arange(len(pt)) % 2 == 0
        tracks.append(event.particles[~massless])
        photons.append(event.particles[massless & order][:, :3])
        neutrals.append(event.particles[massless & ~order][:, :3])
        lepton = event.particles[:1, :3]
        electrons.append(lepton[: int(event.lepton_id == 11)])
        muons.append(lepton[: int(event.lepton_id == 13)])
        px, py = -(pt * np.cos(phi)).sum(), -(pt * np.sin(phi)).sum()
        missing.append([[np.hypot(px, py), 0.0, np.arctan2(py, px)]])
    particles = [np.c_[np.full(len(e.quarks), 50.0), e.quarks, np.zeros(len(e.quarks))] for e in events]
    content = {
        "Event": jagged([[[w]] for w in weights], ["Weight"]),
        "Particle": jagged(particles, ("PT", "Eta", "Phi", "PID", "Mass")),
        "EFlowTrack": jagged(tracks, ("PT", "Eta", "Phi", "Mass")),
        "EFlowPhoton": jagged(photons, ("ET", "Eta", "Phi")),
        "EFlowNeutralHadron": jagged(neutrals, ("ET", "Eta", "Phi")),
        "Electron": jagged(electrons, ("PT", "Eta", "Phi")),
        "Muon": jagged(muons, ("PT", "Eta", "Phi")),
        "MissingET": jagged(missing, ("MET", "Eta", "Phi")),
    }
    for collection, branch, factor in [change] if change else []:
        content[collection][branch] = content[collection][branch] * factor
    collection, _, branch = without.partition(".")
    if branch:
        del content[collection][branch]
    elif collection:
        del content[collection]
    records = {name: ak.zip(columns) for name, columns in content.items()}
    types = {name: str(array.type).split(" * ", 1)[1] for name, array in records.items()}
    with uproot.recreate(path) as file:
        tree = file.mktree("Delphes", types, counter_name=lambda a: f"{a}_size", field_name=lambda a, b: f"{a}/{a}.{b}")
        tree.extend(records)
    return path


@pytest.fixture(scope="module")
def mixed(events):
    """The events, every second one of an electron, and weights."""
    for event in events[::2]:
        event.lepton_id = 11
    return events, np.linspace(0.5, 2.0, len(events))


def fileset(path: Path, **datasets) -> Path:
    path.write_text(
        json.dumps({n: {"files": [str(f)], "metadata": {"process": n, **m}} for n, (f, m) in datasets.items()})
    )
    return path


@pytest.fixture(scope="module")
def made(mixed, tmp_path_factory, write_root_file):
    """The same events from our tree and from Delphes; together they would be taken for copies of each other."""
    directory = tmp_path_factory.mktemp("formats")
    events, weights = mixed
    files = {
        "tree": (write_root_file(directory / "tree.root", tree_branches(events, weights)), {"label": 0, "xsec": 2.0}),
        "delphes": (write_delphes(directory / "delphes.root", events, weights), {"label": 1, "xsec": 0.5}),
    }
    for name, file in files.items():
        one = fileset(directory / f"{name}.json", **{name: file})
        process([one], directory / name, SETTINGS, executor="iterative", chunksize=15)
    return directory, {name: Dataset.open(directory / name) for name in files}


def test_delphes_gives_the_same_as_our_tree(made, mixed):
    _, datasets = made
    tree, delphes = (datasets[name].load() for name in ("tree", "delphes"))
    assert len(tree["label"]) == len(delphes["label"]) == len(mixed[0])
    for i, name in enumerate(datasets["tree"].names("event")):
        assert_allclose(delphes["event"][:, i], tree["event"][:, i], rtol=1e-3, atol=2e-4, err_msg=name)
    assert_allclose(delphes["weight"], tree["weight"])
    assert_allclose(tree["weight"], mixed[1])


def test_both_together_count_once(made, tmp_path):
    directory, datasets = made
    files = {"tree": (directory / "tree.root", {"label": 0}), "delphes": (directory / "delphes.root", {"label": 0})}
    manifest = process([fileset(tmp_path / "f.json", **files)], tmp_path / "o", SETTINGS)
    (skip,) = manifest["skips"]
    assert skip["file"] == str(directory / "tree.root") and "holds the same events as" in skip["reason"]
    assert len(Dataset.open(tmp_path / "o")) == len(datasets["tree"])


def test_both_give_what_plain_arrays_give(made, mixed, tools):
    _, datasets = made
    objects, _, _ = tools.run(*mixed[0], **CERTAIN)
    expected = tools.features(objects, "events")
    rows = datasets["tree"].load()["event"]
    for i, name in enumerate(datasets["tree"].names("event")):
        assert_allclose(rows[:, i], expected[name], rtol=1e-4, atol=1e-4, err_msg=name)


def test_normalisation_of_foreign_files(made, mixed):
    """Without a generator's word all entries are what was generated."""
    _, datasets = made
    for name, xsec in (("tree", 2.0), ("delphes", 0.5)):
        found = datasets[name].manifest["processes"][name]
        assert found["xsec"] == xsec
        assert found["events_generated"] == len(mixed[0])
        assert found["sum_weights_generated"] == pytest.approx(mixed[1].sum())
        assert found["sum_weights_selected"] == pytest.approx(mixed[1].sum())


def test_missing_cross_section_is_unknown_not_zero(mixed, tmp_path, write_root_file):
    tree = write_root_file(tmp_path / "tree.root", tree_branches(*mixed))
    manifest = process([fileset(tmp_path / "f.json", a=(tree, {"label": 0}))], tmp_path / "o", SETTINGS)
    assert manifest["processes"]["a"]["sum_weights_generated"] == pytest.approx(mixed[1].sum())
    assert "xsec" not in manifest["processes"]["a"]


@pytest.mark.parametrize("lacking", ["particle_id", "gen_pt"])
def test_missing_branch_of_the_tree(mixed, tmp_path, write_root_file, lacking):
    branches = tree_branches(*mixed)
    del branches[lacking]
    tree = write_root_file(tmp_path / "tree.root", branches)
    with pytest.raises(ConfigurationError, match=rf"tree\.root .*has no branch '{lacking}'"):
        process([fileset(tmp_path / "f.json", a=(tree, {"label": 0}))], tmp_path / "o", SETTINGS)


@pytest.mark.parametrize("lacking", ["EFlowPhoton", "EFlowTrack.Mass", "Particle.PID", "MissingET.MET", "Event"])
def test_missing_branch_of_delphes(mixed, tmp_path, lacking):
    path = write_delphes(tmp_path / "d.root", *mixed, without=lacking)
    with pytest.raises(ConfigurationError, match=rf"d\.root .*has no branch '{lacking.split('.')[0]}/"):
        process([fileset(tmp_path / "f.json", a=(path, {"label": 0}))], tmp_path / "o", SETTINGS)


@pytest.mark.parametrize(("branch", "value"), [("particle_pt", np.nan), ("particle_eta", np.inf), ("gen_phi", np.nan)])
def test_bad_numbers_name_branch_and_entry(mixed, tmp_path, write_root_file, branch, value):
    branches = tree_branches(*mixed)
    values = branches[branch].to_list()
    values[7][0] = value
    branches[branch] = ak.Array(values)
    tree = write_root_file(tmp_path / "tree.root", branches)
    with pytest.raises(ConfigurationError, match=rf"{branch} is {value} in entry 7"):
        process([fileset(tmp_path / "f.json", a=(tree, {"label": 0}))], tmp_path / "o", SETTINGS)


EVENTS_BEYOND = {
    ("MissingET", "MET", 1e3): r"MissingET\.MET is \S+ GeV in entry \d+, beyond 14000; is it in MeV\?",
    ("MissingET", "MET", 1e-3): r"MissingET\.MET has a median of 0\.\S+ GeV, but .* it seems to be in TeV",
    ("MissingET", "MET", -1): r"MissingET\.MET is -\S+ in entry 0",
    ("MissingET", "Phi", 57.3): r"MissingET\.Phi is \S+ in entry \d+, beyond 12.5664; is it in degrees",
    ("Electron", "PT", 1e3): r"Electron\.PT is \S+ GeV in entry \d+, beyond 14000; are momenta in MeV",
    ("EFlowTrack", "PT", 1e3): r"EFlowTrack\.PT is \S+ GeV in entry \d+, beyond 14000; are momenta in MeV",
    ("EFlowTrack", "Mass", 1e3): r"too heavy .* EFlowTrack\.Mass in another unit",
    ("EFlowTrack", "Mass", 1e-3): r"the masses EFlowTrack\.Mass are below that of an electron .* in TeV",
    ("EFlowPhoton", "ET", 1e3): r"EFlowPhoton\.ET is \S+ GeV in entry \d+, beyond 14000; are momenta in MeV",
    ("Particle", "PT", 1e3): r"Particle\.PT is \S+ GeV in entry \d+, beyond 14000; are momenta in MeV",
}
"""Collection, branch and factor -> how the numbers are refused."""


@pytest.mark.parametrize(("collection", "branch", "factor"), EVENTS_BEYOND)
def test_units_of_delphes_out_of_range(mixed, tmp_path, collection, branch, factor):
    path = write_delphes(tmp_path / "d.root", *mixed, change=(collection, branch, factor))
    with pytest.raises(ConfigurationError, match=EVENTS_BEYOND[collection, branch, factor]):
        process([fileset(tmp_path / "f.json", a=(path, {"label": 0}))], tmp_path / "o", SETTINGS)


TREE_BEYOND = {
    ("particle_pt", 1e3): r"particle_pt is \S+ GeV in entry \d+, beyond 14000; are momenta in MeV",
    ("particle_m", 1e3): r"too heavy .* particle_m in another unit",
    ("particle_m", 1e-3): r"the masses particle_m are below that of an electron .* in TeV",
    ("particle_phi", 57.3): r"particle_phi is \S+ in entry \d+, beyond 12.5664; is it in degrees",
    ("gen_pt", 1e3): r"gen_pt is \S+ GeV in entry \d+, beyond 14000; are momenta in MeV",
}


@pytest.mark.parametrize(("branch", "factor"), TREE_BEYOND)
def test_units_of_the_tree_out_of_range(mixed, tmp_path, write_root_file, branch, factor):
    branches = tree_branches(*mixed)
    branches[branch] = branches[branch] * factor
    tree = write_root_file(tmp_path / "tree.root", branches)
    with pytest.raises(ConfigurationError, match=TREE_BEYOND[branch, factor]):
        process([fileset(tmp_path / "f.json", a=(tree, {"label": 0}))], tmp_path / "o", SETTINGS)


def test_a_cross_section_that_nothing_has(mixed, tmp_path, write_root_file):
    tree = write_root_file(tmp_path / "tree.root", tree_branches(*mixed))
    with pytest.raises(ConfigurationError, match=r"has xsec 8e\+11 pb, more than protons .*; is it in fb\?"):
        process([fileset(tmp_path / "f.json", a=(tree, {"label": 0, "xsec": 8e11}))], tmp_path / "o", SETTINGS)


def test_process_without_a_selected_event_is_listed(mixed, tmp_path, write_root_file):
    full = write_root_file(tmp_path / "full.root", tree_branches(*mixed))
    light = EventSettings(selection=EventSelection(**CERTAIN, ht_min=400), detector=Detector(smear=0))
    weak = tree_branches(*mixed)
    weak["particle_pt"] = ak.where(ak.local_index(weak["particle_pt"]) == 0, weak["particle_pt"], 0.01)
    weak = write_root_file(tmp_path / "weak.root", weak)
    mirrored = tree_branches(*mixed)
    mirrored |= {name: -mirrored[name] for name in ("particle_eta", "gen_eta")}
    mirrored = write_root_file(tmp_path / "mirrored.root", mirrored)
    files = {"full": (full, {"label": 1}), "weak": (weak, {"label": 0}), "mirrored": (mirrored, {"label": 0})}
    manifest = process([fileset(tmp_path / "f.json", **files)], tmp_path / "o", light)
    (skip,) = manifest["skips"]
    assert skip["file"] == str(weak) and "process weak: no event of 40 passes the selection" in skip["reason"]
    assert manifest["processes"]["weak"]["rows"] == 0


def test_delphes_needs_no_kind(made, tmp_path, process_command):
    directory, _ = made
    both = fileset(tmp_path / "f.json", delphes=(directory / "delphes.root", {"label": 1, "xsec": 0.5}))
    result = process_command(both, "-o", tmp_path / "o", "--executor", "iterative", "--detector", "smear=0")
    assert result.exit_code == 0, result.stderr
    assert Dataset.open(tmp_path / "o").kind == "events"
