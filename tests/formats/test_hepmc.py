"""HepMC text as pyhepmc writes it, in all its units and versions."""

import re
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from layout_writers import by_class, write_hepmc

import xaug
from xaug.core.errors import BadValues, ConfigurationError
from xaug.formats import hepmc
from xaug.formats.base import Source, UnsuitableFile, Wanted
from xaug.formats.hepmc import HEPMC
from xaug.inspect import main as inspect_main
from xaug.jets.cuts import Selection
from xaug.jets.jets import OPEN
from xaug.jets.processor import JetSettings
from xaug.process.stage import process

pyhepmc = pytest.importorskip("pyhepmc")


@pytest.fixture(scope="module")
def directory(made_jets, tmp_path_factory):
    """Files of both versions, and the YAML that tells their classes."""
    place = tmp_path_factory.mktemp("hepmc")
    by_class("hepmc", write_hepmc(made_jets, place), place)
    return place


def test_layouts_and_units_are_read_alike(directory, made_jets):
    """HepMC3 in GeV and mm, and compressed HepMC2 in MeV and cm: momenta and vertices by hand, from any event on."""
    for name, label in (("qcd.hepmc", 0), ("hbb.hepmc.gz", 1)):
        own = made_jets.some(made_jets.label == label)
        with Source(str(directory / name)) as source:
            assert HEPMC.likeness(source) == 1 and HEPMC.contents(source).entries == len(own.counts)
        with HEPMC.open(str(directory / name), "", 3, 8) as chunk:
            found, weights = HEPMC.read_particles(chunk, Wanted(), 3), HEPMC.weights(chunk, 3)
        np.testing.assert_array_equal(weights, [5, 6, 7, 8, 9])
        np.testing.assert_array_equal(found.counts, own.counts[3:8] + 1)
        ends, event = np.cumsum(own.counts), np.repeat(np.arange(5), found.counts)
        rows = slice(ends[2], ends[7])  # in each jet the hardest particle is first
        jet = np.lexsort((-found.particles["pt"], event))
        jet = jet[found.particles["id"][jet] != 12]
        np.testing.assert_array_equal(found.particles["id"][jet], own.columns["id"][rows])
        for column in ("pt", "eta", "phi"):
            np.testing.assert_allclose(found.particles[column][jet], own.columns[column][rows], rtol=1e-5)
        np.testing.assert_allclose(found.particles["mass"][jet], own.columns["mass"][rows], atol=2e-2)
        dxy = np.hypot(found.particles["vx"], found.particles["vy"])[jet]
        np.testing.assert_allclose(dxy, np.abs(own.columns["dxy"][rows]), atol=1e-9)
        np.testing.assert_allclose(found.particles["vz"][jet], own.columns["dz"][rows], atol=1e-9)


def test_jets_are_clustered(directory, made_jets, tmp_path):
    """All jets that were written come out, without the neutrinos; processing in chunks changes nothing."""
    settings = JetSettings(selection=replace(Selection(), **OPEN | {"pt_min": 200.0, "jets_per_event": 1}))
    for chunksize in (5, 100):
        process([directory / "hepmc.yaml"], tmp_path / f"{chunksize}", settings, chunksize=chunksize)
    one, other = (xaug.Dataset.open(tmp_path / f"{n}") for n in (5, 100))
    assert one.classes == ("background", "signal") or set(one.classes) == {"qcd", "hbb"}
    assert len(one) == len(made_jets.counts) and one.manifest["left_out"] == {}
    names = one.names("xaug")
    np.testing.assert_array_equal(one.load(["xaug"])["xaug"], other.load(["xaug"])["xaug"])
    jet = np.repeat(np.arange(len(made_jets.counts)), made_jets.counts)
    px, py = (np.bincount(jet, made_jets.columns[c]) for c in ("px", "py"))
    np.testing.assert_allclose(
        np.sort(one.load(["xaug"])["xaug"][:, names.index("pt")]), np.sort(np.hypot(px, py)), rtol=2e-3
    )


def test_what_cannot_be_read_is_told(directory, tmp_path, monkeypatch):
    whole = (directory / "qcd.hepmc").read_bytes()
    (tmp_path / "cut.hepmc").write_bytes(whole[: len(whole) // 2])
    entries = len(hepmc.starts(str(tmp_path / "cut.hepmc"), 0))
    with (
        pytest.raises(BadValues, match="is damaged or ends too early"),
        HEPMC.open(str(tmp_path / "cut.hepmc"), "", 0, entries),
    ):
        pass
    with pytest.raises(UnsuitableFile, match="set truth=none"):
        HEPMC.particle_columns(Wanted(partons=True))
    for content in (b"", b"not HepMC", b"\x1f\x8bnot gzip"):
        (tmp_path / "other.hepmc").write_bytes(content)
        (tmp_path / "other.hepmc.gz").write_bytes(content)
        for name in ("other.hepmc", "other.hepmc.gz"):
            with pytest.raises(ConfigurationError, match="none of 1 input files can be used"):
                process([tmp_path / name], tmp_path / "out")
    monkeypatch.setitem(__import__("sys").modules, "pyhepmc", None)
    with pytest.raises(UnsuitableFile, match=r"pip install 'xaug\[hepmc\]'"):
        hepmc.pyhepmc()


def one_event(path, place, of_event, particles=1):
    """Beams that meet at a place, and a pion that starts there; the file may state that place for the event."""
    event = pyhepmc.GenEvent(pyhepmc.Units.GEV, pyhepmc.Units.MM)
    vertex = pyhepmc.GenVertex((*place, 0))
    for sign in (1, -1):
        vertex.add_particle_in(pyhepmc.GenParticle((0, 0, sign * 6500.0, 6500.0), 2212, 4))
    vertex.add_particle_out(pyhepmc.GenParticle((50.0, 0, 20.0, 60.0), 211, 1 if particles else 2))
    event.add_vertex(vertex)
    with pyhepmc.open(str(path), "w", format="hepmc3") as file:
        file.write(event)
    if of_event:
        text = path.read_text()
        path.write_text(re.sub("(?m)^(E .*)$", rf"\1 @ {place[0]} {place[1]} {place[2]} 0", text))


@pytest.mark.parametrize("of_event", [True, False])
def test_displacements_count_from_where_the_beams_meet(tmp_path, of_event):
    """Pythia with a spread of its vertices does not state the position of the event."""
    one_event(tmp_path / "a.hepmc", (0.1, -0.2, 30.0), of_event)
    with HEPMC.open(str(tmp_path / "a.hepmc"), "", 0, 1) as chunk:
        found = HEPMC.read_particles(chunk, Wanted(), 0).particles
    np.testing.assert_allclose([found[name][0] for name in ("vx", "vy", "vz")], 0, atol=1e-9)


def test_an_event_without_final_particles_is_kept(tmp_path):
    one_event(tmp_path / "a.hepmc", (0.0, 0.0, 0.0), False, particles=0)
    with HEPMC.open(str(tmp_path / "a.hepmc"), "", 0, 1) as chunk:
        assert HEPMC.read_particles(chunk, Wanted(), 0).counts.tolist() == [0]


def test_it_is_listed_and_inspected(directory):
    listed = CliRunner().invoke(inspect_main, ["--presets"])
    assert "hepmc" in listed.output and "HepMC3 or HepMC2 text" in listed.output
    found = CliRunner().invoke(inspect_main, [str(directory / "qcd.hepmc")])
    assert found.exit_code == 0 and "hepmc" in found.output
