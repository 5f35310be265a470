"""Clustering, grooming and declustering against the classic fastjet interface, jet by jet."""

from __future__ import annotations

import fastjet
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from xaug.formats.momenta import FourVectors, delta_phi, kinematics
from xaug.jets import clustering

ANGLE = 1e-12  # [rad] rounding of azimuths and rapidities of order one


def four_vectors(*events) -> FourVectors:
    """The visible particles of events."""
    kept = [event[~np.isin(np.abs(event["id"]), (12, 14, 16))] for event in events]
    flat = np.concatenate([events[0][:0], *kept])
    return FourVectors.from_pt_eta_phi_mass(
        flat["pt"], flat["eta"], flat["phi"], flat["mass"], [len(event) for event in kept]
    )


def of(pseudojets, method: str) -> np.ndarray:
    """One number of each PseudoJet."""
    return np.array([getattr(pj, method)() for pj in pseudojets])


def assert_mass(actual, pseudojets):
    """Masses are differences of large numbers: m^2 is known to the rounding of E^2."""
    limit = 1e-13 * of(pseudojets, "E") ** 2
    assert np.all(np.abs(actual**2 - of(pseudojets, "m") ** 2) <= limit)


# --- four-momenta


def test_four_vectors_are_those_of_pseudojets(sample, classic):
    momenta = four_vectors(*sample)
    reference = [pj for event in sample for pj in classic.pseudojets(event)]
    for component in ("px", "py", "pz"):
        assert_allclose(getattr(momenta, component), of(reference, component), rtol=1e-13, atol=1e-13)
    assert_allclose(momenta.e, of(reference, "E"), rtol=1e-14)


def test_kinematics_agree_with_pseudojets(sample, classic):
    pseudojets = [pj for event in sample[:10] for pj in classic.pseudojets(event)]
    p = np.stack([of(pseudojets, c) for c in ("px", "py", "pz", "E")], axis=1)
    found = kinematics(p)
    assert_allclose(found["pt"], of(pseudojets, "pt"), rtol=1e-14)
    assert_allclose(found["eta"], of(pseudojets, "eta"), atol=ANGLE)
    assert_allclose(found["rapidity"], of(pseudojets, "rap"), atol=ANGLE)
    assert_allclose(found["phi"], of(pseudojets, "phi_std"), atol=ANGLE)
    assert_allclose(found["energy"], of(pseudojets, "E"), rtol=0)
    assert np.all(found["mass"] >= 0)
    assert_mass(np.where(of(pseudojets, "m") < 0, of(pseudojets, "m"), found["mass"]), pseudojets)


def test_regroup_by_hand():
    p = FourVectors(np.arange(6.0), np.zeros(6), np.zeros(6), np.ones(6), [2, 0, 3, 1])
    index, q = clustering.regroup(p, 10 * np.arange(6), np.array([2, 0, 1]))
    assert_array_equal(index, [20, 30, 40, 0, 10])
    assert_array_equal(q.px, [2, 3, 4, 0, 1])
    assert_array_equal(q.counts, [3, 2, 0])


# --- anti-kT


@pytest.mark.parametrize("radius", [0.4, 0.8])
@pytest.mark.parametrize("min_pt", [3.0, 20.0, 200.0])
def test_antikt_jets_agree_with_classic_fastjet(sample, classic, radius, min_pt):
    """All jets of all events: their order, momenta and constituents."""
    momenta = four_vectors(*sample)
    event, index, jets = clustering.cluster(momenta, radius, min_pt)
    found = kinematics(jets.totals())
    keep, expected, n_expected, members = [], [], [], []
    start = 0
    for visible in (classic.pseudojets(e) for e in sample):
        sequence, classic_jets = classic.antikt(visible, radius, min_pt)
        position = {pj.user_index(): start + k for k, pj in enumerate(visible)}
        keep.append(sequence)
        expected += classic_jets
        n_expected.append(len(classic_jets))
        members += [{position[c.user_index()] for c in jet.constituents()} for jet in classic_jets]
        start += len(visible)
    assert len(expected) >= len(sample)
    assert_array_equal(event, np.repeat(np.arange(len(sample)), n_expected))
    assert [set(part) for part in np.split(index, np.cumsum(jets.counts)[:-1])] == members
    assert len(set(index)) == len(index)
    assert_allclose(found["pt"], of(expected, "pt"), rtol=1e-13)
    assert_allclose(found["eta"], of(expected, "eta"), atol=ANGLE)
    assert_allclose(found["rapidity"], of(expected, "rap"), atol=ANGLE)
    assert_allclose(delta_phi(found["phi"], of(expected, "phi_std")), 0, atol=ANGLE)
    massive = of(expected, "m") > 0  # rounding makes some one-photon jets of fastjet slightly spacelike
    assert_mass(found["mass"][massive], [jet for jet, m in zip(expected, massive, strict=True) if m])


def test_constituent_index_points_at_the_momenta(sample):
    momenta = four_vectors(*sample)
    _, index, jets = clustering.cluster(momenta, 0.8, 20.0)
    for component in ("px", "py", "pz", "e"):
        assert_array_equal(getattr(momenta, component)[index], getattr(jets, component))


def test_a_jet_alone_is_the_same_jet(sample):
    """Anti-kT merges the constituents of a jet in the same order when nothing else is there."""
    event, _, jets = clustering.cluster(four_vectors(*sample), 0.8, 20.0)
    again, index, same = clustering.cluster(jets, 0.8, 20.0)
    assert_array_equal(again, np.arange(len(event)))
    assert_array_equal(same.counts, jets.counts)
    assert_array_equal(np.sort(index), np.arange(len(jets.px)))
    assert_allclose(same.totals(), jets.totals(), rtol=1e-13, atol=1e-12)


def test_selected_jets_agree_with_classic_fastjet(sample_jets, classic_jets):
    jets = [found.jet for found in classic_jets]
    assert_array_equal(sample_jets.event, [found.event for found in classic_jets])
    assert_allclose(sample_jets.pt, of(jets, "pt"), rtol=1e-13)
    assert_allclose(sample_jets.eta, of(jets, "eta"), atol=ANGLE)
    assert_allclose(sample_jets.rapidity, of(jets, "rap"), atol=ANGLE)
    assert_allclose(sample_jets.phi, of(jets, "phi_std"), atol=ANGLE)
    assert_mass(sample_jets.mass, jets)


def test_each_constituent_keeps_its_own_attributes(sample, sample_jets, classic_jets):
    """Momentum, id and vertex of a constituent all belong to the same particle of the event."""
    for j, found in enumerate(classic_jets):
        mine = {name: values[sample_jets.jet_index == j] for name, values in sample_jets.constituents.items()}
        rows = sample[found.event][sorted(c.user_index() for c in found.constituents)]
        order, expected = np.argsort(mine["pt"]), rows[np.argsort(rows["pt"])]
        assert len(order) == len(expected)
        for name in ("id", "vx", "vy", "vz"):
            assert_array_equal(mine[name][order], expected[name])
        assert_allclose(mine["pt"][order], expected["pt"], rtol=1e-14)
        assert_allclose(mine["eta"][order], expected["eta"], atol=ANGLE)
        assert_allclose(delta_phi(mine["phi"][order], expected["phi"]), 0, atol=ANGLE)
        energy = np.hypot(expected["pt"] * np.cosh(expected["eta"]), expected["mass"])
        assert_allclose(mine["energy"][order], energy, rtol=1e-14)
        rapidity = np.arcsinh(expected["pt"] * np.sinh(expected["eta"]) / np.hypot(expected["pt"], expected["mass"]))
        assert_allclose(mine["rapidity"][order], rapidity, atol=ANGLE)


def test_neutrinos_are_not_clustered(sample, jets_of):
    """A hard neutrino in each jet changes nothing, in no bit."""
    without = [event[~np.isin(np.abs(event["id"]), (12, 14, 16))] for event in sample]
    assert any(len(a) > len(b) for a, b in zip(sample, without, strict=True))
    expected = jets_of(*without)
    loaded = []
    for event, flavour in zip(sample, [12, -12, 14, -14, 16, -16] * 20, strict=False):
        neutrino = event[:1].copy()
        neutrino["pt"], neutrino["id"] = 400.0, flavour
        loaded.append(np.concatenate([neutrino, event]))
    found = jets_of(*loaded)
    assert not np.isin(np.abs(found.constituents["id"]), (12, 14, 16)).any()
    for name in ("event", "pt", "mass", "softdrop_mass", "tau", "jet_index", "subjet_pt"):
        assert_array_equal(getattr(found, name), getattr(expected, name))


# --- chunks without jets


@pytest.mark.parametrize("counts", [[], [0], [0, 0, 0]])
def test_cluster_without_particles(counts):
    none = np.zeros(0)
    event, index, jets = clustering.cluster(FourVectors(none, none, none, none, counts), 0.8, 20.0)
    assert len(event) == len(index) == len(jets) == len(jets.px) == 0


def test_cluster_with_no_jet_above_threshold(particles):
    event, index, jets = clustering.cluster(four_vectors(particles(10.0, 0.0, 0.0)), 0.8, 20.0)
    assert len(event) == len(index) == len(jets) == len(jets.px) == 0


@pytest.mark.parametrize("place", [(0,), (1,), (2,), (0, 1, 3), (4,)])
def test_events_without_particles_between_others(sample, jets_of, place):
    """Empty events shift the event numbers and nothing else."""
    full = jets_of(*sample[:4])
    events = list(sample[:4])
    for where in place:
        events.insert(where, sample[0][:0])
    found = jets_of(*events)
    filled = np.flatnonzero([len(event) > 0 for event in events])
    assert_array_equal(found.event, filled[full.event])
    for name in ("pt", "eta", "phi", "softdrop_mass", "tau", "jet_index"):
        assert_array_equal(getattr(found, name), getattr(full, name))


def test_event_of_neutrinos_only_between_others(sample, particles, jets_of):
    full, neutrinos = jets_of(*sample[:2]), particles([300.0, 200.0], 0.1, [0.0, 0.4], id=[12, -14])
    found = jets_of(sample[0], neutrinos, sample[1])
    assert_array_equal(found.event, np.array([0, 2])[full.event])
    assert_array_equal(found.pt, full.pt)


# --- mMDT


def test_softdrop_mass_against_own_declustering(sample_jets, classic_jets):
    groomed = [found.groomed for found in classic_jets]
    assert_mass(sample_jets.softdrop_mass, groomed)
    assert np.mean(sample_jets.softdrop_mass < 0.9 * sample_jets.mass) > 0.1, "the sample must put grooming to use"


@pytest.mark.parametrize("z_cut", [0.05, 0.1, 0.3])
def test_groomed_constituents_against_own_declustering(sample, classic, jets_of, z_cut):
    expected = classic.leading(sample, z_cut=z_cut)
    found = jets_of(*sample, z_cut=z_cut)
    assert_array_equal(found.event, [jet.event for jet in expected])
    assert_mass(found.softdrop_mass, [jet.groomed for jet in expected])
    leading = [jet.subjets[0] for jet in expected]
    for j, subjet in enumerate(leading):
        mine = np.sort(found.leading_subjet["pt"][found.leading_subjet_jet_index == j])
        assert_allclose(mine, np.sort(of(subjet.constituents(), "pt")), rtol=1e-13)


@pytest.mark.parametrize("z_cut", [0.05, 0.1, 0.3])
def test_groom_keeps_the_branch_of_own_declustering(sample, classic, z_cut):
    """All anti-kT jets above 3 GeV, also those of which a single particle is left: constituents and leading_subjets."""
    _, _, jets = clustering.cluster(four_vectors(*sample), 0.8, 3.0)
    index, groomed, subjet = clustering.groom(jets, z_cut)
    for component in ("px", "py", "pz", "e"):
        assert_array_equal(getattr(groomed, component), getattr(jets, component)[index])
    starts = np.cumsum(jets.counts) - jets.counts
    single = 0
    for j in range(len(jets)):
        constituents = []
        for i in range(starts[j], starts[j] + jets.counts[j]):
            constituents.append(fastjet.PseudoJet(jets.px[i], jets.py[i], jets.pz[i], jets.e[i]))
            constituents[-1].set_user_index(int(i))
        _tree, branch, subjets = classic.mmdt(constituents, z_cut)
        mine = groomed.group == j
        leading = [branch] if subjets is None else subjets[0].constituents()
        single += subjets is None
        kept = branch.constituents() if subjets is not None else [branch]
        assert set(index[mine]) == {c.user_index() for c in kept}
        assert set(index[mine & (subjet == 0)]) == {c.user_index() for c in leading}
        assert mine.sum() == len(kept)
    assert 0 < single < len(jets) / 2


def test_subjets_against_own_declustering(sample_jets, classic_jets):
    for which in (0, 1):
        expected = [found.subjets[which] for found in classic_jets]
        assert_allclose(sample_jets.subjet_pt[:, which], of(expected, "pt"), rtol=1e-13)
        assert_allclose(sample_jets.subjet_rapidity[:, which], of(expected, "rap"), atol=ANGLE)
        assert_allclose(sample_jets.subjet_eta[:, which], of(expected, "eta"), atol=ANGLE)
        assert_allclose(delta_phi(sample_jets.subjet_phi[:, which], of(expected, "phi_std")), 0, atol=ANGLE)


def test_leading_subjet_comes_first(sample_jets):
    assert np.all(sample_jets.subjet_pt[:, 0] >= sample_jets.subjet_pt[:, 1])


def test_leading_prong_has_the_leading_subjets_momentum(sample_jets):
    px = np.bincount(
        sample_jets.leading_subjet_jet_index,
        sample_jets.leading_subjet["pt"] * np.cos(sample_jets.leading_subjet["phi"]),
    )
    py = np.bincount(
        sample_jets.leading_subjet_jet_index,
        sample_jets.leading_subjet["pt"] * np.sin(sample_jets.leading_subjet["phi"]),
    )
    assert_allclose(np.hypot(px, py), sample_jets.subjet_pt[:, 0], rtol=1e-13)


@pytest.mark.parametrize(("share", "groomed_away"), [(0.09, True), (0.11, False)])
def test_z_cut_by_hand(particles, jets_of, share, groomed_away):
    """A third particle at wide angle, below and above a tenth of the scalar pT sum of the branches."""
    core = particles([300.0, 200.0], 0.0, [0.0, 0.2])
    total_px = 300 + 200 * np.cos(0.2)
    core_pt = np.hypot(total_px, 200 * np.sin(0.2))
    third = particles(core_pt * share / (1 - share), 0.5, 0.1)
    jets = jets_of(np.concatenate([core, third]))
    two_prong_mass = np.sqrt(2 * 300 * 200 * (1 - np.cos(0.2)))
    assert len(jets.jet_index) == 3
    if groomed_away:
        assert_allclose(jets.softdrop_mass, two_prong_mass, rtol=1e-12)
        assert_allclose(jets.subjet_pt, [[300.0, 200.0]], rtol=1e-13)
    else:
        assert_allclose(jets.softdrop_mass, jets.mass, rtol=1e-12)
        assert_allclose(jets.subjet_pt, [[core_pt, third["pt"][0]]], rtol=1e-13)


@pytest.mark.parametrize("wide_share", [0.02, 0.2])
def test_mass_of_two_massless_particles_by_hand(particles, jets_of, wide_share):
    """m^2 = 2 pT1 pT2 (cosh Delta eta - cos Delta phi), whichever of the two is written first."""
    pt = np.array([400.0 * (1 - wide_share), 400.0 * wide_share])
    event = particles(pt, [0.3, 0.7], [3.1, -3.1])
    expected = np.sqrt(2 * pt.prod() * (np.cosh(0.4) - np.cos(2 * np.pi - 6.2)))
    for rows in (event, event[::-1]):
        jets = jets_of(rows)
        if wide_share < 0.1:
            assert len(jets) == 0  # one particle is left
        else:
            assert_allclose([jets.mass, jets.softdrop_mass], expected, rtol=1e-12)
