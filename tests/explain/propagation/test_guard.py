"""The guard: no number is given out where the engine computes another function than Keras."""

from collections import OrderedDict

import keras
import numpy as np
import pytest
from keras import layers

import xaug
from xaug.core.errors import ModelError
from xaug.explain.propagation import batches
from xaug.explain.propagation.layers.activation import Parametric
from xaug.explain.propagation.layers.base import Passed
from xaug.explain.propagation.layers.identity import Masking
from xaug.explain.propagation.layers.linear import Dense

N, STEPS = 400, 6
PADDED = 217
"""The one event that has padding."""


@pytest.fixture(autouse=True)
def _compiled_anew(monkeypatch):
    """No graph of another test is used again."""
    monkeypatch.setattr(batches, "_kept", OrderedDict())


@pytest.fixture
def model(randomised):
    """Masking, a dense layer, ReLU, the mean of the real steps; a bias of 60 saturates the softmax."""
    inputs = keras.Input((STEPS, 3), name="x")
    h = layers.LeakyReLU(0.1, name="leaky")(layers.Dense(5, name="hidden")(layers.Masking(name="masked")(inputs)))
    h = layers.GlobalAveragePooling1D(name="mean")(h)
    model = randomised(keras.Model(inputs, layers.Dense(2, "softmax", name="out")(h), name="tagger"))
    kernel, bias = model.get_layer("out").get_weights()
    model.get_layer("out").set_weights([kernel, bias + np.array([60.0, -60.0])])
    return model


@pytest.fixture
def events():
    x = np.random.default_rng(0).normal(size=(N, STEPS, 3)).astype(np.float32)
    x[PADDED, 4:] = 0.0
    return x


def test_right_numbers_pass(model, events):
    assert np.isfinite(xaug.explain.lrp(model, events, engine="native").logit).all()


def test_a_lost_mask_in_one_late_event_of_a_saturated_network(model, events, monkeypatch):
    """All probabilities are the same to 1e-50, and of 400 events, in batches of 50, one shows the difference."""
    monkeypatch.setattr(batches, "LARGEST", 50)
    monkeypatch.setattr(Masking, "mask", lambda self, x, masks: None)
    with pytest.raises(ModelError, match=rf"'tagger'.*most in event {PADDED}; the first layer that differs is 'mean'"):
        xaug.explain.lrp(model, events, engine="native")


@pytest.mark.parametrize(("cls", "name"), [(Dense, "hidden"), (Parametric, "leaky"), (Masking, "masked")])
def test_the_first_layer_that_differs_is_named(model, events, monkeypatch, cls, name):
    own = cls.forward

    def wrong(self, x, masks, how):
        y, record = own(self, x, masks, how)
        return Passed(y * 1.1 if self.source.name == name else y, record)

    monkeypatch.setattr(cls, "forward", wrong)
    with pytest.raises(ModelError, match=f"first layer that differs is '{name}'.*Remedy"):
        xaug.explain.lrp(model, events, engine="native", dtype="float64")


def test_the_worker_of_innvestigate_is_compared_too(mlp, monkeypatch):
    from xaug.explain.propagation.innvestigate import client

    explain = client.explain

    def wrong(*arguments, **options):
        relevance, logit = explain(*arguments, **options)
        return relevance, logit + np.where(np.arange(len(logit)) == 131, 0.5, 0.0)

    model, x = mlp(), np.random.default_rng(1).random((132, 7)).astype(np.float32)
    assert xaug.explain.lrp(model, x).settings["engine"] == "innvestigate"
    monkeypatch.setattr(client, "explain", wrong)
    with pytest.raises(ModelError, match=r"in event 131.*use engine='native'"):
        xaug.explain.lrp(model, x)
