"""Formats are found by content, and a new one is one module: shown with arrays in an npz file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import awkward as ak
import numpy as np
import pytest
import uproot

from xaug.core.errors import ConfigurationError
from xaug.core.files import digest_file
from xaug.data.dataset import Dataset
from xaug.formats.base import Contents, FinalState, Format, Source, UnsuitableFile, Wanted, refuse_momenta
from xaug.formats.momenta import kinematics
from xaug.formats.registry import FORMATS, format_of, recognise, register_format
from xaug.process.stage import infer_kind, process

LABELS = {"label": 0, "process": "qcd"}


class NpzParticles(Format):
    """Arrays in an npz file: `p4` (m, 4) of px, py, pz, E [GeV], `pdg_id` (m,), `vertex` (m, 3) [cm], `counts` (n,)."""

    name = "npz_particles"
    label = "particles in an npz file"
    suffixes = (".npz",)

    def likeness(self, source: Source) -> float:
        return float(source.first_bytes(2) == b"PK")

    def contents(self, source: Source) -> Contents:
        arrays = source.opened(np.load)
        entries = len(arrays["counts"])
        return Contents("", entries, frozenset(arrays), {}, "jets", fingerprint="")

    @contextmanager
    def open(self, path: str, tree: str, start: int, stop: int) -> Iterator[dict[str, np.ndarray]]:
        with np.load(path) as arrays:
            first, end = (arrays["counts"][:n].sum() for n in (start, stop))
            particles = {name: arrays[name][first:end] for name in ("p4", "pdg_id", "vertex")}
            yield {**particles, "counts": arrays["counts"][start:stop]}

    def particle_columns(self, wanted: Wanted) -> list[str]:
        if wanted.partons or wanted.columns:
            raise UnsuitableFile("has neither partons nor further columns; give it label 0")
        return ["p4", "pdg_id", "vertex", "counts"]

    def read_particles(self, chunk: dict[str, np.ndarray], wanted: Wanted, first: int) -> FinalState:
        momenta = kinematics(chunk["p4"])
        particles = {name: momenta[name] for name in ("pt", "eta", "phi", "mass")}
        refuse_momenta(particles, dict.fromkeys(particles, "p4"), chunk["counts"], first)
        vertex = dict(zip(("vx", "vy", "vz"), 10 * chunk["vertex"].T, strict=True))
        return FinalState({**particles, "id": chunk["pdg_id"], **vertex}, chunk["counts"])

    def weights(self, chunk: dict[str, np.ndarray], first: int) -> np.ndarray:
        return np.ones(len(chunk["counts"]))


@pytest.fixture
def npz_format(monkeypatch):
    """The format, registered for one test."""
    for name in list(FORMATS):
        monkeypatch.setitem(FORMATS, name, FORMATS[name])
    added = register_format(NpzParticles())
    yield added
    del FORMATS[added.name]


@pytest.fixture(scope="module")
def npz_file(zbb_files, read_root_file, tmp_path_factory):
    """The particles of QCD events in that format, and the ROOT file that they come from."""
    root = zbb_files / "zbb_qcd_00000.root"
    branches, _ = read_root_file(root)
    pt, eta, phi, mass, pdg, x, y, z = (
        ak.to_numpy(ak.flatten(branches[f"constituent_{name}"])).astype(float)
        for name in ("pt", "eta", "phi", "m", "id", "vxx", "vyy", "vzz")
    )
    energy = np.sqrt(pt**2 * np.cosh(eta) ** 2 + mass**2)
    path = tmp_path_factory.mktemp("npz") / "qcd.npz"
    np.savez(
        path,
        p4=np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), energy], axis=1),
        pdg_id=pdg.astype(int),
        vertex=np.stack([x, y, z], axis=1) / 10,
        counts=ak.to_numpy(ak.num(branches["constituent_pt"])),
    )
    return path, root


def fileset(path, *files, **metadata):
    path.write_text(json.dumps({"qcd": {"files": [str(file) for file in files], "metadata": {**LABELS, **metadata}}}))
    return path


class TestAddedFormat:
    def test_gives_the_same_jets_as_our_tree(self, npz_format, npz_file, tmp_path):
        """To the rounding of momenta that were float32, in chunks of any size; no code but that of the format."""
        npz, root = npz_file
        process([fileset(tmp_path / "a.json", npz)], tmp_path / "npz", chunksize=70)
        process([fileset(tmp_path / "b.json", root)], tmp_path / "root")
        found, expected = (Dataset.open(tmp_path / name) for name in ("npz", "root"))
        assert [entry["format"] for entry in found.manifest["inputs"]] == ["npz_particles"]
        assert found.manifest["cut_flow"] == expected.manifest["cut_flow"]
        one, two = found.load(["xaug", "list", "mask"]), expected.load(["xaug", "list", "mask"])
        assert len(one["xaug"]) == len(two["xaug"]) > 100
        for name in one:
            close = np.isclose(one[name], two[name], rtol=2e-3, atol=2e-3)
            assert close.mean() > 0.999, name  # a rare axis of N-subjettiness may flip to another local minimum

    def test_is_found_in_a_directory(self, npz_format, npz_file, tmp_path, process_command):
        (tmp_path / "files").mkdir()
        (tmp_path / "files" / "a.npz").write_bytes(npz_file[0].read_bytes())
        result = process_command(tmp_path / "files", "-o", tmp_path / "out")
        assert "files/a.npz has no label: list it in a fileset JSON" in result.stderr

    def test_runs_in_local_processes(self, npz_file, tmp_path, python, zbb_files):
        """Worker processes get the formats of the files, and need no registry of their own."""
        code = (
            "import sys; sys.path.insert(0, sys.argv[1])\n"
            "import test_registry as t; t.register_format(t.NpzParticles())\n"
            "from xaug.process.stage import process\n"
            "print(process([sys.argv[2]], sys.argv[3], executor='futures', workers=2, chunksize=100)['jets'])"
        )
        given = fileset(tmp_path / "a.json", npz_file[0])
        done = python("-c", code, __file__.rpartition("/")[0], given, tmp_path / "out")
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == "{'qcd': 150}"

    def test_says_what_it_cannot_hold(self, npz_format, npz_file, tmp_path, process_command):
        given = fileset(tmp_path / "a.json", npz_file[0], label=1)
        result = process_command(given, "-o", tmp_path / "out", "--set", "truth=z_bb")
        assert result.exit_code == 1
        assert "qcd.npz has neither partons nor further columns; give it label 0" in result.stderr
        result = process_command(given, "-o", tmp_path / "out", "--kind", "events")
        assert result.exit_code == 1
        assert "is particles in an npz file, which holds no leptons" in result.stderr

    def test_missing_and_bad_values(self, npz_format, npz_file, tmp_path, process_command):
        arrays = dict(np.load(npz_file[0]))
        del arrays["vertex"]
        np.savez(tmp_path / "a.npz", vertices=0, **arrays)
        result = process_command(fileset(tmp_path / "a.json", tmp_path / "a.npz"), "-o", tmp_path / "out")
        assert "a.npz has no column 'vertex'; nearest is 'vertices'" in result.stderr
        arrays = dict(np.load(npz_file[0]))
        arrays["p4"][arrays["counts"][:3].sum()] = np.nan
        np.savez(tmp_path / "b.npz", **arrays)
        result = process_command(fileset(tmp_path / "b.json", tmp_path / "b.npz"), "-o", tmp_path / "out")
        assert "p4 is nan in entry 3; leave the file out or mend it" in result.stderr

    def test_a_name_is_registered_once(self, npz_format):
        with pytest.raises(ConfigurationError, match="file format 'npz_particles' is registered twice"):
            register_format(NpzParticles())

    def test_unknown_name(self):
        with pytest.raises(ConfigurationError, match=r"unknown file format 'delfes'; did you mean 'delphes'\?"):
            format_of("delfes")


class TestRecognise:
    @pytest.fixture
    def tree_file(self, tmp_path):
        """tree_file(tree, *branches): a ROOT file with this tree of single numbers."""

        def write(tree, *branches):
            with uproot.recreate(tmp_path / f"{tree}.root") as file:
                file.mktree(tree, dict.fromkeys(branches, "float32"))
            return str(tmp_path / f"{tree}.root")

        return write

    @pytest.mark.parametrize(
        ("tree", "named", "branches", "expected"),
        [
            ("T", None, ["constituent_pt"], "xaug_tree"),
            ("T", None, ["anything"], "xaug_tree"),  # of the right name: the missing branches are named later
            ("Delphes", None, ["x"], "delphes"),
            ("Events", "Events", ["particle_pt", "gen_pt"], "xaug_tree"),
            ("Delphes", "Delphes", ["constituent_pt", "constituent_eta"], "xaug_tree"),
        ],
    )
    def test_by_tree_and_branches(self, tree_file, tree, named, branches, expected):
        with Source(tree_file(tree, *branches), named) as source:
            assert recognise(source).name == expected

    @pytest.mark.parametrize(
        ("tree", "named", "reason"),
        [
            (
                "Events",
                None,
                r"has no tree 'T' or 'Delphes' or 'Events' \(it holds: Events\); name it as treename in a fileset",
            ),
            ("Events", "Tree", r"has no tree 'Tree' \(it holds: Events\)"),
            ("Events", "Events", "has no branch of a known format in its tree 'Events'"),
        ],
    )
    def test_unknown_trees(self, tree_file, tree, named, reason):
        with Source(tree_file(tree, "x"), named) as source, pytest.raises(UnsuitableFile, match=reason):
            recognise(source)

    def test_a_file_is_opened_once(self, tree_file):
        opened = []

        @contextmanager
        def opener(path):
            opened.append(path)
            yield path
            opened.append("closed")

        with Source(tree_file("T", "x")) as source:
            assert source.opened(opener) == source.opened(opener) == source.path
        assert opened == [source.path, "closed"]

    def test_kind_of_files(self, zbb_files, tree_file):
        assert infer_kind([zbb_files]) == "jets"
        assert infer_kind([tree_file("Delphes", "x")]) == "events"
        assert infer_kind([tree_file("T", "x")]) == "jets"


@pytest.mark.parametrize("name", ["delphes", "delphes_candidates", "jetclass", "pfnano"])
def test_files_of_detectors_have_no_partons_to_match(name):
    assert format_of(name).particle_columns(Wanted())
    with pytest.raises(UnsuitableFile, match="partons"):
        format_of(name).particle_columns(Wanted(partons=True))
    with pytest.raises(UnsuitableFile, match="status"):
        format_of(name).particle_columns(Wanted(columns=("status",)))


def test_digest_tells_versions_apart(npz_format, npz_file, tmp_path):
    """A local file of any format is known by its bytes."""
    manifest = process([fileset(tmp_path / "a.json", npz_file[0])], tmp_path / "out")
    assert manifest["inputs"][0]["digest"] == digest_file(npz_file[0])
