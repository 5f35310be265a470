"""Jets of Delphes: constituents are found by the numbers that ROOT gives to objects."""

import awkward as ak
import numpy as np
import pytest
from layout_writers import TOWER, TRACK

from xaug.core.errors import BadValues, ConfigurationError
from xaug.formats.base import Source, Wanted, format_of
from xaug.formats.delphes import DELPHES, DELPHES_CANDIDATES
from xaug.process.descriptions import read_description


class Entries(dict):
    """Collections of two events as Delphes has them: `chunk[COLLECTION][BRANCH]`."""

    @property
    def fields(self):
        return list(self)

    def __len__(self):
        return 2


def collection(names, counts, numbers, rng):
    n = sum(counts)
    flat = {branch: rng.uniform(1, 5, n) for branch in names.values()}
    flat |= {name: np.zeros(n, int) for name in ("PID", "Charge") if name in flat}
    return {name: ak.unflatten(values, counts) for name, values in {**flat, "fUniqueID": np.array(numbers)}.items()}


@pytest.fixture
def chunk():
    """Tracks, photons and neutral hadrons; two jets in the first event and one in the second."""
    rng = np.random.default_rng(4)
    own = Entries()
    own["EFlowTrack"] = collection(TRACK, [3, 2], [10, 11, 12, 10, 11], rng)
    own["EFlowPhoton"] = collection(TOWER, [2, 1], [20, 21, 22], rng)
    own["EFlowNeutralHadron"] = collection(TOWER, [0, 1], [30], rng)
    own["FatJet"] = {"Constituents": ak.Array([[{"refs": [21, 10]}, {"refs": [12]}], [{"refs": [30, 11, 22]}]])}
    return own


def test_constituents_are_those_that_jets_refer_to(chunk):
    form = DELPHES.with_jets("FatJet")
    found = form.read_particles(chunk, Wanted(), 0)
    assert found.counts.tolist() == [2, 1, 3] and found.jet_event.tolist() == [0, 0, 1] and len(found) == 2
    track, photon, neutral = (chunk[name] for name in ("EFlowTrack", "EFlowPhoton", "EFlowNeutralHadron"))
    by_hand = [photon["ET"][0, 1], track["PT"][0, 0], track["PT"][0, 2]]
    by_hand += [neutral["ET"][1, 0], track["PT"][1, 1], photon["ET"][1, 0]]
    np.testing.assert_allclose(found.particles["pt"], by_hand)
    assert found.particles["id"].tolist() == [22, 130, 130, 130, 130, 22]  # tracks without charge and kind are K_L
    assert form.gives_jets and form.weights(chunk, 0).tolist() == [1, 1]


def test_references_to_other_objects_are_refused(chunk):
    chunk["FatJet"] = {"Constituents": ak.Array([[], [{"refs": [11]}, {"refs": [22, 12]}]])}
    with pytest.raises(BadValues, match="a jet of FatJet in entry 41 refers to a particle that is none of EFlowTrack"):
        DELPHES.with_jets("FatJet").read_particles(chunk, Wanted(), 40)


def test_a_yaml_names_the_collection(tmp_path):
    (tmp_path / "a.yaml").write_text("format: delphes_candidates\nfiles: {QCD: a.root}\njets: {given: JetPUPPIAK8}\n")
    (entry,) = read_description(tmp_path / "a.yaml")
    form = format_of(entry.format)
    assert entry.format == "delphes_candidates:JetPUPPIAK8"
    needed = form.particle_columns(Wanted())
    assert "JetPUPPIAK8/JetPUPPIAK8.Constituents" in needed
    assert set(DELPHES_CANDIDATES.signature) < set(needed)
    assert "ParticleFlowCandidate/ParticleFlowCandidate.fUniqueID" in needed
    assert form.likeness(Source("a.root")) == 0
    (tmp_path / "a.yaml").write_text("format: jetclass\nfiles: {QCD: a.root}\njets: {given: FatJet}\n")
    with pytest.raises(ConfigurationError, match="line 3: files of jetclass do not name collections of jets"):
        read_description(tmp_path / "a.yaml")
