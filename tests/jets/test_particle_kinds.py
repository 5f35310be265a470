"""Kinds and charges of particles, by explicit PDG ids; displacements and their floor."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from xaug import variables
from xaug.jets import particle_kinds
from xaug.jets.constituents import make_list
from xaug.jets.selection import Selection, select_jets

CHARGES = {
    11: -1, -11: 1, 13: -1, -13: 1, 15: -1, -15: 1,
    12: 0, -12: 0, 14: 0, 16: 0, 22: 0,
    211: 1, -211: -1, 321: 1, -321: -1, 2212: 1, -2212: -1,
    130: 0, 310: 0, 111: 0, 2112: 0, -2112: 0, 3122: 0, -3122: 0,
    3112: -1, -3112: 1, 3222: 1, -3222: -1, 3312: -1, -3312: 1, 3322: 0, -3322: 0, 3334: -1, -3334: 1,
}  # fmt: skip
CHARGED_HADRONS = (211, -211, 321, -321, 2212, -2212, 3112, -3112, 3222, -3222, 3312, -3312, 3334, -3334)
NEUTRAL_HADRONS = (111, 130, 310, 2112, -2112, 3122, -3122, 3322, -3322)
KIND_IDS = {
    "is_muon": (13, -13),
    "is_electron": (11, -11),
    "is_photon": (22,),
    "is_charged_hadron": CHARGED_HADRONS,
    "is_neutral_hadron": NEUTRAL_HADRONS,
}
IDS = np.array(list(CHARGES))


def test_charge_by_hand():
    assert_array_equal(particle_kinds.charge(IDS), list(CHARGES.values()))


def test_kinds_are_those_of_the_list():
    assert set(particle_kinds.KINDS) == set(KIND_IDS)


@pytest.mark.parametrize("kind", KIND_IDS)
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_kinds_by_explicit_ids(kind, dtype):
    expected = [float(i in KIND_IDS[kind]) for i in CHARGES]
    assert_array_equal(particle_kinds.KINDS[kind](IDS.astype(dtype)), expected)


def test_every_visible_stable_particle_has_one_kind():
    stable = np.array([i for i in CHARGES if abs(i) not in (12, 14, 15, 16)])
    assert_array_equal(sum(rule(stable) for rule in particle_kinds.KINDS.values()), np.ones(len(stable)))


def test_order_and_repetition_of_ids_do_not_matter():
    ids = np.random.default_rng(1).choice(IDS, 500)
    assert_array_equal(particle_kinds.charge(ids), [CHARGES[i] for i in ids])
    assert_array_equal(particle_kinds.KINDS["is_charged_hadron"](ids), np.isin(ids, CHARGED_HADRONS))


@pytest.mark.parametrize("name", KIND_IDS)
def test_no_particle_no_kind(name):
    none = np.zeros(0, np.int32)
    assert particle_kinds.KINDS[name](none).shape == particle_kinds.charge(none).shape == (0,)


def test_displacements_by_hand():
    vertices = {"vx": np.array([3.0, 0.0, -3.0]), "vy": np.array([4.0, 0.0, -4.0]), "vz": np.array([-2.0, 0.0, 7.0])}
    assert_array_equal(particle_kinds.transverse(vertices), [5, 0, 5])
    assert_array_equal(np.abs(particle_kinds.longitudinal(vertices)), [2, 0, 7])


@pytest.mark.parametrize(
    ("length", "expected"),
    [(0.0, 1e-3), (1e-13, 1e-3), (-9.9e-4, 1e-3), (1e-3, 1e-3), (1.1e-3, 1.1e-3), (-2.0, 2.0), (1e4, 1e4)],
)
def test_log_displacement_is_floored_at_one_micron(length, expected):
    assert_allclose(particle_kinds.log_displacement(np.array([length])), np.log(expected), rtol=1e-14)


def inputs(jets) -> dict[str, np.ndarray]:
    """All that depends on displacements, and everything else that a network may see but the image."""
    lists, mask = make_list(jets, [row.compute for row in variables.rows("jets", "list")])
    xaugs = {row.name: row.compute(jets) for row in variables.rows("jets", "xaug")}
    return {**xaugs, "list": lists, "mask": mask}


def with_vertices(events, size: float, rng, where=None):
    """The events with new vertices at random within `size` [mm] of the collision; all, or those `where`."""
    moved = []
    for event in events:
        event = event.copy()
        chosen = np.ones(len(event), bool) if where is None else where(event)
        n = int(chosen.sum())
        phi, radius = rng.uniform(-np.pi, np.pi, n), size * rng.uniform(0, 1, n)
        event["vx"][chosen], event["vy"][chosen] = radius * np.cos(phi), radius * np.sin(phi)
        event["vz"][chosen] = size * rng.uniform(-1, 1, n)
        moved.append(event)
    return moved


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [0.0, 1e-13, 1e-6, 0.99e-3])
def test_nothing_below_the_floor_reaches_an_input(sample, events_of, size, dtype):
    """Two classes with the same momenta and with vertices from other distributions below 1 um: the same bits.

    Pythia moves Z decay products by 1e-13 mm. Without the floor, that alone would tell signal from QCD.
    """
    rng = np.random.default_rng(3)

    def columns(events):
        chunk = events_of(*events)
        for name in ("vx", "vy", "vz"):
            chunk.particles[name] = chunk.particles[name].astype(dtype)
        return inputs(select_jets(chunk, Selection(pt_min=20.0, eta_max=10.0, mass_min=0.0, mass_max=1e6))[0])

    signal, background = (columns(with_vertices(sample, scale, rng)) for scale in (size, 0.5e-3))
    for name, values in signal.items():
        assert_array_equal(values, background[name], err_msg=name)
    floor = np.log(1e-3)
    assert_allclose(signal["dxy_max"], floor, rtol=1e-7)
    assert_allclose(signal["dz_max"], floor, rtol=1e-7)
    real = signal["mask"] == 1
    assert_allclose(signal["list"][real][:, -2:], floor, rtol=1e-6)


def test_moves_below_the_floor_beside_displaced_particles(sample, jets_of):
    """Prompt particles are moved by less than 1 um, displaced ones stay: no input changes."""
    rng = np.random.default_rng(4)

    def prompt(event):
        return np.hypot(event["vx"], event["vy"]) + np.abs(event["vz"]) == 0

    before, after = (inputs(jets_of(*events)) for events in (sample, with_vertices(sample, 0.99e-3, rng, prompt)))
    for name, values in before.items():
        assert_array_equal(values, after[name], err_msg=name)
    assert before["dxy_max"].std() > 1, "displaced particles must be there"


def test_moves_above_the_floor_do_reach_the_inputs(sample, jets_of):
    """The control: the same test notices 10 um."""
    near = with_vertices(sample, 0.5e-3, np.random.default_rng(5))
    far = with_vertices(sample, 10e-3, np.random.default_rng(5))
    before, after = inputs(jets_of(*near)), inputs(jets_of(*far))
    assert {name for name in before if not np.array_equal(before[name], after[name])} == {"list", "dxy_max", "dz_max"}
