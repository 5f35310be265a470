"""Architectures: parameter counts of the papers, inputs by name, choices of variables."""

import re
from pathlib import Path

import numpy as np
import pytest
from keras import Model

from xaug import variables
from xaug.core.errors import ConfigurationError
from xaug.data.variables import Block, Table, Variable
from xaug.networks import cnn2d, rnn
from xaug.networks.choice import choose_inputs
from xaug.networks.inputs import Inputs
from xaug.networks.registry import Network, build, networks, register


def trainable(model):
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


def toy(network, **columns):
    """Inputs of the toy model: a list of 10 rows, images, four XAUGs; columns are named as it pleases."""
    table = Table(
        "toy",
        {
            name: Block(
                name,
                tuple(Variable(column, column) for column in chosen),
                {"list": (10,), "image": (16, 16)}.get(name, ()),
            )
            for name, chosen in {**columns, "xaug": list("abcd")}.items()
        },
    )
    return Inputs(table, network, {**columns, "xaug": list("abcd")})


def test_toy_networks_have_the_parameters_of_the_paper():
    """arXiv:2011.13466, sections 3.1 and 3.3: 154,178 and 248,938, with the four XAUGs of the toy model."""
    assert trainable(cnn2d.build(toy("cnn2d", image=["image"]))) == 154_178
    assert trainable(rnn.build(toy("rnn", list=list("uvwxyz")))) == 248_938


def test_parameters_of_the_1d_cnn():
    """By hand: a tower 4 * 64 + 65 * 64 + 193 * 32 + 33 * 32; 20 particles leave 5 of 32 channels; then the head."""
    model = build(choose_inputs(variables.table_of("jets"), "cnn1d", "all", "four_momentum"))
    tower = 256 + 4160 + 6176 + 1056
    assert trainable(model) == 9 * tower + (9 * 5 * 32 + 36 + 1) * 64 + 65 * 128 + 129 * 2


@pytest.mark.parametrize("network", [name for name in networks() if name != "event"])
def test_every_network_ends_in_a_softmax_over_two_classes(network):
    inputs = choose_inputs(variables.table_of("jets"), network, "all")
    model = build(inputs)
    assert [t.name for t in model.inputs] == list(inputs.shapes)
    assert [tensor.shape[1:] for tensor in model.inputs] == list(inputs.shapes.values())
    assert list(inputs.variables) == list(inputs.shapes)
    assert model.output_shape == (None, 2)
    x = {name: np.random.default_rng(0).random((3, *shape), np.float32) for name, shape in inputs.shapes.items()}
    np.testing.assert_allclose(model.predict(x, verbose=0).sum(axis=1), 1, rtol=1e-5)


def test_a_tower_reads_its_own_column():
    inputs = choose_inputs(variables.table_of("jets"), "cnn1d", "tau21", "dz,charge")
    assert inputs.variables == {"charge": ["charge"], "dz": ["dz"], "xaug": ["tau21"]}
    assert inputs.fields == ["list", "xaug", "mask"]
    scaled = {"list": np.random.default_rng(0).random((2, 20, 17)), "xaug": np.zeros((2, 36))}
    taken = inputs.take(scaled)
    names = variables.names("jets", "list")
    assert taken["dz"].shape == (2, 20, 1)
    np.testing.assert_array_equal(taken["dz"][..., 0], scaled["list"][..., names.index("dz")])


def test_padded_particles_do_not_change_what_the_rnn_says():
    """Padding is masked: rows of zeros behind the last particle are skipped, not read as particles."""
    model = build(choose_inputs(variables.table_of("jets"), "rnn", "none"))
    rng = np.random.default_rng(1)
    x = rng.random((4, 20, 3), np.float32)
    x[:, 12:] = 0
    states = Model(model.inputs, model.get_layer("gru_1").output).predict(x, verbose=0)
    np.testing.assert_array_equal(states[:, 12:], np.repeat(states[:, 11:12], 8, axis=1))


def test_rows_per_step():
    """Two rows a step are half the steps, of twice the numbers: one particle after the other."""
    inputs = choose_inputs(variables.table_of("jets"), "rnn", "none", rows_per_step=2)
    model = build(inputs)
    assert inputs.shapes["list"] == (20, 3)
    assert tuple(model.get_layer("steps").output.shape) == (None, 10, 6)
    x = np.arange(60, dtype=np.float32).reshape(1, 20, 3)
    steps = Model(model.inputs, model.get_layer("steps").output).predict(x, verbose=0)
    np.testing.assert_array_equal(steps[0, 3], np.concatenate([x[0, 6], x[0, 7]]))


@pytest.mark.parametrize(
    ("choice", "count"),
    [(None, 36), ("all", 36), ("no_flavour", 29), ("tau21,pt", 2), ("none", 0), ("authors5, pt,dz_max", 6)],
)
def test_choice_of_xaugs(choice, count):
    inputs = choose_inputs(variables.table_of("jets"), "cnn2d", choice)
    assert len(inputs.columns.get("xaug", [])) == count
    assert ("xaug" in inputs.columns) == (count > 0)


def test_chosen_columns_are_taken_by_name():
    inputs = choose_inputs(variables.table_of("jets"), "mlp", "tau21,pt")
    assert inputs.columns["xaug"] == ["pt", "tau21"]  # in the order of the table, however they are named
    scaled = {"xaug": np.arange(36, dtype=np.float32)[None]}
    names = variables.names("jets", "xaug")
    np.testing.assert_array_equal(inputs.take(scaled)["xaug"], [[names.index("pt"), names.index("tau21")]])


@pytest.mark.parametrize(
    ("kind", "network", "choice", "words"),
    [
        ("jets", "cnn2", {}, "unknown network 'cnn2'; did you mean 'cnn2d'"),
        ("jets", "mlp", {"xaug": "none"}, "mlp has no input without XAUGs: choose some with --xaug"),
        (
            "jets",
            "mlp",
            {"particle_list": "all"},
            "--list is for networks cnn1d and rnn; choose .* --xaug",
        ),
        ("jets", "rnn", {"rows_per_step": 3}, "--rows-per-step 3: must divide the length of the particle list, 20"),
        ("jets", "rnn", {"rows_per_step": 0}, "--rows-per-step 0: must divide"),
        ("jets", "cnn1d", {"rows_per_step": 2}, "--rows-per-step is for network rnn"),
        ("jets", "cnn1d", {"particle_list": "none"}, "choose some with --list"),
        ("jets", "cnn2d", {"event": "ht"}, "cnn2d does not read event features; --event is for network event$"),
        ("events", "event", {"event": "none"}, "choose some with --event"),
        ("events", "event", {"xaug": "none"}, "event does not read XAUGs; .*choose its inputs with --event"),
        ("events", "mlp", {}, "'xaug', which a dataset of events does not have. For events there is network event"),
        ("jets", "mlp", {"xaug": "tau_21"}, "did you mean 'tau21'"),
        ("events", "event", {"sizes": {"layers": 0}}, "layers 0: must be at least 1"),
        ("events", "event", {"sizes": {"layers": 1.5}}, "layers 1.5: must be a whole number"),
        ("events", "event", {"sizes": {"dropout": 1.0}}, "dropout 1: must be at least 0 and below 1"),
        ("jets", "mlp", {"sizes": {"width": 64}}, "network mlp has no width to choose; width is for network event"),
        ("jets", "mlp", {"sizes": {"heads": 2}}, "network mlp has no heads to choose; heads is for no network"),
    ],
)
def test_unknown_and_impossible_choices(kind, network, choice, words):
    with pytest.raises(ConfigurationError, match=words):
        choose_inputs(variables.table_of(kind), network, **choice)


def test_inputs_survive_json():
    import json

    inputs = choose_inputs(variables.table_of("jets"), "cnn2d", "no_flavour")
    assert Inputs.from_json(json.loads(json.dumps(inputs.to_json()))) == inputs


def test_inputs_of_version_0_1_have_no_table_and_their_towers():
    content = {"kind": "jets", "network": "cnn1d", "columns": {"list": ["dz"], "xaug": ["pt"]}, "rows_per_step": 1}
    found = Inputs.from_json(content)
    assert found.shapes == {"dz": (20, 1), "xaug": (1,)}
    assert found.config == content


def test_a_dataset_without_expert_variables_trains_the_networks_that_they_only_join():
    table = Table("pixels", {"image": Block("image", (Variable("image", "$E$"),), (8, 8))})
    assert choose_inputs(table, "cnn2d").shapes == {"image": (8, 8, 1)}
    with pytest.raises(ConfigurationError, match="unknown block of pixels 'xaug'"):
        choose_inputs(table, "cnn2d", xaug="all")


def test_a_name_is_given_once():
    with pytest.raises(ConfigurationError, match="two networks are called 'mlp'; rename one"):
        register(Network("mlp", "another one", block="xaug", build=cnn2d.build))


def test_every_module_of_a_network_is_found_and_none_is_loaded_with_tensorflow(python):
    """What the help of `--network` lists: the modules that register, without an import of Keras."""
    done = python(
        "-c",
        "from xaug.networks.registry import networks; import sys; print(*networks()); print(*sys.modules)",
    )
    names, modules = (line.split() for line in done.stdout.splitlines())
    sources = {path.stem: path.read_text() for path in Path(cnn2d.__file__).parent.glob("*.py")}
    own = [name for name, source in sources.items() if re.search(r"^register\(", source, re.MULTILINE)]
    assert names == sorted(own) and len(own) >= 5
    assert {"tensorflow", "keras"}.isdisjoint(modules)
