"""The scaling that a training asks for, and what of it cannot be made."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

import xaug
from xaug import train
from xaug.core.errors import ConfigurationError
from xaug.core.integrity import seal
from xaug.data.dataset import Dataset
from xaug.training import stage
from xaug.training.input_scaling import LITERAL, displacement_zeros

NAMES = ["dxy", "dz", "dxy_max", "dz_max"]


@pytest.fixture(scope="module")
def without_floor(zbb_dataset, tmp_path_factory):
    """The dataset as if it had been processed with a floor of 1e-20 mm; its values are those with a floor of 1 um."""
    directory = shutil.copytree(zbb_dataset, tmp_path_factory.mktemp("literal") / "copy")
    manifest = json.loads((directory / "manifest.json").read_text())
    manifest["config"]["conventions"] = {"displacement_floor": 1e-20, "status": 91}
    (directory / "manifest.json").write_text(json.dumps(seal(manifest)))
    return directory


def test_zero_of_a_displacement_is_its_floor(zbb_dataset, without_floor):
    assert displacement_zeros(Dataset.open(zbb_dataset)) == dict.fromkeys(NAMES, np.float32(np.log(1e-3)))
    assert displacement_zeros(Dataset.open(without_floor)) == dict.fromkeys(NAMES, np.float32(np.log(1e-20)))


def test_command_with_the_scaling_of_the_paper(without_floor, tmp_path):
    """Images by pixel, displacements from ln(1e-20) to their largest value, all on all jets; padding is at the zero."""
    command = [without_floor, "--network", "cnn2d", "--trainings", 1, "--steps", 1, "--max-jets", 60, "--json"]
    options = ["-o", tmp_path / "r", "--options", "paper-literal"]
    result = CliRunner().invoke(train.main, list(map(str, [*command, *options])))
    assert result.exit_code == 0, result.output
    assert "rank" in json.loads(result.stdout)["warnings"][0]
    run = xaug.load_run(tmp_path / "r")
    config = run.record.config
    assert config["image_scaling"] == "pixel" and config["displacement_scaling"] == "unclipped"
    arrays = Dataset.open(without_floor).load(["image", "xaug", "list", "mask"])
    np.testing.assert_array_equal(run.scaler.ranges["image"].high, arrays["image"].max(axis=0))
    own = run.scaler.ranges["xaug"].only(["dxy_max", "dz_max"])
    np.testing.assert_allclose(own.low, np.log(1e-20), rtol=1e-6)
    np.testing.assert_array_equal(own.high, arrays["xaug"][:, -2:].max(axis=0))
    scaled = run.inputs(arrays)
    expected = (arrays["xaug"][:, -2] - np.log(1e-20)) / (arrays["xaug"][:, -2].max() - np.log(1e-20))
    np.testing.assert_allclose(scaled["xaug"][:, -2], expected, atol=1e-6)
    nothing = {"image": arrays["image"][:1], "xaug": arrays["xaug"][:1].copy()}
    nothing["xaug"][:, -2:] = np.log(1e-20)
    assert (run.inputs(nothing)["xaug"][:, -2:] == 0).all(), "no displacement is where LRP has its zero"


def test_a_choice_alone_goes_before_the_set_of_the_paper(without_floor, tmp_path):
    command = [without_floor, "--network", "mlp", "--trainings", 1, "--epochs", 1, "--max-jets", 60]
    options = ["--options", "paper-literal", "--displacement-scaling", "clipped", "-o", tmp_path / "r"]
    result = CliRunner().invoke(train.main, list(map(str, [*command, *options])))
    assert result.exit_code == 0, result.output
    config = xaug.load_run(tmp_path / "r").record.config
    assert config["scale_on_all"] is True and "displacement_scaling" not in config
    assert "image_scaling" not in config, "a network without images has no scaling of them"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"network": "mlp", "image_scaling": "pixel"}, ["network mlp reads no images", "cnn2d"]),
        ({"image_scaling": "pixels"}, ["did you mean 'pixel'"]),
        ({"displacement_scaling": "unclip"}, ["did you mean 'unclipped'"]),
    ],
)
def test_impossible_scalings_are_refused(zbb_dataset, tmp_path, options, words):
    with pytest.raises(ConfigurationError) as error:
        stage.train(zbb_dataset, tmp_path / "bad", **options)
    assert all(word in str(error.value) for word in words)
    assert not (tmp_path / "bad").exists()


def test_toy_jets_have_no_displacements(tmp_path):
    from xaug.generate.toy import generate

    generate(tmp_path / "toy", jets=40, seed=1)
    with pytest.raises(ConfigurationError, match=r"toy.* name no displacements.*process"):
        stage.train(tmp_path / "toy", tmp_path / "bad", network="mlp", displacement_scaling="unclipped")
    assert not (tmp_path / "bad").exists()
    table = Dataset.open(tmp_path / "toy").table
    assert LITERAL.settings("cnn2d", table) == {
        "image_scaling": "pixel", "displacement_scaling": "clipped", "scale_on_all": True,
    }  # fmt: skip


def test_a_dataset_of_jets_that_names_no_displacements_is_refused(zbb_dataset, tmp_path):
    """An older one: its displacements would be clipped in silence."""
    directory = shutil.copytree(zbb_dataset, tmp_path / "old")
    manifest = json.loads((directory / "manifest.json").read_text())
    for block in manifest["table"]["blocks"].values():
        block["selections"].pop("displacements", None)
    (directory / "manifest.json").write_text(json.dumps(seal(manifest)))
    command = [directory, "--network", "mlp", "--options", "paper-literal", "-o", tmp_path / "bad"]
    result = CliRunner().invoke(train.main, list(map(str, command)))
    assert result.exit_code == 1
    assert "name no displacements" in result.stderr and "--displacement-scaling clipped" in result.stderr
