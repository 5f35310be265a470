"""Occlusion, permutation and Shapley values against their definitions, written out for small models."""

from itertools import permutations as orders

import keras
import numpy as np
import pytest
from keras import layers

import xaug
from xaug.core.errors import ConfigurationError
from xaug.explain import Sample
from xaug.explain.groups import read_groups

SHAPES = {"xaug": (3,), "list": (4, 2), "image": (5, 5, 1)}
NAMES = {"xaug": ["pt", "mass", "eta"], "list": ["a", "b"], "image": []}


@pytest.fixture(scope="module")
def model(randomised):
    """A vector, a list and an image, joined by a dense layer."""
    inputs = [keras.Input(shape, name=name) for name, shape in SHAPES.items()]
    h = layers.Concatenate()([layers.Flatten()(one) for one in inputs])
    h = layers.Dense(8, "tanh")(h)
    return randomised(keras.Model(inputs, layers.Dense(2, "softmax")(h)), scale=2.0)


@pytest.fixture(scope="module")
def x(model, random_inputs):
    return random_inputs(model, 4, 1)


@pytest.fixture(scope="module")
def baselines(model, random_inputs):
    return random_inputs(model, 3, 2)


def log_odds(model, x):
    p = model(list(x.values())).numpy().astype(np.float64)
    return np.log(p[:, 1] / p[:, 0])


def elements(group):
    """Places of the groups of kind "features" by name."""
    if group in NAMES["xaug"]:
        return [("xaug", np.s_[..., NAMES["xaug"].index(group)])]
    return [(group, np.s_[...])]


GROUPS = ("pt", "mass", "eta", "list", "image")


def v(model, x, event, baseline, kept):
    """f of one event, with all groups that are not kept from a baseline."""
    mixed = {name: values.copy() for name, values in baseline.items()}
    for group in kept:
        for name, place in elements(group):
            mixed[name][place] = x[name][event][place]
    return log_odds(model, {name: values[None] for name, values in mixed.items()})[0]


def of_groups(attribution):
    found = {name: attribution.relevance["xaug"][:, i] for i, name in enumerate(NAMES["xaug"])}
    for name in ("list", "image"):
        found[name] = attribution.relevance[name].reshape(len(attribution), -1).sum(axis=1)
    return np.stack([found[name] for name in GROUPS], axis=1)


def test_shapley_values_are_means_over_all_orders(model, x, baselines):
    weights = np.array([0.5, 0.2, 0.3])
    expected = np.zeros((2, len(GROUPS)))
    for event in range(2):
        for b, weight in enumerate(weights):
            baseline = {name: values[b] for name, values in baselines.items()}
            known = {}
            for order in orders(GROUPS):
                for i, group in enumerate(order):
                    ends = []
                    for kept in (frozenset(order[: i + 1]), frozenset(order[:i])):
                        if kept not in known:
                            known[kept] = v(model, x, event, baseline, kept)
                        ends.append(known[kept])
                    expected[event, GROUPS.index(group)] += weight * (ends[0] - ends[1]) / 120
    some = {name: values[:2] for name, values in x.items()}
    found = xaug.explain.shapley_values(model, some, Sample(baselines, weights), variables=NAMES)
    np.testing.assert_allclose(of_groups(found), expected, atol=2e-5)
    np.testing.assert_allclose(found.residual, 0, atol=1e-5)
    np.testing.assert_allclose(found.reference, weights @ log_odds(model, baselines), atol=1e-5)
    assert found.settings["exact"] and found.standard_error is None


def test_drawn_orders_agree_within_their_errors_and_add_up(model, x, baselines):
    sample = Sample(baselines)
    exact = xaug.explain.shapley_values(model, x, sample, variables=NAMES)
    drawn = xaug.explain.shapley_values(model, x, sample, exact=False, draws=400, variables=NAMES)
    np.testing.assert_allclose(drawn.residual, 0, atol=1e-4)
    error = np.abs(drawn.standard_error["xaug"])
    pull = (drawn.relevance["xaug"] - exact.relevance["xaug"]) / error
    assert 0.4 < np.sqrt(np.mean(pull**2)) < 1.7  # 12 pulls
    assert (error < 0.2 * np.abs(exact.relevance["xaug"]).max()).all()
    again = xaug.explain.shapley_values(model, x, sample, exact=False, draws=400, variables=NAMES)
    np.testing.assert_array_equal(drawn.relevance["xaug"], again.relevance["xaug"])


def test_the_shapley_values_of_a_sum_are_its_terms():
    """f = sin(3 x_0) + x_1^2 - 2 x_2, for any baselines."""
    inputs = keras.Input((3,), name="xaug")
    term = layers.Lambda(lambda t: keras.backend.sin(3.0 * t[:, :1]))(inputs)
    square = layers.Lambda(lambda t: t[:, 1:2] ** 2 - 2.0 * t[:, 2:])(inputs)
    model = keras.Model(inputs, layers.Add()([term, square]))
    rng = np.random.default_rng(1)
    x, b = rng.normal(size=(5, 3)), rng.normal(size=(7, 3))
    terms = [lambda u: np.sin(3 * u), np.square, lambda u: -2 * u]
    expected = np.stack([t(x[:, i]) - t(b[:, i]).mean() for i, t in enumerate(terms)], axis=1)
    for exact in (True, False):
        found = xaug.explain.shapley_values(model, x, Sample({"xaug": b}), output="value", exact=exact, draws=3000)
        allowed = 1e-5 if exact else 5 * found.standard_error["xaug"] + 1e-5
        assert (np.abs(found.relevance["xaug"] - expected) <= allowed).all()


def test_occlusion_is_the_loss_without_each_group(model, x, baselines):
    weights = np.array([0.5, 0.2, 0.3])
    found = xaug.explain.occlusion(model, x, Sample(baselines, weights), variables=NAMES)
    for event in range(4):
        for i, group in enumerate(GROUPS):
            kept = [other for other in GROUPS if other != group]
            each = [v(model, x, event, {name: values[b] for name, values in baselines.items()}, kept) for b in range(3)]
            expected = log_odds(model, x)[event] - weights @ each
            np.testing.assert_allclose(of_groups(found)[event, i], expected, atol=1e-5)
    assert found.standard_error is None and found.settings["all_baselines"]
    drawn = xaug.explain.occlusion(model, x, Sample(baselines, weights), draws=2, variables=NAMES)
    assert drawn.standard_error is not None and not drawn.settings["all_baselines"]


def test_permutation_is_occlusion_by_the_other_events(model, x):
    """With very many draws the two agree: all other events have the same weight."""
    found = xaug.explain.permutation(model, x, draws=3000, variables=NAMES)
    for event in range(4):
        others = {name: np.delete(values, event, axis=0) for name, values in x.items()}
        one = {name: values[event : event + 1] for name, values in x.items()}
        expected = xaug.explain.occlusion(model, one, Sample(others), variables=NAMES)
        difference = np.abs(found.relevance["xaug"][event] - expected.relevance["xaug"][0])
        assert (difference <= 5 * found.standard_error["xaug"][event] + 1e-5).all()


def test_without_another_event_there_is_no_permutation(model, x):
    with pytest.raises(ConfigurationError, match="permutation of 1 event: there is no other one"):
        xaug.explain.permutation(model, {name: values[:1] for name, values in x.items()})


# Groups -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind, names",
    [
        ("features", GROUPS),
        ("inputs", ("xaug", "list", "image")),
        ("columns", ("pt", "mass", "eta", "a", "b", "image")),
        ("particles", ("pt", "mass", "eta", "particle 1", "particle 2", "particle 3", "particle 4", "image")),
    ],
)
def test_named_kinds_of_groups(kind, names):
    groups = read_groups(kind, SHAPES, NAMES)
    assert groups.names == names
    assert groups.sizes.sum() == 3 + 8 + 25
    shares = np.random.default_rng(0).normal(size=(6, len(groups)))
    np.testing.assert_allclose(groups.gathered(groups.spread(shares)), shares)


def test_towers_of_one_column_are_one_list():
    """The 1D CNN has an input of shape (particles, 1) for each column, named after it."""
    shapes, names = {"log_pt": (4, 1), "dxy": (4, 1), "xaug": (2,)}, {"log_pt": ["log_pt"], "dxy": ["dxy"], "xaug": []}
    assert read_groups("features", shapes, names).names == ("list", "xaug[0]", "xaug[1]")
    assert read_groups("columns", shapes, names).names[:2] == ("log_pt", "dxy")


def test_groups_of_a_file(tmp_path):
    path = tmp_path / "groups.yaml"
    path.write_text("kinematics: [pt, eta]\nshape: mass\nrest: [list.a, 'list[1]', image]\n")
    groups = read_groups(str(path), SHAPES, NAMES)
    assert groups.names == ("kinematics", "shape", "rest")
    np.testing.assert_array_equal(groups.member["xaug"], [0, 1, 0])
    assert (groups.member["list"] == 2).all() and (groups.member["image"] == 2).all()


@pytest.mark.parametrize(
    "groups, message",
    [
        ("feature", "unknown groups 'feature'.*did you mean 'features'"),
        ({"one": ["pt", "mass"], "two": ["xaug", "list", "image"]}, "groups 'one' and 'two' overlap: both have 'xaug'"),
        ({"one": ["list.a", "list"]}, "group 'one' has 'list', or a part of it, twice"),
        ({"one": ["pt", "eta"], "two": ["list", "image"]}, "groups leave out mass; give each"),
        ({"one": ["pt", "mas"]}, "unknown input or column in group 'one' 'mas'.*did you mean 'mass'"),
        ({"one": []}, "group 'one' is empty"),
        ("no.yaml", "no.yaml cannot be read: it is not a file"),
    ],
)
def test_bad_groups(groups, message):
    with pytest.raises(ConfigurationError, match=message):
        read_groups(groups, SHAPES, NAMES)


def test_too_many_groups_for_an_exact_result(randomised):
    inputs = keras.Input((17,), name="xaug")
    wide = randomised(keras.Model(inputs, layers.Dense(2, "softmax")(inputs)))
    with pytest.raises(ConfigurationError, match=r"exact Shapley values of 17 groups need 2\^17 evaluations"):
        xaug.explain.shapley_values(wide, np.zeros((1, 17)), np.ones(17), exact=True)
    found = xaug.explain.shapley_values(wide, np.zeros((1, 17)), np.ones(17), draws=2)
    assert not found.settings["exact"] and found.standard_error is not None
