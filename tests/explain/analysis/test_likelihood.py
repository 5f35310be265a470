"""The likelihood and symmetry tests on models whose answer is known in closed form."""

from dataclasses import replace

import numpy as np
import pytest

from xaug.core.errors import ConfigurationError
from xaug.explain.analysis.likelihood import likelihood_test, symmetry_test
from xaug.explain.attribution import Attribution

SHIFT = {"a": 1.0, "b": 0.6, "phi": 0.0}
"""Signal is a unit Gaussian around this, background around 0: ln(p_s / p_b) is x * shift - shift**2 / 2."""


def sample(n, seed):
    """Values (2n,) by name, and labels, of n independent events a class."""
    rng = np.random.default_rng(seed)
    label = np.repeat([0, 1], n)
    return {name: rng.normal(label * shift) for name, shift in SHIFT.items()}, label


def attribution(values, label, relevance, target="signal"):
    scores = np.stack([relevance[name] for name in SHIFT], axis=1)
    return Attribution({"xaug": scores}, scores.sum(axis=1), {"xaug": list(SHIFT)}, {"target": target}, label=label)


def exact(values):
    """The parts of the optimal log-odds."""
    return {name: values[name] * shift - shift**2 / 2 for name, shift in SHIFT.items()}


@pytest.fixture(scope="module")
def events():
    return sample(8000, 1)


def test_the_parts_of_the_optimal_log_odds_agree_with_the_data(events):
    values, label = events
    found = likelihood_test(attribution(values, label, exact(values)), values, "a")
    assert found.correlation > 0.98
    assert abs(found.slope - 1) < max(3 * found.slope_error, 0.05)
    centres = 0.5 * (found.edges[1:] + found.edges[:-1])[1:-1]
    pull = (found.log_ratio[1:-1] - (centres - 0.5)) / np.hypot(found.log_ratio_error[1:-1], 0.03)
    assert np.abs(pull).max() < 4
    assert found.counts.sum() == len(label) and (found.counts >= 25).all()
    assert np.isnan(found.correlation_spread)  # one training


@pytest.mark.parametrize(
    "change, correlation, slope",
    [
        (lambda r: r + 3.0, 1.0, 1.0),  # a baseline adds a constant
        (lambda r: 2 * r, 1.0, 2.0),
        (lambda r: -r, -1.0, -1.0),
    ],
)
def test_constants_scales_and_signs(events, change, correlation, slope):
    values, label = events
    changed = {**exact(values), "a": change(exact(values)["a"])}
    reference = likelihood_test(attribution(values, label, exact(values)), values, "a")
    found = likelihood_test(attribution(values, label, changed), values, "a")
    assert found.correlation == pytest.approx(correlation * reference.correlation)
    assert found.slope == pytest.approx(slope * reference.slope)


def test_what_knows_nothing_scores_nothing(events):
    """A random attribution; one that only depends on another variable; none at all."""
    values, label = events
    rng = np.random.default_rng(5)
    for relevance in (rng.normal(size=len(label)), exact(values)["phi"] * 0 + rng.normal(size=len(label)) ** 3):
        found = likelihood_test(attribution(values, label, {**exact(values), "b": relevance}), values, "b")
        assert abs(found.slope) < 4 * found.slope_error
        assert found.correlation_error > 0.1
    zero = likelihood_test(attribution(values, label, {**exact(values), "b": 0 * values["b"]}), values, "b")
    assert np.isnan(zero.correlation) and np.isnan(zero.correlation_error)  # a constant has no correlation
    assert (zero.slope, zero.slope_error) == (0.0, 0.0)


def test_the_lower_edge_as_a_baseline_contradicts_a_peak():
    """Signal is a peak within a wide background: an attribution that grows with x from the lower edge is wrong."""
    rng = np.random.default_rng(2)
    label = np.repeat([0, 1], 6000)
    mass = np.where(label == 1, rng.normal(90, 8, 12000), rng.uniform(50, 150, 12000))
    truth = -0.5 * ((mass - 90) / 8) ** 2 + np.log(100 / np.sqrt(2 * np.pi) / 8)

    def score(relevance):
        one = Attribution(
            {"x": relevance[:, None]}, relevance, {"x": ["mass"]}, {"target": "signal-background"}, label=label
        )
        return likelihood_test(one, {"mass": mass}, "mass", bins=np.arange(50, 151, 5.0)).correlation

    assert score(truth) > 0.95
    assert score(0.02 * (60 - mass)) < 0.7 * score(truth)


def test_errors_are_those_of_repeated_experiments():
    """The bootstrap error of the slope beside the scatter over independent samples."""
    slopes, errors = [], []
    for seed in range(40):
        values, label = sample(1000, 100 + seed)
        found = likelihood_test(attribution(values, label, exact(values)), values, "b", bins=8, samples=60)
        slopes.append(found.slope)
        errors.append(found.slope_error)
    assert 0.6 < np.mean(errors) / np.std(slopes, ddof=1) < 1.6


@pytest.mark.parametrize("n, shift", [(300, 0.5), (2000, 0.3)])
def test_weak_variables_have_the_slope_of_the_exact_answer(n, shift):
    """Errors of the densities dilute the points; the mean slope over samples is 1 all the same."""
    found = []
    for seed in range(30):
        rng = np.random.default_rng(500 + seed)
        label = np.repeat([0, 1], n)
        x = rng.normal(label * shift)
        one = Attribution({"x": (x * shift)[:, None]}, x * shift, {"x": ["x"]}, {"target": "signal"}, label=label)
        test = likelihood_test(one, {"x": x}, "x", samples=40, seed=seed)
        found.append((test.slope, test.slope_error, test.correlation, test.best_correlation))
    slope, error, correlation, best = np.array(found).T
    scatter = slope.std(ddof=1)
    assert abs(slope.mean() - 1) < 3 * scatter / np.sqrt(len(slope))
    assert 0.6 < error.mean() / scatter < 1.6
    assert correlation.mean() == pytest.approx(best.mean(), abs=0.03)
    assert best.mean() < 0.95


def test_a_variable_of_which_the_data_say_nothing_has_no_slope():
    rng = np.random.default_rng(3)
    label = np.repeat([0, 1], 500)
    x = rng.normal(size=1000)
    found = likelihood_test(
        Attribution({"x": x[:, None]}, x, {"x": ["x"]}, {"target": "signal"}, label=label), {"x": x}, "x"
    )  # fmt: skip
    assert np.isnan([found.slope, found.slope_error, found.best_correlation]).all()
    assert np.isfinite([found.correlation, found.correlation_error]).all()


def test_a_constant_has_no_correlation(events):
    """Single precision makes means of one constant differ by rounding between bins."""
    values, label = events
    found = likelihood_test(
        attribution(values, label, {**exact(values), "b": np.full(len(label), 0.3, np.float32)}), values, "b"
    )
    assert np.isnan([found.correlation, found.correlation_error]).all()


@pytest.mark.parametrize("n", [2000, 6000])
def test_weights_are_those_of_another_sample(n):
    """Background is drawn nearer to signal, with the weights that make it the one of the closed form."""
    rng = np.random.default_rng(7)
    label = np.repeat([0, 1], n)
    x = np.where(label == 1, rng.normal(1.0, 1.0, 2 * n), rng.normal(0.5, 1.0, 2 * n))
    weight = np.where(label == 1, 0.01, np.exp(-0.5 * x + 0.125))
    one = Attribution({"x": x[:, None]}, x, {"x": ["x"]}, {"target": "signal"}, label=label, weight=weight)
    found = likelihood_test(one, {"x": x}, "x")
    assert abs(found.slope - 1) < 3 * found.slope_error
    inside = slice(1, -1)
    centres = 0.5 * (found.edges[1:] + found.edges[:-1])[inside]
    pull = (found.log_ratio[inside] - (centres - 0.5)) / np.hypot(found.log_ratio_error[inside], 0.05)
    assert np.abs(pull).max() < 4
    plain = likelihood_test(replace(one, weight=None), {"x": x}, "x")
    assert abs(plain.slope - 1) > 5 * plain.slope_error  # weights matter here
    same = likelihood_test(replace(one, weight=np.where(label == 1, 3.0, 0.5)), {"x": x}, "x")
    assert (same.slope, same.slope_error) == pytest.approx((plain.slope, plain.slope_error))
    assert same.log_ratio_error == pytest.approx(plain.log_ratio_error)


def test_what_does_not_fit_is_refused(events):
    values, label = events
    one = attribution(values, label, exact(values))
    with pytest.raises(ConfigurationError, match="at least 2 samples"):
        likelihood_test(one, values, "a", samples=1)
    with pytest.raises(ConfigurationError, match="another class than the attribution knows for 16000 of 16000"):
        likelihood_test(one, values, "a", label=1 - label)


def test_trainings_are_averaged_and_their_spread_is_given(events):
    values, label = events
    trainings = [
        attribution(values, label, {**exact(values), "a": scale * exact(values)["a"]}) for scale in (0.8, 1.0, 1.2)
    ]
    found = likelihood_test(trainings, values, "a")
    single = [likelihood_test(one, values, "a") for one in trainings]
    assert found.slope == pytest.approx(np.mean([one.slope for one in single]))
    assert found.slope_spread == pytest.approx(np.std([one.slope for one in single], ddof=1))


def test_the_predicted_class_is_turned_towards_signal(events):
    values, label = events
    total = sum(exact(values).values())
    sign = np.where(total > 0, 1.0, -1.0)
    predicted = attribution(values, label, {name: r * sign for name, r in exact(values).items()}, "predicted")
    expected = likelihood_test(attribution(values, label, exact(values)), values, "a")
    found = likelihood_test(predicted, values, "a", scores=[1 / (1 + np.exp(-total))])
    np.testing.assert_allclose(found.attribution, expected.attribution)
    with pytest.raises(ConfigurationError, match="predicted class; give `scores`"):
        likelihood_test(predicted, values, "a")
    flipped = attribution(values, label, {name: -r for name, r in exact(values).items()}, "background")
    np.testing.assert_allclose(likelihood_test(flipped, values, "a").attribution, expected.attribution)


def test_a_variable_that_cannot_matter(events):
    values, label = events
    none = symmetry_test(attribution(values, label, exact(values)), values, "phi")
    assert (none.chi_square, none.share) == (0.0, 0.0)
    rng = np.random.default_rng(3)
    noise = {**exact(values), "phi": rng.normal(size=len(label))}
    found = symmetry_test(attribution(values, label, noise), values, "phi")
    assert found.probability > 1e-3 and found.share < 0.05
    grows = {**exact(values), "phi": 0.2 * values["phi"] + rng.normal(size=len(label))}
    wrong = symmetry_test(attribution(values, label, grows), values, "phi")
    assert wrong.probability < 1e-9
    deviation = attribution(values, label, grows).logit.std()
    assert wrong.share == pytest.approx(0.2 / deviation, rel=0.1)
    assert np.isnan(wrong.share_spread)  # one training


def test_errors_of_shares_are_those_of_repeated_experiments():
    """The bootstrap error beside the scatter over independent samples, and the spread over trainings."""
    shares, errors = [], []
    for seed in range(40):
        values, label = sample(800, 2000 + seed)
        grows = 0.3 * values["phi"] + np.random.default_rng(seed).normal(size=len(label))
        one = attribution(values, label, {**exact(values), "phi": grows})
        found = symmetry_test(one, values, "phi", bins=8, samples=60)
        shares.append(found.share)
        errors.append(found.share_error)
    assert 0.6 < np.mean(errors) / np.std(shares, ddof=1) < 1.6
    several = [
        Attribution(
            {"xaug": k * one.relevance["xaug"]}, one.logit, {"xaug": list(SHIFT)}, {"target": "signal"}, label=label
        )
        for k in (0.8, 1.0, 1.2)
    ]
    single = [symmetry_test(own, values, "phi", bins=8, samples=2).share for own in several]
    assert symmetry_test(several, values, "phi", bins=8, samples=2).share_spread == pytest.approx(
        np.std(single, ddof=1), rel=0.3
    )


def test_probabilities_of_noise_are_uniform():
    found = []
    for seed in range(60):
        values, label = sample(600, 1000 + seed)
        noise = {**exact(values), "phi": np.random.default_rng(seed).normal(size=len(label))}
        found.append(symmetry_test(attribution(values, label, noise), values, "phi", bins=8).probability)
    assert 0.35 < np.mean(found) < 0.65
    assert min(found) > 1e-4


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"variable": "c"}, "variable 'c'"),
        ({"variable": "a", "feature": "c"}, "explained feature 'c'"),
        ({"variable": "a", "least_events": 5000}, "a: 1 bin has 5000 events of both classes, and 3 are needed"),
        ({"variable": "a", "scores": []}, "0 scores for 1 trainings"),
    ],
)
def test_bad_input(events, arguments, message):
    values, label = events
    with pytest.raises(ConfigurationError, match=message):
        likelihood_test(attribution(values, label, exact(values)), values, **arguments)


def test_events_without_a_finite_attribution_and_a_class_that_lacks(events):
    values, label = events
    broken = exact(values)
    broken["a"] = np.where(np.arange(len(label)) < 3, np.nan, broken["a"])
    with pytest.raises(ConfigurationError, match="3 events have an attribution of a that is not finite"):
        likelihood_test(attribution(values, label, broken), values, "a")
    with pytest.raises(ConfigurationError, match="no explained event is background"):
        likelihood_test(attribution(values, np.ones_like(label), exact(values)), values, "a")
    far = {**values, "a": np.where(label == 1, 100.0, -100.0) + values["a"]}
    with pytest.raises(ConfigurationError, match="needed; explain more events"):
        likelihood_test(attribution(far, label, exact(values)), far, "a")
