"""Deletion and insertion curves, on networks whose curves are known in closed form."""

import keras
import numpy as np
import pytest
from keras import layers

from xaug.core.errors import ConfigurationError
from xaug.explain import integrated_gradients, lrp
from xaug.explain.attribution import Attribution
from xaug.explain.faithfulness import REPLACEMENTS, deletion_curves
from xaug.explain.groups import FeatureGroups, read_groups

W = np.array([2.0, -1.0, 0.5, 0.0, 1.5])
NAMES = {"event": ["a", "b", "c", "d", "e"]}
ZERO = {"event": np.zeros((1, 5), np.float32)}


@pytest.fixture(scope="module")
def model():
    """Log-odds W x."""
    x = keras.Input((5,), name="event")
    found = keras.Model(x, layers.Dense(2, activation="softmax", use_bias=False)(x))
    found.layers[-1].set_weights([np.stack([0 * W, W], axis=1)])
    return found


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).normal(0.3, 1.0, (400, 5)).astype(np.float32)


def attribution(x, relevance, target="signal"):
    return Attribution({"event": relevance}, x @ W, NAMES, {"method": "made up", "target": target})


def exact_curves(x, relevance):
    """Normalised deletion and insertion curves of a linear network from zero, event by event with plain sorting."""
    f = x @ W
    sign = np.where(f >= 0, 1, -1)
    deletion, insertion = np.zeros((2, 6))
    for event, s, r in zip(x, sign, relevance, strict=True):
        order = np.argsort(-s * r)
        terms = s * (W * event)[order]
        insertion += np.r_[0, np.cumsum(terms)]
        deletion += terms.sum() - np.r_[0, np.cumsum(terms)]
    return deletion / np.abs(f).sum(), insertion / np.abs(f).sum()


def test_a_linear_network_follows_its_terms(model, x):
    found = deletion_curves(model, x, attribution(x, W * x), ZERO, replacement="blank")
    deletion, insertion = exact_curves(x, W * x)
    np.testing.assert_allclose(found.fraction, np.arange(6) / 5)
    np.testing.assert_allclose(found.normalised(found.deletion), deletion, atol=1e-5)
    np.testing.assert_allclose(found.normalised(found.insertion), insertion, atol=1e-5)
    area = [0.2 * (c.sum() - 0.5 * (c[0] + c[-1])) for c in (deletion, insertion)]
    assert [found.deletion_area, found.insertion_area] == pytest.approx(area, abs=1e-5)
    assert found.gain == pytest.approx(area[1] - area[0], abs=1e-5)


@pytest.mark.parametrize("replacement", REPLACEMENTS)
def test_chance_is_zero_and_the_oracle_is_best(model, x, replacement):
    """Of an additive network the order of its terms is the best of all orders, and the reverse is the worst."""
    background = {"event": np.random.default_rng(1).normal(0, 1, (60, 5)).astype(np.float32)}
    others = 0 * x if replacement == "blank" else background["event"].mean(axis=0)

    def gain(relevance, seed=0):
        found = deletion_curves(model, x, attribution(x, relevance), background, replacement=replacement, seed=seed)
        return found.gain, found.errors[2]

    best, _ = gain(W * (x - others))
    worst, _ = gain(-W * (x - others))
    rng = np.random.default_rng(2)
    random = [gain(rng.normal(size=x.shape)) for _ in range(8)]
    mean = np.mean([one for one, _ in random])
    assert best > 0.3 and worst < -0.3
    assert abs(mean) < 4 * random[0][1] / np.sqrt(8) + 0.01
    assert all(best > one + 3 * error for one, error in random)


def test_errors_are_those_of_repeated_experiments(model):
    gains, errors = [], []
    for seed in range(25):
        own = np.random.default_rng(100 + seed).normal(0.3, 1.0, (150, 5)).astype(np.float32)
        noisy = W * own + np.random.default_rng(seed).normal(0, 1, own.shape)
        found = deletion_curves(model, own, attribution(own, noisy), ZERO, replacement="blank")
        gains.append(found.gain)
        errors.append(found.errors[2])
    assert 0.6 < np.mean(errors) / np.std(gains, ddof=1) < 1.6


def test_methods_with_other_targets_are_compared_by_one_number(model, x):
    """The log-odds of the predicted class, whether signal, background or the predicted class was explained."""
    areas = []
    for target, sign in (("signal", 1), ("background", -1), ("predicted", np.sign(x @ W))):
        relevance = (W * x) * np.reshape(sign, (-1, 1))
        own = Attribution({"event": relevance}, sign * (x @ W), NAMES, {"target": target})
        areas.append(deletion_curves(model, x, own, ZERO, replacement="blank").deletion_area)
    assert areas == pytest.approx([areas[0]] * 3, abs=1e-6)


def test_the_methods_of_the_package_can_be_tested(model, x):
    ig = integrated_gradients(model, x, np.zeros((1, 5), np.float32), variables=NAMES)
    own = lrp(model, x, target="signal", rule="epsilon", variables=NAMES)
    gains = [deletion_curves(model, x, one, ZERO, replacement="blank").gain for one in (ig, own)]
    best = deletion_curves(model, x, attribution(x, W * x), ZERO, replacement="blank").gain
    assert gains == pytest.approx([best, best], abs=1e-4)


def test_nearest_events_agree_in_what_is_left(model):
    """With copies a = b, a deleted b comes from an event of the same a."""
    rng = np.random.default_rng(3)
    value = rng.normal(size=500)
    copies = np.stack([value, value, *rng.normal(size=(3, 500)) * 0], axis=1).astype(np.float32)
    groups = read_groups("features", {"event": (5,)}, NAMES)
    using = REPLACEMENTS["nearest"](groups, {"event": copies}, np.full(500, 1 / 500))
    kept = np.tile([True, False, True, True, True], (50, 1))
    new = using.values({"event": copies[:50]}, kept, rng.random(50))["event"]
    assert np.abs(new[:, 1] - copies[:50, 0]).max() < 0.5
    assert np.median(np.abs(new[:, 1] - copies[:50, 0])) < 0.02


def test_each_number_can_be_a_group(model, x):
    found = deletion_curves(model, x, attribution(x, W * x), ZERO, replacement="blank", groups="elements")
    same = deletion_curves(model, x, attribution(x, W * x), ZERO, replacement="blank")
    np.testing.assert_allclose(found.deletion, same.deletion)
    two = deletion_curves(
        model, x, attribution(x, W * x), ZERO, replacement="blank", groups={"one": ["a", "b"], "rest": ["c", "d", "e"]}
    )
    assert two.fraction.tolist() == [0, 0.5, 1]


@pytest.mark.parametrize(
    "groups, message",
    [({"one": ["a", "b"], "two": ["b", "c", "d", "e"]}, "overlap"), ({"one": ["a", "b"]}, "leave out .*c, d, e")],
)
def test_groups_that_overlap_or_leave_inputs_out_are_refused(model, x, groups, message):
    with pytest.raises(ConfigurationError, match=message):
        deletion_curves(model, x, attribution(x, W * x), ZERO, replacement="blank", groups=groups)


def test_bad_input_is_refused(model, x):
    good = attribution(x, W * x)
    other = Attribution({"event": W * x}, x @ W + 3, NAMES, {"target": "signal"})
    for own, inputs, options, message in (
        (other, x, {}, "does not belong to this model"),
        (good, x[:10], {}, "400 events, and 10 inputs"),
        (good, x, {"replacement": "blnak"}, "blank"),
        (good, x, {"groups": "pixel"}, "features"),
        (good, x, {"points": 0}, "at least one"),
        (good, x, {"replacement": "mean", "weights": -np.ones(1)}, "none negative"),
        (attribution(x, W * x, "one per event"), x, {}, "one target"),
        (attribution(x, W * x * np.where(x == x[3, 0], np.nan, 1)), x, {}, "not finite"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            deletion_curves(model, inputs, own, ZERO, **{"replacement": "blank", **options})
    holes = FeatureGroups(("one", "two"), {"event": np.array([0, 0, 1, -1, 1])})
    with pytest.raises(ConfigurationError, match=r"numbered 0 to 1, .* of groups -1, 0, 1"):
        deletion_curves(model, x, good, ZERO, replacement="blank", groups=holes)
    with pytest.raises(ConfigurationError, match="background sample: input 'event' holds NaN"):
        deletion_curves(model, x, good, {"event": np.full((1, 5), np.nan)}, replacement="mean")
    with pytest.raises(ConfigurationError, match="lacks input"):
        deletion_curves(model, x, good, {"other": x})
