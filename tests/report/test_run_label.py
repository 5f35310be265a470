"""Readable names of runs: the network and what it reads."""

from types import SimpleNamespace

import pytest

from xaug.data.variables import table_of
from xaug.generate.toy_table import KIND
from xaug.networks.choice import choose_inputs
from xaug.networks.registry import networks
from xaug.report.run_label import network_label, run_label, run_labels, run_title


def run(kind, network, name="r", config=(), max_jets=None, **chosen):
    spec = choose_inputs(table_of(kind), network, **chosen)
    record = SimpleNamespace(config=dict(config), max_jets=max_jets)
    return SimpleNamespace(name=name, input_spec=spec, record=record)


@pytest.mark.parametrize(
    ("one", "label"),
    [
        (run("jets", "mlp"), "dense network, 36 XAUGs"),
        (run("jets", "mlp", xaug="no_flavour"), "dense network, 29 of 36 XAUGs (no flavour)"),
        (run("jets", "mlp", xaug="pt,eta"), "dense network, 2 of 36 XAUGs"),
        (run("jets", "cnn2d", xaug="none"), "2D CNN"),
        (run("jets", "cnn2d", xaug="authors5"), "2D CNN + 5 of 36 XAUGs (authors5)"),
        (run("jets", "cnn1d", particle_list="four_momentum", xaug="none"), "1D CNN, 9 of 17 columns (four momentum)"),
        (run("jets", "rnn"), "recurrent network + 36 XAUGs"),  # its usual three columns
        (run("jets", "rnn", particle_list="all", xaug="none"), "recurrent network, 17 columns"),
        (run("events", "event", sizes={"width": 32}), "dense network, 87 event features, width 32"),
        (run(KIND, "cnn2d"), "2D CNN + 4 XAUGs"),
    ],
)
def test_labels(one, label):
    assert network_label(one) == run_label(one) == label


def test_how_far_a_run_was_trained():
    assert run_label(run("jets", "cnn2d", xaug="none", config={"steps": 2000})) == "2D CNN, 2,000 steps"
    assert run_label(run("jets", "cnn2d", xaug="none", max_jets=500)) == "2D CNN, at most 500 for training"


def test_runs_of_one_label_are_told_apart():
    runs = [run("jets", "mlp", "seed_1"), run("jets", "mlp", "seed_2"), run("jets", "cnn2d", "images", xaug="none")]
    assert run_labels(runs) == {
        "seed_1": "dense network, 36 XAUGs (seed_1)", "seed_2": "dense network, 36 XAUGs (seed_2)", "images": "2D CNN",
    }  # fmt: skip


def test_models_of_the_user_keep_their_names():
    own = run("jets", "mlp", "my_tagger")
    own.input_spec = SimpleNamespace(network="my_tagger.keras")
    assert run_label(own) == "my_tagger"
    assert run_title(run_label(own), "my_tagger") == "my_tagger"
    assert run_title("2D CNN", "images") == "2D CNN (images)"


def test_each_network_of_the_package_has_a_label():
    labels = {name: network.label for name, network in networks().items()}
    assert set(labels) == {"mlp", "event", "cnn1d", "cnn2d", "rnn"}
    assert all(labels.values()), labels
