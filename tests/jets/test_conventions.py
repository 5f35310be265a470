"""The literal choices of the paper's authors, one by one on small events, and what they are worth together."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import awkward as ak
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_auc_score

from xaug import variables
from xaug.core.errors import ConfigurationError
from xaug.data.dataset import Dataset
from xaug.data.parts import part_name
from xaug.generate.zbb import generate
from xaug.jets.constituents import make_list
from xaug.jets.conventions import DEFAULT, PAPER_LITERAL, Conventions
from xaug.jets.images import image_coordinates, make_images
from xaug.jets.processor import JetSettings
from xaug.jets.selection import Selection, select_jets
from xaug.process.stage import process

OPEN = Selection(pt_min=20.0, eta_max=10.0, mass_min=0.0, mass_max=1e6)
XAUG = {row.name: row.compute for row in variables.rows("jets", "xaug")}
COLUMNS = [row.compute for row in variables.rows("jets", "list")]
CHOICES = [field.name for field in fields(Conventions)]
UM, NOTHING = np.log(1e-3), np.log(1e-20)


@pytest.fixture
def jets_by(events_of):
    """jets_by(event, ..., stati=None, **choices): the leading jets by these conventions; `stati` of all particles."""

    def make(*events, stati=None, **choices):
        chunk = events_of(*events)
        if stati is not None:
            chunk.particles["status"] = np.asarray(stati)
        return select_jets(chunk, OPEN, conventions=Conventions(**choices))[0]

    return make


def column(jets, name: str) -> np.ndarray:
    """A column of the particle list, (n, 20)."""
    return make_list(jets, COLUMNS)[0][..., variables.names("jets", "list").index(name)]


# --- which particles


@pytest.fixture
def pronged(particles):
    """Photons of 300 and 200 GeV and five softer particles, with their status; the fourth is a neutrino."""
    event = particles(
        [300.0, 200.0, 20.0, 60.0, 1.0, 1.01, 0.5],
        [0.0, 0.0, 0.05, 0.05, 0.1, 0.0, 0.05],
        [0.0, 0.4, 0.1, 0.2, 0.1, 0.1, 0.3],
        id=[22, 22, 211, 14, 211, -321, 130],
    )
    return event, [91, 91, 83, 91, 91, 84, 91]


@pytest.mark.parametrize("choice", [False, True])
def test_neutrinos_are_clustered(pronged, jets_by, choice):
    event, _ = pronged
    jets = jets_by(event, neutrinos=choice)
    p = event if choice else event[event["id"] != 14]
    px, py = (p["pt"] * np.cos(p["phi"])).sum(), (p["pt"] * np.sin(p["phi"])).sum()
    assert_allclose(jets.pt, np.hypot(px, py), rtol=1e-12)
    assert_allclose(sorted(jets.constituents["pt"]), sorted(p["pt"]), rtol=1e-12)
    if choice:  # a neutrino is none of the kinds that the list knows
        kinds = [column(jets, name)[0, 2] for name in variables.names("jets", "list") if name.startswith("is_")]
        assert_allclose(np.exp(column(jets, "log_pt")[0, 2]), 60, rtol=1e-6)
        assert kinds == [0] * 5 and column(jets, "charge")[0, 2] == 0


@pytest.mark.parametrize(
    ("choices", "kept"),
    [
        ({}, [300, 200, 20, 1.01, 1.0, 0.5]),
        ({"status": 91}, [300, 200, 1.0, 0.5]),
        ({"status": 83}, [20]),
        ({"constituent_pt": 1.0}, [300, 200, 20, 1.01]),
        ({"status": 91, "constituent_pt": 1.0}, [300, 200]),
        ({"status": 91, "constituent_pt": 1.0, "neutrinos": True}, [300, 200, 60]),
        ({"status": 1}, []),
    ],
)
def test_described_constituents(pronged, jets_by, choices, kept):
    """They alone are in list, image and multiplicities; the jet itself does not change."""
    event, stati = pronged
    jets = jets_by(event, stati=stati, **choices)
    whole = jets_by(event, neutrinos=choices.get("neutrinos", False))
    _, mask = make_list(jets, COLUMNS)
    assert_array_equal(mask[0], np.arange(20) < len(kept))
    assert_allclose(np.exp(column(jets, "log_pt")[0, : len(kept)]), kept, rtol=1e-6)
    assert_allclose(make_images(jets).sum(), sum(kept) / whole.pt[0], rtol=1e-6)
    found = event[np.isin(event["pt"], kept)]
    assert XAUG["n_charged_hadrons"](jets) == np.isin(found["id"], (211, -321)).sum()
    assert XAUG["n_photons"](jets) == (found["id"] == 22).sum()
    for name in ("pt", "mass", "softdrop_mass", "z", "delta_r_subjets", "tau21", "tau1_b05", "tau3_sd_b10"):
        assert_array_equal(XAUG[name](jets), XAUG[name](whole), err_msg=name)


def test_each_jet_keeps_its_own_constituents(sample, jets_by):
    """Of many jets, one of which keeps none, by a plain loop over single events."""
    stati = [np.random.default_rng(i).choice([83, 91], len(event)) for i, event in enumerate(sample)]
    stati[3][:] = 83
    together = jets_by(*sample, stati=np.concatenate(stati), status=91, constituent_pt=2.0)
    lists, mask = make_list(together, COLUMNS)
    for i, jet in enumerate(together.event):
        alone = jets_by(sample[jet], stati=stati[jet], status=91, constituent_pt=2.0)
        assert_allclose(make_list(alone, COLUMNS)[0][0], lists[i], rtol=1e-6, atol=1e-6)
        assert_allclose(XAUG["pull_angle"](alone)[0], XAUG["pull_angle"](together)[i], atol=1e-6)
    empty = np.flatnonzero(together.event == 3)
    assert len(empty) == 1 and not mask[empty].any() and mask[np.delete(np.arange(len(mask)), empty)].any(axis=1).all()


@pytest.mark.parametrize(
    ("stati", "angle"),
    [([1, 1, 1, 2], np.pi / 2), ([1, 1, 2, 1], 0.0), ([2, 1, 2, 2], np.pi / 2), ([2, 2, 2, 1], 0.0)],
)
def test_pull_of_described_constituents(particles, jets_by, stati, angle):
    """The leading subjet has a particle aside (third) and one towards the subleading subjet (fourth)."""
    event = particles([300.0, 200.0, 1e-3, 1e-3], [0.0, 0.0, 0.1, 0.0], [0.0, 0.5, 0.0, 0.1])
    jets = jets_by(event, stati=stati, status=1)
    assert_allclose(XAUG["pull_angle"](jets), angle, atol=1e-4)


# --- displacements


@pytest.fixture
def displaced(particles, jets_by):
    """displaced(choices, **columns): a jet of two prompt photons and of soft particles as given."""

    def make(choices, **columns):
        soft = particles(**{"eta": 0.05, "phi": 0.1, "pt": 5.0, **columns})
        return jets_by(np.concatenate([particles([300.0, 200.0], 0.0, [0.0, 0.4], id=22), soft]), **choices)

    return make


@pytest.mark.parametrize(
    ("choices", "dxy", "dz"),
    [
        ({}, 0.5, 2.0),
        ({"dxy_from_x": True}, 0.3 * np.sqrt(2), 2.0),
        ({"displacement_floor": 1.0}, 1.0, 2.0),
        ({"displacement_floor": 1e-20, "dxy_from_x": True}, 0.3 * np.sqrt(2), 2.0),
    ],
)
def test_displacements_by_hand(displaced, choices, dxy, dz):
    jets = displaced(choices, vx=-0.3, vy=0.4, vz=-2.0)
    for name, expected in (("dxy", dxy), ("dz", dz)):
        assert_allclose(column(jets, name)[0, 2], np.log(expected), rtol=1e-6)
        assert_allclose(XAUG[f"{name}_max"](jets), np.log(expected), rtol=1e-12)


@pytest.mark.parametrize(
    ("length", "floored", "literal"),
    [(0.0, UM, NOTHING), (1e-21, UM, NOTHING), (1e-13, UM, np.log(1e-13)), (0.02, np.log(0.02), np.log(0.02))],
)
def test_floor_of_displacements(displaced, length, floored, literal):
    for choices, expected in (({}, floored), ({"displacement_floor": 1e-20}, literal)):
        jets = displaced(choices, vx=length, vz=-length)
        for name in ("dxy", "dz"):
            assert_allclose(column(jets, name)[0, 2], expected, rtol=1e-6)
            assert_allclose(XAUG[f"{name}_max"](jets), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("columns", "tracks", "listed"),
    [
        pytest.param({"id": 22, "vx": 0.3, "vz": 2.0}, (1e-3, 1e-3), (0.3, 2.0), id="photon"),
        pytest.param({"vx": 3000.0, "vz": 2.0}, (1e-3, 1e-3), (3000.0, 2.0), id="a decay at metres"),
        pytest.param({"pt": 0.5, "vx": 0.3, "vz": 2.0}, (1e-3, 1e-3), (0.3, 2.0), id="soft"),
        pytest.param(
            {"pt": 2 + np.arange(30), "vx": np.arange(30, 0, -1.0), "vz": np.arange(30, 0, -0.5)[:30]},
            (30.0, 30.0), (18.0, 24.0), id="the first 20 in pT, two of them photons",
        ),
    ],
)  # fmt: skip
def test_largest_displacement_in_the_list(displaced, columns, tracks, listed):
    for choice, (dxy, dz) in ((False, tracks), (True, listed)):
        jets = displaced({"displaced_in_list": choice}, **columns)
        assert_allclose(XAUG["dxy_max"](jets), np.log(dxy), rtol=1e-12)
        assert_allclose(XAUG["dz_max"](jets), np.log(dz), rtol=1e-12)


def test_largest_displacement_is_that_of_the_list(sample, jets_by):
    jets = jets_by(*sample, displaced_in_list=True, displacement_floor=1e-20)
    _, mask = make_list(jets, COLUMNS)
    for name in ("dxy", "dz"):
        largest = np.where(mask > 0, column(jets, name), -np.inf).max(axis=1)
        assert_allclose(XAUG[f"{name}_max"](jets), largest, rtol=1e-6)


# --- z and the image


@pytest.mark.parametrize("eta", [0.0, 1.7, -1.7])
def test_z_of_momenta(particles, jets_by, eta):
    """Far forward, the two differ; they agree where both subjets are at the same eta."""
    p = particles([300.0, 200.0], [eta, eta + 0.4], [0.0, 0.1])
    momentum = p["pt"] * np.cosh(p["eta"])
    assert_allclose(XAUG["z"](jets_by(p)), 0.6, rtol=1e-12)
    assert_allclose(XAUG["z"](jets_by(p, z_from_momentum=True)), momentum[0] / momentum.sum(), rtol=1e-12)
    beside = particles([300.0, 200.0], eta, [0.0, 0.4])
    assert_allclose(XAUG["z"](jets_by(beside, z_from_momentum=True)), 0.6, rtol=1e-12)


def directions(eta, phi) -> np.ndarray:
    """Unit vectors (n, 3)."""
    p = np.stack([np.cos(phi), np.sin(phi), np.sinh(eta)], axis=-1)
    return p / np.linalg.norm(p, axis=-1, keepdims=True)


def test_rotation_in_space_keeps_all_angles(sample, jets_by):
    """Angles between any two particles of a jet, and handedness, are those before; the subjets lie as they should."""
    jets = jets_by(*sample, rotate_in_space=True)
    x, y = image_coordinates(jets)
    eta, phi = jets.subjet_eta, jets.subjet_phi
    distance = np.hypot(eta[:, 0] - eta[:, 1], np.arctan2(*(f(phi[:, 0] - phi[:, 1]) for f in (np.sin, np.cos))))
    before = directions(jets.constituents["eta"], jets.constituents["phi"])
    after = directions(x * distance[jets.jet_index], y * distance[jets.jet_index])
    for j in range(len(jets)):
        own, subjets = jets.jet_index == j, directions(eta[j], phi[j])
        assert_allclose(after[own] @ after[own].T, before[own] @ before[own].T, atol=1e-12)
        assert_allclose(after[own, 0], before[own] @ subjets[0], atol=1e-12)  # the leading subjet lies along (0, 0)
        angle = np.arccos(subjets[0] @ subjets[1])
        below = np.array([np.cos(angle), -np.sin(angle), 0.0])
        assert_allclose(after[own] @ below, before[own] @ subjets[1], atol=1e-12)
        if own.sum() > 2:
            assert_allclose(np.linalg.det(after[own][:3]), np.linalg.det(before[own][:3]), atol=1e-12)


@pytest.mark.parametrize("eta", [0.0, 0.8, -2.0])
@pytest.mark.parametrize("turn", np.radians([0, 60, 135, 250]))
def test_rotation_in_space_displaces_the_second_subjet(particles, jets_by, eta, turn):
    """At 1/cosh(eta) below the leading one; as in the plane for jets at eta = 0. Small angles, third particle aside."""
    x, y = np.array([0.0, 0.0, 0.9]), np.array([0.0, -1.0, 0.4])
    scale = 1e-3
    deta, dphi = scale * (x * np.cos(turn) - y * np.sin(turn)), scale * (x * np.sin(turn) + y * np.cos(turn))
    event = particles([300.0, 200.0, 1e-3], eta + deta, 3.1 + dphi)
    jets = jets_by(event, rotate_in_space=True)
    order = np.argsort(-jets.constituents["pt"])
    found = np.stack(image_coordinates(jets))[:, order]
    assert_allclose(found, np.stack([x, y]) / np.cosh(eta), atol=5e-3)


# --- the set of them


def test_paper_literal_makes_every_choice():
    assert list(PAPER_LITERAL.changes) == CHOICES
    assert DEFAULT.changes == {}
    assert PAPER_LITERAL.displacement_floor == 1e-20 and DEFAULT.displacement_floor == 1e-3


def test_parts_by_default_are_named_as_before_there_were_conventions():
    assert list(JetSettings().config) == ["kind", "selection", "split_seed", "split_fractions", "processor_version"]


def test_every_choice_names_its_own_parts():
    file = {"tree": "T", "digest": "0", "identity": "0", "label": 1, "process": "zbb"}
    one_each = [replace(DEFAULT, **{name: getattr(PAPER_LITERAL, name)}) for name in CHOICES]
    names = {part_name(file, JetSettings(conventions=c), "", 0, 100) for c in (DEFAULT, PAPER_LITERAL, *one_each)}
    assert len(names) == len(CHOICES) + 2


@pytest.mark.parametrize(
    "choice", [{"displacement_floor": 0.0}, {"displacement_floor": np.nan}, {"constituent_pt": -1.0}]
)
def test_impossible_choices_are_refused(choice):
    with pytest.raises(ConfigurationError, match=next(iter(choice))):
        Conventions(**choice)


# --- through the stages


@pytest.fixture(scope="module")
def literal_files(tmp_path_factory):
    """20 selected jets a class, generated with neutrinos."""
    output = tmp_path_factory.mktemp("literal") / "files"
    generate(output, jets=20, seed=5, neutrinos=True)
    return output


@pytest.mark.parametrize("name", ["qcd", "zbb"])
def test_generated_jets_hold_neutrinos(literal_files, zbb_files, read_root_file, name):
    branches, metadata = read_root_file(literal_files / f"zbb_{name}_00000.root")
    assert metadata["neutrinos"] is True and metadata["identity"].endswith("-neutrinos")
    assert "neutrinos" not in read_root_file(zbb_files / f"zbb_{name}_00000.root")[1]
    ids = np.abs(np.concatenate([np.asarray(i) for i in branches["constituent_id"]]))
    assert np.isin(ids, (12, 14, 16)).sum() > 5
    for event in range(10):  # and they count in the momentum of the jet
        own = branches["constituent_jetndx"][event] == 0
        pt, phi = (np.asarray(branches[f"constituent_{c}"][event][own], float) for c in ("pt", "phi"))
        total = np.hypot((pt * np.cos(phi)).sum(), (pt * np.sin(phi)).sum())
        assert_allclose(total, branches["jet_pt"][event][0], rtol=1e-5)


def test_command_of_processing(literal_files, tmp_path, process_command):
    """As many jets as the generator counted; the choices are in the manifest."""
    result = process_command(literal_files, "-o", tmp_path / "jets", "--options", "paper-literal")
    assert result.exit_code == 0, result.stderr
    manifest = json.loads((tmp_path / "jets" / "manifest.json").read_text())
    assert manifest["jets"] == {"qcd": 20, "zbb": 20}
    assert manifest["config"]["conventions"] == PAPER_LITERAL.changes
    dxy = Dataset.open(tmp_path / "jets").load(["list"])["list"][..., -2]
    assert_allclose(dxy.min(), NOTHING, rtol=1e-6)


def test_files_without_neutrinos_are_refused(zbb_files, tmp_path, process_command):
    result = process_command(zbb_files, "-o", tmp_path / "jets", "--options", "paper-literal", "--dry-run")
    assert result.exit_code == 1
    assert "was generated without neutrinos; generate with --options paper-literal" in result.stderr


def test_files_without_status(literal_files, tmp_path, process_command, read_root_file, write_root_file):
    """They are as good as others by default, but not where the status decides."""
    branches, metadata = read_root_file(literal_files / "zbb_qcd_00000.root")
    del branches["constituent_status"]
    file = write_root_file(tmp_path / "foreign.root", branches, metadata)
    assert process_command(file, "-o", tmp_path / "default").exit_code == 0
    result = process_command(file, "-o", tmp_path / "literal", "--options", "paper-literal")
    assert result.exit_code == 1 and "has no branch 'constituent_status'" in result.stderr
    assert str(file) in result.stderr and "--convention status=any" in result.stderr, "file and remedy"
    remedied = [file, "-o", tmp_path / "literal", "--options", "paper-literal", "--convention", "status=any"]
    assert process_command(*remedied).exit_code == 0


def test_files_whose_status_is_another_one(literal_files, tmp_path, process_command, read_root_file, write_root_file):
    """Codes of another generator would describe all jets by nothing; the file is refused by name."""
    branches, metadata = read_root_file(literal_files / "zbb_qcd_00000.root")
    branches["constituent_status"] = ak.ones_like(branches["constituent_status"])
    file = write_root_file(tmp_path / "foreign.root", branches, metadata)
    result = process_command(file, "-o", tmp_path / "literal", "--options", "paper-literal")
    assert result.exit_code == 1
    for words in (str(file), "no particle of its events from 0 on has status 91", "--convention status=any"):
        assert words in result.stderr


@pytest.mark.parametrize("module", ["xaug.generate.__main__", "xaug.process.__main__", "xaug.train"])
def test_unknown_options(module):
    import importlib

    arguments = ["zbb"] if "generate" in module else []
    result = CliRunner().invoke(importlib.import_module(module).main, [*arguments, "--options", "paper"])
    assert result.exit_code == 2 and "'paper' is not 'paper-literal'" in result.stderr


# --- the lifetime leak


@pytest.mark.slow
def test_lifetime_of_the_z_separates_the_classes_without_a_floor(tmp_path):
    """Pythia moves the decay products of a Z by its flight of some 1e-13 mm, and those of gluons by nothing.

    Of displacements below a micron, which no detector sees, the literal choices make inputs that separate
    the classes; with the floor, and all else literal, one number alone stands for all of them.
    """
    generate(tmp_path / "files", jets=300, seed=21, neutrinos=True)

    def displacements(name, conventions):
        process([tmp_path / "files"], tmp_path / name, JetSettings(conventions=conventions))
        arrays = Dataset.open(tmp_path / name).load(["list", "mask", "label"])
        return arrays["list"][..., -2:], arrays["mask"] > 0, arrays["label"]

    leaky, real, label = displacements("leaky", PAPER_LITERAL)
    floored, _, _ = displacements("floored", replace(PAPER_LITERAL, displacement_floor=1e-3))
    hidden = real[..., None] & (leaky < UM)  # what the floor hides, and no detector sees
    assert hidden[real].mean() > 0.2
    assert_allclose(floored[hidden], UM, rtol=1e-6)
    assert_array_equal(floored[~hidden], leaky[~hidden])

    for axis in (0, 1):  # dxy, dz: the smallest of a jet's list, and how much of the list was not moved at all
        smallest = [np.where(real, values[..., axis], np.inf).min(axis=1) for values in (leaky, floored)]
        assert roc_auc_score(label, smallest[0]) > 0.95
        assert abs(roc_auc_score(label, smallest[1]) - 0.5) < 0.06
        unmoved = (leaky[..., axis] < NOTHING + 0.1) & real
        assert roc_auc_score(label, -unmoved.sum(axis=1) / real.sum(axis=1)) > 0.99
