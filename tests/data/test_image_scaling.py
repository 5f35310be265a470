"""Per-pixel scaling of images, and displacements that are not clipped: by NumPy, inverted, and on disk."""

import json
import shutil
import warnings

import h5py
import numpy as np
import pytest

from xaug.core import provenance
from xaug.core.errors import ConfigurationError, DatasetError
from xaug.data.dataset import Dataset
from xaug.data.scaling import Scaler


def change_images(directory, change):
    """Let `change(images, is_training)` edit the images of each part in place."""
    manifest = json.loads((directory / "manifest.json").read_text())
    parts = [directory / part["part"] for part in manifest["parts"]]
    for path in parts:
        with h5py.File(path, "r+") as file:
            images = file["image"][()]
            change(images, file["split"][()] == 0)
            file["image"][...] = images
            file["xaug"][0, -1] = 50.0  # far beyond three standard deviations of dz_max
    provenance.record_files(directory, parts)


@pytest.fixture(scope="module")
def changed(zbb_dataset, tmp_path_factory):
    """A dataset whose training images have no energy in the first pixel; those of other splits have some."""
    directory = shutil.copytree(zbb_dataset, tmp_path_factory.mktemp("images") / "copy")

    def change(images, training):
        images[training, 0, 0] = 0.0
        images[~training, 0, 0] = 0.25

    change_images(directory, change)
    return Dataset.open(directory)


@pytest.fixture(scope="module")
def scaler(changed):
    return Scaler.fit(changed, ["image", "xaug"], images="pixel")


def test_least_and_largest_value_of_each_pixel_of_training_images(changed, scaler):
    images = changed.load(["image"], "train")["image"]
    low, high = images.min(axis=0), images.max(axis=0)
    assert scaler.ranges["image"].low.shape == (16, 16, 1)
    np.testing.assert_array_equal(scaler.ranges["image"].low, low)
    np.testing.assert_array_equal(scaler.ranges["image"].high, high)
    assert len(np.unique(high)) > 100, "pixels differ"
    scaled = scaler.scale(changed.load(["image"], "train"))["image"]
    filled = (high > low)[..., 0]
    np.testing.assert_allclose(
        scaled[:, filled], (images[:, filled] - low[filled]) / (high - low)[filled], rtol=1e-5, atol=1e-7
    )
    assert (scaled[:, filled].min(axis=0) == 0).all() and (scaled[:, filled].max(axis=0) == 1).all()


def test_inverse_gives_the_images_again(changed, scaler):
    """All of the training split, and those pixels of others that are within the training images."""
    for split in ("train", "test"):
        arrays = changed.load(["image"], split)
        image = arrays["image"].astype(float)
        found = scaler.unscale(scaler.scale(arrays))["image"]
        expected = np.clip(image, scaler.ranges["image"].low, scaler.ranges["image"].high)
        np.testing.assert_allclose(found, expected, atol=1e-6)
        assert (expected != image).any() == (split == "test")


def test_pixel_that_is_empty_in_training_is_zero_in_every_image(changed, scaler):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no division by zero
        test = changed.load(["image"], "test")
        scaled = scaler.scale(test)["image"]
    assert (test["image"][:, 0, 0] == 0.25).all()
    assert np.isfinite(scaled).all() and not scaled[:, 0, 0].any()
    assert not scaler.unscale({"image": scaled})["image"][:, 0, 0].any()
    (text,) = scaler.warnings
    images = changed.load(["image"], "train")["image"]
    empty = int((images.max(axis=0) == images.min(axis=0)).sum())
    assert empty >= 1 and f"{empty} of 256 pixels are the same in all training images" in text


def test_images_of_validation_and_test_do_not_matter(changed, scaler, tmp_path):
    directory = shutil.copytree(changed.path, tmp_path / "copy")

    def spoil(images, training):
        images[~training] = np.nan

    change_images(directory, spoil)
    found = Scaler.fit(Dataset.open(directory), ["image"], images="pixel").ranges["image"]
    np.testing.assert_array_equal(found.high, scaler.ranges["image"].high)
    with pytest.raises(DatasetError, match="variable image holds NaN"):
        Scaler.fit(Dataset.open(directory), ["image"], split=None, images="pixel")


def test_it_is_stored_with_the_scaler(changed, scaler, tmp_path):
    scaler.save(tmp_path / "scaler.json")
    loaded = Scaler.load(tmp_path / "scaler.json")
    arrays = changed.load(["image", "xaug"], "test")
    for block in ("image", "xaug"):
        np.testing.assert_array_equal(loaded.scale(arrays)[block], scaler.scale(arrays)[block])
    assert loaded.warnings == scaler.warnings


def test_by_default_images_stay_and_nothing_is_warned_of(changed):
    scaler = Scaler.fit(changed, ["image", "xaug"])
    arrays = changed.load(["image", "xaug"], "test")
    np.testing.assert_array_equal(scaler.scale(arrays)["image"], arrays["image"])
    assert scaler.warnings == [] and list(scaler.ranges) == ["xaug"]


def test_unknown_choices(changed):
    with pytest.raises(ConfigurationError, match="did you mean 'pixel'"):
        Scaler.fit(changed, ["image"], images="pixels")
    with pytest.raises(ConfigurationError, match="did you mean 'dz_max'"):
        Scaler.fit(changed, ["xaug"], zeros={"dz_mx": 0.0})


def test_columns_with_a_zero_are_not_clipped(changed):
    """From the zero to the largest value of all; other columns are as without."""
    zero = float(np.log(1e-20))
    rows = changed.load(["list", "mask", "xaug"], "train")
    plain = Scaler.fit(changed, ["list", "xaug"])
    found = Scaler.fit(changed, ["list", "xaug"], zeros={"dxy": zero, "dz_max": zero})
    values = {"list": rows["list"][rows["mask"] > 0], "xaug": rows["xaug"]}
    for block, name in (("list", "dxy"), ("xaug", "dz_max")):
        names = changed.names(block)
        at = names.index(name)
        assert found.ranges[block].low[at] == zero
        assert found.ranges[block].high[at] == values[block][:, at].max()
        others = [i for i in range(len(names)) if i != at]
        np.testing.assert_array_equal(found.ranges[block].low[others], plain.ranges[block].low[others])
        np.testing.assert_array_equal(found.ranges[block].high[others], plain.ranges[block].high[others])
    assert plain.ranges["xaug"].high[-1] < values["xaug"][:, -1].max() == 50, "the clip is at work in this sample"
    assert found.fitted_on["zeros"] == {"dxy": zero, "dz_max": zero} and "zeros" not in plain.fitted_on
