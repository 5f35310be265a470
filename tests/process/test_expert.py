"""The expert variables against independent computations: classic fastjet, numpy by hand, closed forms."""

from __future__ import annotations

import awkward as ak
import fastjet
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from xaug import variables

BETA_OF = {"b05": 0.5, "b10": 1.0, "b20": 2.0}
GROOMING = {"": 0, "_sd": 1}
FASTJET_PRECISION = 1e-4
"""Precision and accuracy goal of the one-pass minimisation, fixed in fjcontrib's AxesDefinition."""
FLOOR = np.log(1e-3)  # of displacements: 1 um


def xaug(jets, name: str) -> np.ndarray:
    """The column of the variables table."""
    (row,) = [row for row in variables.rows("jets", "xaug") if row.name == name]
    return row.compute(jets)


def taus(jets, sd: str) -> np.ndarray:
    """The columns tau{N}{sd}_{beta} as (n, beta, N)."""
    columns = [[xaug(jets, f"tau{n}{sd}_{suffix}") for n in (1, 2, 3)] for suffix in BETA_OF]
    return np.moveaxis(np.array(columns), -1, 0)


def wrapped(angle):
    """An angle in (-pi, pi]."""
    return np.arctan2(np.sin(angle), np.cos(angle))


def vector_sum(event) -> tuple[float, float, float]:
    """pT, rapidity and azimuth of the summed four-momentum of massless particles."""
    px, py = (event["pt"] * np.cos(event["phi"])).sum(), (event["pt"] * np.sin(event["phi"])).sum()
    pz, energy = (event["pt"] * np.sinh(event["eta"])).sum(), (event["pt"] * np.cosh(event["eta"])).sum()
    return np.hypot(px, py), 0.5 * np.log((energy + pz) / (energy - pz)), np.arctan2(py, px)


# --- kinematics, subjets


def test_kinematics_against_classic_fastjet(sample_jets, classic_jets):
    for name, method in (("pt", "pt"), ("eta", "eta"), ("phi", "phi_std")):
        expected = [getattr(found.jet, method)() for found in classic_jets]
        assert_allclose(xaug(sample_jets, name), expected, rtol=1e-12, atol=1e-12)
    for name, part in (("mass", "jet"), ("softdrop_mass", "groomed")):
        pseudojets = [getattr(found, part) for found in classic_jets]
        rounding = 1e-13 * np.array([pj.E() for pj in pseudojets]) ** 2
        assert np.all(np.abs(xaug(sample_jets, name) ** 2 - [pj.m2() for pj in pseudojets]) <= rounding)


def test_z_and_delta_r_from_the_subjets_of_classic_fastjet(sample_jets, classic_jets):
    subjets = np.array([[[s.pt(), s.rap(), s.phi()] for s in found.subjets] for found in classic_jets])
    hard, soft = subjets[:, 0], subjets[:, 1]
    assert_allclose(xaug(sample_jets, "z"), hard[:, 0] / (hard[:, 0] + soft[:, 0]), rtol=1e-13)
    distance = np.sqrt((hard[:, 1] - soft[:, 1]) ** 2 + wrapped(hard[:, 2] - soft[:, 2]) ** 2)
    assert_allclose(xaug(sample_jets, "delta_r_subjets"), distance, rtol=1e-11)
    assert xaug(sample_jets, "z").min() >= 0.5
    assert xaug(sample_jets, "z").max() < 0.9  # z_cut = 0.1


@pytest.mark.parametrize("phi", [0.0, 3.0, -3.1])
def test_z_and_delta_r_by_hand(particles, jets_of, phi):
    jets = jets_of(particles([160.0, 240.0], [0.5, 0.2], [phi, phi + 0.4]))
    assert_allclose(xaug(jets, "z"), 0.6, rtol=1e-13)
    assert_allclose(xaug(jets, "delta_r_subjets"), 0.5, rtol=1e-12)


# --- N-subjettiness


def direct_taus(constituents, jet_pt: float) -> np.ndarray:
    """(beta, N) by calls on one jet with the definitions of the paper, divided by jet_pt."""
    rows = [{"px": c.px(), "py": c.py(), "pz": c.pz(), "E": c.E()} for c in constituents]
    sequence = fastjet.ClusterSequence(ak.Array([rows]), fastjet.JetDefinition(fastjet.cambridge_algorithm, 100.0))
    found = [
        sequence.njettiness(
            measure_definition="UnnormalizedMeasure",
            axes_definition="OnePass_WTA_KT_Axes",
            njets=[1, 2, 3],
            beta=beta,
        )
        for beta in (0.5, 1.0, 2.0)
    ]
    return np.array([ak.to_list(tau)[0] for tau in found]) / jet_pt


def written_out_tau(constituents, n: int, beta: float) -> float:
    """sum pT min(Delta R)^beta, from its definition: no call to fastjet's N-subjettiness.

    Axes start at the exclusive kT jets with winner-take-all recombination and are improved by Weiszfeld
    steps in the (rapidity, phi) plane until they move less than fjcontrib's accuracy.
    """
    pt, y, phi = (np.array([getattr(c, m)() for c in constituents]) for m in ("pt", "rap", "phi_std"))
    definition = fastjet.JetDefinition(fastjet.kt_algorithm, 100.0, fastjet.WTA_pt_scheme)
    sequence = fastjet.ClusterSequence(list(constituents), definition)
    axes = np.array([[axis.rap(), axis.phi_std()] for axis in sequence.exclusive_jets(n)])

    def offsets():
        return np.stack([y[:, None] - axes[:, 0], wrapped(phi[:, None] - axes[:, 1])], axis=-1)

    for _ in range(1000):
        distance2 = (offsets() ** 2).sum(axis=-1)
        nearest = distance2.argmin(axis=1)
        weight = pt * (distance2.min(axis=1) + FASTJET_PRECISION**2) ** (beta / 2 - 1)
        mine = (nearest[:, None] == np.arange(n)) * weight[:, None]
        step = (mine[:, :, None] * offsets()).sum(axis=0) / mine.sum(axis=0)[:, None]
        axes = axes + step
        if np.hypot(*step.T).mean() < FASTJET_PRECISION:
            break
    return float((pt * (offsets() ** 2).sum(axis=-1).min(axis=1) ** (beta / 2)).sum())


def constituents_of(found, sd: str):
    return found.groomed.constituents() if sd else found.constituents


def on_axis(beta: float) -> float:
    """What a particle on its axis adds to tau by rounding alone: (Delta R)^beta of a Delta R of some 1e-15."""
    return 1e-14**beta


@pytest.mark.parametrize("sd", GROOMING)
def test_all_taus_against_direct_calls(sample_jets, classic_jets, sd):
    """Both the groomed and the ungroomed taus are divided by the ungroomed jet pT."""
    expected = np.array([direct_taus(constituents_of(c, sd), c.jet.pt()) for c in classic_jets])
    found = taus(sample_jets, sd)
    for b, beta in enumerate(BETA_OF.values()):
        assert_allclose(found[:, b], expected[:, b], rtol=1e-9, atol=on_axis(beta))
    assert_array_equal(found, sample_jets.tau[:, GROOMING[sd]])


@pytest.mark.parametrize("sd", GROOMING)
@pytest.mark.parametrize("suffix", BETA_OF)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_tau_against_its_definition_written_out(sample_jets, classic_jets, n, suffix, sd):
    found, beta = xaug(sample_jets, f"tau{n}{sd}_{suffix}"), BETA_OF[suffix]
    checked = 0
    for tau, jet in zip(found, classic_jets, strict=True):
        constituents = constituents_of(jet, sd)
        if len(constituents) > n:
            expected = written_out_tau(constituents, n, beta) / jet.jet.pt()
            assert_allclose(tau, expected, rtol=1e-10, atol=on_axis(beta))
            checked += 1
    assert checked > 40


@pytest.mark.parametrize("sd", GROOMING)
@pytest.mark.parametrize("count", [2, 3])
def test_tau_vanishes_for_as_many_particles_as_axes(particles, jets_of, count, sd):
    event = particles([200.0, 150.0, 100.0][:count], [0.1, 0.4, -0.1][:count], [3.1, -3.1, 3.0][:count])
    jets = jets_of(event)
    assert len(jets.owner) == count
    for suffix, beta in BETA_OF.items():
        for n in (1, 2, 3):
            tau = xaug(jets, f"tau{n}{sd}_{suffix}")[0]
            assert tau <= on_axis(beta) if n >= count else tau > 1e-3, (n, beta)


TWO_PRONGS = [
    pytest.param(300.0, 200.0, 0.4, 0.0, id="in phi"),
    pytest.param(250.0, 250.0, 0.0, 0.5, id="equal, in eta"),
    pytest.param(400.0, 60.0, 0.3, -0.4, id="unequal, diagonal"),
]


def two_particle_jet(particles, jets_of, hard, soft, deta, dphi):
    """A jet of two particles across phi = pi, with its pT and Delta R by hand."""
    event = particles([hard, soft], [0.3, 0.3 + deta], [3.1, wrapped(3.1 + dphi)])
    jets = jets_of(event)
    assert len(jets) == 1
    return jets, vector_sum(event)[0], np.hypot(deta, dphi)


@pytest.mark.parametrize(("hard", "soft", "deta", "dphi"), TWO_PRONGS)
@pytest.mark.parametrize("sd", GROOMING)
def test_tau1_of_two_particles_beta_2(particles, jets_of, hard, soft, deta, dphi, sd):
    """sum pT R^2 is least at the centroid, where it is pT1 pT2 / (pT1 + pT2) * (Delta R)^2."""
    jets, jet_pt, distance = two_particle_jet(particles, jets_of, hard, soft, deta, dphi)
    expected = hard * soft / (hard + soft) * distance**2 / jet_pt
    assert_allclose(xaug(jets, f"tau1{sd}_b20"), expected, rtol=1e-12)


@pytest.mark.parametrize("sd", GROOMING)
def test_tau1_of_two_equal_particles_beta_1(particles, jets_of, sd):
    """With equal pT the sum of pT R is the same wherever the axis lies between the two."""
    jets, jet_pt, distance = two_particle_jet(particles, jets_of, 250.0, 250.0, 0.3, 0.4)
    assert_allclose(xaug(jets, f"tau1{sd}_b10"), 250.0 * distance / jet_pt, rtol=1e-12)


@pytest.mark.parametrize(("hard", "soft", "deta", "dphi"), TWO_PRONGS[::2])
@pytest.mark.parametrize("suffix", ["b05", "b10"])
@pytest.mark.parametrize("sd", GROOMING)
def test_tau1_of_two_particles_beta_up_to_1(particles, jets_of, hard, soft, deta, dphi, suffix, sd):
    """The minimum puts the axis on the harder particle: tau = pT_soft (Delta R)^beta / pT_jet.

    fjcontrib smooths 1/R at its precision p, which leaves the axis off by s <= p^(2 - beta) (Delta R)^(beta - 1)
    from the harder particle, and tau too large by at most pT_hard s^beta.
    """
    beta = BETA_OF[suffix]
    jets, jet_pt, distance = two_particle_jet(particles, jets_of, hard, soft, deta, dphi)
    exact = soft * distance**beta / jet_pt
    smear = FASTJET_PRECISION ** (2 - beta) * distance ** (beta - 1)
    tau = xaug(jets, f"tau1{sd}_{suffix}")[0]
    assert exact * (1 - 1e-12) <= tau <= exact + hard * smear**beta / jet_pt


@pytest.mark.parametrize("sd", GROOMING)
def test_tau1_beta_2_is_the_pt_weighted_variance(sample_jets, classic_jets, sd):
    """For any jet: the best axis is the centroid in (rapidity, phi)."""
    found = xaug(sample_jets, f"tau1{sd}_b20")
    for tau, jet in zip(found, classic_jets, strict=True):
        pt, y, phi = (np.array([getattr(c, m)() for c in constituents_of(jet, sd)]) for m in ("pt", "rap", "phi"))
        phi = wrapped(phi - phi[pt.argmax()])
        variance = sum((pt * (x - np.average(x, weights=pt)) ** 2).sum() for x in (y, phi))
        assert_allclose(tau, variance / jet.jet.pt(), rtol=1e-11)


def test_groomed_tau_is_divided_by_the_ungroomed_pt(particles, jets_of):
    """A soft particle at wide angle is groomed away; it counts in the normalisation."""
    core, soft = particles([300.0, 200.0], 0.0, [0.0, 0.2]), particles(40.0, -0.6, 0.1)
    jets = jets_of(np.concatenate([core, soft]))
    ungroomed, groomed = vector_sum(np.concatenate([core, soft]))[0], vector_sum(core)[0]
    variance = 120.0 * 0.2**2
    assert_allclose(xaug(jets, "tau1_sd_b20"), variance / ungroomed, rtol=1e-12)
    assert ungroomed > 1.07 * groomed
    assert xaug(jets, "tau1_b20")[0] > 2 * xaug(jets, "tau1_sd_b20")[0]


@pytest.mark.parametrize("suffix", ["b10", "b20"])
def test_more_axes_lower_tau(sample_jets, suffix):
    one, two, three = (xaug(sample_jets, f"tau{n}_{suffix}") for n in (1, 2, 3))
    assert np.all(two <= one)
    assert np.all(three <= two)


# --- combinations of taus


def test_beta3_beta3_sd_and_tau21_from_the_taus(sample_jets):
    tau = {name: np.maximum(xaug(sample_jets, name), 1e-6) for name in variables.names("jets", "xaug")[7:25]}
    products = {
        "beta3": tau["tau1_b05"] ** 2 * tau["tau2_b10"] ** 0.5 / tau["tau2_b20"],
        "beta3_sd": tau["tau2_sd_b20"] / (tau["tau1_sd_b05"] * tau["tau2_sd_b10"]),
    }
    for name, product in products.items():
        assert_allclose(xaug(sample_jets, name), np.log(product), rtol=1e-12, atol=1e-12)
    assert_allclose(xaug(sample_jets, "tau21"), tau["tau2_b10"] / tau["tau1_b10"], rtol=1e-13)


def test_vanishing_taus_are_floored(particles, jets_of):
    """Two particles: tau_2 = 0 in every combination; all stay finite, at the documented floor of 1e-6."""
    jets = jets_of(particles([300.0, 200.0], 0.0, [0.0, 0.4]))
    half, one = xaug(jets, "tau1_b05")[0], xaug(jets, "tau1_b10")[0]
    assert_allclose(xaug(jets, "beta3"), 2 * np.log(half) + 0.5 * np.log(1e-6) - np.log(1e-6), rtol=1e-12)
    assert_allclose(xaug(jets, "beta3_sd"), np.log(1e-6) - np.log(half) - np.log(1e-6), rtol=1e-12)
    assert_allclose(xaug(jets, "tau21"), 1e-6 / one, rtol=1e-12)


# --- pull angle


def pull_by_hand(pair, other) -> float:
    """Pull angle of a leading subjet of two massless particles, by the definition, with arccos."""
    pt, y, phi = vector_sum(pair)
    _, y_other, phi_other = vector_sum(other)
    r = np.stack([pair["eta"] - y, wrapped(pair["phi"] - phi)], axis=1)
    pull = (pair["pt"][:, None] * np.linalg.norm(r, axis=1, keepdims=True) * r).sum(axis=0) / pt
    way = np.array([y_other - y, wrapped(phi_other - phi)])
    return float(np.arccos(pull @ way / np.linalg.norm(pull) / np.linalg.norm(way)))


@pytest.mark.parametrize(
    ("softer", "other"),
    [
        pytest.param((0.1, 0.1), (0.1, -0.4), id="towards larger eta and phi"),
        pytest.param((-0.1, 0.05), (0.3, 0.2), id="away"),
        pytest.param((0.0, 0.12), (-0.4, 0.1), id="across"),
        pytest.param((-0.02, -0.1), (-0.45, -0.1), id="oblique"),
        pytest.param((0.12, -0.03), (0.5, 0.0), id="nearly along"),
    ],
)
@pytest.mark.parametrize("phi", [0.3, 3.1, -3.05], ids=["middle", "across pi", "across -pi"])
@pytest.mark.parametrize("eta", [0.0, 1.2])
def test_pull_angle_of_a_two_particle_subjet(particles, jets_of, softer, other, phi, eta):
    pair = particles([250.0, 90.0], [eta, eta + softer[0]], [phi, phi + softer[1]])
    second = particles(120.0, eta + other[0], phi + other[1])
    event = np.concatenate([pair, second])
    event["phi"] = wrapped(event["phi"])
    expected = pull_by_hand(event[:2], event[2:])
    assert 0.05 < expected < np.pi - 0.05  # where arccos is accurate
    for rows in (event, event[::-1]):
        jets = jets_of(rows)
        assert_array_equal(np.bincount(jets.prong_owner), [2])
        assert_allclose(xaug(jets, "pull_angle"), expected, rtol=1e-10)


@pytest.mark.parametrize(("side", "expected"), [(1, 0.0), (-1, np.pi)])
@pytest.mark.parametrize("phi", [0.5, 3.1])
def test_pull_points_to_the_softer_particle(particles, jets_of, side, expected, phi):
    """All on a line in phi: the softer particle of the pair, farther from the axis, wins the pull."""
    event = particles([250.0, 90.0, 120.0], 0.0, [phi, phi + side * 0.1, phi + 0.5])
    assert_allclose(xaug(jets_of(event), "pull_angle"), expected, atol=1e-12)


def test_pull_angle_of_a_one_particle_subjet_is_a_right_angle(particles, jets_of):
    event = particles([300.0, 100.0, 80.0], [0.7, 0.3, 0.35], [3.1, 2.9, 2.95])
    jets = jets_of(event)
    assert_array_equal(np.bincount(jets.prong_owner), [1])
    assert_array_equal(xaug(jets, "pull_angle"), np.pi / 2)


def test_pull_angle_range(sample_jets):
    angle = xaug(sample_jets, "pull_angle")
    assert angle.min() >= 0
    assert angle.max() <= np.pi
    assert angle.std() > 0.5


@pytest.mark.parametrize("name", ["pull_angle", "delta_r_subjets", "z", "softdrop_mass", "mass", "pt"])
def test_invariance_under_rotation_boost_and_reflection(sample, sample_jets, jets_of, boosted, name):
    """Also for massive constituents: all distances are in rapidity."""
    expected = xaug(sample_jets, name)
    for transform in (
        lambda event: boosted(event, 0.7),
        lambda event: _with(event, "phi", event["phi"] + 2.0),
        lambda event: _with(event, "eta", -event["eta"]),
        lambda event: event[::-1],
    ):
        assert_allclose(xaug(jets_of(*map(transform, sample)), name), expected, rtol=1e-9, atol=1e-9)


def _with(event, name, values):
    changed = event.copy()
    changed[name] = values
    return changed


@pytest.mark.parametrize("sd", GROOMING)
def test_taus_are_invariant_under_boosts(sample, sample_jets, jets_of, boosted, sd):
    moved = jets_of(*(boosted(event, -0.9) for event in sample))
    for b, beta in enumerate(BETA_OF.values()):
        assert_allclose(taus(moved, sd)[:, b], taus(sample_jets, sd)[:, b], rtol=1e-9, atol=on_axis(beta))


# --- flavour

IDS = {
    "n_charged_hadrons": {211, -211, 321, -321, 2212},
    "n_neutral_hadrons": {130, -2112, 3122},
    "n_photons": {22},
    "n_electrons": {11},
    "n_muons": {-13},
}
"""The species of the synthetic sample, by kind."""


@pytest.mark.parametrize("name", IDS)
def test_multiplicities_by_explicit_ids(sample, sample_jets, classic_jets, name):
    expected = [
        sum(int(sample[found.event]["id"][c.user_index()]) in IDS[name] for c in found.constituents)
        for found in classic_jets
    ]
    assert_array_equal(xaug(sample_jets, name), expected)
    assert max(expected) > 0


def test_multiplicities_cover_all_constituents(sample_jets):
    total = sum(xaug(sample_jets, name) for name in IDS)
    assert_array_equal(total, np.bincount(sample_jets.owner))


@pytest.fixture
def displaced(particles, jets_of):
    """displaced(id, pt, vx, vy, vz): a jet of two prompt photons and of a few soft particles as given."""

    def make(**columns):
        soft = particles(**{"eta": 0.05, "phi": 0.1, "pt": 5.0, **columns})
        return jets_of(np.concatenate([particles([300.0, 200.0], 0.0, [0.0, 0.4], id=22), soft]))

    return make


@pytest.mark.parametrize(
    ("columns", "dxy", "dz"),
    [
        pytest.param({"vx": 0.3, "vy": 0.4, "vz": 2.0}, np.log(0.5), np.log(2.0), id="pion"),
        pytest.param({"vx": -0.3, "vy": -0.4, "vz": -2.0}, np.log(0.5), np.log(2.0), id="absolute values"),
        pytest.param({"id": -11, "vx": 1.5}, np.log(1.5), FLOOR, id="electron"),
        pytest.param({"id": 13, "vy": 1.5}, np.log(1.5), FLOOR, id="muon"),
        pytest.param({"id": 22, "vx": 0.3, "vz": 2.0}, FLOOR, FLOOR, id="photon does not count"),
        pytest.param({"id": 130, "vx": 0.3, "vz": 2.0}, FLOOR, FLOOR, id="neutral hadron does not count"),
        pytest.param({"pt": 0.99, "vx": 0.3, "vz": 2.0}, FLOOR, FLOOR, id="pT too low"),
        pytest.param({"pt": 1.01, "vx": 0.3, "vz": 2.0}, np.log(0.3), np.log(2.0), id="pT just enough"),
        pytest.param({"vx": 49.9, "vz": 2.0}, np.log(49.9), np.log(2.0), id="dxy just inside"),
        pytest.param({"vx": 30.0, "vy": 40.1, "vz": 2.0}, FLOOR, FLOOR, id="dxy beyond 50 mm, dz neither"),
        pytest.param({"vx": 0.3, "vz": 500.0}, np.log(0.3), np.log(500.0), id="dz has no limit"),
        pytest.param(
            {"vx": [0.2, 0.7, 0.1], "vz": [3.0, 1.0, -4.0]}, np.log(0.7), np.log(4.0), id="maxima of different tracks"
        ),
        pytest.param(
            {"id": [211, 22, -211], "vx": [0.2, 7.0, 60.0], "vz": [0.1, 8.0, 9.0]},
            np.log(0.2),
            np.log(0.1),
            id="the one that qualifies",
        ),
        pytest.param({"vx": 5e-4, "vz": 9e-4}, FLOOR, FLOOR, id="below the floor"),
        pytest.param({"vx": 2e-3, "vz": 1.1e-3}, np.log(2e-3), np.log(1.1e-3), id="above the floor"),
    ],
)
def test_largest_displacement_by_hand(displaced, columns, dxy, dz):
    jets = displaced(**columns)
    assert_allclose(xaug(jets, "dxy_max"), dxy, rtol=1e-12)
    assert_allclose(xaug(jets, "dz_max"), dz, rtol=1e-12)


def test_largest_displacements_of_the_sample(sample, sample_jets, classic_jets):
    """Every jet gets its own maximum, by a plain loop."""
    charged = IDS["n_charged_hadrons"] | IDS["n_electrons"] | IDS["n_muons"]
    dxy, dz = np.full((2, len(classic_jets)), 1e-3)
    for j, found in enumerate(classic_jets):
        for c in found.constituents:
            p = sample[found.event][c.user_index()]
            length = np.sqrt(p["vx"] ** 2 + p["vy"] ** 2)
            if p["id"] in charged and p["pt"] > 1 and length < 50:
                dxy[j], dz[j] = max(dxy[j], length), max(dz[j], abs(p["vz"]))
    assert_allclose(xaug(sample_jets, "dxy_max"), np.log(dxy), rtol=1e-12)
    assert_allclose(xaug(sample_jets, "dz_max"), np.log(dz), rtol=1e-12)
    assert len(set(dxy)) > 20
