"""The toy model: closed forms of what it draws, and images by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import integrate, stats

from xaug import variables
from xaug.generate.toy_model import OVERLAPS, Exponential, Normal, Population, draw_jets
from xaug.jets.images import make_images
from xaug.jets.jets import Jets

N = 20000
LIKELY = 1e-3  # least p-value: one seed, some hundred tests
SINGLE = 2e-6  # float32, sums of ten
PARAMETERS = {
    # (overlap, process): theta and z before wrapping, as scipy's distributions
    ("small", "signal"): (stats.norm(0.2, 0.02), stats.norm(0.5, 0.02)),
    ("small", "background"): (stats.expon(scale=0.02), stats.expon(scale=0.02)),
    ("medium", "signal"): (stats.norm(0.2, 0.03), stats.norm(0.5, 0.09)),
    ("medium", "background"): (stats.expon(scale=0.03), stats.expon(scale=0.1)),
    ("large", "signal"): (stats.norm(0.2, 0.05), stats.norm(0.5, 0.12)),
    ("large", "background"): (stats.expon(scale=0.05), stats.expon(scale=0.15)),
    ("table1", "signal"): (stats.norm(0.5, 0.09), stats.norm(0.2, 0.03)),
    ("table1", "background"): (stats.expon(scale=0.01), stats.expon(scale=0.03)),
}
POPULATIONS = pytest.mark.parametrize(("overlap", "process"), PARAMETERS)


@pytest.fixture(scope="module")
def drawn():
    """drawn(overlap, process): {name: (n,) or (n, 10) float64} of all variables, and "image"; drawn once each."""
    found = {}

    def draw(overlap="medium", process="signal"):
        if (overlap, process) not in found:
            arrays = draw_jets(OVERLAPS[overlap][process], np.random.default_rng(4), N)
            assert {name: (a.shape, a.dtype) for name, a in arrays.items()} == {
                "image": ((N, 16, 16, 1), np.float32),
                "list": ((N, 10, 6), np.float32),
                "xaug": ((N, 4), np.float32),
            }
            columns = {"image": arrays["image"]}
            for block in ("xaug", "list"):
                for i, name in enumerate(variables.names("toy", block)):
                    columns[name] = arrays[block][..., i].astype(np.float64)
            found[overlap, process] = columns
        return found[overlap, process]

    return draw


def wrapped(distribution, period):
    """Distribution function on [0, period] of a variable taken modulo the period."""
    turns = np.arange(-3, 60)[:, None] * period
    return lambda x: (distribution.cdf(np.atleast_1d(x) + turns) - distribution.cdf(turns)).sum(axis=0)


def folded(distribution):
    """Distribution function on [1/2, 1] of max(z, 1 - z), z taken modulo 1."""
    inner = wrapped(distribution, 1.0)
    return lambda x: inner(x) - inner(1 - np.asarray(x))


def wrapped_at_half(distribution):
    """Distribution function on [0, 1/2] of theta."""
    return wrapped(distribution, 0.5)


def moments(cdf, low, high):
    """Mean and variance of a distribution on [low, high], by partial integration."""
    x = np.linspace(low, high, 20001)
    mean = high - integrate.simpson(cdf(x), x=x)
    square = high**2 - integrate.simpson(2 * x * cdf(x), x=x)
    return mean, square - mean**2


def assert_distributed(values, cdf, low, high):
    assert values.min() >= low
    assert values.max() <= high
    assert stats.kstest(values, cdf).pvalue > LIKELY
    mean, variance = moments(cdf, low, high)
    fourth = ((values - values.mean()) ** 4).mean()
    assert abs(values.mean() - mean) < 4 * np.sqrt(variance / len(values))
    assert abs(values.var() - variance) < 4 * np.sqrt((fourth - variance**2) / len(values))


# --- distributions


@POPULATIONS
def test_theta_is_wrapped_below_a_half(drawn, overlap, process):
    cdf = wrapped_at_half(PARAMETERS[overlap, process][0])
    assert cdf([0.0, 0.5]) == pytest.approx([0.0, 1.0], abs=1e-9)
    assert_distributed(drawn(overlap, process)["theta"], cdf, 0.0, 0.5)


@POPULATIONS
def test_z_is_wrapped_below_one_and_folded_above_a_half(drawn, overlap, process):
    cdf = folded(PARAMETERS[overlap, process][1])
    assert cdf([0.5, 1.0]) == pytest.approx([0.0, 1.0], abs=1e-9)
    assert_distributed(drawn(overlap, process)["z"], cdf, 0.5, 1.0)


@pytest.mark.parametrize(
    ("theta", "z"),
    [(Normal(0.4, 0.5), Normal(0.7, 0.6)), (Exponential(0.4), Exponential(0.8)), (Exponential(0.8), Normal(-0.2, 0.1))],
)
def test_wide_populations_are_wrapped_more_than_once(theta, z):
    """Where wrapping decides on the shape, as it does not for the populations of the paper."""
    theta_before, z_before = (
        stats.norm(d.mean, d.sigma) if isinstance(d, Normal) else stats.expon(scale=d.scale) for d in (theta, z)
    )
    xaug = draw_jets(Population(theta, z), np.random.default_rng(6), N)["xaug"].astype(np.float64)
    assert_distributed(xaug[:, 0], wrapped_at_half(theta_before), 0.0, 0.5)
    assert_distributed(xaug[:, 1], folded(z_before), 0.5, 1.0)


def test_moments_where_they_are_simple(drawn):
    """The means and variances of the default, by the formulas of textbooks: nothing is wrapped here to 1e-4."""
    signal, background = drawn("medium", "signal"), drawn("medium", "background")
    half_normal = 0.09 * np.sqrt(2 / np.pi), 0.09**2 * (1 - 2 / np.pi)
    for values, mean, variance in (
        (signal["theta"], 0.2, 0.03**2),
        (signal["z"], 0.5 + half_normal[0], half_normal[1]),
        (background["theta"], 0.03, 0.03**2),
        (signal["r1"], 0.375, 0.25**2 / 12),
        (background["r2"], 0.375, 0.25**2 / 12),
    ):
        assert values.mean() == pytest.approx(mean, abs=4 * np.sqrt(variance / N))
        assert values.var() == pytest.approx(variance, rel=0.08)


def test_classes_are_where_the_paper_shows_them(drawn):
    """Figures 13 and 15: background has z > 0.75, the decision is near theta = 0.1; table 1 shows something else."""
    signal, background = drawn("medium", "signal"), drawn("medium", "background")
    assert (background["z"] > 0.75).mean() > 0.9 > 0.02 > (signal["z"] > 0.75).mean()
    assert (signal["theta"] > 0.1).mean() > 0.99 > 0.05 > (background["theta"] > 0.1).mean()
    assert (drawn("table1", "signal")["z"] > 0.75).mean() > 0.9


def test_best_possible_accuracy_is_that_of_the_authors(drawn):
    """With z and theta their networks reach 0.998, which is all that the default populations allow, and no others."""
    best = {}
    for overlap in OVERLAPS:
        right = []
        for process, sign in (("signal", 1), ("background", -1)):
            jets, ratio = drawn(overlap, process), np.zeros(N)
            for name, sum_up, column, low in (("theta", wrapped_at_half, 0, 0.0), ("z", folded, 1, 0.5)):
                edges = np.linspace(low, low + 0.5, 2001)
                place = np.clip(np.searchsorted(edges, jets[name], side="right") - 1, 0, 1999)
                for of, power in (("signal", 1), ("background", -1)):
                    density = np.diff(sum_up(PARAMETERS[overlap, of][column])(edges))
                    ratio += power * np.log(density + 1e-300)[place]
            right.append((sign * ratio > 0).mean())
        best[overlap] = np.mean(right)
    assert best["medium"] == pytest.approx(0.998, abs=0.001)
    assert best["small"] > 0.9998
    assert best["large"] < 0.98
    assert best["table1"] < 0.996


def test_lists_allow_what_z_alone_allows(drawn):
    """z is the sum of the list's z1, while theta is in no column: (1 + half the L1 distance of both densities) / 2."""
    np.testing.assert_allclose(drawn()["z1"].sum(axis=1), drawn()["z"], rtol=1e-5)
    edges = np.linspace(0.5, 1.0, 20001)
    signal, background = (np.diff(folded(PARAMETERS["medium", of][1])(edges)) for of in ("signal", "background"))
    assert (1 + np.abs(signal - background).sum() / 2) / 2 == pytest.approx(0.963, abs=0.0005)


@POPULATIONS
def test_radii_are_uniform(drawn, overlap, process):
    for name in ("r1", "r2"):
        assert_distributed(drawn(overlap, process)[name], stats.uniform(0.25, 0.25).cdf, 0.25, 0.5)


@pytest.mark.parametrize("subjet", [1, 2])
def test_distances_are_exponential_and_wrapped_below_the_radius(drawn, subjet):
    """Against the recipe: exponentials, minus the radius as often as needed."""
    jets = drawn()
    alpha, radius = jets[f"delta_alpha{subjet}"], jets[f"r{subjet}"][:, None]
    assert (alpha >= 0).all()
    assert (alpha < radius).all()
    literal = np.mod(np.random.default_rng(8).exponential(0.5, alpha.shape), radius)
    for k in range(10):
        assert stats.ks_2samp(alpha[:, k], literal[:, k]).pvalue > LIKELY
    # all the same far from the axis, too: shares of the radius, of jets with large ones
    large = radius[:, 0] > 0.45
    shares = [(values / radius)[large].ravel() for values in (alpha, literal)]
    assert stats.ks_2samp(*shares).pvalue > LIKELY


@pytest.mark.parametrize("subjet", [1, 2])
def test_angles_are_uniform(drawn, subjet):
    beta = drawn()[f"delta_beta{subjet}"]
    assert beta.min() >= 0
    assert beta.max() < 2 * np.pi
    for k in range(10):
        assert stats.kstest(beta[:, k], stats.uniform(0, 2 * np.pi).cdf).pvalue > LIKELY


@pytest.mark.parametrize("process", ["signal", "background"])
def test_momentum_fractions_add_up_and_descend(drawn, process):
    jets = drawn("medium", process)
    assert_allclose(jets["z1"].sum(axis=1), jets["z"], rtol=SINGLE)
    assert_allclose(jets["z2"].sum(axis=1), 1 - jets["z"], rtol=SINGLE, atol=1e-9)
    for name in ("z1", "z2"):
        assert (jets[name] >= 0).all()
        assert (np.diff(jets[name], axis=1) <= 0).all()


@pytest.mark.parametrize("subjet", [1, 2])
def test_momentum_fractions_are_sorted_normalised_exponentials(drawn, subjet):
    """Rank by rank against the recipe, and any one of them against the beta distribution that it follows."""
    fractions = drawn()[f"z{subjet}"]
    shares = fractions / fractions.sum(axis=1, keepdims=True)
    rng = np.random.default_rng(9)
    literal = rng.exponential(size=shares.shape)
    literal = -np.sort(-literal / literal.sum(axis=1, keepdims=True), axis=1)
    for k in range(10):
        assert stats.ks_2samp(shares[:, k], literal[:, k]).pvalue > LIKELY
        # two ranks together
        assert stats.ks_2samp(shares[:, 0] - shares[:, k], literal[:, 0] - literal[:, k]).pvalue > LIKELY
    harmonic = np.cumsum(1 / np.arange(10, 0, -1))[::-1] / 10  # the mean of the k-th largest of ten
    assert_allclose(shares.mean(axis=0), harmonic, rtol=0.02)
    anyone = shares[np.arange(N), rng.integers(0, 10, N)]
    assert stats.kstest(anyone, stats.beta(1, 9).cdf).pvalue > LIKELY


def test_nothing_depends_on_anything_else(drawn):
    """But fractions on z, on each other, and distances on their radius: rank correlations of all pairs are noise."""
    jets = drawn()
    columns = [jets[name] for name in ("theta", "z", "r1", "r2")]
    columns += [jets["z1"][:, 0] / jets["z"], jets["z2"][:, 0] / (1 - jets["z"])]
    for i in (1, 2):
        alpha = jets[f"delta_alpha{i}"] / jets[f"r{i}"][:, None]
        # the place within what the radius leaves is uniform
        columns += [*(-np.expm1(-2 * alpha.T * jets[f"r{i}"]) / -np.expm1(-2 * jets[f"r{i}"]))]
        columns += [*jets[f"delta_beta{i}"].T]
    correlation = stats.spearmanr(np.stack(columns, axis=1)).statistic
    np.fill_diagonal(correlation, 0.0)
    assert np.abs(correlation).max() < 5 / np.sqrt(N)


# --- images


def points(jets, i):
    """Positions x, y and momentum fractions of the 20 particles of jet i, from its list."""
    alpha = np.stack([jets["delta_alpha1"][i], jets["delta_alpha2"][i]])
    beta = np.stack([jets["delta_beta1"][i], jets["delta_beta2"][i]])
    y = alpha * np.sin(beta) - np.array([[0.0], [jets["theta"][i]]])
    return (alpha * np.cos(beta)).ravel(), y.ravel(), np.concatenate([jets["z1"][i], jets["z2"][i]])


@pytest.mark.parametrize("process", ["signal", "background"])
def test_images_are_histograms_of_the_list(drawn, process):
    """The subleading axis theta below the centre, a side of one, mirrored where the left half is the heavier."""
    jets = drawn("medium", process)
    edges = np.linspace(-0.5, 0.5, 17)
    compared = mirrored = 0
    for i in range(500):
        x, y, fraction = points(jets, i)
        if np.abs(np.stack([x, y])[..., None] - edges).min() < 1e-6:
            continue  # single precision may put it on the other side of the edge
        image, *_ = np.histogram2d(y, x, bins=[edges, edges], weights=fraction)
        if image[:, :8].sum() > image[:, 8:].sum():
            image, mirrored = image[:, ::-1], mirrored + 1
        assert_allclose(jets["image"][i, ..., 0], image, rtol=SINGLE, atol=1e-9)
        compared += 1
    assert compared > 450
    assert 0.4 < mirrored / compared < 0.6


@POPULATIONS
def test_pixels_hold_what_is_inside_and_the_right_half_is_heavier(drawn, overlap, process):
    jets = drawn(overlap, process)
    image = jets["image"].astype(np.float64)[..., 0]
    assert (image >= 0).all()
    y2 = jets["delta_alpha2"] * np.sin(jets["delta_beta2"]) - jets["theta"][:, None]
    below = y2 < -0.5
    clear = np.abs(y2 + 0.5).min(axis=1) > 1e-6
    inside = jets["z"] + np.where(below, 0, jets["z2"]).sum(axis=1)
    assert_allclose(image.sum(axis=(1, 2))[clear], inside[clear], rtol=SINGLE)
    assert (image[:, :, 8:].sum(axis=(1, 2)) >= image[:, :, :8].sum(axis=(1, 2)) - SINGLE).all()


def test_second_subjet_shows_in_signal_only(drawn):
    """Figure 4: a disjoint subjet below the centre in signal, at theta = 0.2 or 3.2 pixels; none in background."""
    excess = {}  # of the lower half over the upper one: the leading subjet is the same above and below
    for name in ("signal", "background"):
        rows = drawn("medium", name)["image"].mean(axis=(0, 2, 3))
        excess[name] = rows[:8] - rows[:7:-1]
    assert np.argmax(excess["signal"]) == 4
    assert np.abs(excess["background"][:7]).max() < 0.1 * excess["signal"][4]


def test_images_are_those_of_jets_with_subjets_as_far_apart():
    """At theta = 0.25 the window of toy jets is the one of real jets, [-2, 2] subjet distances."""
    n, theta = 400, 0.25
    arrays = draw_jets(Population(Normal(theta, 0.0), Normal(0.5, 0.1)), np.random.default_rng(5), n)
    jets = {name: arrays["list"][..., i].astype(float) for i, name in enumerate(variables.names("toy", "list"))}
    jets["theta"] = arrays["xaug"][:, 0].astype(float)
    x, y, fraction = (np.concatenate(v) for v in zip(*(points(jets, i) for i in range(n)), strict=True))
    one, none = np.ones(n), np.zeros(n)
    subjets = np.zeros((n, 2))
    real = Jets(
        event=np.arange(n), pt=one, eta=none, rapidity=none, phi=none, mass=none, softdrop_mass=none,
        subjet_pt=subjets, subjet_rapidity=subjets, subjet_eta=subjets, subjet_phi=subjets - [0.0, theta],
        tau=np.zeros((n, 2, 3, 3)), jet_index=np.repeat(np.arange(n), 20),
        leading_subjet_jet_index=np.arange(0), leading_subjet={},
        constituents={"rapidity": x, "phi": y, "pt": fraction},
    )  # fmt: skip
    different = np.abs(make_images(real) - arrays["image"]).max(axis=(1, 2, 3)) > SINGLE
    assert different.mean() < 0.01  # where rounding decides on the pixel
    assert arrays["image"].sum() > 0.9 * n
