"""A network in a file of the user's: workers get its source from the command, and the run keeps a record of it."""

import numpy as np
import pytest

import xaug
from xaug.core.errors import ConfigurationError, ModelError
from xaug.networks.own_networks import SOURCE
from xaug.training.stage import PlannedRun, train, train_all

GOOD = """
from keras import Input, Model, layers

WIDTH = 5


def build(inputs, classes):
    tensors = {name: Input(shape, name=name) for name, shape in inputs.shapes.items()}
    flat = [layers.Flatten()(tensor) for tensor in tensors.values()]
    x = layers.Concatenate()(flat) if len(flat) > 1 else flat[0]
    x = layers.Dense(WIDTH, activation="relu", name="wide")(x)
    return Model(tensors, layers.Dense(len(classes), activation="softmax", name="_".join(classes))(x))
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three classes, a vector and a list."""
    path = tmp_path_factory.mktemp("own_network") / "data"
    rng = np.random.default_rng(0)
    label = np.arange(300) % 3
    xaug.Dataset.write(
        path, xaug=rng.normal(label[:, None], 1.0, (300, 2)), list=rng.normal(size=(300, 4, 3)), label=label,
        classes=["QCD", "Hbb", "Hcc"],
    )  # fmt: skip
    return path


OPTIONS = {"trainings": 1, "epochs": 1, "batch_size": 64}


def test_trains_from_the_file_and_records_its_source(data, tmp_path, monkeypatch):
    (tmp_path / "mynet.py").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    train(data, tmp_path / "run", network="mynet.py:build", **OPTIONS)
    run = xaug.load_run(tmp_path / "run")
    model = run.models[0]
    assert (run.path / SOURCE).read_text() == GOOD
    assert run.input_spec.network == "mynet.py:build"
    assert model.get_layer("wide").units == 5 and model.layers[-1].name == "QCD_Hbb_Hcc"
    assert set(run.input_spec.columns) == {"xaug", "list"}
    # another source is another run
    (tmp_path / "mynet.py").write_text(GOOD.replace("WIDTH = 5", "WIDTH = 6"))
    with pytest.raises(ConfigurationError, match="network_digest"):
        train(data, tmp_path / "run", network="mynet.py:build", **OPTIONS)


def test_inputs_are_chosen(data, tmp_path):
    (tmp_path / "mynet.py").write_text(GOOD)
    train(data, tmp_path / "run", network=f"{tmp_path}/mynet.py:build", particle_list="none", **OPTIONS)
    assert list(xaug.load_run(tmp_path / "run").input_spec.columns) == ["xaug"]


@pytest.mark.parametrize(
    ("source", "name", "reason"),
    [
        ("x = 1 / 0", "build", r"the file fails: ZeroDivisionError: division by zero \(line 1\)"),
        ("def build(:", "build", r"the file fails: SyntaxError.*\(line 1\)"),
        (GOOD, "biuld", "did you mean 'build'"),
        (None, "build", "cannot be read"),
    ],
)
def test_wrong_files(data, tmp_path, source, name, reason):
    if source is not None:
        (tmp_path / "n.py").write_text(source)
    with pytest.raises(ConfigurationError, match=reason):
        train(data, tmp_path / "run", network=f"{tmp_path}/n.py:{name}", **OPTIONS)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (('activation="softmax", ', ""), "has an output of the shape .* end it in Dense"),
        (("len(classes)", "2"), "has an output of the shape"),
        (("name=name)", 'name=name + "_in")'), "they must be called"),
        (("return Model", "return 3 or Model"), "returns int; it must return a keras.Model"),
        (("WIDTH, activation", "UNKNOWN, activation"), r"NameError: name 'UNKNOWN' is not defined \(line 11\)"),
    ],
)
def test_wrong_models(data, change, reason):
    """The checks of the model itself, without a training."""
    from xaug.networks.choice import choose_inputs
    from xaug.networks.own_networks import OwnNetwork
    from xaug.networks.registry import build

    opened = xaug.Dataset.open(data)
    network = OwnNetwork("n.py:build", "build", GOOD.replace(*change)).register(opened.classes)
    with pytest.raises(ModelError, match=reason):
        build(choose_inputs(opened.table, network.name, outputs=3))


def test_a_worker_never_runs_a_file_of_the_run(data, tmp_path):
    """The record in the run may be replaced by anyone who can write there; what the command was given is trained."""
    (tmp_path / "mynet.py").write_text(GOOD)
    planned = PlannedRun(data, tmp_path / "run", network=f"{tmp_path}/mynet.py:build", **OPTIONS)
    witness = tmp_path / "ran"
    (tmp_path / "run" / SOURCE).write_text(f"open({str(witness)!r}, 'w').close()\n{GOOD}")
    (tmp_path / "mynet.py").unlink()
    train_all([planned], "train")
    assert (tmp_path / "run" / "training_0" / "metrics.json").exists()
    assert not witness.exists()
