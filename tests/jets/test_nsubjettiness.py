"""N-subjettiness and the combinations of taus: direct calls of fastjet, the definition written out, closed forms."""

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


@pytest.fixture
def taus(xaug):
    """The columns tau{N}{sd}_{beta} as (n, beta, N)."""

    def columns(jets, sd: str) -> np.ndarray:
        found = [[xaug(jets, f"tau{n}{sd}_{suffix}") for n in (1, 2, 3)] for suffix in BETA_OF]
        return np.moveaxis(np.array(found), -1, 0)

    return columns


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


@pytest.fixture
def written_out_tau(wrapped):
    """sum pT min(Delta R)^beta, from its definition: no call to fastjet's N-subjettiness.

    Axes start at the exclusive kT jets with winner-take-all recombination and are improved by Weiszfeld
    steps in the (rapidity, phi) plane until they move less than fjcontrib's accuracy.
    """

    def compute(constituents, n: int, beta: float) -> float:
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

    return compute


def constituents_of(found, sd: str):
    return found.groomed.constituents() if sd else found.constituents


def on_axis(beta: float) -> float:
    """What a particle on its axis adds to tau by rounding alone: (Delta R)^beta of a Delta R of some 1e-15."""
    return 1e-14**beta


@pytest.mark.parametrize("sd", GROOMING)
def test_all_taus_against_direct_calls(taus, sample_jets, classic_jets, sd):
    """Both the groomed and the ungroomed taus are divided by the ungroomed jet pT."""
    expected = np.array([direct_taus(constituents_of(c, sd), c.jet.pt()) for c in classic_jets])
    found = taus(sample_jets, sd)
    for b, beta in enumerate(BETA_OF.values()):
        assert_allclose(found[:, b], expected[:, b], rtol=1e-9, atol=on_axis(beta))
    assert_array_equal(found, sample_jets.tau[:, GROOMING[sd]])


@pytest.mark.parametrize("sd", GROOMING)
@pytest.mark.parametrize("suffix", BETA_OF)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_tau_against_its_definition_written_out(xaug, written_out_tau, sample_jets, classic_jets, n, suffix, sd):
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
def test_tau_vanishes_for_as_many_particles_as_axes(xaug, particles, jets_of, count, sd):
    event = particles([200.0, 150.0, 100.0][:count], [0.1, 0.4, -0.1][:count], [3.1, -3.1, 3.0][:count])
    jets = jets_of(event)
    assert len(jets.jet_index) == count
    for suffix, beta in BETA_OF.items():
        for n in (1, 2, 3):
            tau = xaug(jets, f"tau{n}{sd}_{suffix}")[0]
            assert tau <= on_axis(beta) if n >= count else tau > 1e-3, (n, beta)


TWO_PRONGS = [
    pytest.param(300.0, 200.0, 0.4, 0.0, id="in phi"),
    pytest.param(250.0, 250.0, 0.0, 0.5, id="equal, in eta"),
    pytest.param(400.0, 60.0, 0.3, -0.4, id="unequal, diagonal"),
]


@pytest.fixture
def two_particle_jet(particles, jets_of, wrapped, vector_sum):
    """A jet of two particles across phi = pi, with its pT and Delta R by hand."""

    def make(hard, soft, deta, dphi):
        event = particles([hard, soft], [0.3, 0.3 + deta], [3.1, wrapped(3.1 + dphi)])
        jets = jets_of(event)
        assert len(jets) == 1
        return jets, vector_sum(event)[0], np.hypot(deta, dphi)

    return make


@pytest.mark.parametrize(("hard", "soft", "deta", "dphi"), TWO_PRONGS)
@pytest.mark.parametrize("sd", GROOMING)
def test_tau1_of_two_particles_beta_2(xaug, two_particle_jet, hard, soft, deta, dphi, sd):
    """sum pT R^2 is least at the centroid, where it is pT1 pT2 / (pT1 + pT2) * (Delta R)^2."""
    jets, jet_pt, distance = two_particle_jet(hard, soft, deta, dphi)
    expected = hard * soft / (hard + soft) * distance**2 / jet_pt
    assert_allclose(xaug(jets, f"tau1{sd}_b20"), expected, rtol=1e-12)


@pytest.mark.parametrize("sd", GROOMING)
def test_tau1_of_two_equal_particles_beta_1(xaug, two_particle_jet, sd):
    """With equal pT the sum of pT R is the same wherever the axis lies between the two."""
    jets, jet_pt, distance = two_particle_jet(250.0, 250.0, 0.3, 0.4)
    assert_allclose(xaug(jets, f"tau1{sd}_b10"), 250.0 * distance / jet_pt, rtol=1e-12)


@pytest.mark.parametrize(("hard", "soft", "deta", "dphi"), TWO_PRONGS[::2])
@pytest.mark.parametrize("suffix", ["b05", "b10"])
@pytest.mark.parametrize("sd", GROOMING)
def test_tau1_of_two_particles_beta_up_to_1(xaug, two_particle_jet, hard, soft, deta, dphi, suffix, sd):
    """The minimum puts the axis on the harder particle: tau = pT_soft (Delta R)^beta / pT_jet.

    fjcontrib smooths 1/R at its precision p, which leaves the axis off by s <= p^(2 - beta) (Delta R)^(beta - 1)
    from the harder particle, and tau too large by at most pT_hard s^beta.
    """
    beta = BETA_OF[suffix]
    jets, jet_pt, distance = two_particle_jet(hard, soft, deta, dphi)
    exact = soft * distance**beta / jet_pt
    smear = FASTJET_PRECISION ** (2 - beta) * distance ** (beta - 1)
    tau = xaug(jets, f"tau1{sd}_{suffix}")[0]
    assert exact * (1 - 1e-12) <= tau <= exact + hard * smear**beta / jet_pt


@pytest.mark.parametrize("sd", GROOMING)
def test_tau1_beta_2_is_the_pt_weighted_variance(xaug, wrapped, sample_jets, classic_jets, sd):
    """For any jet: the best axis is the centroid in (rapidity, phi)."""
    found = xaug(sample_jets, f"tau1{sd}_b20")
    for tau, jet in zip(found, classic_jets, strict=True):
        pt, y, phi = (np.array([getattr(c, m)() for c in constituents_of(jet, sd)]) for m in ("pt", "rap", "phi"))
        phi = wrapped(phi - phi[pt.argmax()])
        variance = sum((pt * (x - np.average(x, weights=pt)) ** 2).sum() for x in (y, phi))
        assert_allclose(tau, variance / jet.jet.pt(), rtol=1e-11)


def test_groomed_tau_is_divided_by_the_ungroomed_pt(xaug, vector_sum, particles, jets_of):
    """A soft particle at wide angle is groomed away; it counts in the normalisation."""
    core, soft = particles([300.0, 200.0], 0.0, [0.0, 0.2]), particles(40.0, -0.6, 0.1)
    jets = jets_of(np.concatenate([core, soft]))
    ungroomed, groomed = vector_sum(np.concatenate([core, soft]))[0], vector_sum(core)[0]
    variance = 120.0 * 0.2**2
    assert_allclose(xaug(jets, "tau1_sd_b20"), variance / ungroomed, rtol=1e-12)
    assert ungroomed > 1.07 * groomed
    assert xaug(jets, "tau1_b20")[0] > 2 * xaug(jets, "tau1_sd_b20")[0]


@pytest.mark.parametrize("suffix", ["b10", "b20"])
def test_more_axes_lower_tau(xaug, sample_jets, suffix):
    one, two, three = (xaug(sample_jets, f"tau{n}_{suffix}") for n in (1, 2, 3))
    assert np.all(two <= one)
    assert np.all(three <= two)


@pytest.mark.parametrize("sd", GROOMING)
def test_taus_are_invariant_under_boosts(taus, sample, sample_jets, jets_of, boosted, sd):
    moved = jets_of(*(boosted(event, -0.9) for event in sample))
    for b, beta in enumerate(BETA_OF.values()):
        assert_allclose(taus(moved, sd)[:, b], taus(sample_jets, sd)[:, b], rtol=1e-9, atol=on_axis(beta))


# --- combinations of taus


def test_beta3_beta3_sd_and_tau21_from_the_taus(xaug, sample_jets):
    tau = {name: np.maximum(xaug(sample_jets, name), 1e-6) for name in variables.names("jets", "xaug")[7:25]}
    products = {
        "beta3": tau["tau1_b05"] ** 2 * tau["tau2_b10"] ** 0.5 / tau["tau2_b20"],
        "beta3_sd": tau["tau2_sd_b20"] / (tau["tau1_sd_b05"] * tau["tau2_sd_b10"]),
    }
    for name, product in products.items():
        assert_allclose(xaug(sample_jets, name), np.log(product), rtol=1e-12, atol=1e-12)
    assert_allclose(xaug(sample_jets, "tau21"), tau["tau2_b10"] / tau["tau1_b10"], rtol=1e-13)


def test_vanishing_taus_are_floored(xaug, particles, jets_of):
    """Two particles: tau_2 = 0 in every combination; all stay finite, at the documented floor of 1e-6."""
    jets = jets_of(particles([300.0, 200.0], 0.0, [0.0, 0.4]))
    half, one = xaug(jets, "tau1_b05")[0], xaug(jets, "tau1_b10")[0]
    assert_allclose(xaug(jets, "beta3"), 2 * np.log(half) + 0.5 * np.log(1e-6) - np.log(1e-6), rtol=1e-12)
    assert_allclose(xaug(jets, "beta3_sd"), np.log(1e-6) - np.log(half) - np.log(1e-6), rtol=1e-12)
    assert_allclose(xaug(jets, "tau21"), 1e-6 / one, rtol=1e-12)
