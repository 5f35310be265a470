"""Networks that are cut into branches give the numbers of whole ones, and branches are computed once for each input."""

import keras
import numpy as np
import pytest
from keras import layers

import xaug
from xaug import variables
from xaug.explain import Sample
from xaug.explain.groups import read_groups
from xaug.explain.keras_models import read_output
from xaug.explain.perturbation import changed_events
from xaug.explain.perturbation.branches import branches_of
from xaug.networks.choice import choose_inputs
from xaug.networks.registry import build

LISTS = {"cnn1d": "log_pt,charge,dxy", "rnn": None}


@pytest.fixture
def make(randomised):
    """make(network): a network with some expert variables, and the names of its columns."""

    def built(name):
        chosen = choose_inputs(variables.table_of("jets"), name, "pt,mass,eta,tau21,z", particle_list=LISTS.get(name))
        return randomised(build(chosen)), chosen.variables

    return built


def shapes_of(x):
    return {name: values.shape[1:] for name, values in x.items()}


@pytest.mark.parametrize(("name", "groups"), [("cnn2d", "features"), ("cnn1d", "columns"), ("rnn", "columns")])
def test_shapley_values_of_branches_are_those_of_the_whole_network(make, name, groups, random_inputs, monkeypatch):
    model, names = make(name)
    x, b = random_inputs(model, 3, 1), random_inputs(model, 3, 2)
    divided = read_groups(groups, shapes_of(x), names)
    assert branches_of(read_output(model), divided, x) is not None
    found = {}
    for name, least in (("branches", 1), ("whole", 10**9)):
        monkeypatch.setattr(changed_events, "MANY", least)
        found[name] = xaug.explain.shapley_values(model, x, Sample(b), variables=names, groups=groups)
    size = max(np.abs(values).max() for values in found["whole"].relevance.values())
    for name, values in found["whole"].relevance.items():
        np.testing.assert_allclose(found["branches"].relevance[name], values, atol=1e-4 * size)
    np.testing.assert_allclose(found["branches"].residual, 0, atol=1e-4 * size)


@pytest.mark.parametrize("name", ["cnn2d", "cnn1d"])
def test_a_branch_is_computed_once_for_each_of_its_inputs(make, name, random_inputs):
    """An image or a list that is one group comes from the event or from the baseline, in all of the 64 sets."""
    model, names = make(name)
    x = random_inputs(model, 3, 1)
    divided = read_groups("features", shapes_of(x), names)
    found = branches_of(read_output(model), divided, x)
    sets = (np.arange(2 ** len(divided))[:, None] >> np.arange(len(divided))) % 2 == 1
    events, baselines = np.repeat([0, 1], 2 * len(sets)), np.tile(np.repeat([0, 1], len(sets)), 2)
    kept = np.tile(sets, (4, 1))
    sizes = {part.inputs: len(part.distinct(divided, events, baselines, kept)[0]) for part in found.parts}
    assert sizes.pop(("xaug",)) == 4 * 30 + 2 + 2  # mixed sets of each pair, whole events, whole baselines
    assert list(sizes.values()) == [2 + 2]


def test_mixed_rows_are_told_apart(make, random_inputs):
    model, names = make("cnn1d")
    x, b = random_inputs(model, 4, 1), random_inputs(model, 4, 2)
    divided = read_groups("columns", shapes_of(x), names)
    rng = np.random.default_rng(3)
    events, baselines = rng.integers(0, 4, (2, 200))
    kept = rng.random((200, len(divided))) < 0.5
    other = {name: b[name][baselines] for name in x}
    mixed = divided.mixed({name: x[name][events] for name in x}, other, kept)
    for part in branches_of(read_output(model), divided, x).parts:
        first, number = part.distinct(divided, events, baselines, kept)
        for name in part.inputs:
            np.testing.assert_array_equal(mixed[name][first][number], mixed[name])


def test_networks_without_branches_are_computed_whole(randomised, random_inputs):
    """One input; inputs that share a group; a layer that is not known."""
    one = keras.Sequential([keras.Input((4,), name="event"), layers.Dense(3, "tanh"), layers.Dense(2, "softmax")])
    x = random_inputs(one, 4, 1)
    assert branches_of(read_output(one), read_groups("columns", shapes_of(x), {}), x) is None

    inputs = [keras.Input((3,), name=name) for name in "ab"]
    own = [layers.Lambda(lambda t: keras.backend.cumsum(t, 1))(inputs[0]), inputs[1]]
    joined = layers.Dense(2, "softmax")(layers.Dense(4, "tanh")(layers.Concatenate()(own)))
    model = randomised(keras.Model(inputs, joined))
    x, b = random_inputs(model, 40, 1), random_inputs(model, 3, 2)
    network = read_output(model)
    assert branches_of(network, read_groups({"all": ["a", "b"]}, shapes_of(x), {}), x) is None
    found = xaug.explain.shapley_values(model, x, Sample(b), groups="inputs")
    np.testing.assert_allclose(found.residual, 0, atol=1e-4)


def test_normalisation_and_a_second_meeting_place(randomised, random_inputs):
    """Branches of a BatchNormalization, one of which is read twice, and a sum where they meet."""
    inputs = [keras.Input((6,), name="a"), keras.Input((5, 2), name="b")]
    a = layers.BatchNormalization()(layers.Dense(8, "relu")(inputs[0]))
    b = layers.Flatten()(layers.BatchNormalization()(layers.Conv1D(4, 2, activation="tanh")(inputs[1])))
    joined = layers.Dense(8, "relu")(layers.Concatenate()([b, a, b]))
    model = randomised(keras.Model(inputs, layers.Dense(2, "softmax")(layers.Add()([joined, a]))))
    x, b = random_inputs(model, 40, 1), random_inputs(model, 3, 2)
    divided = read_groups("inputs", shapes_of(x), {})
    network = read_output(model)
    found = branches_of(network, divided, x)
    rng = np.random.default_rng(1)
    events, baselines, kept = rng.integers(0, 40, 60), rng.integers(0, 3, 60), rng.random((60, 2)) < 0.5
    own = found.numbers(divided, x, b, events, baselines, kept, 16)
    other = {name: b[name][baselines] for name in x}
    mixed = divided.mixed({name: x[name][events] for name in x}, other, kept)
    np.testing.assert_allclose(own, network.function(list(mixed.values())).numpy(), atol=1e-4, rtol=1e-4)
