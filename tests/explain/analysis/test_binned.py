"""Profiles and maps against SciPy and NumPy, by class, with empty bins, constants and bad input."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binned_statistic, binned_statistic_2d

from xaug.core.errors import ConfigurationError
from xaug.explain import Attribution, profile, profiles, relevance_map, score_map
from xaug.explain.analysis.binning import bin_edges
from xaug.explain.analysis.relevance import feature_relevance, signed_relevance

N = 3000
NAMES = ["a", "b", "n", "same"]


@pytest.fixture(scope="module")
def values():
    """A normal, a long-tailed, an integer and a constant variable."""
    rng = np.random.default_rng(0)
    return {
        "a": rng.normal(80, 12, N),
        "b": rng.exponential(2.0, N),
        "n": rng.poisson(3.0, N).astype(np.float32),
        "same": np.full(N, 7.0),
    }


def explained(training, target="predicted", n=N):
    rng = np.random.default_rng(100 + training)
    relevance = {"image": rng.normal(size=(n, 4, 4, 1)), "xaug": rng.normal(0.3, 1, (n, 4))}
    relevance["xaug"][:, 3] = 0.0  # a constant variable scales to 0
    variables = {"image": ["image"], "xaug": NAMES}
    label = (np.arange(n) % 3 == 0).astype(np.int8)
    return Attribution(relevance, np.ones(n), variables, {"method": "lrp", "target": target}, np.arange(n), label)


@pytest.fixture(scope="module")
def trainings():
    return [explained(i) for i in range(3)]


@pytest.mark.parametrize("signed", [True, False], ids=["signed", "absolute"])
@pytest.mark.parametrize("name", NAMES)
def test_counts_bring_back_the_overall_mean(trainings, values, name, signed):
    """Per class, for any binning, the tails included."""
    found = profile(trainings, values, name, signed=signed)
    of = signed_relevance if signed else feature_relevance
    for label in (0, 1):
        chosen = trainings[0].label == label
        assert found.counts[label].sum() == chosen.sum()
        overall = np.mean([of(a).loc[chosen, name].mean() for a in trainings])
        filled = found.counts[label] > 0
        mean = np.average(found.mean[label, filled], weights=found.counts[label, filled])
        assert mean == pytest.approx(overall, abs=1e-12)


def test_profile_agrees_with_scipy(trainings, values):
    edges = np.linspace(20, 140, 13)
    found = profile(trainings, values, "image", "a", bins=edges)
    relevance = np.array([signed_relevance(a)["image"] for a in trainings])
    for label in (0, 1):
        chosen = trainings[0].label == label
        inside = values["a"][chosen]
        mean = binned_statistic(inside, relevance[:, chosen], "mean", edges)[0]
        np.testing.assert_allclose(found.training_mean[:, label], mean, rtol=1e-10)
        pooled = np.tile(inside, 3), relevance[:, chosen].ravel()
        np.testing.assert_allclose(found.mean[label], binned_statistic(*pooled, "mean", edges)[0], rtol=1e-10)
        np.testing.assert_allclose(found.rms[label], binned_statistic(*pooled, "std", edges)[0], rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(found.training_rms[label], np.std(mean, axis=0, ddof=1), rtol=1e-8, atol=1e-12)
    assert (found.variable, found.feature) == ("a", "image")


def test_whole_weights_are_repeated_events(trainings, values):
    weight = np.random.default_rng(4).integers(0, 4, N)
    rows = np.repeat(np.arange(N), weight)
    weighted = [replace(one, weight=weight.astype(float)) for one in trainings]
    repeated = [
        replace(
            one, relevance={name: own[rows] for name, own in one.relevance.items()}, logit=one.logit[rows],
            label=one.label[rows],
        )
        for one in trainings
    ]  # fmt: skip
    again = {name: own[rows] for name, own in values.items()}
    edges = [50, 70, 80, 90, 110]
    one, other = profile(weighted, values, "a", bins=edges), profile(repeated, again, "a", bins=edges)
    for name in ("mean", "rms", "training_mean"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-9)
    assert one.counts.sum() == N
    cells = (edges, [0, 1, 2, 4])
    one, other = (relevance_map(t, v, "a", "b", bins=cells) for t, v in ((weighted, values), (repeated, again)))
    np.testing.assert_allclose(one.mean, other.mean, rtol=1e-9)


def test_tails_are_in_the_outer_bins(trainings, values):
    found = profile(trainings[0], values, "a", bins=[70, 80, 90])
    above = values["a"] >= 80
    assert found.counts.sum(axis=0).tolist() == [(~above).sum(), above.sum()]


def test_all_profiles_are_the_single_ones(trainings, values):
    found = profiles(trainings, values)
    assert list(found) == NAMES
    for name in NAMES:
        np.testing.assert_array_equal(found[name].mean, profile(trainings, values, name).mean)


def test_constant_variable_and_empty_class(trainings, values):
    found = profile(trainings, values, "same")
    assert found.edges.tolist() == [6.5, 7.5]
    assert (found.mean == 0).all()
    assert (found.rms == 0).all()
    unknown = [replace(one, label=None) for one in trainings]
    alone = profile(unknown, values, "a", label=np.zeros(N, int))
    assert np.isnan(alone.mean[1]).all()
    assert alone.counts[1].sum() == 0
    assert np.isfinite(alone.mean[0]).any()


def test_automatic_edges(values):
    np.testing.assert_allclose(bin_edges(values["n"])[:3], [-0.5, 0.5, 1.5])
    edges = bin_edges(values["b"], 20)
    assert len(edges) == 21
    outside = (values["b"] < edges[0]) | (values["b"] > edges[-1])
    assert 0.005 < outside.mean() < 0.011
    spike = np.zeros(1000)
    spike[0] = 2.5  # quantiles coincide: the range is the whole one
    assert bin_edges(spike)[[0, -1]].tolist() == [0, 2.5]


def test_maps_agree_with_scipy(trainings, values):
    x, y = np.linspace(50, 110, 7), np.linspace(0, 6, 5)
    found = relevance_map(trainings, values, "a", "b", bins=(x, y))
    sign = np.where(trainings[0].label == 1, 1, -1)
    relevance = [sign * signed_relevance(a)[["a", "b"]].sum(axis=1).to_numpy() for a in trainings]
    expected = binned_statistic_2d(values["a"], values["b"], relevance, "mean", (x, y))[0]
    np.testing.assert_allclose(found.training_mean, expected, rtol=1e-9)
    np.testing.assert_allclose(found.mean, expected.mean(axis=0), rtol=1e-9)
    for label in (0, 1):
        chosen = trainings[0].label == label
        counts = np.histogram2d(values["a"][chosen], values["b"][chosen], (x, y))[0]
        np.testing.assert_array_equal(found.counts[label], counts)


def test_map_with_edges_on_values_follows_numpy():
    """Lower edges belong to a bin, the upper edge of all to the last: as in numpy.histogram2d."""
    grid = np.stack(np.meshgrid(np.arange(5.0), np.arange(4.0)), -1).reshape(-1, 2)
    edges = [0, 1, 3]
    found = score_map([np.ones(20)], np.zeros(20, int), {"x": grid[:, 0], "y": grid[:, 1]}, "x", "y", bins=edges)
    np.testing.assert_array_equal(found.counts[0], np.histogram2d(*grid.T, (edges, edges))[0])


def test_score_map(values):
    rng = np.random.default_rng(1)
    scores, label = rng.random((2, N)), rng.integers(0, 2, N)
    found = score_map(scores, label, values, "a", "n", bins=8)
    expected = binned_statistic_2d(
        values["a"], values["n"], scores.mean(axis=0), "mean", (found.x_edges, found.y_edges)
    )
    np.testing.assert_allclose(found.mean, expected[0], rtol=1e-9)


def test_sign_of_a_map_follows_the_explained_class(values):
    """The relevance for background counts as negative; for the predicted class the score says which it is."""
    edges = ([-1e9, 1e9], [-1e9, 1e9])
    signal, background, predicted = (explained(0, target) for target in ("signal", "background", "predicted"))
    total = signed_relevance(signal)["a"].to_numpy()

    def one_cell(attribution, **options):
        return relevance_map(attribution, values, "a", "b", "a", bins=edges, **options).mean[0, 0]

    assert one_cell(signal) == pytest.approx(total.mean())
    assert one_cell(background) == pytest.approx(-total.mean())
    score = np.random.default_rng(2).random(N)
    assert one_cell(predicted, scores=[score]) == pytest.approx((total * np.where(score > 0.5, 1, -1)).mean())
    with pytest.raises(ConfigurationError, match="target 0"):
        one_cell(explained(0, 0))


def test_bad_input(trainings, values):
    with pytest.raises(ConfigurationError, match="did you mean 'image'"):
        profile(trainings, values, "imag", "a")
    with pytest.raises(ConfigurationError, match="unknown variable 'c'"):
        profile(trainings, values, "a", "c")
    with pytest.raises(ConfigurationError, match="a has 3 values for 3000"):
        profile(trainings, {"a": np.ones(3)}, "a")
    with pytest.raises(ConfigurationError, match="not finite"):
        profile(trainings, {"a": np.full(N, np.nan)}, "a")
    with pytest.raises(ConfigurationError, match="must increase"):
        profile(trainings, values, "a", bins=[1, 1, 2])
    with pytest.raises(ConfigurationError, match="at least one is needed"):
        profile(trainings, values, "a", bins=0)
    with pytest.raises(ConfigurationError, match="2 scores for 3"):
        relevance_map(trainings, values, "a", "b", scores=[np.ones(N)] * 2)
    with pytest.raises(ConfigurationError, match="explain the same events"):
        profile([explained(0), explained(0, n=5)], values, "a")
    nameless = Attribution({"xaug": np.ones((2, 1))}, np.ones(2), {"xaug": ["a"]}, {})
    with pytest.raises(ConfigurationError, match="give `label`"):
        profile(nameless, {"a": np.ones(2)}, "a")
    with pytest.raises(ConfigurationError, match="0 or 1"):
        profile(nameless, {"a": np.ones(2)}, "a", label=[0, 2])
