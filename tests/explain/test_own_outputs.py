"""Models of the user with several labels, a regression and several outputs, explained by commands alone."""

import numpy as np
import pytest
from click.testing import CliRunner

import xaug
from xaug.explain.__main__ import main as explain
from xaug.explain.stage import load_attributions
from xaug.report.__main__ import main as report

KINDS = {
    "flavour": ((), ("class_0", "class_1", "class_2")),
    "labels": (("--classes", "b,tau"), ("b", "tau")),
    "mass:value": ((), ("below_median", "above_median")),
}
"""For each output the options of the command, and the names of the classes that come out."""
METHODS = {"lrp": ("--engine", "native", "--rule", "epsilon"), "ig": ("--baseline", "blank")}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A model with a softmax, several labels and a mass, and events."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(1)
    directory = tmp_path_factory.mktemp("outputs")
    x = keras.Input((4,), name="jet")
    h = layers.Dense(6, "relu", use_bias=False)(x)
    outputs = [
        layers.Dense(3, "softmax", use_bias=False, name="flavour")(h),
        layers.Dense(2, "sigmoid", use_bias=False, name="labels")(h),
        layers.Dense(1, "relu", use_bias=False, name="mass", kernel_initializer="ones")(h),
    ]
    model = keras.Model(x, outputs)
    model.save(directory / "tagger.h5")
    jets = np.random.default_rng(1).normal(size=(60, 4)).astype("f4")
    truth = {"flavour": np.arange(60) % 3, "labels": jets[:, :2] > 0, "mass:value": 80 + 5 * jets[:, 0]}
    for kind, label in truth.items():
        np.savez(directory / f"{kind.partition(':')[0]}.npz", jet=jets, label=label)
    return directory, model, jets


def run(command, *arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_each_output_by_both_methods(made, tmp_path, kind, method):
    directory, model, jets = made
    options, classes = KINDS[kind]
    name = kind.partition(":")[0]
    done = run(
        explain, directory / "tagger.h5", "--inputs", directory / f"{name}.npz", "--output-kind", kind, "--target", 1
        if name != "mass" else 0, "--method", method, *METHODS[method], *options, "-o", tmp_path / "a",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    (found,) = load_attributions(tmp_path / "a")
    made_by_hand = {
        "lrp": lambda target: xaug.explain.lrp(model, jets, "epsilon", target, "native", output=kind),
        "ig": lambda target: xaug.explain.integrated_gradients(model, jets, xaug.explain.Blank(), target, output=kind),
    }[method](0 if name == "mass" else 1)
    np.testing.assert_allclose(found.relevance["jet"], made_by_hand.relevance["jet"], atol=1e-4)
    assert tuple(xaug.load_run(tmp_path / "a" / "tagger").classes) == classes


def test_a_report_of_a_regression(made, tmp_path):
    directory, _, _ = made
    arguments = (directory / "tagger.h5", "--inputs", directory / "mass.npz", "--output-kind", "mass:value")
    done = run(explain, *arguments, *METHODS["lrp"], "-o", tmp_path / "a")
    assert done.exit_code == 0, done.output
    shown = run(report, "--attributions", tmp_path / "a", "-o", tmp_path / "r")
    assert shown.exit_code == 0, shown.output


def test_an_output_must_be_named(made, tmp_path):
    directory, _, _ = made
    done = run(explain, directory / "tagger.h5", "--inputs", directory / "mass.npz", "-o", tmp_path / "a")
    assert done.exit_code != 0
    assert "has 3 outputs: flavour, labels, mass" in done.output


@pytest.mark.parametrize("units", [(), (5,), (5, 2)], ids=["number", "place", "two_places"])
def test_outputs_of_other_shapes_are_refused_with_a_remedy(tmp_path, units):
    """The remedy is the code that the message names, and the model that it makes from the trained one is explained."""
    import re

    import keras
    from keras import layers

    x = keras.Input((5, 2) if len(units) == 2 else (5, 3), name="jet")
    if not units:
        tensor = layers.Reshape(())(layers.Dense(1)(layers.Flatten()(x)))
    else:
        tensor = layers.Dense(2, use_bias=False)(x)
        tensor = layers.Reshape((*units, 2))(tensor) if len(units) == 1 else layers.Reshape((5, 2, 1))(tensor)
    model = keras.Model(x, tensor)
    jets = np.random.default_rng(1).normal(size=(20, *x.shape[1:])).astype("f4")
    np.savez(tmp_path / "jets.npz", jet=jets, label=np.arange(20) % 2)

    def command(name):
        return run(
            explain, tmp_path / name, "--inputs", tmp_path / "jets.npz", "--method", "lrp", "--engine", "native",
            "-o", tmp_path / "a",
        )  # fmt: skip

    model.save(tmp_path / "tagger.h5")
    refused = command("tagger.h5")
    assert refused.exit_code == 1 and "outputs of the shapes" in refused.output
    (code,) = re.findall("`(.*?)`", refused.output)
    eval(code, {"keras": keras, "model": model}).save(tmp_path / "mended.h5")
    assert command("mended.h5").exit_code == 0, command("mended.h5").output
