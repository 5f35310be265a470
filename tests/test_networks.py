"""Architectures: parameter counts of the papers, inputs by name, choices of variables."""

import numpy as np
import pytest

from xaug.errors import ConfigurationError
from xaug.networks import NETWORKS, Inputs, build, choose_inputs


def trainable(model):
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


def test_toy_cnn2d_has_the_parameters_of_the_paper():
    """arXiv:2011.13466, section 3.1: 154,178 with the four XAUGs of the toy model."""
    from xaug.networks.cnn2d import build as cnn2d

    assert trainable(cnn2d({"image": (16, 16, 1), "xaug": (4,)})) == 154_178


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_ends_in_a_softmax_over_two_classes(network):
    inputs = choose_inputs("jets", network, "all")
    model = build(inputs)
    assert set(model.input_names) == set(inputs.columns)
    assert model.output_shape == (None, 2)
    x = {name: np.random.default_rng(0).random((3, *shape), np.float32) for name, shape in inputs.shapes.items()}
    np.testing.assert_allclose(model.predict(x, verbose=0).sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(("choice", "count"), [("all", 36), ("no_flavour", 29), ("tau21,pt", 2), ("none", 0)])
def test_choice_of_xaugs(choice, count):
    inputs = choose_inputs("jets", "cnn2d", choice)
    assert len(inputs.columns.get("xaug", [])) == count
    assert ("xaug" in inputs.columns) == (count > 0)


def test_chosen_columns_are_taken_by_name():
    inputs = choose_inputs("jets", "mlp", "tau21,pt")
    assert inputs.columns["xaug"] == ["pt", "tau21"]  # in the order of the table, however they are named
    scaled = {"xaug": np.arange(36, dtype=np.float32)[None]}
    from xaug import variables

    names = variables.names("jets", "xaug")
    np.testing.assert_array_equal(inputs.take(scaled)["xaug"], [[names.index("pt"), names.index("tau21")]])


def test_unknown_and_impossible_choices():
    with pytest.raises(ConfigurationError, match="did you mean 'cnn2d'"):
        choose_inputs("jets", "cnn2", "all")
    with pytest.raises(ConfigurationError, match="without XAUGs"):
        choose_inputs("jets", "mlp", "none")
    with pytest.raises(ConfigurationError, match="did you mean 'tau21'"):
        choose_inputs("jets", "mlp", "tau_21")


def test_inputs_survive_json():
    import json
    from dataclasses import asdict

    inputs = choose_inputs("jets", "cnn2d", "no_flavour")
    assert Inputs(**json.loads(json.dumps(asdict(inputs)))) == inputs
