"""Cascading randomisation of weights."""

import keras
import numpy as np
import pytest
from keras import layers

from xaug.core.errors import ConfigurationError
from xaug.explain import lrp
from xaug.explain.attribution import Attribution
from xaug.explain.faithfulness.randomisation import cascading_randomisation


@pytest.fixture(scope="module")
def model():
    """A network that learned to look at the first of eight inputs alone."""
    x = inputs = keras.Input((8,), name="x")
    x = layers.Dense(6, activation="relu", name="first")(x)
    found = keras.Model(inputs, layers.Dense(2, activation="softmax", name="head")(x))
    rng = np.random.default_rng(0)
    kernel = 0.01 * rng.normal(size=(8, 6))
    kernel[0] += 1.0
    found.set_weights([kernel, np.zeros(6), rng.normal(size=(6, 2)), np.zeros(2)])
    return found


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(1).uniform(0.5, 1.5, (60, 8)).astype(np.float32)


def test_random_weights_destroy_what_was_learned_and_not_what_inputs_say(model, x):
    before = [w.copy() for w in model.get_weights()]
    learned = cascading_randomisation(model, lambda m: lrp(m, x, target="signal", rule="epsilon", engine="native"))
    assert learned["layer"].tolist() == ["", "head", "first"]
    assert learned["correlation"].iloc[0] == 1.0
    assert learned["correlation"].iloc[-1] < 0.6
    assert all((one == other).all() for one, other in zip(before, model.get_weights(), strict=True))

    def inputs_alone(changed):
        return Attribution({"x": x}, x.sum(axis=1), {"x": []}, {"target": "signal"})

    kept = cascading_randomisation(model, inputs_alone)
    assert (kept["correlation"] == 1.0).all() and (kept["ranking"] == 1.0).all()

    rng = np.random.default_rng(2)

    def chance(changed):
        return Attribution({"x": rng.normal(size=x.shape)}, x[:, 0], {"x": []}, {"target": "signal"})

    random = cascading_randomisation(model, chance).iloc[1:]
    assert (random["correlation"].abs() < 4 * random["error"]).all()


def test_too_little_to_compare_is_refused(model, x):
    one = Attribution({"x": x[:, :2]}, x[:, 0], {"x": []}, {})
    with pytest.raises(ConfigurationError, match="2 features"):
        cascading_randomisation(model, lambda m: one)
