"""Physical changes of jets, against four-vectors."""

import numpy as np
import pytest

from xaug.explain.faithfulness.physical import ANGLE, BOOST, CHANGES, JetArrays, possible_changes, sensitivity

COLUMNS = {
    "list": ["log_pt", "log_energy", "abs_eta", "delta_eta", "delta_phi"],
    "xaug": ["pt", "eta", "phi", "mass"],
}


@pytest.fixture
def jets():
    rng = np.random.default_rng(0)
    n, m = 30, 6
    pt, eta, phi = rng.uniform(1, 50, (n, m)), rng.uniform(0.3, 2.0, (n, m)), rng.uniform(-0.4, 0.4, (n, m))
    jet_eta = eta.mean(axis=1)
    columns = [np.log(pt), np.log(pt * np.cosh(eta)), eta, eta - jet_eta[:, None], phi]
    mask = np.arange(m) < rng.integers(1, m + 1, n)[:, None]
    listed = np.stack(columns, axis=-1) * mask[..., None]
    xaug = np.stack([pt.sum(axis=1), jet_eta, rng.uniform(-np.pi, np.pi, n), rng.uniform(50, 150, n)], axis=1)
    return JetArrays({"list": listed, "mask": mask.astype(float), "xaug": xaug}, COLUMNS)


def changed(name, jets, seed=1):
    return CHANGES[name].change(jets.copy(), np.random.default_rng(seed))


def test_a_boost_keeps_pt_and_gives_the_energy_of_massless_particles(jets):
    new = changed("boost", jets)
    own = jets.present
    eta = jets.column("list", "abs_eta") + BOOST
    np.testing.assert_allclose(new.column("list", "abs_eta")[own], eta[own])
    energy = np.exp(jets.column("list", "log_pt")) * np.cosh(eta)
    np.testing.assert_allclose(np.exp(new.column("list", "log_energy"))[own], energy[own])
    np.testing.assert_allclose(new.column("xaug", "eta"), jets.column("xaug", "eta") + BOOST)
    np.testing.assert_array_equal(new.column("list", "log_pt"), jets.column("list", "log_pt"))


def test_a_rotation_keeps_distances_from_the_axis(jets):
    new = changed("rotation", jets)
    for one, other in ((jets, new),):
        radius = [np.hypot(j.column("list", "delta_eta"), j.column("list", "delta_phi")) for j in (one, other)]
        np.testing.assert_allclose(*radius)
    angles = [np.arctan2(j.column("list", "delta_phi"), j.column("list", "delta_eta")) for j in (jets, new)]
    turned = np.mod(angles[1] - angles[0], 2 * np.pi)[jets.present]
    np.testing.assert_allclose(turned, ANGLE)


def test_particles_are_exchanged_dropped_and_smeared_where_there_are_any(jets):
    new = changed("permutation", jets)
    np.testing.assert_allclose(np.sort(new.arrays["list"], axis=1), np.sort(jets.arrays["list"], axis=1))
    assert (new.arrays["list"][~jets.present] == 0).all()
    assert (new.arrays["list"] != jets.arrays["list"]).any()
    new = changed("soft", jets)
    n = jets.present.sum(axis=1)
    np.testing.assert_array_equal(new.present.sum(axis=1), np.where(n > 1, n - 1, 1))
    assert (new.arrays["list"][~new.present] == 0).all()
    new = changed("smearing", jets)
    assert (new.arrays["list"][~jets.present] == 0).all()
    ratio = (new.column("list", "log_pt") - jets.column("list", "log_pt"))[jets.present]
    assert 0.01 < ratio.std() < 0.03
    np.testing.assert_allclose(
        new.column("xaug", "mass") / jets.column("xaug", "mass"), new.column("xaug", "pt") / jets.column("xaug", "pt")
    )
    new = changed("turn", jets)
    assert (np.abs(new.column("xaug", "phi")) <= np.pi).all()
    np.testing.assert_allclose(np.cos(new.column("xaug", "phi")), np.cos(jets.column("xaug", "phi") + ANGLE))


def test_changes_are_made_where_inputs_allow_them():
    assert {one.name for one in possible_changes(COLUMNS)} == set(CHANGES)
    assert {one.name for one in possible_changes({"xaug": ["pt", "z"]})} == {"smearing"}
    assert possible_changes({"image": [], "event": ["ht"]}) == []


def test_sensitivity_of_known_changes():
    rng = np.random.default_rng(0)
    before, output = rng.normal(size=(500, 4)), rng.normal(size=500)
    none = sensitivity(before, before, output, output)
    assert (none.attribution, none.output) == (0.0, 0.0)
    found = sensitivity(before, 1.1 * before, output, output + 0.5)
    assert found.attribution == pytest.approx(0.1)
    assert found.output == pytest.approx(0.5 / output.std())
    assert 0 < found.output_error < 0.05
